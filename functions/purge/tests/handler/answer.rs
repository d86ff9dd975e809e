//! What goes, what stays, and what is said about it.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::support::{MINUTE, Place, numbers};

const FIELDS: [&str; 24] = [
    "bytes_freed",
    "concurrency_peak",
    "cutoff",
    "dirs_purged",
    "dirs_scanned",
    "dirs_to_purge",
    "dry_run",
    "duration_seconds",
    "error_samples",
    "errors",
    "files_per_second",
    "files_purged",
    "files_scanned",
    "files_to_purge",
    "mb_freed",
    "memory_backpressure_events",
    "memory_mb_per_1k_files",
    "peak_memory_mb",
    "reason",
    "resume",
    "root",
    "special_files_skipped",
    "status",
    "symlinks_skipped",
];

fn place() -> Place {
    let place = Place::new(&[]);
    place.file("old", 1_000, 31);
    place.file("young", 1_000, 29);
    place.file("a/b/old", 24, 40);
    place.file("a/.hidden", 1, 40);
    place.file("a/.nfs0001", 1, 40);
    place.file(".sluice/ours", 1, 40);
    symlink("/", place.path("a/root")).unwrap();
    symlink(place.path("young"), place.path("link")).unwrap();
    drop(UnixListener::bind(place.path("socket")).unwrap());
    place
}

#[test]
fn old_files_go_and_nothing_else() {
    let place = place();
    let answer = place.invoke(json!({}));
    let left = [
        "young",
        "a",
        "a/b",
        "a/.nfs0001",
        "a/root",
        "link",
        "socket",
    ];
    assert_eq!(place.names(), left.map(PathBuf::from).into());
    assert!(place.path(".sluice/ours").exists());
    assert_eq!(
        (&answer["status"], &answer["dry_run"]),
        (&json!("complete"), &json!(false))
    );
    let names = [
        "files_scanned",
        "files_to_purge",
        "files_purged",
        "dirs_scanned",
        "bytes_freed",
    ];
    assert_eq!(numbers(&answer, names), [5, 3, 3, 3, 1_025]);
    let names = [
        "symlinks_skipped",
        "special_files_skipped",
        "errors",
        "dirs_purged",
    ];
    assert_eq!(numbers(&answer, names), [2, 1, 0, 0]);
}

#[test]
fn a_dry_run_counts_the_same_and_touches_nothing() {
    let place = place();
    let (dry, real) = place.dry_and_real(json!({}));
    assert_eq!(
        (&dry["dry_run"], &dry["files_purged"]),
        (&json!(true), &json!(0))
    );
    assert_eq!(dry["files_to_purge"], real["files_purged"]);
    for name in [
        "files_scanned",
        "files_to_purge",
        "dirs_scanned",
        "bytes_freed",
        "symlinks_skipped",
    ] {
        assert_eq!(dry[name], real[name], "{name}");
    }
}

#[test]
fn every_field_is_there_whatever_happens() {
    let empty = Place::new(&[]);
    let refused = Place::new(&[("PURGE_MAX_DELETES", "0")]);
    refused.file("old", 1, 31);
    for answer in [
        empty.invoke(json!({})),
        empty.invoke(json!({"dry_run": true})),
        empty
            .invoke_within(json!({}), Duration::from_secs(1))
            .unwrap(),
        refused.invoke(json!({})),
    ] {
        let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
        assert_eq!(names, FIELDS, "{answer}");
    }
}

#[test]
fn by_the_newest_time_what_was_just_copied_with_its_times_is_young() {
    let place = place();
    let answer = place.invoke(json!({"age_by": "newest"}));
    assert_eq!(
        numbers(&answer, ["files_scanned", "files_to_purge"]),
        [5, 0]
    );
    assert!(place.path("old").exists());
}

#[test]
fn globs_say_what_may_go() {
    let place = Place::new(&[]);
    for name in ["a.log", "d/b.log", "d/c.tmp", "keep/e.log", "keep/f/g.log"] {
        place.file(name, 1, 31);
    }
    let answer = place.invoke(json!({"include": ["**/*.log"], "exclude": ["keep"]}));
    assert_eq!(numbers(&answer, ["files_scanned", "files_purged"]), [5, 2]);
    assert!(!place.path("a.log").exists() && !place.path("d/b.log").exists());
    assert!(place.path("d/c.tmp").exists() && place.path("keep/f/g.log").exists());
}

#[test]
fn bytes_of_a_file_with_several_names_count_once_and_only_when_all_of_them_go() {
    for exclude in [json!([]), json!(["c"])] {
        let place = Place::new(&[]);
        let file = place.file("a/one", 100, 31);
        for other in ["a/two", "b/three", "c/four"] {
            fs::create_dir_all(place.path(other).parent().unwrap()).unwrap();
            fs::hard_link(&file, place.path(other)).unwrap();
        }
        let (dry, real) = place.dry_and_real(json!({ "exclude": exclude }));
        let all = exclude == json!([]);
        assert_eq!(
            numbers(&real, ["files_purged", "bytes_freed"]),
            if all { [4, 100] } else { [3, 0] }
        );
        assert_eq!(dry["bytes_freed"], real["bytes_freed"]);
    }
}

#[test]
fn without_time_nothing_is_begun_and_the_token_goes_on_with_the_first_cutoff() {
    let place = place();
    let first = place
        .invoke_within(json!({}), Duration::from_secs(4))
        .unwrap();
    assert_eq!(
        (&first["status"], &first["files_purged"]),
        (&json!("incomplete"), &json!(0))
    );
    let second = place.invoke(json!({"resume": first["resume"]}));
    assert_eq!(second["status"], "complete");
    assert_eq!(second["cutoff"], first["cutoff"]);
    assert_eq!(numbers(&second, ["files_purged", "files_scanned"]), [3, 5]);
}

#[test]
fn a_token_of_other_options_is_refused() {
    let place = place();
    let first = place
        .invoke_within(json!({}), Duration::from_secs(4))
        .unwrap();
    for mut other in [
        json!({"max_age_days": 1}),
        json!({"dry_run": true}),
        json!({"exclude": ["a"]}),
    ] {
        other["resume"] = first["resume"].clone();
        let refused = place.invoke_within(other.clone(), MINUTE).unwrap_err();
        assert_eq!(refused.label(), "BadToken", "{other}");
    }
    assert!(place.path("old").exists());
}
