//! What an invocation did for backfills' jobs: summed per job, told once to each one's record.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use shared::batch::{self, Failure};
use shared::job::Outcomes;
use shared::jobs::{Jobs, JobsError};
use shared::s3_event::job_id;
use shared::telemetry::error_chain;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, timeout_at};

use crate::message::Tally;

/// Most time that all records together may take: progress that is not told is worth less than an answer that is late.
const TELLING_MAX: Duration = Duration::from_secs(2);

/// The same where an invocation has nothing of its own to tell.
const OWED_ALONE_MAX: Duration = Duration::from_millis(300);

/// How long nothing is told after that time was spent on a table that gave no answer.
pub const SILENCE: Duration = Duration::from_secs(30);

/// Most jobs to which something is owed at a time.
const OWED_JOBS_MAX: usize = 100;

/// Records written at the same time. A batch rarely has messages of more than one or two jobs.
const AT_ONCE: NonZeroUsize = NonZeroUsize::new(10).unwrap();

/// Sums by job what became of messages, each given by its body. What belongs to no job is in no sum.
#[must_use]
pub fn sums<'a>(done: impl Iterator<Item = (&'a str, &'a Tally)>) -> BTreeMap<String, Outcomes> {
    let mut sums = BTreeMap::<String, Outcomes>::new();
    for (body, tally) in done {
        let Some(job_id) = job_id(body) else {
            continue;
        };
        *sums.entry(job_id).or_default() += Outcomes {
            succeeded: tally.compressed,
            skipped: tally.skipped,
            failed: tally.dead_lettered,
            bytes_in: tally.input_bytes,
            bytes_out: tally.output_bytes,
        };
    }
    sums
}

/// Tells jobs; one per process.
#[derive(Debug)]
pub struct Teller {
    jobs: Jobs,
    silence: Mutex<Silence>,
    owed: Mutex<Owed>,
}

impl Teller {
    /// To the records of this table.
    #[must_use]
    pub fn new(jobs: Jobs) -> Self {
        Self {
            jobs,
            silence: Mutex::default(),
            owed: Mutex::default(),
        }
    }

    /// Tells each job its sum: one `UpdateItem` each, within two seconds and never after `stop_at`. A table that took all of
    /// that time and gave no answer is left alone for [`SILENCE`]: live messages are in the same batches.
    ///
    /// What could not be told is a warning: the objects are done all the same, and a verification counts them. What the table
    /// surely did not take is told with the next invocation's; what it may have taken is not, since a count too many may end a
    /// job too early, and one too few does not.
    pub async fn tell(&self, sums: BTreeMap<String, Outcomes>, now: SystemTime, stop_at: Instant) {
        let now_rfc3339 = rfc3339(now);
        let began = Instant::now();
        // What is owed alone waits for nobody: the messages are live.
        let most = if sums.is_empty() {
            OWED_ALONE_MAX
        } else {
            TELLING_MAX
        };
        let end = stop_at.min(began + most);
        let had_time = end == began + most;
        let is_silent = lock(&self.silence).lasts(began);
        let sums = lock(&self.owed).and(sums);
        let sums = sums.into_iter().filter(|(_, sum)| !sum.is_empty());
        let tell_one = |(job_id, sum): (String, Outcomes)| {
            let now_rfc3339 = now_rfc3339.as_str();
            async move {
                let told = if is_silent {
                    Err(Untold::later("the table gave no answer a moment ago"))
                } else if end <= Instant::now() {
                    Err(Untold::later("no time left"))
                } else {
                    let asked = self.jobs.add(&job_id, &sum, now_rfc3339, end);
                    if let Ok(told) = timeout_at(end, asked).await {
                        told.map_err(|error| Untold::by(&error))
                    } else {
                        if had_time {
                            lock(&self.silence).begin(Instant::now());
                        }
                        Err(Untold {
                            error: "no answer in time".to_owned(),
                            is_kept: false,
                        })
                    }
                };
                if let Err(untold) = told {
                    warn(&job_id, &sum, &untold);
                    if untold.is_kept {
                        lock(&self.owed).keep(job_id, sum);
                    }
                }
                Ok::<(), Infallible>(())
            }
        };
        for told in batch::process(sums.collect(), AT_ONCE, tell_one).await {
            if let Err(Failure::Panicked(panic)) = told {
                tracing::warn!(error = panic, "job was not told");
            }
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a job was not told.
struct Untold {
    error: String,
    /// Whether the table surely did not take it, and it is told later.
    is_kept: bool,
}

impl Untold {
    fn later(error: &str) -> Self {
        Self {
            error: error.to_owned(),
            is_kept: true,
        }
    }

    fn by(error: &JobsError) -> Self {
        Self {
            error: error_chain(error),
            is_kept: error.is_busy(),
        }
    }
}

/// What is yet to be told, by job.
#[derive(Debug, Default)]
struct Owed(BTreeMap<String, Outcomes>);

impl Owed {
    /// All of it, together with what has come since; nothing is owed then.
    fn and(&mut self, mut sums: BTreeMap<String, Outcomes>) -> BTreeMap<String, Outcomes> {
        for (job_id, owed) in std::mem::take(&mut self.0) {
            *sums.entry(job_id).or_default() += owed;
        }
        sums
    }

    fn keep(&mut self, job_id: String, sum: Outcomes) {
        if self.0.len() < OWED_JOBS_MAX || self.0.contains_key(&job_id) {
            *self.0.entry(job_id).or_default() += sum;
        }
    }
}

/// The time in which nothing is told.
#[derive(Debug, Default)]
struct Silence {
    until: Option<Instant>,
}

impl Silence {
    fn begin(&mut self, now: Instant) {
        self.until = Some(now + SILENCE);
    }

    fn lasts(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// Whole seconds, as all times of a record.
fn rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let at = at.replace_nanosecond(0).unwrap_or(at);
    at.format(&Rfc3339).unwrap_or_default()
}

fn warn(job_id: &str, sum: &Outcomes, untold: &Untold) {
    let Outcomes {
        succeeded,
        skipped,
        failed,
        ..
    } = *sum;
    tracing::warn!(
        job_id,
        succeeded,
        skipped,
        failed,
        error = untold.error,
        kept = untold.is_kept,
        "job was not told"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(compressed: u64, skipped: u64, dead_lettered: u64) -> Tally {
        Tally {
            compressed,
            skipped,
            dead_lettered,
            input_bytes: compressed * 10,
            output_bytes: compressed * 3,
        }
    }

    #[test]
    fn a_silence_ends_after_thirty_seconds_and_begins_again_from_the_last_wait() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut silence = Silence::default();
        assert!(!silence.lasts(now));
        silence.begin(now);
        let lasts = [0, 29, 30, 31].map(|seconds| silence.lasts(at(seconds)));
        assert_eq!(lasts, [true, true, false, false]);
        silence.begin(at(31));
        assert!(silence.lasts(at(60)) && !silence.lasts(at(61)));
    }

    #[test]
    fn what_is_owed_is_told_with_what_comes_next_and_once() {
        let sum = |succeeded| Outcomes {
            succeeded,
            ..Outcomes::default()
        };
        let sums = |pairs: &[(&str, u64)]| -> BTreeMap<String, Outcomes> {
            let pairs = pairs.iter();
            pairs
                .map(|(job_id, succeeded)| ((*job_id).to_owned(), sum(*succeeded)))
                .collect()
        };
        let mut owed = Owed::default();
        owed.keep("a".to_owned(), sum(2));
        owed.keep("a".to_owned(), sum(3));
        owed.keep("b".to_owned(), sum(1));
        assert_eq!(owed.and(sums(&[("a", 4)])), sums(&[("a", 9), ("b", 1)]));
        assert_eq!(owed.and(sums(&[("c", 1)])), sums(&[("c", 1)]));
        for number in 0..2 * OWED_JOBS_MAX {
            owed.keep(number.to_string(), sum(1));
        }
        owed.keep("0".to_owned(), sum(1));
        let kept = owed.and(BTreeMap::new());
        assert_eq!((kept.len(), kept["0"].succeeded), (OWED_JOBS_MAX, 2));
    }

    #[test]
    fn each_job_gets_the_sum_of_its_messages_and_nobody_the_rest() {
        let one = r#"{"Records":[],"job_id":"one"}"#;
        let two = r#"{"Records":[],"job_id":"two"}"#;
        let none = r#"{"Records":[],"job_id":"not a name"}"#;
        let done = [
            (one, tally(1, 0, 0)),
            (two, tally(0, 1, 0)),
            (one, tally(2, 0, 1)),
            (none, tally(5, 5, 5)),
            ("not JSON", tally(0, 0, 1)),
        ];
        let sums = sums(done.iter().map(|(body, tally)| (*body, tally)));
        let names: Vec<_> = sums.keys().collect();
        assert_eq!(names, ["one", "two"]);
        let one = Outcomes {
            succeeded: 3,
            skipped: 0,
            failed: 1,
            bytes_in: 30,
            bytes_out: 9,
        };
        assert_eq!(sums["one"], one);
        assert_eq!((sums["two"].skipped, sums["two"].succeeded), (1, 0));
    }
}
