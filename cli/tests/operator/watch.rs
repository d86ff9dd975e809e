//! Staying with a job until its end: lines of JSON where there is no terminal.

use serde_json::{Value, json};
use tests::fake_aws::{FakeAws, Fault, Operation, Store};

use crate::backfill::{planning, put, record, stack};
use crate::{json_against, run_against};

const EVERY: [&str; 3] = ["--watch", "--every", "0.1"];

/// From the `reads`th read of the record on it has this state.
fn becomes(fake: &FakeAws, reads: u64, state: &str) {
    let record = record("j", state);
    let change = move |store: &mut Store| store.tables.put("s-backfill", &record);
    fake.fault(Fault::on(Operation::GetItem).skip(reads).run(change));
}

/// At the `looks`th look the execution has ended so, and the job is in this state.
pub(crate) fn ends(
    fake: &FakeAws,
    looks: u64,
    state: Option<&str>,
    failure: Option<(&'static str, &'static str)>,
) {
    let record = state.map(|state| record("j", state));
    let change = move |store: &mut Store| {
        if let Some(record) = &record {
            store.tables.put("s-backfill", record);
        }
        match failure {
            Some((error, cause)) => store.states.fail(error, cause),
            None => store.states.succeed(json!({})),
        }
    };
    fake.fault(
        Fault::on(Operation::DescribeExecution)
            .skip(looks)
            .run(change),
    );
}

fn states(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["state"].as_str().unwrap())
        .collect()
}

#[test]
fn watching_prints_each_change_once_and_ends_with_the_job() {
    let fake = stack();
    put(&fake, "j", "listing");
    becomes(&fake, 3, "processing");
    becomes(&fake, 5, "completed");
    // In a pipe, so it is JSON though nobody asked for it.
    let ran = run_against(&fake, &[&["backfill", "status", "j"], &EVERY[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(states(&ran.lines()), ["listing", "processing", "completed"]);
    assert!(fake.count(Operation::GetItem) >= 6);
}

#[test]
fn a_job_that_was_not_completed_has_its_code() {
    for state in ["failed", "aborted"] {
        let fake = stack();
        put(&fake, "j", "processing");
        becomes(&fake, 2, state);
        let ran = run_against(&fake, &[&["backfill", "status", "j"], &EVERY[..]].concat());
        assert_eq!(ran.code, 3, "{ran:?}");
        assert_eq!(states(&ran.lines()), ["processing", state]);
    }
}

#[test]
fn a_job_that_nobody_works_on_any_more_is_not_watched_for_ever() {
    let fake = stack();
    planning(&fake, "j");
    put(&fake, "j", "processing");
    // At the second look at the executions this one has ended without a word in the record.
    fake.fault(
        Fault::on(Operation::ListExecutions)
            .skip(1)
            .run(|store| store.states.fail("States.Runtime", "too large")),
    );
    let ran = run_against(&fake, &[&["backfill", "status", "j"], &EVERY[..]].concat());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(states(&ran.lines()), ["processing"]);
    assert!(
        ran.err
            .contains("job j is processing, and no execution of it runs any more; to go on, sluice backfill abort j"),
        "{ran:?}"
    );
    // One that was just started may be missing in the first list.
    assert_eq!(fake.count(Operation::ListExecutions), 3);
}

#[test]
fn an_execution_whose_last_act_was_the_record_has_not_left_its_job() {
    let fake = stack();
    put(&fake, "j", "processing");
    let completed = record("j", "completed");
    let change = move |store: &mut Store| store.tables.put("s-backfill", &completed);
    fake.fault(Fault::on(Operation::ListExecutions).skip(1).run(change));
    let ran = run_against(&fake, &[&["backfill", "status", "j"], &EVERY[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(states(&ran.lines()), ["processing", "completed"]);
}

#[test]
fn who_may_not_see_executions_watches_the_record_alone() {
    let fake = stack();
    put(&fake, "j", "processing");
    let denied = Fault::on(Operation::ListExecutions).forever();
    fake.fault(denied.answer(400, "AccessDeniedException"));
    becomes(&fake, 35, "completed");
    let ran = run_against(&fake, &[&["backfill", "status", "j"], &EVERY[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.err.matches("is not known").count(), 1, "{ran:?}");
    assert_eq!(fake.count(Operation::ListExecutions), 3);
}

#[test]
fn the_old_end_of_a_job_is_not_the_result_of_going_on_that_was_refused() {
    for state in ["failed", "aborted"] {
        let fake = stack();
        put(&fake, "j", state);
        let failure = ("WrongState", "it has changed meanwhile");
        ends(&fake, 2, None, Some(failure));
        let words = [
            &["backfill", "start", "--job-id", "j", "--resume"],
            &EVERY[..],
        ]
        .concat();
        let ran = json_against(&fake, &words);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert_eq!(ran.document()["status"], "started");
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains("WrongState: it has changed"), "{ran:?}");
    }
}

#[test]
fn a_job_that_fails_again_says_so() {
    let fake = stack();
    put(&fake, "j", "failed");
    becomes(&fake, 3, "listing");
    ends(&fake, 4, Some("failed"), Some(("JobFailed", "slow")));
    let words = [
        &["backfill", "start", "--job-id", "j", "--resume"],
        &EVERY[..],
    ]
    .concat();
    let ran = json_against(&fake, &words);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(states(&ran.lines()[1..]), ["listing", "failed"]);
    assert!(ran.err.contains("JobFailed: slow"), "{ran:?}");
}

#[test]
fn a_job_that_is_being_planned_is_watched() {
    let fake = stack();
    planning(&fake, "j");
    becomes(&fake, 4, "completed");
    let ran = run_against(&fake, &[&["backfill", "status", "j"], &EVERY[..]].concat());
    assert_eq!(
        (ran.code, states(&ran.lines())),
        (0, vec!["completed"]),
        "{ran:?}"
    );
    let fake = stack();
    planning(&fake, "j");
    ends(&fake, 2, None, Some(("BadPayload", "payload field prefix")));
    let ran = run_against(&fake, &[&["backfill", "status", "j"], &EVERY[..]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
    assert!(ran.err.contains("payload field prefix"), "{ran:?}");
}

#[test]
fn a_new_job_is_waited_for_before_it_has_a_record() {
    let fake = stack();
    ends(&fake, 3, Some("completed"), None);
    let ran = json_against(
        &fake,
        &[&["backfill", "start", "--job-id", "j"], &EVERY[..]].concat(),
    );
    let lines = ran.lines();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        (&lines[0]["status"], &lines[1]["state"]),
        (&"started".into(), &"completed".into())
    );
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_job_that_could_not_begin_says_why() {
    let fake = stack();
    ends(&fake, 1, None, Some(("BadPayload", "payload field prefix")));
    let ran = json_against(
        &fake,
        &[&["backfill", "start", "--job-id", "j"], &EVERY[..]].concat(),
    );
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("BadPayload") && ran.err.contains("payload field prefix"),
        "{ran:?}"
    );
}

#[test]
fn a_job_that_failed_before_is_watched_to_its_new_end() {
    let fake = stack();
    put(&fake, "j", "failed");
    ends(&fake, 2, Some("completed"), None);
    let words = [
        &["backfill", "start", "--job-id", "j", "--resume"],
        &EVERY[..],
    ]
    .concat();
    let ran = json_against(&fake, &words);
    assert_eq!(ran.code, 0, "{ran:?}");
    // The old end is not printed: a program would take it for the new one.
    assert_eq!(states(&ran.lines()[1..]), ["completed"]);
}

#[test]
fn an_execution_that_ends_before_its_job_is_a_failure() {
    let fake = stack();
    ends(
        &fake,
        1,
        Some("processing"),
        Some(("States.Runtime", "too large")),
    );
    let ran = json_against(
        &fake,
        &[&["backfill", "start", "--job-id", "j"], &EVERY[..]].concat(),
    );
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("States.Runtime"), "{ran:?}");
}
