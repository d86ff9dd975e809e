//! What is taken out of a queue, and what a queue says of itself.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::send::{ENTRIES_MAX, entries_of, md5_of};
use super::{Held, Queue, Refused, VISIBILITY, invalid, not_modelled, only, refuse};
use crate::fake_aws::call::Call;
use crate::fake_aws::{ACCOUNT, REGION};

/// Longest time that a message may be hidden, seconds. Source: SQS API reference, "`ReceiveMessage`".
const VISIBILITY_SECONDS_MAX: u64 = 43_200;

/// Takes what is visible, oldest first, at once: there is no long poll.
pub(super) fn receive(queue: &mut Queue, request: &Value) -> Result<Value, Refused> {
    only(
        request,
        &[
            "QueueUrl",
            "MaxNumberOfMessages",
            "VisibilityTimeout",
            "WaitTimeSeconds",
            "MessageAttributeNames",
            "MessageSystemAttributeNames",
            "AttributeNames",
        ],
    )?;
    let most = request["MaxNumberOfMessages"].as_u64().unwrap_or(1);
    let most = usize::try_from(most).unwrap();
    if most == 0 || most > ENTRIES_MAX {
        return Err(invalid("MaxNumberOfMessages must be between 1 and 10"));
    }
    let hidden_for = visibility(request)?.unwrap_or(VISIBILITY);
    let now = Instant::now();
    let mut taken = Vec::new();
    let Queue { held, received, .. } = queue;
    let visible = held
        .iter_mut()
        .filter(|held| held.hidden_until.is_none_or(|until| until <= now));
    for held in visible.take(most) {
        *received += 1;
        held.receives += 1;
        held.receipt = format!("{}#{received}", held.id);
        held.hidden_until = Some(now + hidden_for);
        taken.push(told(held, request));
    }
    // Nothing to tell is told by leaving it out.
    Ok(if taken.is_empty() {
        json!({})
    } else {
        json!({"Messages": taken})
    })
}

fn told(held: &Held, request: &Value) -> Value {
    let names = |member: &str| {
        let names = request[member].as_array().into_iter().flatten();
        names
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut message = json!({
        "MessageId": held.id,
        "ReceiptHandle": held.receipt,
        "Body": held.draft.body,
        "MD5OfBody": format!("{:x}", md5::compute(&held.draft.body)),
    });
    let wanted = [
        names("MessageSystemAttributeNames"),
        names("AttributeNames"),
    ]
    .concat();
    let mut system = json!({"ApproximateReceiveCount": held.receives.to_string()});
    if let Some(group_id) = &held.draft.group_id {
        system["MessageGroupId"] = json!(group_id);
    }
    let system = system.as_object_mut().expect("an object");
    system.retain(|name, _| {
        wanted
            .iter()
            .any(|wanted| wanted == name || wanted == "All")
    });
    if !system.is_empty() {
        message["Attributes"] = json!(system);
    }
    let wanted = names("MessageAttributeNames");
    let mut attributes = held.draft.attributes.clone();
    attributes.retain(|name, _| {
        wanted
            .iter()
            .any(|wanted| wanted == name || wanted == "All" || wanted == ".*")
    });
    if !attributes.is_empty() {
        message["MD5OfMessageAttributes"] = json!(md5_of(&attributes));
        for (name, attribute) in &attributes {
            message["MessageAttributes"][name] =
                json!({"DataType": attribute.data_type, "StringValue": attribute.value});
        }
    }
    message
}

fn visibility(request: &Value) -> Result<Option<Duration>, Refused> {
    match request["VisibilityTimeout"].as_u64() {
        None => Ok(None),
        Some(seconds) if seconds <= VISIBILITY_SECONDS_MAX => {
            Ok(Some(Duration::from_secs(seconds)))
        }
        Some(_) => Err(invalid("VisibilityTimeout must be between 0 and 43200")),
    }
}

/// Only the handle of the last receive deletes; one of an earlier receive is taken and does nothing.
pub(super) fn delete(queue: &mut Queue, request: &Value) -> Result<Value, Refused> {
    only(request, &["QueueUrl", "ReceiptHandle"])?;
    remove(queue, request)?;
    Ok(json!({}))
}

pub(super) fn delete_batch(queue: &mut Queue, request: &Value) -> Result<Value, Refused> {
    only(request, &["QueueUrl", "Entries"])?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries_of(request)? {
        match remove(queue, entry) {
            Ok(()) => successful.push(json!({"Id": entry["Id"]})),
            Err(refused) => failed.push(json!({
                "Id": entry["Id"], "SenderFault": true, "Code": refused.code, "Message": refused.message,
            })),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

fn remove(queue: &mut Queue, request: &Value) -> Result<(), Refused> {
    let handle = handle_of(request)?;
    queue.held.retain(|held| held.receipt != handle);
    Ok(())
}

fn handle_of(request: &Value) -> Result<&str, Refused> {
    let handle = request["ReceiptHandle"].as_str().unwrap_or_default();
    if !handle.contains('#') {
        return Err(refuse(
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle {handle:?} is invalid."),
        ));
    }
    Ok(handle)
}

pub(super) fn change_visibility_batch(
    queue: &mut Queue,
    request: &Value,
) -> Result<Value, Refused> {
    only(request, &["QueueUrl", "Entries"])?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries_of(request)? {
        match change(queue, entry) {
            Ok(()) => successful.push(json!({"Id": entry["Id"]})),
            Err(refused) => failed.push(json!({
                "Id": entry["Id"], "SenderFault": true, "Code": refused.code, "Message": refused.message,
            })),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

pub(super) fn change_visibility(queue: &mut Queue, request: &Value) -> Result<Value, Refused> {
    only(request, &["QueueUrl", "ReceiptHandle", "VisibilityTimeout"])?;
    change(queue, request)?;
    Ok(json!({}))
}

fn change(queue: &mut Queue, request: &Value) -> Result<(), Refused> {
    let handle = handle_of(request)?;
    let hidden_for = visibility(request)?.ok_or_else(|| invalid("VisibilityTimeout is missing"))?;
    let held = queue.held.iter_mut().find(|held| held.receipt == handle);
    let held =
        held.ok_or_else(|| invalid("the message is not in the queue, or was received again"))?;
    held.hidden_until = Some(Instant::now() + hidden_for);
    Ok(())
}

pub(super) fn attributes(queue: &Queue, name: &str, request: &Value) -> Result<Value, Refused> {
    only(request, &["QueueUrl", "AttributeNames"])?;
    let now = Instant::now();
    let is_hidden = |held: &&Held| held.hidden_until.is_some_and(|until| until > now);
    let hidden = queue.held.iter().filter(is_hidden).count();
    let known = [
        ("QueueArn", format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")),
        (
            "ApproximateNumberOfMessages",
            (queue.held.len() - hidden).to_string(),
        ),
        ("ApproximateNumberOfMessagesNotVisible", hidden.to_string()),
        ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
        ("VisibilityTimeout", VISIBILITY.as_secs().to_string()),
    ];
    let asked = request["AttributeNames"].as_array().into_iter().flatten();
    let mut told = json!({});
    for wanted in asked.filter_map(Value::as_str) {
        let matching = known
            .iter()
            .filter(|(name, _)| wanted == "All" || wanted == *name);
        let before = told.as_object().map_or(0, serde_json::Map::len);
        for (name, value) in matching {
            told[*name] = json!(value);
        }
        if told.as_object().map_or(0, serde_json::Map::len) == before {
            return Err(not_modelled(&format!("attribute {wanted}")));
        }
    }
    Ok(json!({"Attributes": told}))
}

pub(super) fn url(name: &str, call: &Call, request: &Value) -> Result<Value, Refused> {
    only(request, &["QueueName"])?;
    let host = call.header("host").unwrap_or_default();
    Ok(json!({"QueueUrl": format!("http://{host}/{ACCOUNT}/{name}")}))
}
