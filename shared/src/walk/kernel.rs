//! The calls to the kernel, each one relative to an open directory, and the one place where tests make them fail.

use std::ffi::CStr;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags, StatxTimestamp, fstatfs,
    openat, openat2, statx, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Source: linux/magic.h, `FUSE_SUPER_MAGIC`.
const FUSE_MAGIC: rustix::fs::FsWord = 0x6573_5546;

/// What is asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Open a directory.
    Open,
    /// Read entries of a directory.
    ReadDir,
    /// Read attributes of an entry.
    Stat,
    /// Remove a file.
    Unlink,
    /// Remove a directory.
    RemoveDir,
    /// Write down what is about to happen: a sweep's own call.
    Audit,
    /// Write down what is left to do: a sweep's own call.
    Note,
    /// Part of `Open`: the kernel's own safe resolution. Old kernels and seccomp filters refuse it.
    ResolveBeneath,
    /// Part of `Open` without it: the mount that a descriptor is on. Old kernels do not tell.
    MountId,
    /// Part of `ReadDir`: the type of an entry. Some servers leave it out.
    EntryType,
}

impl Call {
    /// Its name in error samples.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ReadDir => "getdents",
            Self::Stat => "stat",
            Self::Unlink => "unlink",
            Self::RemoveDir => "rmdir",
            Self::Audit => "audit",
            Self::Note => "note",
            Self::ResolveBeneath => "openat2",
            Self::MountId => "mount id",
            Self::EntryType => "entry type",
        }
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, whatever it points to.
    Symlink,
    /// A FIFO, a socket or a device.
    Special,
}

impl Kind {
    /// `None` when the file system did not say.
    pub(super) const fn of(file_type: FileType) -> Option<Self> {
        match file_type {
            FileType::RegularFile => Some(Self::File),
            FileType::Directory => Some(Self::Directory),
            FileType::Symlink => Some(Self::Symlink),
            FileType::Unknown => None,
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice => Some(Self::Special),
        }
    }
}

/// A file's time, since the Unix epoch; it may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// Whole seconds.
    pub seconds: i64,
    /// Below one second, always counted forward.
    pub nanoseconds: u32,
}

impl From<StatxTimestamp> for Stamp {
    fn from(time: StatxTimestamp) -> Self {
        Self {
            seconds: time.tv_sec,
            nanoseconds: time.tv_nsec,
        }
    }
}

/// What is known about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// What it is.
    pub kind: Kind,
    /// Last change of the content; anyone may set it.
    pub mtime: Stamp,
    /// Last change of anything; only the file system sets it.
    pub ctime: Stamp,
    /// Bytes.
    pub size_bytes: u64,
    /// Names of the same file.
    pub links: u32,
    /// Number within the file system.
    pub inode: u64,
}

impl From<Statx> for Attributes {
    fn from(stat: Statx) -> Self {
        let file_type = FileType::from_raw_mode(u32::from(stat.stx_mode));
        Self {
            kind: Kind::of(file_type).unwrap_or(Kind::Special),
            mtime: stat.stx_mtime.into(),
            ctime: stat.stx_ctime.into(),
            size_bytes: stat.stx_size,
            links: stat.stx_nlink,
            inode: stat.stx_ino,
        }
    }
}

/// How old attributes may be.
///
/// There is no third choice: what the client cached some hours ago (`AT_STATX_DONT_SYNC`) decides nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// What the client may still believe without asking: seconds.
    Usual,
    /// Asked of the server now.
    Forced,
}

impl Freshness {
    const fn flags(self) -> AtFlags {
        match self {
            Self::Usual => AtFlags::empty(),
            Self::Forced => AtFlags::STATX_FORCE_SYNC,
        }
    }
}

/// What an opened directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Its entries are read.
    Read,
    /// It is on the way to another one.
    Passage,
}

/// Comes before every call: may take its time, change the tree, or make the call fail.
pub type Interference = dyn Fn(Call, &CStr) -> Result<(), Errno> + Send + Sync;

/// The kernel, by default undisturbed.
#[derive(Default)]
pub struct Kernel {
    interference: Option<Box<Interference>>,
    cannot_resolve_beneath: AtomicBool,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").finish_non_exhaustive()
    }
}

impl Kernel {
    /// With something between us and it, for tests.
    pub fn disturbed(
        interference: impl Fn(Call, &CStr) -> Result<(), Errno> + Send + Sync + 'static,
    ) -> Self {
        Self {
            interference: Some(Box::new(interference)),
            ..Self::default()
        }
    }

    pub(super) fn before(&self, call: Call, name: &CStr) -> Result<(), Errno> {
        self.interference
            .as_ref()
            .map_or(Ok(()), |interference| interference(call, name))
    }

    /// Opens the directory `name` of `parent` if it is one, on the same mount, and no link.
    ///
    /// `EXDEV` says that something is mounted there. Where the kernel cannot resolve safely by itself, one name at a
    /// time without following links is as safe, and the mount is compared afterwards: a bind mount has the same device
    /// number, so that one tells nothing.
    pub(super) fn open(
        &self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        access: Access,
    ) -> Result<OwnedFd, Errno> {
        self.before(Call::Open, name)?;
        if !is_plain(name.to_bytes()) {
            return Err(Errno::INVAL);
        }
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Passage => OFlags::PATH,
        } | OFlags::DIRECTORY
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC;
        if !self.cannot_resolve_beneath.load(Ordering::Relaxed) {
            let beneath = ResolveFlags::BENEATH
                | ResolveFlags::NO_SYMLINKS
                | ResolveFlags::NO_MAGICLINKS
                | ResolveFlags::NO_XDEV;
            let opened = self
                .before(Call::ResolveBeneath, name)
                .and_then(|()| openat2(parent, name, flags, Mode::empty(), beneath));
            if !matches!(opened, Err(Errno::NOSYS | Errno::PERM)) {
                return opened;
            }
            self.cannot_resolve_beneath.store(true, Ordering::Relaxed);
        }
        let opened = openat(parent, name, flags, Mode::empty())?;
        if self.mount_id(parent)? == self.mount_id(opened.as_fd())? {
            Ok(opened)
        } else {
            Err(Errno::XDEV)
        }
    }

    /// The mount that `fd` is on; an error rather than a guess.
    pub(super) fn mount_id(&self, fd: BorrowedFd<'_>) -> Result<u64, Errno> {
        if self.before(Call::MountId, c"").is_ok() {
            let stat = statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
            if StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID) {
                return Ok(stat.stx_mnt_id);
            }
        }
        std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))
            .ok()
            .and_then(|text| {
                let line = text.lines().find_map(|line| line.strip_prefix("mnt_id:"));
                line.and_then(|id| id.trim().parse().ok())
            })
            .ok_or(Errno::NOTSUP)
    }

    /// The attributes of the entry `name`, of the link itself if it is one.
    pub(super) fn stat(
        &self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        freshness: Freshness,
    ) -> Result<Attributes, Errno> {
        self.before(Call::Stat, name)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | freshness.flags();
        statx(parent, name, flags, attributes()).map(Attributes::from)
    }

    /// The attributes of what is open.
    pub(super) fn stat_open(
        &self,
        fd: BorrowedFd<'_>,
        freshness: Freshness,
    ) -> Result<Attributes, Errno> {
        self.before(Call::Stat, c"")?;
        let flags = AtFlags::EMPTY_PATH | freshness.flags();
        statx(fd, c"", flags, attributes()).map(Attributes::from)
    }

    /// Whether `fd` is on a file system in user space; where that cannot be learned it is not.
    pub(super) fn is_fuse(fd: BorrowedFd<'_>) -> bool {
        fstatfs(fd).is_ok_and(|it| it.f_type == FUSE_MAGIC)
    }

    /// Holds on to what `name` is, link or not, without opening it.
    pub(super) fn pin(&self, parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
        self.before(Call::Stat, name)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(parent, name, flags, Mode::empty())
    }

    /// Removes the file `name`; never a directory.
    pub(super) fn unlink(&self, parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        self.before(Call::Unlink, name)?;
        unlinkat(parent, name, AtFlags::empty())
    }

    /// Removes the directory `name` if it is empty.
    pub(super) fn remove_dir(&self, parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        self.before(Call::RemoveDir, name)?;
        unlinkat(parent, name, AtFlags::REMOVEDIR)
    }
}

fn attributes() -> StatxFlags {
    StatxFlags::TYPE
        | StatxFlags::MTIME
        | StatxFlags::CTIME
        | StatxFlags::SIZE
        | StatxFlags::NLINK
        | StatxFlags::INO
}

/// Whether `name` is one entry of a directory and not a way out of it.
pub(super) fn is_plain(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}
