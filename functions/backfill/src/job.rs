//! A job and its partitions as items of the table. Pure.

use aws_sdk_dynamodb::types::AttributeValue;
use shared::job::JobRecord;
use shared::jobs::{Item, number, number_of, record, text, text_of};

use crate::change::Change;
use crate::error::BackfillError;
use crate::work::{Continuation, Inventory, Work};

/// What the sort keys of partitions begin with.
pub const PARTITION: &str = "partition#";

/// A job: what everybody may read, and what only this function needs.
#[derive(Clone, Debug)]
pub struct Job {
    /// The record.
    pub record: JobRecord,
    /// Whose plan it is: the invocation that made it. Items of another one are not of this job.
    pub plan: String,
    /// Which execution drives it.
    pub execution: Option<String>,
    /// Children at a time.
    pub workers: u64,
    /// Messages a second, all children together; none = as fast as it goes.
    pub rate: Option<f64>,
    /// Where the objects are read from, if not from a listing.
    pub inventory: Option<Inventory>,
    /// When the record goes unless it is written again, seconds since the Unix epoch.
    pub expires_at: u64,
    /// The verification that is under way.
    pub verifying: Option<Verifying>,
}

/// A round of verification that has begun and is not concluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verifying {
    /// Its name: `verifying`.
    pub round: String,
    /// When one of its invocations last began, RFC 3339 UTC: `verifying_at`.
    pub at: String,
    /// Whose it is: `verifying_by`; none = somebody's by hand.
    pub by: Option<String>,
}

/// What was done of a partition, since its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Objects seen.
    pub listed: u64,
    /// Objects enqueued.
    pub enqueued: u64,
    /// Folder markers.
    pub left_out: u64,
    /// Objects that must be restored before anybody can read them.
    pub archived: u64,
    /// Bytes of what was enqueued, or would be.
    pub bytes_listed: u64,
}

/// How far the verification of a partition is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Which.
    pub round: String,
    /// Where to go on.
    pub continuation: Option<Continuation>,
    /// Whether it is at its end.
    pub done: bool,
    /// Sources that were looked at.
    pub sources: u64,
    /// Of them, those that were to be removed.
    pub remaining: u64,
    /// Of them, or of those that are gone, without an output.
    pub missing_outputs: u64,
    /// Of these, those whose source is gone.
    pub gone: u64,
}

/// A partition.
#[derive(Clone, Debug)]
pub struct Partition {
    /// From 0.
    pub number: u64,
    /// What it is.
    pub work: Work,
    /// Counts every write, so that of two invocations that are at it one gives way.
    pub revision: u64,
    /// Done so far.
    pub tally: Tally,
    /// Of that, what the record has.
    pub told: Tally,
    /// Where to go on.
    pub continuation: Option<Continuation>,
    /// Whether it is at its end, and the record knows.
    pub done: bool,
    /// The last one.
    pub verification: Verification,
    /// When the item goes unless it is written again, seconds since the Unix epoch: every write says it anew.
    pub expires_at: u64,
}

/// The sort key of a partition.
#[must_use]
pub fn partition_item(partition: u64) -> String {
    format!("{PARTITION}{partition:05}")
}

impl Tally {
    /// What has come to it since `told`.
    #[must_use]
    pub const fn since(self, told: Self) -> Self {
        Self {
            listed: self.listed.saturating_sub(told.listed),
            enqueued: self.enqueued.saturating_sub(told.enqueued),
            left_out: self.left_out.saturating_sub(told.left_out),
            archived: self.archived.saturating_sub(told.archived),
            bytes_listed: self.bytes_listed.saturating_sub(told.bytes_listed),
        }
    }

    /// Adds it to a record.
    #[must_use]
    pub fn added_to(self, change: Change) -> Change {
        change
            .add("listed", self.listed)
            .add("enqueued", self.enqueued)
            .add("left_out", self.left_out)
            .add("archived", self.archived)
            .add("bytes_listed", self.bytes_listed)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.listed += other.listed;
        self.enqueued += other.enqueued;
        self.left_out += other.left_out;
        self.archived += other.archived;
        self.bytes_listed += other.bytes_listed;
    }
}

impl Job {
    /// From its item.
    pub fn read(job_id: &str, item: &Item) -> Result<Self, BackfillError> {
        let bad = |attribute: &str| BackfillError::BadItem {
            job_id: job_id.to_owned(),
            item: shared::jobs::RECORD.to_owned(),
            detail: format!("{attribute} is missing or of the wrong type"),
        };
        let inventory = match text_of(item, "inventory") {
            Some(json) => Some(serde_json::from_str(json).map_err(|_| bad("inventory"))?),
            None => None,
        };
        Ok(Self {
            record: record(job_id, item).map_err(bad)?,
            plan: text_of(item, "plan").ok_or_else(|| bad("plan"))?.to_owned(),
            execution: text_of(item, "execution").map(str::to_owned),
            workers: number_of(item, "workers").ok_or_else(|| bad("workers"))?,
            rate: rate_of(item),
            inventory,
            expires_at: number_of(item, "expires_at").unwrap_or_default(),
            verifying: text_of(item, "verifying").map(|round| Verifying {
                round: round.to_owned(),
                at: text_of(item, "verifying_at").unwrap_or_default().to_owned(),
                by: text_of(item, "verifying_by").map(str::to_owned),
            }),
        })
    }
}

impl Partition {
    /// A new one's item.
    pub fn item(job: &Job, number_: u64, work: &Work, expires_at: u64) -> serde_json::Result<Item> {
        let mut item = shared::jobs::key(&job.record.job_id, &partition_item(number_));
        item.insert("work".to_owned(), text(&serde_json::to_string(work)?));
        item.insert("plan".to_owned(), text(&job.plan));
        item.insert("done".to_owned(), AttributeValue::Bool(false));
        item.insert("expires_at".to_owned(), number(expires_at));
        for count in COUNTS.iter().chain(&TOLD).chain(&["revision"]) {
            item.insert((*count).to_owned(), number(0));
        }
        Ok(item)
    }

    /// From its item.
    pub fn read(job: &Job, number: u64, item: &Item) -> Result<Self, BackfillError> {
        let bad = |detail: &str| BackfillError::BadItem {
            job_id: job.record.job_id.clone(),
            item: partition_item(number),
            detail: detail.to_owned(),
        };
        if text_of(item, "plan") != Some(&job.plan) {
            return Err(bad("it is of another plan"));
        }
        let work = text_of(item, "work").and_then(|json| serde_json::from_str(json).ok());
        let place = |name| match text_of(item, name) {
            Some(json) => serde_json::from_str(json).map(Some).map_err(|_| bad(name)),
            None => Ok(None),
        };
        Ok(Self {
            number,
            work: work.ok_or_else(|| bad("work"))?,
            revision: number_of(item, "revision").ok_or_else(|| bad("revision"))?,
            tally: tally(item, COUNTS),
            told: tally(item, TOLD),
            continuation: place("continuation")?,
            done: flag(item, "done"),
            expires_at: number_of(item, "expires_at").unwrap_or_default(),
            verification: Verification {
                round: text_of(item, "verify_round").unwrap_or_default().to_owned(),
                continuation: place("verify_continuation")?,
                done: flag(item, "verify_done"),
                sources: number_of(item, "sources").unwrap_or_default(),
                remaining: number_of(item, "remaining").unwrap_or_default(),
                missing_outputs: number_of(item, "missing_outputs").unwrap_or_default(),
                gone: number_of(item, "gone").unwrap_or_default(),
            },
        })
    }

    /// The next write of its progress; `self.revision` counts it.
    pub fn checkpoint(&mut self) -> serde_json::Result<Change> {
        let change = self.next_revision();
        let change = counted(change, COUNTS, self.tally);
        Ok(match &self.continuation {
            Some(place) => change.set("continuation", text(&serde_json::to_string(place)?)),
            None => change,
        })
    }

    /// The same, with what the record has after the transaction that this is part of.
    pub fn told(&mut self, is_done: bool) -> serde_json::Result<Change> {
        let change = counted(self.checkpoint()?, TOLD, self.tally);
        self.told = self.tally;
        self.done = is_done;
        Ok(change.set("done", AttributeValue::Bool(is_done)))
    }

    /// It is begun anew, since its last verification found something or has not come to its end: nothing of that
    /// verification is kept. What was counted stays counted, so what is enqueued again counts again.
    pub fn reopened(&mut self) -> serde_json::Result<Change> {
        self.done = false;
        self.continuation = None;
        self.verification = Verification::default();
        let change = self.verified()?.remove("continuation");
        Ok(change.set("done", AttributeValue::Bool(false)))
    }

    /// The next write of its verification.
    pub fn verified(&mut self) -> serde_json::Result<Change> {
        let Verification {
            round,
            continuation,
            done,
            sources,
            remaining,
            missing_outputs,
            gone,
        } = self.verification.clone();
        let change = self
            .next_revision()
            .set("verify_round", text(&round))
            .set("verify_done", AttributeValue::Bool(done))
            .set("sources", number(sources))
            .set("remaining", number(remaining))
            .set("missing_outputs", number(missing_outputs))
            .set("gone", number(gone));
        Ok(match &continuation {
            Some(place) => change.set("verify_continuation", text(&serde_json::to_string(place)?)),
            None => change.remove("verify_continuation"),
        })
    }

    fn next_revision(&mut self) -> Change {
        let before = self.revision;
        self.revision += 1;
        Change::default()
            .set("revision", number(self.revision))
            .set("expires_at", number(self.expires_at))
            .only_if("revision", number(before))
    }
}

const COUNTS: [&str; 5] = ["listed", "enqueued", "left_out", "archived", "bytes_listed"];
const TOLD: [&str; 5] = [
    "told_listed",
    "told_enqueued",
    "told_left_out",
    "told_archived",
    "told_bytes_listed",
];

fn tally(item: &Item, names: [&str; 5]) -> Tally {
    let [listed, enqueued, left_out, archived, bytes_listed] =
        names.map(|name| number_of(item, name).unwrap_or_default());
    Tally {
        listed,
        enqueued,
        left_out,
        archived,
        bytes_listed,
    }
}

fn counted(change: Change, names: [&str; 5], tally: Tally) -> Change {
    let counts = [
        tally.listed,
        tally.enqueued,
        tally.left_out,
        tally.archived,
        tally.bytes_listed,
    ];
    let each = names.into_iter().zip(counts);
    each.fold(change, |change, (name, count)| {
        change.set(name, number(count))
    })
}

/// A rate as an attribute.
#[must_use]
pub fn rate(per_second: f64) -> AttributeValue {
    AttributeValue::N(per_second.to_string())
}

fn rate_of(item: &Item) -> Option<f64> {
    item.get("max_rate_per_second")?.as_n().ok()?.parse().ok()
}

/// The flag of that name; an absent one is false.
#[must_use]
pub fn flag(item: &Item, name: &str) -> bool {
    let flag = item.get(name).and_then(|value| value.as_bool().ok());
    flag.copied().unwrap_or_default()
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
