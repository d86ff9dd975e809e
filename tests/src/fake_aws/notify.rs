//! The events that AWS would make of what is in the store.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::object::Written;

/// What S3 leaves as it is in the key of a notification; a space becomes a plus.
const KEY_ESCAPES: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b' ');

/// Source: S3 user guide, "Event message structure".
pub(super) fn object_created(written: &Written) -> Value {
    let mut object = json!({
        "key": url_encoded(&written.key),
        "size": written.size_bytes,
        "eTag": written.etag,
        "sequencer": written.sequencer,
    });
    if let Some(version_id) = &written.version_id {
        object["versionId"] = json!(version_id);
    }
    json!({"Records": [{
        "eventVersion": "2.6",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-21T12:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "fake"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "fake",
            "bucket": {
                "name": written.bucket,
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": format!("arn:aws:s3:::{}", written.bucket),
            },
            "object": object,
        },
    }]})
}

/// The event of an SQS event-source mapping: one record per message id and body.
#[must_use]
pub fn sqs_event(messages: &[(&str, &str)]) -> Value {
    let records = messages.iter().map(|(message_id, body)| {
        json!({
            "messageId": message_id,
            "receiptHandle": format!("receipt-{message_id}"),
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1795262400000",
                "SenderId": "AIDAEXAMPLE",
                "ApproximateFirstReceiveTimestamp": "1795262400001",
            },
            "messageAttributes": {},
            "md5OfBody": format!("{:x}", md5::compute(body)),
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:source",
            "awsRegion": "us-east-1",
        })
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

/// As S3 writes keys in notifications and, when asked, in listings.
pub(super) fn url_encoded(key: &str) -> String {
    utf8_percent_encode(key, KEY_ESCAPES)
        .to_string()
        .replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_s3_encodes_them() {
        for (key, encoded) in [
            ("in/a b.txt", "in/a+b.txt"),
            ("a+b", "a%2Bb"),
            ("a%2Bb", "a%252Bb"),
            ("x/../y//", "x/../y//"),
            ("ä(1)~", "%C3%A4%281%29%7E"),
        ] {
            assert_eq!(url_encoded(key), encoded, "{key}");
        }
    }
}
