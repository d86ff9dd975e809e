//! What needs no AWS: wrong usage, keys, completions.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use tests::fake_aws::Request;

use crate::backfill::stack;
use crate::{Ran, against, run, sluice, text};

#[test]
fn wrong_usage_is_said_on_standard_error_and_has_its_own_code() {
    for (line, hint) in [
        ("", "Usage: sluice"),
        ("bakfill", "bakfill"),
        ("--output yaml count", "yaml"),
        ("--stack= count", "--stack"),
        ("backfill start --workers 0", "--workers"),
        ("backfill start --workers 1001", "--workers"),
        ("backfill start --job-id a/b", "--job-id"),
        ("backfill start --resume", "--job-id"),
        ("backfill start --job-id j --resume --prefix p", "--prefix"),
        ("backfill start --partitions a,,b", "--partitions"),
        ("backfill start --inventory s3://b/list.csv", "--inventory"),
        (
            "backfill start --inventory s3://b/manifest.json --partitions hash",
            "--partitions",
        ),
        ("backfill start --max-rate 0", "--max-rate"),
        ("backfill status", "<JOB>"),
        ("backfill status j --every 0", "--every"),
        ("dlq list --limit 0", "--limit"),
        ("dlq list --reason acess_denied", "access_denied"),
        ("dlq replay --reason x", "too_large"),
        ("dlq redrive --rate 501", "--rate"),
        ("purge run --yes", "--local"),
        ("purge run --audit", "--local"),
        ("purge run --local /x --root /y", "--root"),
        ("purge run --local /x --workers 2", "--workers"),
        ("purge plan --max-empty-dirs 1", "--remove-empty-dirs"),
        ("purge plan --yes", "--yes"),
        ("count --concurrency 257", "--concurrency"),
        ("key", "<NAME>"),
        ("key a --format rar", "rar"),
        ("completions tcsh", "tcsh"),
    ] {
        let ran = run(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}: {ran:?}");
        assert!(ran.err.contains(hint), "{line}: {ran:?}");
    }
}

#[test]
fn without_region_or_credentials_it_says_what_to_do() {
    let ran = run(&["dlq", "list"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("AWS_REGION") && ran.err.lines().count() == 1,
        "{ran:?}"
    );
    let ran = Ran::of(sluice(&["dlq", "list"]).env("AWS_REGION", "eu-west-1"));
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(
        ran.err.contains("credentials") && ran.err.lines().count() == 1,
        "{ran:?}"
    );
}

#[test]
fn a_profile_says_who_asks_and_where() {
    let fake = stack();
    let dir = tempfile::tempdir().unwrap();
    let (config, process) = (dir.path().join("config"), dir.path().join("process.sh"));
    let keys = r#"{"Version": 1, "AccessKeyId": "AKIDOFPROCESS", "SecretAccessKey": "secret"}"#;
    fs::write(&process, format!("cat <<'END'\n{keys}\nEND\n")).unwrap();
    let profile = format!(
        "[profile operator]\nregion = us-east-1\ncredential_process = /bin/sh {}\n",
        text(&process)
    );
    fs::write(&config, profile).unwrap();
    let ran = Ran::of(
        sluice(&["--stack", "s", "dlq", "list"])
            .env("AWS_ENDPOINT_URL", fake.endpoint())
            .env("AWS_CONFIG_FILE", &config)
            .env("AWS_PROFILE", "operator"),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let requests = fake.requests();
    let signed = |request: &Request| request.headers["authorization"].contains("AKIDOFPROCESS");
    assert!(requests.iter().all(signed), "{requests:?}");
}

#[test]
fn certificates_that_are_not_there_are_said_and_not_ignored() {
    let fake = stack();
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    fs::write(&empty, "no certificate").unwrap();
    for (path, code) in [("/no/such.pem", 4), (text(&empty), 2)] {
        let ran = Ran::of(against(&fake, &["dlq", "list"]).env("AWS_CA_BUNDLE", path));
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(
            ran.err.contains("AWS_CA_BUNDLE") && ran.err.contains(path),
            "{ran:?}"
        );
    }
}

#[test]
fn a_key_is_where_an_uploader_puts_it() {
    let ran = run(&["key", "hello", "incoming/5d/hello"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "incoming/5d/hello\nincoming/5d/hello\n")
    );
    let ran = run(&["key", "hello", "--prefix", "in/"]);
    assert_eq!(ran.out, "in/5d/hello\n");
    let words = [
        "key",
        "hello",
        "--output-key",
        "--format",
        "zstd",
        "--output-prefix",
        "out/",
    ];
    assert_eq!(run(&words).out, "out/5d/hello.zst\n");
}

#[test]
fn keys_are_documents_too() {
    let ran = run(&["key", "hello", "--output", "json"]);
    let expected = json!({
        "name": "hello", "key": "incoming/5d/hello", "output_key": "processed/5d/hello.zip",
    });
    assert_eq!(ran.document(), expected);
}

#[test]
fn one_bad_name_and_no_key_is_printed() {
    let ran = run(&["key", "hello", "", "--output", "json"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(
        (&error["error"]["kind"], &error["error"]["exit_code"]),
        (&json!("usage"), &json!(2))
    );
}

#[test]
fn every_shell_has_its_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run(&["completions", shell]);
        assert_eq!(ran.code, 0, "{shell}");
        assert!(
            ran.out.contains("sluice") && ran.out.contains("backfill"),
            "{shell}"
        );
    }
}

#[test]
fn bash_understands_its_completions() {
    let script = run(&["completions", "bash"]).out;
    assert!(script.contains("too_large access_denied"), "no reasons");
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let mut child = sluice(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
