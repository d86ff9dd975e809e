//! Staying with a job until its end.

use std::time::Duration;

use shared::job::JobRecord;
use tokio::time::Instant;

use crate::args::backfill::Watching;
use crate::error::{End, Error};
use crate::executions::Standing;
use crate::names::JobId;
use crate::progress::Bar;
use crate::show::{Show, json, note};

use super::attended::Attended;
use super::begin::Begun;
use super::find::{Backfills, Found, planning_words};
use super::pace::Window;
use super::words::{Far, Objects, far};

/// One who watches.
pub(super) struct Watch<'a> {
    backfills: &'a Backfills<'a>,
    show: Show,
    every: Duration,
    /// Whether anybody wants to see it.
    shown: bool,
    bar: Bar,
}

/// How an execution ended, and the record after that.
#[derive(Debug)]
pub(super) struct Ended {
    standing: Standing,
    record: Option<JobRecord>,
    /// Whether the record is this execution's doing.
    is_news: bool,
    /// Whether it was printed.
    is_told: bool,
}

/// What was told, and how fast that came.
struct Told {
    last: Option<JobRecord>,
    /// Whether anything but what was there before.
    anything: bool,
    window: Window,
    began: Instant,
}

impl Told {
    fn new(before: Option<JobRecord>) -> Self {
        Self {
            last: before,
            anything: false,
            window: Window::default(),
            began: Instant::now(),
        }
    }

    /// The pace in front: a terminal is seldom as wide as the words are.
    fn with_pace(&mut self, far: &Far) -> String {
        let Objects { of, done, left } = far.objects;
        match self.window.look(of, self.began.elapsed(), done) {
            Some(pace) => format!("{}, {}", pace.brief(left), far.words),
            None => far.words.clone(),
        }
    }
}

impl<'a> Watch<'a> {
    pub(super) fn new(backfills: &'a Backfills<'a>, show: Show, watching: Watching) -> Self {
        Self {
            backfills,
            show,
            every: Duration::from_secs_f64(watching.every.0),
            shown: watching.watch,
            bar: Bar::new(show, "waiting for the job"),
        }
    }

    /// Until the record is in a final state, or nobody works on it any more.
    pub(super) async fn record(&self, job: &JobId) -> Result<JobRecord, Error> {
        let mut attended = Attended::new(self.backfills, job);
        let (mut told, mut is_abandoned) = (Told::new(None), false);
        loop {
            // After the executions: what the last one did last is in the record.
            let record = match self.backfills.find(job).await? {
                Found::Record(record) => *record,
                Found::Planned(execution) => {
                    self.bar.say(planning_words(job, &execution));
                    tokio::time::sleep(self.every).await;
                    continue;
                }
            };
            self.tell(&record, &mut told)?;
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
    /// that could not begin has no record. What the record was before is not shown.
    pub(super) async fn execution(&self, job: &JobId, begun: &Begun) -> Result<Ended, Error> {
        let machine = self.backfills.machine().await?;
        let (mut told, mut is_news) = (Told::new(begun.before.clone()), false);
        loop {
            // In this order: what the execution did last is in the record.
            let (standing, _) = machine.look(&begun.execution).await?;
            let record = self.backfills.record(job).await?;
            if let Some(record) = &record {
                is_news |= begun.is_news(record);
                self.tell(record, &mut told)?;
            }
            if !matches!(standing, Standing::Running) {
                self.bar.end();
                return Ok(Ended {
                    standing,
                    record,
                    is_news,
                    is_told: told.anything,
                });
            }
            tokio::time::sleep(self.every).await;
        }
    }

    /// What has changed, once; the bar goes with the time, too.
    fn tell(&self, record: &JobRecord, told: &mut Told) -> Result<(), Error> {
        let is_new = told.last.as_ref() != Some(record);
        told.anything |= is_new;
        if told.anything {
            let far = far(record);
            self.bar.set(far.done, far.all, told.with_pace(&far));
        }
        if is_new {
            self.print(record)?;
            told.last = Some(record.clone());
        }
        Ok(())
    }

    fn print(&self, record: &JobRecord) -> Result<(), Error> {
        if self.shown && !self.show.has_bar() {
            json(record)?;
        }
        Ok(())
    }

    /// The record that an execution came to. Its final state says more than the execution; without one of its own only the
    /// execution can say what happened.
    pub(super) fn result(&self, ended: Ended, execution: &str) -> Result<JobRecord, Error> {
        let failure = ended.standing.failure(execution);
        let record = match (ended.record, failure) {
            (Some(record), None) => record,
            (Some(record), Some(failure)) if record.state.is_final() && ended.is_news => {
                note(&failure.to_string());
                record
            }
            (_, Some(failure)) => return Err(failure),
            (None, None) => {
                let what = "the state machine".to_owned();
                return Err(Error::NotUnderstood { what });
            }
        };
        if !ended.is_told {
            self.print(&record)?;
        }
        Ok(record)
    }

    /// The record that a verification came to.
    pub(super) fn verified(
        &self,
        ended: Ended,
        execution: &str,
    ) -> Result<(JobRecord, End), Error> {
        let is_told = ended.is_told;
        let (record, end) = ended.verified(execution)?;
        if !is_told {
            self.print(&record)?;
        }
        Ok((record, end))
    }
}

impl Ended {
    /// What a verification came to, by its own execution alone: the record may be older.
    fn verified(self, execution: &str) -> Result<(JobRecord, End), Error> {
        let end = match self.standing.failure(execution) {
            None => End::Done,
            Some(failure) if failure.is_incomplete() => {
                note(&failure.to_string());
                End::NotCompleted
            }
            Some(failure) => return Err(failure),
        };
        let record = match self.standing {
            // Its output is the record as it left it.
            Standing::Succeeded(output) => serde_json::from_value(output).ok(),
            _ => None,
        };
        let not_understood = || Error::NotUnderstood {
            what: "the state machine".to_owned(),
        };
        let record = record.or(self.record).ok_or_else(not_understood)?;
        Ok((record, end))
    }
}

/// What is done until its end, or until somebody has seen enough: then `goes_on` says what is left to itself.
pub(super) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Error>>,
    goes_on: impl FnOnce() -> String,
) -> Result<T, Error> {
    // Nothing of the work is left, a bar is not either, when the words are printed.
    let interrupted = tokio::select! {
        // In this order: from here on it is heard, before anything is shown.
        biased;
        interrupted = tokio::signal::ctrl_c() => interrupted,
        done = work => return done,
    };
    interrupted.map_err(Error::Terminal)?;
    Err(Error::Interrupted(goes_on()))
}
