//! A backfill that is killed, refused or doubled: no object is missing from the queue, and compress makes one
//! output of each, however often it is there.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use serde_json::{Value, json};
use tests::backfilled::{
    Backfilled, QUEUE, answered, failed, one_partition, share, without_duplicates,
};
use tests::compressor::BUCKET;
use tests::fake_aws::{Fault, Gate, Operation};
use tests::running::PATIENCE;
use tests::runtime_api::{Answer, Lost};

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
    for code in [
        "RequestThrottled",
        "ServiceUnavailable",
        "KMS.ThrottlingException",
    ] {
        let (job, started, keys) = one_partition(30, &json!({}), &[]);
        let throttled = Fault::on(Operation::SendMessageBatch).times(6);
        job.fake.fault(throttled.answer(400, code));
        let _ = job.enqueue_all(&started);
        assert_eq!(job.queued(), keys, "{code}");
    }
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
