//! How long to wait before the next attempt.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Doubles with each attempt, with full jitter, so that those who failed together do not come back together.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    attempt: u32,
    attempts_max: u32,
}

impl Backoff {
    /// For at most `attempts_max` attempts, the first one included.
    #[must_use]
    pub const fn new(attempts_max: u32) -> Self {
        Self {
            attempt: 1,
            attempts_max,
        }
    }

    /// The delay before the next attempt, at most five seconds; none if there shall be no other. `random` is from 0 to 1.
    #[must_use]
    pub fn next(&mut self, random: f64) -> Option<Duration> {
        if self.attempt >= self.attempts_max {
            return None;
        }
        let most = FIRST.saturating_mul(1 << (self.attempt - 1).min(16));
        self.attempt += 1;
        Some(most.min(LONGEST).mul_f64(random.clamp(0.0, 1.0)))
    }
}

/// From 0 to 1; good enough for jitter.
#[must_use]
pub fn random() -> f64 {
    let bits = RandomState::new().hash_one(()) >> 32;
    f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_five_seconds_and_end() {
        let mut backoff = Backoff::new(10);
        let delays: Vec<u128> = std::iter::from_fn(|| backoff.next(1.0))
            .map(|delay| delay.as_millis())
            .collect();
        assert_eq!(delays, [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(Backoff::new(2).next(0.0), Some(Duration::ZERO));
    }

    #[test]
    fn randomness_is_from_0_to_1_and_differs() {
        let numbers: Vec<f64> = std::iter::repeat_with(random).take(20).collect();
        assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)));
        assert!(
            numbers
                .iter()
                .any(|number| (number - numbers[0]).abs() > f64::EPSILON)
        );
    }
}
