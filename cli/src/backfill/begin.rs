//! An execution for a job: what stands in its way is said before it is started, what becomes of it after.

use std::time::Duration;

use shared::job::{JobRecord, JobState};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

use crate::args::backfill::Start;
use crate::error::Error;
use crate::executions::Standing;
use crate::names::{JobId, last_part};

use super::find::{Backfills, Found, still_planned};
use super::{input, random};

/// How long a job is waited for that is being planned, and between two looks.
const PLANNING_MAX: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long nothing must have changed of a job that no execution runs for, until the function lets another one at it: as the
/// function has it.
const DEAD_AFTER: time::Duration = time::Duration::minutes(30);

/// An execution that was started.
#[derive(Debug)]
pub(super) struct Begun {
    /// Its ARN.
    pub(super) execution: String,
    /// The job's record as it was before.
    pub(super) before: Option<JobRecord>,
}

/// Starts what was asked for, unless that would be refused.
pub(super) async fn begin(
    backfills: &Backfills<'_>,
    job: &JobId,
    args: &Start,
) -> Result<Begun, Error> {
    let (input, now) = (input::start(args, job), OffsetDateTime::now_utc());
    let machine = backfills.machine().await?;
    if args.resume {
        let before = can_go_on(backfills, job, now).await?;
        let name = job.another_execution("resume", now, random());
        return Ok(Begun {
            execution: machine.start(&name, &input).await?,
            before: Some(before),
        });
    }
    is_free(backfills, job).await?;
    let execution = match machine.start(job.as_str(), &input).await {
        // The name of an execution is taken for 90 days, also by one that never came to a job.
        Err(error) if error.is_of("ExecutionAlreadyExists") => {
            is_free(backfills, job).await?;
            let running = machine.running(|name, input| job.is_of(name, input));
            if let Some(execution) = running.await?.first() {
                return Err(still_planned(job, last_part(execution)));
            }
            let name = job.another_execution("start", now, random());
            machine.start(&name, &input).await?
        }
        started => started?,
    };
    Ok(Begun {
        execution,
        before: None,
    })
}

async fn is_free(backfills: &Backfills<'_>, job: &JobId) -> Result<(), Error> {
    let Some(record) = backfills.record(job).await? else {
        return Ok(());
    };
    let state = record.state.label();
    Err(Error::Refused(format!(
        "job {job} exists (state {state}): take another name, or --resume"
    )))
}

/// The record of a job that can be gone on with.
async fn can_go_on(
    backfills: &Backfills<'_>,
    job: &JobId,
    now: OffsetDateTime,
) -> Result<JobRecord, Error> {
    let record = match backfills.find(job).await? {
        Found::Record(record) => *record,
        Found::Planned(execution) => return Err(still_planned(job, &execution)),
    };
    if record.state == JobState::Completed {
        return Err(Error::Refused(format!("job {job} is completed")));
    }
    let machine = backfills.machine().await?;
    let running = machine.running(|name, input| job.is_of(name, input));
    let state = record.state.label();
    if let Some(execution) = running.await?.first() {
        let execution = last_part(execution);
        return Err(Error::Refused(format!(
            "job {job} is {state} and runs: execution {execution}"
        )));
    }
    if !record.state.is_final() && is_recent(&record.updated_at, now) {
        return Err(Error::Refused(format!(
            "job {job} is {state} though no execution of it runs, and something of it changed less than half an hour ago: \
             sluice backfill abort {job}, then go on"
        )));
    }
    Ok(record)
}

fn is_recent(rfc3339: &str, now: OffsetDateTime) -> bool {
    OffsetDateTime::parse(rfc3339, &Rfc3339).is_ok_and(|at| now - at < DEAD_AFTER)
}

impl Begun {
    /// Waits a while for the job, or for what is new of one that is gone on with; whether it has come. An execution that came
    /// to nothing is an error.
    pub(super) async fn is_planned(
        &self,
        backfills: &Backfills<'_>,
        job: &JobId,
    ) -> Result<bool, Error> {
        let (machine, end) = (backfills.machine().await?, Instant::now() + PLANNING_MAX);
        loop {
            let (standing, _) = machine.look(&self.execution).await?;
            if let Some(failure) = standing.failure(&self.execution) {
                return Err(failure);
            }
            let record = backfills.record(job).await?;
            let is_new = record.is_some_and(|record| self.is_news(&record));
            if is_new || !matches!(standing, Standing::Running) {
                return Ok(true);
            }
            if Instant::now() >= end {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether a record is this execution's doing: the end of a job that is gone on with is an old one until the job runs.
    pub(super) fn is_news(&self, record: &JobRecord) -> bool {
        let Some(before) = &self.before else {
            return true;
        };
        if before.state.is_final() {
            !record.state.is_final() || is_another_end(record, before)
        } else {
            record.updated_at != before.updated_at
        }
    }
}

fn is_another_end(one: &JobRecord, other: &JobRecord) -> bool {
    (one.state, &one.finished_at) != (other.state, &other.finished_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_within_half_an_hour_is_not_dead() {
        let now = OffsetDateTime::from_unix_timestamp(1_795_301_103).unwrap();
        let before = |seconds| {
            let at = now - time::Duration::seconds(seconds);
            is_recent(&at.format(&Rfc3339).unwrap(), now)
        };
        assert!(before(0) && before(1_799) && !before(1_800));
        assert!(!is_recent("yesterday", now));
    }
}
