//! A backfill within its time and at its rate, and one that was ended and is taken up again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::backfilled::{
    self, JOB, answered, failed, one_partition, share, start_payload, without_duplicates,
};
use tests::fake_aws::{Fault, Gate, Operation};
use tests::running::PATIENCE;

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
    // Two seconds of messages between two checkpoints; five are time for two times that, and not for three.
    let payload = json!({"action": "enqueue", "Items": items, "BatchInput": {}});
    let answer = answered(job.api.invoke(&payload, Duration::from_secs(6)));
    assert_eq!(
        (&answer["status"], &answer["Items"]),
        (&json!("incomplete"), &json!(items))
    );
    assert_eq!(job.queued(), keys[..400]);
    assert_eq!(
        job.counts(),
        [400, 400, 0],
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
#[test]
fn an_aborted_job_stops_and_can_be_taken_up_again() {
    let job = backfilled::start(&[]);
    let keys = backfilled::keys(60);
    job.sources(&keys);
    let started = job.start_job(&json!({"partitions": "hash"}));
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
