//! Watches a walk: how many calls may be in flight, whether they come back, how much time is left.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::controller::Controller;
use super::engine::Options;
use super::report::{End, Snapshot};
use super::sweep::Sweep;
use super::token::Node;
use super::worker::{Shared, State};
use super::{lock, memory, resume};

/// How often the limit is adapted and the deadline looked at.
const TICK: Duration = Duration::from_millis(50);

/// Ticks between two looks at the memory in use.
const TICKS_PER_MEMORY_LOOK: u32 = 5;

/// Least time before the deadline in which nothing new is begun; a tail of slow calls makes it longer.
const MARGIN_MIN: Duration = Duration::from_secs(5);
const MARGIN_CALLS: u32 = 20;

/// What is left of it for the answer when calls do not come back.
const ANSWER: Duration = Duration::from_secs(1);

/// Ticks in which the limit may be felt and nothing measured before it grows all the same.
const UNMEASURED_MAX: u32 = 4;

/// How far a walk is, for who wants to know.
pub struct Progress<'a, S: Sweep> {
    watch: &'a Watch<S>,
}

impl<S: Sweep> Progress<'_, S> {
    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.watch.began.elapsed()
    }

    /// Everything.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<S::Tally> {
        self.watch.snapshot()
    }
}

/// Adapts the limit, and stops when it is time.
pub(super) struct Watch<S: Sweep> {
    shared: Arc<Shared<S>>,
    began: Instant,
    answer_within: Option<Duration>,
    stall_after: Duration,
    memory_limit_bytes: u64,
    controller: Controller,
    peak_memory_bytes: u64,
    memory_backpressure_events: u64,
    /// Ticks in which the limit was felt and nothing measured.
    felt_unmeasured: u32,
    completed: u64,
    completed_at: Instant,
}

impl<S: Sweep> Watch<S> {
    pub(super) fn new(shared: Arc<Shared<S>>, began: Instant, options: &Options) -> Self {
        Self {
            shared,
            began,
            answer_within: options.answer_within,
            stall_after: options.stall_after,
            memory_limit_bytes: options.memory_limit_bytes.unwrap_or(u64::MAX),
            controller: Controller::new(options.concurrency).learning(options.adaptive),
            peak_memory_bytes: 0,
            memory_backpressure_events: 0,
            felt_unmeasured: 0,
            completed: 0,
            completed_at: began,
        }
    }

    pub(super) fn until_the_end(
        mut self,
        mut progress: impl FnMut(&Progress<'_, S>),
    ) -> (End, Snapshot<S::Tally>, Vec<Node>) {
        let mut stalled = false;
        for tick in 0_u32.. {
            if self.is_over(TICK) {
                break;
            }
            if tick.is_multiple_of(TICKS_PER_MEMORY_LOOK) {
                self.look_at_memory();
            }
            self.adapt();
            progress(&Progress { watch: &self });
            stalled = self.is_stalled();
            if stalled {
                self.stop();
                break;
            }
            if self.is_late() || self.shared.core.gate.is_closed() {
                self.stop();
                self.wait_for_workers();
                break;
            }
        }
        self.stop();
        self.look_at_memory();
        self.conclude(stalled)
    }

    /// Whether nobody does anything, and nobody will; waits for that.
    fn is_over(&self, timeout: Duration) -> bool {
        let state = lock(&self.shared.state);
        let closed = || self.shared.core.gate.is_closed();
        let works = |state: &mut State<S::Tally>| {
            state.active > 0 || !(state.frontier.is_empty() || closed())
        };
        let waited = self.shared.idle.wait_timeout_while(state, timeout, works);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn adapt(&mut self) {
        let gate = &self.shared.core.gate;
        if let Some(window) = gate.window() {
            self.controller.observe(window);
            self.felt_unmeasured = 0;
        } else if gate.is_crowded() {
            self.felt_unmeasured += 1;
            if self.felt_unmeasured >= UNMEASURED_MAX {
                self.controller.unmeasured();
                self.felt_unmeasured = 0;
            }
        }
        self.shared.core.gate.set_limit(self.controller.limit());
    }

    fn look_at_memory(&mut self) {
        let used = memory::resident_bytes().unwrap_or(0);
        self.peak_memory_bytes = self.peak_memory_bytes.max(used);
        if used > self.memory_limit_bytes {
            self.controller.relieve();
            self.memory_backpressure_events += 1;
        }
    }

    fn is_stalled(&mut self) -> bool {
        let gate = &self.shared.core.gate;
        if gate.completed() != self.completed || gate.in_flight() == 0 {
            self.completed = gate.completed();
            self.completed_at = Instant::now();
        }
        self.completed_at.elapsed() >= self.stall_after
    }

    pub(super) fn is_late(&self) -> bool {
        let margin = MARGIN_MIN.max(self.shared.core.gate.p99() * MARGIN_CALLS);
        self.remaining()
            .is_some_and(|remaining| remaining <= margin)
    }

    fn remaining(&self) -> Option<Duration> {
        self.answer_within
            .map(|within| within.saturating_sub(self.began.elapsed()))
    }

    fn stop(&self) {
        self.shared.core.gate.close();
        // Who is about to wait for work holds the lock.
        drop(lock(&self.shared.state));
        self.shared.work.notify_all();
    }

    /// Gives calls in flight the time to come back that there is, and no more.
    fn wait_for_workers(&self) {
        let grace = self
            .remaining()
            .map_or(self.stall_after, |left| left.saturating_sub(ANSWER));
        self.is_over(grace.min(self.stall_after));
    }

    /// What is done and what is left, at one moment: who comes back later changes neither.
    fn conclude(self, stalled: bool) -> (End, Snapshot<S::Tally>, Vec<Node>) {
        let state: MutexGuard<'_, State<S::Tally>> = lock(&self.shared.state);
        let running = state.running.iter().flatten();
        let parked = state.frontier.parked().iter().map(|reading| &reading.dir);
        let unfinished = running
            .chain(parked)
            .chain(&state.interrupted)
            .chain(state.frontier.ready());
        let nodes = resume::nodes(unfinished.map(Arc::clone));
        let snapshot = self.snapshot();
        drop(state);
        let end = match (nodes.is_empty(), stalled) {
            (true, _) => End::Complete,
            (false, true) => End::Stalled,
            (false, false) => End::Incomplete,
        };
        (end, snapshot, nodes)
    }

    fn snapshot(&self) -> Snapshot<S::Tally> {
        Snapshot {
            totals: lock(&self.shared.done).clone(),
            elapsed: self.began.elapsed(),
            concurrency_peak: self.shared.core.gate.peak(),
            memory_backpressure_events: self.memory_backpressure_events,
            peak_memory_bytes: self.peak_memory_bytes,
        }
    }
}
