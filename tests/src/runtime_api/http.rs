//! The Runtime API on the wire: paths, methods and headers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::Answer;
use super::state::{Handout, Invocation, Rejection, Report, State};
use crate::server::Dropped;

const ROOT: &str = "/2018-06-01/runtime/";
const FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:fake";
const TRACE_ID: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";

/// What the server and the test share.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// For the test, which waits for answers.
    changed: Condvar,
    /// For requests, which wait for events.
    offered: Notify,
}

/// A request's path, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    Next,
    Response(&'a str),
    Error(&'a str),
    InitError,
}

impl Environment {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("the state never panics")
    }

    /// Changes the state and wakes everyone who waits for that.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.shared.changed.notify_all();
        self.shared.offered.notify_waiters();
        changed
    }

    pub(super) fn offer(&self, invocation: Invocation) {
        self.change(|state| state.offer(invocation));
    }

    /// Waits for any change, at most so long.
    pub(super) fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Duration,
    ) -> MutexGuard<'a, State> {
        self.shared
            .changed
            .wait_timeout(state, timeout)
            .expect("the state never panics")
            .0
    }

    pub(super) fn wait_until(&self, timeout: Duration, reached: impl Fn(&State) -> bool) -> bool {
        let unreached = |state: &mut State| !reached(state);
        let waited = self
            .shared
            .changed
            .wait_timeout_while(self.lock(), timeout, unreached);
        reached(&waited.expect("the state never panics").0)
    }

    pub(super) async fn serve(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Dropped> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        let path = head.uri.path();
        if !head.headers.contains_key("user-agent") {
            self.lock()
                .violation(format!("no user agent on {} {path}", head.method));
        }
        let rejected = match route(&head.method, path) {
            Ok(Route::Next) => match self.next().await? {
                Ok(handout) => return Ok(handed_out(&handout)),
                Err(rejected) => Err(rejected),
            },
            Ok(Route::Response(request_id)) => self.response(request_id, &head.headers, &body),
            Ok(Route::Error(request_id)) => self.error(request_id, &head.headers, &body),
            Ok(Route::InitError) => self.init_error(&head.headers, &body),
            Err(rejection) => {
                self.lock()
                    .violation(format!("{} {path} is not in the API", head.method));
                Err(rejection)
            }
        };
        Ok(match rejected {
            Ok(()) => answer(202, &json!({"status": "OK"})),
            Err(Rejection { status, error_type }) => answer(
                status,
                &json!({"errorType": error_type, "errorMessage": "see violations()"}),
            ),
        })
    }

    /// Waits for an event; the connection of a process that has gone gets none.
    async fn next(&self) -> Result<Result<Handout, Rejection>, Dropped> {
        let generation = {
            let mut state = self.lock();
            if let Err(rejection) = state.ask() {
                return Ok(Err(rejection));
            }
            state.generation()
        };
        self.shared.changed.notify_all();
        let _asking = Asking {
            environment: self,
            generation,
        };
        loop {
            let offered = self.shared.offered.notified();
            let mut offered = std::pin::pin!(offered);
            // Enabled before the look, so that nothing offered in between is missed.
            offered.as_mut().enable();
            let handout = {
                let mut state = self.lock();
                if state.generation() != generation {
                    return Err(Dropped);
                }
                state.hand_out()
            };
            if let Some(handout) = handout {
                self.shared.changed.notify_all();
                return Ok(Ok(handout));
            }
            offered.await;
        }
    }

    fn response(&self, id: &str, headers: &HeaderMap, body: &Bytes) -> Result<(), Rejection> {
        if headers.contains_key("lambda-runtime-function-response-mode") {
            self.lock()
                .violation(format!("response to {id} is streamed"));
        }
        self.change(|state| state.report(id, Report::Response(body.to_vec())))
    }

    fn error(&self, id: &str, headers: &HeaderMap, body: &Bytes) -> Result<(), Rejection> {
        let (error_type, message) = self.error_of(&format!("error of {id}"), headers, body)?;
        let error = Answer::Error {
            error_type,
            message,
        };
        self.change(|state| state.report(id, Report::Error(error)))
    }

    fn init_error(&self, headers: &HeaderMap, body: &Bytes) -> Result<(), Rejection> {
        let (error_type, message) = self.error_of("init error", headers, body)?;
        self.change(|state| {
            state.report_init_error(Answer::InitError {
                error_type,
                message,
            })
        })
    }

    /// Type and message of an error report, which must have both and the header.
    fn error_of(
        &self,
        what: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<(String, String), Rejection> {
        if !headers.contains_key("lambda-runtime-function-error-type") {
            self.lock()
                .violation(format!("{what} without Lambda-Runtime-Function-Error-Type"));
        }
        let report = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let text = |name| report.get(name).and_then(Value::as_str).map(str::to_owned);
        if let (Some(error_type), Some(message)) = (text("errorType"), text("errorMessage")) {
            return Ok((error_type, message));
        }
        self.lock().violation(format!(
            "{what} is not JSON with errorType and errorMessage"
        ));
        Err(Rejection {
            status: 400,
            error_type: "InvalidErrorShape",
        })
    }
}

/// A pending request for an event, until it is answered or its connection closes.
struct Asking<'a> {
    environment: &'a Environment,
    generation: u64,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.environment.lock().stop_asking(self.generation);
        self.environment.shared.changed.notify_all();
    }
}

fn route<'a>(method: &Method, path: &'a str) -> Result<Route<'a>, Rejection> {
    let rest = path.strip_prefix(ROOT).unwrap_or_default();
    let parts = rest.split('/').collect::<Vec<_>>();
    let (route, expected) = match parts[..] {
        ["invocation", "next"] => (Route::Next, Method::GET),
        ["invocation", id, "response"] => (Route::Response(id), Method::POST),
        ["invocation", id, "error"] => (Route::Error(id), Method::POST),
        ["init", "error"] => (Route::InitError, Method::POST),
        _ => {
            return Err(Rejection {
                status: 404,
                error_type: "NotFound",
            });
        }
    };
    if *method != expected {
        return Err(Rejection {
            status: 405,
            error_type: "MethodNotAllowed",
        });
    }
    Ok(route)
}

fn handed_out(handout: &Handout) -> Response<Full<Bytes>> {
    Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &handout.request_id)
        .header(
            "Lambda-Runtime-Deadline-Ms",
            handout.deadline_ms.to_string(),
        )
        .header("Lambda-Runtime-Invoked-Function-Arn", FUNCTION_ARN)
        .header("Lambda-Runtime-Trace-Id", TRACE_ID)
        .body(Full::from(handout.event.clone()))
        .expect("headers of plain text")
}

fn answer(status: u16, body: &Value) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("Content-Type", "application/json")
        .body(Full::from(body.to_string()))
        .expect("a status from this file")
}
