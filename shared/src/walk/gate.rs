//! The one way to the server: lets as many calls through as the limit says, and measures them.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::controller::{CALLS_MIN, Gauge, Window};
use super::lock;

/// Latencies are sorted into steps of a quarter of a power of two, from 1 µs: enough for a 99th percentile.
const STEPS: usize = 4 * 32;

/// Counts calls in flight.
pub(super) struct Gate {
    limit: AtomicUsize,
    in_flight: AtomicUsize,
    peak: AtomicUsize,
    waiting: AtomicUsize,
    waited: AtomicBool,
    closed: AtomicBool,
    turn: Mutex<()>,
    freed: Condvar,
    completed: AtomicU64,
    gauges: [Measured; 2],
    latencies: [AtomicU64; STEPS],
}

#[derive(Default)]
struct Measured {
    calls: AtomicU64,
    sum_us: AtomicU64,
}

/// The right to have one call in flight.
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    began: Instant,
    gauge: Option<Gauge>,
}

impl Gate {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            in_flight: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            waited: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            turn: Mutex::default(),
            freed: Condvar::new(),
            completed: AtomicU64::new(0),
            gauges: Default::default(),
            latencies: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Waits for a turn; `None` once the gate is closed.
    pub(super) fn enter(&self, gauge: Option<Gauge>) -> Option<Pass<'_>> {
        if !self.try_enter() && !self.wait_to_enter() {
            return None;
        }
        let pass = Pass {
            gate: self,
            began: Instant::now(),
            gauge,
        };
        if self.is_closed() {
            pass.unmeasured();
            return None;
        }
        Some(pass)
    }

    fn wait_to_enter(&self) -> bool {
        let mut turn = lock(&self.turn);
        self.waiting.fetch_add(1, SeqCst);
        self.waited.store(true, SeqCst);
        let mut entered = false;
        while !entered && !self.is_closed() {
            // Once more, now that whoever leaves knows about us.
            entered = self.try_enter();
            if !entered {
                turn = self
                    .freed
                    .wait(turn)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        self.waiting.fetch_sub(1, SeqCst);
        drop(turn);
        entered
    }

    fn try_enter(&self) -> bool {
        let limit = self.limit.load(SeqCst);
        let entered = self
            .in_flight
            .fetch_update(SeqCst, SeqCst, |now| (now < limit).then_some(now + 1));
        match entered {
            Ok(before) => {
                self.peak.fetch_max(before + 1, SeqCst);
                true
            }
            Err(_) => false,
        }
    }

    /// Whether someone waits for a turn.
    pub(super) fn is_crowded(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }

    /// Lets nobody through from now on; who waits is turned away.
    pub(super) fn close(&self) {
        self.closed.store(true, SeqCst);
        drop(lock(&self.turn));
        self.freed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    pub(super) fn set_limit(&self, limit: usize) {
        if self.limit.swap(limit, SeqCst) < limit {
            drop(lock(&self.turn));
            self.freed.notify_all();
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(SeqCst)
    }

    /// The most calls that were in flight at once.
    pub(super) fn peak(&self) -> usize {
        self.peak.load(SeqCst)
    }

    /// Calls that have ended.
    pub(super) fn completed(&self) -> u64 {
        self.completed.load(SeqCst)
    }

    /// What was measured since the last time that there was enough of it: removals, or else reads.
    pub(super) fn window(&self) -> Option<Window> {
        let calls = |gauge: Gauge| self.gauges[gauge as usize].calls.load(SeqCst);
        let mut enough = [Gauge::Writes, Gauge::Reads].into_iter();
        let gauge = enough.find(|gauge| calls(*gauge) >= CALLS_MIN)?;
        let saturated = self.waited.swap(false, SeqCst) || self.is_crowded();
        let [reads, writes] = [Gauge::Reads, Gauge::Writes].map(|gauge| {
            let measured = &self.gauges[gauge as usize];
            let calls = measured.calls.swap(0, SeqCst);
            (calls, measured.sum_us.swap(0, SeqCst))
        });
        let (calls, sum_us) = match gauge {
            Gauge::Reads => reads,
            Gauge::Writes => writes,
        };
        Some(Window {
            gauge,
            calls,
            latency_us: Duration::from_micros(sum_us).as_secs_f64() * 1e6
                / f64::from(u32::try_from(calls).unwrap_or(u32::MAX)),
            saturated,
        })
    }

    /// 99 of 100 calls were not slower, to the next step up; zero before the first.
    pub(super) fn p99(&self) -> Duration {
        let counts: Vec<u64> = self
            .latencies
            .iter()
            .map(|step| step.load(SeqCst))
            .collect();
        let slower_max = counts.iter().sum::<u64>() / 100;
        let mut slower = 0;
        for (step, count) in counts.iter().enumerate().rev() {
            slower += count;
            if slower > slower_max {
                return upper_bound(step);
            }
        }
        Duration::ZERO
    }
}

impl Pass<'_> {
    /// The call turned out not to be one to measure by.
    pub(super) fn unmeasured(mut self) {
        self.gauge = None;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let took_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Some(gauge) = self.gauge {
            let measured = &self.gate.gauges[gauge as usize];
            measured.calls.fetch_add(1, SeqCst);
            measured.sum_us.fetch_add(took_us, SeqCst);
        }
        self.gate.latencies[step(took_us)].fetch_add(1, SeqCst);
        self.gate.completed.fetch_add(1, SeqCst);
        self.gate.in_flight.fetch_sub(1, SeqCst);
        if self.gate.waiting.load(SeqCst) > 0 {
            drop(lock(&self.gate.turn));
            self.gate.freed.notify_one();
        }
    }
}

/// The step of a latency: four to a power of two.
fn step(took_us: u64) -> usize {
    let took_us = took_us.max(1);
    let power = took_us.ilog2();
    let quarter = if power >= 2 {
        took_us >> (power - 2)
    } else {
        took_us << (2 - power)
    } & 3;
    let step = u64::from(power) * 4 + quarter;
    usize::try_from(step).unwrap_or(STEPS).min(STEPS - 1)
}

fn upper_bound(step: usize) -> Duration {
    let step = u64::try_from(step).unwrap_or(u64::MAX);
    let quarters = 5 + step % 4;
    Duration::from_micros((quarters << (step / 4)) / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_below_the_bound_of_its_step_and_not_below_that_of_the_one_before() {
        for took_us in (1..5_000).chain([1_000_000, 29_999_999, 30_000_000]) {
            let step = step(took_us);
            let took = Duration::from_micros(took_us);
            assert!(took <= upper_bound(step), "{took_us}");
            assert!(upper_bound(step) <= took * 2, "{took_us}");
        }
    }

    #[test]
    fn the_99th_percentile_leaves_out_one_in_a_hundred_and_no_more() {
        let gate = Gate::new(1);
        assert_eq!(gate.p99(), Duration::ZERO);
        gate.latencies[step(1_000)].store(99, SeqCst);
        gate.latencies[step(50_000)].store(1, SeqCst);
        assert!(gate.p99() < Duration::from_millis(2));
        gate.latencies[step(50_000)].store(2, SeqCst);
        assert!(gate.p99() >= Duration::from_millis(50));
    }

    #[test]
    fn no_more_calls_than_the_limit_are_in_flight_and_everyone_gets_a_turn() {
        let gate = Gate::new(3);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let pass = gate.enter(Some(Gauge::Writes)).unwrap();
                        assert!(gate.in_flight() <= 3);
                        std::thread::yield_now();
                        drop(pass);
                    }
                });
            }
        });
        assert_eq!((gate.completed(), gate.in_flight()), (3_200, 0));
        assert!(gate.peak() <= 3);
        assert_eq!(gate.window().unwrap().calls, 3_200);
        assert!(gate.window().is_none());
    }

    #[test]
    fn a_few_calls_are_kept_until_they_are_enough_and_removals_go_first() {
        let gate = Gate::new(8);
        let made = |gauge, calls| (0..calls).for_each(|_| drop(gate.enter(Some(gauge))));
        made(Gauge::Writes, 5);
        assert!(gate.window().is_none());
        made(Gauge::Writes, 3);
        assert_eq!(gate.window().unwrap().calls, 8);
        made(Gauge::Writes, 1);
        made(Gauge::Reads, 8);
        assert_eq!(gate.window().unwrap().gauge, Gauge::Reads);
        made(Gauge::Reads, 9);
        made(Gauge::Writes, 8);
        let window = gate.window().unwrap();
        assert_eq!((window.gauge, window.calls), (Gauge::Writes, 8));
        assert!(gate.window().is_none());
    }

    #[test]
    fn a_closed_gate_turns_away_who_waits_and_who_comes() {
        let gate = Gate::new(1);
        let _stuck = gate.enter(None).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| gate.enter(None).is_none());
            while gate.waiting.load(SeqCst) == 0 {
                std::thread::yield_now();
            }
            gate.close();
            assert!(waiting.join().unwrap());
        });
        assert!(gate.enter(None).is_none());
    }
}
