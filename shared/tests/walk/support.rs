//! A sweep that notes what it sees, and the trees to see.

use std::ffi::OsStr;
use std::fs;
use std::ops::AddAssign;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde::{Deserialize, Serialize};
use shared::walk::{
    End, Entry, Kernel, Kind, Options, Outcome, Root, Sweep, Tally, Token, Visit, Walk, run,
};

/// Every entry with its path below the root, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) entries: Vec<(Vec<u8>, Is)>,
    pub(crate) listed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Is {
    File,
    Directory,
    Symlink,
    Special,
}

impl From<Kind> for Is {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Directory => Self::Directory,
            Kind::Symlink => Self::Symlink,
            Kind::Special => Self::Special,
        }
    }
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.listed += other.listed;
    }
}

impl Tally for Seen {}

impl Seen {
    pub(crate) fn sorted(mut self) -> Self {
        self.entries.sort();
        self
    }
}

/// Notes what it sees, and stops after so many entries.
pub(crate) struct Census {
    left: AtomicU64,
}

impl Census {
    pub(crate) fn of(entries_max: u64) -> Self {
        Self {
            left: entries_max.into(),
        }
    }
}

impl Sweep for Census {
    type Tally = Seen;
    type Batch = ();

    fn entry(&self, visit: &mut Visit<'_, Seen>, (): &mut (), entry: Entry<'_>) {
        let path = visit.path(Some(entry.name));
        visit.tally().entries.push((path, entry.kind.into()));
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            visit.stop();
        }
    }

    fn listed(&self, tally: &mut Seen) {
        tally.listed += 1;
    }
}

pub(crate) fn walk<S: Sweep>(root: &Path, kernel: Kernel, sweep: S, options: Options) -> Walk<S> {
    Walk {
        root: Root::open(&Kernel::default(), root).unwrap(),
        kernel,
        sweep: Arc::new(sweep),
        job: "census".to_owned(),
        began_at_ms: 0,
        resume: None,
        options,
    }
}

pub(crate) fn census(root: &Path, kernel: Kernel, options: Options) -> Outcome<Seen> {
    run(walk(root, kernel, Census::of(u64::MAX), options), |_| {}).unwrap()
}

/// Runs in slices of `entries` and more, each going on from the text of the last token; how many, and what was seen.
pub(crate) fn sliced(root: &Path, options: &Options, entries: u64) -> (u64, Outcome<Seen>) {
    sliced_from(None, root, options, entries)
}

/// The same from what is left of a walk.
pub(crate) fn sliced_from(
    mut resume: Option<Token<Seen>>,
    root: &Path,
    options: &Options,
    mut entries: u64,
) -> (u64, Outcome<Seen>) {
    for slices in 1.. {
        let sweep = Census::of(entries);
        let walk = Walk {
            resume,
            ..walk(root, Kernel::default(), sweep, options.clone())
        };
        let outcome = run(walk, |_| {}).unwrap();
        match outcome.resume {
            None => return (slices, outcome),
            Some(token) => {
                assert_eq!(outcome.end, End::Incomplete);
                resume = Some(Token::decode(&token.encode().unwrap()).unwrap());
                // A directory that does not fit into a slice is read from its first entry each time.
                entries += 1;
            }
        }
    }
    unreachable!()
}

/// What a tree is made of: everything hangs below an earlier directory.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Directory,
    File,
    HardLink,
    Symlink(&'static str),
    Fifo,
    Socket,
}

/// Builds a tree; a name that is taken is left out.
pub(crate) fn plant(root: &Path, nodes: &[(usize, Vec<u8>, Node)]) {
    let (mut directories, mut files) = (vec![root.to_owned()], Vec::<PathBuf>::new());
    for (place, name, node) in nodes {
        let path = directories[place % directories.len()].join(OsStr::from_bytes(name));
        if path.as_os_str().len() > 3_500 || path.symlink_metadata().is_ok() {
            continue;
        }
        match node {
            Node::Directory => {
                fs::create_dir(&path).unwrap();
                directories.push(path);
            }
            Node::File => {
                fs::write(&path, "").unwrap();
                files.push(path);
            }
            Node::HardLink => {
                if let Some(file) = files.get(place % files.len().max(1)) {
                    fs::hard_link(file, &path).unwrap();
                }
            }
            Node::Symlink(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
            Node::Fifo => special(&path, FileType::Fifo),
            Node::Socket => special(&path, FileType::Socket),
        }
    }
}

fn special(path: &Path, file_type: FileType) {
    mknodat(CWD, path, file_type, Mode::RUSR, 0).unwrap();
}

/// The same by the simplest means.
pub(crate) fn naive(root: &Path) -> Seen {
    let mut seen = Seen {
        listed: 1,
        ..Seen::default()
    };
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        let (name, file_type) = (entry.file_name(), entry.file_type().unwrap());
        let is = if file_type.is_dir() {
            Is::Directory
        } else if file_type.is_symlink() {
            Is::Symlink
        } else if file_type.is_file() {
            Is::File
        } else {
            Is::Special
        };
        seen.entries.push((name.as_bytes().to_vec(), is));
        if is == Is::Directory {
            let below = naive(&entry.path());
            seen.listed += below.listed;
            for (path, is) in below.entries {
                seen.entries
                    .push(([name.as_bytes(), &path].join(&b'/'), is));
            }
        }
    }
    seen
}

/// A directory in memory where there is a place for it: a disk would need minutes for the largest trees.
pub(crate) fn quick_tempdir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// `files` files in each of `directories` directories.
pub(crate) fn grid(root: &Path, directories: usize, files: usize) {
    for directory in 0..directories {
        let directory = root.join(format!("d{directory}"));
        fs::create_dir(&directory).unwrap();
        for file in 0..files {
            fs::write(directory.join(format!("f{file}")), "").unwrap();
        }
    }
}
