//! One sweep from its root to its answer: counts first where there is a budget.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use shared::deadline::epoch_ms;
use shared::telemetry::error_chain;
use shared::walk::{
    End, Kernel, Options, Outcome, OwnFolder, Root, Snapshot, TOKEN_BYTES_MAX, TOKENS, Token,
    Totals, Walk, progress_lines, run,
};

use crate::answer::{Answer, Status, Sweep};
use crate::audit::Audit;
use crate::budget::{Excess, Found};
use crate::empty_dirs::EmptyDirs;
use crate::error::PurgeError;
use crate::lease::{self, Asked, Leases};
use crate::place::is_system;
use crate::plan_file::Pass;
use crate::planned;
use crate::request::Request;
use crate::retention::Retention;
use crate::sweep::{Mode, Purge};
use crate::tally::Counts;

/// How long tokens, plans and schedules' answers are kept: longer than any sweep takes.
const KEPT: Duration = Duration::from_hours(28 * 24);

/// What an answer says that is no sweep's.
pub(crate) const IN_PROGRESS: &str = "another sweep of this root is in progress";

/// Makes a kernel for each pass.
pub(crate) type Kernels = Arc<dyn Fn() -> Kernel + Send + Sync>;

/// What every invocation has.
#[derive(Clone)]
pub(crate) struct Invocation {
    pub(crate) began: Instant,
    pub(crate) time: Duration,
    pub(crate) now: SystemTime,
    pub(crate) outer: PathBuf,
    pub(crate) audit: bool,
    pub(crate) progress_every: Duration,
    pub(crate) request_id: String,
    pub(crate) kernel: Kernels,
}

/// One invocation's work, on a thread that may block.
pub(crate) struct Job {
    pub(crate) at: Invocation,
    pub(crate) request: Request,
}

/// A walk of a job.
pub(crate) struct Stage {
    /// What its token says: only the same walk with the same options goes on with it.
    pub(crate) name: String,
    /// Which of the invocation's walks that remove something, for the name of its audit file.
    pub(crate) part: usize,
    pub(crate) mode: Mode,
    pub(crate) empty_dirs: EmptyDirs,
    pub(crate) began_at_ms: u64,
    pub(crate) resume: Option<Token<Counts>>,
}

/// What an answer is about.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome<Counts>,
    pub(crate) began_at_ms: u64,
    pub(crate) only_counted: bool,
    pub(crate) excess: Option<Excess>,
    /// Of earlier invocations.
    pub(crate) before: Totals<Counts>,
    pub(crate) duration: Duration,
    pub(crate) resume: Option<String>,
}

impl Invocation {
    pub(crate) fn root(&self, path: &Path) -> Result<Root, PurgeError> {
        let kernel = (self.kernel)();
        let root = Root::open(&kernel, &self.outer)?.below(&kernel, path)?;
        let resolved = root.resolved()?;
        if is_system(&resolved) {
            return Err(PurgeError::SystemRoot {
                path: path.to_owned(),
                resolved,
            });
        }
        Ok(root)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        epoch_ms(self.now)
    }
}

impl Job {
    pub(crate) fn run(&self, root: &Root) -> Result<Answer, PurgeError> {
        let kernel = (self.at.kernel)();
        let mut resume: Option<Token<Counts>> = match &self.request.resume {
            Some(token) => Some(Token::get(&kernel, root, token)?),
            None => None,
        };
        let totals = |token: &Token<Counts>| token.totals.clone();
        let before = resume.as_ref().map(totals).unwrap_or_default();
        let began_at_ms = resume
            .as_ref()
            .map_or_else(|| self.at.now_ms(), |token| token.began_at_ms);
        let end = |outcome: Outcome<Counts>, only_counted, excess| {
            let resume = match &outcome.resume {
                Some(token) => Some(token.put(&kernel, root, TOKEN_BYTES_MAX)?),
                None => None,
            };
            let ended = Ended {
                outcome,
                began_at_ms,
                only_counted,
                excess,
                before,
                duration: self.at.began.elapsed(),
                resume,
            };
            Ok(self.answer(root, ended))
        };
        let removes = self.request.mode == Mode::Remove;
        if removes && self.request.resume.is_none() {
            self.forget(&kernel, root);
        }
        let is_counted = resume
            .as_ref()
            .is_some_and(|token| token.job == self.name(Pass::Sweep.label()));
        if removes && self.request.budget.is_limited() && !is_counted {
            let counted = self.pass(root, Pass::Count, began_at_ms, resume.take())?;
            let excess = self.check(&counted).err();
            if counted.end != End::Complete || excess.is_some() {
                return end(counted, true, excess);
            }
        }
        let swept = self.pass(root, Pass::Sweep, began_at_ms, resume)?;
        let excess = self.check(&swept).err().filter(|_| !removes);
        end(swept, false, excess)
    }

    /// The root, and who else is at it. A dry run is in nobody's way, and leaves nothing behind.
    pub(crate) fn open(&self) -> Result<(Root, Option<Leases>), PurgeError> {
        let root = self.at.root(&self.request.root)?;
        if self.request.mode == Mode::DryRun {
            return Ok((root, None));
        }
        let leases = Leases::open(&(self.at.kernel)(), &root)?;
        Ok((root, Some(leases)))
    }

    /// The same for a plan, which leaves something behind also when it is for a dry run.
    pub(crate) fn open_to_plan(&self) -> Result<(Root, Leases), PurgeError> {
        let root = self.at.root(&self.request.root)?;
        let leases = Leases::open(&(self.at.kernel)(), &root)?;
        Ok((root, leases))
    }

    /// See [`Job::asked`]. A plan for a dry run is in nobody's way.
    pub(crate) fn asked_to_plan(&self, root: &Root) -> Asked {
        let kind = match self.request.mode {
            Mode::Remove => "",
            Mode::DryRun => "/dry",
        };
        Asked {
            root: format!("{}{kind}", root.inode()),
            ..self.asked(root)
        }
    }

    /// Whether many are at this root already, in whose way this would be.
    pub(crate) fn is_shared(&self, root: &Root) -> Result<bool, PurgeError> {
        if self.request.mode == Mode::DryRun {
            return Ok(false);
        }
        let shared = planned::is_shared(&(self.at.kernel)(), root, self.at.now);
        shared.map_err(|source| planned::failed("", source))
    }

    /// What nobody will ask for again. That it could not be removed keeps nobody from sweeping.
    /// For whoever has the turn: nobody else takes the lease of a root that was not swept for so long.
    pub(crate) fn forget(&self, kernel: &Kernel, root: &Root) {
        let before = self.at.now.checked_sub(KEPT).unwrap_or(UNIX_EPOCH);
        for name in [lease::FOLDER, planned::FOLDER, TOKENS] {
            let folder = OwnFolder::find(kernel, root, name);
            let forgotten = folder.and_then(|folder| folder.map_or(Ok(0), |it| it.forget(before)));
            if let Err(error) = forgotten {
                tracing::warn!(error = error_chain(&error), "old files below .sluice stay");
            }
        }
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
            root: root.inode().to_string(),
            schedule: schedule.map(|time| (time, options_hash.clone())),
        }
    }

    /// Nothing was done, since someone else is at it.
    pub(crate) fn in_progress(&self, root: &Root) -> Answer {
        let ended = Ended {
            outcome: Outcome {
                end: End::Incomplete,
                snapshot: Snapshot::default(),
                resume: None,
            },
            began_at_ms: self.at.now_ms(),
            only_counted: true,
            excess: None,
            before: Totals::default(),
            duration: self.at.began.elapsed(),
            resume: self.request.resume.clone(),
        };
        Answer {
            status: Status::Refused,
            reason: Some(IN_PROGRESS.to_owned()),
            ..self.answer(root, ended)
        }
    }

    /// Where the removals of a walk are written down.
    fn audit(&self, root: &Root, part: usize, retention: Retention) -> Result<Audit, PurgeError> {
        let name = format!("{}-{}-{part}", self.at.now_ms(), self.at.request_id);
        let sweep = json!({
            "event": "sweep",
            "root": root.path().to_string_lossy(),
            "cutoff": retention.cutoff.seconds,
            "request_id": self.at.request_id,
        });
        Ok(Audit::begin(&(self.at.kernel)(), root, &name, &sweep)?)
    }

    pub(crate) fn name(&self, pass: &str) -> String {
        format!("purge/{pass}/{}", self.request.options_hash)
    }

    pub(crate) fn retention(&self, began_at_ms: u64) -> Retention {
        Retention::new(self.request.age_by, self.request.max_age_days, began_at_ms)
    }

    fn pass(
        &self,
        root: &Root,
        pass: Pass,
        began_at_ms: u64,
        resume: Option<Token<Counts>>,
    ) -> Result<Outcome<Counts>, PurgeError> {
        let gone = |token: &Token<Counts>| token.totals.tally.dirs_to_purge;
        let stage = Stage {
            name: self.name(pass.label()),
            part: 0,
            mode: self.mode(pass),
            empty_dirs: self.empty_dirs_after(resume.as_ref().map_or(0, gone)),
            began_at_ms,
            resume,
        };
        self.walk(root, stage)
    }

    /// Whether a pass removes anything.
    pub(crate) const fn mode(&self, pass: Pass) -> Mode {
        match pass {
            Pass::Count => Mode::DryRun,
            Pass::Sweep => self.request.mode,
        }
    }

    /// What the cap leaves when so many are gone.
    pub(crate) fn empty_dirs_after(&self, gone: u64) -> EmptyDirs {
        let max = self.request.empty_dirs_max;
        EmptyDirs::at_most(max.map(|max| max.saturating_sub(gone)))
    }

    pub(crate) fn walk(&self, root: &Root, stage: Stage) -> Result<Outcome<Counts>, PurgeError> {
        let Stage {
            name,
            part,
            mode,
            empty_dirs,
            began_at_ms,
            resume,
        } = stage;
        let request = &self.request;
        let linked = resume
            .as_ref()
            .map(|token| token.totals.tally.linked.clone())
            .unwrap_or_default();
        let retention = self.retention(began_at_ms);
        let audit = if self.at.audit && mode == Mode::Remove {
            Some(self.audit(root, part, retention)?)
        } else {
            None
        };
        let sweep = Purge::new(retention, request.patterns.clone(), mode, empty_dirs)
            .audited(audit)
            .after(linked);
        let walk = Walk {
            root: root.open_again()?,
            kernel: (self.at.kernel)(),
            sweep: Arc::new(sweep),
            job: name,
            began_at_ms,
            resume,
            options: Options {
                concurrency: request.concurrency,
                memory_limit_bytes: Some(request.memory_limit_mb * 1024 * 1024),
                answer_within: Some(self.at.time.saturating_sub(self.at.began.elapsed())),
                ..Options::default()
            },
        };
        Ok(run(
            walk,
            progress_lines(self.at.progress_every, report_progress),
        )?)
    }

    /// Whether what was found is too much; not known before all was seen.
    fn check(&self, counted: &Outcome<Counts>) -> Result<(), Excess> {
        match counted.end {
            End::Complete => self.check_totals(&counted.snapshot.totals),
            End::Incomplete | End::Stalled => Ok(()),
        }
    }

    pub(crate) fn check_totals(&self, totals: &Totals<Counts>) -> Result<(), Excess> {
        self.request.budget.check(Found {
            files_scanned: totals.tally.files_scanned,
            files_to_purge: totals.tally.files_to_purge,
            errors: totals.errors,
        })
    }

    pub(crate) fn answer(&self, root: &Root, ended: Ended) -> Answer {
        let status = match (ended.outcome.end, &ended.excess) {
            (_, Some(_)) => Status::Refused,
            (End::Complete, None) => Status::Complete,
            (End::Incomplete, None) => Status::Incomplete,
            (End::Stalled, None) => Status::Stalled,
        };
        let mode = self.request.mode;
        let sweep = Sweep {
            root: root.path(),
            mode,
            only_counted: mode == Mode::Remove && ended.only_counted,
            cutoff: self.retention(ended.began_at_ms).cutoff,
            snapshot: ended.outcome.snapshot,
            before: ended.before,
            duration: ended.duration,
        };
        let mut answer = Answer::new(status, sweep);
        answer.reason = ended.excess.map(|excess| excess.to_string());
        answer.resume = ended.resume;
        answer
    }
}

fn report_progress(totals: &Totals<Counts>) {
    let counts = &totals.tally;
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
