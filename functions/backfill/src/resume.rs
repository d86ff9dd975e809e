//! `start` with `resume`: a job is taken up again where it is, and what its last verification has found is begun anew.

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use shared::job::JobState;
use shared::jobs::{Item, RECORD, number, number_of, text, text_of};
use shared::payload::bad_field;

use crate::change::Change;
use crate::context::{Context, is_recent};
use crate::error::BackfillError;
use crate::job::{Job, flag, rate};
use crate::plan;
use crate::request::{Partitions, Start};
use crate::start::answer;
use crate::work::Work;

/// Partitions that are reopened side by side.
const REOPEN_CONCURRENCY: usize = 16;

/// What the partitions of a job are like.
#[derive(Debug, Default)]
struct Survey {
    /// Not done.
    left: Vec<u64>,
    /// Of all, those in which the last verification has found something, or was not finished.
    suspect: Vec<u64>,
    /// By number, if asked for.
    work: BTreeMap<u64, Work>,
}

/// Takes up `job` again: the partitions that are not done, and those in which its verification has found something.
pub async fn resume(
    context: Context<'_>,
    request: &Start,
    job: &Job,
    now: SystemTime,
) -> Result<Value, BackfillError> {
    is_free(request, job, now)?;
    same(request, job)?;
    let with_work = request.partitions.is_some();
    let mut survey = survey(context, job, with_work).await?;
    same_cut(request, job, &survey)?;
    let found = [job.record.remaining, job.record.missing_outputs];
    if found.into_iter().flatten().any(|found| found > 0) {
        reopen(context, job, &survey.suspect, now).await?;
        survey.left.append(&mut survey.suspect);
        survey.left.sort_unstable();
        survey.left.dedup();
    }
    let change = taken_up(context, request, job, survey.left.len() as u64, now);
    let table = &context.services.table;
    if !table.change(&request.job_id, RECORD, change).await? {
        return Err(wrong_state(job, "it has changed meanwhile"));
    }
    Ok(answer(request, job, &survey.left))
}

/// The numbers of the partitions that are not done.
pub async fn left(context: Context<'_>, job: &Job) -> Result<Vec<u64>, BackfillError> {
    Ok(survey(context, job, false).await?.left)
}

/// Two executions on one job would count and conclude for each other. One that has died without a word leaves the record as
/// it is: whoever knows that ends the job first; else nothing must have changed for half an hour.
fn is_free(request: &Start, job: &Job, now: SystemTime) -> Result<(), BackfillError> {
    let record = &job.record;
    if record.state == JobState::Completed {
        return Err(wrong_state(job, "there is nothing to go on with"));
    }
    if record.state.is_final() || is_ours(request, job) || !is_recent(&record.updated_at, now) {
        return Ok(());
    }
    let detail =
        "an execution is at it: abort it first, or wait until nothing has changed for half an hour";
    Err(wrong_state(job, detail))
}

/// Whether the execution that asks is the job's own.
#[must_use]
pub fn is_ours(request: &Start, job: &Job) -> bool {
    request.execution.is_some() && request.execution == job.execution
}

fn wrong_state(job: &Job, detail: &'static str) -> BackfillError {
    BackfillError::WrongState {
        job_id: job.record.job_id.clone(),
        state: job.record.state.label(),
        detail,
    }
}

/// What is said again about a job must not say something else.
fn same(request: &Start, job: &Job) -> Result<(), BackfillError> {
    let record = &job.record;
    if let Some(prefix) = request.prefix.as_deref().filter(|it| **it != record.prefix) {
        return Err(bad_field("prefix", prefix, &record.prefix).into());
    }
    if let Some(dry_run) = request.dry_run.filter(|it| *it != record.dry_run) {
        return Err(bad_field("dry_run", dry_run, &record.dry_run.to_string()).into());
    }
    let Some(manifest) = &request.inventory else {
        return Ok(());
    };
    let Some(inventory) = &job.inventory else {
        return Err(bad_field("inventory", "", "none: the job lists").into());
    };
    if (&manifest.bucket, &manifest.key) == (&inventory.bucket, &inventory.key) {
        return Ok(());
    }
    let given = format!("{}/{}", manifest.bucket, manifest.key);
    let allowed = format!("{}/{}", inventory.bucket, inventory.key);
    Err(bad_field("inventory", given, &allowed).into())
}

/// A job stays cut as it was. What was discovered may look otherwise by now: any ranges will do.
fn same_cut(request: &Start, job: &Job, survey: &Survey) -> Result<(), BackfillError> {
    let expected = match &request.partitions {
        None => return Ok(()),
        Some(Partitions::Discover) => None,
        Some(Partitions::Hash) => Some(plan::ranges(plan::hash_folders(&job.record.prefix))),
        Some(Partitions::Prefixes(prefixes)) => plan::given(prefixes.clone()).ok(),
    };
    let is_discovered = matches!(request.partitions, Some(Partitions::Discover));
    let is_same = match &expected {
        Some(expected) => survey.work.values().eq(expected),
        None => {
            is_discovered
                && survey
                    .work
                    .values()
                    .all(|work| matches!(work, Work::Range(_)))
        }
    };
    if is_same {
        return Ok(());
    }
    Err(bad_field("partitions", "", "none, or those by which the job was cut").into())
}

async fn survey(context: Context<'_>, job: &Job, with_work: bool) -> Result<Survey, BackfillError> {
    let mut names = vec![
        "done",
        "remaining",
        "missing_outputs",
        "verify_round",
        "verify_done",
    ];
    if with_work {
        names.push("work");
    }
    let mut survey = Survey::default();
    let mut done = vec![false; usize::try_from(job.record.partitions_total).unwrap_or_default()];
    let look = |partition: u64, item: &Item| {
        let place = usize::try_from(partition).ok();
        let Some(done) = place.and_then(|place| done.get_mut(place)) else {
            return;
        };
        *done = flag(item, "done");
        // Also one that is not done: what it has enqueued may be left over.
        if is_suspect(item) {
            survey.suspect.push(partition);
        }
        let work = text_of(item, "work").and_then(|json| serde_json::from_str(json).ok());
        survey.work.extend(work.map(|work| (partition, work)));
    };
    context.services.table.partitions(job, &names, look).await?;
    let left = (0..).zip(done).filter(|(_, done)| !done);
    survey.left = left.map(|(number, _)| number).collect();
    Ok(survey)
}

/// Whether a verification has found something in a partition, or has not looked at all of it.
fn is_suspect(item: &Item) -> bool {
    let counts = ["remaining", "missing_outputs"].map(|name| number_of(item, name));
    let has_begun = text_of(item, "verify_round").is_some_and(|round| !round.is_empty());
    counts.into_iter().flatten().any(|count| count > 0) || has_begun && !flag(item, "verify_done")
}

async fn reopen(
    context: Context<'_>,
    job: &Job,
    partitions: &[u64],
    now: SystemTime,
) -> Result<(), BackfillError> {
    let table = &context.services.table;
    let each = stream::iter(partitions).map(|number| async move {
        let mut partition = table.partition(job, *number).await?;
        partition.expires_at = context.partition_expiry(now);
        let change = partition.reopened()?;
        table.checkpoint(job, *number, change).await
    });
    each.buffer_unordered(REOPEN_CONCURRENCY)
        .try_collect()
        .await
}

fn taken_up(
    context: Context<'_>,
    request: &Start,
    job: &Job,
    left: u64,
    now: SystemTime,
) -> Change {
    let record = &job.record;
    let done = record.partitions_total.saturating_sub(left);
    let mut change = context
        .touch(now)
        .set("state", text(JobState::Listing.label()))
        .set("partitions_done", number(done))
        .only_if("state", text(record.state.label()));
    for name in [
        "reason",
        "finished_at",
        "remaining",
        "missing_outputs",
        "verifying",
        "verifying_at",
        "verifying_by",
    ] {
        change = change.remove(name);
    }
    // Its own execution has nobody beside it, but for compress, which tells.
    if !record.state.is_final() && !is_ours(request, job) {
        change = change.only_if("updated_at", text(&record.updated_at));
    }
    change = match &request.execution {
        Some(execution) => change.set("execution", text(execution)),
        None => change.remove("execution"),
    };
    match request.rate {
        Some(per_second) => change.set("max_rate_per_second", rate(per_second)),
        None => change,
    }
}
