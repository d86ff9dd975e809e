//! When to verify. Pure.

use serde::{Deserialize, Serialize};
use shared::job::JobRecord;

/// For how many times `poll_seconds` nothing new must be seen before a verification that found something missing is repeated,
/// or a few are taken for done that nobody has told of.
const QUIET_POLLS: u64 = 5;
/// So many are few, or one in a hundred: that is what counts that got lost come to. Verifying earlier would look at all that is
/// still in the queue.
const FEW: u64 = 1_000;
const FEW_MAX: u64 = 100_000;
/// Looks at the first pace; then each wait is longer than the one before, about a hundredth of all the time waited. A state
/// machine's execution has at most 25,000 events, nine of them for each look.
const LOOKS_AT_FIRST_PACE: u64 = 60;
/// Looks after which each wait is at least a second longer than the one before, however short the first ones were: so there
/// are no more than 2,200 of them in the two weeks for which a queue keeps a message.
const LOOKS_AT_ANY_PACE: u64 = 600;
/// Longest wait between two looks, seconds, unless `poll_seconds` is longer.
const WAIT_MAX_S: u64 = 1_800;

/// How a job is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two looks at the record, seconds; longer when many were in vain.
    pub poll_seconds: u64,
    /// Without any change for so long, seconds, what is missing is missing.
    pub settle_seconds: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            poll_seconds: 60,
            settle_seconds: 7_200,
        }
    }
}

impl Timing {
    /// How long to wait after so many looks, seconds.
    #[must_use]
    pub fn wait_s(self, looks: u64) -> u64 {
        let longer = self.poll_seconds.saturating_mul(looks) / LOOKS_AT_FIRST_PACE;
        let longer = longer.max(looks.saturating_sub(LOOKS_AT_ANY_PACE));
        longer.min(WAIT_MAX_S).max(self.poll_seconds)
    }
}

/// What the looks before have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seen {
    /// Objects that `compress` has told of.
    pub counted: u64,
    /// How long that number has been the same, seconds.
    pub unchanged_s: u64,
    /// Looks so far.
    pub looks: u64,
    /// How long was to be waited before the next look, seconds.
    pub wait_s: u64,
    /// The number at the last verification.
    pub verified: Option<u64>,
    /// Verifications so far.
    pub verifications: u64,
}

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look again later.
    Wait,
    /// Verify now.
    Verify {
        /// Whether it decides in any case: nothing has changed for so long that nothing will.
        is_last: bool,
    },
}

/// Decides from the record, and says what the next look must know.
///
/// The counts may be ahead of the truth, since a message that is delivered twice counts twice, and behind it for ever, since
/// a count can get lost: so they say when to verify, and the verification says how things are.
#[must_use]
pub fn decide(record: &JobRecord, before: Seen, timing: Timing) -> (Next, Seen) {
    let counted = record.succeeded + record.skipped + record.failed;
    let unchanged_s = if counted == before.counted {
        before.unchanged_s.saturating_add(before.wait_s)
    } else {
        0
    };
    let looks = before.looks.saturating_add(1);
    let seen = Seen {
        counted,
        unchanged_s,
        looks,
        wait_s: timing.wait_s(looks),
        ..before
    };
    let is_last = unchanged_s >= timing.settle_seconds;
    let is_quiet = unchanged_s >= QUIET_POLLS * timing.poll_seconds;
    let is_due = match untold(record) {
        0 => before.verified.is_none() || is_quiet,
        untold => is_quiet && untold <= (record.enqueued / 100).clamp(FEW, FEW_MAX),
    };
    if !(is_last || is_due && before.verified != Some(counted)) {
        return (Next::Wait, seen);
    }
    let seen = Seen {
        verified: Some(counted),
        verifications: before.verifications + 1,
        ..seen
    };
    (Next::Verify { is_last }, seen)
}

/// What a verification found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    /// Sources that were to be removed.
    pub remaining: u64,
    /// Sources without an output.
    pub missing_outputs: u64,
    /// Of these, sources that are gone.
    pub gone: u64,
}

impl std::ops::AddAssign for Leftover {
    fn add_assign(&mut self, other: Self) {
        self.remaining += other.remaining;
        self.missing_outputs += other.missing_outputs;
        self.gone += other.gone;
    }
}

/// What is enqueued and nobody has told of.
const fn untold(record: &JobRecord) -> u64 {
    let told = record.succeeded + record.skipped + record.failed;
    record.enqueued.saturating_sub(told)
}

/// Whether what is left over may still be on its way: nobody has told of all, or more is left than was given up.
#[must_use]
pub fn is_on_its_way(leftover: Leftover, record: &JobRecord) -> bool {
    let left = leftover.remaining.max(leftover.missing_outputs);
    left > 0 && (untold(record) > 0 || left > record.failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::job::JobState;

    const TIMING: Timing = Timing {
        poll_seconds: 60,
        settle_seconds: 600,
    };

    fn record(enqueued: u64, succeeded: u64) -> JobRecord {
        JobRecord {
            job_id: "j".into(),
            state: JobState::Processing,
            reason: None,
            mode: "list".into(),
            dry_run: false,
            bucket: "b".into(),
            prefix: "incoming/".into(),
            listed: enqueued,
            enqueued,
            left_out: 0,
            archived: 0,
            bytes_listed: 0,
            succeeded,
            skipped: 0,
            failed: 0,
            bytes_in: 0,
            bytes_out: 0,
            partitions_done: 1,
            partitions_total: 1,
            remaining: None,
            missing_outputs: None,
            started_at: String::new(),
            updated_at: String::new(),
            finished_at: None,
        }
    }

    /// Looks at each of these counts in turn; the answers.
    fn looks(enqueued: u64, counts: &[u64]) -> Vec<Next> {
        let mut seen = Seen::default();
        let mut answers = Vec::new();
        for succeeded in counts {
            let (next, now) = decide(&record(enqueued, *succeeded), seen, TIMING);
            answers.push(next);
            seen = now;
        }
        answers
    }

    #[test]
    fn what_is_all_told_is_verified_at_once() {
        let early = Next::Verify { is_last: false };
        assert_eq!(looks(10, &[3, 9, 10]), [Next::Wait, Next::Wait, early]);
        assert_eq!(looks(0, &[0]), [early]);
    }

    #[test]
    fn failed_and_skipped_are_told_too() {
        let told = JobRecord {
            skipped: 3,
            failed: 2,
            ..record(10, 5)
        };
        let (next, _) = decide(&told, Seen::default(), TIMING);
        assert_eq!(next, Next::Verify { is_last: false });
    }

    #[test]
    fn what_no_longer_changes_is_verified_once_it_has_settled() {
        let answers = looks(2_000_000, &[3; 12]);
        let first = answers.iter().position(|next| *next != Next::Wait);
        assert_eq!(first, Some(10));
        assert_eq!(answers[10], Next::Verify { is_last: true });
    }

    #[test]
    fn a_few_that_nobody_tells_of_are_not_waited_for_until_it_has_settled() {
        for (enqueued, told) in [(10, 3), (1_000, 0), (200_000, 198_000)] {
            let answers = looks(enqueued, &[told; 11]);
            let verified: Vec<usize> = (0..answers.len())
                .filter(|at| answers[*at] != Next::Wait)
                .collect();
            assert_eq!(verified, [5, 10], "{enqueued} {told}");
            assert_eq!(answers[5], Next::Verify { is_last: false });
        }
        // A hundredth of very many is more than to look at them.
        let answers = looks(1_000_000_000, &[991_000_000; 10]);
        assert!(answers.iter().all(|next| *next == Next::Wait));
        // While they change it is not quiet.
        assert!(
            looks(100, &[1, 2, 3, 4, 5, 6, 7, 8])
                .iter()
                .all(|next| *next == Next::Wait)
        );
    }

    #[test]
    fn a_change_begins_the_wait_anew() {
        let counts: Vec<u64> = (0..40).map(|look| look / 5).collect();
        assert!(looks(10, &counts).iter().all(|next| *next == Next::Wait));
    }

    #[test]
    fn two_weeks_of_waiting_fit_into_one_execution() {
        let timing = Timing::default();
        assert_eq!(
            [1, 60, 61, 120].map(|looks| timing.wait_s(looks)),
            [60, 60, 61, 120]
        );
        for poll_seconds in [1, 5, 60, 3_600] {
            let timing = Timing {
                poll_seconds,
                ..timing
            };
            let waited: u64 = (1..=2_200).map(|looks| timing.wait_s(looks)).sum();
            assert!(waited >= 14 * 24 * 3_600, "{poll_seconds}: {waited}");
        }
    }

    #[test]
    fn counts_that_are_ahead_are_verified_again_when_they_come_to_rest() {
        let mut counts = vec![10, 11, 12];
        counts.extend([13; 7]);
        let answers = looks(10, &counts);
        let verified: Vec<usize> = (0..answers.len())
            .filter(|at| answers[*at] != Next::Wait)
            .collect();
        assert_eq!(verified, [0, 8]);
    }

    #[test]
    fn what_was_given_up_is_not_waited_for() {
        let left = |remaining, missing_outputs| Leftover {
            remaining,
            missing_outputs,
            gone: 0,
        };
        let job = |enqueued, succeeded, failed| JobRecord {
            failed,
            ..record(enqueued, succeeded)
        };
        let all_told = job(100, 80, 20);
        assert!(!is_on_its_way(left(20, 20), &all_told));
        assert!(is_on_its_way(left(21, 20), &all_told));
        assert!(is_on_its_way(left(0, 1), &job(1, 1, 0)));
        assert!(!is_on_its_way(left(0, 0), &job(1, 0, 0)));
        // Enqueued again after they had failed, and not yet told of.
        assert!(is_on_its_way(left(20, 20), &job(120, 80, 20)));
    }
}
