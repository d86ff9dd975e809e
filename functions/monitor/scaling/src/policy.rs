//! What is wanted.

use std::time::Duration;

/// The settings that decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Files per mount target, at least 1.
    pub files_per_target: u64,
    /// Never fewer, at least 1.
    pub targets_min: u32,
    /// Never more.
    pub targets_max: u32,
    /// Whether someone has set that: only then are there too many above it. Without a setting it is how many zones the
    /// configured subnets have, and a subnet that is left out removes nothing.
    pub is_max_set: bool,
    /// Between two changes.
    pub cooldown: Duration,
    /// Between a change and a removal.
    pub scale_in_cooldown: Duration,
    /// Whether mount targets are removed at all.
    pub scale_in: bool,
    /// Zones, by id or name, whose mount targets stay.
    pub protected_zones: Vec<String>,
    /// Whether decisions are carried out.
    pub mode: Mode,
}

/// What becomes of a change that should be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is made.
    Apply,
    /// It is said.
    Recommend,
}

impl Policy {
    /// Mount targets for so many files: ⌈files ÷ threshold⌉ within the bounds.
    #[must_use]
    pub fn desired(&self, files: u64) -> u32 {
        let wanted = files.div_ceil(self.files_per_target.max(1));
        let max = self.targets_max.max(self.targets_min);
        u32::try_from(wanted)
            .unwrap_or(u32::MAX)
            .clamp(self.targets_min.max(1), max.max(1))
    }

    /// Whether more would be wanted if there were no maximum.
    #[must_use]
    pub fn is_capped(&self, files: u64) -> bool {
        files.div_ceil(self.files_per_target.max(1)) > u64::from(self.desired(files))
    }

    /// Whether so few files are left that one target fewer than `targets` would do, with a fifth to spare.
    ///
    /// Files have to fall below 80 % of what one target fewer is there for; otherwise a count that swings around a
    /// multiple of the threshold would add and remove for ever.
    #[must_use]
    pub fn is_well_below(&self, files: u64, targets: u32) -> bool {
        let next_lower = u128::from(targets.saturating_sub(1)) * u128::from(self.files_per_target);
        u128::from(files) * 5 < next_lower * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy {
            files_per_target: 100,
            targets_min: 1,
            targets_max: 3,
            is_max_set: true,
            cooldown: Duration::ZERO,
            scale_in_cooldown: Duration::ZERO,
            scale_in: true,
            protected_zones: Vec::new(),
            mode: Mode::Apply,
        }
    }

    #[test]
    fn one_target_serves_the_threshold_and_the_next_file_wants_another() {
        for (files, desired) in [
            (0, 1),
            (1, 1),
            (99, 1),
            (100, 1),
            (101, 2),
            (200, 2),
            (201, 3),
            (300, 3),
            (301, 3),
            (u64::MAX, 3),
        ] {
            assert_eq!(policy().desired(files), desired, "{files}");
        }
    }

    #[test]
    fn bounds_hold_whatever_the_count() {
        let policy = Policy {
            targets_min: 2,
            ..policy()
        };
        assert_eq!((policy.desired(0), policy.desired(u64::MAX)), (2, 3));
        let capped = [0, 300, 301].map(|files| policy.is_capped(files));
        assert_eq!(capped, [false, false, true]);
    }

    #[test]
    fn a_fifth_must_be_to_spare() {
        for (files, targets, below) in [
            (79, 2, true),
            (80, 2, false),
            (81, 2, false),
            (159, 3, true),
            (160, 3, false),
            (0, 1, false),
            (u64::MAX, u32::MAX, false),
        ] {
            assert_eq!(
                policy().is_well_below(files, targets),
                below,
                "{files} {targets}"
            );
        }
    }
}
