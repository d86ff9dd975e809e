//! A stack's jobs: their records, and the executions that plan what has none yet.

use shared::job::JobRecord;
use shared::jobs::{Jobs, JobsError};
use tokio::sync::OnceCell;

use crate::aws::Aws;
use crate::error::{Error, Kind};
use crate::executions::{Machine, Standing};
use crate::names::{JobId, Stack, last_part};
use crate::show::note;

/// The back-fills of a stack.
pub(super) struct Backfills<'a> {
    aws: &'a Aws,
    stack: &'a Stack,
    jobs: Jobs,
    /// Looked for when it is needed: a record is read without it.
    machine: OnceCell<Machine>,
}

/// What there is of a job.
#[derive(Debug)]
pub(super) enum Found {
    /// It has begun.
    Record(Box<JobRecord>),
    /// It is being planned, by the execution of this name.
    Planned(String),
}

impl<'a> Backfills<'a> {
    pub(super) fn new(aws: &'a Aws, stack: &'a Stack) -> Self {
        Self {
            aws,
            stack,
            jobs: aws.jobs(stack),
            machine: OnceCell::new(),
        }
    }

    /// The table.
    pub(super) const fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// The state machine.
    pub(super) async fn machine(&self) -> Result<&Machine, Error> {
        let found = || async { Machine::of(self.aws, self.stack, &self.stack.backfill()).await };
        self.machine.get_or_try_init(found).await
    }

    /// The record, if there is one.
    pub(super) async fn record(&self, job: &JobId) -> Result<Option<JobRecord>, Error> {
        match self.jobs.get(job.as_str()).await {
            Ok(record) => Ok(Some(record)),
            Err(JobsError::NoSuchJob { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The record, or who is planning the job; an error says why there is neither.
    pub(super) async fn find(&self, job: &JobId) -> Result<Found, Error> {
        if let Some(record) = self.record(job).await? {
            return Ok(Found::Record(Box::new(record)));
        }
        let planned = match self.planned(job).await {
            Ok(Some(execution)) => return Ok(Found::Planned(execution)),
            Ok(None) => None,
            // Who may read records alone is told of records alone.
            Err(error @ Error::Service { .. }) if error.kind() == Kind::Access => {
                note(&format!(
                    "whether it is being planned is not known: {error}"
                ));
                None
            }
            Err(error) => Some(error),
        };
        // Once more: what an execution did last is in the record.
        match (self.jobs.get(job.as_str()).await, planned) {
            (Ok(record), _) => Ok(Found::Record(Box::new(record))),
            (Err(JobsError::NoSuchJob { .. }), Some(error)) => Err(error),
            (Err(error), _) => Err(error.into()),
        }
    }

    /// The execution that plans the job; nothing if there was none, or it went well long ago. An error says how it failed.
    async fn planned(&self, job: &JobId) -> Result<Option<String>, Error> {
        let Some((arn, standing)) = self.machine().await?.beginning(job).await? else {
            return Ok(None);
        };
        match (&standing, standing.failure(&arn)) {
            (Standing::Running, _) => Ok(Some(last_part(&arn).to_owned())),
            (_, Some(failure)) => Err(Error::NeverBegan {
                job: job.to_string(),
                source: Box::new(failure),
            }),
            (_, None) => Ok(None),
        }
    }
}

/// Why nothing but waiting can be done with a job that is being planned.
pub(super) fn still_planned(job: &JobId, execution: &str) -> Error {
    Error::Refused(planning_words(job, execution))
}

/// In words.
pub(super) fn planning_words(job: &JobId, execution: &str) -> String {
    format!("job {job} is still being planned: execution {execution}")
}
