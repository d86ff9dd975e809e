//! One sweep that many invocations share: the plan they go by, its ranges, and what comes of them.
//!
//! All of it is kept in files below `.sluice/plans/`, so that what invocations tell each other stays small. A step that
//! is done says again what it said; a step that was begun is begun again from the last token that was handed out.

use std::ffi::{CStr, CString};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::walk::{
    End, Kernel, Outcome, OwnFolder, PlanLimits, Removable, Root, Snapshot, TOKEN_BYTES_MAX, Token,
    TokenError, Totals, checksum, plan, seal, unseal,
};

use crate::answer::{Answer, PlanAnswer, Status, rfc3339};
use crate::error::PurgeError;
use crate::finish::Finish;
use crate::job::{Ended, Invocation, Job};
use crate::lease::Leases;
use crate::plan_file::{
    Checked, Pass, PlanFile, RANGES_PER_WORKER, RangeDone, UnitRange, names, ranges,
};
use crate::request::Request;
use crate::sweep::Mode;
use crate::tally::Counts;
use crate::task::{PlanAt, Step};

/// Time after which a plan is as good as it gets.
const PLAN_TIME: Duration = Duration::from_mins(1);

/// Least time before the deadline at which a plan must be there.
const PLAN_MARGIN: Duration = Duration::from_secs(10);

/// Longest time between two touches of a plan that is under way. Source: Lambda developer guide, "Quotas": 15 minutes for
/// an invocation; and the half hour for which the state machine tries again when functions are throttled.
const UNTOUCHED_MAX: Duration = Duration::from_mins(45);

/// Entries above which a directory is shared: at 5 ms a removal, some 100 seconds of one worker.
const ENTRIES_MAX: u64 = 20_000;

/// Below `.sluice/`.
pub(crate) const FOLDER: &CStr = c"plans";

/// Cuts the tree of a job, and keeps the plan.
pub(crate) fn make(job: &Job, root: &Root, workers: usize) -> Result<PlanAnswer, PurgeError> {
    let kernel = (job.at.kernel)();
    job.forget(&kernel, root);
    let began_at_ms = job.at.now_ms();
    let limits = PlanLimits {
        units_min: RANGES_PER_WORKER * workers,
        entries_max: ENTRIES_MAX,
        time: PLAN_TIME.min(
            job.at
                .time
                .saturating_sub(job.at.began.elapsed() + PLAN_MARGIN),
        ),
    };
    let retention = job.retention(began_at_ms);
    let removable = |path: &[u8], own: &_| {
        let patterns = &job.request.patterns;
        (patterns.is_empty() || patterns.select(path)) && retention.is_due(own)
    };
    let removes_dirs = job.request.empty_dirs_max.is_some();
    let removable = removes_dirs.then_some(&removable as &Removable<'_>);
    let plan = plan(root, &kernel, limits, removable);
    let file = PlanFile {
        options: job.request.all_options(),
        options_hash: job.request.options_hash.clone(),
        root_inode: root.inode(),
        began_at_ms,
        ranges: ranges(plan.units(), workers),
        plan,
    };
    let text = seal(&file)?;
    let name = format!("{began_at_ms}-{}", checksum(&text));
    let inner = c_name(&name)?;
    let folder = folder(&kernel, root)?.make_inner(&kernel, &inner);
    let folder = folder.map_err(|source| failed(&name, source))?;
    put_text(&folder, names::PLAN, &text)?;
    if job.request.mode == Mode::Remove {
        put_text(&folder, names::TOUCHED, "")?;
    }
    Ok(PlanAnswer {
        status: "planned",
        plan: name,
        counts_first: job.request.mode == Mode::Remove && job.request.budget.is_limited(),
        units: file.plan.units(),
        ranges: file.ranges,
        execution: job.request.execution.clone(),
        ..not_planned(job, root, workers)
    })
}

/// The answer without a plan.
pub(crate) fn not_planned(job: &Job, root: &Root, workers: usize) -> PlanAnswer {
    PlanAnswer {
        status: Status::Refused.label(),
        reason: None,
        plan: String::new(),
        root: root.path().to_string_lossy().into_owned(),
        dry_run: job.request.mode == Mode::DryRun,
        cutoff: rfc3339(job.retention(job.at.now_ms()).cutoff),
        workers,
        counts_first: false,
        units: 0,
        ranges: Vec::new(),
        execution: None,
        duration_seconds: job.at.began.elapsed().as_secs_f64(),
    }
}

/// A plan that was kept, and the job that it is about.
pub(crate) struct Planned {
    pub(crate) job: Job,
    pub(crate) root: Root,
    pub(crate) kernel: Kernel,
    pub(crate) folder: OwnFolder,
    pub(crate) name: String,
    pub(crate) file: PlanFile,
}

impl Planned {
    /// Reads the plan. `options` makes a request of what it says, as far as the settings still allow it.
    pub(crate) fn open(
        at: &Invocation,
        place: &PlanAt,
        options: impl Fn(Value) -> Result<Request, PurgeError>,
    ) -> Result<Arc<Self>, PurgeError> {
        let root = at.root(&place.root)?;
        let kernel = (at.kernel)();
        let name = place.name.clone();
        let folder = folder(&kernel, &root)?.inner(&kernel, &c_name(&name)?);
        let folder = folder.map_err(|source| failed(&name, source))?;
        let file: PlanFile = get(&folder, names::PLAN)?;
        let file = PlanFile {
            plan: file.plan.checked()?,
            ..file
        };
        let request = options(file.options.clone())?;
        if request.options_hash != file.options_hash {
            return Err(PurgeError::PlanOutdated { plan: name });
        }
        if file.root_inode != root.inode() {
            return Err(TokenError::Foreign("root").into());
        }
        let job = Job {
            at: at.clone(),
            request,
        };
        Ok(Arc::new(Self {
            job,
            root,
            kernel,
            folder,
            name,
            file,
        }))
    }

    /// Who is at which step.
    pub(crate) fn leases(&self) -> Result<Leases, PurgeError> {
        let folder = self.folder.make_inner(&self.kernel, c"leases");
        Ok(Leases::of(
            folder.map_err(|source| failed("leases", source))?,
        ))
    }

    /// What stands for a step among those who may do it at once.
    pub(crate) fn key(step: &Step) -> String {
        match step {
            Step::Range { range, pass, .. } => names::of(*pass, *range),
            Step::Check => names::CHECKED.to_owned(),
            Step::Finish { .. } => names::RESULT.to_owned(),
        }
    }

    /// What came of a step that was done before.
    pub(crate) fn done(&self, step: &Step) -> Result<Option<Value>, PurgeError> {
        match step {
            Step::Range {
                range,
                pass,
                resume,
            } => match self.range_done(*pass, *range)? {
                Some(done) => Ok(Some(done.answer)),
                None => self.find(&names::slice(*pass, *range, slice_of(resume.as_deref()))),
            },
            Step::Check => {
                let checked: Option<Checked> = self.find(names::CHECKED)?;
                Ok(checked.map(|checked| checked.answer))
            }
            Step::Finish { .. } => self.find(names::RESULT),
        }
    }

    pub(crate) fn run(&self, step: &Step) -> Result<Answer, PurgeError> {
        self.touch()?;
        let answer = self.do_step(step);
        // The next step may have to wait for its turn: what keeps others away counts from now.
        self.touch()?;
        answer
    }

    fn touch(&self) -> Result<(), PurgeError> {
        match self.job.request.mode {
            Mode::Remove => put_text(&self.folder, names::TOUCHED, ""),
            Mode::DryRun => Ok(()),
        }
    }

    fn do_step(&self, step: &Step) -> Result<Answer, PurgeError> {
        match step {
            Step::Range {
                range,
                pass,
                resume,
            } => self.range(*range, *pass, resume.as_deref()),
            Step::Check => self.check(),
            Step::Finish { resume } => Finish::new(self, resume.as_deref())?.run(),
        }
    }

    /// A token, and how often it was gone on with.
    pub(crate) fn get_resume(&self, resume: &str) -> Result<(u32, Token<Counts>), PurgeError> {
        let (count, token) = resume.split_once('.').ok_or(TokenError::Damaged("count"))?;
        let count = count.parse().map_err(|_| TokenError::Damaged("count"))?;
        Ok((count, Token::get(&self.kernel, &self.root, token)?))
    }

    /// See [`Planned::get_resume`].
    pub(crate) fn put_resume(
        &self,
        count: u32,
        token: &Token<Counts>,
    ) -> Result<String, PurgeError> {
        let token = token.put(&self.kernel, &self.root, TOKEN_BYTES_MAX)?;
        Ok(format!("{count}.{token}"))
    }

    fn check(&self) -> Result<Answer, PurgeError> {
        let totals = self.totals(Pass::Count)?;
        let excess = self.job.check_totals(&totals).err();
        let allowed = excess.is_none();
        let mut answer = self.answer_of(totals.clone(), totals, true);
        if let Some(excess) = excess {
            answer.status = Status::Refused;
            answer.reason = Some(excess.to_string());
            // Nothing comes after this.
            self.put(names::RESULT, &json!(answer))?;
        }
        let checked = Checked {
            answer: json!(answer),
            allowed,
        };
        self.put(names::CHECKED, &checked)?;
        Ok(answer)
    }

    /// Of all ranges; an error while one of them is not done.
    pub(crate) fn totals(&self, pass: Pass) -> Result<Totals<Counts>, PurgeError> {
        let mut totals = Totals::default();
        let mut missing = Vec::new();
        for range in &self.file.ranges {
            match self.range_done(pass, *range)? {
                Some(done) => totals += done.totals,
                None => missing.push(*range),
            }
        }
        let Some(first) = missing.first() else {
            return Ok(totals);
        };
        Err(PurgeError::PlanUnfinished {
            plan: self.name.clone(),
            missing: missing.len(),
            ranges: self.file.ranges.len(),
            from: first.from,
            to: first.to,
        })
    }

    /// An answer about all of the plan, since it was made.
    pub(crate) fn answer_of(
        &self,
        totals: Totals<Counts>,
        before: Totals<Counts>,
        only_counted: bool,
    ) -> Answer {
        let now_ms = self.job.at.now_ms();
        let since = Duration::from_millis(now_ms.saturating_sub(self.file.began_at_ms));
        let snapshot = Snapshot {
            totals,
            ..Snapshot::default()
        };
        let ended = Ended {
            outcome: Outcome {
                end: End::Complete,
                snapshot,
                resume: None,
            },
            began_at_ms: self.file.began_at_ms,
            only_counted,
            excess: None,
            before,
            duration: since + self.job.at.began.elapsed(),
            resume: None,
        };
        let mut answer = self.job.answer(&self.root, ended);
        answer.files_per_second = per_second(&answer);
        answer
    }

    pub(crate) fn range_done(
        &self,
        pass: Pass,
        range: UnitRange,
    ) -> Result<Option<RangeDone>, PurgeError> {
        self.find(&names::done(pass, range))
    }

    pub(crate) fn find<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, PurgeError> {
        match get(&self.folder, name) {
            Ok(content) => Ok(Some(content)),
            Err(PurgeError::PlanFile { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn put(&self, name: &str, content: &impl Serialize) -> Result<(), PurgeError> {
        put_text(&self.folder, name, &seal(content)?)
    }
}

/// How often a range was gone on with before this token.
fn slice_of(resume: Option<&str>) -> u32 {
    let count = resume.and_then(|token| token.split_once('.'));
    count.and_then(|(count, _)| count.parse().ok()).unwrap_or(0)
}

/// Of all that was scanned, whoever did it.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn per_second(answer: &Answer) -> f64 {
    if answer.duration_seconds > 0.0 {
        answer.files_scanned as f64 / answer.duration_seconds
    } else {
        0.0
    }
}

fn c_name(name: &str) -> Result<CString, PurgeError> {
    CString::new(name).map_err(|error| failed(name, error.into()))
}

/// Whether a sweep that removes something is under way below `root` by a plan: one that is not finished, and that was gone
/// by not long ago.
pub(crate) fn is_shared(kernel: &Kernel, root: &Root, now: SystemTime) -> io::Result<bool> {
    let Some(plans) = OwnFolder::find(kernel, root, FOLDER)? else {
        return Ok(false);
    };
    for entry in std::fs::read_dir(plans.path())? {
        let path = entry?.path();
        let touched = path.join(names::TOUCHED).symlink_metadata();
        let is_old = |at| now.duration_since(at).is_ok_and(|age| age > UNTOUCHED_MAX);
        let recent = touched
            .and_then(|file| file.modified())
            .is_ok_and(|at| !is_old(at));
        if recent && !path.join(names::RESULT).exists() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn folder(kernel: &Kernel, root: &Root) -> Result<OwnFolder, PurgeError> {
    OwnFolder::open(kernel, root, FOLDER).map_err(|source| failed("", source))
}

fn get<T: DeserializeOwned>(folder: &OwnFolder, name: &str) -> Result<T, PurgeError> {
    let text = folder.get(name).map_err(|source| failed(name, source))?;
    Ok(unseal(&text)?)
}

fn put_text(folder: &OwnFolder, name: &str, text: &str) -> Result<(), PurgeError> {
    let put = folder.put(name, text.as_bytes());
    put.map_err(|source| failed(name, source))
}

pub(crate) fn failed(name: &str, source: io::Error) -> PurgeError {
    let name = name.to_owned();
    PurgeError::PlanFile { name, source }
}
