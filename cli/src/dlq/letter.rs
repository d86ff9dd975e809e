//! A dead letter, as it is read. Pure.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use serde::Serialize;
use serde_json::Value;
use shared::s3_event::{Notice, parse};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::args::dlq::Reason;
use crate::names::JobId;
use crate::show::clean_line;

/// What stands for a reason where there is none, as `--reason` has it.
const NO_REASON: &str = "none";

/// A message of the dead-letter queue.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Letter {
    pub(super) message_id: String,
    /// Null for what the queue itself gave up.
    pub(super) reason: Option<String>,
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    pub(super) error: Option<String>,
    /// When it came to this queue, or, moved by SQS, to the first one.
    pub(super) sent_at: Option<String>,
    /// The back-fill that it is of.
    pub(super) job_id: Option<String>,
    #[serde(skip)]
    pub(super) sent_at_ms: Option<u64>,
    #[serde(skip)]
    pub(super) receipt: String,
    #[serde(skip)]
    pub(super) body: String,
}

impl Letter {
    /// Nothing without identifier, receipt or body: a queue gives all three.
    pub(super) fn read(message: Message) -> Option<Self> {
        let body = message.body?;
        let mut attributes = message.message_attributes.unwrap_or_default();
        let mut text = |name: &str| attributes.remove(name)?.string_value;
        let (bucket, key) = object_of(&body);
        let sent = message.attributes.as_ref();
        let sent = sent.and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
        let sent_at_ms = sent.and_then(|text| text.parse().ok());
        Some(Self {
            message_id: message.message_id?,
            reason: text("reason"),
            bucket: text("bucket").or(bucket),
            key: text("key").or(key),
            // EventBridge has words of its own for what it could not deliver.
            error: text("error").or_else(|| text("ERROR_MESSAGE")),
            sent_at: sent_at_ms.and_then(rfc3339),
            job_id: job_of(&body),
            sent_at_ms,
            receipt: message.receipt_handle?,
            body,
        })
    }

    /// Whether it is one of those that were asked for.
    pub(super) fn has(&self, reason: Option<Reason>) -> bool {
        reason.is_none_or(|reason| self.reason.as_deref() == reason.label())
    }

    /// Its reason, for sums.
    pub(super) fn reason_label(&self) -> &str {
        self.reason.as_deref().unwrap_or(NO_REASON)
    }

    /// Stands for its body.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.body.hash(&mut hasher);
        hasher.finish()
    }

    /// On a line.
    pub(super) fn words(&self) -> String {
        let text = |text: &Option<String>| clean_line(text.as_deref().unwrap_or("-"));
        let object = match &self.key {
            Some(key) => format!("s3://{}/{}", text(&self.bucket), clean_line(key)),
            None => "(no key)".to_owned(),
        };
        let job = self.job_id.as_ref();
        format!(
            "{:<24} {:<16} {object}  {}{}",
            text(&self.sent_at),
            clean_line(self.reason_label()),
            text(&self.error),
            job.map_or_else(String::new, |job| format!("  (job {job})")),
        )
    }
}

/// The first object of a body.
fn object_of(body: &str) -> (Option<String>, Option<String>) {
    let created = parse(body).ok().and_then(|notices| {
        notices.into_iter().find_map(|notice| match notice {
            Ok(Notice::Created(object)) => Some(object),
            _ => None,
        })
    });
    created.map_or((None, None), |object| {
        (Some(object.bucket), Some(object.key))
    })
}

/// The job that a body names; a name that is none is no group either.
fn job_of(body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body).ok()?;
    let job: JobId = value.get("job_id")?.as_str()?.parse().ok()?;
    Some(job.as_str().to_owned())
}

fn rfc3339(epoch_ms: u64) -> Option<String> {
    let seconds = i64::try_from(epoch_ms / 1_000).ok()?;
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    time.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::MessageAttributeValue;

    const BODY: &str = r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Backfill",
        "s3":{"bucket":{"name":"b"},"object":{"key":"incoming/a+b"}}}],"job_id":"j"}"#;

    fn message(body: &str, reason: Option<&str>) -> Message {
        let builder = Message::builder()
            .message_id("m")
            .receipt_handle("r")
            .body(body)
            .attributes(MessageSystemAttributeName::SentTimestamp, "1795301103999");
        let attribute = |value: &str| {
            let builder = MessageAttributeValue::builder().data_type("String");
            builder.string_value(value).build().unwrap()
        };
        match reason {
            Some(reason) => builder
                .message_attributes("reason", attribute(reason))
                .message_attributes("key", attribute("from the attribute"))
                .build(),
            None => builder.build(),
        }
    }

    #[test]
    fn what_the_attributes_do_not_say_the_body_does() {
        let letter = Letter::read(message(BODY, None)).unwrap();
        assert_eq!(
            (letter.reason.as_deref(), letter.reason_label()),
            (None, "none")
        );
        assert_eq!(letter.bucket.as_deref(), Some("b"));
        assert_eq!(letter.key.as_deref(), Some("incoming/a b"));
        assert_eq!(letter.job_id.as_deref(), Some("j"));
        assert_eq!(letter.sent_at.as_deref(), Some("2026-11-21T22:45:03Z"));
        let letter = Letter::read(message(BODY, Some("bad_key"))).unwrap();
        assert_eq!(letter.key.as_deref(), Some("from the attribute"));
    }

    #[test]
    fn any_body_can_be_a_dead_letter() {
        for body in [
            "",
            "{}",
            "no json",
            r#"{"job_id":"not a group"}"#,
            r#"{"job_id":7}"#,
        ] {
            let letter = Letter::read(message(body, Some("bad_message"))).unwrap();
            assert_eq!((letter.bucket, letter.job_id), (None, None), "{body}");
        }
    }

    #[test]
    fn a_line_says_what_there_is() {
        let words = Letter::read(message(BODY, None)).unwrap().words();
        assert!(
            words.ends_with("none             s3://b/incoming/a b  -  (job j)"),
            "{words}"
        );
        let words = Letter::read(message("{}", None)).unwrap().words();
        assert!(words.ends_with("none             (no key)  -"), "{words}");
    }

    #[test]
    fn what_eventbridge_could_not_deliver_has_its_words() {
        let words = MessageAttributeValue::builder()
            .data_type("String")
            .string_value("no rights");
        let mut message = message(BODY, None);
        message.message_attributes =
            Some([("ERROR_MESSAGE".to_owned(), words.build().unwrap())].into());
        let letter = Letter::read(message).unwrap();
        assert_eq!(
            (letter.reason, letter.error.as_deref()),
            (None, Some("no rights"))
        );
    }

    #[test]
    fn none_is_asked_for_by_name() {
        let without = Letter::read(message(BODY, None)).unwrap();
        let with = Letter::read(message(BODY, Some("bad_key"))).unwrap();
        let (unsaid, bad_key) = (Some(Reason::Unsaid), Some(Reason::BadKey));
        assert!(without.has(None) && without.has(unsaid) && !without.has(bad_key));
        assert!(with.has(None) && !with.has(unsaid) && with.has(bad_key));
        assert_eq!(
            (without.reason_label(), with.reason_label()),
            ("none", "bad_key")
        );
    }
}
