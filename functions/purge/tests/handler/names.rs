//! Several names of one file: removing one makes the file itself young, and the others go all the same, whatever
//! comes between the removal and the look at what it did.

use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime};

use purge::sweep::Purge;
use purge::tally::Counts;
use shared::walk::{Call, End, Entry, Kernel, Left, Options, Sweep, Token, Visit, run};
use tempfile::TempDir;

use crate::direct::{now_by, purge, quick_tempdir, walk};

const PATIENCE: Duration = Duration::from_mins(1);
const BYTES: u64 = 100;

/// One file of these names, and a moment from which on it would be young.
fn file_of(names: &[&str]) -> (TempDir, SystemTime) {
    let root = quick_tempdir();
    let paths: Vec<PathBuf> = names.iter().map(|name| root.path().join(name)).collect();
    for path in &paths {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    fs::write(&paths[0], vec![b'x'; usize::try_from(BYTES).unwrap()]).unwrap();
    for path in &paths[1..] {
        fs::hard_link(&paths[0], path).unwrap();
    }
    let young_from = now_by(root.path());
    (root, young_from)
}

/// Steps that threads wait for.
#[derive(Default)]
struct Steps<T> {
    state: Mutex<T>,
    changed: Condvar,
}

impl<T> Steps<T> {
    fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn wait_until(&self, is_so: impl Fn(&T) -> bool) {
        let state = self.state.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !is_so(state));
        assert!(!waited.unwrap().1.timed_out());
    }
}

/// Set once, in this order.
#[derive(Default)]
struct Stopped {
    removing: bool,
    stopped: bool,
}

/// Stops the sweep at the entry `stopper`, as soon as a removal has begun.
struct Stopping {
    purge: Purge,
    steps: Arc<Steps<Stopped>>,
}

impl Sweep for Stopping {
    type Tally = Counts;
    type Batch = <Purge as Sweep>::Batch;

    fn entry(&self, visit: &mut Visit<'_, Counts>, batch: &mut Self::Batch, entry: Entry<'_>) {
        if entry.name == c"stopper" {
            self.steps.wait_until(|steps| steps.removing);
            visit.stop();
            return self.steps.change(|steps| steps.stopped = true);
        }
        self.purge.entry(visit, batch, entry);
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

#[test]
fn a_stop_right_after_the_removal_of_one_name_makes_the_others_no_younger() {
    let (root, young_from) = file_of(&["a/one", "a/two"]);
    fs::create_dir(root.path().join("b")).unwrap();
    fs::write(root.path().join("b/stopper"), "").unwrap();
    let steps = Arc::new(Steps::<Stopped>::default());
    let seen = Arc::clone(&steps);
    // The first removal is under way when the walk is stopped.
    let kernel = Kernel::disturbed(move |call, _| {
        if call == Call::Unlink {
            seen.change(|steps| steps.removing = true);
            seen.wait_until(|steps| steps.stopped);
        }
        Ok(())
    });
    let stopping = Stopping {
        purge: purge(young_from, 0.0, false),
        steps,
    };
    let options = Options {
        concurrency: 2,
        ..Options::default()
    };
    let stopped = run(walk(root.path(), kernel, stopping, options), |_| {}).unwrap();
    assert_eq!(stopped.end, End::Incomplete);
    assert_eq!(stopped.snapshot.totals.tally.files_purged, 1);
    assert_eq!(stopped.snapshot.totals.tally.bytes_freed, 0);
    fs::remove_file(root.path().join("b/stopper")).unwrap();
    let token: Token<Counts> = Token::decode(&stopped.resume.unwrap().encode().unwrap()).unwrap();
    let sweep = purge(young_from, 0.0, false).after(token.totals.tally.linked.clone());
    let mut rest = walk(root.path(), Kernel::default(), sweep, Options::default());
    rest.resume = Some(token);
    let rest = run(rest, |_| {}).unwrap();
    assert_eq!(rest.end, End::Complete);
    let tally = rest.snapshot.totals.tally;
    assert_eq!([tally.files_purged, tally.bytes_freed], [2, BYTES]);
    assert_eq!(fs::read_dir(root.path().join("a")).unwrap().count(), 0);
}

/// How far two workers are that remove names of one file.
#[derive(Default)]
struct Looked {
    removals: usize,
    /// The thread that looks at the third name, once it does.
    looking: Option<PathBuf>,
}

/// This thread, as the kernel shows it.
fn this_thread() -> PathBuf {
    let thread = fs::read_link("/proc/thread-self").unwrap();
    Path::new("/proc").join(thread)
}

/// Whether it waits for another one, and not for a processor or a disk.
fn sleeps(thread: &Path) -> bool {
    let stat = fs::read_to_string(thread.join("stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    after_name.trim_start().starts_with('S')
}

/// A kernel under which the look at `b/three` falls between the removals of the other two names, and what it saw is
/// put to use after the second one.
fn looking_between(root: &Path) -> Kernel {
    let steps = Steps::<Looked>::default();
    let root = root.to_owned();
    let is_third = |name: &CStr| name == c"three";
    Kernel::disturbed(move |call, name| {
        let is_first_look = || steps.state.lock().unwrap().looking.is_none();
        if call == Call::Stat && is_third(name) && is_first_look() {
            steps.wait_until(|steps| steps.removals == 2);
            steps.change(|steps| steps.looking = Some(this_thread()));
        }
        if call == Call::Unlink && !is_third(name) {
            steps.change(|steps| steps.removals += 1);
            if steps.state.lock().unwrap().removals == 2 {
                steps.wait_until(|steps| steps.looking.is_some());
                let thread = steps.state.lock().unwrap().looking.clone().unwrap();
                // It has looked, and waits until we are done; and the file's next ctime is another one.
                while !sleeps(&thread) {
                    std::thread::yield_now();
                }
                now_by(&root);
            }
        }
        Ok(())
    })
}

#[test]
fn a_look_between_two_removals_makes_the_third_name_no_younger() {
    let (root, young_from) = file_of(&["a/one", "a/two", "b/three"]);
    let options = Options {
        concurrency: 2,
        ..Options::default()
    };
    let sweep = purge(young_from, 0.0, false);
    let kernel = looking_between(root.path());
    let outcome = run(walk(root.path(), kernel, sweep, options), |_| {}).unwrap();
    let totals = outcome.snapshot.totals;
    assert_eq!((outcome.end, totals.errors), (End::Complete, 0));
    assert_eq!(
        [totals.tally.files_purged, totals.tally.bytes_freed],
        [3, BYTES]
    );
}
