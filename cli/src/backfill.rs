//! `sluice backfill`: jobs are started, looked at, ended and verified.

mod abort;
mod attended;
mod begin;
mod find;
mod input;
mod pace;
mod watch;
mod words;

use serde_json::json;
use shared::job::{JobRecord, JobState};
use shared::telemetry::error_chain;
use time::OffsetDateTime;

use crate::args::backfill::{Action, Backfill, Start, Status, Verify};
use crate::aws::Aws;
use crate::error::{End, Error};
use crate::names::{JobId, Stack, last_part};
use crate::show::{Show, note};

use self::begin::{Begun, begin};
use self::find::{Backfills, Found, planning_words, still_planned};
use self::watch::{Watch, unless_interrupted};

/// Does what was asked.
pub(crate) async fn run(args: Backfill, stack: &Stack, show: Show) -> Result<End, Error> {
    let aws = Aws::load().await?;
    let backfills = Backfills::new(&aws, stack);
    let done = match args.action {
        Action::Start(args) => start(&backfills, show, &args).await,
        Action::Status(args) => status(&backfills, show, &args).await,
        Action::Abort(args) => abort::run(&backfills, show, &args.job).await,
        Action::Verify(args) => verify(&backfills, show, &args).await,
    };
    done.map_err(|error| aws.in_stack(stack, error))
}

async fn start(backfills: &Backfills<'_>, show: Show, args: &Start) -> Result<End, Error> {
    let job = match &args.job_id {
        Some(job) => job.clone(),
        None => JobId::new(OffsetDateTime::now_utc(), random()),
    };
    let begun = begin(backfills, &job, args).await?;
    let work = async {
        if args.watching.watch {
            started(show, &job, &begun, args, true)?;
            let watch = Watch::new(backfills, show, args.watching);
            let ended = watch.execution(&job, &begun).await?;
            let record = watch.result(ended, &begun.execution)?;
            return result(show, &record);
        }
        let is_planned = match begun.is_planned(backfills, &job).await {
            Err(error @ Error::Service { .. }) => {
                // It is started, whatever is seen of it.
                note(&format!(
                    "what becomes of it cannot be seen: {}",
                    error_chain(&error)
                ));
                false
            }
            is_planned => is_planned?,
        };
        started(show, &job, &begun, args, is_planned)?;
        Ok(End::Done)
    };
    unless_interrupted(work, || goes_on(&job)).await
}

/// Says that a job has begun, or that it will.
fn started(
    show: Show,
    job: &JobId,
    begun: &Begun,
    args: &Start,
    is_planned: bool,
) -> Result<(), Error> {
    let status = if is_planned { "started" } else { "planning" };
    let document = json!({"job_id": job.as_str(), "execution": begun.execution, "status": status});
    show.document(&document, || {
        let how = match (is_planned, args.resume) {
            (false, _) => "is still being planned",
            (true, true) => "goes on",
            (true, false) => "is started",
        };
        let next = format!("\nsluice backfill status {job} --watch");
        let next = if args.watching.watch { "" } else { &next };
        format!("job {job} {how}{next}")
    })
}

fn goes_on(job: &JobId) -> String {
    format!("the job goes on; sluice backfill abort {job} ends it")
}

async fn status(backfills: &Backfills<'_>, show: Show, args: &Status) -> Result<End, Error> {
    let job = &args.job;
    if args.watching.watch {
        let work = async {
            let watch = Watch::new(backfills, show, args.watching);
            let record = watch.record(job).await?;
            result(show, &record)
        };
        return unless_interrupted(work, || goes_on(job)).await;
    }
    match backfills.find(job).await? {
        Found::Record(record) => show.document(&record, || {
            words::record(&record, OffsetDateTime::now_utc())
        })?,
        Found::Planned(execution) => {
            let document =
                json!({"job_id": job.as_str(), "state": "planning", "execution": execution});
            show.document(&document, || planning_words(job, &execution))?;
        }
    }
    Ok(End::Done)
}

async fn verify(backfills: &Backfills<'_>, show: Show, args: &Verify) -> Result<End, Error> {
    let job = &args.job;
    let before = can_be_verified(backfills, job).await?;
    let name = job.another_execution("verify", OffsetDateTime::now_utc(), random());
    let input = json!({"action": "verify", "job_id": job.as_str()});
    let execution = backfills.machine().await?.start(&name, &input).await?;
    note(&format!("verifying, execution {}", last_part(&execution)));
    let begun = Begun {
        execution,
        before: Some(before),
    };
    let work = async {
        let watch = Watch::new(backfills, show, args.watching);
        let ended = watch.execution(job, &begun).await?;
        watch.verified(ended, &begun.execution)
    };
    let goes_on =
        || format!("the verification goes on; sluice backfill status {job} has its result");
    let (record, end) = unless_interrupted(work, goes_on).await?;
    if !args.watching.watch || show.has_bar() {
        show.document(&record, || {
            words::record(&record, OffsetDateTime::now_utc())
        })?;
    }
    Ok(end)
}

/// The record of a job of which something can be left over.
async fn can_be_verified(backfills: &Backfills<'_>, job: &JobId) -> Result<JobRecord, Error> {
    let record = match backfills.find(job).await? {
        Found::Record(record) => *record,
        Found::Planned(execution) => return Err(still_planned(job, &execution)),
    };
    if record.dry_run {
        let words = format!("job {job} is a dry run: it sent nothing, there is nothing to verify");
        return Err(Error::Refused(words));
    }
    if record.state == JobState::Aborted {
        let words = format!(
            "job {job} is aborted: go on with it first, sluice backfill start --job-id {job} --resume"
        );
        return Err(Error::Refused(words));
    }
    Ok(record)
}

/// What a watched job came to. Its last line of JSON was printed while it was watched.
fn result(show: Show, record: &JobRecord) -> Result<End, Error> {
    if show.has_bar() {
        show.document(record, || words::record(record, OffsetDateTime::now_utc()))?;
    }
    Ok(end(record))
}

fn end(record: &JobRecord) -> End {
    match record.state {
        JobState::Completed => End::Done,
        JobState::Listing | JobState::Processing | JobState::Failed | JobState::Aborted => {
            End::NotCompleted
        }
    }
}

/// Sets two jobs of one minute apart; no secret.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
