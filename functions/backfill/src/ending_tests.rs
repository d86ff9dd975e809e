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

#[test]
fn a_roll_names_how_many_are_missing_and_the_first() {
    let job = job_in(JobState::Listing, 0);
    let mut roll = Roll::of(&job);
    roll.mark(0, true);
    roll.mark(7, true);
    roll.mark(1, false);
    let text = roll.call(&job).unwrap_err().to_string();
    assert_eq!(
        text,
        "2 of 3 partitions of job j are not done, the first: 1"
    );
    roll.mark(1, true);
    roll.mark(2, true);
    assert!(roll.call(&job).is_ok());
}

#[test]
fn only_a_job_without_leftovers_is_completed() {
    let left = |remaining, missing_outputs| Leftover {
        remaining,
        missing_outputs,
        gone: 0,
    };
    let processing = job_in(JobState::Processing, 2);
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
