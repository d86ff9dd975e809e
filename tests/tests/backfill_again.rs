//! A backfill that more than one execution is at, or that is begun anew where something is left; and a listing that falls
//! short.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::backfilled::{self, Backfilled, JOB, QUEUE, TABLE, keys, share, start_payload};
use tests::compressor::BUCKET;
use tests::fake_aws::{Operation, Thin};

/// Says that the record, or its verification, was last written long ago.
fn grown_old(job: &Backfilled, name: &str) {
    let old = json!({ name: {"S": "2026-01-01T00:00:00Z"} });
    job.fake
        .tables(|tables| tables.set(TABLE, (JOB, "job"), &old));
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs()
}

#[test]
fn pages_without_a_key_do_not_end_a_partition() {
    let job = backfilled::start(&[("SOURCE_DISPOSITION", "keep")]);
    let keys: Vec<_> = (0..1_500)
        .map(|number| format!("incoming/{number:05}"))
        .collect();
    job.sources(&keys);
    let started = job.start_job(&json!({"partitions": ["incoming/"]}));
    let thin = Thin {
        empty_pages: 3,
        ..Thin::default()
    };
    job.fake.thin_pages(BUCKET, thin);
    assert_eq!(job.enqueue_all(&started), 1);
    assert_eq!(job.queued(), keys);
    assert_eq!(job.counts(), [1_500, 1_500, 0]);
    let _ = job.listed();
    assert_eq!(job.fake.take_messages(QUEUE).len(), 1_500);
    let verdict = job.verdict("round-1");
    assert_eq!(verdict["missing_outputs"], 1_500, "{verdict}");
}

#[test]
fn a_page_that_does_not_say_how_to_go_on_is_no_end() {
    for thin in [
        Thin {
            empty_pages: 1,
            without_token: true,
            ..Thin::default()
        },
        Thin {
            without_truncated: true,
            ..Thin::default()
        },
    ] {
        let job = backfilled::start(&[]);
        job.sources(&keys(20));
        let started = job.start_job(&json!({"partitions": ["incoming/"]}));
        job.fake.thin_pages(BUCKET, thin);
        let payload = share("enqueue", &started, 0);
        assert_eq!(job.failure(&payload).0, "Unavailable", "{thin:?}");
        assert_eq!(job.record()["partitions_done"].as_u64().unwrap_or(0), 0);
        job.fake.thin_pages(BUCKET, Thin::default());
        let _ = job.enqueue_all(&started);
        assert_eq!(job.queued(), keys(20));
        let _ = job.listed();
        job.fake.thin_pages(BUCKET, thin);
        let begin = json!({"action": "verify_start", "job_id": JOB, "round": "r"});
        let round = job.answer(&begin);
        let (error_type, _) = job.failure(&share("verify", &round, 0));
        assert_eq!(error_type, "Unavailable", "{thin:?}");
    }
}

#[test]
fn a_job_that_failed_is_taken_up_again_where_something_is_left() {
    let job = backfilled::start(&[]);
    let keys = keys(40);
    job.sources(&keys);
    let started = job.start_job(&json!({"partitions": "hash"}));
    let _ = job.enqueue_all(&started);
    let _ = job.listed();
    // The queue loses two.
    for message in job.fake.take_messages(QUEUE).into_iter().skip(2) {
        job.fake.put_message(QUEUE, message);
    }
    assert_eq!(job.compress_all(), [""; 0]);
    let left = job.left_sources();
    assert_eq!(left.len(), 2);
    let verdict = job.verdict("round-1");
    assert_eq!(
        (&verdict["status"], &verdict["remaining"]),
        (&json!("failed"), &json!(2))
    );
    let resume = json!({"resume": true, "execution": "arn:two"});
    let resumed = job.start_job(&resume);
    let partitions = resumed["partitions"].as_array().unwrap().len() as u64;
    assert!((1..=2).contains(&partitions), "{resumed}");
    let record = job.record();
    assert_eq!(record["partitions_done"], 257 - partitions);
    assert_eq!(
        (&record["remaining"], &record["reason"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        job.start_job(&resume)["partitions"],
        resumed["partitions"],
        "asked again"
    );
    let _ = job.enqueue_all(&resumed);
    assert_eq!(job.queued(), left, "nothing else was there any more");
    assert_eq!(
        job.counts(),
        [42, 42, 0],
        "what is enqueued again counts again"
    );
    let _ = job.listed();
    assert_eq!(job.compress_all(), [""; 0]);
    let verdict = job.verdict("round-2");
    assert_eq!(verdict["status"], "completed", "{verdict}");
    assert_eq!(
        (job.outputs().len(), &verdict["partitions_done"]),
        (40, &json!(257))
    );
}

#[test]
fn a_job_that_is_under_way_is_nobody_elses_until_it_is_ended_or_dead() {
    let job = backfilled::start(&[]);
    job.sources(&keys(10));
    let started = job.start_job(&json!({"execution": "arn:one"}));
    let two = start_payload(&json!({"resume": true, "execution": "arn:two"}));
    let (error_type, message) = job.failure(&two);
    assert_eq!(error_type, "WrongState");
    assert!(message.contains("abort it first"), "{message}");
    let by_hand = start_payload(&json!({"resume": true}));
    assert_eq!(job.failure(&by_hand).0, "WrongState");
    let _ = job.start_job(&json!({"resume": true, "execution": "arn:one"}));
    grown_old(&job, "updated_at");
    assert_eq!(job.answer(&two)["status"], "listing");
    assert_eq!(job.record()["execution"], "arn:two");
    let _ = job.enqueue_all(&started);
    let listed = |who: &str| json!({"action": "listed", "job_id": JOB, "execution": who});
    let (error_type, message) = job.failure(&listed("arn:one"));
    assert_eq!(error_type, "WrongState");
    assert!(message.contains("another execution"), "{message}");
    assert_eq!(job.record()["state"], "listing");
    assert_eq!(job.answer(&listed("arn:two"))["status"], "processing");
}

#[test]
fn only_who_drives_a_job_decides_it_before_its_end() {
    let job = backfilled::start(&[]);
    job.sources(&keys(10));
    let started = job.start_job(&json!({"execution": "one"}));
    let _ = job.enqueue_all(&started);
    let _ = job.listed();
    let verdict = job.answer(&job.looked("operator", "operator"));
    assert_eq!(
        (&verdict["status"], &verdict["remaining"]),
        (&json!("failed"), &json!(10))
    );
    assert!(
        verdict["reason"]
            .as_str()
            .unwrap()
            .contains("10 sources remain")
    );
    let record = job.record();
    assert_eq!(
        (&record["state"], &record["remaining"]),
        (&json!("processing"), &json!(10))
    );
    assert_eq!(record["finished_at"], Value::Null);
    assert_eq!(job.compress_all(), [""; 0]);
    assert_eq!(job.answer(&job.looked("one", "one"))["status"], "completed");
    assert_eq!(job.record()["state"], "completed");
    job.sources(&["incoming/a-source-again"]);
    // Of a job that has ended everybody may find out how things are.
    assert_eq!(
        job.answer(&job.looked("operator", "operator"))["status"],
        job.record()["state"]
    );
}

#[test]
fn two_verifications_do_not_undo_each_other() {
    let job = backfilled::start(&[]);
    job.sources(&keys(10));
    let started = job.start_job(&json!({"execution": "one"}));
    let _ = job.enqueue_all(&started);
    let _ = job.listed();
    let begin = |who: &str| json!({"action": "verify_start", "job_id": JOB, "round": who, "execution": who});
    let first = job.answer(&begin("one"));
    assert_eq!(job.failure(&begin("two")).0, "InProgress");
    assert_eq!(job.answer(&begin("one")), first, "its own answer got lost");
    // What its own execution asks for anew, as redriven, is its own round.
    let mut anew = begin("one");
    anew["redrives"] = json!(1);
    assert_eq!(job.answer(&anew)["round"], "one.redrive-1");
    assert_eq!(job.failure(&share("verify", &first, 0)).0, "WrongState");
    let _ = job.answer(&begin("one"));
    // A look keeps it alive; a dead one is taken over, and what comes of it late is refused.
    grown_old(&job, "verifying_at");
    let _ = job.answer(&share("verify", &first, 0));
    assert_eq!(job.failure(&begin("two")).0, "InProgress");
    grown_old(&job, "verifying_at");
    assert_eq!(job.answer(&begin("two"))["round"], "two");
    assert_eq!(job.failure(&share("verify", &first, 1)).0, "WrongState");
    // Who gives up leaves the way free.
    let fail = json!({"action": "fail", "job_id": JOB, "execution": "two", "error": "E"});
    assert_eq!(job.answer(&fail)["noted"], false);
    assert_eq!(job.answer(&begin("three"))["round"], "three");
}

#[test]
fn a_job_that_goes_on_does_not_expire() {
    const DAY: u64 = 24 * 60 * 60;
    let job = backfilled::start(&[("JOB_RETENTION_DAYS", "2")]);
    job.sources(&keys(10));
    let started = job.start_job(&json!({"partitions": ["incoming/"]}));
    let item = |name: &str| {
        job.fake
            .tables(|tables| tables.item(TABLE, JOB, name))
            .unwrap()
    };
    let expires = |name: &str| item(name)["expires_at"].as_u64().unwrap();
    let soon = json!({"expires_at": {"N": "1"}});
    let age = || {
        for name in ["job", "partition#00000"] {
            job.fake
                .tables(|tables| tables.set(TABLE, (JOB, name), &soon));
        }
    };
    let is_renewed = |what: &str| {
        assert!(expires("job") > now_s() + DAY, "{what}");
        // The longest execution is 30 days.
        assert!(expires("partition#00000") > now_s() + 31 * DAY, "{what}");
    };
    is_renewed("start");
    age();
    let _ = job.enqueue_all(&started);
    is_renewed("enqueue");
    let _ = job.listed();
    age();
    let _ = job.answer(&json!({"action": "progress", "job_id": JOB}));
    assert!(expires("job") > now_s() + DAY, "progress");
    let writes = job.fake.count(Operation::UpdateItem);
    let _ = job.answer(&json!({"action": "progress", "job_id": JOB}));
    assert_eq!(
        job.fake.count(Operation::UpdateItem),
        writes,
        "once is enough"
    );
    age();
    assert_eq!(job.verdict("round-1")["status"], "failed");
    is_renewed("verify");
    age();
    let _ = job.start_job(&json!({"resume": true}));
    is_renewed("resume");
}

#[test]
fn a_job_that_is_taken_up_again_stays_cut_as_it_was() {
    let job = backfilled::start(&[]);
    job.sources(&keys(10));
    let folders = json!(["incoming/2024/", "incoming/0"]);
    let _ = job.start_job(&json!({"partitions": folders}));
    job.set_state("aborted");
    let resume = |fields: Value| {
        let mut payload = start_payload(&fields);
        payload["resume"] = true.into();
        payload
    };
    for other in [json!("hash"), json!("discover"), json!(["incoming/2024/"])] {
        let (error_type, message) = job.failure(&resume(json!({"partitions": other})));
        assert_eq!(error_type, "BadPayload", "{message}");
    }
    let manifest = json!({"bucket": "b", "key": "manifest.json"});
    assert_eq!(
        job.failure(&resume(json!({"inventory": manifest}))).0,
        "BadPayload"
    );
    assert_eq!(
        job.answer(&resume(json!({"partitions": folders})))["status"],
        "listing"
    );
}
