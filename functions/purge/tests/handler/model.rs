//! A sweep does what the simplest program would, and says the same when dry; in slices it does what the whole does.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::prelude::*;
use purge::empty_dirs::EmptyDirs;
use purge::patterns::Patterns;
use purge::retention::{AgeBy, Retention};
use purge::sweep::{Mode, Purge};
use purge::tally::Counts;
use rustix::fs::{CWD, FileType, mknodat};
use serde_json::json;
use shared::walk::{End, Entry, Kernel, Left, Options, Root, Sweep, Token, Visit, Walk, run};

use crate::support::{DAY, Place, age, number};

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Dir { days: u32 },
    File { days: u32, bytes: usize },
    Link,
    Name,
    Fifo,
    Socket,
}

/// A number in front of it makes it another one than all others, and no `.nfs`.
pub(crate) fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("part of a name", |byte| !matches!(byte, 0 | b'/'));
    vec(byte, 0..20)
}

pub(crate) fn node() -> impl Strategy<Value = Node> {
    let days = prop_oneof![Just(1_u32), Just(29), Just(31), Just(400)];
    prop_oneof![
        4 => days.clone().prop_map(|days| Node::Dir { days }),
        6 => (days, 0..200_usize).prop_map(|(days, bytes)| Node::File { days, bytes }),
        1 => Just(Node::Link),
        2 => Just(Node::Name),
        1 => Just(Node::Fifo),
        1 => Just(Node::Socket),
    ]
}

pub(crate) type Planned = (usize, Vec<u8>, Node);

/// Builds the tree, and ages the directories last: what is put into one makes it young.
pub(crate) fn plant(place: &Place, nodes: &[Planned]) {
    let mut directories = vec![(place.directory.path().to_owned(), 0)];
    let mut files: Vec<PathBuf> = Vec::new();
    for (number, (at, name, node)) in nodes.iter().enumerate() {
        let name = [format!("{number}-").as_bytes(), name].concat();
        let path = directories[at % directories.len()]
            .0
            .join(OsStr::from_bytes(&name));
        let special = |kind| mknodat(CWD, &path, kind, rustix::fs::Mode::RUSR, 0).unwrap();
        match node {
            Node::Dir { days } => {
                place.dir(&path, *days);
                directories.push((path, *days));
            }
            Node::File { days, bytes } => {
                place.file(&path, *bytes, *days);
                files.push(path);
            }
            Node::Link => std::os::unix::fs::symlink("..", &path).unwrap(),
            Node::Name => {
                if let Some(file) = files.get(at % files.len().max(1)) {
                    std::fs::hard_link(file, &path).unwrap();
                }
            }
            Node::Fifo => special(FileType::Fifo),
            Node::Socket => special(FileType::Socket),
        }
    }
    for (directory, days) in &directories[1..] {
        age(directory, *days);
    }
}

/// The simplest program: returns whether the directory is empty afterwards, and what it did.
fn naive(directory: &Path, root: bool, counts: &mut [u64; 3]) -> bool {
    let old = |path: &Path| {
        let changed = path.symlink_metadata().unwrap().modified().unwrap();
        changed.elapsed().is_ok_and(|age| age > 30 * DAY)
    };
    let was_old = old(directory);
    let mut empty = true;
    for entry in std::fs::read_dir(directory)
        .unwrap()
        .map(Result::unwrap)
        .collect::<Vec<_>>()
    {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            empty &= naive(&path, false, counts);
        } else if kind.is_file() && old(&path) {
            let metadata = path.metadata().unwrap();
            if std::os::unix::fs::MetadataExt::nlink(&metadata) == 1 {
                counts[1] += metadata.len();
            }
            counts[0] += 1;
            std::fs::remove_file(&path).unwrap();
        } else {
            empty = false;
        }
    }
    let goes = empty && was_old && !root;
    if goes {
        std::fs::remove_dir(directory).unwrap();
        counts[2] += 1;
    }
    goes
}

/// Stops the sweep after so many entries.
struct Sliced {
    purge: Purge,
    left: AtomicU64,
}

impl Sweep for Sliced {
    type Tally = Counts;
    type Batch = <Purge as Sweep>::Batch;

    fn enter(&self, visit: &mut Visit<'_, Counts>) -> bool {
        self.purge.enter(visit)
    }

    fn entry(&self, visit: &mut Visit<'_, Counts>, batch: &mut Self::Batch, entry: Entry<'_>) {
        self.purge.entry(visit, batch, entry);
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            visit.stop();
        }
    }

    fn flush(&self, visit: &mut Visit<'_, Counts>, batch: &mut Self::Batch) {
        self.purge.flush(visit, batch);
    }

    fn listed(&self, tally: &mut Counts) {
        self.purge.listed(tally);
    }

    fn leave(&self, left: &mut Left<'_, Counts>) -> bool {
        self.purge.leave(left)
    }
}

/// `began` is when the sweep took place, as far as ages are concerned.
fn sliced(root: &Path, began: (AgeBy, SystemTime), mode: Mode, mut entries: u64) -> Counts {
    let (age_by, began) = began;
    let began = began.duration_since(UNIX_EPOCH).unwrap();
    let began_at_ms = u64::try_from(began.as_millis()).unwrap();
    let mut resume: Option<Token<Counts>> = None;
    loop {
        let linked = resume
            .as_ref()
            .map(|token| token.totals.tally.linked.clone());
        let linked = linked.unwrap_or_default();
        let retention = Retention::new(age_by, 30.0, began_at_ms);
        let patterns = Patterns::new(&[], &[]).unwrap();
        let walk = Walk {
            root: Root::open(&Kernel::default(), root).unwrap(),
            kernel: Kernel::default(),
            sweep: Arc::new(Sliced {
                purge: Purge::new(
                    retention,
                    patterns,
                    mode,
                    EmptyDirs::at_most(Some(u64::MAX)),
                )
                .after(linked),
                left: entries.into(),
            }),
            job: "sliced".to_owned(),
            began_at_ms,
            resume,
            options: Options {
                buffer_bytes: 512,
                ..Options::default()
            },
        };
        let outcome = run(walk, |_| {}).unwrap();
        if outcome.end == End::Complete {
            assert_eq!(outcome.snapshot.totals.errors, 0);
            return outcome.snapshot.totals.tally;
        }
        resume = Some(Token::decode(&outcome.resume.unwrap().encode().unwrap()).unwrap());
        entries += 1;
    }
}

fn summary(counts: &Counts) -> [u64; 3] {
    [
        counts.files_to_purge,
        counts.bytes_freed,
        counts.dirs_to_purge,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_sweep_does_what_a_naive_program_does_and_a_dry_run_says_so(
        nodes in vec((any::<usize>(), name(), node()), 0..80),
    ) {
        let (ours, theirs) = (Place::new(&[]), Place::new(&[]));
        plant(&ours, &nodes);
        plant(&theirs, &nodes);
        let mut expected = [0; 3];
        naive(theirs.directory.path(), true, &mut expected);
        let payload = json!({"remove_empty_dirs": true, "max_empty_dirs": 0});
        let (dry, real) = ours.dry_and_real(payload);
        prop_assert_eq!(ours.names(), theirs.names());
        let names = ["files_to_purge", "bytes_freed", "dirs_to_purge"];
        prop_assert_eq!(names.map(|name| number(&real, name)), expected);
        prop_assert_eq!(names.map(|name| number(&dry, name)), expected);
        for name in ["files_scanned", "dirs_scanned", "symlinks_skipped", "special_files_skipped", "errors"] {
            prop_assert_eq!(&dry[name], &real[name], "{}", name);
        }
    }

    #[test]
    fn slices_do_what_the_whole_does(
        nodes in vec((any::<usize>(), name(), node()), 0..80),
        entries in 1..30_u64,
        by_newest in any::<bool>(),
    ) {
        let (whole, slices) = (Place::new(&[]), Place::new(&[]));
        plant(&whole, &nodes);
        plant(&slices, &nodes);
        // By the newest time nothing can be made old but the clock turned on.
        let began = if by_newest {
            (AgeBy::Newest, SystemTime::now() + 40 * DAY)
        } else {
            (AgeBy::Mtime, SystemTime::now())
        };
        let dry = sliced(slices.directory.path(), began, Mode::DryRun, entries);
        let expected = sliced(whole.directory.path(), began, Mode::Remove, u64::MAX);
        let real = sliced(slices.directory.path(), began, Mode::Remove, entries);
        prop_assert_eq!(summary(&dry), summary(&expected));
        prop_assert_eq!(dry.files_scanned, expected.files_scanned);
        prop_assert_eq!(real, expected);
        prop_assert_eq!(slices.names(), whole.names());
    }
}
