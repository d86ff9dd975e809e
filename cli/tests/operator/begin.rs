//! A job begins, or it is said why not: before anything is started where that can be known.

use serde_json::{Value, json};
use tests::fake_aws::{FakeAws, Fault, Operation};

use crate::backfill::{executions, planning, plans, put, record, stack};
use crate::{json_against, run_against};

const START: [&str; 4] = ["backfill", "start", "--job-id", "j"];
const RESUME: [&str; 5] = ["backfill", "start", "--job-id", "j", "--resume"];

/// A record that changed just now.
fn put_recent(fake: &FakeAws, state: &str) {
    let mut record = record("j", state);
    record["updated_at"] = json!({"S": "2999-01-01T00:00:00Z"});
    fake.tables(|tables| tables.put("s-backfill", &record));
}

/// The execution that runs ends by this at the next look.
fn fails(fake: &FakeAws, error: &'static str, cause: &'static str) {
    let fail = Fault::on(Operation::DescribeExecution);
    fake.fault(fail.run(move |store| store.states.fail(error, cause)));
}

fn names(fake: &FakeAws) -> Vec<String> {
    executions(fake).into_iter().map(|it| it.name).collect()
}

#[test]
fn a_name_that_a_job_has_is_refused_and_nothing_is_started() {
    let fake = stack();
    put(&fake, "j", "failed");
    let ran = json_against(&fake, &[&START[..], &["--dry-run"]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{ran:?}");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(error["error"]["kind"], "not_completed");
    let words = "job j exists (state failed): take another name, or --resume";
    assert_eq!(error["error"]["message"], words);
    assert!(executions(&fake).is_empty());
}

#[test]
fn a_job_that_is_being_planned_is_not_started_otherwise() {
    let fake = stack();
    planning(&fake, "j");
    let ran = run_against(&fake, &[&START[..], &["--dry-run"]].concat());
    let words = "sluice: job j is still being planned: execution j\n";
    assert_eq!((ran.code, ran.err.as_str()), (3, words), "{ran:?}");
    let ran = run_against(&fake, &RESUME);
    assert_eq!((ran.code, ran.err.as_str()), (3, words), "{ran:?}");
    assert_eq!(names(&fake), ["j"]);
}

#[test]
fn a_name_whose_execution_came_to_nothing_is_free() {
    let fake = stack();
    planning(&fake, "j");
    fake.states(|states| states.fail("BadPayload", "payload field prefix"));
    let plan = record("j", "listing");
    let begin = Fault::on(Operation::StartExecution).skip(1);
    fake.fault(begin.run(move |store| store.tables.put("s-backfill", &plan)));
    let ran = json_against(&fake, &START);
    assert_eq!(ran.code, 0, "{ran:?}");
    let [_, fresh] = &executions(&fake)[..] else {
        panic!("not one more execution");
    };
    assert!(fresh.name.starts_with("j-start-"), "{fresh:?}");
    assert_eq!(fresh.input, json!({"action": "start", "job_id": "j"}));
    let told = ran.document();
    assert!(told["execution"].as_str().unwrap().ends_with(&fresh.name));
}

#[test]
fn a_job_that_somebody_else_begins_meanwhile_is_not_begun_twice() {
    let fake = stack();
    planning(&fake, "j");
    fake.states(|states| states.fail("BadPayload", "payload field prefix"));
    plans(&fake, "j");
    let ran = run_against(&fake, &START);
    let words = "sluice: job j exists (state listing): take another name, or --resume\n";
    assert_eq!((ran.code, ran.err.as_str()), (3, words), "{ran:?}");
    assert_eq!(names(&fake), ["j"]);
}

#[test]
fn a_job_that_cannot_be_planned_is_not_said_to_be_started() {
    let fake = stack();
    fails(&fake, "BadPayload", "payload field prefix");
    let ran = run_against(&fake, &START);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
    assert!(ran.err.contains("payload field prefix"), "{ran:?}");
}

#[test]
fn a_job_that_is_planned_for_long_is_left_to_it() {
    let fake = stack();
    let ran = json_against(&fake, &START);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.document()["status"], "planning");
    assert!(fake.count(Operation::DescribeExecution) > 10);
}

#[test]
fn whoever_asks_for_a_job_that_is_being_planned_is_told_so() {
    let fake = stack();
    planning(&fake, "j");
    let ran = json_against(&fake, &["backfill", "status", "j"]);
    let told = ran.document();
    assert_eq!(
        (ran.code, &told["state"], &told["execution"]),
        (0, &"planning".into(), &"j".into())
    );
    let ran = run_against(&fake, &["backfill", "verify", "j"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("still being planned"), "{ran:?}");
    assert_eq!(names(&fake), ["j"]);
}

#[test]
fn whoever_asks_for_a_job_that_came_to_nothing_is_told_why() {
    let fake = stack();
    planning(&fake, "j");
    fake.states(|states| states.fail("BadPayload", "payload field prefix"));
    for action in ["status", "verify"] {
        let ran = run_against(&fake, &["backfill", action, "j"]);
        let words =
            "sluice: job j has no record: execution j failed: BadPayload: payload field prefix\n";
        assert_eq!((ran.code, ran.err.as_str()), (2, words), "{action}");
    }
    // Its name is not burnt, and then the other execution is the one that counts.
    let input = json!({"job_id": "j"});
    fake.states(|states| {
        states.run(
            "s-backfill",
            "j-start-20260101T000000Z-aaaaaa",
            input.clone(),
        );
    });
    fake.states(|states| states.fail("AccessDenied", "no"));
    assert_eq!(run_against(&fake, &["backfill", "status", "j"]).code, 5);
    fake.states(|states| states.run("s-backfill", "j-start-20260101T000001Z-aaaaaa", input));
    let ran = json_against(&fake, &["backfill", "status", "j"]);
    assert_eq!(
        ran.document()["execution"],
        "j-start-20260101T000001Z-aaaaaa"
    );
}

#[test]
fn a_job_of_which_there_is_nothing_is_no_job() {
    let fake = stack();
    for action in ["status", "verify"] {
        let ran = run_against(&fake, &["backfill", action, "j"]);
        let words = "sluice: no job j in table s-backfill\n";
        assert_eq!((ran.code, ran.err.as_str()), (4, words), "{action}");
    }
    // Nor is one whose record has expired.
    planning(&fake, "j");
    fake.states(|states| states.succeed(json!({})));
    assert_eq!(run_against(&fake, &["backfill", "status", "j"]).code, 4);
}

#[test]
fn a_job_that_begins_while_it_is_looked_for_is_found() {
    let fake = stack();
    planning(&fake, "j");
    let plan = record("j", "completed");
    let look = Fault::on(Operation::DescribeExecution);
    fake.fault(look.run(move |store| {
        store.tables.put("s-backfill", &plan);
        store.states.succeed(json!({}));
    }));
    let ran = json_against(&fake, &["backfill", "status", "j"]);
    assert_eq!(
        (ran.code, &ran.document()["state"]),
        (0, &"completed".into())
    );
}

#[test]
fn who_may_not_see_executions_is_told_of_records_alone() {
    let fake = stack();
    let denied = Fault::on(Operation::DescribeExecution);
    fake.fault(denied.answer(400, "AccessDeniedException"));
    let ran = run_against(&fake, &["backfill", "status", "j"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.err.contains("is not known"), "{ran:?}");
}

#[test]
fn a_job_that_is_gone_on_with_has_another_execution() {
    let fake = stack();
    put(&fake, "j", "failed");
    plans(&fake, "j");
    let ran = json_against(&fake, &RESUME);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.document()["status"], "started");
    let [execution] = &executions(&fake)[..] else {
        panic!("not one execution");
    };
    assert!(execution.name.starts_with("j-resume-"), "{execution:?}");
    let expected = json!({"action": "start", "job_id": "j", "resume": true});
    assert_eq!(execution.input, expected);
}

#[test]
fn a_job_goes_on_when_its_old_end_is_gone() {
    let fake = stack();
    put(&fake, "j", "failed");
    let plan = record("j", "listing");
    let look = Fault::on(Operation::DescribeExecution).skip(2);
    fake.fault(look.run(move |store| store.tables.put("s-backfill", &plan)));
    let ran = run_against(&fake, &RESUME);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out, "job j goes on\nsluice backfill status j --watch\n");
    assert_eq!(fake.count(Operation::DescribeExecution), 3);
}

#[test]
fn a_job_that_is_refused_does_not_go_on() {
    let fake = stack();
    put(&fake, "j", "failed");
    fails(
        &fake,
        "WrongState",
        "job j is failed: it has changed meanwhile",
    );
    let ran = run_against(&fake, &RESUME);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{ran:?}");
    assert!(ran.err.contains("it has changed meanwhile"), "{ran:?}");
}

#[test]
fn only_what_exists_and_is_not_completed_is_gone_on_with() {
    let fake = stack();
    put(&fake, "done", "completed");
    let resume = |job| run_against(&fake, &["backfill", "start", "--job-id", job, "--resume"]);
    assert_eq!(resume("done").code, 3);
    assert_eq!(resume("nobody").code, 4);
    assert!(executions(&fake).is_empty());
}

#[test]
fn a_job_that_runs_is_not_gone_on_with() {
    let fake = stack();
    planning(&fake, "j");
    put(&fake, "j", "processing");
    let ran = run_against(&fake, &RESUME);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(
        ran.err,
        "sluice: job j is processing and runs: execution j\n"
    );
    assert_eq!(executions(&fake).len(), 1);
}

#[test]
fn a_job_whose_execution_died_is_ended_first_or_left_alone_for_half_an_hour() {
    let fake = stack();
    put_recent(&fake, "processing");
    let ran = run_against(&fake, &RESUME);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{ran:?}");
    assert!(ran.err.contains("sluice backfill abort j"), "{ran:?}");
    assert!(executions(&fake).is_empty());
    let mut old = record("j", "processing");
    old["updated_at"] = json!({"S": "2020-01-01T00:00:00Z"});
    fake.tables(|tables| tables.put("s-backfill", &old));
    plans(&fake, "j");
    let ran = run_against(&fake, &RESUME);
    assert_eq!((ran.code, executions(&fake).len()), (0, 1), "{ran:?}");
}

#[test]
fn a_stack_that_is_not_there_is_said_once() {
    let fake = stack();
    let no_stack =
        |part: &str| format!("sluice: no stack other here: region us-east-1 has no {part}\n");
    for (words, part) in [
        (&["backfill", "status", "j"][..], "table other-backfill"),
        (&["backfill", "abort", "j"], "table other-backfill"),
        (&["backfill", "start"], "queue other-compress"),
        (&["dlq", "list"], "queue other-compress"),
    ] {
        let ran = run_against(&fake, &[&["--stack", "other"], words].concat());
        assert_eq!((ran.code, ran.err), (4, no_stack(part)), "{words:?}");
    }
}
