//! Empty directories: the innermost first, old ones only, no more than allowed.

use std::fs::{File, FileTimes};
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use serde_json::{Value, json};

use crate::support::{DAY, Place, age, number, numbers};

fn removing(max: u64) -> Value {
    json!({"remove_empty_dirs": true, "max_empty_dirs": max})
}

#[test]
fn a_directory_that_becomes_empty_goes_and_its_parents_with_it() {
    let place = Place::new(&[]);
    place.file("a/b/c/old", 1, 31);
    place.file("x/y/young", 1, 1);
    place.dir("x/z", 31);
    for directory in ["a/b/c", "a/b", "a", "x/y", "x"] {
        age(&place.path(directory), 31);
    }
    let (dry, real) = place.dry_and_real(removing(500));
    assert_eq!(
        numbers(&real, ["dirs_purged", "dirs_to_purge", "errors"]),
        [4, 4, 0]
    );
    assert_eq!(
        (number(&dry, "dirs_to_purge"), number(&dry, "dirs_purged")),
        (4, 0)
    );
    assert!(!place.path("a").exists() && !place.path("x/z").exists());
    assert!(place.path("x/y/young").exists() && place.directory.path().exists());
}

#[test]
fn a_young_directory_stays_and_so_do_its_parents() {
    let place = Place::new(&[]);
    place.dir("a/b", 1);
    age(&place.path("a"), 31);
    let (dry, real) = place.dry_and_real(removing(500));
    for answer in [dry, real] {
        assert_eq!(number(&answer, "dirs_to_purge"), 0);
    }
    assert!(place.path("a/b").exists());
}

#[test]
fn without_being_asked_for_no_directory_goes() {
    let place = Place::new(&[]);
    place.dir("a", 31);
    assert_eq!(number(&place.invoke(json!({})), "dirs_purged"), 0);
    assert!(place.path("a").exists());
}

#[test]
fn of_three_thousand_empty_directories_exactly_as_many_go_as_allowed() {
    let place = Place::new(&[]);
    for directory in 0..3_000 {
        place.dir(format!("d{directory}"), 31);
    }
    let (dry, real) = place.dry_and_real(removing(500));
    assert_eq!(
        (number(&dry, "dirs_to_purge"), number(&real, "dirs_purged")),
        (500, 500)
    );
    assert_eq!(
        (&dry["status"], &real["status"]),
        (&json!("complete"), &json!("complete"))
    );
    assert_eq!(place.names().len(), 2_500);
    assert_eq!(number(&place.invoke(removing(0)), "dirs_purged"), 2_500);
}

#[test]
fn what_is_in_a_directory_keeps_it() {
    let place = Place::new(&[]);
    for directory in ["link", "socket", "ours/.sluice", "excluded"] {
        place.dir(directory, 31);
    }
    std::os::unix::fs::symlink("gone", place.path("link/l")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(place.path("socket/s")).unwrap());
    for directory in ["link", "socket", "ours"] {
        age(&place.path(directory), 31);
    }
    let mut payload = removing(0);
    payload["exclude"] = json!(["excluded"]);
    let (dry, real) = place.dry_and_real(payload);
    for answer in [dry, real] {
        assert_eq!(numbers(&answer, ["dirs_to_purge", "errors"]), [0, 0]);
    }
}

/// One directory in the other with a file in each, all of them old. No path leads to the last ones: it would be longer
/// than the kernel takes.
fn chain(place: &Place, depth: usize) {
    let old = FileTimes::new().set_modified(SystemTime::now() - 31 * DAY);
    let mut parent = OwnedFd::from(File::open(place.directory.path()).unwrap());
    for level in 0..depth {
        let name = format!("{level:050}");
        mkdirat(&parent, &name, Mode::RWXU).unwrap();
        let read = OFlags::RDONLY | OFlags::DIRECTORY;
        let child = openat(&parent, &name, read, Mode::empty()).unwrap();
        let write = OFlags::CREATE | OFlags::WRONLY;
        let file = openat(&child, "f", write, Mode::RUSR).unwrap();
        File::from(file).set_times(old).unwrap();
        // Nothing will be put into the parent any more.
        File::from(parent).set_times(old).unwrap();
        parent = child;
    }
    File::from(parent).set_times(old).unwrap();
}

#[test]
fn a_thousand_levels_go_from_the_innermost_outwards() {
    const DEPTH: u64 = 1_000;
    let place = Place::new(&[]);
    chain(&place, 1_000);
    let mut payload = removing(0);
    for (dry_run, gone) in [(true, 0), (false, DEPTH)] {
        payload["dry_run"] = json!(dry_run);
        let answer = place.invoke(payload.clone());
        let names = ["files_to_purge", "dirs_to_purge", "errors"];
        assert_eq!(numbers(&answer, names), [DEPTH, DEPTH, 0]);
        let names = ["files_purged", "dirs_purged"];
        assert_eq!(numbers(&answer, names), [gone, gone]);
    }
    assert!(place.names().is_empty());
}
