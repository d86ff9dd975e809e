//! Which partitions of a job are done with. Pure.

use crate::error::BackfillError;
use crate::job::Job;
use crate::plan::PARTITIONS_MAX;

/// How many partitions of a hundred may be missing without the others being given up: the state machine's
/// `ToleratedFailurePercentage`.
pub const TOLERATED_PERCENT: u64 = 10;

/// A mark for each partition, by its number.
pub struct Roll {
    done: Vec<bool>,
}

/// Partitions without a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How many; at least 1.
    pub count: u64,
    /// Of how many.
    pub total: u64,
    /// Number of the first one.
    pub first: u64,
}

impl Roll {
    /// Without a mark yet.
    #[must_use]
    pub fn of(job: &Job) -> Self {
        let total = usize::try_from(job.record.partitions_total).unwrap_or(PARTITIONS_MAX);
        Self {
            done: vec![false; total],
        }
    }

    /// Marks one, if it is done; a number that the job does not have is nobody's.
    pub fn mark(&mut self, partition: u64, is_done: bool) {
        let place = usize::try_from(partition).ok();
        if let Some(done) = place.and_then(|place| self.done.get_mut(place)) {
            *done |= is_done;
        }
    }

    /// Those without a mark, if there are any.
    #[must_use]
    pub fn missing(&self) -> Option<Missing> {
        let first = self.done.iter().position(|done| !done)?;
        Some(Missing {
            count: self.done.iter().filter(|done| !**done).count() as u64,
            total: self.done.len() as u64,
            first: first as u64,
        })
    }

    /// `Ok` if all of them have one.
    pub fn call(&self, job: &Job) -> Result<(), BackfillError> {
        self.missing()
            .map_or(Ok(()), |missing| Err(missing.of(job)))
    }
}

impl Missing {
    /// Whether so few are missing that the job goes on without them, to fail at its end.
    #[must_use]
    pub const fn is_tolerated(self) -> bool {
        self.count * 100 <= self.total * TOLERATED_PERCENT
    }

    /// As an error.
    #[must_use]
    pub fn of(self, job: &Job) -> BackfillError {
        BackfillError::PartitionsMissing {
            job_id: job.record.job_id.clone(),
            missing: self.count,
            total: self.total,
            first: self.first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::job_in;
    use shared::job::JobState;

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
    fn one_in_ten_is_tolerated() {
        let is_tolerated = |count, total| {
            let first = 0;
            let missing = Missing {
                count,
                total,
                first,
            };
            missing.is_tolerated()
        };
        assert!(is_tolerated(1, 10) && is_tolerated(25, 257));
        assert!(!is_tolerated(1, 9) && !is_tolerated(26, 257) && !is_tolerated(3, 3));
    }
}
