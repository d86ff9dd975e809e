//! How a backfill cuts what it finds: equal shares of a folder that shows none, in as few requests as that takes.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::time::Duration;

use serde_json::{Value, json};
use shared::partition::partition;
use tests::backfilled::{self, Backfilled, JOB, TABLE, answered, failed, share, start_payload};
use tests::compressor::BUCKET;
use tests::fake_aws::{Fault, Gate, Operation, Synthetic, Thin};

/// A job whose sources are all in one folder, and their keys.
fn flat(objects: usize) -> (Backfilled, Vec<String>) {
    let job = backfilled::start(&[]);
    let hex = |number: usize| [0, 1, 2].map(|part| partition(&format!("{number}.{part}")));
    let key = |number: usize| format!("incoming/{}-{number:05}.json", hex(number).concat());
    let mut keys: Vec<_> = (0..objects).map(key).collect();
    keys.sort_unstable();
    job.sources(&keys);
    (job, keys)
}

fn partitions(started: &Value) -> usize {
    started["partitions"].as_array().unwrap().len()
}

#[test]
fn a_flat_folder_is_several_partitions_and_each_object_is_enqueued_once() {
    let (job, keys) = flat(6_000);
    let started = job.start_job(&json!({}));
    let pages = job.fake.count(Operation::ListObjectsV2);
    let number = partitions(&started);
    assert!((4..=8).contains(&number), "{number} partitions");
    assert!(pages <= 16, "{pages} pages to see 6,000 keys");
    assert_eq!(job.enqueue_all(&started), number);
    assert_eq!(job.queued(), keys);
    assert_eq!(job.counts(), [6_000, 6_000, 0]);
    let listed = |number: usize| {
        let item = job
            .fake
            .tables(|tables| tables.item(TABLE, JOB, &format!("partition#{number:05}")));
        item.unwrap()["listed"].as_u64().unwrap()
    };
    let largest = (0..number).map(listed).max();
    assert!(largest.unwrap() <= 2_500, "{largest:?} of 6,000 in one");
}

#[test]
fn a_page_of_objects_is_one_partition_and_one_request() {
    for objects in [0, 1_000] {
        let (job, keys) = flat(objects);
        let started = job.start_job(&json!({"partitions": "discover"}));
        assert_eq!(partitions(&started), 1);
        assert_eq!(job.fake.count(Operation::ListObjectsV2), 1);
        let _ = job.enqueue_all(&started);
        assert_eq!(job.queued(), keys);
    }
}

#[test]
fn what_was_discovered_is_gone_on_with_though_it_would_be_cut_otherwise_now() {
    let (job, mut keys) = flat(2_500);
    let started = job.start_job(&json!({"partitions": "discover"}));
    let number = partitions(&started);
    assert!(number > 1);
    let _ = job.answer(&share("enqueue", &started, 0));
    job.set_state("aborted");
    let later: Vec<_> = (0..1_500)
        .map(|key| format!("incoming/z/{key:05}"))
        .collect();
    job.sources(&later);
    let resumed = job.start_job(&json!({"partitions": "discover", "resume": true}));
    assert_eq!(partitions(&resumed), number - 1);
    let _ = job.enqueue_all(&resumed);
    keys.extend(later);
    assert_eq!(job.queued(), keys);
}

#[test]
fn pages_without_a_key_are_passed_or_leave_a_place_as_it_is() {
    for (empty_pages, is_cut) in [(3, true), (10, false)] {
        let (job, keys) = flat(2_500);
        let thin = Thin {
            empty_pages,
            ..Thin::default()
        };
        job.fake.thin_pages(BUCKET, thin);
        let started = job.start_job(&json!({}));
        assert_eq!(partitions(&started) > 1, is_cut, "{empty_pages}");
        let _ = job.enqueue_all(&started);
        assert_eq!(job.queued(), keys);
    }
}

#[test]
fn a_start_that_has_no_time_to_see_more_cuts_by_what_it_has_seen() {
    let job = backfilled::start(&[]);
    let synthetic = Synthetic {
        prefix: "incoming/".to_owned(),
        folders: 256,
        keys_per_folder: 4_000,
        size_bytes: 1,
    };
    job.fake.synthetic_bucket(BUCKET, synthetic);
    let late = Fault::on(Operation::ListObjectsV2).forever();
    job.fake.fault(late.delay(Duration::from_millis(200)));
    // A quarter of nine tenths: the sixteen digits alone would take almost twice as long.
    let payload = start_payload(&json!({}));
    let started = answered(job.api.invoke(&payload, Duration::from_secs(9)));
    let pages = job.fake.count(Operation::ListObjectsV2);
    let number = partitions(&started);
    assert!((2..16).contains(&number), "{number} partitions");
    assert!(pages < 16, "{pages} pages");
}

#[test]
fn a_start_that_sees_nothing_in_time_plans_nothing() {
    let (job, keys) = flat(20);
    let gate = Gate::new();
    job.fake
        .fault(Fault::on(Operation::ListObjectsV2).hold(&gate));
    let payload = start_payload(&json!({}));
    let answer = job.api.invoke(&payload, Duration::from_secs(3));
    gate.release();
    assert_eq!(failed(answer).0, "TimeUp");
    assert_eq!(job.fake.count(Operation::BatchWriteItem), 0);
    let started = job.start_job(&json!({}));
    let _ = job.enqueue_all(&started);
    assert_eq!(job.queued(), keys);
}
