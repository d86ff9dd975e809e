//! From an invocation to a sweep, and from its outcome to an answer.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use shared::deadline::Deadline;
use shared::telemetry::{Metric, Telemetry, error_chain};
use shared::walk::{
    End, Kernel, Options, Outcome, Progress, Root, Sample, Token, Walk, get_token, put_token, run,
};
use tracing::Span;

use crate::answer::{Answer, Status, Sweep};
use crate::budget::{Excess, Plan};
use crate::config::Config;
use crate::error::PurgeError;
use crate::place::is_system;
use crate::request::Request;
use crate::retention::Retention;
use crate::sweep::{Mode, Purge};
use crate::tally::Counts;

/// Between two lines about how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(30);

/// Makes a kernel for each pass.
type Kernels = Arc<dyn Fn() -> Kernel + Send + Sync>;

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
        let purged = self.purge(payload, context, SystemTime::now()).await;
        match &purged {
            Ok(answer) => self.report(answer),
            Err(error) => tracing::error!(error = error_chain(error), "invocation failed"),
        }
        purged.map(|answer| json!(answer))
    }

    async fn purge(
        &self,
        payload: Value,
        context: &Context,
        now: SystemTime,
    ) -> Result<Answer, PurgeError> {
        let request = Request::parse(payload, &self.config)?;
        let job = Job {
            began: Instant::now(),
            time: Deadline::from_epoch_ms(context.deadline).remaining(now),
            now,
            outer: self.config.bounds.root.clone(),
            kernel: Arc::clone(&self.kernel),
            request,
        };
        let span = Span::current();
        let work = move || span.in_scope(|| job.run());
        tokio::task::spawn_blocking(work)
            .await
            .map_err(PurgeError::Lost)?
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

/// One invocation's work, on a thread that may block.
struct Job {
    began: Instant,
    time: Duration,
    now: SystemTime,
    outer: std::path::PathBuf,
    kernel: Kernels,
    request: Request,
}

/// Which of the two passes of a sweep with a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// Counts what is due; removes nothing.
    Count,
    /// Does what was asked for.
    Sweep,
}

impl Job {
    fn run(&self) -> Result<Answer, PurgeError> {
        let kernel = (self.kernel)();
        let root = self.open(&kernel)?;
        let mut resume: Option<Token<Counts>> = match &self.request.resume {
            Some(token) => Some(Token::decode(&get_token(&kernel, &root, token)?)?),
            None => None,
        };
        let ends = Ends {
            job: self,
            kernel: &kernel,
            root: &root,
            files_scanned_before: resume
                .as_ref()
                .map_or(0, |token| token.totals.tally.files_scanned),
            began_at_ms: resume
                .as_ref()
                .map_or_else(|| epoch_ms(self.now), |token| token.began_at_ms),
        };
        let removes = self.request.mode == Mode::Remove;
        let is_counted = resume
            .as_ref()
            .is_some_and(|token| token.job == self.name(Pass::Sweep));
        if removes && self.request.budget.is_limited() && !is_counted {
            let counted = self.walk(&root, Pass::Count, ends.began_at_ms, resume.take())?;
            let excess = self.check(&counted).err();
            if counted.end != End::Complete || excess.is_some() {
                return ends.answer(counted, Pass::Count, excess);
            }
        }
        let swept = self.walk(&root, Pass::Sweep, ends.began_at_ms, resume)?;
        let excess = self.check(&swept).err().filter(|_| !removes);
        ends.answer(swept, Pass::Sweep, excess)
    }

    fn open(&self, kernel: &Kernel) -> Result<Root, PurgeError> {
        let root = Root::open(kernel, &self.outer)?.below(kernel, &self.request.root)?;
        let resolved = root.resolved()?;
        if is_system(&resolved) {
            return Err(PurgeError::SystemRoot {
                path: self.request.root.clone(),
                resolved,
            });
        }
        Ok(root)
    }

    /// What a token of this pass says: only the same sweep of the same options goes on with it.
    fn name(&self, pass: Pass) -> String {
        let pass = match pass {
            Pass::Count => "count",
            Pass::Sweep => "sweep",
        };
        format!("purge/{pass}/{}", self.request.options_hash)
    }

    fn retention(&self, began_at_ms: u64) -> Retention {
        Retention::new(self.request.age_by, self.request.max_age_days, began_at_ms)
    }

    fn walk(
        &self,
        root: &Root,
        pass: Pass,
        began_at_ms: u64,
        resume: Option<Token<Counts>>,
    ) -> Result<Outcome<Counts>, PurgeError> {
        let request = &self.request;
        let gone = resume
            .as_ref()
            .map_or(0, |token| token.totals.tally.dirs_to_purge);
        let sweep = Purge::new(
            self.retention(began_at_ms),
            request.patterns.clone(),
            match pass {
                Pass::Count => Mode::DryRun,
                Pass::Sweep => request.mode,
            },
            request.empty_dirs_max.map(|max| max.saturating_sub(gone)),
        );
        let walk = Walk {
            root: root.open_again()?,
            kernel: (self.kernel)(),
            sweep: Arc::new(sweep),
            job: self.name(pass),
            began_at_ms,
            resume,
            options: Options {
                concurrency: request.concurrency,
                memory_limit_bytes: Some(request.memory_limit_mb * 1024 * 1024),
                answer_within: Some(self.time.saturating_sub(self.began.elapsed())),
                ..Options::default()
            },
        };
        Ok(run(walk, progress_lines())?)
    }

    /// Whether what was found is too much; not known before all was seen.
    fn check(&self, counted: &Outcome<Counts>) -> Result<(), Excess> {
        if counted.end != End::Complete {
            return Ok(());
        }
        let totals = &counted.snapshot.totals;
        self.request.budget.check(Plan {
            files_scanned: totals.tally.files_scanned,
            files_to_purge: totals.tally.files_to_purge,
            errors: totals.errors,
        })
    }
}

/// What every end of a job needs.
struct Ends<'a> {
    job: &'a Job,
    kernel: &'a Kernel,
    root: &'a Root,
    files_scanned_before: u64,
    began_at_ms: u64,
}

impl Ends<'_> {
    fn answer(
        &self,
        outcome: Outcome<Counts>,
        pass: Pass,
        excess: Option<Excess>,
    ) -> Result<Answer, PurgeError> {
        let status = match (outcome.end, &excess) {
            (_, Some(_)) => Status::Refused,
            (End::Complete, None) => Status::Complete,
            (End::Incomplete, None) => Status::Incomplete,
            (End::Stalled, None) => Status::Stalled,
        };
        let resume = match outcome.resume {
            Some(token) => Some(put_token(self.kernel, self.root, token.encode()?)?),
            None => None,
        };
        let mode = self.job.request.mode;
        let sweep = Sweep {
            root: self.root.path(),
            mode,
            only_counted: mode == Mode::Remove && pass == Pass::Count,
            cutoff: self.job.retention(self.began_at_ms).cutoff,
            snapshot: outcome.snapshot,
            files_scanned_before: self.files_scanned_before,
            duration: self.job.began.elapsed(),
        };
        let mut answer = Answer::new(status, sweep);
        answer.reason = excess.map(|excess| excess.to_string());
        answer.resume = resume;
        Ok(answer)
    }
}

fn epoch_ms(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn progress_lines() -> impl FnMut(&Progress<'_, Purge>) {
    let mut next = PROGRESS_EVERY;
    move |progress| {
        if progress.elapsed() >= next {
            next += PROGRESS_EVERY;
            let totals = progress.snapshot().totals;
            let counts = totals.tally;
            tracing::info!(
                files_scanned = counts.files_scanned,
                files_purged = counts.files_purged,
                files_to_purge = counts.files_to_purge,
                dirs_scanned = counts.dirs_scanned,
                dirs_purged = counts.dirs_purged,
                bytes_freed = counts.bytes_freed,
                errors = totals.errors,
                "progress"
            );
        }
    }
}
