//! What a sweep answers. Pure.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use shared::walk::{Sample, Snapshot, Stamp, Totals};
use time::OffsetDateTime;

use crate::plan_file::UnitRange;
use crate::sweep::Mode;
use crate::tally::Counts;

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything was visited.
    Complete,
    /// The time was up; `resume` goes on.
    Incomplete,
    /// A budget would have been passed, or someone else is at it; nothing was removed.
    Refused,
    /// No call came back for too long; `resume` goes on.
    Stalled,
}

impl Status {
    /// Its name in answers and log lines.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Refused => "refused",
            Self::Stalled => "stalled",
        }
    }
}

/// The answer; every field is always there.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README and `Counts` say what they are")]
pub struct Answer {
    pub status: Status,
    /// Why it was refused, else null.
    pub reason: Option<String>,
    pub dry_run: bool,
    pub root: String,
    pub cutoff: String,
    pub files_scanned: u64,
    pub files_purged: u64,
    pub files_to_purge: u64,
    pub dirs_scanned: u64,
    pub dirs_purged: u64,
    pub dirs_to_purge: u64,
    pub bytes_freed: u64,
    pub mb_freed: f64,
    pub symlinks_skipped: u64,
    pub special_files_skipped: u64,
    pub errors: u64,
    pub error_samples: Vec<Sample>,
    pub memory_backpressure_events: u64,
    pub peak_memory_mb: f64,
    pub memory_mb_per_1k_files: f64,
    pub files_per_second: f64,
    pub duration_seconds: f64,
    pub concurrency_peak: usize,
    pub resume: Option<String>,
    /// What this invocation added, for metrics.
    #[serde(skip)]
    pub fresh: Fresh,
}

/// What one invocation of several did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `Answer`")]
pub struct Fresh {
    pub files_scanned: u64,
    pub files_purged: u64,
    pub dirs_purged: u64,
    pub errors: u64,
}

/// What an answer is made of.
#[derive(Clone, Debug)]
pub struct Sweep<'a> {
    /// Below which directory.
    pub root: &'a Path,
    /// Whether anything may have been removed.
    pub mode: Mode,
    /// Whether this was the pass before the one that removes.
    pub only_counted: bool,
    /// What was old enough.
    pub cutoff: Stamp,
    /// What was counted.
    pub snapshot: Snapshot<Counts>,
    /// What earlier invocations counted of it.
    pub before: Totals<Counts>,
    /// Of this invocation, all passes.
    pub duration: Duration,
}

impl Answer {
    /// Of a sweep that ended like this.
    #[must_use]
    pub fn new(status: Status, sweep: Sweep<'_>) -> Self {
        let totals = sweep.snapshot.totals;
        let counts = totals.tally;
        // A dry run says what would be freed; a sweep that has not begun to remove has freed nothing.
        let bytes_freed = if sweep.only_counted {
            0
        } else {
            counts.bytes_freed
        };
        let duration_seconds = sweep.duration.as_secs_f64();
        let before = sweep.before.tally;
        let fresh = Fresh {
            files_scanned: counts.files_scanned.saturating_sub(before.files_scanned),
            files_purged: counts.files_purged.saturating_sub(before.files_purged),
            dirs_purged: counts.dirs_purged.saturating_sub(before.dirs_purged),
            errors: totals.errors.saturating_sub(sweep.before.errors),
        };
        let scanned_now = fresh.files_scanned;
        let peak_memory_mb = megabytes(sweep.snapshot.peak_memory_bytes);
        Self {
            status,
            reason: None,
            dry_run: sweep.mode == Mode::DryRun,
            root: sweep.root.to_string_lossy().into_owned(),
            cutoff: rfc3339(sweep.cutoff),
            files_scanned: counts.files_scanned,
            files_purged: counts.files_purged,
            files_to_purge: counts.files_to_purge,
            dirs_scanned: counts.dirs_scanned,
            dirs_purged: counts.dirs_purged,
            dirs_to_purge: counts.dirs_to_purge,
            bytes_freed,
            mb_freed: megabytes(bytes_freed),
            symlinks_skipped: counts.symlinks_skipped,
            special_files_skipped: counts.special_files_skipped,
            errors: totals.errors,
            error_samples: totals.samples,
            memory_backpressure_events: sweep.snapshot.memory_backpressure_events,
            peak_memory_mb,
            memory_mb_per_1k_files: per(peak_memory_mb, float(scanned_now) / 1_000.0),
            files_per_second: per(float(scanned_now), duration_seconds),
            duration_seconds,
            concurrency_peak: sweep.snapshot.concurrency_peak,
            resume: None,
            fresh,
        }
    }
}

/// What a plan answers; its units are in its file.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the README says what they are")]
pub struct PlanAnswer {
    /// `planned`, or `refused` when someone else is at it or was.
    pub status: &'static str,
    /// Why it was refused, else null.
    pub reason: Option<String>,
    pub plan: String,
    pub root: String,
    pub dry_run: bool,
    pub cutoff: String,
    pub workers: usize,
    /// Whether the ranges must be counted and checked before they may be swept.
    pub counts_first: bool,
    pub units: usize,
    pub ranges: Vec<UnitRange>,
    /// Whose state machine asked.
    pub execution: Option<String>,
    pub duration_seconds: f64,
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
const fn float(number: u64) -> f64 {
    number as f64
}

fn megabytes(bytes: u64) -> f64 {
    float(bytes) / 1_048_576.0
}

/// 0 of nothing.
fn per(number: f64, of: f64) -> f64 {
    if of > 0.0 { number / of } else { 0.0 }
}

/// To the millisecond, UTC.
pub(crate) fn rfc3339(stamp: Stamp) -> String {
    let Ok(time) = OffsetDateTime::from_unix_timestamp(stamp.seconds) else {
        return format!("{} s since 1970", stamp.seconds);
    };
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = time.to_hms();
    let millisecond = stamp.nanoseconds / 1_000_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}
