//! `purge --local` and `count --local` on a tree of this machine.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::{Ran, run, text};

const DAY: Duration = Duration::from_hours(24);

/// A file whose modification was so many days ago.
fn file(root: &Path, path: &str, days: u32) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "12345").unwrap();
    let modified = SystemTime::now() - DAY * days;
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
}

/// Two old files, one new.
pub(crate) fn tree() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    file(dir.path(), "a/old", 60);
    file(dir.path(), "a/b/older", 90);
    file(dir.path(), "a/new", 2);
    dir
}

fn purge(root: &Path, action: &str, more: &[&str]) -> Ran {
    let words = [
        "purge",
        action,
        "--local",
        text(root),
        "--age-by",
        "mtime",
        "--output",
        "json",
    ];
    run(&[&words[..], more].concat())
}

pub(crate) fn files(root: &Path) -> Vec<&'static str> {
    let known = ["a/old", "a/b/older", "a/new"];
    known
        .into_iter()
        .filter(|path| root.join(path).exists())
        .collect()
}

#[test]
fn a_plan_says_what_would_go_and_nothing_does() {
    let dir = tree();
    let ran = purge(dir.path(), "plan", &[]);
    let answer = ran.document();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        (&answer["files_to_purge"], &answer["files_scanned"]),
        (&2.into(), &3.into())
    );
    assert_eq!(answer["dry_run"], true);
    assert_eq!(files(dir.path()).len(), 3);
    assert!(!dir.path().join(".sluice").exists());
}

#[test]
fn a_run_removes_what_the_plan_said() {
    let dir = tree();
    let ran = purge(dir.path(), "run", &["--yes"]);
    assert_eq!(
        (ran.code, &ran.document()["files_purged"]),
        (0, &2.into()),
        "{ran:?}"
    );
    assert_eq!(files(dir.path()), ["a/new"]);
}

#[test]
fn without_a_terminal_or_a_yes_nothing_goes() {
    let dir = tree();
    let ran = purge(dir.path(), "run", &[]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    assert!(
        ran.err.contains("--yes") && ran.err.contains("\"not_completed\""),
        "{ran:?}"
    );
    assert_eq!(files(dir.path()).len(), 3);
}

#[test]
fn a_budget_that_would_be_passed_keeps_everything() {
    let dir = tree();
    let ran = purge(dir.path(), "run", &["--yes", "--max-deletes", "1"]);
    assert_eq!(
        (ran.code, &ran.document()["status"]),
        (3, &"refused".into()),
        "{ran:?}"
    );
    assert_eq!(files(dir.path()).len(), 3);
}

#[test]
fn globs_and_ages_choose() {
    let dir = tree();
    let ran = purge(dir.path(), "run", &["--yes", "--exclude", "a/b/**"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(files(dir.path()), ["a/b/older", "a/new"]);
    let ran = purge(dir.path(), "run", &["--yes", "--max-age-days", "1.5"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(files(dir.path()).is_empty());
}

#[test]
fn the_least_age_is_a_day_unless_it_is_said() {
    let dir = tree();
    let ran = purge(dir.path(), "plan", &["--max-age-days", "0.5"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let ran = purge(
        dir.path(),
        "plan",
        &["--max-age-days", "0.5", "--min-age-days", "0"],
    );
    assert_eq!(
        (ran.code, &ran.document()["files_to_purge"]),
        (0, &3.into()),
        "{ran:?}"
    );
}

#[test]
fn an_audit_names_what_went() {
    let dir = tree();
    let ran = purge(dir.path(), "run", &["--yes", "--audit"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let folder = fs::read_dir(dir.path().join(".sluice/audit")).unwrap();
    let written: Vec<_> = folder
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let written = written.join("\n");
    assert!(
        written.contains("a/old") && written.contains("a/b/older"),
        "{written}"
    );
    assert!(!written.contains("a/new"), "{written}");
}

#[test]
fn words_are_for_people() {
    let dir = tree();
    let root = text(dir.path());
    let ran = run(&["purge", "plan", "--local", root, "--age-by", "mtime"]);
    assert!(
        ran.out
            .starts_with("would remove 2 of 3 files (10 B) and 0 directories below /"),
        "{ran:?}"
    );
    let ran = run(&["count", "--local", root]);
    let expected =
        format!("3 files, 2 directories, 0 symbolic links, 0 special files below {root}\n");
    assert_eq!((ran.code, ran.out), (0, expected));
}

#[test]
fn a_count_is_of_what_is_there() {
    let dir = tree();
    symlink("nowhere", dir.path().join("link")).unwrap();
    let ran = run(&[
        "count",
        "--local",
        text(dir.path()),
        "--output",
        "json",
        "--concurrency",
        "2",
    ]);
    let answer = ran.document();
    assert_eq!(
        (ran.code, &answer["complete"]),
        (0, &true.into()),
        "{ran:?}"
    );
    let numbers =
        ["files", "directories", "symlinks", "special"].map(|name| answer[name].as_u64().unwrap());
    assert_eq!(numbers, [3, 2, 1, 0]);
}

#[test]
fn a_count_that_could_not_see_all_is_not_completed() {
    let dir = tree();
    let closed = dir.path().join("a/b");
    fs::set_permissions(&closed, PermissionsExt::from_mode(0o000)).unwrap();
    let may_see_all = fs::read_dir(&closed).is_ok();
    let ran = run(&["count", "--local", text(dir.path())]);
    fs::set_permissions(&closed, PermissionsExt::from_mode(0o755)).unwrap();
    // Who may read everything has nothing to fail on.
    let expected = if may_see_all { 0 } else { 3 };
    assert_eq!(ran.code, expected, "{ran:?}");
    assert_eq!(ran.err.contains("a/b"), !may_see_all, "{ran:?}");
}

#[test]
fn a_place_that_is_not_there_or_not_ours_is_refused() {
    for command in [
        ["count", "--local", "/no/such/place"].as_slice(),
        &["purge", "plan", "--local", "/no/such/place"],
    ] {
        let ran = run(command);
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!(ran.err.contains("/no/such/place"), "{ran:?}");
    }
    let ran = run(&["purge", "plan", "--local", "/etc"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let dir = tree();
    let ran = run(&["count", "--local", text(&dir.path().join("a/new"))]);
    assert_eq!(ran.code, 4, "{ran:?}");
}

#[test]
fn dots_and_links_on_the_way_are_resolved_before_anything_is_decided() {
    let dir = tree();
    let link = dir.path().join("to-etc");
    symlink("/etc", &link).unwrap();
    assert_eq!(run(&["purge", "plan", "--local", text(&link)]).code, 2);
    let around = dir.path().join("a/../a/b");
    let ran = run(&["count", "--local", text(&around), "--output", "json"]);
    assert_eq!(ran.document()["files"], 1);
}
