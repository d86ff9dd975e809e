//! A batch: exactly the failing records are reported, and none takes another one down.

use serde_json::{Value, json};
use std::time::Duration;
use tests::compressor::{BUCKET, Compressor, PanicOnKey, batch, failed_ids};
use tests::fake_aws::{Content, FakeAws, Fault, Gate, Operation, sqs_event};
use tests::running::PATIENCE;

#[tokio::test]
async fn every_failing_subset_of_ten_records_is_reported_exactly() {
    let compressor = Compressor::default();
    let bodies: Vec<_> = (0..10)
        .map(|number| {
            compressor
                .source(&format!("incoming/object-{number}"), "text")
                .notification()
        })
        .collect();
    for subset in 0..1024_u32 {
        compressor.fake.clear_faults();
        let expected: Vec<String> = (0..10)
            .filter(|n| subset >> n & 1 == 1)
            .map(|n| n.to_string())
            .collect();
        for number in &expected {
            let key = format!("object-{number}");
            compressor.fake.fault(
                Fault::on(Operation::GetObject)
                    .key(&key)
                    .forever()
                    .answer(400, "ExpiredToken"),
            );
        }
        assert_eq!(compressor.deliver(&bodies).await, expected);
    }
}

#[tokio::test]
async fn a_panic_in_one_record_fails_that_record_only() {
    let compressor = Compressor::on(FakeAws::start(), &[], |client| {
        client.interceptor(PanicOnKey)
    });
    let bodies = ["incoming/a", "incoming/panics", "incoming/b"]
        .map(|key| compressor.source(key, "text").notification());
    assert_eq!(compressor.deliver(&bodies).await, ["1"]);
    assert_eq!(compressor.outputs().len(), 2);
    assert!(compressor.has_source("incoming/panics"));
    assert!(
        compressor
            .invoke(batch(&[(BUCKET, "incoming/panics")]))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_failing_record_without_an_identifier_fails_the_invocation() {
    let compressor = Compressor::default();
    let written = compressor.source("incoming/a", "text");
    let body = written.notification().to_string();
    let mut event = sqs_event(&[("", &body)]);
    compressor.fake.fault(
        Fault::on(Operation::GetObject)
            .forever()
            .answer(400, "ExpiredToken"),
    );
    assert!(compressor.invoke(event.clone()).await.is_err());
    event["Records"][0]
        .as_object_mut()
        .unwrap()
        .remove("messageId");
    assert!(compressor.invoke(event.clone()).await.is_err());
    compressor.fake.clear_faults();
    assert_eq!(
        failed_ids(&compressor.invoke(event).await.unwrap()),
        [""; 0]
    );
}

#[tokio::test]
async fn a_record_without_a_body_is_dead_lettered_and_its_mates_are_done() {
    let compressor = Compressor::default();
    let written = compressor.source("incoming/a", "text");
    let mut event = sqs_event(&[
        ("empty", "x"),
        ("good", &written.notification().to_string()),
    ]);
    event["Records"][0].as_object_mut().unwrap().remove("body");
    assert_eq!(
        failed_ids(&compressor.invoke(event).await.unwrap()),
        [""; 0]
    );
    assert_eq!(
        compressor.dead_letters(),
        [("bad_message".to_owned(), None)]
    );
    assert_eq!(compressor.outputs().len(), 1);
}

#[tokio::test]
async fn a_queue_without_a_dead_letter_queue_is_a_configuration_error_and_touches_nothing() {
    let compressor = Compressor::with(&[("DLQ_URL", "")]);
    let written = compressor.source("incoming/a", "text");
    let event = sqs_event(&[("m", &written.notification().to_string())]);
    let error = compressor.invoke(event).await.unwrap_err();
    assert!(error.to_string().contains("DLQ_URL"));
    assert!(compressor.has_source("incoming/a") && compressor.fake.requests().is_empty());
}

#[tokio::test]
async fn direct_invocations_answer_with_counts() {
    let compressor = Compressor::with(&[("MAX_OBJECT_BYTES", "5")]);
    compressor.source("incoming/good", "12345");
    compressor.source("incoming/large", "123456");
    let items = [
        (BUCKET, "incoming/good"),
        (BUCKET, "incoming/large"),
        (BUCKET, "elsewhere"),
        (BUCKET, "incoming/no"),
    ];
    let answer = compressor.invoke(batch(&items)).await.unwrap();
    assert_eq!(
        answer,
        json!({"compressed": 1, "skipped": 2, "dead_lettered": 1})
    );
}

/// Delivers `payload` while the requests of this operation are held until `expected` of them have come, and one more
/// has had its chance; how many there were at once.
async fn peak(
    compressor: &Compressor,
    operation: Operation,
    expected: usize,
    payload: Value,
) -> usize {
    let gate = Gate::new();
    compressor
        .fake
        .fault(Fault::on(operation).forever().hold(&gate));
    let (answer, ()) = tokio::join!(compressor.invoke(payload), async {
        assert!(gate.wait_for(expected, Duration::from_secs(20)).await);
        assert!(!gate.wait_for(expected + 1, Duration::from_secs(1)).await);
        gate.release();
    });
    assert!(answer.is_ok(), "{answer:?}");
    compressor.fake.peak(operation)
}

#[tokio::test]
async fn no_more_objects_are_in_flight_than_allowed() {
    for (limit, expected) in [("1", 1), ("3", 3)] {
        let compressor = Compressor::with(&[("BATCH_CONCURRENCY", limit)]);
        let keys: Vec<_> = (0..8).map(|n| format!("incoming/{n}")).collect();
        let items: Vec<_> = keys.iter().map(|key| (BUCKET, key.as_str())).collect();
        for key in &keys {
            compressor.source(key, "text");
        }
        let peak = peak(&compressor, Operation::GetObject, expected, batch(&items)).await;
        assert_eq!(peak, expected);
        assert_eq!(compressor.outputs().len(), 8);
    }
}

#[tokio::test]
async fn objects_that_do_not_fit_in_memory_wait_their_turn() {
    // The event's size counts only where an entity tag says that it is this object's.
    for (size, with_etag) in [(40_000_000, true), (1, false)] {
        let compressor = Compressor::with(&[
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("BATCH_CONCURRENCY", "10"),
        ]);
        let item = |n: u32| {
            let key = format!("incoming/{n}");
            let etag = compressor.source(&key, Content::Zeros(40_000_000)).etag;
            let etag = with_etag.then_some(etag);
            json!({"bucket": BUCKET, "key": key, "size": size, "etag": etag})
        };
        let items: Vec<_> = (0..6).map(item).collect();
        let payload = json!({ "items": items });
        let peak = peak(&compressor, Operation::GetObject, 2, payload).await;
        assert_eq!(peak, 2, "two large objects fit in 128 MB");
        assert_eq!(compressor.outputs().len(), 6);
    }
}

#[tokio::test]
async fn two_parts_of_an_object_are_sent_at_once_and_no_more() {
    let compressor = Compressor::with(&[("COMPRESSION_LEVEL", "0")]);
    compressor.source("incoming/a", Content::Zeros(40_000_000));
    let payload = batch(&[(BUCKET, "incoming/a")]);
    let peak = peak(&compressor, Operation::UploadPart, 2, payload).await;
    assert_eq!(peak, 2);
    assert_eq!(compressor.outputs().len(), 1);
}

#[tokio::test]
async fn large_objects_take_turns_and_small_ones_do_not_wait_for_them() {
    let compressor = Compressor::default();
    let large = |key| {
        compressor
            .source(key, Content::Zeros(70_000_000))
            .notification()
    };
    let small = compressor.source("incoming/small", "text").notification();
    let bodies = [large("incoming/large-1"), large("incoming/large-2"), small];
    let (first_large, small_done) = (Gate::new(), Gate::new());
    let get = Fault::on(Operation::GetObject).key("large");
    compressor.fake.fault(get.hold(&first_large));
    let delete = Fault::on(Operation::DeleteObject).key("small");
    compressor.fake.fault(delete.hold(&small_done));
    let (failed, ()) = tokio::join!(compressor.deliver(&bodies), async {
        assert!(first_large.wait_for(1, PATIENCE).await);
        assert!(small_done.wait_for(1, PATIENCE).await);
        assert_eq!(
            compressor.fake.count(Operation::GetObject),
            2,
            "one large, one small"
        );
        first_large.release();
        small_done.release();
    });
    assert_eq!(failed, [""; 0]);
    assert_eq!(compressor.outputs().len(), 3);
}
