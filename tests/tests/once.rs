//! However often, in whatever order and at whatever time events arrive: one output, of the newest version.

use serde_json::json;
use std::time::Duration;
use tests::compressor::{BUCKET, Compressor};
use tests::content::noise;
use tests::fake_aws::{Fault, Gate, Operation, Stored};
use tests::unpack;

const KEY: &str = "incoming/data.txt";

fn content(stored: &Stored) -> Vec<u8> {
    unpack::zip(&stored.content.bytes()).1
}

fn writes(compressor: &Compressor) -> usize {
    compressor
        .fake
        .versions(BUCKET, &compressor.outputs()[0])
        .len()
}

#[tokio::test]
async fn an_object_costs_one_get_one_put_and_one_conditional_delete() {
    let compressor = Compressor::default();
    let written = compressor.compress(KEY, "text").await;
    let requests = compressor.fake.requests();
    let operations: Vec<_> = requests.iter().map(|request| request.operation).collect();
    assert_eq!(
        operations,
        [
            Operation::GetObject,
            Operation::PutObject,
            Operation::DeleteObject
        ]
    );
    let etag = format!("\"{}\"", written.etag);
    assert_eq!(requests[0].headers["if-match"], etag);
    assert_eq!(requests[1].headers["if-none-match"], "*");
    assert_eq!(requests[2].headers["if-match"], etag);
}

#[tokio::test]
async fn the_same_event_twice_writes_once() {
    let compressor = Compressor::with(&[("SOURCE_DISPOSITION", "keep")]);
    let written = compressor.compress(KEY, "text").await;
    assert_eq!(compressor.deliver(&[written.notification()]).await, [""; 0]);
    assert_eq!(writes(&compressor), 1);
    assert!(compressor.has_source(KEY));
}

#[tokio::test]
async fn a_redelivery_after_the_source_was_deleted_writes_nothing_even_if_the_output_was_taken_away()
 {
    let compressor = Compressor::default();
    let written = compressor.compress(KEY, "text").await;
    let output = compressor.outputs().remove(0);
    compressor.fake.delete(BUCKET, &output);
    assert_eq!(compressor.deliver(&[written.notification()]).await, [""; 0]);
    assert!(compressor.outputs().is_empty());
    assert_eq!(compressor.fake.count(Operation::PutObject), 1);
}

#[tokio::test]
async fn a_crash_between_put_and_delete_is_made_good_by_the_redelivery() {
    let compressor = Compressor::default();
    let written = compressor.source(KEY, "text");
    compressor
        .fake
        .fault(Fault::on(Operation::DeleteObject).times(9).reset());
    assert_eq!(compressor.deliver(&[written.notification()]).await, ["0"]);
    compressor.fake.clear_faults();
    assert!(compressor.has_source(KEY));
    assert_eq!(compressor.deliver(&[written.notification()]).await, [""; 0]);
    assert!(!compressor.has_source(KEY));
    assert_eq!(writes(&compressor), 1);
}

#[tokio::test]
async fn a_newer_version_replaces_the_output_of_an_older_one() {
    let compressor = Compressor::default();
    compressor.compress(KEY, "one").await;
    compressor.compress(KEY, "two").await;
    assert_eq!(content(&compressor.output()), b"two");
    assert_eq!(writes(&compressor), 2);
}

#[tokio::test]
async fn reordered_events_leave_the_newest() {
    for disposition in ["delete", "keep"] {
        let compressor = Compressor::with(&[("SOURCE_DISPOSITION", disposition)]);
        let one = compressor.source(KEY, "one");
        let two = compressor.source(KEY, "two");
        assert_eq!(compressor.deliver(&[two.notification()]).await, [""; 0]);
        assert_eq!(compressor.deliver(&[one.notification()]).await, [""; 0]);
        assert_eq!(content(&compressor.output()), b"two");
        assert_eq!(writes(&compressor), 1, "{disposition}");
    }
}

#[tokio::test]
async fn an_older_event_does_not_win_although_its_content_is_current_again() {
    // a, b, a: the event of the first a arrives last, while the third's is still under way.
    let compressor = Compressor::default();
    let first = compressor.source(KEY, "a");
    compressor.compress(KEY, "b").await;
    let third = compressor.source(KEY, "a");
    assert_eq!(compressor.deliver(&[first.notification()]).await, [""; 0]);
    assert!(
        compressor.has_source(KEY),
        "the third version's own event has not come yet"
    );
    assert_eq!(compressor.deliver(&[third.notification()]).await, [""; 0]);
    assert_eq!(content(&compressor.output()), b"a");
    assert!(!compressor.has_source(KEY));
}

#[tokio::test]
async fn without_sequencers_the_source_itself_says_which_is_newer() {
    let compressor = Compressor::default();
    compressor.compress(KEY, "one").await;
    compressor.source(KEY, "two");
    let item = json!({"items": [{"bucket": BUCKET, "key": KEY}]});
    let answer = compressor.invoke(item).await.unwrap();
    assert_eq!(
        answer,
        json!({"compressed": 1, "skipped": 0, "dead_lettered": 0})
    );
    assert_eq!(content(&compressor.output()), b"two");
}

#[tokio::test]
async fn without_sequencers_a_slow_older_version_does_not_undo_a_newer_one() {
    for disposition in ["delete", "keep"] {
        let compressor = Compressor::with(&[("SOURCE_DISPOSITION", disposition)]);
        let item = json!({"items": [{"bucket": BUCKET, "key": KEY}]});
        compressor.source(KEY, "one");
        let gate = Gate::new();
        compressor
            .fake
            .fault(Fault::on(Operation::PutObject).hold(&gate));
        let (older, ()) = tokio::join!(compressor.invoke(item.clone()), async {
            assert!(gate.wait_for(1, Duration::from_secs(20)).await);
            compressor.source(KEY, "two");
            let newer = compressor.invoke(item.clone()).await.unwrap();
            assert_eq!(newer["compressed"], 1);
            gate.release();
        });
        assert_eq!(older.unwrap()["skipped"], 1);
        assert_eq!(content(&compressor.output()), b"two", "{disposition}");
    }
}

#[tokio::test]
async fn a_replacement_that_comes_late_does_not_undo_a_newer_one() {
    for (write, two) in [
        (Operation::PutObject, b"two".to_vec()),
        (Operation::CompleteMultipartUpload, large()),
    ] {
        let compressor = Compressor::default();
        compressor.compress(KEY, "one").await;
        let two = compressor.source(KEY, two);
        // The first attempt finds "one"; the second, which is to replace it, is held.
        let gate = Gate::new();
        compressor.fake.fault(Fault::on(write).skip(1).hold(&gate));
        let bodies = [two.notification()];
        let (failed, ()) = tokio::join!(compressor.deliver(&bodies), async {
            assert!(gate.wait_for(1, Duration::from_secs(20)).await);
            compressor.compress(KEY, "three").await;
            gate.release();
        });
        assert_eq!(failed, [""; 0]);
        assert_eq!(content(&compressor.output()), b"three", "{write:?}");
    }
}

/// 9 MB that do not shrink: a multipart output.
fn large() -> Vec<u8> {
    noise(9_000_000)
}

#[tokio::test]
async fn a_version_that_is_no_longer_the_current_one_is_left_to_the_newer_ones_event() {
    let compressor = Compressor::default();
    let one = compressor.source(KEY, "one");
    compressor.source(KEY, "two");
    let item = json!({"items": [{"bucket": BUCKET, "key": KEY, "version_id": one.version_id}]});
    assert_eq!(compressor.invoke(item).await.unwrap()["skipped"], 1);
    assert_eq!(compressor.deliver(&[one.notification()]).await, [""; 0]);
    assert!(compressor.outputs().is_empty());
    assert!(compressor.has_source(KEY));
}

#[tokio::test]
async fn concurrent_deliveries_write_once() {
    let compressor = Compressor::with(&[("SOURCE_DISPOSITION", "keep")]);
    let written = compressor.source(KEY, "text");
    let gate = Gate::new();
    compressor
        .fake
        .fault(Fault::on(Operation::PutObject).times(4).hold(&gate));
    let bodies = [(); 4].map(|()| written.notification());
    let (failed, ()) = tokio::join!(compressor.deliver(&bodies), async {
        assert!(gate.wait_for(4, Duration::from_secs(20)).await);
        gate.release();
    });
    assert_eq!(failed, [""; 0]);
    assert_eq!(writes(&compressor), 1);
}

#[tokio::test]
async fn a_source_overwritten_while_it_is_read_survives_and_wins() {
    let compressor = Compressor::default();
    let old = compressor.source(KEY, "old ".repeat(100_000).as_bytes());
    let newer = std::sync::Arc::new(std::sync::Mutex::new(None));
    let keep = newer.clone();
    compressor.fake.fault(
        Fault::on(Operation::GetObject)
            .cut_body(70_000)
            .run_after_effect(move |store| {
                *keep.lock().unwrap() = Some(store.put(BUCKET, KEY, "new"));
            }),
    );
    assert_eq!(compressor.deliver(&[old.notification()]).await, [""; 0]);
    assert!(
        compressor.outputs().is_empty(),
        "half of the old version is no output"
    );
    assert!(compressor.has_source(KEY));
    let newer = newer.lock().unwrap().take().unwrap();
    assert_eq!(compressor.deliver(&[newer.notification()]).await, [""; 0]);
    assert_eq!(content(&compressor.output()), b"new");
}

#[tokio::test]
async fn a_source_overwritten_before_the_delete_is_not_deleted() {
    let compressor = Compressor::default();
    let old = compressor.source(KEY, "old");
    compressor
        .fake
        .fault(Fault::on(Operation::PutObject).run_after_effect(|store| {
            store.put(BUCKET, KEY, "new");
        }));
    assert_eq!(compressor.deliver(&[old.notification()]).await, [""; 0]);
    assert!(compressor.has_source(KEY));
    let newer = compressor.fake.s3_notification(BUCKET, KEY);
    assert_eq!(compressor.deliver(&[newer]).await, [""; 0]);
    assert_eq!(content(&compressor.output()), b"new");
    assert!(!compressor.has_source(KEY));
}

#[tokio::test]
async fn a_source_deleted_by_its_owner_before_its_event_came_is_no_failure() {
    let compressor = Compressor::default();
    let written = compressor.source(KEY, "text");
    compressor.fake.delete(BUCKET, KEY);
    assert_eq!(compressor.deliver(&[written.notification()]).await, [""; 0]);
    assert!(compressor.outputs().is_empty() && compressor.dead_letters().is_empty());
}

#[tokio::test]
async fn a_source_deleted_by_its_owner_while_it_was_compressed_is_no_failure() {
    let compressor = Compressor::default();
    let written = compressor.source(KEY, "text");
    compressor
        .fake
        .fault(Fault::on(Operation::PutObject).run_after_effect(|store| store.delete(BUCKET, KEY)));
    assert_eq!(compressor.deliver(&[written.notification()]).await, [""; 0]);
    assert_eq!(content(&compressor.output()), b"text");
}

#[tokio::test]
async fn an_unversioned_bucket_gives_the_same_promises() {
    let compressor = Compressor::default();
    compressor.fake.bucket("plain", false);
    let one = compressor.fake.put("plain", KEY, "one");
    let two = compressor.fake.put("plain", KEY, "two");
    assert_eq!(
        compressor
            .deliver(&[two.notification(), one.notification()])
            .await,
        [""; 0]
    );
    let keys = compressor.fake.keys("plain");
    assert_eq!(keys.len(), 1);
    assert_eq!(
        content(&compressor.fake.object("plain", &keys[0]).unwrap()),
        b"two"
    );
}
