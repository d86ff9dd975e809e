//! What calls cost. Pure.

use std::time::Duration;

/// Names in one answer to a directory read, as an NFS server sends them in 32 KiB.
pub(crate) const NAMES_PER_READ: usize = 400;

/// The same with attributes.
pub(crate) const NAMES_PER_READ_PLUS: usize = 128;

/// What a change costs of the budget, in reads.
const UNITS_PER_WRITE: u32 = 5;

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name.
    Lookup,
    /// Attributes.
    Getattr,
    /// Opening a directory: free, an NFS client asks nobody.
    Opendir,
    /// Names.
    Readdir,
    /// Names and attributes.
    Readdirplus,
    /// The read that finds nothing more: free, for an NFS server says so with the last names.
    ReaddirEnd,
    /// Removing a name of a file.
    Unlink,
    /// Removing a directory.
    Rmdir,
    /// Opening and reading files.
    Read,
    /// Creating, writing, linking, renaming.
    Write,
}

/// All of them, with their names in the counters.
pub(crate) const KINDS: [(&str, Kind); 10] = [
    ("lookup", Kind::Lookup),
    ("getattr", Kind::Getattr),
    ("opendir", Kind::Opendir),
    ("readdir", Kind::Readdir),
    ("readdirplus", Kind::Readdirplus),
    ("readdir_end", Kind::ReaddirEnd),
    ("unlink", Kind::Unlink),
    ("rmdir", Kind::Rmdir),
    ("read", Kind::Read),
    ("write", Kind::Write),
];

impl Kind {
    /// How long it takes when nothing is in its way.
    pub(crate) const fn latency(self) -> Duration {
        Duration::from_millis(match self {
            Self::Opendir | Self::ReaddirEnd => 0,
            Self::Lookup | Self::Getattr | Self::Read => 1,
            Self::Readdir | Self::Readdirplus => 3,
            Self::Unlink | Self::Rmdir | Self::Write => 5,
        })
    }

    /// What it takes of the budget.
    pub(crate) const fn units(self) -> u32 {
        match self {
            Self::Opendir | Self::ReaddirEnd => 0,
            Self::Lookup | Self::Getattr | Self::Read | Self::Readdir | Self::Readdirplus => 1,
            Self::Unlink | Self::Rmdir | Self::Write => UNITS_PER_WRITE,
        }
    }

    /// Whether the server hears of it.
    pub(crate) const fn is_call(self) -> bool {
        self.units() > 0
    }
}

/// How much the server does at all.
#[derive(Debug)]
pub(crate) struct Budget {
    per_unit: Duration,
}

impl Budget {
    /// So many reads a second, or a fifth as many changes; 0 is no limit.
    pub(crate) fn new(reads_per_second: u32) -> Self {
        let per_unit = Duration::from_secs(1).checked_div(reads_per_second);
        Self {
            per_unit: per_unit.unwrap_or_default(),
        }
    }

    /// How long the server is busy with it, for everyone.
    pub(crate) fn busy_for(&self, kind: Kind) -> Duration {
        self.per_unit * kind.units()
    }
}
