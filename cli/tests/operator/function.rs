//! `purge` and `count` by the stack's functions and by its state machine.

use serde_json::{Value, json};
use tests::fake_aws::{Counting, FakeAws, Fault, Operation};

use crate::backfill::{executions, stack};
use crate::{STACK, json_against, run_against};

fn answers(fake: &FakeAws, answers: &[Value]) {
    let answers = answers.iter().cloned().map(Counting::Answer);
    fake.account(|account| account.counts = answers.collect());
}

fn asked(fake: &FakeAws) -> Vec<Value> {
    fake.account(|account| account.asked_counts.clone())
}

fn swept(status: &str, resume: Option<&str>, dry_run: bool) -> Value {
    json!({
        "status": status, "reason": null, "dry_run": dry_run, "files_scanned": 9, "files_purged": 4,
        "files_to_purge": 4, "dirs_purged": 0, "bytes_freed": 10, "errors": 0, "error_samples": [], "root": "/mnt/data",
        "cutoff": "T", "resume": resume,
    })
}

#[test]
fn a_plan_is_a_dry_run_whatever_the_function_would_do() {
    let fake = stack();
    answers(&fake, &[swept("complete", None, true)]);
    let ran = json_against(&fake, &["purge", "plan", "--max-age-days", "7"]);
    assert_eq!(
        (ran.code, &ran.document()["files_to_purge"]),
        (0, &4.into()),
        "{ran:?}"
    );
    assert_eq!(
        asked(&fake),
        [json!({"dry_run": true, "max_age_days": 7.0})]
    );
    let requests = fake.requests();
    assert!(
        requests.iter().any(|request| request.key == "s-purge"),
        "{requests:?}"
    );
}

#[test]
fn what_is_incomplete_is_gone_on_with_until_it_is_complete() {
    let fake = stack();
    let rounds = [
        swept("incomplete", Some("t1"), false),
        swept("incomplete", Some("t2"), false),
        swept("complete", None, false),
    ];
    answers(&fake, &rounds);
    let ran = json_against(&fake, &["purge", "run", "--max-deletes", "5"]);
    assert_eq!(
        (ran.code, &ran.document()["status"]),
        (0, &"complete".into()),
        "{ran:?}"
    );
    let payload = |resume: Option<&str>| match resume {
        Some(token) => json!({"dry_run": false, "max_deletes": 5, "resume": token}),
        None => json!({"dry_run": false, "max_deletes": 5}),
    };
    assert_eq!(
        asked(&fake),
        [payload(None), payload(Some("t1")), payload(Some("t2"))]
    );
}

#[test]
fn a_function_that_may_only_look_has_removed_nothing() {
    let fake = stack();
    answers(&fake, &[swept("complete", None, true)]);
    let ran = run_against(&fake, &["purge", "run"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.out.starts_with("would remove 4 of 9 files") && ran.err.contains("dry runs only"),
        "{ran:?}"
    );
}

#[test]
fn a_refusal_says_why() {
    let fake = stack();
    let mut answer = swept("refused", None, false);
    answer["reason"] = json!("4 of 9 files are more than max_deletes 1");
    answers(&fake, &[answer]);
    let ran = run_against(&fake, &["purge", "run"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("max_deletes 1"), "{ran:?}");
}

#[test]
fn a_functions_error_has_the_code_of_its_kind() {
    for (error, code) in [
        ("BadPayload", 2),
        ("InProgress", 3),
        ("BadRoot", 4),
        ("Hung", 1),
    ] {
        let fake = stack();
        fake.account(|account| account.counts.push_back(Counting::Error(error)));
        let ran = run_against(&fake, &["purge", "run"]);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(
            ran.err.contains("s-purge") && ran.err.contains(error),
            "{ran:?}"
        );
    }
    assert_eq!(run_against(&stack(), &["count"]).code, 4);
}

#[test]
fn a_function_is_asked_once_when_its_answer_is_lost() {
    let fake = stack();
    answers(&fake, &[swept("complete", None, false)]);
    fake.fault(Fault::on(Operation::Invoke).reset_after_effect().forever());
    let ran = run_against(&fake, &["purge", "run"]);
    assert_eq!((ran.code, fake.count(Operation::Invoke)), (1, 1), "{ran:?}");
}

#[test]
fn a_count_goes_on_until_nothing_is_left() {
    let fake = stack();
    let counted = |complete: bool, files: u64, resume: Option<&str>| {
        json!({
            "root": "/mnt/data", "files": files, "directories": 1, "symlinks": 0, "special": 0, "complete": complete,
            "errors": 0, "error_samples": [], "resume": resume,
        })
    };
    answers(
        &fake,
        &[counted(false, 5, Some("t")), counted(true, 9, None)],
    );
    let ran = run_against(&fake, &["count", "--root", "/mnt/data/x"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("9 files, 1 directory"), "{ran:?}");
    let root = "/mnt/data/x";
    assert_eq!(
        asked(&fake),
        [json!({"root": root}), json!({"root": root, "resume": "t"})]
    );
    let requests = fake.requests();
    assert!(
        requests.iter().all(|request| request.key == "s-count"),
        "{requests:?}"
    );
}

#[test]
fn too_low_a_count_is_not_completed() {
    let fake = stack();
    let sample = json!({"path": "a/b", "error": "open: permission denied"});
    let answer = json!({"files": 1, "complete": false, "errors": 1, "error_samples": [sample], "resume": null});
    answers(&fake, &[answer]);
    let ran = run_against(&fake, &["count"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("a/b: open: permission denied"), "{ran:?}");
}

/// The state machine's execution ends at the second look at it.
fn machine(fake: &FakeAws, end: impl Fn(&mut tests::fake_aws::States) + Send + Sync + 'static) {
    fake.states(|states| states.create(&format!("{STACK}-purge")));
    let ends = Fault::on(Operation::DescribeExecution).skip(1);
    fake.fault(ends.run(move |store| end(&mut store.states)));
}

#[test]
fn many_workers_are_an_execution() {
    let fake = stack();
    machine(&fake, |states| {
        states.succeed(swept("complete", None, false));
    });
    let ran = json_against(
        &fake,
        &["purge", "run", "--workers", "8", "--max-age-days", "7"],
    );
    assert_eq!(
        (ran.code, &ran.document()["files_purged"]),
        (0, &4.into()),
        "{ran:?}"
    );
    let [execution] = &executions(&fake)[..] else {
        panic!("not one execution");
    };
    let expected = json!({"action": "plan", "workers": 8, "dry_run": false, "max_age_days": 7.0});
    assert_eq!(execution.input, expected);
}

#[test]
fn an_execution_that_refuses_is_no_failure() {
    let fake = stack();
    machine(&fake, |states| states.fail("Purge.Refused", "too many"));
    let ran = run_against(&fake, &["purge", "run", "--workers", "8"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (3, "nothing is removed\n"),
        "{ran:?}"
    );
    assert!(ran.err.contains("too many"), "{ran:?}");
    let fake = stack();
    machine(&fake, |states| states.fail("Purge.TooManyRounds", "200"));
    let ran = run_against(&fake, &["purge", "run", "--workers", "8"]);
    assert_eq!(ran.code, 1, "{ran:?}");
}
