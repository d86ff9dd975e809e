//! A plan as it is kept below a root, and what its files are called. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::walk::{Plan, Totals};

use crate::tally::Counts;

/// Ranges for each worker: enough that a slow one keeps nobody waiting for long.
pub const RANGES_PER_WORKER: usize = 4;

/// Most workers of a plan: its ranges must fit into a state of Step Functions, 256 KB.
pub const WORKERS_MAX: u64 = 1_000;

/// A plan and what its ranges are swept with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanFile {
    /// The options, as a payload says them.
    pub options: Value,
    /// Stands for them.
    pub options_hash: String,
    /// The root's number in its file system.
    pub root_inode: u64,
    /// When all ages count from, milliseconds since the Unix epoch.
    pub began_at_ms: u64,
    /// In how many parts.
    pub ranges: Vec<UnitRange>,
    /// The units.
    pub plan: Plan,
}

/// Units `from..to` of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitRange {
    /// The first one.
    pub from: usize,
    /// The one after the last.
    pub to: usize,
}

/// What is done with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// What is due is counted, for the budget.
    Count,
    /// What was asked for.
    Sweep,
}

/// What came of a range.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RangeDone {
    /// What was answered.
    pub answer: Value,
    /// The counts, exactly.
    pub totals: Totals<Counts>,
    /// Invocations that it took, each with a list of the directories that it left empty.
    pub slices: u32,
}

/// What came of the budget.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checked {
    /// What was answered.
    pub answer: Value,
    /// Whether the ranges may be swept.
    pub allowed: bool,
}

impl Pass {
    /// All of them with their names in payloads.
    pub const ALL: [(&'static str, Self); 2] = [("count", Self::Count), ("sweep", Self::Sweep)];

    /// Its name in payloads and files.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sweep => "sweep",
        }
    }
}

/// Shares `units` among `workers`: as even as can be, none empty.
#[must_use]
pub fn ranges(units: usize, workers: usize) -> Vec<UnitRange> {
    let parts = units.min(workers.saturating_mul(RANGES_PER_WORKER)).max(1);
    let bound = |part: usize| part * units / parts;
    (0..parts)
        .map(|part| UnitRange {
            from: bound(part),
            to: bound(part + 1),
        })
        .collect()
}

/// Files in the folder of a plan.
pub mod names {
    use super::{Pass, UnitRange};

    /// The plan itself.
    pub const PLAN: &str = "plan";
    /// What came of the budget.
    pub const CHECKED: &str = "checked";
    /// What came of all.
    pub const RESULT: &str = "result";

    /// When anything was last done by it, if that may remove something.
    pub const TOUCHED: &str = "touched";

    /// What was answered about a range that was not done yet.
    #[must_use]
    pub fn slice(pass: Pass, range: UnitRange, slice: u32) -> String {
        format!("{}.{slice}.answer", of(pass, range))
    }

    /// What came of a range.
    #[must_use]
    pub fn done(pass: Pass, range: UnitRange) -> String {
        format!("{}.done", of(pass, range))
    }

    /// The directories that one slice of a range has left empty.
    #[must_use]
    pub fn empty(range: UnitRange, slice: u32) -> String {
        format!("{}.{slice}.empty", of(Pass::Sweep, range))
    }

    /// A range.
    #[must_use]
    pub fn of(pass: Pass, range: UnitRange) -> String {
        format!("{}.{}-{}", pass.label(), range.from, range.to)
    }
}

/// Whether a name from outside can be one of a plan.
#[must_use]
pub fn is_plan_name(name: &str) -> bool {
    let ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !name.is_empty() && name.len() <= 64 && name.bytes().all(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_all_units_once_and_differ_by_one_at_most() {
        for units in [1, 2, 3, 31, 32, 33, 1_000, 24_999] {
            for workers in [1, 2, 8, 1_000] {
                let ranges = ranges(units, workers);
                assert_eq!(ranges[0].from, 0);
                assert_eq!(ranges.last().unwrap().to, units);
                assert!(ranges.windows(2).all(|pair| pair[0].to == pair[1].from));
                let sizes: Vec<usize> = ranges.iter().map(|range| range.to - range.from).collect();
                let (min, max) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
                assert!(*min > 0 && max - min <= 1, "{units} {workers}");
                assert!(ranges.len() <= RANGES_PER_WORKER * workers);
            }
        }
    }

    #[test]
    fn the_most_ranges_fit_into_a_state() {
        let workers = usize::try_from(WORKERS_MAX).unwrap();
        let ranges = ranges(10_000_000, workers);
        assert_eq!(ranges.len(), RANGES_PER_WORKER * workers);
        assert!(serde_json::to_string(&ranges).unwrap().len() < 200_000);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for name in ["", ".", "..", "a/b", "a.plan", "a\0", &"a".repeat(65)] {
            assert!(!is_plan_name(name), "{name}");
        }
        assert!(is_plan_name("1763683200007-k3_J-x"));
    }
}
