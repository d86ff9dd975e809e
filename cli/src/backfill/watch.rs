//! Staying with a job until its end.

use std::time::Duration;

use shared::job::JobRecord;
use shared::jobs::{Jobs, JobsError};

use crate::args::backfill::Watching;
use crate::error::Error;
use crate::executions::{Machine, Standing};
use crate::names::JobId;
use crate::progress::Bar;
use crate::show::{Show, json, note};

use super::attended::Attended;
use super::words::far;

/// One who watches.
pub(super) struct Watch<'a> {
    jobs: &'a Jobs,
    show: Show,
    every: Duration,
    /// Whether anybody wants to see it.
    shown: bool,
    bar: Bar,
}

impl<'a> Watch<'a> {
    pub(super) fn new(jobs: &'a Jobs, show: Show, watching: Watching) -> Self {
        Self {
            jobs,
            show,
            every: Duration::from_secs_f64(watching.every.0),
            shown: watching.watch,
            bar: Bar::new(show, "waiting for the job"),
        }
    }

    /// Until the record is in a final state, or nobody works on it any more.
    pub(super) async fn record(
        &self,
        job: &JobId,
        mut attended: Attended<'_>,
    ) -> Result<JobRecord, Error> {
        let (mut last, mut is_abandoned) = (None, false);
        loop {
            // After the executions: what the last one did last is in the record.
            let record = self.jobs.get(job.as_str()).await?;
            self.tell(&record, &mut last)?;
            if record.state.is_final() {
                self.bar.end();
                return Ok(record);
            }
            if is_abandoned {
                self.bar.end();
                return Err(Error::Abandoned {
                    job: job.to_string(),
                    state: record.state.label(),
                });
            }
            is_abandoned = attended.is_abandoned().await;
            if !is_abandoned {
                tokio::time::sleep(self.every).await;
            }
        }
    }

    /// Until the execution has ended: a job that is gone on with or verified is in a final state when it begins, and one
    /// that could not begin has no record.
    pub(super) async fn execution(
        &self,
        job: &JobId,
        machine: &Machine,
        execution: &str,
    ) -> Result<JobRecord, Error> {
        let mut last = None;
        loop {
            // In this order: what the execution did last is in the record.
            let (standing, _) = machine.look(execution).await?;
            let record = match self.jobs.get(job.as_str()).await {
                Ok(record) => Some(record),
                Err(JobsError::NoSuchJob { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            if let Some(record) = &record {
                self.tell(record, &mut last)?;
            }
            if !matches!(standing, Standing::Running) {
                self.bar.end();
                return ended(&standing, record, execution);
            }
            tokio::time::sleep(self.every).await;
        }
    }

    /// What has changed, once.
    fn tell(&self, record: &JobRecord, last: &mut Option<JobRecord>) -> Result<(), Error> {
        if last.as_ref() == Some(record) {
            return Ok(());
        }
        let far = far(record);
        self.bar.set(far.done, far.all, far.words);
        if self.shown && !self.show.has_bar() {
            json(record)?;
        }
        *last = Some(record.clone());
        Ok(())
    }
}

/// A final state says more than the execution; without one only the execution can say what happened.
fn ended(
    standing: &Standing,
    record: Option<JobRecord>,
    execution: &str,
) -> Result<JobRecord, Error> {
    let failure = standing.failure(execution);
    match (record, failure) {
        (Some(record), None) => Ok(record),
        (Some(record), Some(failure)) if record.state.is_final() => {
            note(&failure.to_string());
            Ok(record)
        }
        (_, Some(failure)) => Err(failure),
        (None, None) => Err(Error::NotUnderstood {
            what: "the state machine".to_owned(),
        }),
    }
}
