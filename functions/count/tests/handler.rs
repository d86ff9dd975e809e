//! The function through its handler, on real directories.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use count::{App, Config, CountError};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use shared::telemetry::Telemetry;
use tempfile::{TempDir, tempdir};

const MINUTE: Duration = Duration::from_mins(1);

fn app(root: &Path) -> App {
    let root = root.to_str().unwrap().to_owned();
    let config = Config::parse(|name| (name == "COUNT_ROOT").then(|| root.clone())).unwrap();
    let (telemetry, _) = Telemetry::new(config.telemetry.clone(), std::io::sink());
    App::new(config, telemetry)
}

fn invoke(app: &App, payload: Value, within: Duration) -> Result<Value, CountError> {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + within;
    let mut context = Context::default();
    "request-1".clone_into(&mut context.request_id);
    context.deadline = u64::try_from(deadline.as_millis()).unwrap();
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(app.handle(LambdaEvent::new(payload, context)))
}

/// 4 files (one hidden, one with two names), 3 directories, 2 links, 1 socket; and what must not be counted.
fn tree() -> TempDir {
    let root = tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    fs::create_dir_all(path("a/b")).unwrap();
    fs::create_dir(path(".hidden")).unwrap();
    fs::write(path("a/b/file"), "").unwrap();
    fs::write(path(".hidden/.file"), "").unwrap();
    fs::write(path("one"), "").unwrap();
    fs::hard_link(path("one"), path("a/two")).unwrap();
    symlink("/", path("a/root")).unwrap();
    symlink("gone", path("gone")).unwrap();
    drop(UnixListener::bind(path("socket")).unwrap());
    fs::create_dir(path(".sluice")).unwrap();
    fs::write(path(".sluice/ours"), "").unwrap();
    root
}

fn counts(answer: &Value) -> [u64; 4] {
    ["files", "directories", "symlinks", "special"].map(|name| answer[name].as_u64().unwrap())
}

#[test]
fn everything_below_the_root_is_counted_by_what_it_is() {
    let root = tree();
    let answer = invoke(&app(root.path()), json!({}), MINUTE).unwrap();
    assert_eq!(counts(&answer), [4, 3, 2, 1]);
    assert_eq!(
        (&answer["complete"], &answer["errors"]),
        (&json!(true), &json!(0))
    );
    assert_eq!(
        (&answer["error_samples"], &answer["resume"]),
        (&json!([]), &json!(null))
    );
    let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
    let expected = [
        "complete",
        "directories",
        "duration_seconds",
        "error_samples",
        "errors",
        "files",
        "files_per_second",
        "resume",
        "root",
        "special",
        "symlinks",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_payload_may_name_a_directory_below_the_root_and_nothing_else() {
    let root = tree();
    let app = app(root.path());
    let ask = |path: &Path| invoke(&app, json!({"root": path}), MINUTE);
    assert_eq!(counts(&ask(&root.path().join("a")).unwrap()), [2, 1, 1, 0]);
    assert_eq!(counts(&ask(root.path()).unwrap()), [4, 3, 2, 1]);
    for outside in ["/", "/etc", "a"].map(Path::new) {
        let refused = ask(outside).unwrap_err();
        assert_eq!(refused.label(), "BadRoot", "{}", outside.display());
    }
    for wrong in ["a/root", "a/../../..", "one", "none"] {
        let refused = ask(&root.path().join(wrong)).unwrap_err();
        assert_eq!(refused.label(), "BadRoot", "{wrong}");
    }
}

#[test]
fn a_payload_that_is_wrong_names_its_field() {
    let root = tree();
    let app = app(root.path());
    for (payload, field) in [
        (json!({"concurrency": 0}), "concurrency"),
        (json!({"concurrency": 257}), "concurrency"),
        (json!({"root": 1}), "root"),
        (json!({"resume": {}}), "resume"),
        (json!({"resume_max_bytes": 99}), "resume_max_bytes"),
        (json!({"resume_max_bytes": 200_001}), "resume_max_bytes"),
        (json!({"recursive": true}), "recursive"),
    ] {
        let refused = invoke(&app, payload, MINUTE).unwrap_err();
        assert_eq!(refused.label(), "BadPayload");
        assert!(refused.to_string().contains(field), "{field}: {refused}");
    }
}

#[test]
fn a_schedule_may_invoke_it() {
    let root = tree();
    let event = json!({
        "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "1", "time": "2026-11-21T00:00:00Z", "region": "us-east-1",
        "resources": [], "detail": {},
    });
    let answer = invoke(&app(root.path()), event, MINUTE).unwrap();
    assert_eq!(counts(&answer), [4, 3, 2, 1]);
}

#[test]
fn without_time_it_says_so_and_its_token_goes_on_to_the_whole() {
    let root = tree();
    let app = app(root.path());
    let answer = invoke(&app, json!({}), Duration::from_secs(1)).unwrap();
    assert_eq!(answer["complete"], false);
    let resume = answer["resume"].as_str().unwrap();
    let rest = invoke(&app, json!({"resume": resume}), MINUTE).unwrap();
    assert_eq!(counts(&rest), [4, 3, 2, 1]);
    assert_eq!(
        (&rest["complete"], &rest["resume"]),
        (&json!(true), &json!(null))
    );
}

#[test]
fn a_token_is_as_short_as_its_reader_wants_it() {
    let root = tree();
    let app = app(root.path());
    let long = invoke(&app, json!({}), Duration::from_secs(1)).unwrap();
    let asked = json!({"resume_max_bytes": 100});
    let short = invoke(&app, asked, Duration::from_secs(1)).unwrap();
    let resume = short["resume"].as_str().unwrap();
    assert!(resume.len() <= 100 && long["resume"].as_str().unwrap().len() > 100);
    let rest = invoke(&app, json!({"resume": resume}), MINUTE).unwrap();
    assert_eq!(counts(&rest), [4, 3, 2, 1]);
}

#[test]
fn a_token_of_another_root_or_none_at_all_is_refused() {
    let (root, other) = (tree(), tree());
    let answer = invoke(&app(root.path()), json!({}), Duration::from_secs(1)).unwrap();
    for token in [
        answer["resume"].as_str().unwrap(),
        "none",
        "file.none",
        "1.x.y",
    ] {
        let refused = invoke(&app(other.path()), json!({"resume": token}), MINUTE);
        assert_eq!(refused.unwrap_err().label(), "BadToken", "{token}");
    }
}

#[test]
fn nothing_is_written_below_the_root() {
    let root = tempdir().unwrap();
    fs::write(root.path().join("f"), "").unwrap();
    invoke(&app(root.path()), json!({}), MINUTE).unwrap();
    invoke(&app(root.path()), json!({}), Duration::from_secs(1)).unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}
