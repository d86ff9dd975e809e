//! A strict Lambda Runtime API, written from the AWS documentation.
//!
//! Source: Lambda developer guide, "Using the Lambda runtime API for custom runtimes", version
//! 2018-06-01. It plays one execution environment: one event at a time. Whatever a runtime does
//! against the documentation is kept as a violation, and answered as the service would.

mod http;
mod state;

use std::time::{Duration, Instant};

use serde_json::Value;

use self::http::Environment;
use self::state::Invocation;
use crate::server::Server;

/// How long a function may take from its start to its first `/next`. Source: Lambda developer
/// guide, "Lambda execution environment", init phase.
const INIT_MAX: Duration = Duration::from_secs(10);

/// What became of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The function's result.
    Response(Value),
    /// The function failed, and said so.
    Error {
        /// Such as `Runtime.Panic` or the name of an error type.
        error_type: String,
        /// The text of the error.
        message: String,
    },
    /// The runtime refused to start.
    InitError {
        /// As for [`Answer::Error`].
        error_type: String,
        /// As for [`Answer::Error`].
        message: String,
    },
    /// There was no answer.
    Lost(Lost),
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The process ended while it had the event, or before it asked for it.
    ProcessExited,
    /// The deadline passed.
    DeadlinePassed,
    /// Nobody asked for the event within the ten seconds that an init phase may take.
    NeverAsked,
}

/// A running Runtime API; it stops when it is dropped.
#[derive(Debug)]
pub struct RuntimeApi {
    environment: Environment,
    server: Server,
}

impl Default for RuntimeApi {
    fn default() -> Self {
        Self::start()
    }
}

impl RuntimeApi {
    /// Starts one on a free port of 127.0.0.1.
    #[must_use]
    pub fn start() -> Self {
        let environment = Environment::default();
        let serving = environment.clone();
        let server = Server::start("runtime-api", move |request, _| {
            serving.clone().serve(request)
        });
        Self {
            environment,
            server,
        }
    }

    /// What `AWS_LAMBDA_RUNTIME_API` must say: host and port.
    #[must_use]
    pub fn address(&self) -> String {
        self.server.address().to_string()
    }

    /// Hands the event to the next runtime that asks, and waits for its answer. The deadline
    /// counts from the moment at which the event is handed over.
    #[must_use]
    pub fn invoke(&self, event: &Value, until_deadline: Duration) -> Answer {
        let number = self.environment.lock().next_number();
        self.invoke_as(
            &format!("00000000-0000-4000-8000-{number:012x}"),
            event,
            until_deadline,
        )
    }

    /// As [`RuntimeApi::invoke`], with a request id of the test's choice: what is sampled by it
    /// becomes predictable.
    #[must_use]
    pub fn invoke_as(&self, request_id: &str, event: &Value, until_deadline: Duration) -> Answer {
        let invocation = Invocation::new(request_id, event, until_deadline);
        let never_asked_at = Instant::now() + INIT_MAX;
        self.environment.offer(invocation);
        loop {
            let mut state = self.environment.lock();
            let now = Instant::now();
            if let Some(answer) = state.settle(request_id, never_asked_at, now) {
                return answer;
            }
            let wake_at = state.deadline_of(request_id).unwrap_or(never_asked_at);
            drop(
                self.environment
                    .wait(state, wake_at.saturating_duration_since(now)),
            );
        }
    }

    /// Waits until a runtime is asking for an event; whether one is within the time.
    #[must_use]
    pub fn wait_until_asked(&self, timeout: Duration) -> bool {
        self.environment.wait_until(timeout, state::State::is_asked)
    }

    /// Waits until no runtime is asking for an event; whether none is within the time.
    #[must_use]
    pub fn wait_until_idle(&self, timeout: Duration) -> bool {
        self.environment
            .wait_until(timeout, |state| !state.is_asked())
    }

    /// What a runtime has reported to `/init/error`, if one has.
    #[must_use]
    pub fn init_error(&self) -> Option<Answer> {
        self.environment.lock().init_error()
    }

    /// What the runtime did against the documentation, in order.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.environment.lock().violations().to_vec()
    }

    /// Fails the test that ends with a violation; one that has failed already has more to say.
    pub(crate) fn assert_rules_kept(&self) {
        if !std::thread::panicking() {
            assert_eq!(
                self.violations(),
                [""; 0],
                "the Runtime API's rules were broken"
            );
        }
    }

    /// A new process takes over: the environment is as good as new.
    pub(crate) fn process_started(&self) -> Process {
        let number = self.environment.change(state::State::process_started);
        Process {
            environment: self.environment.clone(),
            number,
        }
    }
}

/// The process behind the Runtime API, as its starter sees it.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    environment: Environment,
    number: u64,
}

impl Process {
    /// The process is gone, and with it the event that it had.
    pub(crate) fn exited(&self) {
        self.environment
            .change(|state| state.process_exited(self.number));
    }
}
