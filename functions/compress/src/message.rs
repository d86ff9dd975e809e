//! One message: every object in it, and what becomes of the message.

use std::ops::AddAssign;

use shared::Retryable;
use shared::s3_event::{BadMessage, CreatedObject, Message, Notice, parse};
use shared::telemetry::error_chain;
use tokio::time::{Instant, timeout_at};

use crate::dead_letter::DeadLetters;
use crate::decide::SkipReason;
use crate::error::CompressError;
use crate::object::{Compressor, Outcome};

/// What was done, in objects and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Objects whose output was written.
    pub compressed: u64,
    /// Objects deliberately left alone.
    pub skipped: u64,
    /// Objects (or unreadable messages) handed to the dead-letter queue.
    pub dead_lettered: u64,
    /// Bytes read of compressed objects.
    pub input_bytes: u64,
    /// Bytes written.
    pub output_bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.compressed += other.compressed;
        self.skipped += other.skipped;
        self.dead_lettered += other.dead_lettered;
        self.input_bytes += other.input_bytes;
        self.output_bytes += other.output_bytes;
    }
}

impl Tally {
    fn of(outcome: &Outcome) -> Self {
        match *outcome {
            Outcome::Compressed {
                input_bytes,
                output_bytes,
            } => Self {
                compressed: 1,
                input_bytes,
                output_bytes,
                ..Self::default()
            },
            Outcome::Skipped(_) => Self {
                skipped: 1,
                ..Self::default()
            },
        }
    }
}

/// A message that must come back: something in it may succeed later, or a permanent failure was not taken by the
/// dead-letter queue. What succeeded before is found done then.
#[derive(Debug, thiserror::Error)]
#[error("message must come back")]
pub struct Unfinished {
    /// What was done all the same.
    pub done: Tally,
    /// The last failure.
    #[source]
    pub error: CompressError,
}

/// Works on every object of `message`, one after the other.
pub async fn process(
    compressor: &Compressor,
    dead_letters: &DeadLetters,
    message: &Message,
    stop_at: Instant,
) -> Result<Tally, Unfinished> {
    let mut tally = Tally::default();
    let mut permanent = Vec::new();
    let mut retry = None;
    let notices = parse(&message.body).unwrap_or_else(|bad| vec![Err(bad)]);
    for notice in notices {
        let (object, result) = work(compressor, notice, stop_at).await;
        match result {
            Ok(outcome) => {
                log_outcome(object.as_ref(), &outcome);
                tally += Tally::of(&outcome);
            }
            Err(error) => {
                log_failure(&message.id, object.as_ref(), &error);
                if error.is_retryable() {
                    retry = Some(error);
                } else {
                    permanent.push((object, error));
                }
            }
        }
    }
    if let Some(error) = retry {
        return Err(Unfinished { done: tally, error });
    }
    for (object, error) in permanent {
        let reason = error.reason().unwrap_or_default();
        let sending = dead_letters.send(&message.body, object.as_ref(), error);
        let late = Err(CompressError::DeadLetter {
            reason,
            source: None,
        });
        let sent = timeout_at(stop_at, sending).await.unwrap_or(late);
        if let Err(error) = sent {
            log_failure(&message.id, object.as_ref(), &error);
            return Err(Unfinished { done: tally, error });
        }
        tally.dead_lettered += 1;
    }
    Ok(tally)
}

async fn work(
    compressor: &Compressor,
    notice: Result<Notice, BadMessage>,
    stop_at: Instant,
) -> (Option<CreatedObject>, Result<Outcome, CompressError>) {
    match notice {
        Err(bad) => (None, Err(bad.into())),
        Ok(Notice::Other { event_name }) => {
            tracing::debug!(event_name, "not a creation");
            (None, Ok(SkipReason::NotACreation.into()))
        }
        // Below the margin nothing is begun: what is not done comes back.
        Ok(Notice::Created(object)) if Instant::now() >= stop_at => {
            (Some(object), Err(CompressError::OutOfTime))
        }
        Ok(Notice::Created(object)) => {
            let result = compressor.compress(&object, stop_at).await;
            (Some(object), result)
        }
    }
}

fn log_outcome(object: Option<&CreatedObject>, outcome: &Outcome) {
    let Some(CreatedObject { bucket, key, .. }) = object else {
        return;
    };
    match outcome {
        Outcome::Compressed {
            input_bytes,
            output_bytes,
        } => {
            tracing::debug!(
                bucket,
                key,
                size_bytes = input_bytes,
                output_bytes,
                outcome = "compressed",
                "object"
            );
        }
        Outcome::Skipped(reason) => {
            tracing::debug!(
                bucket,
                key,
                outcome = "skipped",
                reason = reason.label(),
                "object"
            );
        }
    }
}

fn log_failure(message_id: &str, object: Option<&CreatedObject>, error: &CompressError) {
    let bucket = object.map(|object| object.bucket.as_str());
    let key = object.map(|object| object.key.as_str());
    let message_id = Some(message_id).filter(|id| !id.is_empty());
    tracing::error!(
        message_id,
        bucket,
        key,
        outcome = "failed",
        reason = error.reason(),
        retryable = error.is_retryable(),
        error = error_chain(error),
        "object"
    );
}
