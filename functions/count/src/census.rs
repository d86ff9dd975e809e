//! Counting entries by what they are.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use shared::walk::{Entry, Kind, Sweep, Tally, Visit};

/// Entries below the root; the root itself is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// Regular files; each name of a file with several counts.
    pub files: u64,
    /// Directories, also those that are mounts and are not entered.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// FIFOs, sockets, devices.
    pub special: u64,
}

impl AddAssign for Entries {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.directories += other.directories;
        self.symlinks += other.symlinks;
        self.special += other.special;
    }
}

impl Tally for Entries {}

/// The sweep that touches nothing.
#[derive(Debug)]
pub struct Census;

impl Sweep for Census {
    type Tally = Entries;
    type Batch = ();

    const LOOKS_AT_ATTRIBUTES: bool = false;

    fn entry(&self, visit: &mut Visit<'_, Entries>, (): &mut (), entry: Entry<'_>) {
        let tally = visit.tally();
        match entry.kind {
            Kind::File => tally.files += 1,
            Kind::Directory => tally.directories += 1,
            Kind::Symlink => tally.symlinks += 1,
            Kind::Special => tally.special += 1,
        }
    }
}
