//! The Runtime API as data: which invocation stands where, and what was done against the rules.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{Answer, Lost};

/// Largest answer of a synchronous invocation, bytes. Source: Lambda developer guide, "Quotas".
const RESPONSE_BYTES_MAX: usize = 6 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct State {
    /// Oldest first; settled ones stay, so that a second answer is recognised.
    invocations: Vec<Invocation>,
    violations: Vec<String>,
    init_error: Option<Answer>,
    /// One more for each process that starts or ends, so that a dead one's request for an event
    /// gets none.
    generation: u64,
    processes: u64,
    process_is_gone: bool,
    asking: usize,
    numbers: u64,
}

#[derive(Debug)]
pub(super) struct Invocation {
    request_id: String,
    event: String,
    until_deadline: Duration,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    Handed {
        deadline: Instant,
    },
    Answered(Answer),
    /// The process that had it is gone.
    Orphaned,
    /// The test has its answer, or has given up.
    Settled {
        answered: bool,
    },
}

/// An event on its way to the runtime.
#[derive(Debug)]
pub(super) struct Handout {
    pub(super) request_id: String,
    pub(super) event: String,
    pub(super) deadline_ms: u128,
}

/// How a request is answered that was against the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) status: u16,
    pub(super) error_type: &'static str,
}

/// What a runtime may report about an invocation.
#[derive(Debug)]
pub(super) enum Report {
    Response(Vec<u8>),
    Error(Answer),
}

impl Invocation {
    pub(super) fn new(request_id: &str, event: &Value, until_deadline: Duration) -> Self {
        let request_id = request_id.to_owned();
        Self {
            request_id,
            event: event.to_string(),
            until_deadline,
            stage: Stage::Waiting,
        }
    }
}

impl State {
    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn offer(&mut self, invocation: Invocation) {
        self.invocations.push(invocation);
    }

    pub(super) fn violations(&self) -> &[String] {
        &self.violations
    }

    pub(super) fn init_error(&self) -> Option<Answer> {
        self.init_error.clone()
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asking > 0
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Records what was done against the rules.
    pub(super) fn violation(&mut self, text: impl Into<String>) {
        self.violations.push(text.into());
    }

    /// A new process takes over; returns its number.
    pub(super) fn process_started(&mut self) -> u64 {
        self.forget_process();
        self.process_is_gone = false;
        self.init_error = None;
        self.processes += 1;
        self.processes
    }

    /// A process is gone; once another has taken over, that changes nothing.
    pub(super) fn process_exited(&mut self, process: u64) {
        if self.processes == process {
            self.forget_process();
            self.process_is_gone = true;
        }
    }

    fn forget_process(&mut self) {
        self.generation += 1;
        self.asking = 0;
        for invocation in &mut self.invocations {
            if matches!(invocation.stage, Stage::Handed { .. }) {
                invocation.stage = Stage::Orphaned;
            }
        }
    }

    /// A runtime asks for an event.
    pub(super) fn ask(&mut self) -> Result<(), Rejection> {
        let unanswered = self
            .invocations
            .iter()
            .find(|one| matches!(one.stage, Stage::Handed { .. }));
        let complaint = if let Some(unanswered) = unanswered {
            format!("next asked while {} has no answer", unanswered.request_id)
        } else if self.asking > 0 {
            "next asked while another next is pending".to_owned()
        } else if self.init_error.is_some() {
            "next asked after an init error".to_owned()
        } else {
            self.asking += 1;
            return Ok(());
        };
        self.violation(complaint);
        Err(Rejection {
            status: 403,
            error_type: "InvalidStateTransition",
        })
    }

    /// The asking runtime went away, or has its event.
    pub(super) fn stop_asking(&mut self, generation: u64) {
        if self.generation == generation {
            self.asking -= 1;
        }
    }

    /// The oldest event that waits; its deadline starts to run.
    pub(super) fn hand_out(&mut self) -> Option<Handout> {
        let waiting = |one: &&mut Invocation| matches!(one.stage, Stage::Waiting);
        let invocation = self.invocations.iter_mut().find(waiting)?;
        invocation.stage = Stage::Handed {
            deadline: Instant::now() + invocation.until_deadline,
        };
        let deadline = SystemTime::now() + invocation.until_deadline;
        let since_epoch = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(Handout {
            request_id: invocation.request_id.clone(),
            event: invocation.event.clone(),
            deadline_ms: since_epoch.as_millis(),
        })
    }

    pub(super) fn report(&mut self, request_id: &str, report: Report) -> Result<(), Rejection> {
        let complaint = match self.stage_of(request_id) {
            None | Some(Stage::Waiting) => format!("answer to an unknown request id {request_id}"),
            Some(Stage::Orphaned) => format!("answer to {request_id} of another process"),
            Some(Stage::Answered(_) | Stage::Settled { answered: true }) => {
                format!("second answer to {request_id}")
            }
            Some(Stage::Settled { answered: false }) => {
                format!("answer to {request_id} after its deadline")
            }
            Some(Stage::Handed { .. }) => return self.accept(request_id, report),
        };
        self.violation(complaint);
        Err(Rejection {
            status: 400,
            error_type: "InvalidRequestID",
        })
    }

    pub(super) fn report_init_error(&mut self, error: Answer) -> Result<(), Rejection> {
        let in_use = self
            .invocations
            .iter()
            .any(|one| matches!(one.stage, Stage::Handed { .. }));
        if self.asking > 0 || in_use {
            self.violation("init error after the first next");
            return Err(Rejection {
                status: 403,
                error_type: "InvalidStateTransition",
            });
        }
        self.init_error = Some(error);
        Ok(())
    }

    /// The answer for the test, once there is one or there will be none.
    pub(super) fn settle(
        &mut self,
        request_id: &str,
        never_asked_at: Instant,
        now: Instant,
    ) -> Option<Answer> {
        let (init_error, process_is_gone) = (self.init_error.clone(), self.process_is_gone);
        let invocation = self
            .invocations
            .iter_mut()
            .rev()
            .find(|one| one.request_id == request_id)?;
        let answer = match &invocation.stage {
            Stage::Answered(answer) => answer.clone(),
            Stage::Waiting if init_error.is_some() => init_error?,
            Stage::Orphaned => Answer::Lost(Lost::ProcessExited),
            Stage::Waiting if process_is_gone => Answer::Lost(Lost::ProcessExited),
            Stage::Waiting if now >= never_asked_at => Answer::Lost(Lost::NeverAsked),
            Stage::Handed { deadline } if now >= *deadline => Answer::Lost(Lost::DeadlinePassed),
            Stage::Waiting | Stage::Handed { .. } | Stage::Settled { .. } => return None,
        };
        let answered = matches!(answer, Answer::Response(_) | Answer::Error { .. });
        invocation.stage = Stage::Settled { answered };
        Some(answer)
    }

    /// When the invocation's time is up, once it was handed out.
    pub(super) fn deadline_of(&mut self, request_id: &str) -> Option<Instant> {
        match self.stage_of(request_id)? {
            Stage::Handed { deadline } => Some(*deadline),
            _ => None,
        }
    }

    fn accept(&mut self, request_id: &str, report: Report) -> Result<(), Rejection> {
        let answer = match report {
            Report::Error(error) => error,
            Report::Response(body) if body.len() > RESPONSE_BYTES_MAX => {
                self.violation(format!("response to {request_id} has {} bytes", body.len()));
                return Err(Rejection {
                    status: 413,
                    error_type: "RequestEntityTooLarge",
                });
            }
            Report::Response(body) => match serde_json::from_slice(&body) {
                Ok(value) => Answer::Response(value),
                Err(error) => {
                    self.violation(format!("response to {request_id} is not JSON: {error}"));
                    return Err(Rejection {
                        status: 400,
                        error_type: "InvalidResponse",
                    });
                }
            },
        };
        if let Some(stage) = self.stage_of(request_id) {
            *stage = Stage::Answered(answer);
        }
        Ok(())
    }

    fn stage_of(&mut self, request_id: &str) -> Option<&mut Stage> {
        let invocation = self
            .invocations
            .iter_mut()
            .rev()
            .find(|one| one.request_id == request_id);
        invocation.map(|invocation| &mut invocation.stage)
    }
}
