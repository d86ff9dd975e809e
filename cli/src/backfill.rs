//! `sluice backfill`: jobs are started, looked at, ended and verified.

mod abort;
mod attended;
mod input;
mod watch;
mod words;

use serde_json::json;
use shared::job::{JobRecord, JobState};
use shared::jobs::Jobs;
use time::OffsetDateTime;

use crate::args::backfill::{Action, Backfill, Start, Status, Verify};
use crate::aws::Aws;
use crate::error::{End, Error};
use crate::executions::Machine;
use crate::names::{JobId, Stack, last_part};
use crate::show::{Show, note};

use self::attended::Attended;
use self::watch::Watch;

/// Does what was asked.
pub(crate) async fn run(args: Backfill, stack: &Stack, show: Show) -> Result<End, Error> {
    let aws = Aws::load().await?;
    match args.action {
        Action::Start(args) => start(&aws, stack, show, args).await,
        Action::Status(args) => status(&aws, stack, show, &args).await,
        Action::Abort(args) => abort::run(&aws, stack, show, &args.job).await,
        Action::Verify(args) => verify(&aws, stack, show, &args).await,
    }
}

async fn start(aws: &Aws, stack: &Stack, show: Show, args: Start) -> Result<End, Error> {
    let now = OffsetDateTime::now_utc();
    let job = match &args.job_id {
        Some(job) => job.clone(),
        None => JobId::new(now, random()),
    };
    let name = if args.resume {
        job.another_execution("resume", now)
    } else {
        job.as_str().to_owned()
    };
    let jobs = aws.jobs(stack);
    let machine = Machine::of(aws, stack, &stack.backfill()).await?;
    if args.resume {
        can_go_on(&jobs, &machine, &job).await?;
    }
    let input = input::start(&args, &job);
    let execution = machine.start(&name, &input).await?;
    let started = json!({"job_id": job.as_str(), "execution": execution, "status": "started"});
    show.document(&started, || started_words(&job, args.resume))?;
    if !args.watching.watch {
        return Ok(End::Done);
    }
    let watch = Watch::new(&jobs, show, args.watching);
    let record = watch.execution(&job, &machine, &execution).await?;
    result(show, &record)
}

/// Said at once, and not by an execution that fails a minute later.
async fn can_go_on(jobs: &Jobs, machine: &Machine, job: &JobId) -> Result<(), Error> {
    let record = jobs.get(job.as_str()).await?;
    if record.state == JobState::Completed {
        return Err(Error::Refused(format!("job {job} is completed")));
    }
    let running = machine
        .running(|name, input| job.is_of(name, input))
        .await?;
    let state = record.state.label();
    if let Some(execution) = running.first() {
        let execution = last_part(execution);
        return Err(Error::Refused(format!(
            "job {job} is {state} and runs: execution {execution}"
        )));
    }
    if !record.state.is_final() {
        note(&format!(
            "job {job} is {state} though no execution of it runs: if anything of it changed a short while ago, going on is \
             refused until sluice backfill abort {job}"
        ));
    }
    Ok(())
}

fn started_words(job: &JobId, resumed: bool) -> String {
    let how = if resumed { "goes on" } else { "is started" };
    format!("job {job} {how}\nsluice backfill status {job} --watch")
}

async fn status(aws: &Aws, stack: &Stack, show: Show, args: &Status) -> Result<End, Error> {
    let jobs = aws.jobs(stack);
    if args.watching.watch {
        let record = Watch::new(&jobs, show, args.watching)
            .record(&args.job, Attended::new(aws, stack, &args.job))
            .await?;
        return result(show, &record);
    }
    let record = jobs.get(args.job.as_str()).await?;
    show.document(&record, || words::record(&record))?;
    Ok(End::Done)
}

async fn verify(aws: &Aws, stack: &Stack, show: Show, args: &Verify) -> Result<End, Error> {
    let jobs = aws.jobs(stack);
    jobs.get(args.job.as_str()).await?;
    let machine = Machine::of(aws, stack, &stack.backfill()).await?;
    let name = args
        .job
        .another_execution("verify", OffsetDateTime::now_utc());
    let input = json!({"action": "verify", "job_id": args.job.as_str()});
    let execution = machine.start(&name, &input).await?;
    note(&format!("verifying, execution {}", last_part(&execution)));
    let watch = Watch::new(&jobs, show, args.watching);
    let record = watch.execution(&args.job, &machine, &execution).await?;
    if args.watching.watch {
        return result(show, &record);
    }
    show.document(&record, || words::record(&record))?;
    Ok(end(&record))
}

/// What a watched job came to. Its last line of JSON was printed while it was watched.
fn result(show: Show, record: &JobRecord) -> Result<End, Error> {
    if show.has_bar() {
        show.document(record, || words::record(record))?;
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
