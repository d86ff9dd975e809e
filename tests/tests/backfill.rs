//! A backfill from its start to its verdict: every object exactly once, however the keys are cut.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::backfilled::{self, JOB, QUEUE, TABLE, keys, share, start_payload};
use tests::compressor::{BUCKET, DLQ};
use tests::fake_aws::{Content, Operation};
use tests::unpack;

#[test]
fn every_object_is_compressed_once_and_the_job_completed() {
    let job = backfilled::start(&[]);
    let keys = keys(120);
    job.sources(&keys);
    let started = job.start_job(&json!({"partitions": "hash"}));
    assert_eq!(started["status"], "listing");
    assert_eq!(started["partitions"].as_array().unwrap().len(), 257);
    let invocations = job.enqueue_all(&started);
    assert_eq!(invocations, 257);
    assert_eq!(job.queued(), keys);
    assert_eq!(job.counts(), [120, 120, 0]);
    let record = job.record();
    assert_eq!(
        (&record["partitions_done"], &record["partitions_total"]),
        (&json!(257), &json!(257))
    );
    let bytes: usize = keys.iter().map(String::len).sum();
    assert_eq!(record["bytes_listed"], bytes);
    assert!(record["expires_at"].as_u64().is_some(), "{record}");

    assert_eq!(job.listed()["status"], "processing");
    assert_eq!(job.compress_all(), [""; 0]);
    assert_eq!(job.left_sources(), [""; 0]);
    assert_eq!(job.outputs().len(), 120);
    assert!(job.fake.messages(DLQ).is_empty());
    let progress = job.answer(&json!({"action": "progress", "job_id": JOB}));
    assert_eq!(progress["status"], "verify", "{progress}");
    let verdict = job.verdict("round-1");
    assert_eq!(verdict["status"], "completed", "{verdict}");
    let record = job.record();
    for (name, value) in [
        ("succeeded", 120),
        ("skipped", 0),
        ("failed", 0),
        ("remaining", 0),
        ("missing_outputs", 0),
    ] {
        assert_eq!(record[name], value, "{name}");
    }
    assert_eq!(
        (&record["state"], &record["bytes_in"]),
        (&json!("completed"), &json!(bytes))
    );
    assert!(record["finished_at"].is_string(), "{record}");
    assert_eq!(
        job.fake.count(Operation::HeadObject),
        0,
        "there is no source to look at an output for"
    );
}

/// The keys that a start with these fields enqueues, and into how many partitions they were cut.
fn cut(all: &[String], fields: &Value) -> (Vec<String>, usize) {
    let job = backfilled::start(&[]);
    job.sources(all);
    let started = job.start_job(fields);
    let _ = job.enqueue_all(&started);
    (
        job.queued(),
        started["partitions"].as_array().unwrap().len(),
    )
}

#[test]
fn however_the_keys_are_cut_each_is_enqueued_once() {
    let mut all = keys(60);
    for besides in [
        "incoming/!",
        "incoming/00",
        "incoming/00/",
        "incoming/ff/",
        "incoming/zz/last",
        "incoming/\u{10FFFF}",
    ] {
        all.push(besides.to_owned());
    }
    all.sort_unstable();
    let with_strangers = [
        all.clone(),
        vec!["incomin".to_owned(), "other/a".to_owned()],
    ]
    .concat();
    for (fields, number) in [
        (json!({}), 1),
        (json!({"partitions": "hash"}), 257),
        (json!({"partitions": "discover", "mode": "list"}), 1),
    ] {
        let (queued, partitions) = cut(&with_strangers, &fields);
        assert_eq!(queued, all, "{fields}");
        assert_eq!(partitions, number, "{fields}");
    }
    let fields = json!({"partitions": ["incoming/2024/", "incoming/0"]});
    let (queued, partitions) = cut(&with_strangers, &fields);
    let mut listed = all.clone();
    listed.retain(|key| key.starts_with("incoming/2024/") || key.starts_with("incoming/0"));
    assert_eq!((queued, partitions), (listed, 2));
    let (queued, _) = cut(&with_strangers, &json!({"prefix": "incoming/2024/"}));
    assert!(queued.len() > 5 && queued.iter().all(|key| key.starts_with("incoming/2024/")));
}

#[test]
fn what_cannot_be_asked_is_refused_and_leaves_nothing() {
    let job = backfilled::start(&[]);
    for fields in [
        json!({"job_id": "a b"}),
        json!({"job_id": "j".repeat(81)}),
        json!({"prefix": "other/"}),
        json!({"partitions": ["incoming/a", "incoming/ab"]}),
        json!({"partitions": ["incoming/a", "other/"]}),
        json!({"partitions": "every"}),
        json!({"workers": 0}),
        json!({"max_rate_per_second": 0}),
        json!({"max_rate": 5}),
    ] {
        let (error_type, message) = job.failure(&start_payload(&fields));
        assert_eq!(error_type, "BadPayload", "{fields}: {message}");
    }
    assert_eq!(job.fake.count(Operation::BatchWriteItem), 0);
    let (error_type, _) = job.failure(&json!({"action": "listed", "job_id": "no-such"}));
    assert_eq!(error_type, "NoSuchJob");
}

#[test]
fn a_batch_of_the_state_machine_is_several_partitions_in_one_invocation() {
    let job = backfilled::start(&[]);
    let keys = keys(50);
    job.sources(&keys);
    let started = job.start_job(&json!({"partitions": "hash"}));
    let total = started["partitions"].as_array().unwrap().len() as u64;
    let item = |partition: u64| {
        let mut item = share("enqueue", &started, partition);
        item.as_object_mut().unwrap().remove("action");
        item
    };
    let items: Vec<_> = (0..total).map(item).collect();
    let batch = json!({"action": "enqueue", "Items": items, "BatchInput": {"any": "thing"}});
    let answer = job.answer(&batch);
    assert_eq!(
        (&answer["status"], &answer["Items"]),
        (&json!("complete"), &json!([]))
    );
    assert_eq!(job.queued(), keys);
    // What is done is not done again.
    assert_eq!(job.answer(&batch)["status"], "complete");
    assert_eq!((job.queued(), job.counts()), (keys, [50, 50, 0]));
    let verify = json!({"action": "verify_start", "job_id": JOB, "round": "r", "count": 2});
    let round = job.answer(&verify);
    assert_eq!(round["round"], "r.2");
    let items: Vec<_> = (0..total)
        .map(|partition| json!({"job_id": JOB, "partition": partition, "round": "r.2"}))
        .collect();
    let answer = job.answer(&json!({"action": "verify", "Items": items, "BatchInput": {}}));
    assert_eq!(answer["status"], "complete");
}

#[test]
fn what_compress_has_no_use_for_is_left_out_and_counted() {
    let job = backfilled::start(&[]);
    job.sources(&["incoming/a/b", "incoming/warm"]);
    for (key, class) in [
        ("cold", "GLACIER"),
        ("colder", "DEEP_ARCHIVE"),
        ("instant", "GLACIER_IR"),
    ] {
        let key = format!("incoming/{key}");
        job.fake
            .seed(BUCKET, &key)
            .header("x-amz-storage-class", class)
            .put("text");
    }
    job.fake.put(BUCKET, "incoming/a/", Content::Zeros(0));
    job.fake.put(BUCKET, "incoming/empty", Content::Zeros(0));
    job.sources(&["incoming/deleted"]);
    job.fake.delete(BUCKET, "incoming/deleted");
    let started = job.start_job(&json!({}));
    let _ = job.enqueue_all(&started);
    let expected = [
        "incoming/a/b",
        "incoming/empty",
        "incoming/instant",
        "incoming/warm",
    ];
    assert_eq!(job.queued(), expected);
    assert_eq!(job.counts(), [7, 4, 1]);
    assert_eq!(job.record()["archived"], 2);
    let verdict = job.all_the_rest(&started);
    assert_eq!(verdict["status"], "completed");
    let reason = verdict["reason"].as_str().unwrap();
    assert!(reason.starts_with("2 archived objects"), "{reason}");
}

#[test]
fn a_dry_run_counts_and_sends_nothing() {
    let job = backfilled::start(&[]);
    let keys = keys(30);
    job.sources(&keys);
    job.fake.put(BUCKET, "incoming/folder/", Content::Zeros(0));
    let started = job.start_job(&json!({"dry_run": true}));
    assert_eq!(started["dry_run"], true);
    let _ = job.enqueue_all(&started);
    assert_eq!(job.listed()["status"], "completed");
    assert_eq!(job.fake.count(Operation::SendMessageBatch), 0);
    let record = job.record();
    assert_eq!(job.counts(), [31, 0, 1]);
    assert_eq!(
        record["bytes_listed"],
        keys.iter().map(String::len).sum::<usize>()
    );
    assert_eq!(record["state"], "completed");
    let verify = json!({"action": "verify_start", "job_id": JOB, "round": "r"});
    assert_eq!(job.failure(&verify).0, "WrongState");
}

#[test]
fn pages_follow_each_other_without_a_gap_or_an_overlap() {
    let job = backfilled::start(&[]);
    let keys: Vec<_> = (0..2_500)
        .map(|number| format!("incoming/{number:05}"))
        .collect();
    job.sources(&keys);
    let started = job.start_job(&json!({"partitions": ["incoming/"]}));
    assert_eq!(job.enqueue_all(&started), 1);
    assert_eq!(job.queued(), keys);
    assert_eq!(job.counts(), [2_500, 2_500, 0]);
    assert_eq!(job.fake.count(Operation::SendMessageBatch), 250);
    let peak = job.fake.peak(Operation::SendMessageBatch);
    assert!(peak > 1 && peak <= 20, "{peak} batches at once");
}

#[test]
fn no_more_batches_are_in_flight_than_allowed() {
    let job = backfilled::start(&[("ENQUEUE_CONCURRENCY", "3")]);
    job.sources(&keys(200));
    let started = job.start_job(&json!({"partitions": ["incoming/"]}));
    let _ = job.enqueue_all(&started);
    assert!(job.fake.peak(Operation::SendMessageBatch) <= 3);
    assert_eq!(job.queued().len(), 200);
}

#[test]
fn a_job_is_not_made_twice_but_its_own_execution_is_answered_again() {
    let job = backfilled::start(&[]);
    job.sources(&keys(20));
    let fields = json!({"execution": "arn:one", "partitions": "hash"});
    let first = job.start_job(&fields);
    assert_eq!(job.start_job(&fields), first);
    for fields in [json!({"execution": "arn:two"}), json!({})] {
        assert_eq!(job.failure(&start_payload(&fields)).0, "JobExists");
    }
    let left: BTreeSet<u64> = first["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    assert_eq!(
        job.answer(&share("enqueue", &first, 0))["status"],
        "complete"
    );
    let again = job.start_job(&fields);
    let again: BTreeSet<u64> = again["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    assert_eq!(left.difference(&again).collect::<Vec<_>>(), [&0]);
}

#[test]
fn a_plan_is_written_though_the_table_leaves_some_of_it_for_later() {
    let job = backfilled::start(&[]);
    job.sources(&keys(40));
    job.fake
        .tables(|tables| tables.unprocessed.extend([25, 7, 1, 24]));
    let started = job.start_job(&json!({"partitions": "hash"}));
    let items = job.fake.tables(|tables| tables.items(TABLE, JOB));
    assert_eq!(items.len(), 258);
    let _ = job.enqueue_all(&started);
    assert_eq!(job.queued(), keys(40));
}

#[test]
fn listed_names_what_is_missing() {
    let job = backfilled::start(&[]);
    job.sources(&keys(40));
    let started = job.start_job(&json!({"partitions": "hash"}));
    for partition in [0, 1, 2, 4] {
        assert_eq!(
            job.answer(&share("enqueue", &started, partition))["status"],
            "complete"
        );
    }
    let (error_type, message) = job.failure(&json!({"action": "listed", "job_id": JOB}));
    assert_eq!(error_type, "PartitionsMissing");
    assert!(
        message.contains("253 of 257") && message.contains("first: 3"),
        "{message}"
    );
    assert_eq!(job.record()["state"], "listing");
}

#[test]
fn outputs_are_what_their_sources_were() {
    let job = backfilled::start(&[]);
    let keys = keys(15);
    job.sources(&keys);
    let started = job.start_job(&json!({}));
    let verdict = job.all_the_rest(&started);
    assert_eq!(verdict["status"], "completed");
    let contents: BTreeSet<_> = job
        .outputs()
        .iter()
        .map(|key| {
            let output = job.fake.object(BUCKET, key).unwrap();
            String::from_utf8(unpack::zip(&output.content.bytes()).1).unwrap()
        })
        .collect();
    assert_eq!(contents, keys.into_iter().collect());
    assert!(job.fake.messages(QUEUE).is_empty());
}
