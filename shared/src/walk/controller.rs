//! How many calls may be in flight: as many as the server answers without making them wait.
//!
//! A file system that throttles answers late, it does not refuse. So the limit grows while latency stays near the lowest
//! seen, and shrinks well before calls take twice as long: more of them would only queue, and make other clients wait.

/// Enough to measure by, and few enough for a server that is busy.
const START: f64 = 8.0;

/// Below this there is no telling a slow server from a slow caller.
const LIMIT_MIN: f64 = 4.0;

/// Fewer calls say nothing.
pub(super) const CALLS_MIN: u64 = 8;

/// Lowest latency that is worth telling apart, µs: below it no network was involved. Source: EFS user guide,
/// "Amazon EFS performance", reads from 250 µs.
const FLOOR_US_MIN: f64 = 250.0;

/// How fast the floor forgets, per window: about 5 % a minute at ten windows a second.
const FLOOR_RISE: f64 = 1.0001;

/// Grow above, shrink below: floor ÷ latency.
const GROW_ABOVE: f64 = 0.75;
const SHRINK_BELOW: f64 = 0.6;

/// The calls of one window that always go to the server. Different calls have different floors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// First reads of directories.
    Reads,
    /// Removals.
    Writes,
}

/// What was seen in one window.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Which calls.
    pub gauge: Gauge,
    /// How many of them ended.
    pub calls: u64,
    /// How long they took, mean, µs.
    pub latency_us: f64,
    /// Whether the limit was felt: a limit that nobody reaches must not grow.
    pub saturated: bool,
}

/// The limit and what it remembers.
#[derive(Clone, Debug)]
pub struct Controller {
    limit: f64,
    limit_max: f64,
    doubling: bool,
    /// Nothing spoke against growing the last time that something was measured.
    may_grow: bool,
    learns: bool,
    floors_us: [Option<f64>; 2],
}

impl Controller {
    /// Starts low; never above `concurrency`.
    #[must_use]
    pub fn new(concurrency: usize) -> Self {
        let limit_max = f64::from(u32::try_from(concurrency).unwrap_or(u32::MAX)).max(1.0);
        Self {
            limit: START.min(limit_max),
            limit_max,
            doubling: true,
            may_grow: true,
            learns: true,
            floors_us: [None; 2],
        }
    }

    /// Without learning the limit is always `concurrency`, whatever that does to the server: to measure what it is worth.
    #[must_use]
    pub const fn learning(mut self, learns: bool) -> Self {
        if !learns {
            self.limit = self.limit_max;
        }
        self.learns = learns;
        self
    }

    /// Calls that may be in flight now; at least 1.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and the concurrency"
    )]
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Learns from a window.
    pub fn observe(&mut self, window: Window) {
        if window.calls < CALLS_MIN || !self.learns {
            return;
        }
        let latency_us = window.latency_us.max(FLOOR_US_MIN);
        let floor = &mut self.floors_us[window.gauge as usize];
        let floor_us = floor.map_or(latency_us, |floor| (floor * FLOOR_RISE).min(latency_us));
        *floor = Some(floor_us);
        let gradient = floor_us / latency_us;
        self.may_grow = gradient > GROW_ABOVE;
        if gradient < SHRINK_BELOW {
            self.doubling = false;
            self.set(self.limit * 0.9);
        } else if gradient <= GROW_ABOVE {
            self.doubling = false;
        } else if window.saturated {
            self.grow();
        }
    }

    /// Learns that the limit was felt for a while and nothing could be measured: directories so large that hardly one was
    /// begun, and nothing to remove in them. What is measured next corrects it.
    pub fn unmeasured(&mut self) {
        if self.learns && self.may_grow {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let step = if self.doubling {
            self.limit
        } else {
            0.5 * self.limit.sqrt()
        };
        self.set(self.limit + step);
    }

    /// Halves the limit: memory is short.
    pub fn relieve(&mut self) {
        self.doubling = false;
        self.set(self.limit / 2.0);
    }

    fn set(&mut self, limit: f64) {
        self.limit = limit.clamp(LIMIT_MIN.min(self.limit_max), self.limit_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(latency_us: f64) -> Window {
        Window {
            gauge: Gauge::Writes,
            calls: 100,
            latency_us,
            saturated: true,
        }
    }

    /// A server that answers in `unloaded_us` until `per_second` calls a second; beyond, they queue.
    fn settle(concurrency: usize, unloaded_us: f64, per_second: f64) -> (f64, f64) {
        let mut controller = Controller::new(concurrency);
        let (mut calls, mut latency_us) = (0.0, 0.0);
        for _ in 0..300 {
            let in_flight = f64::from(u32::try_from(controller.limit()).unwrap());
            latency_us = unloaded_us.max(in_flight / per_second * 1e6);
            calls = in_flight / latency_us * 1e6;
            controller.observe(window(latency_us));
        }
        (calls, latency_us)
    }

    #[test]
    fn under_a_budget_it_keeps_the_rate_and_at_most_doubles_the_latency() {
        for per_second in [1_500.0, 7_000.0, 12_000.0] {
            let (calls, latency_us) = settle(256, 5_000.0, per_second);
            assert!(calls >= 0.85 * per_second, "{per_second}: {calls}");
            assert!(latency_us <= 10_000.0, "{per_second}: {latency_us}");
        }
    }

    #[test]
    fn without_a_budget_it_reaches_the_concurrency_and_stops_there() {
        for concurrency in [1, 2, 4, 64, 256] {
            let mut controller = Controller::new(concurrency);
            for _ in 0..100 {
                controller.observe(window(5_000.0));
                assert!((1..=concurrency).contains(&controller.limit()));
            }
            assert_eq!(controller.limit(), concurrency);
        }
    }

    #[test]
    fn eight_grows_to_sixty_four_in_three_windows() {
        let mut controller = Controller::new(64);
        let mut limits = vec![controller.limit()];
        for _ in 0..4 {
            controller.observe(window(5_000.0));
            limits.push(controller.limit());
        }
        assert_eq!(limits, [8, 16, 32, 64, 64]);
    }

    #[test]
    fn what_cannot_be_measured_grows_until_something_speaks_against_it() {
        let mut controller = Controller::new(64);
        controller.unmeasured();
        assert_eq!(controller.limit(), 16);
        controller.observe(window(5_000.0));
        controller.observe(window(50_000.0));
        let before = controller.limit();
        controller.unmeasured();
        assert_eq!(controller.limit(), before);
        controller.observe(window(5_000.0));
        controller.unmeasured();
        assert!(controller.limit() > before);
    }

    #[test]
    fn a_slow_server_is_left_alone_down_to_four() {
        let mut controller = Controller::new(64);
        controller.observe(window(5_000.0));
        for _ in 0..100 {
            controller.observe(window(50_000.0));
        }
        assert_eq!(controller.limit(), 4);
    }

    #[test]
    fn the_floor_follows_a_server_that_stays_slower() {
        let mut controller = Controller::new(64);
        controller.observe(window(5_000.0));
        for _ in 0..40_000 {
            controller.observe(window(11_000.0));
        }
        assert!(controller.limit() > 32);
    }

    #[test]
    fn what_was_not_felt_or_hardly_measured_changes_nothing() {
        let mut controller = Controller::new(64);
        controller.observe(window(5_000.0));
        let before = controller.limit();
        controller.observe(Window {
            saturated: false,
            ..window(5_000.0)
        });
        controller.observe(Window {
            calls: 7,
            ..window(500_000.0)
        });
        assert_eq!(controller.limit(), before);
    }

    #[test]
    fn local_latencies_are_all_the_same() {
        let mut controller = Controller::new(64);
        for latency_us in [3.0, 200.0, 3.0, 249.0, 20.0] {
            controller.observe(window(latency_us));
        }
        assert_eq!(controller.limit(), 64);
    }

    #[test]
    fn reads_do_not_set_the_floor_of_writes() {
        let mut controller = Controller::new(64);
        for _ in 0..10 {
            controller.observe(Window {
                gauge: Gauge::Reads,
                ..window(1_000.0)
            });
            controller.observe(window(5_000.0));
        }
        assert_eq!(controller.limit(), 64);
    }

    #[test]
    fn a_fixed_limit_stays_however_late_the_server_answers() {
        let mut controller = Controller::new(200).learning(false);
        for latency_us in [5_000.0, 50_000.0, 500_000.0] {
            controller.observe(window(latency_us));
            assert_eq!(controller.limit(), 200);
        }
    }

    #[test]
    fn short_memory_halves_the_limit() {
        let mut controller = Controller::new(64);
        for _ in 0..10 {
            controller.observe(window(5_000.0));
        }
        controller.relieve();
        assert_eq!(controller.limit(), 32);
        for _ in 0..10 {
            controller.relieve();
        }
        assert_eq!(controller.limit(), 4);
    }
}
