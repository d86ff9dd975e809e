//! Whether anybody works on a job: an execution can end without a word in the record.

use std::time::Duration;

use tokio::time::Instant;

use crate::aws::Aws;
use crate::error::Error;
use crate::executions::Machine;
use crate::names::{JobId, Stack};
use crate::show::note;

/// Looks at the record for one at the executions, and the longest time between two of those.
const RECORDS: u32 = 10;
const LONGEST: Duration = Duration::from_mins(1);

/// Times in a row that no execution is found before there is none: one that was just started may not be listed yet.
const ABSENCES: u32 = 2;

/// One who looks after a job's executions while its record is watched.
pub(super) struct Attended<'a> {
    aws: &'a Aws,
    stack: &'a Stack,
    job: &'a JobId,
    machine: Option<Machine>,
    records: u32,
    looked: Instant,
    absences: u32,
    has_complained: bool,
}

impl<'a> Attended<'a> {
    pub(super) fn new(aws: &'a Aws, stack: &'a Stack, job: &'a JobId) -> Self {
        Self {
            aws,
            stack,
            job,
            machine: None,
            records: 0,
            looked: Instant::now(),
            absences: 0,
            has_complained: false,
        }
    }

    /// To be asked after each look at the record: whether no execution of the job runs any more. Who may not see executions
    /// is told so once, and watches the record alone.
    pub(super) async fn is_abandoned(&mut self) -> bool {
        self.records += 1;
        if self.records < RECORDS && self.looked.elapsed() < LONGEST {
            return false;
        }
        match self.runs().await {
            Ok(true) => self.absences = 0,
            Ok(false) => self.absences += 1,
            Err(error) => {
                self.absences = 0;
                if !self.has_complained {
                    note(&format!("whether the job still runs is not known: {error}"));
                }
                self.has_complained = true;
            }
        }
        (self.records, self.looked) = (0, Instant::now());
        self.absences >= ABSENCES
    }

    async fn runs(&mut self) -> Result<bool, Error> {
        let machine = match self.machine.take() {
            Some(machine) => machine,
            None => Machine::of(self.aws, self.stack, &self.stack.backfill()).await?,
        };
        let machine = self.machine.insert(machine);
        let running = machine.running(|name, input| self.job.is_of(name, input));
        Ok(!running.await?.is_empty())
    }
}
