//! One sweep from its root to its answer: counts first where there is a budget.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use shared::walk::{
    End, Kernel, Options, Outcome, Progress, Root, Snapshot, Token, Walk, get_token, put_token, run,
};

use crate::answer::{Answer, Status, Sweep};
use crate::audit::Audit;
use crate::budget::{Excess, Plan};
use crate::error::PurgeError;
use crate::lease::{Asked, Leases};
use crate::place::is_system;
use crate::request::Request;
use crate::retention::Retention;
use crate::sweep::{Mode, Purge};
use crate::tally::Counts;

/// Between two lines about how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(30);

/// What an answer says that is no sweep's.
const IN_PROGRESS: &str = "another sweep of this root is in progress";

/// Makes a kernel for each pass.
pub(crate) type Kernels = Arc<dyn Fn() -> Kernel + Send + Sync>;

/// One invocation's work, on a thread that may block.
pub(crate) struct Job {
    pub(crate) began: Instant,
    pub(crate) time: Duration,
    pub(crate) now: SystemTime,
    pub(crate) outer: PathBuf,
    pub(crate) audit: bool,
    pub(crate) request_id: String,
    pub(crate) kernel: Kernels,
    pub(crate) request: Request,
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
    pub(crate) fn run(&self, root: &Root) -> Result<Answer, PurgeError> {
        let kernel = (self.kernel)();
        let mut resume: Option<Token<Counts>> = match &self.request.resume {
            Some(token) => Some(Token::decode(&get_token(&kernel, root, token)?)?),
            None => None,
        };
        let ends = Ends {
            job: self,
            kernel: &kernel,
            root,
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
            let counted = self.walk(root, Pass::Count, ends.began_at_ms, resume.take())?;
            let excess = self.check(&counted).err();
            if counted.end != End::Complete || excess.is_some() {
                return ends.answer(counted, Pass::Count, excess);
            }
        }
        let swept = self.walk(root, Pass::Sweep, ends.began_at_ms, resume)?;
        let excess = self.check(&swept).err().filter(|_| !removes);
        ends.answer(swept, Pass::Sweep, excess)
    }

    /// The root, and who else is at it. A dry run is in nobody's way, and leaves nothing behind.
    pub(crate) fn open(&self) -> Result<(Root, Option<Leases>), PurgeError> {
        let kernel = (self.kernel)();
        let root = Root::open(&kernel, &self.outer)?.below(&kernel, &self.request.root)?;
        let resolved = root.resolved()?;
        if is_system(&resolved) {
            return Err(PurgeError::SystemRoot {
                path: self.request.root.clone(),
                resolved,
            });
        }
        let leases = match self.request.mode {
            Mode::DryRun => None,
            Mode::Remove => Some(Leases::open(&kernel, &root)?),
        };
        Ok((root, leases))
    }

    /// Going on is no repetition of what it goes on with.
    pub(crate) fn asked(&self, root: &Root) -> Asked {
        let Request {
            resume,
            scheduled_at,
            options_hash,
            ..
        } = &self.request;
        let schedule = scheduled_at.clone().filter(|_| resume.is_none());
        Asked {
            root_inode: root.inode(),
            schedule: schedule.map(|time| (time, options_hash.clone())),
        }
    }

    pub(crate) fn in_progress(&self, root: &Root) -> Answer {
        let sweep = Sweep {
            root: root.path(),
            mode: self.request.mode,
            only_counted: true,
            cutoff: self.retention(epoch_ms(self.now)).cutoff,
            snapshot: Snapshot::default(),
            files_scanned_before: 0,
            duration: self.began.elapsed(),
        };
        Answer {
            reason: Some(IN_PROGRESS.to_owned()),
            resume: self.request.resume.clone(),
            ..Answer::new(Status::Refused, sweep)
        }
    }

    /// Where the removals of a pass are written down.
    fn audit(
        &self,
        root: &Root,
        mode: Mode,
        retention: Retention,
    ) -> Result<Option<Audit>, PurgeError> {
        if !self.audit || mode == Mode::DryRun {
            return Ok(None);
        }
        let name = format!("{}-{}", epoch_ms(self.now), self.request_id);
        let sweep = json!({
            "event": "sweep",
            "root": root.path().to_string_lossy(),
            "cutoff": retention.cutoff.seconds,
            "request_id": self.request_id,
        });
        Ok(Some(Audit::begin(&(self.kernel)(), root, &name, &sweep)?))
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
        let linked = resume
            .as_ref()
            .map(|token| token.totals.tally.linked.clone())
            .unwrap_or_default();
        let mode = match pass {
            Pass::Count => Mode::DryRun,
            Pass::Sweep => request.mode,
        };
        let retention = self.retention(began_at_ms);
        let empty_dirs_max = request.empty_dirs_max.map(|max| max.saturating_sub(gone));
        let sweep = Purge::new(retention, request.patterns.clone(), mode, empty_dirs_max)
            .audited(self.audit(root, mode, retention)?)
            .after(linked);
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
