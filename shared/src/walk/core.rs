//! Calls as a worker makes them: in turn, tried again when that may help, and with the descriptor they need.

use std::ffi::CStr;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::io::Errno;

use super::controller::Gauge;
use super::dir::{Dir, Handle};
use super::gate::Gate;
use super::kernel::{Access, Attributes, Freshness, Kernel};
use super::lock;

/// How often a call is made in all when it fails in a way that may pass.
pub(super) const TRIES_MAX: u32 = 3;

/// What all workers use.
pub(super) struct Core {
    pub(super) kernel: Kernel,
    pub(super) gate: Gate,
    /// Descriptors that are open now.
    pub(super) open: Arc<AtomicUsize>,
    /// How many may stay open for the sake of children.
    pub(super) kept_open_max: usize,
    /// Mean wait before a second try.
    pub(super) retry_delay: Duration,
    /// Calls in flight at most.
    pub(super) concurrency: usize,
}

impl Core {
    /// Makes a call when its turn comes; `ECANCELED` once the walk is stopped.
    pub(super) fn call<R>(
        &self,
        gauge: Option<Gauge>,
        call: impl Fn() -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let mut tries = 1;
        loop {
            let Some(pass) = self.gate.enter(gauge) else {
                return Err(Errno::CANCELED);
            };
            let result = call();
            drop(pass);
            match result {
                Err(errno) if tries < TRIES_MAX && is_transient(errno) => self.wait(tries),
                result => return result,
            }
            tries += 1;
        }
    }

    /// Between two tries: longer each time, and never the same for two workers.
    pub(super) fn wait(&self, tries: u32) {
        let random = RandomState::new().build_hasher().finish();
        let share = f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        std::thread::sleep(self.retry_delay.mul_f64(f64::from(tries) * (0.5 + share)));
    }

    /// Opens a directory to read it.
    pub(super) fn open_to_read(&self, dir: &Dir) -> Result<Arc<Handle>, Errno> {
        match dir.parent() {
            Some(parent) => self.open_child(&*self.handle_of(parent)?, dir, Access::Read),
            None => self.handle_of(dir),
        }
    }

    /// A descriptor of a directory that was opened before: the kept one, or by name from the nearest one that is kept.
    pub(super) fn handle_of(&self, dir: &Dir) -> Result<Arc<Handle>, Errno> {
        let mut closed = Vec::new();
        let mut at = dir;
        let mut handle = loop {
            if let Some(handle) = at.handle() {
                break handle;
            }
            closed.push(at);
            at = at.parent().ok_or(Errno::BADF)?;
        };
        for dir in closed.into_iter().rev() {
            handle = self.open_child(&*handle, dir, Access::Passage)?;
            if let Some(inode) = dir.inode()
                && self.stat_open(&*handle, Freshness::Usual)?.inode != inode
            {
                return Err(Errno::STALE);
            }
            if self.may_stay_open() {
                dir.keep_open(Arc::clone(&handle));
            }
        }
        Ok(handle)
    }

    fn open_child(
        &self,
        parent: &impl AsFd,
        dir: &Dir,
        access: Access,
    ) -> Result<Arc<Handle>, Errno> {
        let open = || self.kernel.open(parent.as_fd(), dir.name(), access);
        Ok(Handle::new(self.call(None, open)?, &self.open))
    }

    /// Whether so few calls are in flight that a directory may have two of them.
    pub(super) fn has_room(&self) -> bool {
        !self.gate.is_crowded() && self.gate.in_flight() < self.concurrency / 2
    }

    /// Whether one more descriptor may stay open.
    pub(super) fn may_stay_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) < self.kept_open_max
    }

    pub(super) fn stat(
        &self,
        handle: &Handle,
        name: &CStr,
        freshness: Freshness,
    ) -> Result<Attributes, Errno> {
        self.call(None, || self.kernel.stat(handle.as_fd(), name, freshness))
    }

    pub(super) fn stat_open(
        &self,
        open: &impl AsFd,
        freshness: Freshness,
    ) -> Result<Attributes, Errno> {
        self.call(None, || self.kernel.stat_open(open.as_fd(), freshness))
    }

    pub(super) fn pin(&self, handle: &Handle, name: &CStr) -> Result<OwnedFd, Errno> {
        self.call(None, || self.kernel.pin(handle.as_fd(), name))
    }

    pub(super) fn unlink(&self, dir: &Dir, handle: &Handle, name: &CStr) -> Result<(), Errno> {
        let _lane = lock(&dir.lane);
        self.call(Some(Gauge::Writes), || {
            self.kernel.unlink(handle.as_fd(), name)
        })
    }

    /// Removes `dir` from its parent if it is empty.
    pub(super) fn remove_dir(&self, dir: &Dir) -> Result<(), Errno> {
        let parent = dir.parent().ok_or(Errno::BUSY)?;
        let handle = self.handle_of(parent)?;
        let _lane = lock(&parent.lane);
        self.call(Some(Gauge::Writes), || {
            self.kernel.remove_dir(handle.as_fd(), dir.name())
        })
    }
}

/// Whether the same call may succeed in a moment.
pub(super) const fn is_transient(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::IO | Errno::STALE | Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT | Errno::BUSY
    )
}

/// Whether the entry is gone, or was never ours to enter: nothing failed.
pub(super) const fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT)
}
