//! Time: answers that do not come, and deadlines that do.

use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use serde_json::json;
use tests::compressor::{BUCKET, Compressor};
use tests::content::noise;
use tests::fake_aws::{FakeAws, Fault, Gate, Operation, sqs_event};

const KEY: &str = "incoming/data.bin";

/// 20 MB that do not shrink: three parts.
fn large() -> Vec<u8> {
    noise(20_000_000)
}

#[tokio::test]
async fn a_write_whose_answer_never_comes_is_looked_after() {
    for (operation, content) in [
        (Operation::PutObject, b"text".to_vec()),
        (Operation::CompleteMultipartUpload, large()),
    ] {
        let timeouts = TimeoutConfig::builder()
            .read_timeout(Duration::from_millis(500))
            .build();
        let compressor = Compressor::on(FakeAws::start(), &[], |client| {
            client.timeout_config(timeouts)
        });
        let gate = Gate::new();
        compressor
            .fake
            .fault(Fault::on(operation).hold_after_effect(&gate));
        let written = compressor.source(KEY, content);
        let answer = compressor.invoke(written.notification()).await.unwrap();
        assert_eq!(answer["compressed"], 1, "{operation:?}");
        assert_eq!(compressor.fake.count(operation), 1, "looked, not repeated");
        assert_eq!(
            compressor
                .fake
                .versions(BUCKET, &compressor.outputs()[0])
                .len(),
            1
        );
        assert!(!compressor.has_source(KEY));
        gate.release();
    }
}

#[tokio::test]
async fn at_the_deadline_work_is_put_down_and_handed_back() {
    let compressor = Compressor::default();
    let gate = Gate::new();
    compressor.fake.fault(
        Fault::on(Operation::UploadPart)
            .skip(1)
            .forever()
            .hold(&gate),
    );
    let large = compressor.source(KEY, large()).notification().to_string();
    let small = compressor
        .source("incoming/small", "text")
        .notification()
        .to_string();
    let event = sqs_event(&[("large", &large), ("small", &small)]);
    let response = compressor
        .invoke_within(event, Duration::from_secs(4))
        .await
        .unwrap();
    gate.release();
    assert_eq!(
        response,
        json!({"batchItemFailures": [{"itemIdentifier": "large"}]})
    );
    assert_eq!(compressor.fake.count(Operation::AbortMultipartUpload), 1);
    assert!(compressor.has_source(KEY) && !compressor.has_source("incoming/small"));
}

#[tokio::test]
async fn an_abort_without_an_answer_is_not_waited_for() {
    let compressor = Compressor::default();
    let part = Fault::on(Operation::UploadPart).forever();
    compressor.fake.fault(part.answer(400, "ExpiredToken"));
    let gate = Gate::new();
    compressor
        .fake
        .fault(Fault::on(Operation::AbortMultipartUpload).hold(&gate));
    let bodies = [compressor.source(KEY, large()).notification()];
    let delivery = compressor.deliver(&bodies);
    let failed = tokio::time::timeout(Duration::from_secs(30), delivery).await;
    assert_eq!(failed.unwrap(), ["0"]);
    assert_eq!(gate.arrived(), 1);
}

#[tokio::test]
async fn a_dead_letter_queue_without_an_answer_keeps_the_message_where_it_was() {
    let compressor = Compressor::with(&[("MAX_OBJECT_BYTES", "1")]);
    let gate = Gate::new();
    compressor
        .fake
        .fault(Fault::on(Operation::SendMessage).forever().hold(&gate));
    let body = compressor.source(KEY, "text").notification().to_string();
    let event = sqs_event(&[("m", &body)]);
    let invocation = compressor.invoke_within(event, Duration::from_secs(2));
    let response = tokio::time::timeout(Duration::from_secs(30), invocation).await;
    assert_eq!(
        response.unwrap().unwrap(),
        json!({"batchItemFailures": [{"itemIdentifier": "m"}]})
    );
    assert!(compressor.has_source(KEY));
}

#[tokio::test]
async fn nothing_is_begun_below_the_margin() {
    let compressor = Compressor::default();
    let body = compressor.source(KEY, "text").notification().to_string();
    for time in [Duration::ZERO, Duration::from_millis(900)] {
        let response = compressor
            .invoke_within(sqs_event(&[("m", &body)]), time)
            .await
            .unwrap();
        assert_eq!(
            response,
            json!({"batchItemFailures": [{"itemIdentifier": "m"}]})
        );
    }
    assert!(compressor.fake.requests().is_empty());
}
