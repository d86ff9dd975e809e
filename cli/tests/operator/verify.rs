//! A verification: what it says is what its own execution has found.

use serde_json::{Value, json};
use tests::fake_aws::Fault;
use tests::fake_aws::Operation;

use crate::backfill::{executions, put, record, stack};
use crate::watch::ends;
use crate::{json_against, run_against};

const VERIFY: [&str; 5] = ["backfill", "verify", "j", "--every", "0.1"];

/// What a state machine says of a function that failed.
const REFUSED: &str = r#"{"errorType":"Backfill.Incomplete","errorMessage":"3 sources remain"}"#;

#[test]
fn a_verification_is_an_execution_whose_result_is_the_record() {
    for (state, failure, code) in [
        ("completed", None, 0),
        ("failed", Some(("Backfill.Incomplete", REFUSED)), 3),
    ] {
        let fake = stack();
        put(&fake, "j", "completed");
        ends(&fake, 2, Some(state), failure);
        let ran = json_against(&fake, &["backfill", "verify", "j", "--every", "0.1"]);
        assert_eq!(
            (ran.code, &ran.document()["state"]),
            (code, &state.into()),
            "{ran:?}"
        );
        let [execution] = &executions(&fake)[..] else {
            panic!("not one execution");
        };
        assert!(execution.name.starts_with("j-verify-"), "{execution:?}");
        assert_eq!(execution.input, json!({"action": "verify", "job_id": "j"}));
        let is_said = ran.err.contains("Backfill.Incomplete: 3 sources remain\n");
        assert_eq!(is_said, failure.is_some(), "{ran:?}");
    }
}

#[test]
fn nothing_is_verified_that_is_not_there() {
    let fake = stack();
    assert_eq!(run_against(&fake, &["backfill", "verify", "j"]).code, 4);
    assert!(executions(&fake).is_empty());
}

#[test]
fn a_verification_that_failed_itself_has_no_result() {
    for (error, code) in [
        ("PartitionsMissing", 3),
        ("JobFailed", 1),
        ("AccessDenied", 5),
        ("WrongState", 3),
    ] {
        for watch in [&[][..], &["--watch"]] {
            let fake = stack();
            put(&fake, "j", "completed");
            ends(&fake, 1, None, Some((error, "2 partitions are not done")));
            let ran = json_against(&fake, &[&VERIFY, watch].concat());
            // The record of the job is older, and says that it is completed.
            assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{error}: {ran:?}");
            assert!(ran.err.contains("2 partitions are not done"), "{ran:?}");
        }
    }
}

#[test]
fn a_verification_of_a_job_that_runs_is_as_good_as_what_it_finds() {
    let fake = stack();
    put(&fake, "j", "processing");
    let mut found = json!({
        "job_id": "j", "state": "processing", "status": "completed", "reason": null, "mode": "list", "dry_run": false,
        "bucket": "b", "prefix": "incoming/", "listed": 1, "enqueued": 1, "left_out": 0, "bytes_listed": 1,
        "succeeded": 1, "skipped": 0, "failed": 0, "bytes_in": 1, "bytes_out": 1, "partitions_done": 1,
        "partitions_total": 1, "started_at": "s", "updated_at": "u", "finished_at": null,
    });
    found["remaining"] = json!(0);
    found["missing_outputs"] = json!(0);
    let output = found.clone();
    let look = Fault::on(Operation::DescribeExecution);
    fake.fault(look.run(move |store| store.states.succeed(output.clone())));
    let ran = json_against(&fake, &VERIFY);
    let told = ran.document();
    assert_eq!(ran.code, 0, "{ran:?}");
    // The output of the execution, and not what the table has by now.
    assert_eq!(
        (&told["remaining"], &told["listed"]),
        (&json!(0), &json!(1))
    );
}

#[test]
fn the_result_of_a_watched_verification_is_its_last_line() {
    let fake = stack();
    put(&fake, "j", "completed");
    ends(&fake, 1, Some("completed"), None);
    let ran = json_against(&fake, &[&VERIFY[..], &["--watch"]].concat());
    assert_eq!(
        (ran.code, &ran.document()["state"]),
        (0, &"completed".into())
    );
}

#[test]
fn what_cannot_be_verified_is_refused_and_nothing_is_started() {
    let fake = stack();
    put(&fake, "j", "aborted");
    // What is started all the same has an end.
    ends(&fake, 0, None, None);
    ends(&fake, 0, None, None);
    let ran = run_against(&fake, &VERIFY);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("--job-id j --resume"), "{ran:?}");
    let mut dry: Value = record("j", "completed");
    dry["dry_run"] = json!({"BOOL": true});
    fake.tables(|tables| tables.put("s-backfill", &dry));
    let ran = run_against(&fake, &VERIFY);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("nothing to verify"), "{ran:?}");
    assert!(executions(&fake).is_empty());
}
