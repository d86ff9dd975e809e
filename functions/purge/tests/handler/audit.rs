//! Every removal is written down before it happens.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use shared::walk::{Call, Errno, Kernel};

use crate::support::{Place, age, number, numbers};

fn lines(place: &Place) -> Vec<Value> {
    let mut lines = Vec::new();
    for file in fs::read_dir(place.path(".sluice/audit")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        lines.extend(
            text.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
    }
    lines
}

fn paths(lines: &[Value], event: &str) -> BTreeSet<String> {
    let of_event = lines.iter().filter(|line| line["event"] == event);
    of_event
        .map(|line| line["path"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_is_gone_was_intended_first_and_noted_afterwards() {
    let place = Place::new(&[("PURGE_AUDIT", "true"), ("PURGE_REMOVE_EMPTY_DIRS", "true")]);
    for file in 0..250 {
        place.file(format!("d/{file}"), 1, 31);
    }
    place.file("e/young", 1, 1);
    age(&place.path("d"), 31);
    let answer = place.invoke(json!({}));
    assert_eq!(
        numbers(&answer, ["files_purged", "dirs_purged", "errors"]),
        [250, 1, 0]
    );
    let lines = lines(&place);
    assert_eq!(lines[0]["event"], "sweep");
    let intents = paths(&lines, "intent");
    assert_eq!(intents.len(), 251);
    assert_eq!(intents, paths(&lines, "purged"));
    assert!(intents.contains("d") && intents.contains("d/249") && !intents.contains("e/young"));
    for path in intents {
        let at = |event: &str| {
            lines
                .iter()
                .position(|line| line["event"] == event && line["path"] == *path)
        };
        assert!(at("intent") < at("purged"), "{path}");
    }
}

#[test]
fn without_a_record_of_the_intent_nothing_goes() {
    let settings = [("PURGE_AUDIT", "true"), ("PURGE_REMOVE_EMPTY_DIRS", "true")];
    let place = Place::on(&settings, || {
        Kernel::disturbed(|call, _| match call {
            Call::Audit => Err(Errno::NOSPC),
            _ => Ok(()),
        })
    });
    place.file("d/old", 1, 31);
    place.dir("e", 31);
    let answer = place.invoke(json!({}));
    assert_eq!(
        numbers(
            &answer,
            ["files_to_purge", "files_purged", "dirs_purged", "errors"]
        ),
        [1, 0, 0, 2]
    );
    assert!(place.path("d/old").exists() && place.path("e").exists());
}

#[test]
fn what_stays_after_all_is_noted_as_kept() {
    let place = Place::on(&[("PURGE_AUDIT", "true")], || {
        Kernel::disturbed(|call, name| match call {
            Call::Unlink if name == c"stubborn" => Err(Errno::PERM),
            _ => Ok(()),
        })
    });
    place.file("stubborn", 1, 31);
    assert_eq!(number(&place.invoke(json!({})), "errors"), 1);
    let lines = lines(&place);
    assert_eq!(paths(&lines, "intent"), paths(&lines, "kept"));
}

#[test]
fn names_that_are_no_text_are_there_exactly() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new(&[("PURGE_AUDIT", "true")]);
    let path = place
        .directory
        .path()
        .join(std::ffi::OsStr::from_bytes(b"\xff\n"));
    fs::write(&path, "").unwrap();
    age(&path, 31);
    assert_eq!(number(&place.invoke(json!({})), "files_purged"), 1);
    let lines = lines(&place);
    assert_eq!(lines[1]["path_hex"], "ff0a");
}

#[test]
fn a_dry_run_and_a_sweep_without_audit_write_no_file() {
    for (settings, dry_run) in [(&[("PURGE_AUDIT", "true")][..], true), (&[], false)] {
        let place = Place::new(settings);
        place.file("old", 1, 31);
        place.invoke(json!({ "dry_run": dry_run }));
        assert!(!place.path(".sluice/audit").exists());
    }
}
