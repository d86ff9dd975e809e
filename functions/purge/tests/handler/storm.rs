//! Two sweeps of overlapping trees at once, and somebody who changes them all the while.

use std::collections::{BTreeSet, HashMap};
use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use serde_json::{Value, json};
use shared::walk::{Call, Kernel};
use tempfile::{TempDir, tempdir};

use crate::support::{MINUTE, age, app_on, invoke_within, number};

const DIRS: usize = 40;
const FILES: usize = 20;

/// Of them, directories that become links; no file in them is changed.
const SWAPPED: usize = 4;

/// Files that are changed, one after the other, and calls of the sweeps between two of them.
const CHANGES: usize = 400;
const CALLS_PER_CHANGE: usize = 4;

/// Who is how far: the sweeps wait for the changes and the changes for the sweeps, so that neither is over early.
#[derive(Default)]
struct Pace {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    calls: usize,
    changes: usize,
    swept: usize,
    /// How often each sweep looked at an entry; the second look decides.
    looks: HashMap<(usize, String), u32>,
}

impl State {
    fn is_decided(&self, name: &str) -> bool {
        (0..2).any(|sweep| self.looks.get(&(sweep, name.to_owned())) >= Some(&2))
    }
}

impl Pace {
    /// Before every call of a sweep.
    fn call(&self, sweep: usize, call: Call, name: &CStr) {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        self.moved.notify_all();
        let ahead = |state: &mut State| {
            state.changes < CHANGES && state.calls > (state.changes + 8) * CALLS_PER_CHANGE
        };
        let mut state = self.moved.wait_while(state, ahead).unwrap();
        if call == Call::Stat {
            let name = name.to_string_lossy().into_owned();
            *state.looks.entry((sweep, name)).or_default() += 1;
        }
    }

    /// Before every change: not too early.
    fn wait(&self) {
        let state = self.state.lock().unwrap();
        let ahead =
            |state: &mut State| state.swept < 2 && state.calls < state.changes * CALLS_PER_CHANGE;
        drop(self.moved.wait_while(state, ahead).unwrap());
    }

    fn changed(&self) {
        self.state.lock().unwrap().changes += 1;
        self.moved.notify_all();
    }
}

/// Nobody waits for whoever holds it from its end on, however it ends.
struct Ending<'a>(&'a Pace, fn(&mut State));

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let state = self.0.state.lock();
        (self.1)(&mut state.unwrap_or_else(PoisonError::into_inner));
        self.0.moved.notify_all();
    }
}

/// A root with old files, and a place outside of it on the same file system.
struct Trees {
    all: TempDir,
}

impl Trees {
    fn plant() -> Self {
        let all = tempdir().unwrap();
        let trees = Self { all };
        for directory in 0..DIRS {
            fs::create_dir_all(trees.dir(directory)).unwrap();
            for file in 0..FILES {
                let path = trees.file(directory, file);
                fs::write(&path, "x").unwrap();
                age(&path, 31);
            }
        }
        fs::create_dir_all(trees.outside().join("dir")).unwrap();
        for name in ["target", "dir/old"] {
            fs::write(trees.outside().join(name), "x").unwrap();
            age(&trees.outside().join(name), 31);
        }
        trees
    }

    fn root(&self) -> PathBuf {
        self.all.path().join("root")
    }

    fn outside(&self) -> PathBuf {
        self.all.path().join("outside")
    }

    /// Every other one is also in the smaller tree.
    fn dir(&self, number: usize) -> PathBuf {
        let parent = if number.is_multiple_of(2) {
            "root"
        } else {
            "root/half"
        };
        self.all.path().join(parent).join(format!("d{number}"))
    }

    fn file(&self, directory: usize, file: usize) -> PathBuf {
        self.dir(directory).join(format!("f{directory}-{file}"))
    }
}

/// What was changed, exactly.
#[derive(Default)]
struct Changes {
    created: Vec<PathBuf>,
    links: Vec<PathBuf>,
    /// Taken out of the root, old as they are.
    taken: usize,
    refreshed: Vec<PathBuf>,
    moved: usize,
}

impl Changes {
    fn make(trees: &Trees, pace: &Pace) -> Self {
        let _ending = Ending(pace, |state| state.changes = CHANGES);
        let mut made = Self::default();
        let dirs = DIRS - SWAPPED;
        for number in 0..CHANGES {
            pace.wait();
            // All over the trees, each file at most once.
            let nth = number * 7 % (dirs * FILES);
            let (directory, file) = (SWAPPED + nth % dirs, nth / dirs);
            made.alter(trees, pace, number, &trees.file(directory, file));
            if number.is_multiple_of(CHANGES / SWAPPED) {
                made.swap(trees, number / (CHANGES / SWAPPED));
            }
            pace.changed();
        }
        made
    }

    fn alter(&mut self, trees: &Trees, pace: &Pace, number: usize, path: &Path) {
        match number % 4 {
            0 => {
                let new = path.with_file_name(format!("new-{number}"));
                fs::write(&new, "x").unwrap();
                self.created.push(new);
            }
            1 => {
                let to = trees.dir(DIRS - 1).join(format!("moved-{number}"));
                self.moved += usize::from(fs::rename(path, to).is_ok());
            }
            kind => {
                // Between its last look and the removal no sweep can notice a change; until this is over, nobody looks.
                let state = pace.state.lock().unwrap();
                let name = path.file_name().unwrap().to_str().unwrap();
                if !path.exists() || state.is_decided(name) {
                    return;
                }
                if kind == 2 {
                    let to = trees.outside().join(format!("taken-{number}"));
                    fs::rename(path, to).unwrap();
                    symlink(trees.outside().join("target"), path).unwrap();
                    self.taken += 1;
                    self.links.push(path.to_owned());
                } else {
                    age(path, 0);
                    self.refreshed.push(path.to_owned());
                }
            }
        }
    }

    /// A directory moves to elsewhere in the root, and where it was a link leads out.
    fn swap(&mut self, trees: &Trees, number: usize) {
        let to = trees.root().join(format!("swapped-{number}"));
        fs::rename(trees.dir(number), to).unwrap();
        symlink(trees.outside().join("dir"), trees.dir(number)).unwrap();
        self.links.push(trees.dir(number));
    }
}

/// Regular files below `directory`, but what is ours.
fn files(directory: &Path) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && entry.file_name() != ".sluice" {
            files += self::files(&entry.path());
        }
        files += usize::from(kind.is_file());
    }
    files
}

fn swept(trees: &Trees, pace: &Arc<Pace>) -> ([Value; 2], Changes) {
    let roots = [trees.root(), trees.root().join("half")];
    let sweep = |number: usize| {
        let _ending = Ending(pace, |state| state.swept += 1);
        let seen = Arc::clone(pace);
        let app = app_on(&roots[number], &[], move || {
            let seen = Arc::clone(&seen);
            Kernel::disturbed(move |call, name| {
                seen.call(number, call, name);
                Ok(())
            })
        });
        invoke_within(&app, json!({"concurrency": 4}), MINUTE).unwrap()
    };
    std::thread::scope(|scope| {
        let sweeps = [0, 1].map(|number| scope.spawn(move || sweep(number)));
        let changes = Changes::make(trees, pace);
        (sweeps.map(|sweep| sweep.join().unwrap()), changes)
    })
}

#[test]
fn two_sweeps_in_a_changing_tree_remove_nothing_twice_nothing_young_and_nothing_outside() {
    let trees = Trees::plant();
    let pace = Arc::new(Pace::default());
    let (answers, changes) = swept(&trees, &pace);
    let purged = answers.each_ref().map(|answer| {
        assert_eq!(answer["status"], "complete", "{answer}");
        number(answer, "files_purged")
    });
    assert!(purged[0] > 0 && purged[1] > 0, "{purged:?}");
    let expected = DIRS * FILES + changes.created.len() - changes.taken - files(&trees.root());
    assert_eq!(purged[0] + purged[1], expected as u64);
    // What cannot be entered any more is a directory that became a link.
    for sample in answers
        .iter()
        .flat_map(|answer| answer["error_samples"].as_array().unwrap())
    {
        let path = trees.root().join(sample["path"].as_str().unwrap());
        let in_half = trees
            .root()
            .join("half")
            .join(sample["path"].as_str().unwrap());
        assert!(
            changes.links.contains(&path) || changes.links.contains(&in_half),
            "{sample}"
        );
    }
    for path in changes.created.iter().chain(&changes.refreshed) {
        assert!(path.exists(), "{path:?}");
    }
    assert!(changes.links.iter().all(|path| path.is_symlink()));
    let outside: BTreeSet<_> = fs::read_dir(trees.outside())
        .unwrap()
        .map(Result::unwrap)
        .map(|entry| entry.path())
        .collect();
    assert_eq!(outside.len(), 2 + changes.taken);
    assert!(trees.outside().join("dir/old").exists());
    let of_each = [changes.moved, changes.taken, changes.refreshed.len()];
    assert!(of_each.iter().all(|changes| *changes > 10), "{of_each:?}");
}
