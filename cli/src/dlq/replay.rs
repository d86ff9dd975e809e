//! `sluice dlq replay`: the body goes back to the queue of the compressor, then the dead letter goes.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use futures_util::future::join_all;
use serde::Serialize;
use shared::deadline::epoch_ms;

use crate::args::dlq::{Reason, Replay};
use crate::error::{End, Error};
use crate::progress::Bar;
use crate::show::{Show, count, counted, note};

use super::Queues;
use super::lap::Lap;
use super::letter::Letter;

/// How long what is received is hidden, seconds: longer than a lap through all but the largest queues takes.
const HIDDEN_SECONDS: i32 = 900;

/// How far this machine's clock may be from the queue's; the SDK's signatures allow no more.
const SKEW: Duration = Duration::from_mins(5);

/// What was done.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Replayed {
    /// Nothing was sent or removed.
    pub(super) dry_run: bool,
    /// Sent back, or with `dry_run` those that would be.
    #[serde(rename = "replayed")]
    pub(super) sent: u64,
    /// The same, by reason.
    pub(super) by_reason: BTreeMap<String, u64>,
    /// Left where they are, since something else was asked for.
    pub(super) left: u64,
    /// Failed again already; left where they are.
    pub(super) came_back: u64,
    /// Sent back, and still there: they will come twice, which does no harm.
    pub(super) not_removed: u64,
    /// Not even looked at, about.
    pub(super) unseen: u64,
    /// Whether it ended before the queue did.
    #[serde(skip)]
    pub(super) is_cut: bool,
}

/// Which, and how fast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) reason: Option<Reason>,
    pub(super) limit: u64,
    pub(super) dry_run: bool,
    /// Messages per second.
    pub(super) rate: Option<u32>,
}

/// Sends back what was asked for.
pub(super) async fn run(queues: &Queues, show: Show, args: &Replay) -> Result<End, Error> {
    let wanted = Wanted {
        reason: args.reason,
        limit: args.limit.unwrap_or(u64::MAX),
        dry_run: args.dry_run,
        rate: None,
    };
    let replayed = replay(queues, show, wanted).await?;
    show.document(&replayed, || words(&replayed))?;
    Ok(end(&replayed))
}

/// Something that was asked for and is still there needs another look.
pub(super) fn end(replayed: &Replayed) -> End {
    let left_over = replayed.came_back + replayed.not_removed + replayed.unseen;
    if left_over == 0 && !replayed.is_cut {
        End::Done
    } else {
        End::NotCompleted
    }
}

/// What was done, in words.
pub(super) fn words(replayed: &Replayed) -> String {
    let verb = if replayed.dry_run {
        "would send back"
    } else {
        "sent back"
    };
    let mut words = vec![format!("{verb} {}", counted(replayed.sent, "message"))];
    for (reason, number) in &replayed.by_reason {
        words.push(format!("{} of them {reason}", count(*number)));
    }
    for (number, what) in [
        (replayed.left, "left"),
        (replayed.came_back, "failed again and left"),
        (replayed.not_removed, "sent back but not removed"),
        (replayed.unseen, "not seen"),
    ] {
        if number > 0 {
            words.push(format!("{} {what}", count(number)));
        }
    }
    words.join(", ")
}

/// One lap: every message is seen once, and what is not wanted is given back at its end.
pub(super) async fn replay(queues: &Queues, show: Show, wanted: Wanted) -> Result<Replayed, Error> {
    let mut lap = Lap::new(&queues.client, &queues.dead, HIDDEN_SECONDS);
    let bar = Bar::new(show, "reading dead letters");
    let mut replayer = Replayer {
        queues,
        wanted,
        began_ms: epoch_ms(SystemTime::now() - SKEW),
        sent: HashSet::new(),
        done: Replayed {
            dry_run: wanted.dry_run,
            ..Replayed::default()
        },
    };
    let worked = replayer.work(&mut lap, &bar).await;
    bar.end();
    let worked = match worked {
        Ok(()) => replayer.look_back(&lap).await,
        Err(error) => Err(error),
    };
    lap.give_back().await;
    if let Err(error) = worked {
        note(&format!("before that: {}", words(&replayer.done)));
        return Err(error);
    }
    Ok(replayer.done)
}

struct Replayer<'a> {
    queues: &'a Queues,
    wanted: Wanted,
    /// What came to the dead-letter queue before was not sent by us.
    began_ms: u64,
    /// Fingerprints of what was sent.
    sent: HashSet<u64>,
    done: Replayed,
}

impl Replayer<'_> {
    async fn work(&mut self, lap: &mut Lap<'_>, bar: &Bar) -> Result<(), Error> {
        while self.done.sent < self.wanted.limit {
            let letters = lap.next().await?;
            if letters.is_empty() {
                break;
            }
            let mut chosen = Vec::new();
            for letter in letters {
                let room = self.wanted.limit - self.done.sent;
                if self.is_wanted(&letter, chosen.len() as u64 == room) {
                    chosen.push(letter);
                } else {
                    lap.keep(&letter);
                }
            }
            self.back_to_work(lap, chosen).await?;
            let seen = self.done.sent + self.done.left + self.done.came_back;
            bar.set(seen, self.queues.dead.messages.max(seen), words(&self.done));
        }
        Ok(())
    }

    /// What was not seen, unless as many were sent back as were asked for.
    async fn look_back(&mut self, lap: &Lap<'_>) -> Result<(), Error> {
        if self.done.sent == self.wanted.limit {
            return Ok(());
        }
        let unseen = lap.unseen().await?;
        self.done.unseen = unseen.messages();
        if let Some(words) = unseen.words() {
            self.done.is_cut = true;
            note(&words);
        }
        Ok(())
    }

    fn is_wanted(&mut self, letter: &Letter, is_full: bool) -> bool {
        let is_new = letter.sent_at_ms.is_none_or(|sent| sent >= self.began_ms);
        if is_new && self.sent.contains(&letter.fingerprint()) {
            self.done.came_back += 1;
            return false;
        }
        let wanted = !is_full && letter.has(self.wanted.reason);
        self.done.left += u64::from(!wanted);
        wanted
    }

    /// Ten at most, side by side. What the queue has not confirmed stays a dead letter.
    async fn back_to_work(&mut self, lap: &mut Lap<'_>, letters: Vec<Letter>) -> Result<(), Error> {
        if self.wanted.dry_run {
            for letter in &letters {
                self.count(letter);
                lap.keep(letter);
            }
            return Ok(());
        }
        let began = tokio::time::Instant::now();
        let sent = join_all(letters.iter().map(|letter| self.send(letter))).await;
        let (mut confirmed, mut failure) = (Vec::new(), None);
        for (letter, sent) in letters.iter().zip(sent) {
            match sent {
                Ok(()) => confirmed.push(letter),
                Err(error) => {
                    lap.keep(letter);
                    failure = Some(error);
                }
            }
        }
        for letter in &confirmed {
            self.sent.insert(letter.fingerprint());
            self.count(letter);
        }
        self.done.not_removed += self.remove(&confirmed).await;
        match (failure, self.wanted.rate) {
            (Some(error), _) => return Err(error),
            (None, Some(rate)) => {
                let least = Duration::from_secs(letters.len() as u64) / rate.max(1);
                tokio::time::sleep_until(began + least).await;
            }
            (None, None) => {}
        }
        Ok(())
    }

    fn count(&mut self, letter: &Letter) {
        self.done.sent += 1;
        let reason = letter.reason_label().to_owned();
        *self.done.by_reason.entry(reason).or_default() += 1;
    }

    /// The body alone; the group is that of the job in it.
    async fn send(&self, letter: &Letter) -> Result<(), Error> {
        let source = &self.queues.source;
        let asked = self.queues.client.send_message().queue_url(&source.url);
        let asked = asked.message_body(&letter.body);
        let sent = asked
            .set_message_group_id(letter.job_id.clone())
            .send()
            .await;
        let failed = |error| Error::service("SendMessage", &source.name, &error);
        sent.map(drop).map_err(failed)
    }

    /// How many are still there.
    async fn remove(&self, letters: &[&Letter]) -> u64 {
        if letters.is_empty() {
            return 0;
        }
        let entries = letters.iter().enumerate().filter_map(|(number, letter)| {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .receipt_handle(&letter.receipt);
            entry.build().ok()
        });
        let asked = self
            .queues
            .client
            .delete_message_batch()
            .queue_url(&self.queues.dead.url)
            .set_entries(Some(entries.collect()));
        match asked.send().await {
            Ok(answer) => answer.failed.len() as u64,
            Err(error) => {
                let error = Error::service("DeleteMessageBatch", &self.queues.dead.name, &error);
                note(&error.to_string());
                letters.len() as u64
            }
        }
    }
}
