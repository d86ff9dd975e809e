//! Any call may be the one that fails, with any error, and nothing but its own entry is the worse for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use purge::tally::Counts;
use shared::walk::{Call, End, Errno, Kernel, Options, Outcome, Totals};
use tempfile::TempDir;

use crate::direct::{quick_tempdir, sweep_all};

const CALLS: [Call; 5] = [
    Call::Open,
    Call::ReadDir,
    Call::Stat,
    Call::Unlink,
    Call::RemoveDir,
];

const TRANSIENT: [Errno; 6] = [
    Errno::IO,
    Errno::STALE,
    Errno::AGAIN,
    Errno::INTR,
    Errno::TIMEDOUT,
    Errno::BUSY,
];

/// Errors that no second try helps against; what is gone and what is not empty were no errors.
const PERMANENT: [Errno; 3] = [Errno::ACCESS, Errno::PERM, Errno::ROFS];

/// Files of the tree, and its directories without the root.
const FILES: u64 = 18;
const DIRS: u64 = 4;

/// Names long enough for a directory to be read in several calls.
fn tree() -> TempDir {
    let root = quick_tempdir();
    fs::create_dir_all(root.path().join("a/b/c")).unwrap();
    fs::create_dir(root.path().join("d")).unwrap();
    for (directory, files) in [("a", 12), ("a/b", 3), ("d", 2), ("", 1)] {
        for file in 0..files {
            let name = format!("a-file-of-a-name-that-is-not-short-{file}");
            fs::write(root.path().join(directory).join(name), "x").unwrap();
        }
    }
    root
}

/// One worker, so that the calls of two sweeps of equal trees are the same.
fn options() -> Options {
    Options {
        concurrency: 1,
        buffer_bytes: 512,
        retry_delay: Duration::ZERO,
        ..Options::default()
    }
}

/// The `nth` call of its kind fails, and its next tries with it, so many `times` in all.
#[derive(Clone, Copy, Debug)]
struct Fault {
    call: Call,
    nth: usize,
    errno: Errno,
    times: usize,
}

impl Fault {
    fn kernel(self) -> Kernel {
        let calls = AtomicUsize::new(0);
        Kernel::disturbed(move |call, _| {
            let fails = call == self.call && {
                let number = calls.fetch_add(1, Ordering::SeqCst);
                (self.nth..self.nth + self.times).contains(&number)
            };
            if fails { Err(self.errno) } else { Ok(()) }
        })
    }
}

/// How many calls of each kind an undisturbed sweep makes, and what it comes to.
fn undisturbed() -> (BTreeMap<&'static str, usize>, Totals<Counts>) {
    let root = tree();
    let calls = Arc::new(Mutex::new(BTreeMap::new()));
    let seen = Arc::clone(&calls);
    let kernel = Kernel::disturbed(move |call, _| {
        *seen.lock().unwrap().entry(call.label()).or_default() += 1;
        Ok(())
    });
    let totals = sweep_all(root.path(), kernel, options()).snapshot.totals;
    let purged = [totals.tally.files_purged, totals.tally.dirs_purged];
    assert_eq!(purged, [FILES, DIRS]);
    assert_eq!(left(root.path()), BTreeSet::new());
    (calls.lock().unwrap().clone(), totals)
}

fn left(root: &Path) -> BTreeSet<PathBuf> {
    let mut left = BTreeSet::new();
    let mut todo = vec![root.to_owned()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            left.insert(entry.path().strip_prefix(root).unwrap().to_owned());
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path());
            }
        }
    }
    left
}

/// As many are gone as were counted, and a sweep without faults finishes the job.
fn adds_up(root: &Path, disturbed: &Outcome<Counts>, what: &str) {
    let tally = &disturbed.snapshot.totals.tally;
    let left = left(root);
    let files = left.iter().filter(|path| root.join(path).is_file()).count() as u64;
    let dirs = left.len() as u64 - files;
    assert_eq!(
        [tally.files_purged, tally.dirs_purged],
        [FILES - files, DIRS - dirs],
        "{what}"
    );
    let rest = sweep_all(root, Kernel::default(), options());
    let tally = rest.snapshot.totals.tally;
    assert_eq!([tally.files_purged, tally.dirs_purged], [files, dirs]);
}

/// Whether `path` may be left over when `victim` could not be worked on.
fn is_concerned(path: &Path, victim: &Path, call: Call) -> bool {
    let is_below =
        matches!(call, Call::Open | Call::ReadDir | Call::Stat) && path.starts_with(victim);
    victim.starts_with(path) || is_below
}

fn passes(fault: Fault, expected: &Totals<Counts>) {
    let root = tree();
    let outcome = sweep_all(root.path(), fault.kernel(), options());
    assert_eq!(outcome.end, End::Complete, "{fault:?}");
    assert_eq!(outcome.snapshot.totals, *expected, "{fault:?}");
    assert_eq!(left(root.path()), BTreeSet::new(), "{fault:?}");
}

fn fails(fault: Fault) {
    let root = tree();
    let outcome = sweep_all(root.path(), fault.kernel(), options());
    let totals = &outcome.snapshot.totals;
    let counted = (outcome.end, totals.errors, totals.samples.len());
    assert_eq!(counted, (End::Complete, 1, 1), "{fault:?}");
    let cause = std::io::Error::from(fault.errno);
    let sample = &totals.samples[0];
    assert_eq!(sample.error, format!("{}: {cause}", fault.call.label()));
    let victim = Path::new(&sample.path);
    assert!(root.path().join(victim).exists(), "{fault:?}: {sample:?}");
    for path in left(root.path()) {
        assert!(
            is_concerned(&path, victim, fault.call),
            "{fault:?} of {} left {}",
            victim.display(),
            path.display()
        );
    }
    adds_up(root.path(), &outcome, &format!("{fault:?}"));
}

#[test]
fn whichever_call_fails_once_or_twice_nobody_notices_and_at_the_third_only_its_entry_stays() {
    let (calls, expected) = undisturbed();
    assert!(calls["getdents"] > 8, "several to a directory: {calls:?}");
    for call in CALLS {
        for nth in 0..calls[call.label()] {
            for (errno, times) in [(Errno::INTR, 1), (Errno::IO, 2)] {
                let fault = Fault {
                    call,
                    nth,
                    errno,
                    times,
                };
                passes(fault, &expected);
            }
            for (errno, times) in [(Errno::IO, 3), (Errno::ACCESS, 1)] {
                let fault = Fault {
                    call,
                    nth,
                    errno,
                    times,
                };
                fails(fault);
            }
        }
    }
}

#[test]
fn every_error_is_tried_again_or_counted_at_every_call() {
    let (calls, expected) = undisturbed();
    for call in CALLS {
        let nth = calls[call.label()] / 2;
        for errno in TRANSIENT {
            for times in [1, 2] {
                passes(
                    Fault {
                        call,
                        nth,
                        errno,
                        times,
                    },
                    &expected,
                );
            }
            fails(Fault {
                call,
                nth,
                errno,
                times: 3,
            });
        }
        for errno in PERMANENT {
            fails(Fault {
                call,
                nth,
                errno,
                times: 1,
            });
        }
    }
}

#[test]
fn what_is_gone_or_not_empty_is_no_error_and_not_counted_as_ours() {
    let (calls, _) = undisturbed();
    let not_empty = [
        (Call::RemoveDir, Errno::NOTEMPTY),
        (Call::RemoveDir, Errno::EXIST),
    ];
    for (call, errno) in CALLS
        .map(|call| (call, Errno::NOENT))
        .into_iter()
        .chain(not_empty)
    {
        for nth in 0..calls[call.label()] {
            let root = tree();
            let fault = Fault {
                call,
                nth,
                errno,
                times: 1,
            };
            let outcome = sweep_all(root.path(), fault.kernel(), options());
            let errors = outcome.snapshot.totals.errors;
            assert_eq!((outcome.end, errors), (End::Complete, 0), "{fault:?}");
            adds_up(root.path(), &outcome, &format!("{fault:?}"));
        }
    }
}
