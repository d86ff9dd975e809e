//! SQS as far as a dead-letter queue needs it: `SendMessage` over awsJson 1.0, with its rules.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::reply::Answer;
use super::state::Store;

/// Largest message with its attributes, bytes. Source: SQS developer guide, "Message quotas".
const MESSAGE_BYTES_MAX: usize = 1_048_576;

/// Most attributes of a message. Source: SQS developer guide, "Message metadata".
const ATTRIBUTES_MAX: usize = 10;

/// Longest attribute name, bytes. Source: as above.
const ATTRIBUTE_NAME_BYTES_MAX: usize = 256;

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The body as it was sent.
    pub body: String,
    /// String values of its attributes.
    pub attributes: BTreeMap<String, String>,
}

/// A refused request: the error's short name, and what was wrong.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    code: &'static str,
    message: String,
}

struct Attribute {
    data_type: String,
    value: String,
}

/// The queue that a request names, from its body.
pub(super) fn queue_of(body: &[u8]) -> Option<String> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let url = request.get("QueueUrl")?.as_str()?;
    Some(url.rsplit('/').next()?.to_owned())
}

pub(super) fn send_message(store: &mut Store, body: &[u8]) -> Answer {
    match accept(store, body) {
        Ok(receipt) => Answer::json(200, &receipt),
        Err(refused) => error(400, refused.code, &refused.message),
    }
}

/// An SQS error answer in the awsJson 1.0 form.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message});
    let query_code = match code {
        // The one whose name in the older query protocol is another; clients go by that name.
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        code => code,
    };
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    Answer::json(status, &body).header("x-amzn-query-error", &format!("{query_code};{fault}"))
}

fn accept(store: &mut Store, body: &[u8]) -> Result<Value, Refused> {
    let request: Value = serde_json::from_slice(body)
        .map_err(|error| refuse("SerializationException", error.to_string()))?;
    let text = request
        .get("MessageBody")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let attributes = attributes_of(&request)?;
    check(text, &attributes)?;
    let queue = queue_of(body).unwrap_or_default();
    let number = store.tick();
    let Some(messages) = store.queues.get_mut(&queue) else {
        return Err(refuse(
            "QueueDoesNotExist",
            format!("The queue {queue} does not exist."),
        ));
    };
    let mut receipt = json!({
        "MessageId": format!("00000000-0000-4000-9000-{number:012x}"),
        "MD5OfMessageBody": format!("{:x}", md5::compute(text)),
    });
    if !attributes.is_empty() {
        receipt["MD5OfMessageAttributes"] = json!(md5_of(&attributes));
    }
    let values = attributes
        .into_iter()
        .map(|(name, attribute)| (name, attribute.value));
    messages.push(Message {
        body: text.to_owned(),
        attributes: values.collect(),
    });
    Ok(receipt)
}

fn attributes_of(request: &Value) -> Result<BTreeMap<String, Attribute>, Refused> {
    let given = request.get("MessageAttributes").and_then(Value::as_object);
    let attributes = given.into_iter().flatten().map(|(name, value)| {
        let data_type = value
            .get("DataType")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !matches!(data_type.split('.').next(), Some("String" | "Number")) {
            return Err(invalid(&format!(
                "attribute {name}: type {data_type:?} is not modelled"
            )));
        }
        let text = value
            .get("StringValue")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let attribute = Attribute {
            data_type: data_type.to_owned(),
            value: text.to_owned(),
        };
        Ok((name.clone(), attribute))
    });
    attributes.collect()
}

/// Source: SQS API reference, "`SendMessage`".
fn check(text: &str, attributes: &BTreeMap<String, Attribute>) -> Result<(), Refused> {
    if text.is_empty() {
        return Err(refuse(
            "MissingParameter",
            "The request must contain MessageBody.".to_owned(),
        ));
    }
    if !text.chars().all(is_allowed) {
        let message = "Invalid binary character was found in the message body.";
        return Err(refuse("InvalidMessageContents", message.to_owned()));
    }
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(invalid(&format!(
            "{} attributes, {ATTRIBUTES_MAX} allowed",
            attributes.len()
        )));
    }
    let mut size_bytes = text.len();
    for (name, attribute) in attributes {
        check_attribute(name, attribute)?;
        size_bytes += name.len() + attribute.data_type.len() + attribute.value.len();
    }
    if size_bytes > MESSAGE_BYTES_MAX {
        return Err(invalid(&format!(
            "{size_bytes} bytes, {MESSAGE_BYTES_MAX} allowed"
        )));
    }
    Ok(())
}

fn check_attribute(name: &str, attribute: &Attribute) -> Result<(), Refused> {
    let lower = name.to_ascii_lowercase();
    let name_is_valid = !name.is_empty()
        && name.len() <= ATTRIBUTE_NAME_BYTES_MAX
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "_-.".contains(char))
        && !(name.starts_with('.') || name.ends_with('.') || name.contains(".."))
        && !(lower.starts_with("aws.") || lower.starts_with("amazon."));
    if !name_is_valid {
        return Err(invalid(&format!("attribute name {name:?}")));
    }
    if attribute.value.is_empty() {
        return Err(invalid(&format!(
            "attribute {name} must contain a non-empty value"
        )));
    }
    if !attribute.value.chars().all(is_allowed) {
        return Err(invalid(&format!(
            "attribute {name} holds an invalid character"
        )));
    }
    Ok(())
}

/// The characters of XML 1.0, which is what a message may hold.
fn is_allowed(char: char) -> bool {
    matches!(char, '\u{9}' | '\u{A}' | '\u{D}' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Source: SQS developer guide, "Calculating the MD5 message digest for message attributes".
fn md5_of(attributes: &BTreeMap<String, Attribute>) -> String {
    let mut encoded = Vec::new();
    for (name, attribute) in attributes {
        push_prefixed(&mut encoded, name);
        push_prefixed(&mut encoded, &attribute.data_type);
        // The transport type: 1 for strings and numbers.
        encoded.push(1);
        push_prefixed(&mut encoded, &attribute.value);
    }
    format!("{:x}", md5::compute(encoded))
}

fn push_prefixed(encoded: &mut Vec<u8>, text: &str) {
    encoded.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
    encoded.extend_from_slice(text.as_bytes());
}

fn refuse(code: &'static str, message: String) -> Refused {
    Refused { code, message }
}

fn invalid(reason: &str) -> Refused {
    let message = format!("One or more parameters are invalid. Reason: {reason}");
    Refused {
        code: "InvalidParameterValue",
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attribute_digest_is_the_one_of_the_published_algorithm() {
        let attribute = Attribute {
            data_type: "String".to_owned(),
            value: "v".to_owned(),
        };
        let encoded = b"\0\0\0\x01n\0\0\0\x06String\x01\0\0\0\x01v";
        let digest = md5_of(&BTreeMap::from([("n".to_owned(), attribute)]));
        assert_eq!(digest, format!("{:x}", md5::compute(encoded)));
    }
}
