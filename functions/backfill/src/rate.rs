//! How fast one child may enqueue, so that all of them together keep to the job's rate.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// How long a child may go on without a checkpoint where it enqueues slowly.
const SLICE: Duration = Duration::from_secs(2);

/// The rate of a job, and who shares it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// `max_rate_per_second` of the job, all children together; at least 1.
    pub per_second: f64,
    /// Children at a time.
    pub children: u64,
}

impl Pace {
    /// The same when only so many partitions are left: a child has one of them at least, so there are no more children.
    #[must_use]
    pub fn left_to(self, partitions: u64) -> Self {
        Self {
            children: self.children.min(partitions).max(1),
            ..self
        }
    }

    /// From one message of a child to its next.
    #[must_use]
    pub fn period(self) -> Duration {
        let children = u32::try_from(self.children.max(1)).unwrap_or(u32::MAX);
        Duration::from_secs_f64(f64::from(children) / self.per_second.max(1.0))
            .max(Duration::from_nanos(1))
    }

    /// Objects between two checkpoints, at most `most`: as many as two seconds allow, and one call of the queue at least.
    #[must_use]
    pub fn slice(self, most: usize) -> usize {
        let objects = SLICE.as_nanos() / self.period().as_nanos().max(1);
        usize::try_from(objects)
            .unwrap_or(usize::MAX)
            .clamp(10.min(most), most)
    }
}

/// Lets messages pass one by one.
pub struct Limiter {
    cells: DefaultDirectRateLimiter,
    clock: DefaultClock,
    pace: Pace,
}

impl Limiter {
    /// A tenth of a second's messages may pass at once: timers are not exact.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        let burst = Duration::from_millis(100).as_nanos() / pace.period().as_nanos().max(1);
        let burst = u32::try_from(burst).unwrap_or(u32::MAX);
        let quota = Quota::with_period(pace.period())
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
        Self {
            cells: RateLimiter::direct(quota),
            clock: DefaultClock::default(),
            pace,
        }
    }

    /// What it was made for.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Waits until `messages` may pass.
    pub async fn pass(&self, messages: usize) {
        for _ in 0..messages {
            while let Err(early) = self.cells.check() {
                tokio::time::sleep(early.wait_time_from(self.clock.now())).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn pace(per_second: f64, children: u64) -> Pace {
        Pace {
            per_second,
            children,
        }
    }

    #[test]
    fn children_share_the_rate() {
        assert_eq!(pace(100.0, 1).period(), Duration::from_millis(10));
        assert_eq!(pace(100.0, 10).period(), Duration::from_millis(100));
        assert_eq!(pace(2.0, 1_000).period(), Duration::from_secs(500));
    }

    #[test]
    fn fewer_children_have_more_of_the_rate_each() {
        let children = |partitions| pace(100.0, 10).left_to(partitions).children;
        assert_eq!([1_000, 10, 9, 1, 0].map(children), [10, 10, 9, 1, 1]);
    }

    #[test]
    fn a_slice_is_two_seconds_of_work_and_a_page_at_most() {
        for (per_second, slice) in [(1.0, 10), (5.0, 10), (100.0, 200), (1_000.0, 1_000)] {
            assert_eq!(pace(per_second, 1).slice(1_000), slice);
        }
        assert_eq!(pace(1.0, 1).slice(3), 3);
    }

    #[tokio::test]
    async fn what_passes_keeps_to_the_rate() {
        let limiter = Limiter::new(pace(1_000.0, 2));
        let began = Instant::now();
        limiter.pass(150).await;
        // A tenth of a second's messages pass at once, the others at 500 a second.
        assert!(
            began.elapsed() >= Duration::from_millis(190),
            "{:?}",
            began.elapsed()
        );
    }
}
