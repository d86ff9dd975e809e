//! `fail`: the state machine gives up, or is redriven and does not.

use std::time::SystemTime;

use serde_json::{Value, json};
use shared::job::JobState;
use shared::jobs::{RECORD, text};

use crate::change::Change;
use crate::context::Context;
use crate::ending::{ended, stated};
use crate::error::BackfillError;
use crate::request::{Asking, Failure};

/// Notes that the state machine gave up, unless the job has ended, is another execution's, or is not there. A verification
/// that it has begun is over.
///
/// The execution must then end at a task that fails: a redrive begins there, and at a Fail state it would fail again. So the
/// note is answered by an error, and the same question of a redriven execution by `redriven`.
pub async fn fail(
    context: Context<'_>,
    asking: &Asking,
    failure: &Failure,
    now: SystemTime,
) -> Result<Value, BackfillError> {
    if failure.is_redriven() {
        return Ok(json!({"job_id": asking.job_id, "status": "redriven"}));
    }
    let is_noted = note(context, asking, &failure.reason, now).await?;
    if failure.ends {
        return Err(BackfillError::JobFailed {
            job_id: asking.job_id.clone(),
            reason: failure.reason.clone(),
        });
    }
    Ok(json!({"job_id": asking.job_id, "status": JobState::Failed.label(), "noted": is_noted}))
}

async fn note(
    context: Context<'_>,
    asking: &Asking,
    reason: &str,
    now: SystemTime,
) -> Result<bool, BackfillError> {
    let (table, job_id) = (&context.services.table, &asking.job_id);
    let touched = context.touch(now);
    let mut change = stated(touched, JobState::Failed, reason, now).only_if_there();
    for state in JobState::ALL.into_iter().filter(|state| state.is_final()) {
        change = change.only_unless("state", text(state.label()));
    }
    if let Some(execution) = &asking.execution {
        change = change.only_if("execution", text(execution));
        let over = ended(Change::default()).only_if("verifying_by", text(execution));
        table.change(job_id, RECORD, over).await?;
    }
    table.change(job_id, RECORD, change).await
}
