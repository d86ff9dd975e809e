//! The message of an object: the notification that S3 sends when it is written, with the job's name. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::found::Found;

/// What S3 leaves as it is in the key of a notification; a space becomes `+`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/');

/// What all messages of a batch have in common.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The job's name.
    pub job_id: &'a str,
    /// Whose objects.
    pub bucket: &'a str,
    /// When it is sent, RFC 3339 UTC.
    pub now: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "Records")]
    records: [Record<'a>; 1],
    job_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'static str,
    event_source: &'static str,
    event_name: &'static str,
    event_time: &'a str,
    s3: Entity<'a>,
}

#[derive(Serialize)]
struct Entity<'a> {
    bucket: Bucket<'a>,
    object: Object<'a>,
}

#[derive(Serialize)]
struct Bucket<'a> {
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    key: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'a str>,
}

impl Envelope<'_> {
    /// The message of one object.
    pub fn body(&self, found: &Found) -> serde_json::Result<String> {
        let object = Object {
            key: encoded(&found.key),
            size: found.size_bytes,
            e_tag: found.etag.as_deref(),
            version_id: found.version_id.as_deref(),
        };
        let record = Record {
            event_version: "2.1",
            event_source: "aws:s3",
            event_name: "ObjectCreated:Backfill",
            event_time: self.now,
            s3: Entity {
                bucket: Bucket { name: self.bucket },
                object,
            },
        };
        serde_json::to_string(&Message {
            records: [record],
            job_id: self.job_id,
        })
    }
}

fn encoded(key: &str) -> String {
    utf8_percent_encode(key, ENCODED)
        .to_string()
        .replace("%20", "+")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::s3_event::{Notice, parse};

    fn found(key: &str) -> Found {
        Found {
            key: key.to_owned(),
            size_bytes: 7,
            etag: Some("e1".into()),
            version_id: Some("v1".into()),
            is_archived: false,
            modified_s: None,
            next_row: None,
        }
    }

    fn body(found: &Found) -> String {
        let envelope = Envelope {
            job_id: "j",
            bucket: "b",
            now: "2026-11-21T00:00:00Z",
        };
        envelope.body(found).unwrap()
    }

    #[test]
    fn a_key_is_spelt_as_s3_does() {
        assert_eq!(
            encoded("incoming/red flower+é%.jpg"),
            "incoming/red+flower%2B%C3%A9%25.jpg"
        );
    }

    #[test]
    fn the_job_is_named_beside_the_records() {
        let message: serde_json::Value = serde_json::from_str(&body(&found("incoming/a"))).unwrap();
        assert_eq!(message["job_id"], "j");
        assert_eq!(message["Records"][0]["eventName"], "ObjectCreated:Backfill");
        assert_eq!(message["Records"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn ten_of_the_longest_messages_are_a_quarter_of_what_a_batch_may_have() {
        let longest = Found {
            version_id: Some("v".repeat(1_024)),
            etag: Some("e".repeat(64)),
            size_bytes: u64::MAX,
            ..found(&"\u{7f}".repeat(1_024))
        };
        assert!(10 * (body(&longest).len() + 80 + 63) <= 256 * 1_024 / 4);
    }

    proptest! {
        #[test]
        fn a_message_is_understood_as_the_object_that_it_names(key in "\\PC{1,60}", size_bytes: u64) {
            let found = Found { size_bytes, ..found(&key) };
            let Notice::Created(created) = parse(&body(&found)).unwrap().remove(0).unwrap() else {
                panic!("no object");
            };
            prop_assert_eq!(created.key, key);
            prop_assert_eq!(created.bucket, "b");
            prop_assert_eq!(created.size_bytes, Some(size_bytes));
            prop_assert_eq!(created.etag, found.etag);
            prop_assert_eq!(created.version_id, found.version_id);
        }
    }
}
