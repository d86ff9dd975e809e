//! Reading one directory: entries as they stream in, files on the spot, directories handed on.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::fs::RawDir;
use rustix::io::Errno;

use super::controller::Gauge;
use super::core::{TRIES_MAX, is_transient};
use super::dir::{Dir, NameHash, Progress, hashed};
use super::kernel::{Call, Freshness, Kind};
use super::lock;
use super::scope::Scope;
use super::sweep::{Entry, Sweep, Visit};
use super::worker::Shared;

/// The directory that is ours.
pub(super) const OWN_DIRECTORY: &CStr = c".sluice";

/// What the first read of a directory on FUSE asks for when nobody wants attributes, bytes.
///
/// FUSE asks for attributes together with the names of the first read, as many as its reader has room for, and for names
/// and types afterwards. Making an inode of each name costs more than the rest of a listing. Elsewhere all reads are
/// large: an NFS client that asks without attributes does not learn types either, and each would cost a look.
pub(super) const FIRST_READ_BYTES: usize = 4_096;

/// How a listing ended.
pub(super) enum Listing {
    Finished,
    Interrupted,
    Parked,
}

/// What was found in a buffer and waits for its end.
#[derive(Default)]
struct Found<B> {
    batch: B,
    children: Vec<CString>,
}

impl<S: Sweep> Shared<S> {
    pub(super) fn enter_and_list(
        &self,
        visit: &mut Visit<'_, S::Tally>,
        dir: &Arc<Dir>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> Listing {
        let known = lock(&dir.progress).removable;
        if known.is_none() {
            let removable = self.sweep.enter(visit);
            if visit.cancelled {
                return Listing::Interrupted;
            }
            lock(&dir.progress).removable = Some(removable);
        }
        self.list(visit, dir, buffer)
    }

    fn list(
        &self,
        visit: &mut Visit<'_, S::Tally>,
        dir: &Arc<Dir>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> Listing {
        let handle = visit.handle;
        let mut found = Found::default();
        let (mut tries, mut gauge) = (1, Some(Gauge::Reads));
        let mut ask_bytes = self.first_read_bytes.min(buffer.len());
        loop {
            self.sweep.flush(visit, &mut found.batch);
            if visit.cancelled || visit.is_stopped() {
                return Listing::Interrupted;
            }
            if self.hand_on(dir, &mut found.children) {
                return Listing::Parked;
            }
            let Some(pass) = self.core.gate.enter(gauge.take()) else {
                return Listing::Interrupted;
            };
            let mut entries = RawDir::new(handle.as_fd(), &mut buffer[..ask_bytes]);
            let permitted = self.core.kernel.before(Call::ReadDir, dir.name());
            let first = permitted.and_then(|()| entries.next().transpose());
            drop(pass);
            match first {
                Ok(None) => return Listing::Finished,
                Ok(Some(entry)) => {
                    let kind = Kind::of(entry.file_type());
                    self.entry(visit, &mut found, entry.file_name(), kind);
                }
                Err(errno) if self.try_again(errno, &mut tries) => continue,
                Err(errno) => {
                    visit.failed(None, Call::ReadDir, errno);
                    return Listing::Finished;
                }
            }
            self.rest_of_read(visit, &mut found, &mut entries);
            if visit.is_stopped() {
                return Listing::Interrupted;
            }
            (tries, ask_bytes) = (1, buffer.len());
        }
    }

    /// The entries that came with the first one: nothing is asked of the server here.
    fn rest_of_read(
        &self,
        visit: &mut Visit<'_, S::Tally>,
        found: &mut Found<S::Batch>,
        entries: &mut RawDir<'_, BorrowedFd<'_>>,
    ) {
        while !entries.is_buffer_empty() && !visit.is_stopped() {
            if let Some(Ok(entry)) = entries.next() {
                let kind = Kind::of(entry.file_type());
                self.entry(visit, found, entry.file_name(), kind);
            }
        }
    }

    fn try_again(&self, errno: Errno, tries: &mut u32) -> bool {
        let again = is_transient(errno) && *tries < TRIES_MAX;
        if again {
            self.core.wait(*tries);
            *tries += 1;
        }
        again
    }

    fn entry(
        &self,
        visit: &mut Visit<'_, S::Tally>,
        found: &mut Found<S::Batch>,
        name: &CStr,
        kind: Option<Kind>,
    ) {
        let scope = visit.dir.scope;
        if name == c"." || name == c".." || !scope.includes_name(name) {
            return;
        }
        let told = kind.filter(|_| self.core.kernel.before(Call::EntryType, name).is_ok());
        let kind =
            match told.map_or_else(|| visit.stat(name, Freshness::Usual).map(|it| it.kind), Ok) {
                Ok(kind) => kind,
                Err(errno) => return visit.failed(Some(name), Call::Stat, errno),
            };
        if kind == Kind::Directory && name == OWN_DIRECTORY {
            return visit.keep();
        }
        if !scope.includes_kind(kind) {
            return;
        }
        if kind == Kind::Directory {
            found.children.push(name.to_owned());
        }
        self.sweep
            .entry(visit, &mut found.batch, Entry { name, kind });
    }

    /// Puts the children found on the frontier, each once; whether the reader should stand aside now.
    fn hand_on(&self, dir: &Arc<Dir>, children: &mut Vec<CString>) -> bool {
        if children.is_empty() {
            return false;
        }
        let hashed: Vec<(NameHash, CString)> = children
            .drain(..)
            .map(|name| (hashed(&name), name))
            .collect();
        let mut state = lock(&self.state);
        let mut progress = lock(&dir.progress);
        let mut new = Vec::with_capacity(hashed.len());
        for (hash, name) in hashed {
            if progress.handed_on.insert(hash) {
                new.push(Dir::child(
                    dir,
                    name,
                    Scope::Everything,
                    Progress::unlisted(),
                ));
            }
        }
        progress.pending += u32::try_from(new.len()).unwrap_or(u32::MAX);
        drop(progress);
        state.frontier.extend(new);
        self.work.notify_all();
        state.frontier.is_full()
    }
}
