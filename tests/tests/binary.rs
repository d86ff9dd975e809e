//! The real binary, as Lambda runs it: settings, envelopes, log lines, metrics.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tests::compressor::{BUCKET, DLQ, batch};
use tests::fake_aws::{FakeAws, Fault, Operation, sqs_event};
use tests::function::Function;
use tests::runtime_api::{Answer, RuntimeApi};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running `compress`, what it works on, and who calls it.
struct Running {
    fake: FakeAws,
    api: RuntimeApi,
    function: Function,
}

fn start(settings: &[(&str, &str)]) -> Running {
    let (fake, api) = (FakeAws::start(), RuntimeApi::start());
    fake.bucket(BUCKET, true);
    let (endpoint, queue) = (fake.endpoint(), fake.queue_url(DLQ));
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("DLQ_URL", queue.as_str()),
    ];
    variables.extend(settings);
    let function = Function::spawn("compress", &variables, &api);
    Running {
        fake,
        api,
        function,
    }
}

impl Running {
    fn invoke(&self, event: &Value) -> Answer {
        self.api.invoke(event, PATIENCE)
    }

    /// The lines of an invocation, from its first to its metrics, which come last.
    fn lines(&self) -> Vec<Value> {
        let metrics = |line: &Value| line.get("Compressed").is_some();
        self.function.wait_for_line(PATIENCE, metrics).unwrap();
        self.function.stdout()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        assert_eq!(
            self.api.violations(),
            [""; 0],
            "the Runtime API's rules were broken"
        );
    }
}

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

#[test]
fn an_unsampled_success_writes_its_metrics_and_nothing_else() {
    let running = start(&[("POWERTOOLS_LOGGER_SAMPLE_RATE", "0")]);
    let written = running.fake.put(BUCKET, "incoming/a", "text");
    running.invoke(&written.notification());
    let lines = running.lines();
    assert!(
        lines.iter().all(|line| line.get("_aws").is_some()),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 2, "cold start, and the invocation's own");
    assert_eq!(lines[0]["ColdStart"], 1);
    let metrics = &lines[1];
    assert_eq!(
        (&metrics["Compressed"], &metrics["InputBytes"]),
        (&json!(1), &json!(4))
    );
    assert_eq!(metrics["level"], "INFO");
    let directive = &metrics["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(
        (&directive["Namespace"], &directive["Dimensions"]),
        (&json!("Sluice"), &json!([["service"]]))
    );
}

#[test]
fn a_sampled_success_writes_one_line_for_each_object_and_one_summary() {
    let running = start(&[("DEBUG", "true")]);
    let written = running.fake.put(BUCKET, "incoming/a", "text");
    let answer = running
        .api
        .invoke_as("request-7", &written.notification(), PATIENCE);
    assert!(matches!(answer, Answer::Response(_)), "{answer:?}");
    let lines = running.lines();
    let summary = lines
        .iter()
        .find(|line| line["message"] == "invocation")
        .unwrap();
    assert_eq!(summary["level"], "INFO");
    for (name, value) in [
        ("service", json!("compress")),
        ("function_request_id", json!("request-7")),
        ("cold_start", json!(true)),
        ("sampled", json!(true)),
        ("compressed", json!(1)),
        ("failed", json!(0)),
    ] {
        assert_eq!(summary[name], value, "{name}");
    }
    let object = lines
        .iter()
        .find(|line| line["outcome"] == "compressed")
        .unwrap();
    assert_eq!(
        (&object["key"], &object["size_bytes"]),
        (&json!("incoming/a"), &json!(4))
    );
}

#[test]
fn a_failure_writes_its_whole_cause_the_debug_lines_before_it_and_the_summary() {
    let running = start(&[
        ("POWERTOOLS_LOGGER_SAMPLE_RATE", "0"),
        ("BATCH_CONCURRENCY", "1"),
    ]);
    running.fake.put(BUCKET, "incoming/good", "text");
    running.fake.put(BUCKET, "incoming/bad", "text");
    running.fake.fault(
        Fault::on(Operation::GetObject)
            .key("bad")
            .forever()
            .answer(400, "ExpiredToken"),
    );
    let answer = running.invoke(&batch(&[
        (BUCKET, "incoming/good"),
        (BUCKET, "incoming/bad"),
    ]));
    let Answer::Error {
        error_type,
        message,
    } = answer
    else {
        panic!("{answer:?}")
    };
    assert_eq!(error_type, "Incomplete");
    assert!(
        message.contains("1 of 2") && message.contains("ExpiredToken"),
        "{message}"
    );
    let lines = running.lines();
    let position = |fits: &dyn Fn(&Value) -> bool| lines.iter().position(fits).unwrap();
    let debug = position(&|line| line["key"] == "incoming/good" && line["level"] == "DEBUG");
    let error = position(&|line| line["key"] == "incoming/bad" && line["level"] == "ERROR");
    let summary = position(&|line| line["message"] == "invocation");
    assert!(debug < error && error < summary);
    let line = &lines[error];
    assert_eq!(
        (&line["retryable"], &line["sampled"]),
        (&json!(true), &json!(false))
    );
    assert!(
        line["error"]
            .as_str()
            .unwrap()
            .starts_with("service call failed: GetObject answered 400 ExpiredToken: ")
    );
}

#[test]
fn metadata_that_was_left_out_is_named() {
    let running = start(&[]);
    let seed = running.fake.seed(BUCKET, "incoming/a");
    let written = seed.metadata("note", &"v".repeat(2000)).put("text");
    running.invoke(&written.notification());
    let lines = running.lines();
    let warning = lines.iter().find(|line| line["left_out"] == "note");
    assert_eq!(warning.unwrap()["level"], "WARN");
}

#[test]
fn metrics_count_whatever_becomes_of_a_batch() {
    let running = start(&[]);
    let mut messages = Vec::new();
    for key in ["incoming/good", "incoming/bad", "elsewhere"] {
        let written = running.fake.put(BUCKET, key, "text");
        messages.push((key, written.notification().to_string()));
    }
    messages.push(("dead", "no notification".to_owned()));
    let messages: Vec<_> = messages.iter().map(|(id, body)| (*id, &**body)).collect();
    let expired = Fault::on(Operation::GetObject).key("bad").forever();
    running.fake.fault(expired.answer(400, "ExpiredToken"));
    let failed = json!({"batchItemFailures": [{"itemIdentifier": "incoming/bad"}]});
    assert_eq!(
        running.invoke(&sqs_event(&messages)),
        Answer::Response(failed)
    );
    let lines = running.lines();
    let metrics = lines.last().unwrap();
    for name in ["Compressed", "Skipped", "DeadLettered", "Failed"] {
        assert_eq!(metrics[name], 1, "{name}");
    }
}

#[test]
fn neither_bodies_nor_credentials_are_logged() {
    let running = start(&[("DEBUG", "true")]);
    let written = running
        .fake
        .put(BUCKET, "incoming/a", "the-content-of-the-object");
    running.invoke(&sqs_event(&[
        ("m", &written.notification().to_string()),
        ("n", "the-body-of-a-message"),
    ]));
    let text = running
        .lines()
        .iter()
        .map(Value::to_string)
        .collect::<String>()
        + &running.function.stderr().join("");
    // The last two are what the clients of these tests sign with.
    for secret in [
        "the-content",
        "the-body",
        "AWS_SECRET",
        "Signature=",
        "wJalrXUtnFEMI",
        "session-token",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
