//! Whether anybody works on a job: an execution can end without a word in the record.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::names::JobId;
use crate::show::note;

use super::find::Backfills;

/// Looks at the record for one at the executions, and the longest time between two of those.
const RECORDS: u32 = 10;
const LONGEST: Duration = Duration::from_mins(1);

/// Times in a row that no execution is found before there is none: one that was just started may not be listed yet.
const ABSENCES: u32 = 2;

/// One who looks after a job's executions while its record is watched.
pub(super) struct Attended<'a> {
    backfills: &'a Backfills<'a>,
    job: &'a JobId,
    records: u32,
    looked: Instant,
    absences: u32,
    has_complained: bool,
}

impl<'a> Attended<'a> {
    pub(super) fn new(backfills: &'a Backfills<'a>, job: &'a JobId) -> Self {
        Self {
            backfills,
            job,
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

    async fn runs(&self) -> Result<bool, Error> {
        let machine = self.backfills.machine().await?;
        let running = machine.running(|name, input| self.job.is_of(name, input));
        Ok(!running.await?.is_empty())
    }
}
