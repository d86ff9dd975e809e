//! The real binaries of `purge` and `count`: a deadline that comes too early, a process that is killed, a
//! configuration that is wrong, and the sample events.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tests::function::Function;
use tests::runtime_api::{Answer, Lost, RuntimeApi};

const PATIENCE: Duration = Duration::from_mins(1);

/// Time of an invocation of which five seconds are kept back: one is left to work in.
const SHORT: Duration = Duration::from_secs(6);

/// Files in each directory of a tree that is too large for it.
const FILES: usize = 5;

/// `files` old files in each of `directories` directories, and one young one.
fn tree(directories: usize, files: usize) -> TempDir {
    let root = tempdir().unwrap();
    let old = FileTimes::new().set_modified(SystemTime::now() - Duration::from_hours(24 * 40));
    for directory in 0..directories {
        let path = root.path().join(format!("d{directory}"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("young"), "").unwrap();
        for file in 0..files {
            let file = File::create(path.join(format!("f{file}"))).unwrap();
            file.set_times(old).unwrap();
        }
    }
    root
}

fn response(answer: Answer) -> Value {
    let text = format!("{answer:?}");
    let response = match answer {
        Answer::Response(value) => Some(value),
        _ => None,
    };
    assert!(response.is_some(), "{text}");
    response.unwrap()
}

fn purge(root: &Path, api: &RuntimeApi) -> Function {
    let settings = [
        ("PURGE_ROOT", root.to_str().unwrap()),
        ("PURGE_AGE_BY", "mtime"),
        ("PURGE_DRY_RUN", "false"),
        ("PURGE_AUDIT", "true"),
        ("PURGE_CONCURRENCY", "1"),
    ];
    Function::spawn("purge", &settings, api)
}

/// Relative paths of everything but directories, and what is ours.
fn files(root: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut todo = vec![root.to_owned()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if !entry.file_type().unwrap().is_dir() {
                let path = entry.path();
                let path = path.strip_prefix(root).unwrap();
                files.insert(path.to_str().unwrap().to_owned());
            } else if entry.file_name() != ".sluice" {
                todo.push(entry.path());
            }
        }
    }
    files
}

/// What the audit files say was to be removed. The last line of a killed process may be cut off.
fn intents(root: &Path) -> BTreeSet<String> {
    let audits = fs::read_dir(root.join(".sluice/audit")).unwrap();
    let texts = audits.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let mut intents = BTreeSet::new();
    for text in texts {
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_event = lines.filter(|line| line["event"] == "intent");
        intents.extend(of_event.map(|line| line["path"].as_str().unwrap().to_owned()));
    }
    intents
}

/// A tree that takes longer than there is time for, on whatever machine this is, and the answer that says so.
fn too_large(api: &RuntimeApi) -> (TempDir, usize, Function, Value) {
    let mut directories = 1_000;
    for _ in 0..8 {
        let root = tree(directories, FILES);
        let function = purge(root.path(), api);
        let began = Instant::now();
        let answer = response(api.invoke(&json!({}), SHORT));
        assert!(began.elapsed() < SHORT);
        if answer["status"] == "complete" {
            assert_eq!(answer["files_purged"], directories * FILES);
            directories *= 3;
        } else if answer["files_purged"] != 0 {
            return (root, directories, function, answer);
        }
        // Where calls take so long that it stops before its first removal, another time may be a better one.
    }
    unreachable!("no tree of up to {directories} directories is interrupted in the middle")
}

#[test]
fn before_its_deadline_a_sweep_answers_and_its_token_leads_to_the_whole() {
    let api = RuntimeApi::start();
    let (root, directories, _function, mut answer) = too_large(&api);
    let all = directories * (FILES + 1);
    let mut purged = Vec::new();
    loop {
        assert_eq!(answer["errors"], 0);
        purged.push(answer["files_purged"].as_u64().unwrap());
        let gone = all - files(root.path()).len();
        assert_eq!(answer["files_purged"], gone, "what is counted is gone");
        if answer["status"] == "complete" {
            break;
        }
        assert_eq!(answer["status"], "incomplete");
        let time = if purged.len() < 3 { SHORT } else { PATIENCE };
        answer = response(api.invoke(&json!({"resume": answer["resume"]}), time));
    }
    assert_eq!(answer["resume"], json!(null));
    assert_eq!(answer["files_scanned"], all);
    assert!(purged.len() > 1 && purged.is_sorted(), "{purged:?}");
    assert_eq!(answer["files_purged"], directories * FILES);
    assert_eq!(files(root.path()).len(), directories);
    assert_eq!(intents(root.path()).len(), directories * FILES);
    assert_eq!(api.violations(), [""; 0]);
}

#[test]
fn a_killed_sweep_is_taken_up_by_the_next_and_the_audit_covers_both() {
    let root = tree(500, 100);
    let before = files(root.path());
    let api = RuntimeApi::start();
    let first = purge(root.path(), &api);
    let lost = std::thread::scope(|scope| {
        // The lease of a process that dies holds until its deadline.
        let lost = scope.spawn(|| api.invoke(&json!({}), Duration::from_secs(10)));
        let began = Instant::now();
        while files(root.path()).len() == before.len() {
            assert!(began.elapsed() < PATIENCE);
        }
        first.kill();
        lost.join().unwrap()
    });
    assert_eq!(lost, Answer::Lost(Lost::ProcessExited));
    let killed = files(root.path());
    let gone: BTreeSet<_> = before.difference(&killed).cloned().collect();
    assert!(!gone.is_empty() && gone.len() < 50_000, "{}", gone.len());
    assert!(gone.is_subset(&intents(root.path())));
    let _second = purge(root.path(), &api);
    let mut answer = response(api.invoke(&json!({}), PATIENCE));
    let began = Instant::now();
    while answer["status"] == "refused" {
        assert!(began.elapsed() < PATIENCE);
        answer = response(api.invoke(&json!({}), PATIENCE));
    }
    assert_eq!(answer["files_purged"], 50_000 - gone.len());
    let left = files(root.path());
    assert!(left.iter().all(|path| path.ends_with("young")) && left.len() == 500);
    let gone: BTreeSet<_> = before.difference(&left).cloned().collect();
    assert_eq!(gone, intents(root.path()));
}

#[test]
fn an_unreadable_directory_is_named_and_the_count_is_not_complete() {
    let root = tree(3, 2);
    let api = RuntimeApi::start();
    let settings = [("COUNT_ROOT", root.path().to_str().unwrap())];
    let own = std::env::current_exe().unwrap();
    let count = own.parent().and_then(Path::parent).unwrap().join("count");
    // As the owner of the tree, but without the right to read what the owner may not.
    let mut unprivileged = Command::new("unshare");
    unprivileged.args(["--user", "--map-user=1000", "--"]);
    let possible = Command::new("unshare")
        .args(["--user", "--map-user=1000", "true"])
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        return println!("skipped: `unshare --user --map-user` is not possible here");
    }
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    fs::set_permissions(root.path().join("d1"), closed).unwrap();
    unprivileged.arg(count);
    let _function = Function::spawn_command(unprivileged, "count", &settings, &api);
    let answer = response(api.invoke(&json!({}), PATIENCE));
    assert_eq!(
        (&answer["complete"], &answer["errors"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(answer["error_samples"][0]["path"], "d1");
    assert_eq!(
        (&answer["files"], &answer["directories"]),
        (&json!(6), &json!(3))
    );
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(root.path().join("d1"), open).unwrap();
}

#[test]
fn a_wrong_configuration_names_every_mistake_and_does_not_start() {
    for (name, settings) in [
        (
            "purge",
            [("PURGE_ROOT", "/etc"), ("PURGE_MIN_AGE_DAYS", "-1")],
        ),
        (
            "count",
            [("COUNT_ROOT", "data"), ("COUNT_CONCURRENCY", "0")],
        ),
    ] {
        let api = RuntimeApi::start();
        let function = Function::spawn(name, &settings, &api);
        assert!(!function.wait_exit(PATIENCE).unwrap().success(), "{name}");
        let lines = function.stdout();
        assert_eq!(lines.len(), 1, "{lines:?}");
        for (variable, value) in settings {
            let error = lines[0]["error"].as_str().unwrap();
            assert!(error.contains(&format!("{variable}={value:?}")), "{error}");
        }
    }
}

#[test]
fn the_sample_events_run_and_remove_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    for (name, binary, field, expected) in [
        ("count.json", "count", "complete", json!(true)),
        ("purge.json", "purge", "status", json!("complete")),
        ("purge-plan.json", "purge", "status", json!("planned")),
        ("purge-schedule.json", "purge", "status", json!("planned")),
    ] {
        let event = serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        let root = tree(3, 2);
        let before = files(root.path());
        let api = RuntimeApi::start();
        let path = root.path().to_str().unwrap();
        let _function = match binary {
            "count" => Function::spawn(binary, &[("COUNT_ROOT", path)], &api),
            _ => purge(root.path(), &api),
        };
        let answer = response(api.invoke(&event, PATIENCE));
        assert_eq!(answer[field], expected, "{name}: {answer}");
        assert_eq!(files(root.path()), before, "{name}");
    }
}
