//! From an invocation to a walk, and from its outcome to an answer.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde::Serialize;
use serde_json::{Value, json};
use shared::deadline::{Deadline, epoch_ms};
use shared::telemetry::{Metric, Telemetry, error_chain};
use shared::walk::{
    End, Kernel, Options, Outcome, Root, Sample, Token, Totals, Walk, progress_lines, run,
};
use tracing::Span;

use crate::census::{Census, Entries};
use crate::config::Config;
use crate::error::CountError;
use crate::request::Request;

/// What a token must say to be gone on with.
const JOB: &str = "count";

/// Everything that lives as long as the process.
pub struct App {
    config: Config,
    telemetry: Telemetry,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// What was counted, as it was asked for.
    pub root: String,
    /// Counts, those of earlier runs included.
    #[serde(flatten)]
    pub entries: Entries,
    /// Whether everything below the root was seen.
    pub complete: bool,
    /// Directories and entries that could not be read.
    pub errors: u64,
    /// The first of them.
    pub error_samples: Vec<Sample>,
    /// Of this run.
    pub duration_seconds: f64,
    /// Of this run.
    pub files_per_second: f64,
    /// What goes on where this run has stopped; null when nothing is left to go on with.
    pub resume: Option<String>,
}

impl From<CountError> for Diagnostic {
    fn from(error: CountError) -> Self {
        Self {
            error_type: error.label().to_owned(),
            error_message: error_chain(&error),
        }
    }
}

impl App {
    /// One per process.
    #[must_use]
    pub const fn new(config: Config, telemetry: Telemetry) -> Self {
        Self { config, telemetry }
    }

    /// Handles one invocation.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, CountError> {
        let LambdaEvent { payload, context } = event;
        let invocation = self
            .telemetry
            .invocation(&context.request_id, context.xray_trace_id.as_deref());
        invocation.run(self.answer(payload, &context)).await
    }

    async fn answer(&self, payload: Value, context: &Context) -> Result<Value, CountError> {
        let now = SystemTime::now();
        let patience = Deadline::from_epoch_ms(context.deadline).patience(now);
        // A call that hangs keeps its thread, and nobody else.
        let counted = tokio::time::timeout(patience, self.count(payload, context, now)).await;
        let counted = counted.unwrap_or(Err(CountError::Hung));
        match &counted {
            Ok(answer) => self.report(answer),
            Err(error) => tracing::error!(error = error_chain(error), "invocation failed"),
        }
        counted.map(|answer| json!(answer))
    }

    async fn count(
        &self,
        payload: Value,
        context: &Context,
        now: SystemTime,
    ) -> Result<Answer, CountError> {
        let request = Request::parse(payload, &self.config)?;
        let options = Options {
            concurrency: request.concurrency,
            memory_limit_bytes: Some(self.config.function_memory_mb * 1024 * 1024 / 5 * 4),
            answer_within: Some(Deadline::from_epoch_ms(context.deadline).remaining(now)),
            ..Options::default()
        };
        let outer = self.config.root.clone();
        let span = Span::current();
        let every = self.config.progress_every;
        let work = move || span.in_scope(|| walk(&outer, &request, (options, every), now));
        tokio::task::spawn_blocking(work)
            .await
            .map_err(CountError::Lost)?
    }

    fn report(&self, answer: &Answer) {
        let Entries {
            files,
            directories,
            symlinks,
            special,
        } = answer.entries;
        let duration_ms = Duration::from_secs_f64(answer.duration_seconds).as_millis();
        let duration_ms = u64::try_from(duration_ms).unwrap_or(u64::MAX);
        for Sample { path, error } in &answer.error_samples {
            tracing::warn!(path, error, "not counted");
        }
        tracing::info!(
            files,
            directories,
            symlinks,
            special,
            complete = answer.complete,
            errors = answer.errors,
            duration_ms,
            "invocation"
        );
        self.telemetry.metrics(&[
            Metric::count("FilesCounted", files),
            Metric::count("CountErrors", answer.errors),
        ]);
    }
}

/// The whole of it, on a thread that may block.
fn walk(
    outer: &Path,
    request: &Request,
    (options, every): (Options, Duration),
    now: SystemTime,
) -> Result<Answer, CountError> {
    let kernel = Kernel::default();
    let root = Root::open(&kernel, outer)?.below(&kernel, &request.root)?;
    let resume = match &request.resume {
        Some(token) => Some(Token::get(&kernel, &root, token)?),
        None => None,
    };
    let before = resume
        .as_ref()
        .map_or(0, |token: &Token<Entries>| token.totals.tally.files);
    let walk = Walk {
        root: root.open_again()?,
        kernel: Kernel::default(),
        sweep: Arc::new(Census),
        job: JOB.to_owned(),
        began_at_ms: resume
            .as_ref()
            .map_or_else(|| epoch_ms(now), |token| token.began_at_ms),
        resume,
        options,
    };
    let outcome = run(walk, progress_lines(every, report_progress))?;
    if outcome.end == End::Stalled {
        tracing::warn!(
            "no call came back for too long; what was in flight is left for the next run"
        );
    }
    let resume = match &outcome.resume {
        Some(token) => Some(token.put(&kernel, &root, request.resume_bytes_max)?),
        None => None,
    };
    Ok(answer(&request.root, outcome, before, resume))
}

fn answer(
    root: &Path,
    outcome: Outcome<Entries>,
    files_before: u64,
    resume: Option<String>,
) -> Answer {
    let totals = outcome.snapshot.totals;
    let duration_seconds = outcome.snapshot.elapsed.as_secs_f64();
    let files = u32::try_from(totals.tally.files - files_before).unwrap_or(u32::MAX);
    Answer {
        root: root.to_string_lossy().into_owned(),
        entries: totals.tally,
        complete: outcome.end == End::Complete && totals.errors == 0,
        errors: totals.errors,
        error_samples: totals.samples,
        duration_seconds,
        files_per_second: f64::from(files) / duration_seconds.max(f64::EPSILON),
        resume,
    }
}

fn report_progress(totals: &Totals<Entries>) {
    let Entries {
        files, directories, ..
    } = totals.tally;
    tracing::info!(files, directories, errors = totals.errors, "progress");
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::walk::Snapshot;

    fn outcome(end: End, errors: u64) -> Outcome<Entries> {
        let tally = Entries {
            files: 10,
            ..Entries::default()
        };
        Outcome {
            end,
            snapshot: Snapshot {
                totals: Totals {
                    tally,
                    errors,
                    samples: Vec::new(),
                },
                elapsed: Duration::from_secs(2),
                concurrency_peak: 1,
                memory_backpressure_events: 0,
                peak_memory_bytes: 0,
            },
            resume: None,
        }
    }

    #[test]
    fn only_a_whole_walk_without_errors_is_complete() {
        assert!(answer(Path::new("/mnt"), outcome(End::Complete, 0), 0, None).complete);
        for (end, errors) in [(End::Complete, 1), (End::Incomplete, 0), (End::Stalled, 0)] {
            assert!(
                !answer(Path::new("/mnt"), outcome(end, errors), 0, None).complete,
                "{end:?} {errors}"
            );
        }
    }

    #[test]
    fn the_rate_is_that_of_this_run() {
        let answer = answer(Path::new("/mnt"), outcome(End::Complete, 0), 4, None);
        assert!((answer.files_per_second - 3.0).abs() < 1e-9);
        assert_eq!(answer.entries.files, 10);
    }
}
