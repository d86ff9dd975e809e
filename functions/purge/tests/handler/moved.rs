//! A directory that somebody moves away while a sweep is in it is not swept elsewhere.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use shared::walk::{Call, End, Kernel, Options, Outcome};
use tempfile::{TempDir, tempdir};

use crate::direct::sweep_all;
use crate::support::{MINUTE, Place, app_on, invoke_within};
use purge::tally::Counts;

const FILES: usize = 10;
const SECOND: Duration = Duration::from_secs(1);

/// `project`, and a directory in it; `other` stays.
fn tree() -> TempDir {
    let root = tempdir().unwrap();
    for directory in ["project", "project/inner", "other"] {
        fs::create_dir(root.path().join(directory)).unwrap();
        for number in 0..FILES {
            fs::write(root.path().join(directory).join(format!("{number}")), "").unwrap();
        }
    }
    root
}

fn files(below: &Path) -> usize {
    let entries = fs::read_dir(below).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .count()
}

/// Sweeps, and does something right before `project` is read for the first time.
fn sweep_and(root: &Path, act: impl Fn() + Send + Sync + 'static) -> Outcome<Counts> {
    let done = AtomicBool::new(false);
    let kernel = Kernel::disturbed(move |call, name| {
        if call == Call::ReadDir && name == c"project" && !done.swap(true, Ordering::SeqCst) {
            act();
        }
        Ok(())
    });
    sweep_all(root, kernel, Options::default())
}

#[test]
fn what_was_moved_out_of_the_root_stays_whole_and_the_rest_goes() {
    let (root, outside) = (tree(), tempdir().unwrap());
    let (from, to) = (root.path().join("project"), outside.path().join("project"));
    let moved = to.clone();
    let outcome = sweep_and(root.path(), move || fs::rename(&from, &to).unwrap());
    assert_eq!(files(&moved), FILES);
    assert_eq!(files(&moved.join("inner")), FILES);
    assert_eq!(outcome.end, End::Complete);
    let totals = &outcome.snapshot.totals;
    assert_eq!(totals.tally.files_purged, FILES as u64);
    assert_eq!(totals.errors, 0, "{:?}", totals.samples);
}

#[test]
fn what_has_its_name_now_is_neither_it_nor_swept_in_its_stead() {
    let (root, outside) = (tree(), tempdir().unwrap());
    let (from, to) = (root.path().join("project"), outside.path().join("project"));
    let (name, moved) = (from.clone(), to.clone());
    let outcome = sweep_and(root.path(), move || {
        fs::rename(&from, &to).unwrap();
        fs::create_dir(&from).unwrap();
        fs::write(from.join("new"), "").unwrap();
    });
    assert_eq!((files(&moved), files(&moved.join("inner"))), (FILES, FILES));
    assert_eq!(files(&name), 1);
    let totals = &outcome.snapshot.totals;
    assert_eq!(totals.tally.files_purged, FILES as u64);
    assert!(totals.errors > 0 && totals.samples[0].path.starts_with("project"));
}

#[test]
fn what_is_kept_below_dot_sluice_is_no_root() {
    let place = Place::new(&[]);
    place.file(".sluice/audit/old", 1, 100);
    for root in [".sluice", ".sluice/audit"] {
        let payload = json!({"root": place.path(root), "age_by": "mtime", "dry_run": false});
        let refused = place.invoke_within(payload, MINUTE).unwrap_err();
        assert_eq!(refused.label(), "BadRoot");
        assert!(refused.to_string().contains("never swept"), "{refused}");
    }
    assert!(place.path(".sluice/audit/old").exists());
}

#[test]
fn a_file_system_that_hangs_outside_of_the_walk_fails_the_invocation_in_time() {
    let root = tempdir().unwrap();
    fs::create_dir(root.path().join("below")).unwrap();
    let (release, hang) = mpsc::channel::<()>();
    let (hang, overdue) = (Arc::new(Mutex::new(hang)), Arc::new(AtomicBool::new(false)));
    let was_overdue = Arc::clone(&overdue);
    let app = app_on(root.path(), &[], move || {
        let (hang, overdue) = (Arc::clone(&hang), Arc::clone(&overdue));
        Kernel::disturbed(move |call, _| {
            if call == Call::Open {
                // Until the test is over; far beyond the deadline it is lost.
                let waited = hang.lock().unwrap().recv_timeout(10 * SECOND);
                overdue.fetch_or(waited == Err(RecvTimeoutError::Timeout), Ordering::SeqCst);
            }
            Ok(())
        })
    });
    let payload = json!({"root": root.path().join("below")});
    let error = invoke_within(&app, payload, SECOND).unwrap_err();
    assert_eq!(error.label(), "Hung");
    assert!(
        !was_overdue.load(Ordering::SeqCst),
        "answered after the deadline"
    );
    drop(release);
}
