use std::process::Command;

use serde_json::{Value, json};
use tests::function::Function;
use tests::runtime_api::{Answer, Lost, RuntimeApi};

use crate::TIMEOUT;

/// A stand-in for a function: a shell script, started like the real binary.
pub(crate) fn script(text: &str, env: &[(&str, &str)], api: &RuntimeApi) -> Function {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", text]);
    Function::spawn_command(shell, "stand-in", env, api)
}

#[test]
fn output_and_exit_status_are_told() {
    let api = RuntimeApi::start();
    let function = script(
        "echo '{\"level\":\"INFO\"}'; echo plain; echo oops >&2; exit 3",
        &[],
        &api,
    );
    let status = function.wait_exit(TIMEOUT).unwrap();
    assert_eq!(status.code(), Some(3));
    assert_eq!(
        function.stdout(),
        [json!({"level": "INFO"}), json!("plain")]
    );
    assert_eq!(function.stderr(), ["oops"]);
    assert_eq!(
        function.wait_for_line(TIMEOUT, |line| line["level"] == "INFO"),
        Some(json!({"level": "INFO"}))
    );
}

#[test]
fn the_environment_is_lambdas_and_the_tests_own() {
    let api = RuntimeApi::start();
    let function = script(
        "env",
        &[("DLQ_URL", "x"), ("AWS_REGION", "eu-west-1")],
        &api,
    );
    function.wait_exit(TIMEOUT).unwrap();
    let lines = function.stdout();
    let value = |name: &str| {
        let mut values = lines
            .iter()
            .filter_map(|line| line.as_str()?.strip_prefix(&format!("{name}=")));
        values.next().map(str::to_owned)
    };
    assert_eq!(value("AWS_LAMBDA_RUNTIME_API"), Some(api.address()));
    assert_eq!(
        value("AWS_LAMBDA_FUNCTION_NAME").as_deref(),
        Some("stand-in")
    );
    assert_eq!(
        value("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").as_deref(),
        Some("256")
    );
    assert_eq!(value("AWS_REGION").as_deref(), Some("eu-west-1"));
    assert_eq!(value("DLQ_URL").as_deref(), Some("x"));
    assert_eq!(value("HOME"), None);
    assert_eq!(value("CARGO_MANIFEST_DIR"), None);
}

#[test]
fn an_event_of_a_killed_process_is_lost_at_once() {
    let api = RuntimeApi::start();
    let function = script("echo '{\"up\":true}'; exec sleep 600", &[], &api);
    assert!(
        function
            .wait_for_line(TIMEOUT, |line| line["up"] == true)
            .is_some()
    );
    assert!(std::path::Path::new(&format!("/proc/{}", function.pid())).exists());
    function.kill();
    assert_eq!(
        api.invoke(&Value::Null, TIMEOUT),
        Answer::Lost(Lost::ProcessExited)
    );
    let status = function.wait_exit(TIMEOUT).unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9)
    );
}

#[test]
fn a_dropped_function_is_gone() {
    let api = RuntimeApi::start();
    let function = script("exec sleep 600", &[], &api);
    let path = format!("/proc/{}", function.pid());
    assert!(std::path::Path::new(&path).exists());
    drop(function);
    assert!(!std::path::Path::new(&path).exists());
}

#[test]
fn a_process_that_lives_has_no_exit_status() {
    let api = RuntimeApi::start();
    let function = script("exec sleep 600", &[], &api);
    assert_eq!(
        function.wait_exit(std::time::Duration::from_millis(20)),
        None
    );
}

#[test]
#[should_panic(expected = "run `cargo build --bins` first")]
fn a_missing_binary_is_named() {
    let api = RuntimeApi::start();
    drop(Function::spawn("no-such-function", &[], &api));
}
