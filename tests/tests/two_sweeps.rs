//! Two processes of `purge` on trees of which one is part of the other, while a third party changes both.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tests::function::Function;
use tests::runtime_api::{Answer, RuntimeApi};

const PATIENCE: Duration = Duration::from_mins(1);

const DIRS: usize = 200;
const FILES: usize = 15;

/// Of them, directories that become links; nothing else in them is changed.
const SWAPPED: usize = 4;

/// Changes, and how many of them are made while the sweeps begin: most files are still there.
const CHANGES: usize = 300;
const AT_ONCE: usize = 100;

/// What the audit says of a file, at least: its intent and its end. It tells how far a sweep is.
const AUDIT_BYTES: usize = 150;

/// `root`, of which `root/half` is a root too, and `outside`, on one file system.
struct Trees {
    all: TempDir,
}

impl Trees {
    fn plant() -> Self {
        let trees = Self {
            all: tempdir().unwrap(),
        };
        for directory in 0..DIRS {
            fs::create_dir_all(trees.dir(directory)).unwrap();
            for file in 0..FILES {
                old(&trees.file(directory, file));
            }
        }
        fs::create_dir_all(trees.outside("dir")).unwrap();
        for name in ["target", "dir/old"] {
            old(&trees.outside(name));
        }
        trees
    }

    fn root(&self) -> PathBuf {
        self.all.path().join("root")
    }

    fn half(&self) -> PathBuf {
        self.root().join("half")
    }

    fn outside(&self, name: &str) -> PathBuf {
        self.all.path().join("outside").join(name)
    }

    fn dir(&self, number: usize) -> PathBuf {
        let parent = if number.is_multiple_of(2) {
            self.root()
        } else {
            self.half()
        };
        parent.join(format!("d{number}"))
    }

    fn file(&self, directory: usize, file: usize) -> PathBuf {
        self.dir(directory).join(format!("f{directory}-{file}"))
    }

    /// Everything that either audit says so far.
    fn audits(&self) -> String {
        let folders = [self.root(), self.half()].map(|root| root.join(".sluice/audit"));
        let files = folders
            .into_iter()
            .filter_map(|folder| folder.read_dir().ok());
        files
            .flatten()
            .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
            .collect()
    }
}

fn old(path: &Path) {
    let times = FileTimes::new().set_modified(SystemTime::now() - Duration::from_hours(24 * 40));
    File::create(path).unwrap().set_times(times).unwrap();
}

/// Files and links below `directory`, but what is ours.
fn entries(directory: &Path) -> usize {
    let mut entries = 0;
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if !entry.file_type().unwrap().is_dir() {
            entries += 1;
        } else if entry.file_name() != ".sluice" {
            entries += self::entries(&entry.path());
        }
    }
    entries
}

#[derive(Default)]
struct Changes {
    created: usize,
    taken: usize,
    links: usize,
    /// What must survive: it was changed before a sweep wrote down that it would remove it.
    safe_files: Vec<PathBuf>,
    safe_links: Vec<PathBuf>,
}

impl Changes {
    /// Spread over the time that the sweeps take, which are over when `is_over` says so.
    fn make(trees: &Trees, is_over: impl Fn() -> bool) -> Self {
        let mut changes = Self::default();
        let dirs = DIRS - SWAPPED;
        for number in 0..CHANGES {
            let far_enough =
                number.saturating_sub(AT_ONCE) * DIRS * FILES * AUDIT_BYTES / CHANGES / 2;
            while trees.audits().len() < far_enough && !is_over() {
                std::thread::yield_now();
            }
            let place = number * 7 % (dirs * FILES);
            let (directory, file) = (SWAPPED + place % dirs, place / dirs);
            changes.change(trees, number, &trees.file(directory, file));
            if number.is_multiple_of(CHANGES / SWAPPED) {
                changes.swap(trees, number / (CHANGES / SWAPPED));
            }
        }
        changes
    }

    fn change(&mut self, trees: &Trees, number: usize, path: &Path) {
        match number % 4 {
            0 => {
                let new = path.with_file_name(format!("new-{number}"));
                File::create(&new).unwrap();
                self.created += 1;
                self.safe_files.push(new);
            }
            1 => {
                // Whether it is still there, and goes from there, is all the same.
                let _ = fs::rename(path, trees.dir(DIRS - 1).join(format!("moved-{number}")));
            }
            2 => {
                if fs::rename(path, trees.outside(&format!("taken-{number}"))).is_ok() {
                    symlink(trees.outside("target"), path).unwrap();
                    (self.taken, self.links) = (self.taken + 1, self.links + 1);
                    if !is_intended(trees, path) {
                        self.safe_links.push(path.to_owned());
                    }
                }
            }
            _ => {
                let now = FileTimes::new().set_modified(SystemTime::now());
                if File::open(path).is_ok_and(|file| file.set_times(now).is_ok())
                    && !is_intended(trees, path)
                {
                    self.safe_files.push(path.to_owned());
                }
            }
        }
    }

    fn swap(&mut self, trees: &Trees, number: usize) {
        let to = trees.root().join(format!("swapped-{number}"));
        fs::rename(trees.dir(number), to).unwrap();
        symlink(trees.outside("dir"), trees.dir(number)).unwrap();
        self.links += 1;
        self.safe_links.push(trees.dir(number));
    }
}

/// Whether a sweep has written down that it is about to remove this. If not, it has yet to look for the last time.
fn is_intended(trees: &Trees, path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    trees.audits().contains(&format!("/{name}\""))
}

fn purge(root: &Path, api: &RuntimeApi) -> Function {
    let settings = [
        ("PURGE_ROOT", root.to_str().unwrap()),
        ("PURGE_AGE_BY", "mtime"),
        ("PURGE_DRY_RUN", "false"),
        ("PURGE_AUDIT", "true"),
        ("PURGE_CONCURRENCY", "2"),
    ];
    Function::spawn("purge", &settings, api)
}

fn complete(answer: &Answer) -> &Value {
    let value = match answer {
        Answer::Response(value) if value["status"] == "complete" => Some(value),
        _ => None,
    };
    assert!(value.is_some(), "{answer:?}");
    value.unwrap()
}

#[test]
fn two_processes_and_a_third_party_remove_nothing_twice_nothing_young_and_nothing_outside() {
    let trees = Trees::plant();
    let apis = [RuntimeApi::start(), RuntimeApi::start()];
    let _functions = [
        purge(&trees.root(), &apis[0]),
        purge(&trees.half(), &apis[1]),
    ];
    let (answers, changes) = std::thread::scope(|scope| {
        let sweeps = apis
            .each_ref()
            .map(|api| scope.spawn(|| api.invoke(&json!({}), PATIENCE)));
        let is_over = || {
            sweeps
                .iter()
                .all(std::thread::ScopedJoinHandle::is_finished)
        };
        let changes = Changes::make(&trees, is_over);
        (sweeps.map(|sweep| sweep.join().unwrap()), changes)
    });
    let purged = answers.each_ref().map(|answer| {
        let purged = complete(answer)["files_purged"].as_u64().unwrap();
        usize::try_from(purged).unwrap()
    });
    assert!(purged.iter().all(|purged| *purged > 0), "{purged:?}");
    let were_there = DIRS * FILES + changes.created + changes.links - changes.taken;
    assert_eq!(purged[0] + purged[1], were_there - entries(&trees.root()));
    for path in &changes.safe_files {
        assert!(path.is_file(), "{path:?}");
    }
    assert!(changes.safe_links.iter().all(|path| path.is_symlink()));
    let refreshed = changes.safe_files.len() - changes.created;
    let linked = changes.safe_links.len() - SWAPPED;
    assert!(refreshed > 0 && linked > 0, "{refreshed} {linked}");
    assert_eq!(entries(&trees.outside("")), 2 + changes.taken);
}
