//! What is put into a queue: `SendMessage`, `SendMessageBatch`, and the rules of both.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Queue, Refused, invalid, only, refuse};

/// Largest message with its attributes, and largest batch, bytes. Source: SQS developer guide, "Message quotas".
const MESSAGE_BYTES_MAX: usize = 1_048_576;

/// Most attributes of a message. Source: SQS developer guide, "Message metadata".
const ATTRIBUTES_MAX: usize = 10;

/// Longest attribute name, bytes. Source: as above.
const ATTRIBUTE_NAME_BYTES_MAX: usize = 256;

/// Most entries of a batch. Source: SQS API reference, "`SendMessageBatch`".
pub(super) const ENTRIES_MAX: usize = 10;

/// Longest identifier of an entry. Source: as above.
const ENTRY_ID_MAX: usize = 80;

/// Longest group. Source: SQS API reference, "`SendMessage`", `MessageGroupId`.
const GROUP_MAX: usize = 128;

const MESSAGE: [&str; 3] = ["MessageBody", "MessageAttributes", "MessageGroupId"];

/// An attribute of a message.
#[derive(Clone, Debug)]
pub(super) struct Attribute {
    pub(super) data_type: String,
    pub(super) value: String,
}

/// A message that has passed every rule.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) body: String,
    pub(super) attributes: BTreeMap<String, Attribute>,
    pub(super) group_id: Option<String>,
    pub(super) size_bytes: usize,
}

impl Draft {
    fn read(request: &Value) -> Result<Self, Refused> {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let body = text("MessageBody");
        let attributes = attributes_of(request)?;
        let size_bytes = check(&body, &attributes)?;
        let group_id = match &request["MessageGroupId"] {
            Value::Null => None,
            _ => Some(text("MessageGroupId")),
        };
        let is_group = |id: &String| {
            !id.is_empty()
                && id.len() <= GROUP_MAX
                && id.chars().all(|char| char.is_ascii_graphic())
        };
        if group_id.as_ref().is_some_and(|id| !is_group(id)) {
            return Err(invalid(
                "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length",
            ));
        }
        Ok(Self {
            body,
            attributes,
            group_id,
            size_bytes,
        })
    }

    fn receipt(&self, message_id: &str) -> Value {
        let mut receipt = json!({
            "MessageId": message_id,
            "MD5OfMessageBody": format!("{:x}", md5::compute(&self.body)),
        });
        if !self.attributes.is_empty() {
            receipt["MD5OfMessageAttributes"] = json!(md5_of(&self.attributes));
        }
        receipt
    }
}

/// What becomes of some entries of a coming batch: see [`super::FakeAws::fail_entries`].
#[derive(Clone, Debug)]
pub(super) struct FailedEntries {
    pub(super) positions: Vec<usize>,
    pub(super) code: String,
    pub(super) sender_fault: bool,
}

pub(super) fn one(queue: &mut Queue, request: &Value) -> Result<Value, Refused> {
    only(request, &[&["QueueUrl"], &MESSAGE[..]].concat())?;
    let draft = Draft::read(request)?;
    let receipt = draft.receipt(&queue.next_id());
    queue.push(draft);
    Ok(receipt)
}

pub(super) fn batch(queue: &mut Queue, request: &Value) -> Result<Value, Refused> {
    only(request, &["QueueUrl", "Entries"])?;
    let entries = entries_of(request)?;
    let drafts: Vec<_> = entries
        .iter()
        .map(|entry| {
            only(entry, &[&["Id"], &MESSAGE[..]].concat())?;
            Draft::read(entry)
        })
        .collect();
    let sizes = drafts.iter().flatten().map(|draft| draft.size_bytes);
    let total: usize = sizes.sum();
    if total > MESSAGE_BYTES_MAX {
        let words =
            format!("Batch requests cannot be longer than {MESSAGE_BYTES_MAX} bytes: {total}");
        return Err(refuse("BatchRequestTooLong", words));
    }
    let scripted = queue.failed_entries.pop_front();
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (position, (entry, draft)) in entries.iter().zip(drafts).enumerate() {
        let strikes = |script: &&FailedEntries| script.positions.contains(&position);
        match (draft, scripted.as_ref().filter(strikes)) {
            (Err(refused), _) if refused.status != 400 => return Err(refused),
            (Err(refused), _) => failed.push(json!({
                "Id": entry["Id"], "SenderFault": true, "Code": refused.code, "Message": refused.message,
            })),
            (Ok(_), Some(script)) => failed.push(json!({
                "Id": entry["Id"], "SenderFault": script.sender_fault, "Code": script.code, "Message": "scripted",
            })),
            (Ok(draft), None) => {
                let mut receipt = draft.receipt(&queue.next_id());
                receipt["Id"] = entry["Id"].clone();
                queue.push(draft);
                successful.push(receipt);
            }
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

/// The entries of any batch: 1 to 10, each with an identifier of its own.
pub(super) fn entries_of(request: &Value) -> Result<&[Value], Refused> {
    let entries = request["Entries"].as_array().map_or(&[][..], Vec::as_slice);
    if entries.is_empty() {
        return Err(refuse(
            "EmptyBatchRequest",
            "There should be at least one entry in the request.".to_owned(),
        ));
    }
    if entries.len() > ENTRIES_MAX {
        let words = format!(
            "Maximum number of entries per request are {ENTRIES_MAX}: {}",
            entries.len()
        );
        return Err(refuse("TooManyEntriesInBatchRequest", words));
    }
    let mut seen = BTreeSet::new();
    for entry in entries {
        let id = entry["Id"].as_str().unwrap_or_default();
        let allowed = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        if id.is_empty() || id.len() > ENTRY_ID_MAX || !id.chars().all(allowed) {
            return Err(refuse(
                "InvalidBatchEntryId",
                format!("entry identifier {id:?}"),
            ));
        }
        if !seen.insert(id) {
            return Err(refuse(
                "BatchEntryIdsNotDistinct",
                format!("Id {id} repeated."),
            ));
        }
    }
    Ok(entries)
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

/// How large it is, bytes. Source: SQS API reference, "`SendMessage`".
fn check(text: &str, attributes: &BTreeMap<String, Attribute>) -> Result<usize, Refused> {
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
    Ok(size_bytes)
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
pub(super) fn md5_of(attributes: &BTreeMap<String, Attribute>) -> String {
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
