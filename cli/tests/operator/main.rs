//! The binary as an operator runs it: on a shell, in a pipe, on a terminal, against the fake of AWS over HTTP.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "every line here is part of a test"
)]

mod backfill;
mod begin;
mod dlq;
mod dlq_list;
mod function;
mod help;
mod local;
mod terminal;
mod usage;
mod verify;
mod watch;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tests::fake_aws::{FakeAws, REGION};

/// The stack of every test.
const STACK: &str = "s";

/// The binary, with nothing of this machine's settings.
fn sluice(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command
        .args(arguments)
        .env_clear()
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null());
    command
}

/// The same, where the fake is AWS.
fn against(fake: &FakeAws, arguments: &[&str]) -> Command {
    let mut command = sluice(arguments);
    command
        .env("AWS_ENDPOINT_URL", fake.endpoint())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env(
            "AWS_SECRET_ACCESS_KEY",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        )
        .env("SLUICE_STACK", STACK);
    command
}

/// What came of a run.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        Self {
            code: status.code().unwrap(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    /// The one document on standard output.
    #[track_caller]
    fn document(&self) -> Value {
        let lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines[0].clone()
    }

    /// Every document on standard output; nothing else is there.
    #[track_caller]
    fn lines(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:?}")))
            .collect()
    }
}

fn run(arguments: &[&str]) -> Ran {
    Ran::of(&mut sluice(arguments))
}

fn run_against(fake: &FakeAws, arguments: &[&str]) -> Ran {
    Ran::of(&mut against(fake, arguments))
}

/// The same, for programs.
fn json_against(fake: &FakeAws, arguments: &[&str]) -> Ran {
    Ran::of(against(fake, arguments).args(["--output", "json"]))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
