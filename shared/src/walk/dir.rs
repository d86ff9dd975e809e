//! A directory of the tree, as long as something below it is not done.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::lock;
use super::scope::Scope;

/// Stands for a child's name in the set of children that were handed on.
pub(super) type NameHash = [u8; 16];

/// See [`NameHash`]: half a SHA-256, so that nobody can make one name hide another.
pub(super) fn hashed(name: &CStr) -> NameHash {
    let mut hash = NameHash::default();
    let digest = Sha256::digest(name.to_bytes());
    hash.copy_from_slice(&digest[..16]);
    hash
}

/// An open directory; it counts against the budget of descriptors.
#[derive(Debug)]
pub(super) struct Handle {
    fd: OwnedFd,
    open: Arc<AtomicUsize>,
}

impl Handle {
    pub(super) fn new(fd: OwnedFd, open: &Arc<AtomicUsize>) -> Arc<Self> {
        open.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self {
            fd,
            open: Arc::clone(open),
        })
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What changes about a directory.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Children that were handed on and are not settled, and one more until its own listing is done.
    pub(super) pending: u32,
    /// Its own entries are done.
    pub(super) listed: bool,
    /// Something stays in it.
    pub(super) kept: bool,
    /// Whether it may go when it is empty; known from the first visit, before we changed it ourselves.
    pub(super) removable: Option<bool>,
    /// The children handed on so far: a listing that starts again must not hand them on again.
    pub(super) handed_on: HashSet<NameHash>,
}

/// A directory by its name in its parent.
#[derive(Debug)]
pub(super) struct Dir {
    parent: Option<Arc<Self>>,
    name: Box<CStr>,
    /// Which of its entries are ours.
    pub(super) scope: Scope,
    handle: Mutex<Option<Arc<Handle>>>,
    inode: OnceLock<u64>,
    /// When it, and all above it, was last seen where it is thought to be.
    in_place: Mutex<Option<Instant>>,
    /// Whoever removes an entry: the kernel lets only one at a time, and the others would wait inside of it.
    pub(super) lane: Mutex<()>,
    pub(super) progress: Mutex<Progress>,
}

impl Dir {
    pub(super) fn root(handle: Arc<Handle>, scope: Scope, progress: Progress) -> Arc<Self> {
        let root = Self::of(None, CString::default(), scope, progress);
        *lock(&root.handle) = Some(handle);
        Arc::new(root)
    }

    pub(super) fn child(
        parent: &Arc<Self>,
        name: CString,
        scope: Scope,
        progress: Progress,
    ) -> Arc<Self> {
        Arc::new(Self::of(Some(Arc::clone(parent)), name, scope, progress))
    }

    fn of(parent: Option<Arc<Self>>, name: CString, scope: Scope, progress: Progress) -> Self {
        Self {
            parent,
            name: name.into_boxed_c_str(),
            scope,
            handle: Mutex::default(),
            inode: OnceLock::new(),
            in_place: Mutex::default(),
            lane: Mutex::default(),
            progress: Mutex::new(progress),
        }
    }

    pub(super) const fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
    }

    pub(super) const fn name(&self) -> &CStr {
        &self.name
    }

    pub(super) fn handle(&self) -> Option<Arc<Handle>> {
        lock(&self.handle).clone()
    }

    /// Keeps the descriptor for the sake of the children.
    pub(super) fn keep_open(&self, handle: Arc<Handle>) {
        *lock(&self.handle) = Some(handle);
    }

    /// Gives the descriptor up; who needs it again looks it up by name, and `inode` tells whether it is the same.
    pub(super) fn close(&self, inode: Option<u64>) {
        if let Some(inode) = inode {
            self.is_number(inode);
        }
        if self.parent.is_some() {
            *lock(&self.handle) = None;
        }
    }

    /// Learns its number; the first one counts.
    pub(super) fn is_number(&self, inode: u64) {
        let _ = self.inode.set(inode);
    }

    /// When it, and all above it, was last seen in its place.
    pub(super) fn in_place(&self) -> Option<Instant> {
        *lock(&self.in_place)
    }

    /// It, and all above it, was in its place at that time.
    pub(super) fn was_in_place(&self, time: Instant) {
        *lock(&self.in_place) = Some(time);
    }

    /// Its number, if it is known.
    pub(super) fn inode(&self) -> Option<u64> {
        self.inode.get().copied()
    }

    /// The path below the root, of it or of its entry `name`: for logs, globs and tokens, never for a call.
    pub(super) fn path(&self, name: Option<&CStr>) -> Vec<u8> {
        let mut names: Vec<&CStr> = name.into_iter().collect();
        let mut at = Some(self);
        while let Some(dir) = at
            && let Some(parent) = dir.parent()
        {
            names.push(&dir.name);
            at = Some(parent);
        }
        let names: Vec<&[u8]> = names.into_iter().rev().map(CStr::to_bytes).collect();
        names.join(&b'/')
    }
}

impl Drop for Dir {
    /// One after the other: the chain of parents is as long as the tree is deep, and stacks here are small.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut dir) = next.and_then(Arc::into_inner) {
            next = dir.parent.take();
        }
    }
}

impl Progress {
    /// Of a directory that has not been read.
    pub(super) fn unlisted() -> Self {
        Self {
            pending: 1,
            ..Self::default()
        }
    }
}
