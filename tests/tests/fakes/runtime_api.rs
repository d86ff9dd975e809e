use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::runtime_api::{Answer, Lost, RuntimeApi};

use crate::TIMEOUT;
use crate::function::script;

/// A runtime that does just what it is told, right or wrong.
struct Raw {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
struct Reply {
    status: u16,
    headers: String,
    body: String,
}

impl Raw {
    fn connect(api: &RuntimeApi) -> Self {
        let stream = TcpStream::connect(api.address()).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    fn send(&mut self, line: &str, headers: &str, body: &str) {
        let length = body.len();
        let head = format!("{line} HTTP/1.1\r\nHost: api\r\nContent-Length: {length}\r\n{headers}");
        self.stream
            .get_mut()
            .write_all(format!("{head}\r\n{body}").as_bytes())
            .unwrap();
    }

    fn reply(&mut self) -> Reply {
        let mut headers = String::new();
        while !headers.ends_with("\r\n\r\n") {
            assert!(
                self.stream.read_line(&mut headers).unwrap() > 0,
                "closed after {headers}"
            );
        }
        let headers = headers.to_ascii_lowercase();
        let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
        let length = headers.split("content-length: ").nth(1).unwrap();
        let mut body = vec![0; length.split('\r').next().unwrap().parse().unwrap()];
        self.stream.read_exact(&mut body).unwrap();
        Reply {
            status,
            headers,
            body: String::from_utf8(body).unwrap(),
        }
    }

    fn ask(&mut self, line: &str, headers: &str, body: &str) -> Reply {
        self.send(line, &format!("User-Agent: raw\r\n{headers}"), body);
        self.reply()
    }

    fn next(&mut self) -> Reply {
        self.ask("GET /2018-06-01/runtime/invocation/next", "", "")
    }

    fn post(&mut self, path: &str, headers: &str, body: &str) -> u16 {
        self.ask(&format!("POST /2018-06-01/runtime/{path}"), headers, body)
            .status
    }
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        let line = self
            .headers
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or("not sent")
    }
}

const ERROR_TYPE: &str = "Lambda-Runtime-Function-Error-Type: Function.Failed\r\n";
const ERROR: &str = r#"{"errorType":"Failed","errorMessage":"it failed","stackTrace":[]}"#;

/// A runtime in its own thread, so that the test can wait for the answer of the invocation.
fn runtime(api: &RuntimeApi, act: impl FnOnce(&mut Raw) + Send + 'static) -> JoinHandle<()> {
    let mut raw = Raw::connect(api);
    std::thread::spawn(move || act(&mut raw))
}

#[test]
fn an_event_is_handed_out_with_its_headers_and_answered() {
    let api = RuntimeApi::start();
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let running = runtime(&api, move |raw| {
        let next = raw.next();
        assert_eq!((next.status, next.body.as_str()), (200, r#"{"in":1}"#));
        assert_eq!(next.header("lambda-runtime-aws-request-id"), "id-1");
        let deadline_ms: u128 = next.header("lambda-runtime-deadline-ms").parse().unwrap();
        assert!(deadline_ms >= (before + TIMEOUT).as_millis());
        assert!(
            next.header("lambda-runtime-invoked-function-arn")
                .starts_with("arn:aws:lambda:")
        );
        assert!(
            next.header("lambda-runtime-trace-id")
                .starts_with("root=1-")
        );
        assert_eq!(
            raw.post("invocation/id-1/response", "", r#"{"out":2}"#),
            202
        );
    });
    let answer = api.invoke_as("id-1", &json!({"in": 1}), TIMEOUT);
    running.join().unwrap();
    assert_eq!(answer, Answer::Response(json!({"out": 2})));
    assert_eq!(api.violations(), Vec::<String>::new());
}

#[test]
fn an_error_is_told_with_type_and_message() {
    let api = RuntimeApi::start();
    let running = runtime(&api, |raw| {
        raw.next();
        assert_eq!(raw.post("invocation/id/error", ERROR_TYPE, ERROR), 202);
    });
    let answer = api.invoke_as("id", &Value::Null, TIMEOUT);
    running.join().unwrap();
    let (error_type, message) = ("Failed".to_owned(), "it failed".to_owned());
    assert_eq!(
        answer,
        Answer::Error {
            error_type,
            message
        }
    );
    assert!(api.violations().is_empty());
}

#[test]
fn an_init_error_answers_the_invocation_that_waits() {
    let api = RuntimeApi::start();
    let mut raw = Raw::connect(&api);
    assert_eq!(raw.post("init/error", ERROR_TYPE, ERROR), 202);
    let (error_type, message) = ("Failed".to_owned(), "it failed".to_owned());
    let expected = Answer::InitError {
        error_type,
        message,
    };
    assert_eq!(api.init_error(), Some(expected.clone()));
    assert_eq!(api.invoke(&Value::Null, TIMEOUT), expected);
    assert!(api.violations().is_empty());
    assert_eq!(raw.next().status, 403);
    assert_eq!(api.violations(), ["next asked after an init error"]);
}

#[test]
fn a_deadline_that_passes_loses_the_answer_and_refuses_a_late_one() {
    let api = RuntimeApi::start();
    let asked = runtime(&api, |raw| {
        raw.next();
    });
    let answer = api.invoke_as("id", &Value::Null, Duration::from_millis(20));
    asked.join().unwrap();
    assert_eq!(answer, Answer::Lost(Lost::DeadlinePassed));
    assert_eq!(
        Raw::connect(&api).post("invocation/id/response", "", "{}"),
        400
    );
    assert_eq!(api.violations(), ["answer to id after its deadline"]);
}

#[test]
fn wrong_paths_and_methods_are_violations() {
    let api = RuntimeApi::start();
    let mut raw = Raw::connect(&api);
    assert_eq!(raw.ask("GET /2018-06-01/runtime/next", "", "").status, 404);
    assert_eq!(raw.ask("GET /runtime/invocation/next", "", "").status, 404);
    assert_eq!(raw.post("invocation/next", "", ""), 405);
    let expected = [
        "GET /2018-06-01/runtime/next is not in the API",
        "GET /runtime/invocation/next is not in the API",
        "POST /2018-06-01/runtime/invocation/next is not in the API",
    ];
    assert_eq!(api.violations(), expected);
}

#[test]
fn an_unknown_request_id_is_a_violation() {
    let api = RuntimeApi::start();
    assert_eq!(
        Raw::connect(&api).post("invocation/foreign/response", "", "{}"),
        400
    );
    assert_eq!(
        api.violations(),
        ["answer to an unknown request id foreign"]
    );
}

#[test]
fn a_second_answer_is_a_violation() {
    let api = RuntimeApi::start();
    let running = runtime(&api, |raw| {
        raw.next();
        assert_eq!(raw.post("invocation/id/response", "", "1"), 202);
        assert_eq!(raw.post("invocation/id/error", ERROR_TYPE, ERROR), 400);
    });
    assert_eq!(
        api.invoke_as("id", &Value::Null, TIMEOUT),
        Answer::Response(json!(1))
    );
    running.join().unwrap();
    assert_eq!(api.violations(), ["second answer to id"]);
}

#[test]
fn asking_again_before_the_answer_is_a_violation() {
    let api = RuntimeApi::start();
    let running = runtime(&api, |raw| {
        raw.next();
        assert_eq!(raw.next().status, 403);
        raw.post("invocation/id/response", "", "1");
    });
    assert_eq!(
        api.invoke_as("id", &Value::Null, TIMEOUT),
        Answer::Response(json!(1))
    );
    running.join().unwrap();
    assert_eq!(api.violations(), ["next asked while id has no answer"]);
}

#[test]
fn two_pending_requests_for_an_event_are_a_violation() {
    let api = RuntimeApi::start();
    let mut first = Raw::connect(&api);
    first.send(
        "GET /2018-06-01/runtime/invocation/next",
        "User-Agent: raw\r\n",
        "",
    );
    assert!(api.wait_until_asked(TIMEOUT));
    assert_eq!(Raw::connect(&api).next().status, 403);
    assert_eq!(
        api.violations(),
        ["next asked while another next is pending"]
    );
}

#[test]
fn a_response_must_be_json_and_an_error_must_say_what() {
    let api = RuntimeApi::start();
    let running = runtime(&api, |raw| {
        raw.next();
        assert_eq!(raw.post("invocation/id/response", "", "not json"), 400);
        assert_eq!(raw.post("invocation/id/error", ERROR_TYPE, "{}"), 400);
        assert_eq!(raw.post("invocation/id/error", "", ERROR), 202);
    });
    assert!(matches!(
        api.invoke_as("id", &Value::Null, TIMEOUT),
        Answer::Error { .. }
    ));
    running.join().unwrap();
    let violations = api.violations();
    assert!(
        violations[0].starts_with("response to id is not JSON"),
        "{violations:?}"
    );
    assert_eq!(
        violations[1],
        "error of id is not JSON with errorType and errorMessage"
    );
    assert_eq!(
        violations[2],
        "error of id without Lambda-Runtime-Function-Error-Type"
    );
    assert_eq!(violations.len(), 3);
}

#[test]
fn a_request_without_a_user_agent_is_a_violation() {
    let api = RuntimeApi::start();
    let mut raw = Raw::connect(&api);
    raw.send("POST /2018-06-01/runtime/init/error", ERROR_TYPE, ERROR);
    assert_eq!(raw.reply().status, 202);
    assert_eq!(
        api.violations(),
        ["no user agent on POST /2018-06-01/runtime/init/error"]
    );
}

#[test]
fn a_runtime_that_went_away_while_asking_may_come_back() {
    let api = RuntimeApi::start();
    let mut gone = Raw::connect(&api);
    gone.send(
        "GET /2018-06-01/runtime/invocation/next",
        "User-Agent: raw\r\n",
        "",
    );
    assert!(api.wait_until_asked(TIMEOUT));
    drop(gone);
    assert!(api.wait_until_idle(TIMEOUT));
    let running = runtime(&api, |raw| {
        raw.next();
        raw.post("invocation/id/response", "", "1");
    });
    assert_eq!(
        api.invoke_as("id", &Value::Null, TIMEOUT),
        Answer::Response(json!(1))
    );
    running.join().unwrap();
    assert!(api.violations().is_empty());
}

#[test]
fn a_killed_process_loses_its_event_and_the_next_one_starts_afresh() {
    let api = RuntimeApi::start();
    let first = script("exec sleep 600", &[], &api);
    std::thread::scope(|scope| {
        let lost = scope.spawn(|| api.invoke(&Value::Null, TIMEOUT));
        assert_eq!(Raw::connect(&api).next().status, 200);
        first.kill();
        assert_eq!(lost.join().unwrap(), Answer::Lost(Lost::ProcessExited));
    });
    let _second = script("exec sleep 600", &[], &api);
    drop(first);
    let running = runtime(&api, |raw| {
        raw.next();
        raw.post("invocation/again/response", "", "1");
    });
    assert_eq!(
        api.invoke_as("again", &Value::Null, TIMEOUT),
        Answer::Response(json!(1))
    );
    running.join().unwrap();
    assert!(api.violations().is_empty());
}
