//! The real binary's log lines and metrics: nothing too much when all is well, everything when something failed.

use serde_json::{Value, json};
use tests::compressor::{BUCKET, batch};
use tests::fake_aws::{Fault, Operation, sqs_event};
use tests::running::{PATIENCE, start};
use tests::runtime_api::Answer;

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
fn what_a_returned_message_did_is_counted_too() {
    let running = start(&[]);
    let good = running.fake.put(BUCKET, "incoming/good", "text");
    let bad = running.fake.put(BUCKET, "incoming/bad", "text");
    let throttled = Fault::on(Operation::GetObject).key("bad").forever();
    running.fake.fault(throttled.answer(400, "ExpiredToken"));
    let records = [good, bad].map(|written| written.notification()["Records"][0].clone());
    let body = json!({"Records": records}).to_string();
    let answer = running.invoke(&sqs_event(&[("m", &body)]));
    let failed = json!({"batchItemFailures": [{"itemIdentifier": "m"}]});
    assert_eq!(answer, Answer::Response(failed));
    let lines = running.lines();
    let metrics = lines.iter().find(|line| line.get("Compressed").is_some());
    let metrics = metrics.unwrap();
    assert_eq!(
        (&metrics["Compressed"], &metrics["Failed"]),
        (&json!(1), &json!(1))
    );
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
