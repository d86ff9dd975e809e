//! `listed`, `progress`, `verify_start`, `conclude`, `fail`: a job on its way to its end.

use std::time::SystemTime;

use serde_json::{Value, json};
use shared::job::JobState;
use shared::jobs::{Item, RECORD, number, number_of, text, text_of};

use crate::change::Change;
use crate::context::{Context, rfc3339};
use crate::error::BackfillError;
use crate::job::{Job, flag};
use crate::plan;
use crate::progress::{Leftover, Next, Seen, Timing, decide, is_on_its_way};

/// Which partitions of a job are done with, by their numbers.
struct Roll {
    done: Vec<bool>,
}

impl Roll {
    fn of(job: &Job) -> Self {
        let total = usize::try_from(job.record.partitions_total).unwrap_or(plan::PARTITIONS_MAX);
        Self {
            done: vec![false; total],
        }
    }

    fn mark(&mut self, partition: u64, is_done: bool) {
        let place = usize::try_from(partition).ok();
        if let Some(done) = place.and_then(|place| self.done.get_mut(place)) {
            *done |= is_done;
        }
    }

    /// `Ok` if all of them are.
    fn call(&self, job: &Job) -> Result<(), BackfillError> {
        let Some(first) = self.done.iter().position(|done| !done) else {
            return Ok(());
        };
        Err(BackfillError::PartitionsMissing {
            job_id: job.record.job_id.clone(),
            missing: self.done.iter().filter(|done| !**done).count() as u64,
            total: job.record.partitions_total,
            first: first as u64,
        })
    }
}

/// Whether all partitions are listed; then the job waits for `compress`, or, as a dry run, is done.
pub async fn listed(
    context: Context<'_>,
    job_id: &str,
    timing: Timing,
    now: SystemTime,
) -> Result<Value, BackfillError> {
    let table = &context.services.table;
    let job = table.job(job_id).await?;
    let answer = |state: JobState| {
        json!({
            "job_id": job_id,
            "status": state.label(),
            "poll_seconds": timing.poll_seconds,
            "settle_seconds": timing.settle_seconds,
        })
    };
    if job.record.state == JobState::Aborted {
        return Ok(answer(JobState::Aborted));
    }
    all_listed(context, &job).await?;
    let change = |state| stated(state, now).only_if("state", text(JobState::Listing.label()));
    let (state, change) = if job.record.dry_run {
        let change = change(JobState::Completed);
        let change = change.set("finished_at", text(&rfc3339(now)));
        (JobState::Completed, change)
    } else {
        (JobState::Processing, change(JobState::Processing))
    };
    if table.change(job_id, RECORD, change).await? {
        return Ok(answer(state));
    }
    // Not listing any more: this answer got lost before, or somebody ended the job.
    match table.job(job_id).await?.record.state {
        now if now == state || now == JobState::Aborted => Ok(answer(now)),
        other => Err(wrong_state(&job, other, "it has ended")),
    }
}

async fn all_listed(context: Context<'_>, job: &Job) -> Result<(), BackfillError> {
    let mut roll = Roll::of(job);
    let mark = |partition: u64, item: &Item| roll.mark(partition, flag(item, "done"));
    context
        .services
        .table
        .partitions(job, &["done"], mark)
        .await?;
    roll.call(job)
}

fn stated(state: JobState, now: SystemTime) -> Change {
    Change::default()
        .set("state", text(state.label()))
        .set("updated_at", text(&rfc3339(now)))
}

fn wrong_state(job: &Job, state: JobState, detail: &'static str) -> BackfillError {
    BackfillError::WrongState {
        job_id: job.record.job_id.clone(),
        state: state.label(),
        detail,
    }
}

/// Whether to wait, or to verify.
pub async fn progress(
    context: Context<'_>,
    job_id: &str,
    timing: Timing,
    before: Seen,
) -> Result<Value, BackfillError> {
    let job = context.services.table.job(job_id).await?;
    let (next, seen) = decide(&job.record, before, timing);
    let (status, is_last) = match (job.record.state, next) {
        (JobState::Aborted, _) => ("aborted", false),
        (_, Next::Wait) => ("wait", false),
        (_, Next::Verify { is_last }) => ("verify", is_last),
    };
    Ok(
        json!({"job_id": job_id, "status": status, "seen": seen, "wait_seconds": seen.wait_s, "is_last": is_last}),
    )
}

/// Begins a round: all partitions, whatever was found in them before.
pub async fn verify_start(
    context: Context<'_>,
    job_id: &str,
    round: &str,
    workers: Option<u64>,
) -> Result<Value, BackfillError> {
    let job = context.services.table.job(job_id).await?;
    if job.record.dry_run {
        let detail = "a dry run has nothing to verify";
        return Err(wrong_state(&job, job.record.state, detail));
    }
    all_listed(context, &job).await?;
    let total = job.record.partitions_total;
    let partitions: Vec<u64> = (0..total).collect();
    Ok(json!({
        "job_id": job_id,
        "batch": plan::batch(partitions.len()),
        "partitions": partitions,
        "workers": workers.unwrap_or(job.workers).clamp(1, total.max(1)),
        "round": round,
    }))
}

/// The verdict of a round.
pub async fn conclude(
    context: Context<'_>,
    (job_id, round): (&str, &str),
    is_last: bool,
    now: SystemTime,
) -> Result<Value, BackfillError> {
    let table = &context.services.table;
    let job = table.job(job_id).await?;
    if job.record.state == JobState::Aborted {
        return Ok(json!({"job_id": job_id, "status": JobState::Aborted.label()}));
    }
    let (mut roll, mut leftover) = (Roll::of(&job), Leftover::default());
    let names = [
        "verify_round",
        "verify_done",
        "remaining",
        "missing_outputs",
    ];
    let add = |partition: u64, item: &Item| {
        let is_of_round = text_of(item, "verify_round") == Some(round);
        let is_done = is_of_round && flag(item, "verify_done");
        roll.mark(partition, is_done);
        if is_done {
            leftover.remaining += number_of(item, "remaining").unwrap_or_default();
            leftover.missing_outputs += number_of(item, "missing_outputs").unwrap_or_default();
        }
    };
    table.partitions(&job, &names, add).await?;
    roll.call(&job)?;
    let state = verdict(&job, leftover, is_last);
    let change = stated(state, now)
        .set("remaining", number(leftover.remaining))
        .set("missing_outputs", number(leftover.missing_outputs))
        .only_if_there()
        .only_unless("state", text(JobState::Aborted.label()));
    let finished = text(&rfc3339(now));
    let change = match state {
        JobState::Completed => change.set("finished_at", finished).remove("reason"),
        JobState::Failed => change
            .set("finished_at", finished)
            .set("reason", text(&reason(leftover))),
        JobState::Listing | JobState::Processing | JobState::Aborted => change,
    };
    if !table.change(job_id, RECORD, change).await? {
        return Ok(json!({"job_id": job_id, "status": JobState::Aborted.label()}));
    }
    let mut answer = serde_json::to_value(table.job(job_id).await?.record)?;
    answer["status"] = state.label().into();
    Ok(answer)
}

fn verdict(job: &Job, leftover: Leftover, is_last: bool) -> JobState {
    if leftover == Leftover::default() {
        return JobState::Completed;
    }
    let is_processing = job.record.state == JobState::Processing;
    if is_processing && is_on_its_way(leftover, job.record.failed, is_last) {
        JobState::Processing
    } else {
        JobState::Failed
    }
}

fn reason(leftover: Leftover) -> String {
    let Leftover {
        remaining,
        missing_outputs,
    } = leftover;
    format!("{remaining} sources remain, {missing_outputs} outputs are missing")
}

/// Notes that the state machine gave up, unless the job has ended, is another execution's, or is not there.
pub async fn fail(
    context: Context<'_>,
    (job_id, execution): (&str, Option<&str>),
    reason: &str,
    now: SystemTime,
) -> Result<Value, BackfillError> {
    let failed = JobState::Failed;
    let mut change = stated(failed, now)
        .set("reason", text(reason))
        .set("finished_at", text(&rfc3339(now)))
        .only_if_there();
    for state in JobState::ALL.into_iter().filter(|state| state.is_final()) {
        change = change.only_unless("state", text(state.label()));
    }
    if let Some(execution) = execution {
        change = change.only_if("execution", text(execution));
    }
    let is_noted = context
        .services
        .table
        .change(job_id, RECORD, change)
        .await?;
    Ok(json!({"job_id": job_id, "status": failed.label(), "noted": is_noted}))
}

#[cfg(test)]
#[path = "ending_tests.rs"]
mod tests;
#[cfg(test)]
pub(crate) use tests::job_in;
