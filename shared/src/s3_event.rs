//! "An object was created", in the four envelopes that tell it.
//!
//! | Envelope | Recognised by | Key is |
//! | --- | --- | --- |
//! | SQS batch | `Records[].eventSource` = `aws:sqs`; each body is one of the others | as inside |
//! | S3 notification | `Records[].s3` | form-encoded: `+` is a space, then percent |
//! | EventBridge | `detail-type` = `Object Created` | plain |
//! | Batch | `items` | plain |
//!
//! A payload is first [`split`] into messages, so that whatever happens to one object concerns its own
//! message only; each message is then [`parse`]d. Unknown members are ignored, any 2.x schema is accepted.

use std::cmp::Ordering;

use percent_encoding::percent_decode;
use serde::Deserialize;
use serde_json::{Value, json};

/// What S3 sends when a notification is configured.
const TEST_EVENT: &str = "s3:TestEvent";

/// A payload, split into what succeeds or fails on its own.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivery {
    /// From a queue: each message has an identifier that can be reported back.
    Queue(Vec<Message>),
    /// Invoked directly: one message per object, no identifiers.
    Direct(Vec<Message>),
}

/// One message: a queue's, or a direct payload's single object in its own envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The queue's message identifier; empty for direct payloads (and for broken queue records).
    pub id: String,
    /// The body, exactly as received when it came from a queue.
    pub body: String,
}

/// What a message tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An object was created.
    Created(CreatedObject),
    /// Something else happened, or nothing (`s3:TestEvent`): no work.
    Other {
        /// The event's own name.
        event_name: String,
    },
}

/// An object as its event describes it. Everything but the name may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedObject {
    /// Bucket name.
    pub bucket: String,
    /// Decoded key, never empty.
    pub key: String,
    /// Version, on versioned buckets.
    pub version_id: Option<String>,
    /// Entity tag without quotes.
    pub etag: Option<String>,
    /// Length, bytes.
    pub size_bytes: Option<u64>,
    /// Order among events of the same key.
    pub sequencer: Option<Sequencer>,
}

/// Why a message cannot be understood. Trying again does not help.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadMessage {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("not an object notification: {detail}")]
    Shape {
        /// The parser's words, with the field's name.
        detail: String,
    },
    /// JSON, but none of the known envelopes.
    #[error("unknown envelope: none of Records, detail-type, items, Event")]
    UnknownEnvelope,
    /// A schema this code was not written for.
    #[error("eventVersion {version} is not 2.x")]
    Version {
        /// What it said.
        version: String,
    },
    /// The key does not decode to UTF-8 text.
    #[error("key {encoded:?} does not decode: {detail}")]
    Key {
        /// The key as received.
        encoded: String,
        /// What is wrong with it.
        detail: &'static str,
    },
}

/// Splits a payload into messages. Only the outermost shape is looked at.
pub fn split(payload: Value) -> Result<Delivery, BadMessage> {
    let Value::Object(mut members) = payload else {
        return Err(BadMessage::UnknownEnvelope);
    };
    if let Some(records) = members.remove("Records") {
        return Ok(split_records(list("Records", records)?));
    }
    if let Some(items) = members.remove("items") {
        return Ok(Delivery::Direct(
            list("items", items)?
                .into_iter()
                .map(|item| direct(&json!({"items": [item]})))
                .collect(),
        ));
    }
    let is_test = members
        .get("Event")
        .is_some_and(|event| event == TEST_EVENT);
    if is_test || members.contains_key("detail-type") {
        return Ok(Delivery::Direct(vec![direct(&Value::Object(members))]));
    }
    Err(BadMessage::UnknownEnvelope)
}

fn list(name: &str, value: Value) -> Result<Vec<Value>, BadMessage> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(shape(format_args!("{name} is not a list"))),
    }
}

fn split_records(records: Vec<Value>) -> Delivery {
    let from_queue = records
        .iter()
        .any(|record| record["eventSource"] == "aws:sqs");
    let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
    if from_queue {
        let message = |record: &Value| Message {
            id: text(record, "messageId"),
            body: text(record, "body"),
        };
        Delivery::Queue(records.iter().map(message).collect())
    } else {
        Delivery::Direct(
            records
                .into_iter()
                .map(|record| direct(&json!({"Records": [record]})))
                .collect(),
        )
    }
}

fn direct(body: &Value) -> Message {
    Message {
        id: String::new(),
        body: body.to_string(),
    }
}

/// Reads one message. A notification of several records gives one entry for each, in order, so that
/// a bad record does not hide its neighbours.
pub fn parse(body: &str) -> Result<Vec<Result<Notice, BadMessage>>, BadMessage> {
    let value: Value = serde_json::from_str(body).map_err(shape)?;
    if value.get("Event").is_some_and(|event| event == TEST_EVENT) {
        return Ok(vec![Ok(Notice::Other {
            event_name: TEST_EVENT.to_owned(),
        })]);
    }
    if let Some(records) = value.get("Records") {
        let records = records
            .as_array()
            .ok_or_else(|| shape("Records is not a list"))?;
        return Ok(records.iter().map(s3_record).collect());
    }
    if let Some(items) = value.get("items") {
        let items = items
            .as_array()
            .ok_or_else(|| shape("items is not a list"))?;
        return Ok(items.iter().map(batch_item).collect());
    }
    if value.get("detail-type").is_some() {
        return Ok(vec![event_bridge(&value)]);
    }
    Err(BadMessage::UnknownEnvelope)
}

/// Longest identifier of a job, characters.
const JOB_ID_MAX: usize = 80;

/// The job that a message belongs to: its body's top-level `job_id`, if that is one.
///
/// Anything else there concerns nobody here, and no message fails for it.
#[must_use]
pub fn job_id(body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        job_id: String,
    }
    let Body { job_id } = serde_json::from_str(body).ok()?;
    is_job_id(&job_id).then_some(job_id)
}

/// Whether a text can name a job: 1 to 80 of `A-Z a-z 0-9 _ -`, which is a message group's name too.
#[must_use]
pub fn is_job_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=JOB_ID_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

#[expect(clippy::needless_pass_by_value, reason = "used as `map_err(shape)`")]
fn shape(detail: impl ToString) -> BadMessage {
    BadMessage::Shape {
        detail: detail.to_string(),
    }
}

/// S3 event message structure, version 2.x.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Record {
    event_version: Option<String>,
    event_name: String,
    s3: S3Entity,
}

#[derive(Deserialize)]
struct S3Entity {
    bucket: Bucket,
    object: S3Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

/// The object's members in the spelling of notifications and, by alias, of EventBridge and batches.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Object {
    key: String,
    size: Option<u64>,
    #[serde(alias = "etag")]
    e_tag: Option<String>,
    #[serde(alias = "version-id", alias = "version_id")]
    version_id: Option<String>,
    sequencer: Option<String>,
}

impl S3Object {
    fn created(self, bucket: String, key: String) -> Result<Notice, BadMessage> {
        if bucket.is_empty() {
            return Err(shape("bucket name is empty"));
        }
        if key.is_empty() {
            return Err(BadMessage::Key {
                encoded: self.key,
                detail: "it is empty",
            });
        }
        Ok(Notice::Created(CreatedObject {
            bucket,
            key,
            // "null" is the version of objects written while versioning was off.
            version_id: self.version_id.filter(|id| !id.is_empty() && id != "null"),
            etag: self
                .e_tag
                .map(|etag| etag.trim_matches('"').to_owned())
                .filter(|etag| !etag.is_empty()),
            size_bytes: self.size,
            sequencer: self.sequencer.as_deref().and_then(Sequencer::new),
        }))
    }
}

fn s3_record(record: &Value) -> Result<Notice, BadMessage> {
    let record = S3Record::deserialize(record).map_err(shape)?;
    if let Some(version) = record
        .event_version
        .filter(|version| !version.starts_with("2."))
    {
        return Err(BadMessage::Version { version });
    }
    if !record.event_name.contains("ObjectCreated:") {
        return Ok(Notice::Other {
            event_name: record.event_name,
        });
    }
    let key = decode_key(&record.s3.object.key)?;
    record.s3.object.created(record.s3.bucket.name, key)
}

fn event_bridge(event: &Value) -> Result<Notice, BadMessage> {
    #[derive(Deserialize)]
    struct Detail {
        bucket: Bucket,
        object: S3Object,
    }
    let event_name = event["detail-type"].as_str().unwrap_or_default();
    if event_name != "Object Created" {
        return Ok(Notice::Other {
            event_name: event_name.to_owned(),
        });
    }
    let detail = Detail::deserialize(&event["detail"]).map_err(shape)?;
    let key = detail.object.key.clone();
    detail.object.created(detail.bucket.name, key)
}

fn batch_item(item: &Value) -> Result<Notice, BadMessage> {
    #[derive(Deserialize)]
    struct Item {
        bucket: String,
        #[serde(flatten)]
        object: S3Object,
    }
    let item = Item::deserialize(item).map_err(shape)?;
    let key = item.object.key.clone();
    item.object.created(item.bucket, key)
}

/// Decodes a key as S3 notifications encode it: `+` is a space, then percent. A lone `%`, which S3 never
/// sends, and bytes that are not UTF-8 are errors: guessing would name another object.
pub fn decode_key(encoded: &str) -> Result<String, BadMessage> {
    let bad = |detail| BadMessage::Key {
        encoded: encoded.to_owned(),
        detail,
    };
    let mut escapes = encoded.split('%').skip(1);
    if !escapes.all(|rest| matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())) {
        return Err(bad("a % is not followed by two hex digits"));
    }
    let spaced = encoded.replace('+', " ");
    match percent_decode(spaced.as_bytes()).decode_utf8() {
        Ok(key) => Ok(key.into_owned()),
        Err(_) => Err(bad("it is not UTF-8")),
    }
}

/// S3's order among events of one key: a hex string whose length may differ.
///
/// Compared as AWS documents it: pad the shorter one with zeros on the right, then compare as text.
/// Source: S3 user guide, "Event message structure".
#[derive(Clone, Debug)]
pub struct Sequencer(String);

impl Sequencer {
    /// Nothing when `text` is not a hex string: then it orders nothing.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| Self(text.to_ascii_uppercase()))
    }

    /// The text, uppercase.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Ord for Sequencer {
    fn cmp(&self, other: &Self) -> Ordering {
        let width = self.0.len().max(other.0.len());
        let padded = |text: &'_ str| {
            text.bytes()
                .chain(std::iter::repeat(b'0'))
                .take(width)
                .collect::<Vec<_>>()
        };
        padded(&self.0).cmp(&padded(&other.0))
    }
}

impl PartialOrd for Sequencer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sequencer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Sequencer {}

#[cfg(test)]
#[path = "s3_event_tests.rs"]
mod tests;
