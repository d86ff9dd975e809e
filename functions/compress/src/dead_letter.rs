//! The dead-letter queue: what can never succeed goes there, with its reason.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use shared::Retryable;
use shared::s3_event::{CreatedObject, job_id};
use shared::telemetry::error_chain;

use crate::error::CompressError;
use crate::refusal::Refusal;

/// Longest value of an attribute, bytes: enough for a key and an error, little of the queue's message limit.
const ATTRIBUTE_BYTES_MAX: usize = 2048;

/// The queue for permanent failures.
pub struct DeadLetters {
    client: Client,
    queue_url: Option<String>,
}

impl DeadLetters {
    /// Without a queue's URL every permanent failure stays where it came from.
    #[must_use]
    pub const fn new(client: Client, queue_url: Option<String>) -> Self {
        Self { client, queue_url }
    }

    /// Whether there is a queue.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        self.queue_url.is_some()
    }

    /// Sends the original body with the attributes `reason`, `error`, `bucket` and `key`, in the group of its job if it
    /// has one, so that what is replayed does not come before others' messages either. Only when this succeeds may the
    /// message be acknowledged. A retryable error comes straight back.
    pub async fn send(
        &self,
        body: &str,
        object: Option<&CreatedObject>,
        error: CompressError,
    ) -> Result<(), CompressError> {
        let Some(reason) = error.reason().filter(|_| !error.is_retryable()) else {
            return Err(error);
        };
        let Some(queue_url) = &self.queue_url else {
            return Err(CompressError::DeadLetter {
                reason,
                source: None,
            });
        };
        let group = job_id(body);
        let body = if body.is_empty() {
            "{}".to_owned()
        } else {
            queue_text(body, usize::MAX)
        };
        let request = self
            .client
            .send_message()
            .queue_url(queue_url)
            .message_body(body)
            .set_message_group_id(group);
        let attributes = attributes([
            ("reason", Some(reason.to_owned())),
            ("error", Some(error_chain(&error))),
            ("bucket", object.map(|object| object.bucket.clone())),
            ("key", object.map(|object| object.key.clone())),
        ]);
        let sent = request
            .set_message_attributes(Some(attributes))
            .send()
            .await;
        sent.map(drop).map_err(|error| CompressError::DeadLetter {
            reason,
            source: Some(Refusal::new("SendMessage", error)),
        })
    }
}

/// A queue takes no empty value, so what is not known is not there.
fn attributes<const N: usize>(
    values: [(&str, Option<String>); N],
) -> HashMap<String, MessageAttributeValue> {
    let known = values
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    let attribute = |(name, value): (&str, String)| {
        let text = queue_text(&value, ATTRIBUTE_BYTES_MAX);
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(text)
            .build()
            .ok()?;
        Some((name.to_owned(), value))
    };
    known.filter_map(attribute).collect()
}

/// `text` as a queue takes it, cut at `bytes_max`: other control characters are written as `\u{1}`.
/// Source: SQS API reference, `SendMessage`, allowed characters.
fn queue_text(text: &str, bytes_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(bytes_max));
    for c in text.chars() {
        let allowed = matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
        let before = out.len();
        if allowed {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
        if out.len() > bytes_max {
            out.truncate(before);
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_but_for_what_a_queue_refuses() {
        assert_eq!(queue_text("a\tb\né😀", usize::MAX), "a\tb\né😀");
        assert_eq!(queue_text("a\0b\u{FFFE}", usize::MAX), "a\\u{0}b\\u{fffe}");
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(queue_text("aé", 2), "a");
        assert_eq!(queue_text("aé", 3), "aé");
        assert_eq!(queue_text("a\0", 3), "a");
    }

    #[test]
    fn what_is_not_known_is_not_there() {
        let attributes = attributes([
            ("reason", Some("bad_key".into())),
            ("bucket", None),
            ("key", Some(String::new())),
        ]);
        assert_eq!(attributes.keys().collect::<Vec<_>>(), ["reason"]);
    }
}
