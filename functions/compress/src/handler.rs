//! From an invocation to messages and back.

use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use shared::batch::{self, EmptyId, Failure};
use shared::deadline::Deadline;
use shared::jobs::Jobs;
use shared::s3_event::{BadMessage, Delivery, Message, split};
use shared::telemetry::{Metric, Telemetry, error_chain};
use tokio::time::Instant;

use crate::config::Config;
use crate::dead_letter::DeadLetters;
use crate::jobs::{self, Teller};
use crate::message::{self, Tally, Unfinished};
use crate::object::Compressor;

/// Least and most time kept back before the deadline, in which work is put down and the answer is given.
const MARGIN_MIN: Duration = Duration::from_secs(1);
const MARGIN_MAX: Duration = Duration::from_secs(10);

/// Everything that lives as long as the process.
pub struct App {
    compressor: Compressor,
    dead_letters: DeadLetters,
    jobs: Option<Teller>,
    config: Config,
    telemetry: Telemetry,
}

/// Why an invocation failed as a whole. Lambda, or the caller, delivers all of it again.
#[derive(Debug, thiserror::Error)]
pub enum InvocationError {
    /// The payload is none of the known envelopes.
    #[error("payload: {0}")]
    BadPayload(BadMessage),
    /// Messages from a queue, but nowhere to put what can never succeed.
    #[error("DLQ_URL is not set: it is required with SQS events")]
    NoDeadLetterQueue,
    /// A queue record failed and has no identifier to report.
    #[error(transparent)]
    EmptyId(EmptyId),
    /// Objects of a direct invocation must be tried again.
    #[error("{failed} of {total} objects must be tried again, the first: {first}")]
    Incomplete {
        /// How many.
        failed: usize,
        /// Of how many.
        total: usize,
        /// The first one's error, with its causes.
        first: String,
    },
}

impl InvocationError {
    /// The error's type, as Lambda reports it.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::BadPayload(_) => "BadPayload",
            Self::NoDeadLetterQueue => "BadConfiguration",
            Self::EmptyId(_) => "EmptyMessageId",
            Self::Incomplete { .. } => "Incomplete",
        }
    }
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        Self {
            error_type: error.label().to_owned(),
            error_message: error_chain(&error),
        }
    }
}

impl App {
    /// One per process.
    #[must_use]
    pub fn new(
        s3: aws_sdk_s3::Client,
        sqs: aws_sdk_sqs::Client,
        config: Config,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            compressor: Compressor::new(s3, config.clone()),
            dead_letters: DeadLetters::new(sqs, config.dlq_url.clone()),
            jobs: None,
            config,
            telemetry,
        }
    }

    /// With a table of jobs, what a queue's messages of a job come to is told there.
    #[must_use]
    pub fn with_jobs(self, jobs: Option<Jobs>) -> Self {
        Self {
            jobs: jobs.map(Teller::new),
            ..self
        }
    }

    /// Handles one invocation.
    ///
    /// A queue's batch answers `{"batchItemFailures": [{"itemIdentifier"}]}`; a direct invocation
    /// `{"compressed", "skipped", "dead_lettered"}`, or an error if anything must be tried again.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, InvocationError> {
        let LambdaEvent { payload, context } = event;
        let invocation = self
            .telemetry
            .invocation(&context.request_id, context.xray_trace_id.as_deref());
        invocation.run(self.deliver(payload, &context)).await
    }

    async fn deliver(&self, payload: Value, context: &Context) -> Result<Value, InvocationError> {
        let started = Instant::now();
        let stop_at = started + time_to_work(context, SystemTime::now());
        let mut report = Report::default();
        let result = self.answer(payload, stop_at, &mut report).await;
        if let Err(error) = &result {
            tracing::error!(error = error_chain(error), "invocation failed");
        }
        report.write(&self.telemetry, started.elapsed());
        result
    }

    async fn answer(
        &self,
        payload: Value,
        stop_at: Instant,
        report: &mut Report,
    ) -> Result<Value, InvocationError> {
        match split(payload).map_err(InvocationError::BadPayload)? {
            Delivery::Queue(_) if !self.dead_letters.is_configured() => {
                Err(InvocationError::NoDeadLetterQueue)
            }
            Delivery::Queue(messages) => {
                let results = self.process(&messages, stop_at).await;
                report.count(&results);
                self.tell_jobs(&messages, &results, stop_at).await;
                let failed = messages
                    .iter()
                    .zip(&results)
                    .map(|(message, result)| (&*message.id, result.is_err()));
                let ids = batch::failed_ids(failed).map_err(InvocationError::EmptyId)?;
                Ok(json!(batch_response(ids)))
            }
            Delivery::Direct(messages) => {
                let results = self.process(&messages, stop_at).await;
                report.count(&results);
                incomplete(&results)?;
                let Tally {
                    compressed,
                    skipped,
                    dead_lettered,
                    ..
                } = report.tally;
                Ok(
                    json!({"compressed": compressed, "skipped": skipped, "dead_lettered": dead_lettered}),
                )
            }
        }
    }

    /// What comes back is told when it does not any more.
    async fn tell_jobs(&self, messages: &[Message], results: &[Done], stop_at: Instant) {
        let Some(teller) = &self.jobs else {
            return;
        };
        let done = messages
            .iter()
            .zip(results)
            .filter_map(|(message, result)| {
                let tally = result.as_ref().ok()?;
                Some((message.body.as_str(), tally))
            });
        let sums = jobs::sums(done);
        teller.tell(sums, SystemTime::now(), stop_at).await;
    }

    async fn process(&self, messages: &[Message], stop_at: Instant) -> Vec<Done> {
        let work =
            |message| message::process(&self.compressor, &self.dead_letters, message, stop_at);
        let results = batch::process(
            messages.iter().collect(),
            self.config.batch_concurrency,
            work,
        )
        .await;
        for (message, result) in messages.iter().zip(&results) {
            if let Err(Failure::Panicked(panic)) = result {
                tracing::error!(
                    message_id = message.id,
                    error = panic,
                    retryable = true,
                    "record panicked"
                );
            }
        }
        results
    }
}

/// What became of one message.
type Done = Result<Tally, Failure<Unfinished>>;

/// What an invocation did, for its summary line and its metrics.
#[derive(Default)]
struct Report {
    messages: u64,
    failed: u64,
    tally: Tally,
}

impl Report {
    fn count(&mut self, results: &[Done]) {
        for result in results {
            self.messages += 1;
            match result {
                Ok(tally) => self.tally += *tally,
                Err(failure) => {
                    self.failed += 1;
                    if let Failure::Failed(unfinished) = failure {
                        self.tally += unfinished.done;
                    }
                }
            }
        }
    }

    fn write(&self, telemetry: &Telemetry, took: Duration) {
        let Tally {
            compressed,
            skipped,
            dead_lettered,
            input_bytes,
            output_bytes,
        } = self.tally;
        let (messages, failed) = (self.messages, self.failed);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            messages,
            compressed,
            skipped,
            dead_lettered,
            failed,
            input_bytes,
            output_bytes,
            duration_ms,
            "invocation"
        );
        telemetry.metrics(&[
            Metric::count("Compressed", compressed),
            Metric::count("Skipped", skipped),
            Metric::count("DeadLettered", dead_lettered),
            Metric::count("Failed", failed),
            Metric::bytes("InputBytes", input_bytes),
            Metric::bytes("OutputBytes", output_bytes),
        ]);
    }
}

/// From `now` to the point at which everything must be put down: the deadline less a tenth of what is left,
/// within the margins.
fn time_to_work(context: &Context, now: SystemTime) -> Duration {
    let remaining = Deadline::from_epoch_ms(context.deadline).remaining(now);
    remaining.saturating_sub((remaining / 10).clamp(MARGIN_MIN, MARGIN_MAX))
}

fn batch_response(ids: Vec<String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = ids
        .into_iter()
        .map(|id| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failure
        })
        .collect();
    response
}

fn incomplete(results: &[Done]) -> Result<(), InvocationError> {
    let mut errors = results.iter().filter_map(|result| result.as_ref().err());
    let Some(first) = errors.next() else {
        return Ok(());
    };
    let first = match first {
        Failure::Failed(Unfinished { error, .. }) => error_chain(error),
        panicked @ Failure::Panicked(_) => panicked.to_string(),
    };
    Err(InvocationError::Incomplete {
        failed: errors.count() + 1,
        total: results.len(),
        first,
    })
}
