//! Scripted faults: which request they strike, and what then happens to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::call::Operation;
use super::state::Store;

/// A fault to come, built up from the operation it strikes:
///
/// ```
/// # use tests::fake_aws::{Fault, Operation};
/// Fault::on(Operation::PutObject).key("a.json").skip(1).times(2).answer(503, "SlowDown");
/// ```
///
/// It strikes once unless [`times`](Self::times) or [`forever`](Self::forever) says otherwise. When
/// several faults match, the one that was scripted first takes the request.
#[derive(Clone, Debug)]
pub struct Fault {
    operation: Operation,
    key_part: Option<String>,
    skip: u64,
    /// `None`: forever.
    times: Option<u64>,
    pub(super) script: Script,
}

/// What happens to a request that a fault has struck.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    pub(super) before_effect: Vec<Step>,
    pub(super) after_effect: Vec<Step>,
    pub(super) without_effect: bool,
    pub(super) outcome: Outcome,
    pub(super) body: Vec<BodyStep>,
}

#[derive(Clone)]
pub(super) enum Step {
    Delay(Duration),
    Run(Arc<dyn Fn(&mut Store) + Send + Sync>),
    Hold(Gate),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Outcome {
    #[default]
    Honest,
    Answer {
        status: u16,
        code: String,
    },
    Reset,
}

#[derive(Clone, Debug)]
pub(super) enum BodyStep {
    Cut { after_bytes: u64 },
    Hold { after_bytes: u64, gate: Gate },
}

impl Fault {
    /// A fault that strikes the next request of this operation.
    #[must_use]
    pub fn on(operation: Operation) -> Self {
        let script = Script::default();
        Self {
            operation,
            key_part: None,
            skip: 0,
            times: Some(1),
            script,
        }
    }

    /// Only requests whose key (or queue name) contains this.
    #[must_use]
    pub fn key(mut self, part: &str) -> Self {
        self.key_part = Some(part.to_owned());
        self
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Strikes so many requests.
    #[must_use]
    pub fn times(mut self, requests: u64) -> Self {
        self.times = Some(requests);
        self
    }

    /// Strikes every request from then on.
    #[must_use]
    pub fn forever(mut self) -> Self {
        self.times = None;
        self
    }

    /// Answers with an error and changes nothing.
    #[must_use]
    pub fn answer(mut self, status: u16, code: &str) -> Self {
        self.script.without_effect = true;
        self.script.outcome = Outcome::Answer {
            status,
            code: code.to_owned(),
        };
        self
    }

    /// Does what was asked, then answers with an error.
    #[must_use]
    pub fn answer_after_effect(mut self, status: u16, code: &str) -> Self {
        self.script.outcome = Outcome::Answer {
            status,
            code: code.to_owned(),
        };
        self
    }

    /// Answers `200 OK` with an error in the body, as `CompleteMultipartUpload` may; changes nothing.
    #[must_use]
    pub fn ok_with_error_body(self, code: &str) -> Self {
        self.answer(200, code)
    }

    /// Closes the connection without an answer and changes nothing.
    #[must_use]
    pub fn reset(mut self) -> Self {
        self.script.without_effect = true;
        self.script.outcome = Outcome::Reset;
        self
    }

    /// Does what was asked, then closes the connection without an answer.
    #[must_use]
    pub fn reset_after_effect(mut self) -> Self {
        self.script.outcome = Outcome::Reset;
        self
    }

    /// Closes the connection after so many bytes of the answer's body, whatever length was promised.
    #[must_use]
    pub fn cut_body(mut self, after_bytes: u64) -> Self {
        self.script.body.push(BodyStep::Cut { after_bytes });
        self
    }

    /// Stops after so many bytes of the answer's body until the gate is released.
    #[must_use]
    pub fn hold_body(mut self, after_bytes: u64, gate: &Gate) -> Self {
        self.script.body.push(BodyStep::Hold {
            after_bytes,
            gate: gate.clone(),
        });
        self
    }

    /// Waits before the request takes effect.
    #[must_use]
    pub fn delay(mut self, duration: Duration) -> Self {
        self.script.before_effect.push(Step::Delay(duration));
        self
    }

    /// Waits after the request took effect, before its answer.
    #[must_use]
    pub fn delay_after_effect(mut self, duration: Duration) -> Self {
        self.script.after_effect.push(Step::Delay(duration));
        self
    }

    /// Changes the store before the request takes effect.
    #[must_use]
    pub fn run(mut self, change: impl Fn(&mut Store) + Send + Sync + 'static) -> Self {
        self.script.before_effect.push(Step::Run(Arc::new(change)));
        self
    }

    /// Changes the store after the request took effect, before its answer: a `GetObject` has its
    /// version by then, so this is an overwrite while the body is read.
    #[must_use]
    pub fn run_after_effect(mut self, change: impl Fn(&mut Store) + Send + Sync + 'static) -> Self {
        self.script.after_effect.push(Step::Run(Arc::new(change)));
        self
    }

    /// Holds the request at the gate before it takes effect.
    #[must_use]
    pub fn hold(mut self, gate: &Gate) -> Self {
        self.script.before_effect.push(Step::Hold(gate.clone()));
        self
    }

    /// Holds the answer at the gate after the request took effect.
    #[must_use]
    pub fn hold_after_effect(mut self, gate: &Gate) -> Self {
        self.script.after_effect.push(Step::Hold(gate.clone()));
        self
    }

    fn strikes(&mut self, operation: Operation, key: &str) -> bool {
        let matches = self.operation == operation
            && self.times != Some(0)
            && self.key_part.as_ref().is_none_or(|part| key.contains(part));
        if matches && self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if matches {
            self.times = self.times.map(|times| times - 1);
        }
        matches
    }
}

/// The script for a request: that of the first fault which strikes it, or an honest one.
pub(super) fn script_for(faults: &mut [Fault], operation: Operation, key: &str) -> Script {
    let struck = faults.iter_mut().find_map(|fault| {
        let strikes = fault.strikes(operation, key);
        strikes.then(|| fault.script.clone())
    });
    struck.unwrap_or_default()
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay(duration) => write!(f, "Delay({duration:?})"),
            Self::Run(_) => f.write_str("Run"),
            Self::Hold(_) => f.write_str("Hold"),
        }
    }
}

/// Where requests wait until the test lets them go.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<Crowd>>);

#[derive(Clone, Copy, Debug, Default)]
struct Crowd {
    arrived: usize,
    released: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Crowd::default())))
    }

    /// Lets everyone through, now and later.
    pub fn release(&self) {
        self.0.send_modify(|crowd| crowd.released = true);
    }

    /// How many requests have come to the gate so far.
    #[must_use]
    pub fn arrived(&self) -> usize {
        self.0.borrow().arrived
    }

    /// Waits until so many requests have come; whether they have within the time.
    pub async fn wait_for(&self, requests: usize, timeout: Duration) -> bool {
        let mut crowd = self.0.subscribe();
        let arrived = crowd.wait_for(|crowd| crowd.arrived >= requests);
        tokio::time::timeout(timeout, arrived).await.is_ok()
    }

    /// As [`Gate::wait_for`], for a test that is not async.
    #[must_use]
    pub fn wait_for_blocking(&self, requests: usize, timeout: Duration) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime
            .expect("tokio runtime")
            .block_on(self.wait_for(requests, timeout))
    }

    pub(super) async fn pass(self) {
        let mut crowd = self.0.subscribe();
        self.0.send_modify(|crowd| crowd.arrived += 1);
        // The sender lives as long as this gate, so the wait can only end by a release.
        let _ = crowd.wait_for(|crowd| crowd.released).await;
    }
}
