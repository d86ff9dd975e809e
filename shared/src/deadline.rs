//! When an invocation must have answered.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// cargo-lambda's emulator says how long there is and not until when; nothing real is due on the first day of 1970.
const EMULATED_MAX: Duration = Duration::from_hours(24);

/// The moment Lambda ends the invocation, from the runtime's own clock.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    since_epoch: Duration,
}

impl Deadline {
    /// From `Context::deadline`, milliseconds since the Unix epoch.
    ///
    /// 0 is a deadline long past and not an unknown one: work that has to fit into the remaining time must not
    /// read "no time" as "all the time".
    #[must_use]
    pub fn from_epoch_ms(epoch_ms: u64) -> Self {
        Self {
            since_epoch: Duration::from_millis(epoch_ms),
        }
    }

    /// Time left at `now`; zero once the deadline is reached.
    #[must_use]
    pub fn remaining(self, now: SystemTime) -> Duration {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let emulated = self.since_epoch <= EMULATED_MAX && now > EMULATED_MAX;
        if emulated {
            return self.since_epoch;
        }
        self.since_epoch.saturating_sub(now)
    }

    /// How long to wait at `now` for work that ought to end by itself before the deadline; never quite nothing.
    #[must_use]
    pub fn patience(self, now: SystemTime) -> Duration {
        self.remaining(now).saturating_sub(GIVE_UP).max(GIVE_UP)
    }
}

/// What is left of an invocation's time for saying that nothing has answered.
const GIVE_UP: Duration = Duration::from_millis(500);

/// Milliseconds since the Unix epoch; a time before it is the epoch.
#[must_use]
pub fn epoch_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch_ms: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(epoch_ms)
    }

    #[test]
    fn remaining_is_the_distance_to_the_deadline_and_never_negative() {
        let deadline = Deadline::from_epoch_ms(10_000);
        assert_eq!(deadline.remaining(at(9_999)), Duration::from_millis(1));
        assert_eq!(deadline.remaining(at(10_000)), Duration::ZERO);
        assert_eq!(deadline.remaining(at(10_001)), Duration::ZERO);
    }

    #[test]
    fn patience_ends_before_the_deadline() {
        let deadline = Deadline::from_epoch_ms(EMULATED_MAX.as_secs() * 2_000);
        let before = |seconds: u64| at(EMULATED_MAX.as_secs() * 2_000 - seconds * 1_000);
        assert_eq!(deadline.patience(before(10)), Duration::from_millis(9_500));
        assert_eq!(deadline.patience(before(0)), GIVE_UP);
    }

    #[test]
    fn a_deadline_of_zero_is_expired_not_unknown() {
        assert_eq!(Deadline::from_epoch_ms(0).remaining(at(1)), Duration::ZERO);
    }

    #[test]
    fn the_largest_deadline_does_not_overflow() {
        assert!(Deadline::from_epoch_ms(u64::MAX).remaining(at(0)) > Duration::from_secs(1));
    }

    #[test]
    fn an_emulators_length_is_taken_for_one() {
        let today = at(1_795_262_400_000);
        let length = Duration::from_mins(10);
        assert_eq!(Deadline::from_epoch_ms(600_000).remaining(today), length);
        assert_eq!(Deadline::from_epoch_ms(0).remaining(today), Duration::ZERO);
    }
}
