//! What a function does on its way through a tree.

use std::ffi::CStr;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::core::{Core, TRIES_MAX, is_gone, is_transient};
use super::dir::{Dir, Handle};
use super::kernel::{Attributes, Call, Freshness, Kind};
use super::lock;
use super::report::{Sample, Tally, Totals};
use super::worker::STACK_BYTES;

/// How old a look may be when it is acted on: a few times what a removal takes on a file system that answers.
const LOOK_MAX: Duration = Duration::from_millis(30);

/// One pass over a tree. Its methods run on many threads at once, for different directories.
pub trait Sweep: Send + Sync + 'static {
    /// What it counts.
    type Tally: Tally;
    /// What it puts off until a batch of entries was read.
    type Batch: Default;

    /// Whether it wants to know more of files than their names and kinds. If not, a server is not made to tell.
    const LOOKS_AT_ATTRIBUTES: bool = true;

    /// Begins a directory, once, before anything in it was touched. Returns whether [`Sweep::leave`] shall be asked
    /// when nothing stays in it.
    fn enter(&self, visit: &mut Visit<'_, Self::Tally>) -> bool {
        let _ = visit;
        false
    }

    /// Sees an entry. Directories are entered by themselves, afterwards.
    fn entry(&self, visit: &mut Visit<'_, Self::Tally>, batch: &mut Self::Batch, entry: Entry<'_>);

    /// Does what was put off. Nothing is read until it returns.
    fn flush(&self, visit: &mut Visit<'_, Self::Tally>, batch: &mut Self::Batch) {
        let _ = (visit, batch);
    }

    /// Has seen all entries of a directory.
    fn listed(&self, tally: &mut Self::Tally) {
        let _ = tally;
    }

    /// Is done with everything below a directory, and nothing stays in it. Returns whether it is gone, or would be.
    fn leave(&self, left: &mut Left<'_, Self::Tally>) -> bool {
        let _ = left;
        false
    }
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its name, any bytes.
    pub name: &'a CStr,
    /// What it is, or was when the directory was read.
    pub kind: Kind,
}

/// A directory while its entries are read.
///
/// What is counted here counts when the listing is finished; when it is interrupted, all of it will be seen again.
pub struct Visit<'a, T> {
    pub(super) core: &'a Core,
    pub(super) dir: &'a Dir,
    pub(super) handle: &'a Handle,
    pub(super) done: &'a Mutex<Totals<T>>,
    pub(super) totals: Totals<T>,
    pub(super) kept: bool,
    pub(super) cancelled: bool,
}

impl<T: Tally> Visit<'_, T> {
    /// The counts of this directory.
    pub const fn tally(&mut self) -> &mut T {
        &mut self.totals.tally
    }

    /// Counts at once and for good what will not be seen again: it is removed.
    pub fn settle(&mut self, part: T) {
        lock(self.done).tally += part;
    }

    /// Something stays in this directory, so it does too.
    pub const fn keep(&mut self) {
        self.kept = true;
    }

    /// Attributes of an entry.
    pub fn stat(&mut self, name: &CStr, freshness: Freshness) -> Result<Attributes, Errno> {
        let result = self.core.stat(self.handle, name, freshness);
        self.seen(result)
    }

    /// Looks at each entry as it is now, and acts on it; until `act` says that it is enough.
    ///
    /// While few other calls are in flight, the next entry is looked at beside what is done to the one before, and no
    /// further ahead. The kernel lets a look and a removal in one directory overlap, but not two removals. A look that
    /// is older than [`LOOK_MAX`] by then is not used.
    pub fn look_at_each<I: Sync>(
        &mut self,
        items: &[I],
        name: impl Fn(&I) -> &CStr + Sync,
        mut act: impl FnMut(&mut Self, &I, Result<Attributes, Errno>) -> ControlFlow<()>,
    ) {
        let (core, handle, name) = (self.core, self.handle, &name);
        thread::scope(|scope| {
            let (tell, told) = sync_channel(0);
            let look = move || {
                for item in items {
                    let seen = core.stat(handle, name(item), Freshness::Forced);
                    if tell.send((seen, Instant::now())).is_err() || !core.has_room() {
                        break;
                    }
                }
            };
            if items.len() > 1 && core.has_room() {
                // Without it, nothing is ever told, and this thread looks by itself.
                let thread = thread::Builder::new().stack_size(STACK_BYTES);
                let _ = thread.name("look".to_owned()).spawn_scoped(scope, look);
            } else {
                drop(look);
            }
            for item in items {
                let seen = match told.recv() {
                    Ok((seen, at)) if at.elapsed() <= LOOK_MAX => seen,
                    _ => core.stat(handle, name(item), Freshness::Forced),
                };
                let seen = self.seen(seen);
                if act(self, item, seen).is_break() {
                    break;
                }
            }
            // Whoever is about to tell more is turned away; the scope waits for that.
            drop(told);
        });
    }

    /// Attributes of the directory itself.
    pub fn stat_self(&mut self) -> Result<Attributes, Errno> {
        let result = self.core.stat_open(self.handle, Freshness::Usual);
        if let Ok(own) = &result {
            self.dir.is_number(own.inode);
        }
        self.seen(result)
    }

    /// Holds on to a file, whatever becomes of this name of it.
    pub fn pin(&mut self, name: &CStr) -> Result<Pinned, Errno> {
        let result = self.core.pin(self.handle, name).map(Pinned);
        self.seen(result)
    }

    /// Attributes of a file that is held on to, as they are now. Not in turn: what a removal did must be learned also
    /// when the walk was stopped meanwhile.
    pub fn stat_pinned(&self, pinned: &Pinned) -> Result<Attributes, Errno> {
        let fd = pinned.0.as_fd();
        let mut tries = 1;
        loop {
            match self.core.kernel.stat_open(fd, Freshness::Forced) {
                Err(errno) if tries < TRIES_MAX && is_transient(errno) => self.core.wait(tries),
                seen => return seen,
            }
            tries += 1;
        }
    }

    /// Fails when this directory is not where it was found any more: what is done in it would be done elsewhere.
    pub fn check_place(&mut self) -> Result<(), Errno> {
        let result = self.core.check_place(self.dir, Some(self.handle));
        self.seen(result)
    }

    /// Removes a file; of each directory one at a time.
    pub fn unlink(&mut self, name: &CStr) -> Result<(), Errno> {
        let result = self.core.unlink(self.dir, self.handle, name);
        self.seen(result)
    }

    /// Makes a call of the sweep's own, in turn and tried again like all others.
    pub fn call<R>(&mut self, call: Call, make: impl Fn() -> Result<R, Errno>) -> Result<R, Errno> {
        let before = || self.core.kernel.before(call, self.dir.name());
        let result = self.core.call(None, || before().and_then(|()| make()));
        self.seen(result)
    }

    fn seen<R>(&mut self, result: Result<R, Errno>) -> Result<R, Errno> {
        self.cancelled |= matches!(result, Err(Errno::CANCELED));
        result
    }

    /// Path below the root, of the directory or of its entry.
    #[must_use]
    pub fn path(&self, name: Option<&CStr>) -> Vec<u8> {
        self.dir.path(name)
    }

    /// An entry, or the directory itself, could not be worked on: it stays, and is counted unless it is gone or the
    /// walk was stopped.
    pub fn failed(&mut self, name: Option<&CStr>, call: Call, errno: Errno) {
        if errno == Errno::CANCELED || is_gone(errno) {
            return;
        }
        self.keep();
        self.totals
            .failed(sample(&self.dir.path(name), call, errno));
    }

    /// Ends the walk as soon as possible; what is not done by then is for the next one.
    pub fn stop(&self) {
        self.core.gate.close();
    }

    /// Whether nothing more should be begun.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.core.gate.is_closed()
    }
}

/// A file that is held on to without being open.
#[derive(Debug)]
pub struct Pinned(OwnedFd);

/// A directory when all below it is done.
pub struct Left<'a, T> {
    pub(super) core: &'a Core,
    pub(super) dir: &'a Dir,
    pub(super) totals: Totals<T>,
    pub(super) cancelled: bool,
}

impl<T: Tally> Left<'_, T> {
    /// Counts for good.
    pub const fn tally(&mut self) -> &mut T {
        &mut self.totals.tally
    }

    /// Whether this is the root.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.dir.parent().is_none()
    }

    /// Path below the root.
    #[must_use]
    pub fn path(&self) -> Vec<u8> {
        self.dir.path(None)
    }

    /// Its number, if it was looked at.
    #[must_use]
    pub fn inode(&self) -> Option<u64> {
        self.dir.inode()
    }

    /// Makes a call of the sweep's own, in turn and tried again like all others.
    pub fn call<R>(&mut self, call: Call, make: impl Fn() -> Result<R, Errno>) -> Result<R, Errno> {
        let before = || self.core.kernel.before(call, self.dir.name());
        let result = self.core.call(None, || before().and_then(|()| make()));
        self.cancelled |= matches!(result, Err(Errno::CANCELED));
        result
    }

    /// It could not be worked on, which is counted unless the walk was stopped.
    pub fn failed(&mut self, call: Call, errno: Errno) {
        if errno != Errno::CANCELED {
            self.totals
                .failed(sample(&self.dir.path(None), call, errno));
        }
    }

    /// Removes it, if it is empty and the one that was read. What fails is counted.
    pub fn remove(&mut self) -> Removal {
        let place = self
            .core
            .check_place(self.dir, self.dir.handle().as_deref())
            .map_err(|errno| (Call::Stat, errno));
        let remove = || self.core.remove_dir(self.dir);
        match place.and_then(|()| remove().map_err(|errno| (Call::RemoveDir, errno))) {
            Ok(()) => Removal::Removed,
            Err((_, errno)) if is_gone(errno) => Removal::Gone,
            Err((_, Errno::NOTEMPTY | Errno::EXIST)) => Removal::Stays,
            Err((_, Errno::CANCELED)) => {
                self.cancelled = true;
                Removal::Stays
            }
            Err((call, errno)) => {
                self.failed(call, errno);
                Removal::Stays
            }
        }
    }
}

/// What became of an empty directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// We removed it.
    Removed,
    /// Someone else did.
    Gone,
    /// It has something in it after all, could not be removed, or the walk was stopped.
    Stays,
}

pub(super) fn sample(path: &[u8], call: Call, errno: Errno) -> Sample {
    let error = format!("{}: {}", call.label(), io::Error::from(errno));
    Sample::new(path, error)
}
