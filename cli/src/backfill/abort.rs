//! `sluice backfill abort`: the record first, then what is under way.

use serde_json::json;
use shared::job::JobState;
use shared::jobs::{Item, Jobs, RECORD, key, text};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::aws::Aws;
use crate::error::{End, Error};
use crate::executions::Machine;
use crate::names::{JobId, Stack, last_part};
use crate::show::{Show, counted};

/// Who ended it, in the record and in its executions.
const REASON: &str = "ended by sluice backfill abort";

/// Ends a job.
pub(super) async fn run(aws: &Aws, stack: &Stack, show: Show, job: &JobId) -> Result<End, Error> {
    let jobs = aws.jobs(stack);
    let marked = mark(&jobs, job).await?;
    let record = jobs.get(job.as_str()).await?;
    let machine = Machine::of(aws, stack, &stack.backfill()).await?;
    let running = machine
        .running(|name, input| job.is_of(name, input))
        .await?;
    for execution in &running {
        machine.stop(execution, "Backfill.Aborted", REASON).await?;
    }
    let names: Vec<_> = running.iter().map(|arn| last_part(arn)).collect();
    let done = json!({
        "job_id": job.as_str(), "state": record.state, "marked": marked, "stopped_executions": names,
    });
    show.document(&done, || {
        let stopped = counted(running.len() as u64, "execution");
        format!("job {job} is {}, {stopped} stopped", record.state.label())
    })?;
    // Ended before by somebody is what was wanted; completed or failed is not.
    if record.state == JobState::Aborted {
        Ok(End::Done)
    } else {
        Ok(End::NotCompleted)
    }
}

/// Marks a job that is under way; whether it was one.
async fn mark(jobs: &Jobs, job: &JobId) -> Result<bool, Error> {
    let now = OffsetDateTime::now_utc().format(&Rfc3339);
    let now = now.unwrap_or_default();
    let values: Item = [
        (":aborted", JobState::Aborted.label()),
        (":listing", JobState::Listing.label()),
        (":processing", JobState::Processing.label()),
        (":reason", REASON),
        (":now", &now),
    ]
    .map(|(name, value)| (name.to_owned(), text(value)))
    .into();
    let marked = jobs
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
        .set_expression_attribute_values(Some(values))
        .send()
        .await;
    match marked {
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
