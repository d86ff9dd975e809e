//! Whether a file is old enough. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::walk::{Attributes, Stamp};

/// Seconds of a day; leap seconds are none of Unix time's.
const DAY_SECONDS: f64 = 86_400.0;

/// Largest age that can be asked for, days: a hundred years.
pub const AGE_DAYS_MAX: f64 = 36_500.0;

/// Which of a file's times say how old it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgeBy {
    /// The later one of mtime and ctime: a file that was restored, copied with its times or moved is young.
    Newest,
    /// mtime alone, which anyone may set.
    Mtime,
}

impl AgeBy {
    /// All of them with their names in settings and payloads.
    pub const ALL: [(&'static str, Self); 2] = [("newest", Self::Newest), ("mtime", Self::Mtime)];
}

/// The rule of one sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// What counts.
    pub age_by: AgeBy,
    /// A file is due when it is older, strictly.
    pub cutoff: Stamp,
}

impl Retention {
    /// The cutoff is `max_age_days` before `began_at_ms`, milliseconds since the Unix epoch, to the millisecond.
    #[must_use]
    pub fn new(age_by: AgeBy, max_age_days: f64, began_at_ms: u64) -> Self {
        let age = Duration::from_secs_f64(max_age_days.clamp(0.0, AGE_DAYS_MAX) * DAY_SECONDS);
        let began_ms = i64::try_from(began_at_ms).unwrap_or(i64::MAX);
        let cutoff_ms = began_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let millisecond = u32::try_from(cutoff_ms.rem_euclid(1_000)).unwrap_or(0);
        let cutoff = Stamp {
            seconds: cutoff_ms.div_euclid(1_000),
            nanoseconds: millisecond * 1_000_000,
        };
        Self { age_by, cutoff }
    }

    /// Whether something with these times may go. A time in the future is young.
    #[must_use]
    pub fn is_due(&self, attributes: &Attributes) -> bool {
        self.changed(attributes) < self.cutoff
    }

    /// Whether this is still the file it was, and no younger nor older than it was.
    #[must_use]
    pub fn is_unchanged(&self, before: &Attributes, now: &Attributes) -> bool {
        before.inode == now.inode && self.changed(before) == self.changed(now)
    }

    /// From when on its age counts.
    fn changed(&self, attributes: &Attributes) -> Stamp {
        match self.age_by {
            AgeBy::Newest => attributes.mtime.max(attributes.ctime),
            AgeBy::Mtime => attributes.mtime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::walk::Kind;

    fn stamp(seconds: i64, nanoseconds: u32) -> Stamp {
        Stamp {
            seconds,
            nanoseconds,
        }
    }

    fn times(mtime: Stamp, ctime: Stamp) -> Attributes {
        Attributes {
            kind: Kind::File,
            mtime,
            ctime,
            size_bytes: 0,
            links: 1,
            inode: 1,
        }
    }

    const DAY_MS: u64 = 86_400_000;

    #[test]
    fn older_than_the_cutoff_means_strictly() {
        let retention = Retention::new(AgeBy::Newest, 1.0, 10 * DAY_MS);
        assert_eq!(retention.cutoff, stamp(9 * 86_400, 0));
        for (time, due) in [
            (stamp(9 * 86_400 - 1, 999_999_999), true),
            (stamp(9 * 86_400, 0), false),
            (stamp(9 * 86_400, 1), false),
        ] {
            assert_eq!(retention.is_due(&times(time, time)), due, "{time:?}");
        }
    }

    #[test]
    fn the_newest_time_decides_or_mtime_alone() {
        let (old, young) = (stamp(0, 0), stamp(9 * 86_400 + 1, 0));
        for (mtime, ctime, by_newest, by_mtime) in [
            (old, old, true, true),
            (old, young, false, true),
            (young, old, false, false),
            (young, young, false, false),
        ] {
            let attributes = times(mtime, ctime);
            let due = |age_by| Retention::new(age_by, 1.0, 10 * DAY_MS).is_due(&attributes);
            assert_eq!(
                (due(AgeBy::Newest), due(AgeBy::Mtime)),
                (by_newest, by_mtime)
            );
        }
    }

    #[test]
    fn the_future_is_young_and_so_is_now_at_age_zero() {
        let retention = Retention::new(AgeBy::Newest, 0.0, DAY_MS);
        for time in [stamp(86_400, 0), stamp(i64::MAX, 0)] {
            assert!(!retention.is_due(&times(time, time)));
        }
    }

    #[test]
    fn times_before_1970_are_old() {
        let retention = Retention::new(AgeBy::Newest, AGE_DAYS_MAX, 0);
        assert_eq!(retention.cutoff, stamp(-36_500 * 86_400, 0));
        let earlier = stamp(-36_500 * 86_400 - 1, 999_999_999);
        assert!(retention.is_due(&times(earlier, earlier)));
    }

    proptest! {
        #[test]
        fn what_is_due_stays_due_and_a_longer_age_is_never_stricter(
            seconds in 0..2_000_000_000_i64, days in 0.0..400.0_f64, more in 0.0..400.0_f64, now in 0..2_000_000_000_000_u64,
        ) {
            let attributes = times(stamp(seconds, 0), stamp(seconds, 0));
            let due = |days, now| Retention::new(AgeBy::Newest, days, now).is_due(&attributes);
            prop_assert!(!due(days, now) || due(days, now + 1_000_000));
            prop_assert!(!due(days + more, now) || due(days, now));
        }
    }
}
