//! What a sweep counts. Pure.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use shared::walk::{Attributes, Stamp, Tally};

/// Files with several names that are kept in mind, some 15 MB. A dry run leaves out the bytes of more of them; a sweep leaves
/// their names to the next one.
const LINKED_FILES_MAX: usize = 100_000;

/// The counts of an answer, and what they need to come out right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Regular files seen, whatever became of them.
    pub files_scanned: u64,
    /// Files removed.
    pub files_purged: u64,
    /// Files found due, removed or not.
    pub files_to_purge: u64,
    /// Directories whose entries were all seen, the root included.
    pub dirs_scanned: u64,
    /// Empty directories removed.
    pub dirs_purged: u64,
    /// Empty directories that were, or would be, removed.
    pub dirs_to_purge: u64,
    /// Bytes of files whose last name went, or would go.
    pub bytes_freed: u64,
    /// Links, which are never followed and never removed.
    pub symlinks_skipped: u64,
    /// FIFOs, sockets, devices.
    pub special_files_skipped: u64,
    /// In a dry run: files of which some names are due and not yet all, by their number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    names_due: BTreeMap<u64, NamesDue>,
    /// Files that lost a name of several, by their number.
    #[serde(default, skip_serializing_if = "Linked::is_empty")]
    pub linked: Linked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct NamesDue {
    due: u32,
    links: u32,
    size_bytes: u64,
}

impl Tally for Counts {}

impl Counts {
    /// A file that a dry run would remove. Its bytes go with its last name.
    pub fn would_purge(&mut self, file: &Attributes) {
        self.files_scanned += 1;
        self.files_to_purge += 1;
        let name = NamesDue {
            due: 1,
            links: file.links,
            size_bytes: file.size_bytes,
        };
        self.name_due(file.inode, name);
    }

    /// A file that was removed. Its bytes are free if that was its last name.
    #[must_use]
    pub fn purged(file: &Attributes) -> Self {
        Self {
            files_scanned: 1,
            files_to_purge: 1,
            files_purged: 1,
            bytes_freed: if file.links <= 1 { file.size_bytes } else { 0 },
            ..Self::default()
        }
    }

    fn name_due(&mut self, inode: u64, more: NamesDue) {
        let known = self.names_due.get(&inode).map_or(0, |names| names.due);
        let names = NamesDue {
            due: known + more.due,
            ..more
        };
        if names.due >= names.links {
            self.bytes_freed += names.size_bytes;
            self.names_due.remove(&inode);
        } else if known > 0 || self.names_due.len() < LINKED_FILES_MAX {
            self.names_due.insert(inode, names);
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.files_scanned += other.files_scanned;
        self.files_purged += other.files_purged;
        self.files_to_purge += other.files_to_purge;
        self.dirs_scanned += other.dirs_scanned;
        self.dirs_purged += other.dirs_purged;
        self.dirs_to_purge += other.dirs_to_purge;
        self.bytes_freed += other.bytes_freed;
        self.symlinks_skipped += other.symlinks_skipped;
        self.special_files_skipped += other.special_files_skipped;
        for (inode, names) in other.names_due {
            self.name_due(inode, names);
        }
        self.linked += other.linked;
    }
}

/// Files of which we removed a name while they had others: that made their ctime new, and them no younger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked(BTreeMap<u64, Lost>);

/// What removing a name did to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lost {
    /// Its ctime before we touched it.
    before: Stamp,
    /// And since; any other one is someone else's doing.
    after: Stamp,
    /// Names that it has left.
    links: u32,
}

impl Linked {
    /// One file that lost a name: as it was, and as it is now.
    #[must_use]
    pub fn one(before: &Attributes, now: &Attributes) -> Self {
        let lost = Lost {
            before: before.ctime,
            after: now.ctime,
            links: now.links,
        };
        Self(BTreeMap::from([(now.inode, lost)]))
    }

    /// The file as it would be if we had not touched it.
    #[must_use]
    pub fn untouched(&self, now: Attributes) -> Attributes {
        match self.0.get(&now.inode) {
            Some(lost) if lost.after == now.ctime => Attributes {
                ctime: lost.before,
                ..now
            },
            _ => now,
        }
    }

    /// Whether we removed a name of this file.
    #[must_use]
    pub fn contains(&self, inode: u64) -> bool {
        self.0.contains_key(&inode)
    }

    /// Whether no other file can be kept in mind.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.len() >= LINKED_FILES_MAX
    }

    /// Whether nothing is known about any file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl AddAssign for Linked {
    /// What comes later knows better; a file without a name left is forgotten.
    fn add_assign(&mut self, other: Self) {
        for (inode, lost) in other.0 {
            if lost.links == 0 {
                self.0.remove(&inode);
            } else {
                self.0.insert(inode, lost);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::walk::{Kind, Stamp};

    fn name_of(inode: u64, links: u32) -> Counts {
        let stamp = Stamp {
            seconds: 0,
            nanoseconds: 0,
        };
        let mut counts = Counts::default();
        counts.would_purge(&Attributes {
            kind: Kind::File,
            mtime: stamp,
            ctime: stamp,
            size_bytes: 100,
            links,
            inode,
        });
        counts
    }

    #[test]
    fn bytes_count_with_the_last_name_wherever_it_is() {
        let mut counts = name_of(1, 1);
        assert_eq!(counts.bytes_freed, 100);
        for bytes_freed in [100, 100, 200] {
            counts += name_of(2, 3);
            assert_eq!(counts.bytes_freed, bytes_freed);
        }
        assert!(counts.names_due.is_empty());
    }

    #[test]
    fn two_names_in_one_directory_and_one_elsewhere_add_up() {
        let mut directory = name_of(2, 3);
        directory += name_of(2, 3);
        let mut counts = name_of(2, 3);
        counts += directory;
        assert_eq!((counts.bytes_freed, counts.files_to_purge), (100, 3));
    }
}
