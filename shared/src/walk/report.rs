//! What a walk has to say: totals, errors with something to look at, and how it ended.

use std::ops::AddAssign;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::sweep::Sweep;
use super::watch::Progress;

/// Between two lines about how far a walk is, for a log.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(30);

/// For [`run`](super::run): reports what is done so far, so often.
pub fn progress_lines<S: Sweep>(
    every: Duration,
    mut report: impl FnMut(&Totals<S::Tally>),
) -> impl FnMut(&Progress<'_, S>) {
    let mut next = every;
    move |progress| {
        let elapsed = progress.elapsed();
        if elapsed >= next {
            next = elapsed + every;
            report(&progress.snapshot().totals);
        }
    }
}

/// Errors that are kept with their path and cause; the others are only counted.
pub const SAMPLES_MAX: usize = 10;

/// Longest path in a sample, bytes.
const SAMPLE_PATH_BYTES_MAX: usize = 512;

/// What a sweep counts.
pub trait Tally:
    Default + Clone + AddAssign + Serialize + DeserializeOwned + Send + 'static
{
}

/// An error on one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Below the root; what is not UTF-8 is replaced.
    pub path: String,
    /// Call and cause.
    pub error: String,
}

impl Sample {
    pub(super) fn new(path: &[u8], error: String) -> Self {
        let mut path = String::from_utf8_lossy(path).into_owned();
        path.truncate(path.floor_char_boundary(SAMPLE_PATH_BYTES_MAX));
        Self { path, error }
    }
}

/// Counts that belong together: those of one directory, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals<T> {
    /// The sweep's own.
    pub tally: T,
    /// Calls that failed for good.
    pub errors: u64,
    /// The first of them.
    pub samples: Vec<Sample>,
}

impl<T> Totals<T> {
    /// Counts an error.
    pub(super) fn failed(&mut self, sample: Sample) {
        self.errors += 1;
        self.sample([sample]);
    }

    fn sample(&mut self, samples: impl IntoIterator<Item = Sample>) {
        let room = SAMPLES_MAX.saturating_sub(self.samples.len());
        self.samples.extend(samples.into_iter().take(room));
    }
}

impl<T: AddAssign> AddAssign for Totals<T> {
    fn add_assign(&mut self, other: Self) {
        self.tally += other.tally;
        self.errors += other.errors;
        self.sample(other.samples);
    }
}

/// How a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was visited.
    Complete,
    /// It was stopped, by the deadline or by the sweep.
    Incomplete,
    /// No call came back for too long.
    Stalled,
}

/// How far a walk is.
#[derive(Clone, Debug, Default)]
pub struct Snapshot<T> {
    /// Of everything that is done, earlier runs included.
    pub totals: Totals<T>,
    /// Since the start of this run.
    pub elapsed: Duration,
    /// Most calls in flight at once.
    pub concurrency_peak: usize,
    /// Times that the limit was lowered because memory was short.
    pub memory_backpressure_events: u64,
    /// Most memory in use, as far as it was looked at, bytes.
    pub peak_memory_bytes: u64,
}
