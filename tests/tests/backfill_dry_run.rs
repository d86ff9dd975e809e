//! A dry run puts down where it is when its time is up, and not after every page.

use std::time::Duration;

use serde_json::json;
use tests::backfilled::{JOB, TABLE, answered, share, start};
use tests::compressor::BUCKET;
use tests::fake_aws::{Fault, Operation, Synthetic};

const KEYS: u64 = 30_000;

#[test]
fn a_dry_run_out_of_time_goes_on_where_it_was_even_if_the_record_was_busy() {
    let job = start(&[]);
    let synthetic = Synthetic {
        prefix: "incoming/".to_owned(),
        folders: 1,
        keys_per_folder: KEYS,
        size_bytes: 1,
    };
    job.fake.synthetic_bucket(BUCKET, synthetic);
    let started = job.start_job(&json!({"dry_run": true, "partitions": ["incoming/00/"]}));
    // All pages take 4.5 s, and the time is up after 2 s.
    let late = Fault::on(Operation::ListObjectsV2).forever();
    job.fake.fault(late.delay(Duration::from_millis(150)));
    // Then nothing can be told: the partition itself must know.
    job.fake.tables(|tables| tables.conflicts = 1);
    let share = share("enqueue", &started, 0);
    let answer = answered(job.api.invoke(&share, Duration::from_secs(3)));
    assert_eq!(answer["status"], "incomplete");
    assert_eq!(job.counts(), [0, 0, 0]);
    let item = |tables: &mut tests::fake_aws::Tables| tables.item(TABLE, JOB, "partition#00000");
    let listed = job.fake.tables(item).unwrap()["listed"].as_u64().unwrap();
    assert!((1_000..KEYS).contains(&listed), "{listed}");
    assert_eq!(job.fake.count(Operation::UpdateItem), 1);
    job.fake.clear_faults();
    let pages = job.fake.count(Operation::ListObjectsV2);
    let _ = job.enqueue_all(&started);
    assert_eq!(job.counts(), [KEYS, 0, 0]);
    // What was put down was not listed again.
    let pages = job.fake.count(Operation::ListObjectsV2) - pages;
    assert_eq!(pages as u64, (KEYS - listed).div_ceil(1_000));
}
