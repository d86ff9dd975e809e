//! From an invocation to a sweep, and from its outcome to an answer.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use shared::deadline::Deadline;
use shared::telemetry::{Metric, Telemetry, error_chain};
use shared::walk::{Kernel, Sample};
use tracing::Span;

use crate::answer::{Answer, PlanAnswer, Status};
use crate::config::Config;
use crate::error::PurgeError;
use crate::job::{IN_PROGRESS, Invocation, Job, Kernels};
use crate::lease::{Held, Turn};
use crate::planned::{self, Planned};
use crate::request::Request;
use crate::task::{Step, Task};

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
        let now = SystemTime::now();
        let patience = Deadline::from_epoch_ms(context.deadline).patience(now);
        // A call that hangs keeps its thread, and nobody else.
        let purged = tokio::time::timeout(patience, self.purge(payload, context, now)).await;
        match purged.unwrap_or(Err(PurgeError::Hung)) {
            Ok(Done::Now(answer)) => {
                self.report(&answer);
                Ok(json!(answer))
            }
            Ok(Done::Before(answer)) => {
                tracing::info!(outcome = "duplicate", "invocation");
                Ok(answer)
            }
            Ok(Done::Planned(answer)) => {
                report_plan(&answer);
                Ok(json!(answer))
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
        let at = Invocation {
            began: Instant::now(),
            time: deadline.remaining(now),
            now,
            outer: self.config.bounds.root.clone(),
            audit: self.config.audit,
            progress_every: self.config.progress_every,
            request_id: context.request_id.clone(),
            kernel: Arc::clone(&self.kernel),
        };
        match Task::parse(payload, &self.config)? {
            Task::Sweep(request) => sweep(Job { at, request }, deadline).await,
            Task::Plan { request, workers } => plan(Job { at, request }, workers, deadline).await,
            Task::Step(place, step) => {
                let config = self.config.clone();
                let options = move |options| Ok(Request::parse(options, &config)?);
                let planned = blocking(move || Planned::open(&at, &place, options)).await?;
                do_step(planned, step, deadline).await
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
            Metric::count("FilesScanned", answer.fresh.files_scanned),
            Metric::count("FilesPurged", answer.fresh.files_purged),
            Metric::count("DirsPurged", answer.fresh.dirs_purged),
            Metric::count("PurgeErrors", answer.fresh.errors),
        ]);
    }
}

fn report_plan(answer: &PlanAnswer) {
    if let Some(reason) = &answer.reason {
        tracing::warn!(reason, "refused");
    }
    tracing::info!(
        outcome = answer.status,
        plan = answer.plan,
        dry_run = answer.dry_run,
        units = answer.units,
        ranges = answer.ranges.len(),
        "invocation"
    );
}

/// What an invocation came to.
enum Done {
    /// A sweep or a part of one, or its refusal.
    Now(Box<Answer>),
    /// The answer of what this one repeats.
    Before(Value),
    /// A plan, or its refusal.
    Planned(PlanAnswer),
}

impl Done {
    fn now(answer: Answer) -> Self {
        Self::Now(Box::new(answer))
    }
}

/// What an answer says that is an earlier one's.
const DONE_BEFORE: &str = "this schedule's sweep was done before; this is its answer";

/// What is said of a step that somebody is at.
const STEP_IN_PROGRESS: &str = "another invocation is at this step of the plan";

/// What a plan's answer says then: whoever made it first goes by it.
const PLANNED_BEFORE: &str = "this schedule's plan was made before";

async fn sweep(job: Job, deadline: Deadline) -> Result<Done, PurgeError> {
    let (now, job) = (job.at.now, Arc::new(job));
    let opening = Arc::clone(&job);
    let (root, leases) = blocking(move || opening.open()).await?;
    let running = Arc::clone(&job);
    let Some(leases) = leases else {
        return blocking(move || running.run(&root)).await.map(Done::now);
    };
    match leases.take(&job.asked(&root), deadline, now).await? {
        Turn::InProgress => Ok(Done::now(job.in_progress(&root))),
        Turn::DoneBefore(mut answer) => {
            answer["reason"] = json!(DONE_BEFORE);
            Ok(Done::Before(answer))
        }
        Turn::Sweep(held) => {
            let swept = blocking(move || {
                if running.is_shared(&root)? {
                    return Ok(running.in_progress(&root));
                }
                running.run(&root)
            });
            let swept = swept.await;
            match &swept {
                Ok(answer) if answer.reason.as_deref() == Some(IN_PROGRESS) => {
                    end(*held, Status::Incomplete, Value::Null).await;
                }
                Ok(answer) => end(*held, answer.status, json!(answer)).await,
                Err(_) => end(*held, Status::Incomplete, Value::Null).await,
            }
            swept.map(Done::now)
        }
    }
}

async fn plan(job: Job, workers: usize, deadline: Deadline) -> Result<Done, PurgeError> {
    let (now, job) = (job.at.now, Arc::new(job));
    let opening = Arc::clone(&job);
    let (root, leases) = blocking(move || opening.open_to_plan()).await?;
    match leases
        .take(&job.asked_to_plan(&root), deadline, now)
        .await?
    {
        Turn::InProgress => Err(PurgeError::InProgress(IN_PROGRESS)),
        // The same execution, which did not get its answer.
        Turn::DoneBefore(answer) if job.request.is_asked_by(&answer["execution"]) => {
            Ok(Done::Before(answer))
        }
        Turn::DoneBefore(_) => Ok(Done::Planned(PlanAnswer {
            reason: Some(PLANNED_BEFORE.to_owned()),
            ..planned::not_planned(&job, &root, workers)
        })),
        Turn::Sweep(held) => {
            let made = blocking(move || {
                if job.is_shared(&root)? {
                    return Err(PurgeError::InProgress(IN_PROGRESS));
                }
                planned::make(&job, &root, workers)
            });
            let made = made.await;
            match &made {
                Ok(answer) => end(*held, Status::Complete, json!(answer)).await,
                Err(_) => end(*held, Status::Incomplete, Value::Null).await,
            }
            made.map(Done::Planned)
        }
    }
}

async fn do_step(
    planned: Arc<Planned>,
    step: Step,
    deadline: Deadline,
) -> Result<Done, PurgeError> {
    let (now, key) = (planned.job.at.now, Planned::key(&step));
    let (asking, asked) = (Arc::clone(&planned), step.clone());
    let (done, leases) = blocking(move || Ok((asking.done(&asked)?, asking.leases()?))).await?;
    if let Some(answer) = done {
        return Ok(Done::Before(answer));
    }
    let Some(held) = leases.take_step(&key, deadline, now).await? else {
        return Err(PurgeError::InProgress(STEP_IN_PROGRESS));
    };
    // Whoever had it until now may have done it.
    let done = blocking(move || match planned.done(&step)? {
        Some(answer) => Ok(Done::Before(answer)),
        None => planned.run(&step).map(Done::now),
    });
    let done = done.await;
    let stalled = matches!(&done, Ok(Done::Now(answer)) if answer.status == Status::Stalled);
    if !stalled && let Err(error) = held.end(SystemTime::now()).await {
        tracing::warn!(error = error_chain(&error), "lease not ended");
    }
    done
}

/// Work on a thread that may block, as part of the invocation.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PurgeError> + Send + 'static,
) -> Result<T, PurgeError> {
    let span = Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work))
        .await
        .map_err(PurgeError::Lost)?
}

/// Frees the root, unless calls are still under way that nobody waits for: then it is free at the deadline. That it
/// could not be freed makes the sweep no less done.
async fn end(held: Held<'_>, status: Status, answer: Value) {
    let for_duplicates = match status {
        Status::Complete | Status::Refused => Some(answer),
        Status::Incomplete => None,
        Status::Stalled => return,
    };
    if let Err(error) = held.end(for_duplicates, SystemTime::now()).await {
        tracing::warn!(error = error_chain(&error), "lease not ended");
    }
}
