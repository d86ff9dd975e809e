//! When an invocation must have answered.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
        self.since_epoch.saturating_sub(now)
    }

    /// The same deadline, `margin` earlier: what is left then belongs to finishing and reporting.
    #[must_use]
    pub fn before(self, margin: Duration) -> Self {
        Self {
            since_epoch: self.since_epoch.saturating_sub(margin),
        }
    }
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
    fn a_deadline_of_zero_is_expired_not_unknown() {
        assert_eq!(Deadline::from_epoch_ms(0).remaining(at(1)), Duration::ZERO);
    }

    #[test]
    fn the_margin_is_taken_off_and_may_exceed_the_deadline() {
        let deadline = Deadline::from_epoch_ms(10_000);
        assert_eq!(
            deadline.before(Duration::from_secs(3)).remaining(at(5_000)),
            Duration::from_secs(2)
        );
        assert_eq!(
            deadline.before(Duration::from_secs(11)).remaining(at(0)),
            Duration::ZERO
        );
    }

    #[test]
    fn the_largest_deadline_does_not_overflow() {
        assert!(Deadline::from_epoch_ms(u64::MAX).remaining(at(0)) > Duration::from_secs(1));
    }
}
