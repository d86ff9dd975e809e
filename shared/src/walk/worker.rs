//! A worker: takes a directory, does all there is to do in it, and takes the next.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::core::Core;
use super::dir::{Dir, Handle};
use super::frontier::{Frontier, Next};
use super::listing::Listing;
use super::lock;
use super::report::Totals;
use super::sweep::{Sweep, Visit};
use crate::batch::panic_message;

/// Stack of a thread, bytes. It holds no names and no entries.
pub(super) const STACK_BYTES: usize = 128 * 1024;

/// What workers and their coordinator share.
pub(super) struct Shared<S: Sweep> {
    pub(super) core: Core,
    pub(super) sweep: Arc<S>,
    pub(super) buffer_bytes: usize,
    /// Of the buffer, for the first read of a directory.
    pub(super) first_read_bytes: usize,
    pub(super) state: Mutex<State<S::Tally>>,
    /// There is something to do, or never will be again.
    pub(super) work: Condvar,
    /// Nobody does anything.
    pub(super) idle: Condvar,
    /// Of all directories that are done. Locked after `state`, never before it.
    pub(super) done: Mutex<Totals<S::Tally>>,
}

pub(super) struct State<T> {
    pub(super) frontier: Frontier<Arc<Dir>, Reading<T>>,
    /// What each worker is at.
    pub(super) running: Vec<Option<Arc<Dir>>>,
    pub(super) active: usize,
    /// Begun and put down.
    pub(super) interrupted: Vec<Arc<Dir>>,
}

/// A directory in the middle of its listing; the descriptor knows where.
pub(super) struct Reading<T> {
    pub(super) dir: Arc<Dir>,
    pub(super) handle: Arc<Handle>,
    pub(super) totals: Totals<T>,
    pub(super) kept: bool,
}

impl<S: Sweep> Shared<S> {
    /// Works until there is nothing left, or the walk is stopped.
    pub(super) fn work(&self, worker: usize) {
        let mut buffer = Vec::new();
        while let Some(next) = self.next(worker) {
            buffer.reserve_exact(self.buffer_bytes);
            let work = || self.visit(worker, next, buffer.spare_capacity_mut());
            if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
                self.panicked(worker, &panic_message(payload.as_ref()));
            }
            self.rest(worker);
        }
    }

    fn next(&self, worker: usize) -> Option<Next<Arc<Dir>, Reading<S::Tally>>> {
        let mut state = lock(&self.state);
        loop {
            if self.core.gate.is_closed() {
                return None;
            }
            if let Some(next) = state.frontier.next() {
                let dir = match &next {
                    Next::Begin(dir) => dir,
                    Next::GoOn(reading) => &reading.dir,
                };
                state.running[worker] = Some(Arc::clone(dir));
                state.active += 1;
                return Some(next);
            }
            if state.active == 0 {
                return None;
            }
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn rest(&self, worker: usize) {
        let mut state = lock(&self.state);
        state.running[worker] = None;
        state.active -= 1;
        if state.active == 0 {
            self.idle.notify_all();
            self.work.notify_all();
        }
    }

    fn visit(
        &self,
        worker: usize,
        next: Next<Arc<Dir>, Reading<S::Tally>>,
        buffer: &mut [MaybeUninit<u8>],
    ) {
        let reading = match next {
            Next::GoOn(reading) => reading,
            Next::Begin(dir) if lock(&dir.progress).listed => {
                return self.settle(worker, dir, false);
            }
            Next::Begin(dir) => match self.core.open_to_read(&dir) {
                Ok(handle) => Reading::begin(dir, handle),
                Err(errno) => return self.not_opened(worker, dir, errno),
            },
        };
        let mut visit = Visit {
            core: &self.core,
            dir: &reading.dir,
            handle: &reading.handle,
            done: &self.done,
            totals: reading.totals,
            kept: reading.kept,
            cancelled: false,
        };
        let listing = self.enter_and_list(&mut visit, &reading.dir, buffer);
        let (totals, kept) = (visit.totals, visit.kept);
        let reading = Reading {
            totals,
            kept,
            ..reading
        };
        match listing {
            Listing::Finished => self.finish(worker, reading),
            Listing::Interrupted => self.interrupt(worker, reading.dir),
            Listing::Parked => {
                let mut state = lock(&self.state);
                state.running[worker] = None;
                state.frontier.park(reading);
            }
        }
    }
}

impl<T: Default> Reading<T> {
    fn begin(dir: Arc<Dir>, handle: Arc<Handle>) -> Self {
        // From now on, since children are opened from it while it is read.
        dir.keep_open(Arc::clone(&handle));
        Self {
            dir,
            handle,
            totals: Totals::default(),
            kept: false,
        }
    }
}
