//! The end of a directory: counted, left, and its parent told; or put down for the next run.

use std::sync::Arc;

use rustix::io::Errno;

use super::core::is_gone;
use super::dir::Dir;
use super::kernel::{Call, Freshness};
use super::lock;
use super::report::{Sample, Totals};
use super::sweep::{Left, Sweep, sample};
use super::worker::{Reading, Shared};

impl<S: Sweep> Shared<S> {
    /// A directory that cannot be opened stays as it is; one that is gone was never there; a mount is none of ours.
    pub(super) fn not_opened(&self, worker: usize, dir: Arc<Dir>, errno: Errno) {
        if errno == Errno::CANCELED {
            return self.interrupt(worker, dir);
        }
        let mut totals = Totals::default();
        if !is_gone(errno) && errno != Errno::XDEV {
            totals.failed(sample(&dir.path(None), Call::Open, errno));
        }
        if self.commit(&dir, totals, !is_gone(errno)) {
            self.settle(worker, dir, is_gone(errno));
        }
    }

    pub(super) fn finish(&self, worker: usize, reading: Reading<S::Tally>) {
        let Reading {
            dir,
            handle,
            mut totals,
            kept,
        } = reading;
        if dir.scope.counts_directory() {
            self.sweep.listed(&mut totals.tally);
        }
        if self.commit(&dir, totals, kept) {
            return self.settle(worker, dir, false);
        }
        if !self.core.may_stay_open() {
            // Whoever opens it again must know whether it is the same. Where that cannot be learned it stays open.
            if let Ok(own) = self.core.stat_open(&*handle, Freshness::Usual) {
                dir.close(Some(own.inode));
            }
        }
    }

    /// The directory's own entries are done; whether everything below it is.
    fn commit(&self, dir: &Dir, totals: Totals<S::Tally>, kept: bool) -> bool {
        let _state = lock(&self.state);
        let mut progress = lock(&dir.progress);
        progress.listed = true;
        progress.handed_on.clear();
        progress.handed_on.shrink_to_fit();
        progress.kept |= kept;
        progress.pending -= 1;
        *lock(&self.done) += totals;
        progress.pending == 0
    }

    /// Leaves a directory, and every parent that it was the last part of. `gone`: it has vanished by itself.
    pub(super) fn settle(&self, worker: usize, mut dir: Arc<Dir>, mut gone: bool) {
        loop {
            let mut left = Left {
                core: &self.core,
                dir: &dir,
                totals: Totals::default(),
                cancelled: false,
            };
            let removable = {
                let progress = lock(&dir.progress);
                progress.removable == Some(true) && !progress.kept
            };
            gone = gone || (removable && self.sweep.leave(&mut left));
            if left.cancelled {
                return self.interrupt(worker, dir);
            }
            let totals = left.totals;
            dir.close(None);
            let mut state = lock(&self.state);
            *lock(&self.done) += totals;
            state.running[worker] = None;
            let Some(parent) = dir.parent().map(Arc::clone) else {
                return;
            };
            let mut progress = lock(&parent.progress);
            progress.kept |= !gone;
            progress.pending -= 1;
            if progress.pending > 0 {
                return;
            }
            drop(progress);
            state.running[worker] = Some(Arc::clone(&parent));
            drop(state);
            (dir, gone) = (parent, false);
        }
    }

    pub(super) fn interrupt(&self, worker: usize, dir: Arc<Dir>) {
        let mut state = lock(&self.state);
        state.running[worker] = None;
        state.interrupted.push(dir);
    }

    /// A mistake of ours in one directory: it stays, is named, and the walk goes on.
    pub(super) fn panicked(&self, worker: usize, message: &str) {
        let Some(dir) = lock(&self.state).running[worker].take() else {
            return;
        };
        let mut totals = Totals::default();
        totals.failed(Sample::new(&dir.path(None), format!("panicked: {message}")));
        let was_listed = lock(&dir.progress).listed;
        if was_listed {
            lock(&dir.progress).kept = true;
            *lock(&self.done) += totals;
            self.settle(worker, dir, false);
        } else if self.commit(&dir, totals, true) {
            self.settle(worker, dir, false);
        }
    }
}
