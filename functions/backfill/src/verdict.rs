//! What a round of verification means for its job. Pure.

use std::fmt::Write as _;

use shared::job::JobState;

use crate::job::Job;
use crate::progress::{Leftover, is_on_its_way};
use crate::roll::Missing;

/// What a round has found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Round {
    /// All that is left over.
    pub leftover: Leftover,
    /// Of it, what is in partitions that are listed: this is waited for. Of the others something may be on its way, too, but
    /// the job fails for what is not.
    pub listed: Leftover,
    /// Partitions that are not.
    pub unlisted: Option<Missing>,
}

/// Also a job of which not everything was listed is completed when nothing of it is left over.
#[must_use]
pub fn verdict(job: &Job, found: Round, is_last: bool) -> JobState {
    if found.leftover == Leftover::default() {
        return JobState::Completed;
    }
    let is_processing = job.record.state == JobState::Processing;
    let is_waited_for = !is_last && is_on_its_way(found.listed, &job.record);
    if is_processing && is_waited_for {
        JobState::Processing
    } else {
        JobState::Failed
    }
}

/// In words.
#[must_use]
pub fn failed_reason(found: Round) -> String {
    let Leftover {
        remaining,
        missing_outputs,
        gone,
    } = found.leftover;
    let mut reason = format!("{remaining} sources remain, {missing_outputs} outputs are missing");
    if gone > 0 {
        let _ = write!(reason, ", {gone} of them of sources that are gone");
    }
    if let Some(missing) = found.unlisted {
        let _ = write!(reason, "; {}", not_listed(missing));
    }
    reason
}

/// A completed job has not done everything if what it could not read is more than nothing, and does not know of all that it
/// could not if it could not list it.
#[must_use]
pub fn completed_reason(job: &Job, unlisted: Option<Missing>) -> String {
    let archived = match job.record.archived {
        0 => None,
        1 => Some("1 archived object was left out: restore it first".to_owned()),
        archived => Some(format!(
            "{archived} archived objects were left out: restore them first"
        )),
    };
    let unlisted = unlisted.map(|missing| {
        let words = not_listed(missing);
        format!("{words}; nothing is left over in them, but archived objects were not counted")
    });
    let reasons: Vec<String> = archived.into_iter().chain(unlisted).collect();
    reasons.join("; ")
}

fn not_listed(
    Missing {
        count,
        total,
        first,
    }: Missing,
) -> String {
    format!("{count} of {total} partitions could not be listed, the first: {first}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::job_in;

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
}
