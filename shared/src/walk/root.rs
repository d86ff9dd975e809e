//! The directory that everything happens below: opened once, and never looked up again.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::Errno;

use super::kernel::{Access, Freshness, Kernel};
use super::listing::OWN_DIRECTORY;

const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// An open root.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    path: PathBuf,
    inode: u64,
}

/// Why a root cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// It must name one place, whatever the working directory is.
    #[error("root {path:?} is not an absolute path without \"..\"")]
    NotAbsolute {
        /// As it was given.
        path: PathBuf,
    },
    /// It is not there, no directory, or a link; or something is mounted on the way from the outer root.
    #[error("open root {path:?}")]
    Open {
        /// As it was given.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It is where tokens, plans and audits are kept.
    #[error("root {path:?} is in a .sluice, which is never swept")]
    Own {
        /// As it was given.
        path: PathBuf,
    },
    /// It lies elsewhere.
    #[error("root {path:?} is not below {outer:?}")]
    Outside {
        /// As it was given.
        path: PathBuf,
        /// What it must be below.
        outer: PathBuf,
    },
}

impl Root {
    /// Opens the directory at the absolute `path`, which must not be a link itself.
    pub fn open(kernel: &Kernel, path: &Path) -> Result<Self, RootError> {
        let failed = |errno: Errno| RootError::Open {
            path: path.to_owned(),
            source: errno.into(),
        };
        let normal = |part| matches!(part, Component::RootDir | Component::Normal(_));
        if !path.is_absolute() || !path.components().all(normal) {
            return Err(RootError::NotAbsolute {
                path: path.to_owned(),
            });
        }
        // Without its trailing slashes: with one, a link would be followed.
        let clean: PathBuf = path.components().collect();
        let fd = open(&clean, FLAGS, Mode::empty()).map_err(failed)?;
        Self::of(kernel, fd, clean.clone()).map_err(failed)
    }

    /// Opens the directory at `path`, this root's own or one below it, without following any link in between.
    pub fn below(&self, kernel: &Kernel, path: &Path) -> Result<Self, RootError> {
        let outside = || RootError::Outside {
            path: path.to_owned(),
            outer: self.path.clone(),
        };
        let relative = path.strip_prefix(&self.path).map_err(|_| outside())?;
        if relative
            .iter()
            .any(|name| name.as_bytes() == OWN_DIRECTORY.to_bytes())
        {
            let path = path.to_owned();
            return Err(RootError::Own { path });
        }
        let failed = |errno: Errno| RootError::Open {
            path: path.to_owned(),
            source: errno.into(),
        };
        let mut fd = self.open_again()?.fd;
        for part in relative.components() {
            let Component::Normal(name) = part else {
                return Err(outside());
            };
            let name = c_string(name).ok_or_else(outside)?;
            fd = kernel
                .open(fd.as_fd(), &name, Access::Read)
                .map_err(failed)?;
        }
        // Joined with nothing, a path would get a slash at its end.
        let path = self.path.join(relative).components().collect();
        Self::of(kernel, fd, path).map_err(failed)
    }

    fn of(kernel: &Kernel, fd: OwnedFd, path: PathBuf) -> Result<Self, Errno> {
        let inode = kernel.stat_open(fd.as_fd(), Freshness::Usual)?.inode;
        Ok(Self { fd, path, inode })
    }

    /// As it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it really is, whatever links led there.
    pub fn resolved(&self) -> Result<PathBuf, RootError> {
        let link = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        std::fs::read_link(link).map_err(|source| RootError::Open {
            path: self.path.clone(),
            source,
        })
    }

    /// Its number in the file system. The device number is no part of its identity: each client has its own.
    #[must_use]
    pub const fn inode(&self) -> u64 {
        self.inode
    }

    /// Opens the same directory once more, for a walk of its own: a copy of the descriptor would share its position.
    pub fn open_again(&self) -> Result<Self, RootError> {
        let fd = openat(&self.fd, c".", FLAGS, Mode::empty()).map_err(|errno| RootError::Open {
            path: self.path.clone(),
            source: errno.into(),
        })?;
        Ok(Self {
            fd,
            path: self.path.clone(),
            inode: self.inode,
        })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

fn c_string(name: &OsStr) -> Option<CString> {
    CString::new(name.as_bytes()).ok()
}
