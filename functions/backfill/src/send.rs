//! Objects into the queue.

use std::num::NonZeroUsize;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::Instant;

use crate::backoff::{self, Backoff};
use crate::error::BackfillError;
use crate::found::Found;
use crate::message::Envelope;
use crate::rate::Limiter;
use crate::refusal::{Class, Refusal};

/// Most messages of one call. Source: SQS API reference, "`SendMessageBatch`".
const BATCH_MESSAGES_MAX: usize = 10;
/// How often messages that were not taken are offered again.
const ATTEMPTS_MAX: u32 = 10;

/// The queue of `compress`.
#[derive(Clone, Debug)]
pub struct Queue {
    sqs: Client,
    url: String,
    concurrency: NonZeroUsize,
}

/// Within which limits.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// The child's share of the job's rate.
    pub limiter: Option<&'a Limiter>,
    /// No attempt begins after it.
    pub stop_at: Instant,
}

impl Queue {
    /// The queue at `url`, with so many calls in flight at most.
    #[must_use]
    pub fn new(sqs: Client, url: &str, concurrency: NonZeroUsize) -> Self {
        Self {
            sqs,
            url: url.to_owned(),
            concurrency,
        }
    }

    /// Sends one message for each object: `Ok` = the queue has taken every one of them.
    ///
    /// Ten of the longest messages are far below the limit of a call in bytes, so ten always go together.
    pub async fn send(
        &self,
        found: &[&Found],
        envelope: Envelope<'_>,
        limits: Limits<'_>,
    ) -> Result<(), BackfillError> {
        stream::iter(found.chunks(BATCH_MESSAGES_MAX))
            .then(|batch| async move {
                if let Some(limiter) = limits.limiter {
                    limiter.pass(batch.len()).await;
                }
                Ok(batch)
            })
            .try_for_each_concurrent(self.concurrency.get(), |batch| {
                self.batch(batch, envelope, limits.stop_at)
            })
            .await
    }

    async fn batch(
        &self,
        batch: &[&Found],
        envelope: Envelope<'_>,
        stop_at: Instant,
    ) -> Result<(), BackfillError> {
        let mut left = entries(batch, envelope)?;
        let mut backoff = Backoff::new(ATTEMPTS_MAX);
        loop {
            let sent = self
                .sqs
                .send_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(left.clone()))
                .send()
                .await;
            let detail = match sent {
                Ok(answer) => take(&mut left, &answer, batch)?,
                Err(error) => match Refusal::new("SendMessageBatch", error) {
                    refusal if Class::of(&refusal) == Class::Unavailable => refusal.to_string(),
                    refusal => return Err(refusal.into()),
                },
            };
            if left.is_empty() {
                return Ok(());
            }
            let delay = backoff.next(backoff::random());
            match delay.filter(|delay| Instant::now() + *delay < stop_at) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(BackfillError::QueueBusy { detail }),
            }
        }
    }
}

/// Numbered by their place in the batch.
fn entries(
    batch: &[&Found],
    envelope: Envelope<'_>,
) -> Result<Vec<SendMessageBatchRequestEntry>, BackfillError> {
    let entry = |(place, found): (usize, &&Found)| {
        SendMessageBatchRequestEntry::builder()
            .id(place.to_string())
            .message_body(envelope.body(found)?)
            // On a standard queue: a fair share for each group, so that a job does not keep live traffic waiting.
            .message_group_id(envelope.job_id)
            .build()
            .map_err(|error| BackfillError::Request(Box::new(error)))
    };
    batch.iter().enumerate().map(entry).collect()
}

/// Takes out of `left` what the queue has, and says why it has not the rest.
fn take(
    left: &mut Vec<SendMessageBatchRequestEntry>,
    answer: &SendMessageBatchOutput,
    batch: &[&Found],
) -> Result<String, BackfillError> {
    let mut detail = String::new();
    for failed in answer.failed() {
        let said = failed.message().unwrap_or_default();
        detail = format!("{}: {said}", failed.code());
        if failed.sender_fault() && !failed.code().contains("Throttl") {
            let place: Option<usize> = failed.id().parse().ok();
            let found = place.and_then(|place| batch.get(place));
            return Err(BackfillError::MessageRefused {
                key: found.map(|found| found.key.clone()).unwrap_or_default(),
                detail,
            });
        }
    }
    // What neither list names is not known to be taken.
    left.retain(|entry| !answer.successful().iter().any(|it| it.id() == entry.id()));
    Ok(detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchResultEntry};

    fn found(key: &str) -> Found {
        Found {
            key: key.to_owned(),
            size_bytes: 1,
            etag: None,
            version_id: None,
            is_archived: false,
            modified_s: None,
            next_row: None,
        }
    }

    fn answer(taken: &[&str], failed: &[(&str, &str, bool)]) -> SendMessageBatchOutput {
        let taken = taken.iter().map(|id| {
            let entry = SendMessageBatchResultEntry::builder();
            let entry = entry.id(*id).message_id("m").md5_of_message_body("0");
            entry.build().unwrap()
        });
        let failed = failed.iter().map(|(id, code, is_sender_fault)| {
            let entry = BatchResultErrorEntry::builder().id(*id).code(*code);
            entry.sender_fault(*is_sender_fault).build().unwrap()
        });
        SendMessageBatchOutput::builder()
            .set_successful(Some(taken.collect()))
            .set_failed(Some(failed.collect()))
            .build()
            .unwrap()
    }

    fn taken(answer: &SendMessageBatchOutput) -> Result<Vec<String>, BackfillError> {
        let objects = ["a", "b", "c"].map(found);
        let batch: Vec<&Found> = objects.iter().collect();
        let envelope = Envelope {
            job_id: "j",
            bucket: "b",
            now: "t",
        };
        let mut left = entries(&batch, envelope).unwrap();
        take(&mut left, answer, &batch)?;
        Ok(left.iter().map(|entry| entry.id().to_owned()).collect())
    }

    #[test]
    fn only_what_was_not_taken_is_left() {
        assert!(taken(&answer(&["0", "1", "2"], &[])).unwrap().is_empty());
        let partly = answer(&["0", "2"], &[("1", "InternalError", false)]);
        assert_eq!(taken(&partly).unwrap(), ["1"]);
        assert_eq!(taken(&answer(&["1"], &[])).unwrap(), ["0", "2"]);
        let busy = answer(&["0", "1"], &[("2", "RequestThrottled", true)]);
        assert_eq!(taken(&busy).unwrap(), ["2"]);
    }

    #[test]
    fn a_message_that_the_queue_will_never_take_names_its_object() {
        let refused = answer(&["0", "1"], &[("2", "InvalidMessageContents", true)]);
        match taken(&refused).unwrap_err() {
            BackfillError::MessageRefused { key, detail } => {
                assert_eq!((&*key, &*detail), ("c", "InvalidMessageContents: "));
            }
            other => panic!("{other}"),
        }
    }

    #[test]
    fn each_message_is_of_the_jobs_group() {
        let envelope = Envelope {
            job_id: "j",
            bucket: "b",
            now: "t",
        };
        let entries = entries(&[&found("a")], envelope).unwrap();
        assert_eq!(entries[0].message_group_id(), Some("j"));
    }
}
