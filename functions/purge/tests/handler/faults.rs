//! Calls that fail, and a tree that changes under our hands.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use shared::walk::{Call, Errno, Kernel};

use crate::support::{Place, age, number, numbers};

const TRANSIENT: [Errno; 6] = [
    Errno::IO,
    Errno::STALE,
    Errno::AGAIN,
    Errno::INTR,
    Errno::TIMEDOUT,
    Errno::BUSY,
];

const PERMANENT: [Errno; 6] = [
    Errno::ACCESS,
    Errno::PERM,
    Errno::ROFS,
    Errno::NAMETOOLONG,
    Errno::MFILE,
    Errno::NOTSUP,
];

/// `call` on the entry `victim` fails so many times.
fn failing(call: Call, errno: Errno, times: u32) -> Place {
    Place::on(&[("PURGE_REMOVE_EMPTY_DIRS", "true")], move || {
        let left = AtomicU32::new(times);
        Kernel::disturbed(move |asked, name| {
            let fails = asked == call && name == c"victim";
            let take = |left: u32| left.checked_sub(1);
            if fails
                && left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                    .is_ok()
            {
                return Err(errno);
            }
            Ok(())
        })
    })
}

/// Five files in directories of which one is the victim, or in which one file is.
fn plant(place: &Place, call: Call) {
    let victim = match call {
        Call::Stat | Call::Unlink => "d0/victim",
        _ => "victim/old",
    };
    place.file(victim, 1, 31);
    for directory in 1..5 {
        place.file(format!("d{directory}/old"), 1, 31);
    }
    for entry in fs::read_dir(place.directory.path()).unwrap() {
        age(&entry.unwrap().path(), 31);
    }
}

const CALLS: [Call; 5] = [
    Call::Open,
    Call::ReadDir,
    Call::Stat,
    Call::Unlink,
    Call::RemoveDir,
];

#[test]
fn what_passes_within_three_tries_is_no_error() {
    for call in CALLS {
        for errno in TRANSIENT {
            let place = failing(call, errno, 2);
            plant(&place, call);
            let answer = place.invoke(json!({}));
            assert_eq!(
                numbers(&answer, ["errors", "files_purged", "dirs_purged"]),
                [0, 5, 5],
                "{call:?} {errno}"
            );
        }
    }
}

#[test]
fn what_does_not_pass_is_counted_named_and_the_sweep_goes_on() {
    for call in CALLS {
        for errno in TRANSIENT.into_iter().chain(PERMANENT) {
            let place = failing(call, errno, u32::MAX);
            plant(&place, call);
            let answer = place.invoke(json!({}));
            assert_eq!(
                (&answer["status"], number(&answer, "errors")),
                (&json!("complete"), 1),
                "{call:?} {errno}"
            );
            let sample = &answer["error_samples"][0];
            assert!(
                sample["path"].as_str().unwrap().contains("victim"),
                "{call:?} {errno}: {sample}"
            );
            let files = if call == Call::RemoveDir { 5 } else { 4 };
            assert_eq!(
                numbers(&answer, ["files_purged", "dirs_purged"]),
                [files, 4],
                "{call:?} {errno}"
            );
        }
    }
}

#[test]
fn a_full_directory_and_a_vanished_file_are_no_errors() {
    let place = failing(Call::RemoveDir, Errno::NOTEMPTY, u32::MAX);
    plant(&place, Call::RemoveDir);
    assert_eq!(
        numbers(&place.invoke(json!({})), ["errors", "dirs_purged"]),
        [0, 4]
    );
    for call in [Call::Stat, Call::Unlink] {
        let place = failing(call, Errno::NOENT, u32::MAX);
        plant(&place, call);
        assert_eq!(
            numbers(
                &place.invoke(json!({})),
                ["errors", "files_purged", "files_scanned"]
            ),
            [0, 4, 4]
        );
    }
}

/// Does something once, right before the second look at the entry `victim`.
fn changing(change: impl FnOnce() + Send + 'static) -> Kernel {
    let (looks, change) = (AtomicU32::new(0), Mutex::new(Some(change)));
    Kernel::disturbed(move |call, name| {
        let looked = call == Call::Stat && name == c"victim";
        if looked && looks.fetch_add(1, Ordering::SeqCst) == 1 {
            let change = change.lock().unwrap().take();
            change.unwrap()();
        }
        Ok(())
    })
}

/// A place in which `change` happens between the look at `victim` and its removal.
fn mutating(change: impl Fn(&std::path::Path) + Clone + Send + Sync + 'static) -> Place {
    let root = Arc::new(Mutex::new(std::path::PathBuf::new()));
    let seen = Arc::clone(&root);
    let place = Place::on(&[], move || {
        let (root, change) = (seen.lock().unwrap().clone(), change.clone());
        changing(move || change(&root))
    });
    place.directory.path().clone_into(&mut root.lock().unwrap());
    place.file("d/victim", 1, 31);
    place.file("d/other", 1, 31);
    place
}

#[test]
fn a_file_that_was_touched_since_it_was_looked_at_stays_however_old_it_claims_to_be() {
    let place = mutating(|root| age(&root.join("d/victim"), 32));
    assert_eq!(number(&place.invoke(json!({})), "files_purged"), 1);
    assert!(place.path("d/victim").exists());
}

#[test]
fn a_file_that_was_refreshed_since_it_was_looked_at_stays() {
    let place = mutating(|root| age(&root.join("d/victim"), 0));
    let answer = place.invoke(json!({}));
    assert_eq!(
        numbers(&answer, ["files_scanned", "files_purged", "errors"]),
        [2, 1, 0]
    );
    assert!(place.path("d/victim").exists());
}

#[test]
fn a_file_that_became_a_link_or_a_directory_stays_and_so_does_what_it_points_to() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    fs::write(&target, "x").unwrap();
    age(&target, 31);
    let aim = target.clone();
    let place = mutating(move |root| {
        fs::remove_file(root.join("d/victim")).unwrap();
        symlink(&aim, root.join("d/victim")).unwrap();
    });
    assert_eq!(number(&place.invoke(json!({})), "files_purged"), 1);
    assert!(place.path("d/victim").is_symlink() && target.exists());
    let place = mutating(|root| {
        fs::remove_file(root.join("d/victim")).unwrap();
        fs::create_dir(root.join("d/victim")).unwrap();
    });
    assert_eq!(number(&place.invoke(json!({})), "files_purged"), 1);
    assert!(place.path("d/victim").is_dir());
}

#[test]
fn a_file_that_was_moved_away_is_no_error_and_survives() {
    let place = mutating(|root| fs::rename(root.join("d/victim"), root.join("moved")).unwrap());
    let answer = place.invoke(json!({}));
    assert_eq!(number(&answer, "errors"), 0);
    assert!(!place.path("d/victim").exists());
}
