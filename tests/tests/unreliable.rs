//! Services that answer late, wrongly, or not at all: nothing is lost, nothing is half done, and what may pass
//! later comes back.

use serde_json::{Value, json};
use tests::compressor::{BUCKET, Compressor};
use tests::content::noise;
use tests::fake_aws::{Content, Fault, Operation};
use tests::unpack;

const KEY: &str = "incoming/data.bin";

/// 20 MB that do not shrink: three parts.
fn large() -> Vec<u8> {
    noise(20_000_000)
}

async fn delivered(compressor: &Compressor, body: Value) {
    assert_eq!(compressor.deliver(&[body]).await, [""; 0]);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_resumed_where_it_broke() {
    let compressor = Compressor::default();
    let content = large();
    for after_bytes in [0, 1, 65_536, 9_999_999] {
        compressor
            .fake
            .fault(Fault::on(Operation::GetObject).cut_body(after_bytes));
    }
    compressor.compress(KEY, content.clone()).await;
    assert_eq!(unpack::zip(&compressor.output().content.bytes()).1, content);
    let requests = compressor.fake.requests();
    let gets = requests
        .iter()
        .filter(|request| request.operation == Operation::GetObject);
    let ranges: Vec<_> = gets
        .map(|get| {
            get.headers
                .get("range")
                .map(String::as_str)
                .unwrap_or_default()
        })
        .collect();
    assert!(
        ranges.len() > 2 && ranges.contains(&"bytes=65537-"),
        "{ranges:?}"
    );
}

#[tokio::test]
async fn a_body_that_always_breaks_off_comes_back_without_an_output() {
    let compressor = Compressor::default();
    compressor
        .fake
        .fault(Fault::on(Operation::GetObject).forever().cut_body(100));
    let written = compressor.source(KEY, "x".repeat(10_000).as_bytes());
    assert_eq!(compressor.deliver(&[written.notification()]).await, ["0"]);
    assert!(compressor.outputs().is_empty() && compressor.has_source(KEY));
    assert!(compressor.dead_letters().is_empty());
    assert_eq!(
        compressor.fake.count(Operation::GetObject),
        6,
        "resumed five times"
    );
}

#[tokio::test]
async fn a_body_that_makes_progress_is_resumed_as_often_as_it_takes() {
    let compressor = Compressor::default();
    let cut = Fault::on(Operation::GetObject).cut_body(9_000_000);
    compressor.fake.fault(cut.times(7));
    compressor.compress(KEY, Content::Zeros(70_000_000)).await;
    let content = unpack::zip(&compressor.output().content.bytes()).1;
    assert_eq!(content.len(), 70_000_000);
}

#[tokio::test]
async fn a_body_that_does_not_match_its_checksum_comes_back_without_an_output() {
    let compressor = Compressor::default();
    let seed = compressor.fake.seed(BUCKET, KEY);
    let written = seed
        .header("x-amz-checksum-crc32", "AAAAAA==")
        .put("other bytes than those");
    assert_eq!(compressor.deliver(&[written.notification()]).await, ["0"]);
    assert!(compressor.outputs().is_empty() && compressor.has_source(KEY));
    assert!(compressor.dead_letters().is_empty());
}

#[tokio::test]
async fn a_put_that_happened_although_its_answer_says_no_is_recognised() {
    for fault in [
        Fault::on(Operation::PutObject).answer_after_effect(500, "InternalError"),
        Fault::on(Operation::PutObject).answer_after_effect(503, "ServiceUnavailable"),
        Fault::on(Operation::PutObject).reset_after_effect(),
    ] {
        let compressor = Compressor::default();
        compressor.fake.fault(fault);
        let written = compressor.source(KEY, "text");
        let answer = compressor.invoke(written.notification()).await.unwrap();
        assert_eq!(answer["compressed"], 1, "our own write, not a duplicate");
        assert_eq!(
            compressor
                .fake
                .versions(BUCKET, &compressor.outputs()[0])
                .len(),
            1
        );
        assert!(!compressor.has_source(KEY));
    }
}

#[tokio::test]
async fn a_put_that_did_not_happen_is_repeated_under_its_condition() {
    for fault in [
        Fault::on(Operation::PutObject).answer(500, "InternalError"),
        Fault::on(Operation::PutObject).answer(409, "ConditionalRequestConflict"),
        Fault::on(Operation::PutObject)
            .times(2)
            .answer(503, "SlowDown"),
        Fault::on(Operation::PutObject).reset(),
    ] {
        let compressor = Compressor::default();
        compressor.fake.fault(fault);
        let written = compressor.source(KEY, "text");
        let answer = compressor.invoke(written.notification()).await.unwrap();
        assert_eq!(answer["compressed"], 1);
        let requests = compressor.fake.requests();
        let mut puts = requests
            .iter()
            .filter(|request| request.operation == Operation::PutObject);
        assert!(puts.all(|put| put.headers["if-none-match"] == "*"));
        assert_eq!(compressor.outputs().len(), 1);
    }
}

#[tokio::test]
async fn a_write_that_never_happens_comes_back_and_its_source_stays() {
    for (write, content) in [
        (Operation::PutObject, b"text".to_vec()),
        (Operation::CompleteMultipartUpload, large()),
    ] {
        for fault in [
            Fault::on(write).answer(500, "InternalError"),
            Fault::on(write).answer(409, "ConditionalRequestConflict"),
            Fault::on(write).answer(503, "SlowDown"),
            Fault::on(write).reset(),
        ] {
            let compressor = Compressor::default();
            compressor.fake.fault(fault.clone().forever());
            let body = compressor.source(KEY, content.clone()).notification();
            let failed = compressor.deliver(std::slice::from_ref(&body)).await;
            assert_eq!(failed, ["0"], "{fault:?}");
            assert!(compressor.outputs().is_empty() && compressor.has_source(KEY));
            assert!(compressor.dead_letters().is_empty(), "{fault:?}");
            assert!(compressor.fake.open_uploads(BUCKET).is_empty(), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_completion_that_happened_although_its_answer_says_no_is_recognised() {
    for fault in [
        Fault::on(Operation::CompleteMultipartUpload).answer_after_effect(500, "InternalError"),
        Fault::on(Operation::CompleteMultipartUpload).answer_after_effect(404, "NoSuchUpload"),
        Fault::on(Operation::CompleteMultipartUpload).reset_after_effect(),
        Fault::on(Operation::CompleteMultipartUpload).answer_after_effect(200, "InternalError"),
    ] {
        let compressor = Compressor::default();
        compressor.fake.fault(fault);
        let written = compressor.source(KEY, large());
        let answer = compressor.invoke(written.notification()).await.unwrap();
        assert_eq!(
            answer,
            json!({"compressed": 1, "skipped": 0, "dead_lettered": 0})
        );
        assert_eq!(
            compressor.fake.count(Operation::CompleteMultipartUpload),
            1,
            "looked, not repeated"
        );
        assert_eq!(compressor.fake.count(Operation::AbortMultipartUpload), 0);
        assert!(!compressor.has_source(KEY));
    }
}

#[tokio::test]
async fn a_completion_that_did_not_happen_is_repeated_or_begun_anew() {
    for (fault, failed) in [
        (
            Fault::on(Operation::CompleteMultipartUpload).answer(500, "InternalError"),
            false,
        ),
        (
            Fault::on(Operation::CompleteMultipartUpload).answer(503, "SlowDown"),
            false,
        ),
        (Fault::on(Operation::CompleteMultipartUpload).reset(), false),
        (
            Fault::on(Operation::CompleteMultipartUpload).ok_with_error_body("InternalError"),
            false,
        ),
        (
            Fault::on(Operation::CompleteMultipartUpload).answer(409, "ConditionalRequestConflict"),
            true,
        ),
        (
            Fault::on(Operation::CompleteMultipartUpload).answer(404, "NoSuchUpload"),
            true,
        ),
    ] {
        let compressor = Compressor::default();
        compressor.fake.fault(fault.clone());
        let body = compressor.source(KEY, large()).notification();
        let reported = compressor.deliver(std::slice::from_ref(&body)).await;
        assert_eq!(!reported.is_empty(), failed, "{fault:?}");
        if failed {
            assert!(compressor.outputs().is_empty() && compressor.has_source(KEY));
            delivered(&compressor, body).await;
        }
        assert_eq!(unpack::zip(&compressor.output().content.bytes()).1, large());
        assert_eq!(compressor.fake.open_uploads(BUCKET).len(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn an_upload_that_fails_is_aborted() {
    let get = || Fault::on(Operation::GetObject);
    for faults in [
        vec![
            Fault::on(Operation::UploadPart)
                .forever()
                .answer(403, "AccessDenied"),
        ],
        vec![
            Fault::on(Operation::UploadPart)
                .skip(2)
                .forever()
                .answer(500, "InternalError"),
        ],
        vec![
            get().cut_body(19_000_000),
            get().forever().answer(500, "InternalError"),
        ],
    ] {
        let compressor = Compressor::default();
        for fault in &faults {
            compressor.fake.fault(fault.clone());
        }
        let body = compressor.source(KEY, large()).notification();
        compressor.deliver(&[body]).await;
        assert!(compressor.fake.count(Operation::CreateMultipartUpload) > 0);
        assert_eq!(compressor.fake.open_uploads(BUCKET).len(), 0, "{faults:?}");
        assert!(compressor.outputs().is_empty() && compressor.has_source(KEY));
    }
}

#[tokio::test]
async fn a_multipart_output_of_an_older_version_is_replaced() {
    let compressor = Compressor::default();
    compressor.compress(KEY, "small").await;
    compressor.compress(KEY, large()).await;
    assert_eq!(unpack::zip(&compressor.output().content.bytes()).1, large());
    assert_eq!(
        compressor.fake.count(Operation::CreateMultipartUpload),
        1,
        "the parts are not sent twice"
    );
}

#[tokio::test]
async fn a_storm_of_slow_down_sends_everything_back_and_nothing_to_the_dead_letters() {
    let compressor = Compressor::default();
    let bodies: Vec<_> = (0..10)
        .map(|number| {
            compressor
                .source(&format!("incoming/{number}"), "text")
                .notification()
        })
        .collect();
    for operation in [Operation::GetObject, Operation::PutObject] {
        compressor
            .fake
            .fault(Fault::on(operation).forever().answer(503, "SlowDown"));
    }
    for _ in 0..3 {
        assert_eq!(compressor.deliver(&bodies).await.len(), 10);
    }
    assert!(compressor.dead_letters().is_empty() && compressor.outputs().is_empty());
    compressor.fake.clear_faults();
    assert_eq!(compressor.deliver(&bodies).await, [""; 0]);
    assert_eq!(compressor.outputs().len(), 10);
}

#[tokio::test]
async fn expired_credentials_are_not_the_objects_fault() {
    let compressor = Compressor::default();
    compressor.fake.fault(
        Fault::on(Operation::GetObject)
            .forever()
            .answer(400, "ExpiredToken"),
    );
    let body = compressor.source(KEY, "text").notification();
    assert_eq!(compressor.deliver(&[body]).await, ["0"]);
    assert!(compressor.dead_letters().is_empty());
}
