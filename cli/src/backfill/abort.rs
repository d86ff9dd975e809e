//! `sluice backfill abort`: the record first, then what is under way.

use std::time::Duration;

use serde_json::json;
use shared::job::{JobRecord, JobState};
use shared::jobs::{Item, Jobs, RECORD, ask_until, key, text};
use shared::telemetry::error_chain;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

use crate::error::{End, Error};
use crate::names::{JobId, last_part};
use crate::show::{Show, counted, note};

use super::find::{Backfills, Found, still_planned};

/// Who ended it, in the record and in its executions.
const REASON: &str = "ended by sluice backfill abort";

/// How long a record is tried that children are telling their counts.
const MARKING_MAX: Duration = Duration::from_secs(30);

/// Ends a job; one that is still being planned has executions and no record.
pub(super) async fn run(backfills: &Backfills<'_>, show: Show, job: &JobId) -> Result<End, Error> {
    let jobs = backfills.jobs();
    let mut marked = mark(jobs, job).await?;
    let machine = backfills.machine().await?;
    let running = machine
        .running(|name, input| job.is_of(name, input))
        .await?;
    for execution in &running {
        machine.stop(execution, "Backfill.Aborted", REASON).await?;
    }
    // Its plan may have become whole meanwhile.
    marked = marked || (!running.is_empty() && mark(jobs, job).await?);
    let record = match backfills.record(job).await? {
        None if running.is_empty() => match backfills.find(job).await {
            Ok(Found::Record(record)) => Some(*record),
            // It was started after it was looked for.
            Ok(Found::Planned(execution)) => return Err(still_planned(job, &execution)),
            Err(never @ Error::NeverBegan { .. }) => {
                note(&error_chain(&never));
                None
            }
            Err(error) => return Err(error),
        },
        record => record,
    };
    let names: Vec<_> = running.iter().map(|arn| last_part(arn)).collect();
    let state = record.as_ref().map(|record| record.state);
    let done = json!({
        "job_id": job.as_str(), "state": state, "marked": marked, "stopped_executions": names,
    });
    show.document(&done, || {
        let stopped = counted(running.len() as u64, "execution");
        let state = state.map_or("has no record", JobState::label);
        let is = if record.is_some() { "is " } else { "" };
        format!("job {job} {is}{state}, {stopped} stopped")
    })?;
    if record.is_none() {
        note(
            "a plan that is just being written may still leave a record: if there is one, end it again",
        );
    }
    Ok(end(record.as_ref()))
}

/// Ended before by somebody is what was wanted, and so is one that has not begun; completed or failed is not.
fn end(record: Option<&JobRecord>) -> End {
    match record.map(|record| record.state) {
        None | Some(JobState::Aborted) => End::Done,
        Some(JobState::Listing | JobState::Processing | JobState::Completed | JobState::Failed) => {
            End::NotCompleted
        }
    }
}

/// Whole seconds, as everywhere in a record.
fn rfc3339(at: OffsetDateTime) -> String {
    let at = at.replace_nanosecond(0).unwrap_or(at);
    at.format(&Rfc3339).unwrap_or_default()
}

/// Marks a job that is under way; whether it was one.
async fn mark(jobs: &Jobs, job: &JobId) -> Result<bool, Error> {
    let now = rfc3339(OffsetDateTime::now_utc());
    let values: Item = [
        (":aborted", JobState::Aborted.label()),
        (":listing", JobState::Listing.label()),
        (":processing", JobState::Processing.label()),
        (":reason", REASON),
        (":now", &now),
    ]
    .map(|(name, value)| (name.to_owned(), text(value)))
    .into();
    let update = jobs
        .client()
        .update_item()
        .table_name(jobs.table())
        .set_key(Some(key(job.as_str(), RECORD)))
        .update_expression(
            "SET #state = :aborted, #reason = :reason, updated_at = :now, finished_at = :now",
        )
        .condition_expression(
            "attribute_exists(job_id) AND (#state = :listing OR #state = :processing)",
        )
        .expression_attribute_names("#state", "state")
        .expression_attribute_names("#reason", "reason")
        .set_expression_attribute_values(Some(values));
    let end = Instant::now() + MARKING_MAX;
    match ask_until(end, || update.clone().send()).await {
        Ok(_) => Ok(true),
        Err(error) => {
            let failed = Error::service("UpdateItem", jobs.table(), &error);
            match &failed {
                Error::Service { code, .. } if code == "ConditionalCheckFailedException" => {
                    Ok(false)
                }
                _ => Err(failed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_whole_seconds() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_795_301_103_987_654_321).unwrap();
        assert_eq!(rfc3339(at), "2026-11-21T22:45:03Z");
    }
}
