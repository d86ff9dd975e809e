//! A backfill's job: the one record that says how far it is. Pure; [`crate::jobs`] keeps it in `DynamoDB`.

use serde::{Deserialize, Serialize};

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Its objects are being found and enqueued.
    Listing,
    /// All of them are in the queue; the compressor works on them.
    Processing,
    /// A listing pass found nothing left over.
    Completed,
    /// Something is left over, or could not be listed.
    Failed,
    /// Somebody ended it.
    Aborted,
}

impl JobState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 5] = [
        Self::Listing,
        Self::Processing,
        Self::Completed,
        Self::Failed,
        Self::Aborted,
    ];

    /// The name in the record, in logs and in answers.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }

    /// Whether nothing more happens to the job by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Listing | Self::Processing => false,
            Self::Completed | Self::Failed | Self::Aborted => true,
        }
    }
}

/// What an invocation of the compressor did for one job. All counts are objects unless they say bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Outputs written.
    pub succeeded: u64,
    /// Deliberately left alone, because they were done before, or gone.
    pub skipped: u64,
    /// Handed to the dead-letter queue.
    pub failed: u64,
    /// Bytes read of compressed objects.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
}

impl Outcomes {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl std::ops::AddAssign for Outcomes {
    fn add_assign(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }
}

/// The record, as it is read and printed. Counts are objects; times are RFC 3339 UTC.
///
/// `listed` and `enqueued` are exact, but for what an invocation that is under way has not told yet. `succeeded`,
/// `skipped`, `failed` and the bytes may lag and, since a queue delivers at least once, count an object twice: what is
/// really left over is what a verification counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Chosen by whoever started it.
    pub job_id: String,
    /// Where it is.
    pub state: JobState,
    /// Why it failed, or what a completed one has left out, in words.
    pub reason: Option<String>,
    /// `list` or `inventory`.
    pub mode: String,
    /// Counts only, enqueues nothing.
    pub dry_run: bool,
    /// Whose objects.
    pub bucket: String,
    /// What their keys begin with.
    pub prefix: String,
    /// Objects seen.
    pub listed: u64,
    /// Objects handed to the queue.
    pub enqueued: u64,
    /// Objects seen and not enqueued, because there is nothing to compress: folder markers.
    pub left_out: u64,
    /// Objects seen and not enqueued, because they must be restored before anybody can read them.
    #[serde(default)]
    pub archived: u64,
    /// Bytes of the objects that were, or with `dry_run` would be, enqueued.
    pub bytes_listed: u64,
    /// See [`Outcomes`].
    pub succeeded: u64,
    /// See [`Outcomes`].
    pub skipped: u64,
    /// See [`Outcomes`].
    pub failed: u64,
    /// See [`Outcomes`].
    pub bytes_in: u64,
    /// See [`Outcomes`].
    pub bytes_out: u64,
    /// Partitions that are listed to their end.
    pub partitions_done: u64,
    /// All of them.
    pub partitions_total: u64,
    /// Sources that were to be removed and are still there, at the last verification.
    pub remaining: Option<u64>,
    /// Sources without an output of their version, at the last verification.
    pub missing_outputs: Option<u64>,
    /// When it began.
    pub started_at: String,
    /// When anything of it last changed.
    pub updated_at: String,
    /// When it came to its final state.
    pub finished_at: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_by_the_name_it_is_written_by() {
        for state in JobState::ALL {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(text, format!("{:?}", state.label()));
            assert_eq!(serde_json::from_str::<JobState>(&text).unwrap(), state);
        }
    }
}
