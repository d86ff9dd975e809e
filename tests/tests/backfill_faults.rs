//! A backfill that is killed, cut short, refused or doubled: no object is missing from the queue, and compress makes one
//! output of each, however often it is there.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::backfilled::{self, Backfilled, JOB, QUEUE, answered, failed, share, start_payload};
use tests::compressor::BUCKET;
use tests::fake_aws::{Fault, Gate, Operation};
use tests::running::PATIENCE;
use tests::runtime_api::{Answer, Lost};

/// A job of one partition with so many objects, not yet enqueued.
fn one_partition(
    objects: usize,
    fields: &Value,
    settings: &[(&str, &str)],
) -> (Backfilled, Value, Vec<String>) {
    let job = backfilled::start(settings);
    let keys: Vec<_> = (0..objects)
        .map(|number| format!("incoming/{number:05}"))
        .collect();
    job.sources(&keys);
    let mut all = json!({"partitions": ["incoming/"]});
    for (name, value) in fields.as_object().unwrap() {
        all[name] = value.clone();
    }
    let started = job.start_job(&all);
    (job, started, keys)
}

fn without_duplicates(mut keys: Vec<String>) -> Vec<String> {
    keys.dedup();
    keys
}

/// Kills the process while the fake holds the request that `fault` strikes, and lets the fake go on then.
fn kill_at(job: &mut Backfilled, fault: impl FnOnce(&Gate) -> Fault, payload: &Value) {
    let gate = Gate::new();
    job.fake.fault(fault(&gate));
    let answer = std::thread::scope(|scope| {
        let invocation = scope.spawn(|| job.ask(payload));
        assert!(
            gate.wait_for_blocking(1, PATIENCE),
            "the point was never reached"
        );
        job.function.kill();
        gate.release();
        invocation.join().unwrap()
    });
    assert_eq!(answer, Answer::Lost(Lost::ProcessExited));
    job.fake.clear_faults();
    job.restart();
}

#[test]
fn a_crash_between_the_queue_and_the_checkpoint_sends_the_page_again_and_makes_one_output_of_each()
{
    let (mut job, started, keys) = one_partition(25, &json!({}), &[]);
    // The checkpoint is never made.
    let checkpoint = |gate: &Gate| {
        Fault::on(Operation::UpdateItem)
            .key("partition#00000")
            .hold(gate)
            .reset()
    };
    kill_at(&mut job, checkpoint, &share("enqueue", &started, 0));
    assert_eq!(job.queued(), keys);
    let before: Vec<_> = job.fake.messages(QUEUE);
    let verdict = job.all_the_rest(&started);
    assert_eq!(before.len(), 25);
    assert_eq!(
        job.counts(),
        [25, 25, 0],
        "what was sent twice is counted once"
    );
    assert_eq!(
        (
            &verdict["status"],
            &verdict["succeeded"],
            &verdict["skipped"]
        ),
        (&json!("completed"), &json!(25), &json!(25))
    );
    assert_eq!(job.outputs().len(), 25);
    for key in job.outputs() {
        assert_eq!(job.fake.versions(BUCKET, &key).len(), 1, "{key}");
    }
}

#[test]
fn a_crash_after_the_checkpoint_sends_nothing_again() {
    let (mut job, started, keys) = one_partition(25, &json!({}), &[]);
    let checkpoint = |gate: &Gate| {
        Fault::on(Operation::UpdateItem)
            .key("partition#00000")
            .hold_after_effect(gate)
    };
    kill_at(&mut job, checkpoint, &share("enqueue", &started, 0));
    let _ = job.enqueue_all(&started);
    assert_eq!(job.queued(), keys);
    assert_eq!(job.counts(), [25, 25, 0]);
}

#[test]
fn a_crash_at_any_request_of_a_partition_loses_no_object() {
    for (operation, requests) in [
        (Operation::GetItem, 2),
        (Operation::ListObjectsV2, 2),
        (Operation::SendMessageBatch, 3),
        (Operation::UpdateItem, 1),
        (Operation::TransactWriteItems, 1),
    ] {
        for (skip, after_effect) in (0..requests).flat_map(|skip| [(skip, false), (skip, true)]) {
            let settings = [("ENQUEUE_CONCURRENCY", "1")];
            let (mut job, started, keys) = one_partition(1_025, &json!({}), &settings);
            let fault = |gate: &Gate| {
                let fault = Fault::on(operation).skip(skip);
                if after_effect {
                    fault.hold_after_effect(gate)
                } else {
                    fault.hold(gate).reset()
                }
            };
            kill_at(&mut job, fault, &share("enqueue", &started, 0));
            let _ = job.enqueue_all(&started);
            let point = format!("{operation:?} {skip} {after_effect}");
            assert_eq!(without_duplicates(job.queued()), keys, "{point}");
            assert!(
                job.queued().len() <= keys.len() + 1_000,
                "{point}: more than one page again"
            );
            assert_eq!(job.counts(), [1_025, 1_025, 0], "{point}");
            assert_eq!(job.record()["partitions_done"], 1, "{point}");
            assert_eq!(job.listed()["status"], "processing");
        }
    }
}

#[test]
fn an_answer_of_the_queue_that_is_lost_costs_a_duplicate_and_no_object() {
    let (job, started, keys) = one_partition(25, &json!({}), &[]);
    job.fake
        .fault(Fault::on(Operation::SendMessageBatch).reset_after_effect());
    let _ = job.enqueue_all(&started);
    assert_eq!(without_duplicates(job.queued()), keys);
    assert!(job.queued().len() > keys.len());
    assert_eq!(job.compress_all(), [""; 0]);
    assert_eq!(job.outputs().len(), 25);
}

#[test]
fn an_answer_to_a_checkpoint_that_is_lost_is_at_most_an_error_that_passes() {
    let (job, started, keys) = one_partition(25, &json!({}), &[]);
    let lost = Fault::on(Operation::UpdateItem).key("partition#00000");
    job.fake.fault(lost.reset_after_effect());
    match job.ask(&share("enqueue", &started, 0)) {
        Answer::Response(answer) => assert_eq!(answer["status"], "complete"),
        other => assert_eq!(failed(other).0, "InProgress"),
    }
    let _ = job.enqueue_all(&started);
    assert_eq!(job.queued(), keys);
    assert_eq!(job.counts(), [25, 25, 0]);
}

#[test]
fn an_answer_to_a_telling_that_is_lost_is_not_counted_twice() {
    let (job, started, keys) = one_partition(25, &json!({}), &[]);
    job.fake
        .fault(Fault::on(Operation::TransactWriteItems).reset_after_effect());
    let _ = job.enqueue_all(&started);
    assert_eq!((job.queued(), job.counts()), (keys, [25, 25, 0]));
    assert_eq!(job.record()["partitions_done"], 1);
}

#[test]
fn entries_that_the_queue_did_not_take_are_sent_again_and_no_others() {
    let (job, started, keys) = one_partition(30, &json!({}), &[]);
    for positions in [&[0, 9][..], &[5], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]] {
        job.fake
            .fail_entries(QUEUE, positions, "InternalError", false);
    }
    let _ = job.enqueue_all(&started);
    assert_eq!(job.queued(), keys);
    assert!(job.fake.count(Operation::SendMessageBatch) >= 6);
    assert_eq!(job.counts(), [30, 30, 0]);
}

#[test]
fn an_entry_that_the_queue_will_never_take_is_an_error_that_names_its_object() {
    let (job, started, _) = one_partition(3, &json!({}), &[]);
    job.fake
        .fail_entries(QUEUE, &[1], "InvalidMessageContents", true);
    let (error_type, message) = job.failure(&share("enqueue", &started, 0));
    assert_eq!(error_type, "MessageRefused");
    assert!(message.contains("incoming/00001"), "{message}");
    assert_eq!(job.counts(), [0, 0, 0]);
}

#[test]
fn a_queue_that_throttles_is_waited_for() {
    let (job, started, keys) = one_partition(30, &json!({}), &[]);
    job.fake.fault(
        Fault::on(Operation::SendMessageBatch)
            .times(6)
            .answer(400, "RequestThrottled"),
    );
    let _ = job.enqueue_all(&started);
    assert_eq!(job.queued(), keys);
}

#[test]
fn what_the_time_is_not_enough_for_is_handed_back_and_gone_on_with() {
    let job = backfilled::start(&[]);
    let mut keys: Vec<_> = (0..700)
        .map(|number| format!("incoming/a/{number:05}"))
        .collect();
    keys.extend((0..10).map(|number| format!("incoming/b/{number:05}")));
    job.sources(&keys);
    let partitions = ["incoming/a/", "incoming/b/"];
    let fields = json!({"partitions": partitions, "workers": 1, "max_rate_per_second": 100});
    let started = job.start_job(&fields);
    let items = [0, 1].map(|partition| {
        let mut item = share("enqueue", &started, partition);
        item.as_object_mut().unwrap().remove("action");
        item
    });
    // Five seconds of messages between two checkpoints; there is time for these, and not for two seconds more.
    let payload = json!({"action": "enqueue", "Items": items, "BatchInput": {}});
    let answer = answered(job.api.invoke(&payload, Duration::from_secs(7)));
    assert_eq!(
        (&answer["status"], &answer["Items"]),
        (&json!("incomplete"), &json!(items))
    );
    assert_eq!(job.queued(), keys[..500]);
    assert_eq!(
        job.counts(),
        [500, 500, 0],
        "the record knows what was done"
    );
    let payload = json!({"action": "enqueue", "Items": answer["Items"], "BatchInput": {}});
    assert_eq!(job.answer(&payload)["status"], "complete");
    assert_eq!(job.queued(), keys);
    assert_eq!(job.counts(), [710, 710, 0]);
}

#[test]
fn a_service_that_hangs_is_told_before_the_deadline_and_gone_on_with() {
    let (job, started, keys) = one_partition(25, &json!({}), &[]);
    for operation in [
        Operation::ListObjectsV2,
        Operation::SendMessageBatch,
        Operation::UpdateItem,
    ] {
        let gate = Gate::new();
        job.fake
            .fault(Fault::on(operation).forever().hold(&gate).reset());
        let answer = job
            .api
            .invoke(&share("enqueue", &started, 0), Duration::from_secs(3));
        assert_eq!(failed(answer).0, "TimeUp", "{operation:?}");
        gate.release();
        job.fake.clear_faults();
    }
    let _ = job.enqueue_all(&started);
    assert_eq!(without_duplicates(job.queued()), keys);
    assert_eq!(job.counts(), [25, 25, 0]);
}

#[test]
fn of_two_invocations_on_one_partition_one_gives_way() {
    let (job, started, keys) = one_partition(25, &json!({}), &[]);
    let (other, gate) = (job.other(), Gate::new());
    let payload = share("enqueue", &started, 0);
    job.fake
        .fault(Fault::on(Operation::SendMessageBatch).hold(&gate));
    let first = std::thread::scope(|scope| {
        let first = scope.spawn(|| job.ask(&payload));
        assert!(gate.wait_for_blocking(1, PATIENCE));
        assert_eq!(answered(other.ask(&payload))["status"], "complete");
        gate.release();
        first.join().unwrap()
    });
    assert_eq!(failed(first).0, "InProgress");
    assert_eq!(without_duplicates(job.queued()), keys);
    assert_eq!(job.counts(), [25, 25, 0]);
    assert_eq!(job.listed()["status"], "processing");
}

#[test]
fn a_conflict_over_the_record_is_tried_again() {
    let (job, started, keys) = one_partition(25, &json!({}), &[]);
    job.fake.tables(|tables| tables.conflicts = 4);
    assert_eq!(job.enqueue_all(&started), 1);
    assert_eq!((job.queued(), job.counts()), (keys, [25, 25, 0]));
    assert_eq!(job.record()["partitions_done"], 1);
}

#[test]
fn an_aborted_job_stops_and_can_be_taken_up_again() {
    let job = backfilled::start(&[]);
    let keys = backfilled::keys(60);
    job.sources(&keys);
    let started = job.start_job(&json!({}));
    assert_eq!(
        job.answer(&share("enqueue", &started, 0))["status"],
        "complete"
    );
    job.set_state("aborted");
    let sent = job.queued().len();
    for partition in [1, 2] {
        let answer = job.answer(&share("enqueue", &started, partition));
        assert_eq!(answer["status"], "aborted");
    }
    assert_eq!(job.queued().len(), sent);
    assert_eq!(job.listed()["status"], "aborted");
    let progress = json!({"action": "progress", "job_id": JOB});
    assert_eq!(job.answer(&progress)["status"], "aborted");
    let fail = json!({"action": "fail", "job_id": JOB, "error": "E", "cause": "c"});
    let _ = job.answer(&fail);
    assert_eq!(job.record()["state"], "aborted", "an end stays the end");
    let resumed = job.start_job(&json!({"resume": true}));
    let left = resumed["partitions"].as_array().unwrap();
    assert!(
        !left.contains(&json!(0))
            && left.len() + 1 == started["partitions"].as_array().unwrap().len()
    );
    let verdict = job.all_the_rest(&resumed);
    assert_eq!(verdict["status"], "completed", "{verdict}");
    assert_eq!(job.outputs().len(), 60);
}

#[test]
fn an_abort_in_the_middle_of_a_partition_is_seen_at_its_end() {
    let (job, started, _) = one_partition(25, &json!({}), &[]);
    let gate = Gate::new();
    job.fake
        .fault(Fault::on(Operation::TransactWriteItems).hold(&gate));
    let answer = std::thread::scope(|scope| {
        let invocation = scope.spawn(|| job.answer(&share("enqueue", &started, 0)));
        assert!(gate.wait_for_blocking(1, PATIENCE));
        job.set_state("aborted");
        gate.release();
        invocation.join().unwrap()
    });
    assert_eq!(answer["status"], "aborted");
    assert_eq!(job.record()["partitions_done"].as_u64().unwrap_or(0), 0);
    // What was sent is told when it is taken up again, and is not sent again.
    let resumed = job.start_job(&json!({"resume": true}));
    let _ = job.enqueue_all(&resumed);
    assert_eq!((job.queued().len(), job.counts()), (25, [25, 25, 0]));
}

#[test]
fn a_failed_job_says_why_and_can_be_taken_up_again() {
    let (job, started, keys) = one_partition(25, &json!({"execution": "arn:one"}), &[]);
    job.fake.fault(
        Fault::on(Operation::ListObjectsV2)
            .times(9)
            .answer(403, "AccessDenied"),
    );
    assert_eq!(
        job.failure(&share("enqueue", &started, 0)).0,
        "AccessDenied"
    );
    let fail = |execution: &str| {
        let fail = json!({"action": "fail", "job_id": JOB, "execution": execution, "error": "AccessDenied", "cause": "no"});
        let _ = job.answer(&fail);
        job.record()
    };
    assert_eq!(
        fail("arn:two")["state"],
        "listing",
        "it is not that one's job"
    );
    let record = fail("arn:one");
    assert_eq!(
        (&record["state"], &record["reason"]),
        (&json!("failed"), &json!("AccessDenied: no"))
    );
    job.fake.clear_faults();
    assert_eq!(job.failure(&share("enqueue", &started, 0)).0, "WrongState");
    let resumed = job.start_job(&json!({"resume": true, "execution": "arn:two"}));
    let _ = job.enqueue_all(&resumed);
    assert_eq!(job.queued(), keys);
    let verdict = job.all_the_rest(&resumed);
    assert_eq!(
        (&verdict["status"], &verdict["reason"]),
        (&json!("completed"), &Value::Null)
    );
    assert_eq!(
        job.failure(&start_payload(&json!({"resume": true}))).0,
        "WrongState"
    );
}

#[test]
fn a_rate_is_kept_to() {
    let (job, started, keys) =
        one_partition(150, &json!({"max_rate_per_second": 50, "workers": 3}), &[]);
    assert_eq!(started["max_rate_per_second"], 50.0);
    let began = Instant::now();
    let _ = job.enqueue_all(&started);
    let took = began.elapsed();
    assert_eq!(job.queued(), keys);
    // One partition is one child, whatever the number of workers: all of the rate is its own.
    assert!(
        took > Duration::from_millis(2_500) && took < Duration::from_secs(12),
        "{took:?}"
    );
    let requests = job.fake.requests().into_iter();
    let batches: Vec<_> = requests
        .filter(|request| request.operation == Operation::SendMessageBatch)
        .collect();
    assert_eq!(batches.len(), 15);
    for (number, batch) in (1_u32..).zip(&batches) {
        let since = batch.arrived - batches[0].arrived;
        // Ten messages each; those of the first tenth of a second may come at once.
        let earliest = Duration::from_millis(200) * (number - 1);
        assert!(
            since + Duration::from_millis(300) >= earliest,
            "batch {number} after {since:?}"
        );
    }
}
