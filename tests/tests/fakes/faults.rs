use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use tests::fake_aws::{Content, FakeAws, Fault, Gate, Operation};

use crate::{TIMEOUT, code};

fn fake() -> (FakeAws, Client) {
    let fake = FakeAws::start();
    fake.bucket("b", false);
    let client = fake.s3_client();
    (fake, client)
}

async fn put(client: &Client, key: &str) -> String {
    let put = client.put_object().bucket("b").key(key).if_none_match("*");
    code(put.body(ByteStream::from_static(b"body")).send().await)
}

#[tokio::test]
async fn a_fault_strikes_the_requests_that_it_names() {
    let (fake, client) = fake();
    let denied = Fault::on(Operation::PutObject).answer(403, "AccessDenied");
    fake.fault(denied.key("in/").skip(1).times(2));
    let mut codes = Vec::new();
    for key in ["in/0", "out/0", "in/1", "in/2", "in/3"] {
        codes.push(put(&client, key).await);
    }
    let expected = [
        "no error",
        "no error",
        "AccessDenied",
        "AccessDenied",
        "no error",
    ];
    assert_eq!(codes, expected);
    assert_eq!(fake.keys("b"), ["in/0", "in/3", "out/0"]);
}

#[tokio::test]
async fn an_endless_fault_outlasts_every_retry_until_it_is_cleared() {
    let (fake, client) = fake();
    fake.fault(
        Fault::on(Operation::PutObject)
            .forever()
            .answer(503, "SlowDown"),
    );
    assert_eq!(put(&client, "k").await, "SlowDown");
    assert_eq!(fake.count(Operation::PutObject), 3);
    fake.clear_faults();
    assert_eq!(put(&client, "k").await, "no error");
}

#[tokio::test]
async fn a_write_may_commit_although_its_answer_is_an_error() {
    let (fake, client) = fake();
    fake.fault(Fault::on(Operation::PutObject).answer_after_effect(500, "InternalError"));
    // The SDK's own retry meets the object that its first try has made.
    assert_eq!(put(&client, "k").await, "PreconditionFailed");
    assert!(fake.object("b", "k").is_some());
}

#[tokio::test]
async fn a_reset_leaves_no_answer_with_or_without_the_effect() {
    let (fake, client) = fake();
    fake.fault(Fault::on(Operation::PutObject).key("without").reset());
    fake.fault(
        Fault::on(Operation::PutObject)
            .key("with-effect")
            .reset_after_effect(),
    );
    assert_eq!(put(&client, "without").await, "no error");
    assert_eq!(put(&client, "with-effect").await, "PreconditionFailed");
    let statuses = fake
        .requests()
        .iter()
        .map(|request| request.status)
        .collect::<Vec<_>>();
    assert_eq!(statuses, [None, Some(200), None, Some(412)]);
}

#[tokio::test]
async fn a_body_breaks_off_at_the_byte_and_the_source_changes_meanwhile() {
    let (fake, client) = fake();
    let old = fake.put("b", "k", vec![1; 3_000_000]);
    let cut = Fault::on(Operation::GetObject).cut_body(2_000_000);
    fake.fault(cut.run_after_effect(|store| {
        store.put("b", "k", "newer");
    }));
    let mut got = client
        .get_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(got.content_length(), Some(3_000_000));
    let mut read_bytes = 0;
    let broken = loop {
        match got.body.next().await {
            Some(Ok(bytes)) => read_bytes += bytes.len(),
            other => break other,
        }
    };
    assert!(matches!(broken, Some(Err(_))));
    assert_eq!(read_bytes, 2_000_000);
    let resume = client
        .get_object()
        .bucket("b")
        .key("k")
        .range("bytes=2000000-");
    assert_eq!(
        code(resume.if_match(old.etag).send().await),
        "PreconditionFailed"
    );
    assert_eq!(
        fake.object("b", "k").unwrap().content,
        Content::from("newer")
    );
}

#[tokio::test]
async fn a_body_cut_at_its_start_still_promises_its_length() {
    let (fake, client) = fake();
    fake.put("b", "k", "0123456789");
    fake.fault(Fault::on(Operation::GetObject).cut_body(0));
    let got = client
        .get_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(got.content_length(), Some(10));
    assert!(got.body.collect().await.is_err());
}

#[tokio::test]
async fn a_completion_may_fail_within_an_ok() {
    let (fake, client) = fake();
    let create = client
        .create_multipart_upload()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    let id = create.upload_id().unwrap();
    let part = client
        .upload_part()
        .bucket("b")
        .key("k")
        .upload_id(id)
        .part_number(1);
    let part = part
        .body(ByteStream::from_static(b"part"))
        .send()
        .await
        .unwrap();
    let part = CompletedPart::builder()
        .part_number(1)
        .e_tag(part.e_tag().unwrap())
        .build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let broken = Fault::on(Operation::CompleteMultipartUpload);
    fake.fault(broken.times(3).ok_with_error_body("InternalError"));
    let complete = client
        .complete_multipart_upload()
        .bucket("b")
        .key("k")
        .upload_id(id);
    let complete = complete.multipart_upload(parts);
    assert_eq!(code(complete.clone().send().await), "InternalError");
    assert_eq!(fake.requests().last().unwrap().status, Some(200));
    assert!(fake.object("b", "k").is_none());
    complete.send().await.unwrap();
    assert!(fake.object("b", "k").is_some());
}

#[tokio::test]
async fn the_store_changes_between_two_requests() {
    let (fake, client) = fake();
    fake.fault(Fault::on(Operation::PutObject).run(|store| {
        store.put("b", "k", "someone was faster");
    }));
    assert_eq!(put(&client, "k").await, "PreconditionFailed");
    assert_eq!(put(&client, "other").await, "no error");
}

#[tokio::test]
async fn a_delay_comes_before_the_answer() {
    let (fake, client) = fake();
    let delay = Duration::from_millis(50);
    fake.fault(Fault::on(Operation::PutObject).delay(delay));
    fake.fault(Fault::on(Operation::HeadObject).delay_after_effect(delay));
    let start = Instant::now();
    assert_eq!(put(&client, "k").await, "no error");
    client
        .head_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    assert!(start.elapsed() >= 2 * delay);
}

#[tokio::test]
async fn requests_wait_at_a_gate_and_their_number_is_known() {
    let (fake, client) = fake();
    let gate = Gate::new();
    fake.fault(Fault::on(Operation::PutObject).times(2).hold(&gate));
    let puts = tokio::spawn({
        let client = client.clone();
        async move { tokio::join!(put(&client, "one"), put(&client, "two")) }
    });
    assert!(gate.wait_for(2, TIMEOUT).await);
    assert_eq!(gate.arrived(), 2);
    assert!(fake.keys("b").is_empty());
    gate.release();
    assert_eq!(
        puts.await.unwrap(),
        ("no error".to_owned(), "no error".to_owned())
    );
    assert_eq!(fake.peak(Operation::PutObject), 2);
}

#[tokio::test]
async fn what_has_arrived_takes_effect_without_its_client() {
    let (fake, client) = fake();
    let (before, after) = (Gate::new(), Gate::new());
    fake.fault(
        Fault::on(Operation::PutObject)
            .hold(&before)
            .hold_after_effect(&after),
    );
    let lost = tokio::spawn({
        let client = client.clone();
        async move { put(&client, "k").await }
    });
    assert!(before.wait_for(1, TIMEOUT).await);
    lost.abort();
    assert!(lost.await.unwrap_err().is_cancelled());
    before.release();
    assert!(after.wait_for(1, TIMEOUT).await);
    assert!(fake.object("b", "k").is_some());
}

#[tokio::test]
async fn a_body_pauses_at_the_byte_until_it_is_released() {
    let (fake, client) = fake();
    fake.put("b", "k", "0123456789");
    let gate = Gate::new();
    fake.fault(Fault::on(Operation::GetObject).hold_body(4, &gate));
    let mut got = client
        .get_object()
        .bucket("b")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(got.body.next().await.unwrap().unwrap(), "0123");
    assert!(gate.wait_for(1, TIMEOUT).await);
    gate.release();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "456789");
}

#[test]
fn a_blocking_test_waits_at_a_gate_too() {
    let (fake, client) = fake();
    let gate = Gate::new();
    fake.fault(Fault::on(Operation::HeadObject).hold(&gate));
    let asking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(client.head_object().bucket("b").key("k").send())
            .is_err()
    });
    assert!(gate.wait_for_blocking(1, TIMEOUT));
    gate.release();
    assert!(asking.join().unwrap());
}

#[tokio::test]
async fn a_stopped_fake_answers_nobody() {
    let (fake, client) = fake();
    let gate = Gate::new();
    fake.fault(Fault::on(Operation::HeadObject).hold(&gate));
    drop(fake);
    let head = client.head_object().bucket("b").key("k").send().await;
    assert!(matches!(head, Err(SdkError::DispatchFailure(_))));
}
