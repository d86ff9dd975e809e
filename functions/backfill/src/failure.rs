//! `fail`: the state machine gives up, or is redriven and does not.

use std::time::SystemTime;

use serde_json::{Value, json};
use shared::job::JobState;
use shared::jobs::{RECORD, text};

use crate::change::Change;
use crate::context::Context;
use crate::ending::{ended, stated};
use crate::error::BackfillError;
use crate::request::{Asking, Failure, TEXT_MAX};

/// What the state machine never tries again: so its execution may end by an error of that name. Any other failure ends it as
/// `JobFailed`.
pub const ENDING: [&str; 15] = [
    "JobFailed",
    "Backfill.Incomplete",
    "BadPayload",
    "JobExists",
    "NoSuchJob",
    "WrongState",
    "PartitionsMissing",
    "BadItem",
    "Inventory",
    "MessageRefused",
    "BadKey",
    "Internal",
    "AccessDenied",
    "BadConfiguration",
    "NotFound",
];

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
    let is_noted = note(context, asking, &failure.reason(), now).await?;
    if failure.ends {
        return Err(last_words(failure));
    }
    Ok(json!({"job_id": asking.job_id, "status": JobState::Failed.label(), "noted": is_noted}))
}

/// What the execution fails with.
fn last_words(failure: &Failure) -> BackfillError {
    let error = failure.error.as_deref().unwrap_or_default();
    match (
        ENDING.into_iter().find(|name| *name == error),
        &failure.cause,
    ) {
        (Some(name), Some(cause)) => BackfillError::JobFailed {
            name,
            words: cause[..cause.floor_char_boundary(TEXT_MAX)].to_owned(),
        },
        _ => BackfillError::JobFailed {
            name: ENDING[0],
            words: failure.reason(),
        },
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(error: Option<&str>, cause: Option<&str>) -> (&'static str, String) {
        let failure = Failure {
            error: error.map(str::to_owned),
            cause: cause.map(str::to_owned),
            ..Failure::default()
        };
        let error = last_words(&failure);
        (error.label(), error.to_string())
    }

    #[test]
    fn an_execution_ends_as_what_it_failed_by_unless_that_would_be_tried_again() {
        let passed = words(Some("JobExists"), Some("job j exists"));
        assert_eq!(passed, ("JobExists", "job j exists".to_owned()));
        for (error, cause, said) in [
            (
                Some("Lambda.TooManyRequestsException"),
                Some("slow"),
                "Lambda.TooManyRequestsException: slow",
            ),
            (Some("Unavailable"), Some("busy"), "Unavailable: busy"),
            (
                Some("States.DataLimitExceeded"),
                None,
                "States.DataLimitExceeded",
            ),
            (Some("AccessDenied"), None, "AccessDenied"),
            (Some("States.Timeout"), Some(""), "States.Timeout"),
            (None, None, ""),
        ] {
            assert_eq!(words(error, cause), ("JobFailed", said.to_owned()));
        }
    }
}
