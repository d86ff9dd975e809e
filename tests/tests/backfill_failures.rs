//! A backfill of which something failed: the rest goes on, and a redriven execution goes on with it.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::backfilled::{
    self, Backfilled, JOB, answered, keys, share, start_payload, without_duplicates,
};
use tests::fake_aws::{Fault, Operation};

/// A start of 257 partitions by an execution of that name.
fn spread(execution: &str) -> Value {
    json!({"partitions": "hash", "execution": execution})
}

/// The partition of each source, as a round of verification that finds nothing done counts them.
fn partition_of(job: &Backfilled, key: &str) -> u64 {
    let items = job
        .fake
        .tables(|tables| tables.items(backfilled::TABLE, JOB));
    let holds = |item: &Value| {
        let work: Value = serde_json::from_str(item["work"].as_str()?).unwrap();
        let is_after = work["after"].as_str().is_none_or(|after| key > after);
        let is_until = work["until"].as_str().is_none_or(|until| key <= until);
        let number = item["item"].as_str()?.strip_prefix("partition#")?;
        (is_after && is_until).then(|| number.parse().unwrap())
    };
    items.iter().find_map(holds).unwrap()
}

/// Enqueues all partitions but one, whose child fails.
fn enqueue_but(job: &Backfilled, started: &Value, failing: u64) {
    let mut others = started.clone();
    let partitions = others["partitions"].as_array_mut().unwrap();
    partitions.retain(|partition| *partition != json!(failing));
    let _ = job.enqueue_all(&others);
    let denied = Fault::on(Operation::ListObjectsV2).times(9);
    job.fake.fault(denied.answer(403, "AccessDenied"));
    let (error_type, _) = job.failure(&share("enqueue", started, failing));
    assert_eq!(error_type, "AccessDenied");
    job.fake.clear_faults();
}

/// A job of which one partition that has sources could not be listed: its start, the keys, and the partition.
fn one_failing() -> (Backfilled, Value, Vec<String>, u64) {
    let job = backfilled::start(&[]);
    let keys = keys(40);
    job.sources(&keys);
    let started = job.start_job(&spread("arn:one"));
    let failing = partition_of(&job, &keys[0]);
    enqueue_but(&job, &started, failing);
    (job, started, keys, failing)
}

#[test]
fn a_child_that_failed_stops_neither_the_others_nor_the_job_which_names_it_at_its_end() {
    let (job, _, keys, failing) = one_failing();
    let of_it: Vec<_> = keys
        .iter()
        .filter(|key| partition_of(&job, key) == failing)
        .collect();
    assert_eq!(job.listed()["status"], "processing");
    assert_eq!(job.compress_all(), [""; 0]);
    assert_eq!(job.outputs().len(), keys.len() - of_it.len());
    let verdict = job.verdict("round-0");
    assert_eq!(verdict["status"], "failed");
    assert_eq!(verdict["remaining"], of_it.len());
    assert_eq!(verdict["partitions_done"], 256);
    let reason = verdict["reason"].as_str().unwrap();
    let named = format!("1 of 257 partitions could not be listed, the first: {failing}");
    assert!(reason.ends_with(&named), "{reason}");
    // Nothing else is done again.
    let resumed = job.start_job(&json!({"resume": true}));
    assert_eq!(resumed["partitions"], json!([failing]));
    let verdict = job.all_the_rest(&resumed);
    assert_eq!(verdict["status"], "completed", "{verdict}");
    assert_eq!(job.outputs().len(), keys.len());
}

#[test]
fn what_could_not_be_listed_is_not_waited_for_and_what_is_in_the_queue_is() {
    let (job, ..) = one_failing();
    assert_eq!(job.listed()["status"], "processing");
    let early = |round: &str| {
        let mut conclude = job.looked("arn:one", round);
        conclude["is_last"] = json!(false);
        job.answer(&conclude)["status"].clone()
    };
    assert_eq!(early("before-compress"), "processing");
    assert_eq!(job.compress_all(), [""; 0]);
    assert_eq!(early("after-compress"), "failed");
}

#[test]
fn a_dry_run_that_could_not_count_everything_fails() {
    let job = backfilled::start(&[]);
    let keys = keys(10);
    job.sources(&keys);
    let mut fields = spread("arn:one");
    fields["dry_run"] = json!(true);
    let started = job.start_job(&fields);
    enqueue_but(&job, &started, 3);
    let listed = json!({"action": "listed", "job_id": JOB});
    assert_eq!(job.failure(&listed).0, "PartitionsMissing");
    assert_eq!(job.record()["state"], "listing");
}

/// What the state machine says when it gives up, redriven so often by then and by now.
fn gives_up(
    job: &Backfilled,
    execution: &str,
    [failed_at, redrives]: [u64; 2],
) -> tests::runtime_api::Answer {
    job.ask(&json!({
        "action": "fail", "job_id": JOB, "execution": execution, "error": "AccessDenied", "cause": "no",
        "ends": true, "failed_at": failed_at, "redrives": redrives,
    }))
}

#[test]
fn a_redriven_execution_goes_on_where_its_job_is() {
    let (job, started, keys, failing) = one_failing();
    for _ in 0..2 {
        // Also if the first answer got lost.
        let (error_type, message) = backfilled::failed(gives_up(&job, "arn:one", [0, 0]));
        assert_eq!((&*error_type, &*message), ("AccessDenied", "no"));
    }
    assert_eq!(job.record()["state"], "failed");
    assert_eq!(
        job.failure(&share("enqueue", &started, failing)).0,
        "WrongState",
        "what was under way does not go on by itself"
    );
    let sent = job.queued().len();
    let answer = answered(gives_up(&job, "arn:one", [0, 1]));
    assert_eq!(answer, json!({"job_id": JOB, "status": "redriven"}));
    // The same input again, without a word of resuming.
    let other = start_payload(&spread("arn:two"));
    assert_eq!(job.failure(&other).0, "JobExists");
    let again = job.start_job(&spread("arn:one"));
    assert_eq!(again["partitions"], json!([failing]));
    assert_eq!(job.record()["state"], "listing");
    let _ = job.enqueue_all(&again);
    assert!(job.queued().len() > sent);
    assert_eq!(without_duplicates(job.queued()), keys);
    let verdict = job.all_the_rest(&again);
    assert_eq!(
        (&verdict["status"], &verdict["reason"]),
        (&json!("completed"), &Value::Null)
    );
    assert_eq!(job.outputs().len(), keys.len());
}

#[test]
fn an_execution_that_fails_before_it_has_a_job_is_redriven_to_make_it() {
    let job = backfilled::start(&[]);
    job.sources(&keys(10));
    let (error_type, _) = backfilled::failed(gives_up(&job, "arn:one", [0, 0]));
    assert_eq!(error_type, "AccessDenied");
    let answer = answered(gives_up(&job, "arn:one", [0, 1]));
    assert_eq!(answer["status"], "redriven");
    let started = job.start_job(&spread("arn:one"));
    assert_eq!(job.all_the_rest(&started)["status"], "completed");
}

#[test]
fn the_last_child_has_all_of_the_rate_when_the_others_are_done() {
    let job = backfilled::start(&[]);
    let sources = |folder: &str, count: usize| {
        let keys = (0..count).map(|number| format!("incoming/{folder}/{number:05}"));
        job.sources(&keys.collect::<Vec<_>>());
    };
    sources("a", 10);
    sources("b", 400);
    let started = job.start_job(&json!({
        "partitions": ["incoming/a/", "incoming/b/"], "workers": 2, "max_rate_per_second": 40,
    }));
    let began = Instant::now();
    std::thread::scope(|scope| {
        // It begins as one of two, at 20 a second.
        let slow = scope.spawn(|| job.answer(&share("enqueue", &started, 1)));
        let other = job.other();
        let quick = answered(other.ask(&share("enqueue", &started, 0)));
        assert_eq!(quick["status"], "complete");
        assert_eq!(slow.join().unwrap()["status"], "complete");
    });
    let took = began.elapsed();
    assert_eq!(job.queued().len(), 410);
    // About 6 s at 20 and the rest at 40; not 20 s, nor without a brake.
    assert!(
        took > Duration::from_secs(9) && took < Duration::from_secs(18),
        "{took:?}"
    );
}

#[test]
fn counts_that_got_lost_do_not_keep_a_job_from_its_end() {
    let job = backfilled::start(&[]);
    job.sources(&keys(20));
    let started = job.start_job(&json!({"execution": "arn:one"}));
    let _ = job.enqueue_all(&started);
    assert_eq!(job.listed()["status"], "processing");
    // What compress does is not told.
    let refused = Fault::on(Operation::UpdateItem).forever();
    job.fake.fault(refused.answer(400, "AccessDeniedException"));
    assert_eq!(job.compress_all(), [""; 0]);
    job.fake.clear_faults();
    let waiting = json!({"action": "progress", "job_id": JOB});
    assert_eq!(job.answer(&waiting)["status"], "wait");
    // Whoever looks finds nothing left over.
    assert_eq!(
        job.answer(&job.looked("operator", "operator"))["status"],
        "completed"
    );
    assert_eq!(job.record()["state"], "completed");
    assert_eq!(
        job.answer(&waiting)["status"],
        "completed",
        "its own execution learns it"
    );
}

#[test]
fn an_aborted_job_is_not_verified_and_keeps_no_verification_under_way() {
    let job = backfilled::start(&[]);
    job.sources(&keys(5));
    let started = job.start_job(&json!({"execution": "arn:one"}));
    let _ = job.enqueue_all(&started);
    let _ = job.listed();
    let conclude = job.looked("operator", "operator");
    job.set_state("aborted");
    assert_eq!(job.answer(&conclude)["status"], "aborted");
    assert!(job.record().get("verifying").is_none());
    let asked = json!({"action": "verify_start", "job_id": JOB, "round": "r"});
    let (error_type, message) = job.failure(&asked);
    assert_eq!(error_type, "WrongState");
    assert!(message.contains("resume"), "{message}");
}

#[test]
fn what_a_failed_partition_had_enqueued_and_is_left_over_is_enqueued_again_at_once() {
    let (job, started, keys) =
        backfilled::one_partition(2_500, &json!({"execution": "arn:one"}), &[]);
    // Its second page is in the queue, its third cannot be listed.
    let denied = Fault::on(Operation::ListObjectsV2).skip(2).times(9);
    job.fake.fault(denied.answer(403, "AccessDenied"));
    assert_eq!(
        job.failure(&share("enqueue", &started, 0)).0,
        "AccessDenied"
    );
    job.fake.clear_faults();
    let sent = job.queued().len();
    assert!((1_000..2_500).contains(&sent), "{sent}");
    // The queue loses all of it, and the job fails.
    let _ = job.fake.take_messages(backfilled::QUEUE);
    let _ = backfilled::failed(gives_up(&job, "arn:one", [0, 0]));
    assert_eq!(
        job.answer(&job.looked("operator", "operator"))["remaining"],
        2_500
    );
    let again = job.start_job(&json!({"partitions": ["incoming/"], "execution": "arn:one"}));
    assert_eq!(again["partitions"], json!([0]));
    let _ = job.enqueue_all(&again);
    assert_eq!(job.queued(), keys);
}

#[test]
fn a_partition_that_cannot_be_listed_leaves_the_others_of_its_batch_alone() {
    let job = backfilled::start(&[]);
    let keys = ["incoming/a/1", "incoming/b/1", "incoming/c/1"];
    job.sources(&keys);
    let folders = json!(["incoming/a/", "incoming/b/", "incoming/c/"]);
    let started = job.start_job(&json!({"partitions": folders}));
    let denied = Fault::on(Operation::ListObjectsV2).times(1);
    job.fake.fault(denied.answer(403, "AccessDenied"));
    let batch: Vec<Value> = (0..3)
        .map(|number| share("enqueue", &started, number))
        .collect();
    let batch: Vec<Value> = batch
        .into_iter()
        .map(|mut item| {
            item.as_object_mut().unwrap().remove("action");
            item
        })
        .collect();
    let asked = json!({"action": "enqueue", "Items": batch});
    assert_eq!(job.failure(&asked).0, "AccessDenied");
    assert_eq!(job.queued(), keys[1..]);
    assert_eq!(job.answer(&asked)["status"], "complete");
    assert_eq!(job.queued(), keys);
}

#[test]
fn a_redriven_execution_whose_failure_could_not_be_noted_goes_on_all_the_same() {
    let (job, _, _, failing) = one_failing();
    assert_eq!(job.listed()["status"], "processing");
    // The execution ends without a word, and is redriven; compress goes on telling meanwhile.
    assert_eq!(job.compress_all(), [""; 0]);
    let again = job.start_job(&spread("arn:one"));
    assert_eq!(again["partitions"], json!([failing]));
    assert_eq!(job.record()["state"], "listing");
    assert_eq!(job.all_the_rest(&again)["status"], "completed");
}

#[test]
fn a_completed_job_says_what_it_could_not_list() {
    let job = backfilled::start(&[]);
    let keys = keys(10);
    job.sources(&keys);
    let started = job.start_job(&spread("arn:one"));
    let held: Vec<u64> = keys.iter().map(|key| partition_of(&job, key)).collect();
    let empty = (0..257).find(|number| !held.contains(number)).unwrap();
    enqueue_but(&job, &started, empty);
    let _ = job.listed();
    assert_eq!(job.compress_all(), [""; 0]);
    let verdict = job.verdict("round-0");
    assert_eq!(
        (&verdict["status"], &verdict["partitions_done"]),
        (&json!("completed"), &json!(256))
    );
    let reason = job.record()["reason"].as_str().unwrap().to_owned();
    let named = format!("1 of 257 partitions could not be listed, the first: {empty}");
    assert!(
        reason.starts_with(&named) && reason.contains("archived"),
        "{reason}"
    );
}

#[test]
fn a_job_that_has_ended_is_not_gone_on_with_by_the_rest_of_a_batch() {
    let job = backfilled::start(&[]);
    let keys = ["incoming/a/1", "incoming/b/1"];
    job.sources(&keys);
    let folders = json!(["incoming/a/", "incoming/b/"]);
    let started = job.start_job(&json!({"partitions": folders}));
    let batch: Vec<Value> = (0..2)
        .map(|number| json!({"job_id": JOB, "partition": number}))
        .collect();
    let gate = tests::fake_aws::Gate::new();
    job.fake
        .fault(Fault::on(Operation::TransactWriteItems).hold(&gate));
    let asked = json!({"action": "enqueue", "Items": batch});
    let (error_type, _) = std::thread::scope(|scope| {
        let invocation = scope.spawn(|| job.failure(&asked));
        assert!(gate.wait_for_blocking(1, tests::running::PATIENCE));
        job.set_state("failed");
        gate.release();
        invocation.join().unwrap()
    });
    assert_eq!(error_type, "WrongState");
    assert_eq!(job.queued(), keys[..1], "{started}");
}
