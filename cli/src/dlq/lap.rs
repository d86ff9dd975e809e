//! Going through a queue once: each message is seen once, and what is kept is given back.

use std::collections::HashSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
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

/// Messages that are held at most, of the about 120,000 of a standard queue that may be in flight: others need some too.
/// Source: SQS developer guide, "Amazon SQS message quotas".
const HELD_MAX: usize = 50_000;

/// So few, or so small a part of all (a twentieth), is within what the queue's own count may be wrong by.
const UNSEEN_FEW: u64 = 10;
const UNSEEN_PART: u64 = 20;

/// One way through a queue.
pub(super) struct Lap<'a> {
    client: &'a Client,
    queue: &'a Queue,
    hidden_seconds: i32,
    held_max: usize,
    seen: HashSet<String>,
    /// Receipts of what is to be given back.
    kept: Vec<String>,
    /// Whether it ended before the queue did.
    pub(super) is_cut: bool,
}

/// What a lap has not seen, about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unseen {
    /// Nothing, as far as the queue can say.
    Nothing,
    /// So many messages; as many as can be held at a time have been.
    Cut(u64),
    /// So many messages, though the queue gave no more: others hold too many.
    Much(u64),
}

impl Unseen {
    /// By what the queue said at the beginning and says now, before anything is given back.
    fn of(is_cut: bool, seen: u64, then: u64, now: u64) -> Self {
        let unseen = then.saturating_sub(seen).min(now);
        if is_cut {
            Self::Cut(unseen)
        } else if unseen > UNSEEN_FEW.max(then / UNSEEN_PART) {
            Self::Much(unseen)
        } else {
            Self::Nothing
        }
    }

    /// How many; what may be the queue's miscount is none.
    pub(super) fn messages(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Cut(messages) | Self::Much(messages) => messages,
        }
    }

    /// For people, if there is something to say.
    pub(super) fn words(self) -> Option<String> {
        let (messages, why) = match self {
            Self::Nothing => return None,
            Self::Cut(messages) => (messages, "so many are held that the queue was not read on"),
            Self::Much(messages) => (messages, "the queue gives out no more for now"),
        };
        let messages = counted(messages, "message");
        Some(format!("about {messages} not seen: {why}; ask once more"))
    }
}

impl<'a> Lap<'a> {
    /// What is received is hidden from others for so long.
    pub(super) fn new(client: &'a Client, queue: &'a Queue, hidden_seconds: i32) -> Self {
        Self {
            client,
            queue,
            hidden_seconds,
            held_max: HELD_MAX,
            seen: HashSet::new(),
            kept: Vec::new(),
            is_cut: false,
        }
    }

    /// Messages that were not seen before; none when the queue has no more, or as many are held as may be.
    pub(super) async fn next(&mut self) -> Result<Vec<Letter>, Error> {
        for _ in 0..NOTHING_NEW_MAX {
            if self.kept.len() >= self.held_max {
                self.is_cut = true;
                return Ok(Vec::new());
            }
            let asked = self
                .client
                .receive_message()
                .queue_url(&self.queue.url)
                .max_number_of_messages(BATCH.into())
                .visibility_timeout(self.hidden_seconds)
                .wait_time_seconds(WAIT_SECONDS)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
            let received = match asked.send().await {
                Ok(received) => received,
                // Others hold what can be given out at a time.
                Err(error) if error.code().is_some_and(|code| code.ends_with("OverLimit")) => {
                    self.is_cut = true;
                    return Ok(Vec::new());
                }
                Err(error) => {
                    return Err(Error::service("ReceiveMessage", &self.queue.name, &error));
                }
            };
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

    /// Messages that were seen so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen.len() as u64
    }

    /// It stays in the queue.
    pub(super) fn keep(&mut self, letter: &Letter) {
        self.kept.push(letter.receipt.clone());
    }

    /// What of the queue was not seen; to be asked at the end, before anything is given back.
    pub(super) async fn unseen(&self) -> Result<Unseen, Error> {
        let then = self.queue.messages;
        let seen = self.seen();
        if !self.is_cut && seen >= then {
            return Ok(Unseen::Nothing);
        }
        let now = self.queue.messages_now(self.client).await?;
        Ok(Unseen::of(self.is_cut, seen, then, now))
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

#[cfg(test)]
mod tests {
    use super::*;
    use ::tests::fake_aws::{FakeAws, Message};

    #[test]
    fn what_the_queue_may_have_miscounted_is_not_unseen() {
        for (seen, then, now, unseen) in [
            (100, 100, 0, Unseen::Nothing),
            (90, 100, 10, Unseen::Nothing),
            (89, 100, 11, Unseen::Much(11)),
            // Somebody else took the rest.
            (89, 100, 0, Unseen::Nothing),
            (950, 1_000, 50, Unseen::Nothing),
            (949, 1_000, 60, Unseen::Much(51)),
            (1_000, 100, 20, Unseen::Nothing),
        ] {
            let case = (seen, then, now);
            assert_eq!(Unseen::of(false, seen, then, now), unseen, "{case:?}");
        }
        assert_eq!(Unseen::of(true, 99, 100, 7), Unseen::Cut(1));
    }

    #[tokio::test]
    async fn no_more_is_held_than_may_be_and_all_of_it_is_given_back() {
        let fake = FakeAws::start();
        let url = fake.queue_url("q");
        for number in 0..25 {
            let message = Message {
                body: number.to_string(),
                attributes: [].into(),
                group_id: None,
            };
            fake.put_message("q", message);
        }
        let queue = Queue {
            name: "q".to_owned(),
            url,
            arn: "arn".to_owned(),
            messages: 25,
        };
        let client = fake.sqs_client();
        let mut lap = Lap {
            held_max: 20,
            ..Lap::new(&client, &queue, 900)
        };
        let mut held = 0;
        loop {
            let letters = lap.next().await.unwrap();
            if letters.is_empty() {
                break;
            }
            for letter in &letters {
                lap.keep(letter);
            }
            held += letters.len();
        }
        assert_eq!((held, lap.unseen().await.unwrap()), (20, Unseen::Cut(5)));
        assert_eq!(queue.messages_now(&client).await.unwrap(), 5);
        lap.give_back().await;
        assert_eq!(queue.messages_now(&client).await.unwrap(), 25);
    }
}
