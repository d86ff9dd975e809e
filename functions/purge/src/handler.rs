//! From an invocation to a sweep, and from its outcome to an answer.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use shared::deadline::Deadline;
use shared::telemetry::{Metric, Telemetry, error_chain};
use shared::walk::{Kernel, Sample};
use tracing::Span;

use crate::answer::{Answer, Status};
use crate::config::Config;
use crate::error::PurgeError;
use crate::job::{Job, Kernels};
use crate::lease::{Held, Turn};
use crate::request::Request;

/// Everything that lives as long as the process.
pub struct App {
    config: Config,
    telemetry: Telemetry,
    kernel: Kernels,
}

impl From<PurgeError> for Diagnostic {
    fn from(error: PurgeError) -> Self {
        Self {
            error_type: error.label().to_owned(),
            error_message: error_chain(&error),
        }
    }
}

impl App {
    /// One per process.
    #[must_use]
    pub fn new(config: Config, telemetry: Telemetry) -> Self {
        Self::on(config, telemetry, Kernel::default)
    }

    /// The same on kernels that a test disturbs; each pass has its own.
    #[must_use]
    pub fn on(
        config: Config,
        telemetry: Telemetry,
        kernel: impl Fn() -> Kernel + Send + Sync + 'static,
    ) -> Self {
        Self {
            config,
            telemetry,
            kernel: Arc::new(kernel),
        }
    }

    /// Handles one invocation.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, PurgeError> {
        let LambdaEvent { payload, context } = event;
        let invocation = self
            .telemetry
            .invocation(&context.request_id, context.xray_trace_id.as_deref());
        invocation.run(self.answer(payload, &context)).await
    }

    async fn answer(&self, payload: Value, context: &Context) -> Result<Value, PurgeError> {
        match self.purge(payload, context, SystemTime::now()).await {
            Ok(Done::Now(answer)) => {
                self.report(&answer);
                Ok(json!(answer))
            }
            Ok(Done::Before(answer)) => {
                tracing::info!(outcome = "duplicate", "invocation");
                Ok(answer)
            }
            Err(error) => {
                tracing::error!(error = error_chain(&error), "invocation failed");
                Err(error)
            }
        }
    }

    async fn purge(
        &self,
        payload: Value,
        context: &Context,
        now: SystemTime,
    ) -> Result<Done, PurgeError> {
        let deadline = Deadline::from_epoch_ms(context.deadline);
        let job = Arc::new(Job {
            began: Instant::now(),
            time: deadline.remaining(now),
            now,
            outer: self.config.bounds.root.clone(),
            audit: self.config.audit,
            request_id: context.request_id.clone(),
            kernel: Arc::clone(&self.kernel),
            request: Request::parse(payload, &self.config)?,
        });
        let (root, leases) = blocking(&job, Job::open).await?;
        let Some(leases) = leases else {
            return Ok(Done::now(blocking(&job, move |job| job.run(&root)).await?));
        };
        match leases.take(&job.asked(&root), deadline, now).await? {
            Turn::InProgress => Ok(Done::now(job.in_progress(&root))),
            Turn::DoneBefore(mut answer) => {
                answer["reason"] = json!(DONE_BEFORE);
                Ok(Done::Before(answer))
            }
            Turn::Sweep(held) => {
                let swept = blocking(&job, move |job| job.run(&root)).await;
                end(*held, &swept).await;
                swept.map(Done::now)
            }
        }
    }

    fn report(&self, answer: &Answer) {
        for Sample { path, error } in &answer.error_samples {
            tracing::warn!(path, error, "not purged");
        }
        if let Some(reason) = &answer.reason {
            tracing::warn!(reason, "refused");
        }
        let duration_ms = Duration::from_secs_f64(answer.duration_seconds).as_millis();
        tracing::info!(
            outcome = answer.status.label(),
            dry_run = answer.dry_run,
            files_scanned = answer.files_scanned,
            files_purged = answer.files_purged,
            files_to_purge = answer.files_to_purge,
            dirs_scanned = answer.dirs_scanned,
            dirs_purged = answer.dirs_purged,
            bytes_freed = answer.bytes_freed,
            errors = answer.errors,
            duration_ms = u64::try_from(duration_ms).unwrap_or(u64::MAX),
            "invocation"
        );
        self.telemetry.metrics(&[
            Metric::count("FilesScanned", answer.files_scanned),
            Metric::count("FilesPurged", answer.files_purged),
            Metric::count("DirsPurged", answer.dirs_purged),
            Metric::count("PurgeErrors", answer.errors),
        ]);
    }
}

/// What an invocation came to.
enum Done {
    /// A sweep, or its refusal.
    Now(Box<Answer>),
    /// The answer of the sweep that this one repeats.
    Before(Value),
}

impl Done {
    fn now(answer: Answer) -> Self {
        Self::Now(Box::new(answer))
    }
}

/// What an answer says that is an earlier one's.
const DONE_BEFORE: &str = "this schedule's sweep was done before; this is its answer";

/// Work on a thread that may block, as part of the invocation.
async fn blocking<T: Send + 'static>(
    job: &Arc<Job>,
    work: impl FnOnce(&Job) -> Result<T, PurgeError> + Send + 'static,
) -> Result<T, PurgeError> {
    let (job, span) = (Arc::clone(job), Span::current());
    tokio::task::spawn_blocking(move || span.in_scope(|| work(&job)))
        .await
        .map_err(PurgeError::Lost)?
}

/// Frees the root, unless calls are still under way that nobody waits for: then it is free at the deadline. That it
/// could not be freed makes the sweep no less done.
async fn end(held: Held<'_>, swept: &Result<Answer, PurgeError>) {
    let for_duplicates = match swept {
        Ok(answer) => match answer.status {
            Status::Complete | Status::Refused => Some(json!(answer)),
            Status::Incomplete => None,
            Status::Stalled => return,
        },
        Err(_) => None,
    };
    if let Err(error) = held.end(for_duplicates, SystemTime::now()).await {
        tracing::warn!(error = error_chain(&error), "lease not ended");
    }
}
