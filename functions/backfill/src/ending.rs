//! `listed`, `progress`, `verify_start`, `conclude`: a job on its way to its end.

use std::time::SystemTime;

use serde_json::{Value, json};
use shared::job::JobState;
use shared::jobs::{Item, RECORD, number, number_of, text, text_of};

use crate::change::Change;
use crate::context::{Context, is_recent, rfc3339};
use crate::error::BackfillError;
use crate::job::{Job, flag};
use crate::plan;
use crate::progress::{Leftover, Next, Seen, Timing, decide};
use crate::request::Asking;
use crate::roll::{Missing, Roll};
use crate::verdict::{Round, completed_reason, failed_reason, verdict};

/// Whether all partitions are listed, or all but a few whose children failed; then the job waits for `compress`. A dry run,
/// which is done by then, has counted all of them or fails.
pub async fn listed(
    context: Context<'_>,
    asking: &Asking,
    timing: Timing,
    now: SystemTime,
) -> Result<Value, BackfillError> {
    let (table, job_id) = (&context.services.table, &asking.job_id);
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
    listed_enough(context, &job).await?;
    // With all that was told until then.
    let job = table.job(job_id).await?;
    let mut change = context
        .touch(now)
        .only_if("state", text(JobState::Listing.label()));
    if let Some(execution) = &asking.execution {
        change = change.only_if("execution", text(execution));
    }
    let state = if job.record.dry_run {
        JobState::Completed
    } else {
        JobState::Processing
    };
    let change = stated(change, state, &completed_reason(&job, None), now);
    if table.change(job_id, RECORD, change).await? {
        return Ok(answer(state));
    }
    // Not listing any more: this answer got lost before, or somebody ended the job, or goes on with it.
    let job = table.job(job_id).await?;
    match job.record.state {
        JobState::Aborted => Ok(answer(JobState::Aborted)),
        _ if !asking.drives(&job) => Err(wrong_state(&job, ANOTHERS)),
        now if now == state => Ok(answer(now)),
        _ => Err(wrong_state(&job, "it has ended")),
    }
}

/// What is said to an execution whose job another one has taken up.
const ANOTHERS: &str = "another execution goes on with it";

impl Asking {
    /// Whether it is the one that drives the job; by hand everybody does.
    fn drives(&self, job: &Job) -> bool {
        self.execution.is_none() || self.execution == job.execution
    }
}

async fn listed_enough(context: Context<'_>, job: &Job) -> Result<(), BackfillError> {
    let Some(missing) = unlisted(context, job).await? else {
        return Ok(());
    };
    if job.record.dry_run || !missing.is_tolerated() {
        return Err(missing.of(job));
    }
    let (job_id, Missing { count, first, .. }) = (&job.record.job_id, missing);
    tracing::warn!(
        job_id,
        count,
        first,
        "partitions are not listed; the job goes on without them"
    );
    Ok(())
}

/// The partitions that are not listed to their end.
async fn unlisted(context: Context<'_>, job: &Job) -> Result<Option<Missing>, BackfillError> {
    let mut roll = Roll::of(job);
    let mark = |partition: u64, item: &Item| roll.mark(partition, flag(item, "done"));
    context
        .services
        .table
        .partitions(job, &["done"], mark)
        .await?;
    Ok(roll.missing())
}

/// The state, and what belongs to it: a final one has its time and, if there is one, a reason.
pub(crate) fn stated(change: Change, state: JobState, reason: &str, now: SystemTime) -> Change {
    let change = change.set("state", text(state.label()));
    if !state.is_final() {
        return change;
    }
    let change = change.set("finished_at", text(&rfc3339(now)));
    if reason.is_empty() {
        change.remove("reason")
    } else {
        change.set("reason", text(reason))
    }
}

fn wrong_state(job: &Job, detail: &'static str) -> BackfillError {
    BackfillError::WrongState {
        job_id: job.record.job_id.clone(),
        state: job.record.state.label(),
        detail,
    }
}

/// Whether to wait, or to verify.
pub async fn progress(
    context: Context<'_>,
    job_id: &str,
    timing: Timing,
    before: Seen,
    now: SystemTime,
) -> Result<Value, BackfillError> {
    let table = &context.services.table;
    let job = table.job(job_id).await?;
    if context.is_to_renew(job.expires_at, now) {
        let expires_at = number(context.expiry(now));
        let change = Change::default().set("expires_at", expires_at);
        table.change(job_id, RECORD, change.only_if_there()).await?;
    }
    let (next, seen) = decide(&job.record, before, timing);
    let (status, is_last) = match (job.record.state, next) {
        (JobState::Aborted, _) => ("aborted", false),
        // By a verification that somebody else has asked for.
        (JobState::Completed, _) => ("completed", false),
        (_, Next::Wait) => ("wait", false),
        (_, Next::Verify { is_last }) => ("verify", is_last),
    };
    Ok(
        json!({"job_id": job_id, "status": status, "seen": seen, "wait_seconds": seen.wait_s, "is_last": is_last}),
    )
}

/// Begins a round: all partitions, whatever was found in them before, also those that a failed child did not list. Two rounds
/// at once would undo each other's: while another execution's is under way, and was heard of less than half an hour ago, there
/// is none.
pub async fn verify_start(
    context: Context<'_>,
    (asking, round): (&Asking, &str),
    workers: Option<u64>,
    now: SystemTime,
) -> Result<Value, BackfillError> {
    let job_id = &asking.job_id;
    let job = context.services.table.job(job_id).await?;
    if job.record.dry_run {
        return Err(wrong_state(&job, "a dry run has nothing to verify"));
    }
    if job.record.state == JobState::Aborted {
        return Err(wrong_state(
            &job,
            "go on with it first, by \"resume\": true",
        ));
    }
    if job.record.state == JobState::Listing {
        let missing = unlisted(context, &job).await?;
        missing.map_or(Ok(()), |missing| Err(missing.of(&job)))?;
    }
    begin(context, &job, (asking, round), now).await?;
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

async fn begin(
    context: Context<'_>,
    job: &Job,
    (asking, round): (&Asking, &str),
    now: SystemTime,
) -> Result<(), BackfillError> {
    let (table, job_id) = (&context.services.table, &asking.job_id);
    let under_way = |job: &Job| BackfillError::Verifying {
        job_id: job_id.clone(),
        round: job.verifying.clone().unwrap_or_default().round,
    };
    let change = context
        .touch(now)
        .set("verifying", text(round))
        .set("verifying_at", text(&rfc3339(now)));
    let change = match &job.verifying {
        None => change.only_if_there().only_if_absent("verifying"),
        Some(before)
            if before.round != round
                && !(asking.execution.is_some() && before.by == asking.execution)
                && is_recent(&before.at, now) =>
        {
            return Err(under_way(job));
        }
        Some(before) => change
            .only_if("verifying", text(&before.round))
            .only_if("verifying_at", text(&before.at)),
    };
    let change = match &asking.execution {
        Some(execution) => change.set("verifying_by", text(execution)),
        None => change.remove("verifying_by"),
    };
    if table.change(job_id, RECORD, change).await? {
        return Ok(());
    }
    // Another one was faster, or this one's own answer got lost.
    let job = table.job(job_id).await?;
    match &job.verifying {
        Some(now) if now.round == round => Ok(()),
        _ => Err(under_way(&job)),
    }
}

/// The change that ends a round: nothing of it is under way any more.
pub(crate) fn ended(change: Change) -> Change {
    let change = change.remove("verifying").remove("verifying_at");
    change.remove("verifying_by")
}

/// The verdict of a round. That nothing is left over is so whoever has looked. That something is, only the execution that drives
/// the job decides before its end; others write down what was found, and are answered what it would mean.
pub async fn conclude(
    context: Context<'_>,
    (asking, round): (&Asking, &str),
    is_last: bool,
    now: SystemTime,
) -> Result<Value, BackfillError> {
    let (table, job_id) = (&context.services.table, &asking.job_id);
    let job = table.job(job_id).await?;
    let aborted = json!({"job_id": job_id, "status": JobState::Aborted.label()});
    if job.record.state == JobState::Aborted {
        let over = ended(Change::default()).only_if("verifying", text(round));
        table.change(job_id, RECORD, over).await?;
        return Ok(aborted);
    }
    let found = found(context, &job, round).await?;
    let leftover = found.leftover;
    let is_to_decide = asking.drives(&job)
        || job.record.state.is_final()
        || job.record.state == JobState::Processing && leftover == Leftover::default();
    let state = verdict(&job, found, is_last || !is_to_decide);
    let reason = match state {
        JobState::Completed => completed_reason(&job, found.unlisted),
        _ => failed_reason(found),
    };
    let mut change = context
        .touch(now)
        .set("remaining", number(leftover.remaining))
        .set("missing_outputs", number(leftover.missing_outputs))
        .only_if("state", text(job.record.state.label()));
    if job.verifying.as_ref().is_some_and(|it| it.round == round) {
        change = ended(change).only_if("verifying", text(round));
    }
    if is_to_decide {
        change = stated(change, state, &reason, now);
    }
    let is_written = table.change(job_id, RECORD, change).await?;
    let record = table.job(job_id).await?.record;
    match record.state {
        JobState::Aborted => return Ok(aborted),
        // The answer to this write got lost, and it was made a second time.
        after if is_written || after == state => {}
        _ => return Err(wrong_state(&job, "it has changed meanwhile")),
    }
    let mut answer = serde_json::to_value(record)?;
    answer["status"] = state.label().into();
    if state == JobState::Failed {
        answer["reason"] = reason.into();
    }
    Ok(answer)
}

/// What the round has found, if it is at its end.
async fn found(context: Context<'_>, job: &Job, round: &str) -> Result<Round, BackfillError> {
    let (mut roll, mut listed) = (Roll::of(job), Roll::of(job));
    let mut found = Round::default();
    let names = [
        "done",
        "verify_round",
        "verify_done",
        "remaining",
        "missing_outputs",
        "gone",
    ];
    let add = |partition: u64, item: &Item| {
        let is_of_round = text_of(item, "verify_round") == Some(round);
        let is_done = is_of_round && flag(item, "verify_done");
        roll.mark(partition, is_done);
        let is_listed = flag(item, "done");
        listed.mark(partition, is_listed);
        if is_done {
            let count = |name| number_of(item, name).unwrap_or_default();
            let left = Leftover {
                remaining: count("remaining"),
                missing_outputs: count("missing_outputs"),
                gone: count("gone"),
            };
            found.leftover += left;
            if is_listed {
                found.listed += left;
            }
        }
    };
    let table = &context.services.table;
    table.partitions(job, &names, add).await?;
    roll.call(job)?;
    found.unlisted = listed.missing();
    Ok(found)
}

#[cfg(test)]
pub(crate) fn job_in(state: JobState, failed: u64) -> Job {
    use shared::jobs::key;

    let mut item = key("j", RECORD);
    for (name, value) in [
        ("state", state.label()),
        ("mode", "list"),
        ("bucket", "b"),
        ("prefix", "incoming/"),
        ("started_at", "2026-11-21T00:00:00Z"),
        ("updated_at", "2026-11-21T00:00:00Z"),
        ("plan", "p"),
    ] {
        item.insert(name.to_owned(), text(value));
    }
    item.insert("dry_run".to_owned(), crate::table::boolean(false));
    for (name, value) in [("workers", 1), ("partitions_total", 3), ("failed", failed)] {
        item.insert(name.to_owned(), number(value));
    }
    Job::read("j", &item).unwrap()
}
