//! What can never succeed goes to the dead-letter queue with its reason, and is acknowledged only then.

use serde_json::json;
use tests::compressor::{BUCKET, Compressor, DLQ, batch};
use tests::content::noise;
use tests::fake_aws::{Fault, Operation};

const KEY: &str = "incoming/data.txt";

/// Delivers one source that fails with `reason`, and checks the letter and that nothing was lost.
async fn dead_letter(compressor: &Compressor, key: &str, reason: &str) {
    let written = compressor.source(key, "0123456789");
    let body = written.notification();
    assert_eq!(
        compressor.deliver(std::slice::from_ref(&body)).await,
        [""; 0],
        "{reason}"
    );
    let letters = compressor.fake.messages(DLQ);
    assert_eq!(letters.len(), 1, "{reason}");
    assert_eq!(
        letters[0].body,
        body.to_string(),
        "the original body, whole"
    );
    let attributes = &letters[0].attributes;
    assert_eq!(attributes["reason"], reason);
    assert_eq!(attributes["bucket"], BUCKET);
    assert_eq!(attributes["key"], key);
    assert!(!attributes["error"].is_empty());
    assert!(compressor.has_source(key), "{reason}: the source stays");
    assert!(compressor.outputs().is_empty(), "{reason}");
}

#[tokio::test]
async fn an_object_over_the_limit_is_too_large_and_is_not_downloaded() {
    for (limit, too_large) in [("9", true), ("10", false), ("11", false)] {
        let compressor = Compressor::with(&[("MAX_OBJECT_BYTES", limit)]);
        if too_large {
            dead_letter(&compressor, KEY, "too_large").await;
            assert_eq!(compressor.fake.count(Operation::GetObject), 0);
        } else {
            compressor.compress(KEY, "0123456789").await;
            assert_eq!(compressor.outputs().len(), 1);
        }
    }
}

#[tokio::test]
async fn the_size_that_counts_is_the_objects_not_the_events() {
    let compressor = Compressor::with(&[("MAX_OBJECT_BYTES", "9")]);
    compressor.source(KEY, "0123456789");
    let answer = compressor.invoke(batch(&[(BUCKET, KEY)])).await.unwrap();
    assert_eq!(answer["dead_lettered"], 1);
    assert_eq!(
        compressor.dead_letters(),
        [("too_large".to_owned(), Some(KEY.to_owned()))]
    );
}

#[tokio::test]
async fn refusals_that_no_retry_helps_have_their_reason() {
    for (operation, status, code, reason) in [
        (Operation::GetObject, 403, "AccessDenied", "access_denied"),
        (Operation::PutObject, 403, "AccessDenied", "access_denied"),
        (
            Operation::GetObject,
            400,
            "KMS.DisabledException",
            "kms_denied",
        ),
        (
            Operation::PutObject,
            400,
            "KMS.NotFoundException",
            "kms_denied",
        ),
        (Operation::GetObject, 403, "InvalidObjectState", "archived"),
        (
            Operation::GetObject,
            301,
            "PermanentRedirect",
            "wrong_bucket",
        ),
        (Operation::GetObject, 404, "NoSuchBucket", "wrong_bucket"),
    ] {
        let compressor = Compressor::default();
        compressor
            .fake
            .fault(Fault::on(operation).forever().answer(status, code));
        dead_letter(&compressor, KEY, reason).await;
    }
}

#[tokio::test]
async fn an_output_key_over_1024_bytes_is_a_bad_key() {
    let compressor = Compressor::default();
    let key = format!("incoming/{}", "k".repeat(1025 - "processed/00/.zip".len()));
    dead_letter(&compressor, &key, "bad_key").await;
}

#[tokio::test]
async fn another_bucket_than_the_configured_one_is_the_wrong_bucket() {
    let compressor = Compressor::with(&[("SOURCE_BUCKET", "somewhere-else")]);
    dead_letter(&compressor, KEY, "wrong_bucket").await;
    assert_eq!(compressor.fake.count(Operation::GetObject), 0);
}

#[tokio::test]
async fn a_message_that_is_no_notification_is_a_bad_message() {
    let compressor = Compressor::default();
    let long = format!("not json {}", "é".repeat(10_000));
    let bodies = [
        long.as_str(),
        "{}",
        // Spaces and order that no serialiser would give it again.
        r#"{"Records": [ {"s3":{"object":{"key":"incoming/%ff"},"bucket":{"name":"files"}}, "eventName":"ObjectCreated:Put"}]}"#,
    ];
    assert_eq!(compressor.deliver_text(&bodies).await, [""; 0]);
    let letters = compressor.fake.messages(DLQ);
    let mut sent: Vec<_> = letters.iter().map(|letter| letter.body.as_str()).collect();
    sent.sort_unstable();
    let mut expected = bodies.to_vec();
    expected.sort_unstable();
    assert_eq!(sent, expected);
    assert!(
        letters
            .iter()
            .all(|letter| letter.attributes["reason"] == "bad_message")
    );
}

#[tokio::test]
async fn the_second_spelling_of_a_name_is_an_output_conflict_and_its_source_stays() {
    let compressor = Compressor::default();
    compressor.compress("incoming/hello", "flat").await;
    let partitioned = compressor.source("incoming/5d/hello", "partitioned");
    assert_eq!(
        compressor.deliver(&[partitioned.notification()]).await,
        [""; 0]
    );
    let expected = (
        "output_conflict".to_owned(),
        Some("incoming/5d/hello".to_owned()),
    );
    assert_eq!(compressor.dead_letters(), [expected]);
    assert!(compressor.has_source("incoming/5d/hello"));
    assert_eq!(
        tests::unpack::zip(&compressor.output().content.bytes()).1,
        b"flat"
    );
}

#[tokio::test]
async fn the_same_key_in_another_bucket_is_an_output_conflict() {
    let compressor = Compressor::with(&[("OUTPUT_BUCKET", "outputs")]);
    compressor.fake.bucket("outputs", false);
    compressor.fake.bucket("second", false);
    let one = compressor.source(KEY, "one");
    let two = compressor.fake.put("second", KEY, "two");
    assert_eq!(compressor.deliver(&[one.notification()]).await, [""; 0]);
    assert_eq!(compressor.deliver(&[two.notification()]).await, [""; 0]);
    assert_eq!(compressor.dead_letters()[0].0, "output_conflict");
    assert!(compressor.fake.object("second", KEY).is_some());
}

#[tokio::test]
async fn somebody_elses_object_at_the_output_key_is_not_overwritten() {
    for content in [vec![b'x'], large()] {
        let compressor = Compressor::default();
        compressor.source("processed/5d/hello.zip", "precious");
        let written = compressor.source("incoming/hello", content);
        assert_eq!(compressor.deliver(&[written.notification()]).await, [""; 0]);
        assert_eq!(compressor.dead_letters()[0].0, "output_conflict");
        assert_eq!(&compressor.output().content.bytes()[..], b"precious");
        assert!(compressor.has_source("incoming/hello"));
        assert!(compressor.fake.open_uploads(BUCKET).is_empty());
    }
}

/// 9 MB that do not shrink: a multipart output.
fn large() -> Vec<u8> {
    noise(9_000_000)
}

#[tokio::test]
async fn a_dead_letter_queue_that_refuses_keeps_the_message_where_it_was() {
    let compressor = Compressor::with(&[("MAX_OBJECT_BYTES", "1")]);
    compressor.fake.fault(
        Fault::on(Operation::SendMessage)
            .forever()
            .answer(403, "AccessDenied"),
    );
    let written = compressor.source(KEY, "too large");
    let bodies = [written.notification(), json!("nonsense")];
    assert_eq!(compressor.deliver(&bodies).await, ["0", "1"]);
    assert!(compressor.has_source(KEY));
    compressor.fake.clear_faults();
    assert_eq!(compressor.deliver(&bodies).await, [""; 0]);
    assert_eq!(compressor.dead_letters().len(), 2);
}

#[tokio::test]
async fn a_direct_invocation_whose_dead_letter_is_refused_fails() {
    let compressor = Compressor::with(&[("MAX_OBJECT_BYTES", "1")]);
    compressor.fake.fault(
        Fault::on(Operation::SendMessage)
            .forever()
            .answer(403, "AccessDenied"),
    );
    let written = compressor.source(KEY, "too large");
    assert!(compressor.invoke(written.notification()).await.is_err());
    compressor.fake.clear_faults();
    assert_eq!(
        compressor.invoke(written.notification()).await.unwrap()["dead_lettered"],
        1
    );
}

#[tokio::test]
async fn a_message_with_one_hopeless_object_still_has_its_other_objects_done() {
    let compressor = Compressor::with(&[("MAX_OBJECT_BYTES", "5")]);
    let small = compressor.source("incoming/small", "12345").notification();
    let large = compressor.source("incoming/large", "123456").notification();
    let both = json!({"Records": [large["Records"][0], small["Records"][0]]});
    assert_eq!(compressor.deliver(&[both]).await, [""; 0]);
    assert_eq!(
        compressor.dead_letters(),
        [("too_large".to_owned(), Some("incoming/large".to_owned()))]
    );
    assert_eq!(compressor.outputs().len(), 1);
}

#[tokio::test]
async fn a_message_that_comes_back_has_all_else_done_and_its_dead_letter_only_once() {
    let compressor = Compressor::with(&[("MAX_OBJECT_BYTES", "5")]);
    let records: Vec<_> = [("large", "123456"), ("flaky", "1"), ("good", "12345")]
        .map(|(name, content)| {
            let written = compressor.source(&format!("incoming/{name}"), content);
            written.notification()["Records"][0].clone()
        })
        .to_vec();
    let message = json!({ "Records": records });
    let expired = Fault::on(Operation::GetObject).key("flaky").forever();
    compressor.fake.fault(expired.answer(400, "ExpiredToken"));
    assert_eq!(
        compressor.deliver(std::slice::from_ref(&message)).await,
        ["0"]
    );
    assert!(compressor.dead_letters().is_empty());
    assert!(!compressor.has_source("incoming/good"));
    compressor.fake.clear_faults();
    assert_eq!(compressor.deliver(&[message]).await, [""; 0]);
    assert_eq!(
        compressor.dead_letters(),
        [("too_large".to_owned(), Some("incoming/large".to_owned()))]
    );
    assert_eq!(compressor.outputs().len(), 2);
}

#[tokio::test]
async fn control_characters_in_a_key_do_not_stop_its_dead_letter() {
    let compressor = Compressor::with(&[("MAX_OBJECT_BYTES", "1")]);
    let written = compressor.source("incoming/\u{1}odd", "too large");
    assert_eq!(compressor.deliver(&[written.notification()]).await, [""; 0]);
    assert_eq!(
        compressor.dead_letters()[0].1.as_deref(),
        Some("incoming/\\u{1}odd")
    );
}
