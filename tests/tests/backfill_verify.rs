//! What a verification counts, exactly: what remains, what has no output, and nothing else.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::time::Duration;

use serde_json::{Value, json};
use tests::backfilled::{self, Backfilled, JOB, QUEUE, keys, share};
use tests::compressor::{BUCKET, DLQ};
use tests::fake_aws::{Content, Fault, Operation};

/// A job all of whose objects were enqueued and compressed.
fn done(settings: &[(&str, &str)], count: usize) -> (Backfilled, Vec<String>) {
    let job = backfilled::start(settings);
    let keys = keys(count);
    job.sources(&keys);
    let started = job.start_job(&json!({}));
    let _ = job.enqueue_all(&started);
    assert_eq!(job.listed()["status"], "processing");
    assert_eq!(job.compress_all(), [""; 0]);
    (job, keys)
}

/// Status, `remaining` and `missing_outputs`.
fn found(verdict: &Value) -> (&str, u64, u64) {
    let count = |name: &str| verdict[name].as_u64().unwrap();
    (
        verdict["status"].as_str().unwrap(),
        count("remaining"),
        count("missing_outputs"),
    )
}

/// The output of a source.
fn output_of(job: &Backfilled, key: &str) -> String {
    let name = key.rsplit('/').next().unwrap();
    let outputs = job.outputs();
    outputs
        .into_iter()
        .find(|output| output.contains(name))
        .unwrap()
}

#[test]
fn a_source_that_never_succeeds_remains_and_fails_the_job() {
    let job = backfilled::start(&[("MAX_OBJECT_BYTES", "40")]);
    job.sources(&keys(20));
    for number in 0..3 {
        job.fake.put(
            BUCKET,
            &format!("incoming/large/{number}"),
            Content::Zeros(41),
        );
    }
    let started = job.start_job(&json!({}));
    let verdict = job.all_the_rest(&started);
    assert_eq!(found(&verdict), ("failed", 3, 3));
    assert_eq!(
        (&verdict["succeeded"], &verdict["failed"]),
        (&json!(20), &json!(3))
    );
    assert!(
        verdict["reason"].as_str().unwrap().contains('3'),
        "{verdict}"
    );
    assert_eq!(job.fake.messages(DLQ).len(), 3);
    assert!(
        job.fake
            .messages(DLQ)
            .iter()
            .all(|letter| letter.group_id.as_deref() == Some(JOB))
    );
    // Somebody takes them away: another verification decides anew.
    for number in 0..3 {
        job.fake.delete(BUCKET, &format!("incoming/large/{number}"));
    }
    assert_eq!(found(&job.verdict("round-2")), ("completed", 0, 0));
    assert_eq!(job.record()["reason"], Value::Null);
}

#[test]
fn a_source_that_was_kept_is_looked_for_in_its_output() {
    let settings = [("SOURCE_DISPOSITION", "keep")];
    let (job, keys) = done(&settings, 30);
    assert_eq!(job.left_sources().len(), 30);
    assert_eq!(found(&job.verdict("round-1")), ("completed", 0, 0));
    assert_eq!(job.fake.count(Operation::HeadObject), 30);
    // One is gone, one is of another version of its source.
    job.fake.delete(BUCKET, &output_of(&job, &keys[3]));
    let other = output_of(&job, &keys[7]);
    job.fake
        .seed(BUCKET, &other)
        .metadata("source-etag", "another")
        .put("zip");
    assert_eq!(found(&job.verdict("round-2")), ("failed", 0, 2));
    let record = job.record();
    assert_eq!(
        (&record["state"], &record["missing_outputs"]),
        (&json!("failed"), &json!(2))
    );
}

#[test]
fn what_was_uploaded_since_and_what_was_left_out_is_not_looked_at() {
    let (job, keys) = done(&[], 10);
    job.newer("incoming/new", "text", Duration::from_mins(1));
    job.newer(&keys[0], "written again", Duration::from_mins(1));
    job.fake.put(BUCKET, "incoming/folder/", Content::Zeros(0));
    job.fake
        .seed(BUCKET, "incoming/cold")
        .header("x-amz-storage-class", "GLACIER")
        .put("text");
    assert_eq!(found(&job.verdict("round-1")), ("completed", 0, 0));
    assert_eq!(job.fake.count(Operation::HeadObject), 0);
}

#[test]
fn a_source_of_the_job_that_nobody_has_worked_on_remains() {
    let job = backfilled::start(&[]);
    job.sources(&keys(25));
    let started = job.start_job(&json!({}));
    let _ = job.enqueue_all(&started);
    let _ = job.listed();
    // The queue lost them.
    assert_eq!(job.fake.take_messages(QUEUE).len(), 25);
    assert_eq!(found(&job.verdict("round-1")), ("failed", 25, 25));
}

#[test]
fn an_output_whose_source_could_not_be_removed_remains_and_is_not_missing() {
    let job = backfilled::start(&[]);
    job.sources(&keys(10));
    let started = job.start_job(&json!({}));
    let _ = job.enqueue_all(&started);
    let _ = job.listed();
    let denied = Fault::on(Operation::DeleteObject)
        .key("00000.json")
        .forever();
    job.fake.fault(denied.answer(403, "AccessDenied"));
    let _ = job.compress_all();
    assert_eq!(found(&job.verdict("round-1")), ("failed", 1, 0));
}

#[test]
fn a_round_that_is_not_finished_has_no_verdict() {
    let (job, _) = done(&[], 30);
    let round = job.answer(&json!({"action": "verify_start", "job_id": JOB, "round": "r"}));
    let conclude = json!({"action": "conclude", "job_id": JOB, "round": "r"});
    assert_eq!(job.failure(&conclude).0, "PartitionsMissing");
    for partition in round["partitions"].as_array().unwrap() {
        let answer = job.answer(&share("verify", &round, partition.as_u64().unwrap()));
        assert_eq!(answer["status"], "complete");
    }
    let another = json!({"action": "conclude", "job_id": JOB, "round": "another"});
    assert_eq!(job.failure(&another).0, "PartitionsMissing");
    assert_eq!(job.answer(&conclude)["status"], "completed");
    assert_eq!(
        job.answer(&conclude)["status"],
        "completed",
        "the answer got lost"
    );
}

#[test]
fn a_verification_counts_nothing_twice_when_it_is_cut_short_or_asked_again() {
    let settings = [("SOURCE_DISPOSITION", "keep"), ("VERIFY_CONCURRENCY", "8")];
    let job = backfilled::start(&settings);
    let keys: Vec<_> = (0..1_200)
        .map(|number| format!("incoming/{number:05}"))
        .collect();
    job.sources(&keys);
    let started = job.start_job(&json!({"partitions": ["incoming/"]}));
    let _ = job.enqueue_all(&started);
    let _ = job.listed();
    let _ = job.fake.take_messages(QUEUE);
    let round = job.answer(&json!({"action": "verify_start", "job_id": JOB, "round": "r"}));
    let payload = share("verify", &round, 0);
    // The second page cannot be looked at: what is known of the first one is kept.
    job.fake.fault(
        Fault::on(Operation::HeadObject)
            .skip(1_050)
            .forever()
            .answer(400, "ExpiredToken"),
    );
    assert!(matches!(
        job.failure(&payload).0.as_str(),
        "AccessDenied" | "Unavailable" | "BadConfiguration"
    ));
    job.fake.clear_faults();
    assert_eq!(job.answer(&payload)["status"], "complete");
    assert_eq!(job.answer(&payload)["status"], "complete", "asked again");
    let verdict = job.answer(&json!({"action": "conclude", "job_id": JOB, "round": "r"}));
    assert_eq!(found(&verdict), ("failed", 0, 1_200));
    assert!(job.fake.peak(Operation::HeadObject) <= 8);
}

#[test]
fn a_look_that_is_refused_is_no_missing_output() {
    let settings = [("SOURCE_DISPOSITION", "keep")];
    let (job, _) = done(&settings, 5);
    job.fake.fault(
        Fault::on(Operation::HeadObject)
            .forever()
            .answer(403, "AccessDenied"),
    );
    let round = job.answer(&json!({"action": "verify_start", "job_id": JOB, "round": "r"}));
    let failures = round["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|partition| {
            let answer = job.ask(&share("verify", &round, partition.as_u64().unwrap()));
            matches!(answer, tests::runtime_api::Answer::Error { .. })
                .then(|| backfilled::failed(answer).0)
        });
    let failures: Vec<_> = failures.collect();
    // The answer to a HEAD has no body, hence no code.
    let known = ["AccessDenied", "Unavailable"];
    assert!(
        !failures.is_empty() && failures.iter().all(|label| known.contains(&&**label)),
        "{failures:?}"
    );
    job.fake.clear_faults();
    assert_eq!(found(&job.verdict("r")), ("completed", 0, 0));
}

#[test]
fn progress_waits_until_all_is_told_or_nothing_changes() {
    let job = backfilled::start(&[]);
    job.sources(&keys(10));
    let started = job.start_job(&json!({}));
    let _ = job.enqueue_all(&started);
    let _ = job.listed();
    let look = |seen: &Value| {
        let mut payload =
            json!({"action": "progress", "job_id": JOB, "poll_seconds": 60, "settle_seconds": 120});
        if !seen.is_null() {
            payload["seen"] = seen.clone();
        }
        job.answer(&payload)
    };
    let mut answer = look(&Value::Null);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(answer["status"].clone());
        answer = look(&answer["seen"]);
    }
    assert_eq!(statuses[0], "wait");
    assert!(
        statuses.iter().any(|status| status == "verify"),
        "{statuses:?}"
    );
    let fresh = look(&Value::Null);
    assert_eq!(fresh["status"], "wait");
    assert_eq!(job.compress_all(), [""; 0]);
    assert_eq!(look(&fresh["seen"])["status"], "verify");
}
