//! Going through a queue once: each message is seen once, and what is kept is given back.

use std::collections::HashSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, MessageSystemAttributeName};

use crate::aws::Queue;
use crate::error::Error;
use crate::show::{counted, note};

use super::letter::Letter;

/// Messages in one request. Source: SQS API reference, "`ReceiveMessage`" and the batch actions.
const BATCH: u8 = 10;

/// How long a queue is asked for more, seconds: with any wait it asks all of its servers.
const WAIT_SECONDS: i32 = 1;

/// Answers with nothing new after which all has been seen: what was hidden comes back when a lap takes long.
const NOTHING_NEW_MAX: u32 = 10;

/// One way through a queue.
pub(super) struct Lap<'a> {
    client: &'a Client,
    queue: &'a Queue,
    hidden_seconds: i32,
    seen: HashSet<String>,
    /// Receipts of what is to be given back.
    kept: Vec<String>,
}

impl<'a> Lap<'a> {
    /// What is received is hidden from others for so long.
    pub(super) fn new(client: &'a Client, queue: &'a Queue, hidden_seconds: i32) -> Self {
        Self {
            client,
            queue,
            hidden_seconds,
            seen: HashSet::new(),
            kept: Vec::new(),
        }
    }

    /// Messages that were not seen before; none when the queue has no more.
    pub(super) async fn next(&mut self) -> Result<Vec<Letter>, Error> {
        for _ in 0..NOTHING_NEW_MAX {
            let asked = self
                .client
                .receive_message()
                .queue_url(&self.queue.url)
                .max_number_of_messages(BATCH.into())
                .visibility_timeout(self.hidden_seconds)
                .wait_time_seconds(WAIT_SECONDS)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
            let received = asked
                .send()
                .await
                .map_err(|error| Error::service("ReceiveMessage", &self.queue.name, &error))?;
            let letters = received.messages.unwrap_or_default();
            if letters.is_empty() {
                return Ok(Vec::new());
            }
            let (new, again): (Vec<_>, Vec<_>) = letters
                .into_iter()
                .filter_map(Letter::read)
                .partition(|letter| self.seen.insert(letter.message_id.clone()));
            self.kept
                .extend(again.into_iter().map(|letter| letter.receipt));
            if !new.is_empty() {
                return Ok(new);
            }
        }
        Ok(Vec::new())
    }

    /// It stays in the queue.
    pub(super) fn keep(&mut self, letter: &Letter) {
        self.kept.push(letter.receipt.clone());
    }

    /// Gives back what was kept. What cannot be given back comes back by itself.
    pub(super) async fn give_back(self) {
        let mut hidden = 0;
        for receipts in self.kept.chunks(BATCH.into()) {
            let entries = receipts.iter().enumerate().filter_map(|(number, receipt)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(number.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(0);
                entry.build().ok()
            });
            let asked = self
                .client
                .change_message_visibility_batch()
                .queue_url(&self.queue.url)
                .set_entries(Some(entries.collect()));
            hidden += match asked.send().await {
                Ok(answer) => answer.failed.len(),
                Err(_) => receipts.len(),
            };
        }
        if hidden > 0 {
            let what = counted(hidden as u64, "message");
            note(&format!(
                "{what} could not be given back and can be received again in {} seconds",
                self.hidden_seconds
            ));
        }
    }
}
