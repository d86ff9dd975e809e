use super::*;
use shared::jobs::key;

pub(crate) fn job_in(state: JobState, failed: u64) -> Job {
    let mut item = key("j", RECORD);
    for (name, value) in [
        ("state", state.label()),
        ("mode", "list"),
        ("bucket", "b"),
        ("prefix", "incoming/"),
        ("started_at", "2026-11-21T00:00:00Z"),
        ("updated_at", "2026-11-21T00:00:00Z"),
        ("plan", "p"),
    ] {
        item.insert(name.to_owned(), text(value));
    }
    item.insert("dry_run".to_owned(), crate::table::boolean(false));
    for (name, value) in [("workers", 1), ("partitions_total", 3), ("failed", failed)] {
        item.insert(name.to_owned(), number(value));
    }
    Job::read("j", &item).unwrap()
}

fn left(remaining: u64, missing_outputs: u64) -> Leftover {
    Leftover {
        remaining,
        missing_outputs,
        gone: 0,
    }
}

/// Found in partitions that are all listed.
fn found(leftover: Leftover) -> Round {
    Round {
        leftover,
        listed: leftover,
        unlisted: None,
    }
}

#[test]
fn only_a_job_without_leftovers_is_completed() {
    let processing = job_in(JobState::Processing, 2);
    let verdict = |job: &Job, leftover, is_last| verdict(job, found(leftover), is_last);
    assert_eq!(verdict(&processing, left(0, 0), false), JobState::Completed);
    assert_eq!(verdict(&processing, left(2, 2), false), JobState::Failed);
    assert_eq!(
        verdict(&processing, left(3, 0), false),
        JobState::Processing
    );
    assert_eq!(verdict(&processing, left(3, 0), true), JobState::Failed);
    // A job that had ended does not begin to wait again.
    let ended = job_in(JobState::Failed, 0);
    assert_eq!(verdict(&ended, left(1, 1), false), JobState::Failed);
    assert_eq!(verdict(&ended, left(0, 0), true), JobState::Completed);
}

#[test]
fn what_was_not_listed_fails_a_job_and_is_not_waited_for() {
    let job = job_in(JobState::Processing, 0);
    let unlisted = Some(Missing {
        count: 2,
        total: 40,
        first: 7,
    });
    let round = |listed| Round {
        leftover: left(9, 9),
        listed,
        unlisted,
    };
    assert_eq!(verdict(&job, round(left(0, 0)), false), JobState::Failed);
    assert_eq!(
        verdict(&job, round(left(1, 1)), false),
        JobState::Processing,
        "what is in the queue still is"
    );
    assert_eq!(
        failed_reason(round(left(0, 0))),
        "9 sources remain, 9 outputs are missing; 2 of 40 partitions could not be listed, the first: 7"
    );
}
