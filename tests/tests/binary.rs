//! The real binary, as Lambda runs it: settings and envelopes.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::path::Path;

use serde_json::{Value, json};
use tests::compressor::{BUCKET, DLQ};
use tests::fake_aws::sqs_event;
use tests::function::Function;
use tests::running::{PATIENCE, start};
use tests::runtime_api::{Answer, RuntimeApi};

fn event(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

/// The object that a sample event is about: bucket, key, and the entity tag that it names.
fn subject(name: &str) -> (String, String) {
    let event = event(name);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match name {
        "sqs.json" => {
            let body: Value =
                serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
            let s3 = &body["Records"][0]["s3"];
            (
                text(&s3["bucket"]["name"]),
                shared::s3_event::decode_key(&text(&s3["object"]["key"])).unwrap(),
            )
        }
        "s3.json" => {
            let s3 = &event["Records"][0]["s3"];
            (
                text(&s3["bucket"]["name"]),
                shared::s3_event::decode_key(&text(&s3["object"]["key"])).unwrap(),
            )
        }
        "eventbridge.json" => {
            let detail = &event["detail"];
            (
                text(&detail["bucket"]["name"]),
                text(&detail["object"]["key"]),
            )
        }
        _ => (
            text(&event["items"][0]["bucket"]),
            text(&event["items"][0]["key"]),
        ),
    }
}

/// The event with its object's entity tag and version taken out: the sample's object is not really there.
fn without_tags(mut event: Value) -> Value {
    if let Some(body) = event["Records"][0]["body"].as_str() {
        let body = without_tags(serde_json::from_str(body).unwrap());
        event["Records"][0]["body"] = json!(body.to_string());
        return event;
    }
    for pointer in ["/Records/0/s3/object", "/detail/object", "/items/0"] {
        if let Some(object) = event.pointer_mut(pointer).and_then(Value::as_object_mut) {
            object.retain(|name, _| {
                !["eTag", "etag", "versionId", "version-id", "version_id"].contains(&name.as_str())
            });
        }
    }
    event
}

#[test]
fn every_sample_event_is_understood() {
    for name in ["sqs.json", "s3.json", "eventbridge.json", "batch.json"] {
        let running = start(&[]);
        let (bucket, key) = subject(name);
        running.fake.bucket(&bucket, true);
        running.fake.put(&bucket, &key, "content");
        let expected = if name == "sqs.json" {
            "batchItemFailures"
        } else {
            "compressed"
        };
        let Answer::Response(response) = running.invoke(&without_tags(event(name))) else {
            panic!("{name}")
        };
        assert!(response.get(expected).is_some(), "{name}: {response}");
        assert!(
            running.fake.object(&bucket, &key).is_none(),
            "{name}: {key} is still there"
        );
        assert!(
            running.fake.keys(&bucket)[0].starts_with("processed/"),
            "{name}"
        );
        assert!(running.fake.messages(DLQ).is_empty(), "{name}");
    }
}

#[test]
fn the_test_event_of_a_new_notification_is_acknowledged() {
    let running = start(&[]);
    let test = event("s3-test-event.json");
    let counts = json!({"compressed": 0, "skipped": 1, "dead_lettered": 0});
    assert_eq!(running.invoke(&test), Answer::Response(counts));
    let queued = sqs_event(&[("m", &test.to_string())]);
    assert_eq!(
        running.invoke(&queued),
        Answer::Response(json!({"batchItemFailures": []}))
    );
    assert!(running.fake.requests().is_empty());
}

#[test]
fn a_bad_payload_fails_with_its_type_and_touches_nothing() {
    let running = start(&[]);
    for payload in [json!({}), json!("text"), json!([1]), json!({"Records": 7})] {
        let Answer::Error {
            error_type,
            message,
        } = running.invoke(&payload)
        else {
            panic!("{payload}")
        };
        assert_eq!(error_type, "BadPayload");
        assert!(message.starts_with("payload: "), "{message}");
    }
    assert!(running.fake.requests().is_empty());
    let lines = running.lines();
    let line = lines
        .iter()
        .find(|line| line["message"] == "invocation failed");
    assert_eq!(line.unwrap()["level"], "ERROR");
}

#[test]
fn bad_settings_are_named_all_at_once_and_nothing_starts() {
    let api = RuntimeApi::start();
    let settings = [
        ("COMPRESSION_FORMAT", "rar"),
        ("MAX_OBJECT_BYTES", "many"),
        ("OUTPUT_PREFIX", "incoming/"),
    ];
    let function = Function::spawn("compress", &settings, &api);
    assert!(!function.wait_exit(PATIENCE).unwrap().success());
    let lines = function.stdout();
    assert_eq!(lines.len(), 1);
    let error = lines[0]["error"].as_str().unwrap();
    for (name, value) in settings {
        assert!(error.contains(name) && error.contains(value), "{error}");
    }
}

#[test]
fn a_function_serves_again_and_again() {
    let running = start(&[]);
    for number in 0..20 {
        let written = running
            .fake
            .put(BUCKET, &format!("incoming/{number}"), "text");
        let answer = running.invoke(&written.notification());
        assert_eq!(
            answer,
            Answer::Response(json!({"compressed": 1, "skipped": 0, "dead_lettered": 0}))
        );
    }
}
