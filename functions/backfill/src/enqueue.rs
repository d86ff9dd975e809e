//! `enqueue`: partitions, page by page, into the queue.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use shared::job::JobState;
use shared::telemetry::error_chain;
use tokio::time::Instant;

use crate::backoff::{self, Backoff};
use crate::context::{Context, rfc3339};
use crate::error::BackfillError;
use crate::found::{Found, PAGE_OBJECTS_MAX, Page};
use crate::job::{Job, Partition, Tally};
use crate::message::Envelope;
use crate::plan;
use crate::rate::{Limiter, Pace};
use crate::request::{Share, Shares};
use crate::send::Limits;
use crate::table::Told;

/// How often the record is told, at most.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// How often a partition's end is offered to a record that others are at.
const TELL_ATTEMPTS: u32 = 30;

/// How a partition was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// At its end.
    Done,
    /// The time is up.
    TimeUp,
    /// Somebody ended the job.
    Aborted,
}

struct Enqueue<'a> {
    context: Context<'a>,
    job: &'a Job,
    limiter: Option<Limiter>,
    told_at: Instant,
}

/// Works on the partitions one after the other; `done` is what was done, also if it fails.
pub async fn enqueue(
    context: Context<'_>,
    shares: &Shares,
    done: &mut Tally,
) -> Result<Value, BackfillError> {
    let job = context.services.table.job(&shares.job_id).await?;
    if job.record.state == JobState::Aborted {
        return Ok(shares.answer("aborted", &shares.items));
    }
    listing_still(&job)?;
    let mut enqueue = Enqueue {
        context,
        job: &job,
        limiter: shares.items.first().and_then(|share| limiter(&job, share)),
        told_at: Instant::now(),
    };
    let (mut failed, mut first_error) = (Vec::new(), None);
    for (place, share) in shares.items.iter().enumerate() {
        let left = || [&shares.items[place..], &failed].concat();
        match enqueue.partition(share.partition, done).await {
            Ok(End::Done) => {}
            Ok(End::TimeUp) => return Ok(shares.answer("incomplete", &left())),
            Ok(End::Aborted) => return Ok(shares.answer("aborted", &left())),
            // One that will never be listed leaves the others of its batch alone.
            Err(error) if error.is_of_one_partition() => {
                let (partition, words) = (share.partition, error_chain(&error));
                tracing::warn!(
                    job_id = shares.job_id,
                    partition,
                    error = words,
                    "partition is left out"
                );
                failed.push(share.clone());
                first_error.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match first_error {
        Some(error) => Err(error),
        None => Ok(shares.answer("complete", &[])),
    }
}

fn listing_still(job: &Job) -> Result<(), BackfillError> {
    match job.record.state {
        JobState::Listing => Ok(()),
        state => Err(BackfillError::WrongState {
            job_id: job.record.job_id.clone(),
            state: state.label(),
            detail: "go on with it by \"resume\": true",
        }),
    }
}

/// None if the job has no rate.
fn limiter(job: &Job, share: &Share) -> Option<Limiter> {
    let total = usize::try_from(job.record.partitions_total).unwrap_or(usize::MAX);
    let children = total.div_ceil(plan::batch(total)) as u64;
    let pace = Pace {
        per_second: share.max_rate_per_second.or(job.rate)?,
        children: share.workers.unwrap_or(job.workers).min(children),
    };
    Some(Limiter::new(pace.left_to(left(job))))
}

/// Partitions that are not done, as far as the record knows: it may say too many, never too few.
const fn left(job: &Job) -> u64 {
    let record = &job.record;
    record
        .partitions_total
        .saturating_sub(record.partitions_done)
}

impl Enqueue<'_> {
    async fn partition(&mut self, number: u64, done: &mut Tally) -> Result<End, BackfillError> {
        let table = &self.context.services.table;
        let mut partition = table.partition(self.job, number).await?;
        partition.expires_at = self.context.partition_expiry(SystemTime::now());
        if partition.done {
            return Ok(End::Done);
        }
        let from = partition.continuation.clone();
        let mut pages = self.context.pages(self.job, &partition.work, from).await?;
        let mut page = pages.next().await?;
        while let Some(this) = page {
            // The next page is on its way while this one goes into the queue: two pages are all that is in memory.
            let (end, next) = tokio::join!(self.page(&mut partition, this, done), pages.next());
            match end? {
                End::Done => {}
                End::TimeUp => return self.leave(&mut partition).await,
                End::Aborted => return Ok(End::Aborted),
            }
            page = next?;
        }
        self.finish(&mut partition).await
    }

    /// Takes its part of the rate that children have left which are done.
    async fn share_anew(&mut self) -> Result<(), BackfillError> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        let table = &self.context.services.table;
        let job = table.job(&self.job.record.job_id).await?;
        let pace = limiter.pace().left_to(left(&job));
        if pace != limiter.pace() {
            self.limiter = Some(Limiter::new(pace));
        }
        Ok(())
    }

    /// A page, or as many objects of it as there is time for; each slice of it is checkpointed once the queue has it.
    async fn page(
        &mut self,
        partition: &mut Partition,
        page: Page,
        done: &mut Tally,
    ) -> Result<End, BackfillError> {
        let mut at = 0;
        while at < page.found.len() {
            let slice = self.slice(&page.found[at..]);
            if !self.has_time_for(slice.len()) {
                return Ok(End::TimeUp);
            }
            let tally = self.send(slice).await?;
            at += slice.len();
            partition.tally += tally;
            partition.continuation = page.continuation(at);
            // What sends nothing may be done twice: with what the record is told is often enough.
            if !self.job.record.dry_run {
                self.checkpoint(partition).await?;
            }
            *done += tally;
            if self.told_at.elapsed() >= TELL_EVERY {
                self.told_at = Instant::now();
                match self.tell(partition, false).await? {
                    Told::Ended => return self.ended().await,
                    Told::Yes | Told::Later | Told::InProgress => {}
                }
                self.share_anew().await?;
            }
        }
        // Also beyond rows that do not count, and then it is written with the next ones.
        partition.continuation = Some(page.next);
        Ok(if self.context.is_over() {
            End::TimeUp
        } else {
            End::Done
        })
    }

    async fn checkpoint(&self, partition: &mut Partition) -> Result<(), BackfillError> {
        let change = partition.checkpoint()?;
        let table = &self.context.services.table;
        table.checkpoint(self.job, partition.number, change).await
    }

    fn slice<'f>(&self, found: &'f [Found]) -> &'f [Found] {
        let most = found.len().min(PAGE_OBJECTS_MAX);
        let most = match &self.limiter {
            Some(limiter) => limiter.pace().slice(most),
            None => most,
        };
        &found[..most]
    }

    fn has_time_for(&self, objects: usize) -> bool {
        let needed = match &self.limiter {
            Some(limiter) => limiter
                .pace()
                .period()
                .saturating_mul(u32::try_from(objects).unwrap_or(u32::MAX)),
            None => Duration::ZERO,
        };
        Instant::now() + needed < self.context.stop_at
    }

    async fn send(&self, found: &[Found]) -> Result<Tally, BackfillError> {
        let due: Vec<&Found> = found.iter().filter(|found| found.is_due()).collect();
        let is_dry_run = self.job.record.dry_run;
        let markers = found.iter().filter(|found| found.is_folder_marker());
        let left_out = markers.count() as u64;
        let tally = Tally {
            listed: found.len() as u64,
            enqueued: if is_dry_run { 0 } else { due.len() as u64 },
            left_out,
            archived: (found.len() - due.len()) as u64 - left_out,
            bytes_listed: due.iter().map(|found| found.size_bytes).sum(),
        };
        if !is_dry_run {
            let now = rfc3339(SystemTime::now());
            let envelope = Envelope {
                job_id: &self.job.record.job_id,
                bucket: &self.context.config.source_bucket,
                now: &now,
            };
            let limits = Limits {
                limiter: self.limiter.as_ref(),
                stop_at: self.context.stop_at,
            };
            self.context
                .services
                .queue
                .send(&due, envelope, limits)
                .await?;
        }
        Ok(tally)
    }

    /// Adds to the record what it does not have.
    async fn tell(&self, partition: &mut Partition, is_done: bool) -> Result<Told, BackfillError> {
        // What is not told stays to be told.
        let mut after = partition.clone();
        let news = partition.tally.since(partition.told);
        let change = after.told(is_done)?;
        let record = news.added_to(self.context.touch(SystemTime::now()));
        let record = if is_done {
            record.add("partitions_done", 1)
        } else {
            record
        };
        let job_id = &self.job.record.job_id;
        let table = &self.context.services.table;
        let told = table
            .tell(job_id, (partition.number, change), record)
            .await?;
        match told {
            Told::Yes => *partition = after,
            Told::InProgress => {
                return Err(BackfillError::InProgress {
                    job_id: job_id.clone(),
                    partition: partition.number,
                });
            }
            Told::Later | Told::Ended => {}
        }
        Ok(told)
    }

    /// The time is up. What cannot be told now is told by the next invocation.
    async fn leave(&self, partition: &mut Partition) -> Result<End, BackfillError> {
        match self.tell(partition, false).await? {
            Told::Ended => self.ended().await,
            Told::Later => {
                self.checkpoint(partition).await?;
                Ok(End::TimeUp)
            }
            Told::Yes | Told::InProgress => Ok(End::TimeUp),
        }
    }

    async fn finish(&self, partition: &mut Partition) -> Result<End, BackfillError> {
        let mut backoff = Backoff::new(TELL_ATTEMPTS);
        loop {
            match self.tell(partition, true).await? {
                Told::Yes => return Ok(End::Done),
                Told::Ended => return self.ended().await,
                Told::Later | Told::InProgress => {}
            }
            let delay = backoff.next(backoff::random());
            match delay.filter(|delay| Instant::now() + *delay < self.context.stop_at) {
                Some(delay) => tokio::time::sleep(delay).await,
                // Nothing is left of it but to say so.
                None => return Ok(End::TimeUp),
            }
        }
    }

    /// The record is not listing any more.
    async fn ended(&self) -> Result<End, BackfillError> {
        let job = self
            .context
            .services
            .table
            .job(&self.job.record.job_id)
            .await?;
        if job.record.state == JobState::Aborted {
            return Ok(End::Aborted);
        }
        listing_still(&job)?;
        Ok(End::TimeUp)
    }
}
