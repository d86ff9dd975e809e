//! Jobs in a `DynamoDB` table: one item each, read with one `GetItem`, added to with one `UpdateItem`.
//!
//! Keys: `job_id` (text) and `item` (text), which is `job` for the record. Whoever drives a job keeps items of its own beside
//! it. Every attribute has the name of its field in [`JobRecord`]; counts are numbers, an absent one is 0.

mod busy;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use tokio::time::Instant;

pub use self::busy::ask_until;

use crate::job::{JobRecord, JobState, Outcomes};

/// The sort key of a job's record.
pub const RECORD: &str = "job";

/// An item's attributes.
pub type Item = HashMap<String, AttributeValue>;

/// A table of jobs.
#[derive(Clone, Debug)]
pub struct Jobs {
    client: Client,
    table: String,
}

/// Why a job could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// There is no such job.
    #[error("no job {job_id} in table {table}")]
    NoSuchJob {
        /// Which.
        job_id: String,
        /// Where it was looked for.
        table: String,
    },
    /// The record is there and makes no sense.
    #[error("job {job_id} in table {table}: {attribute} is missing or of the wrong type")]
    BadRecord {
        /// Which.
        job_id: String,
        /// Where.
        table: String,
        /// The first attribute that is wrong.
        attribute: &'static str,
    },
    /// The service refused, or could not be reached.
    #[error("{operation} on table {table}: {code}")]
    Service {
        /// What was asked.
        operation: &'static str,
        /// Of which table.
        table: String,
        /// The service's own word, or `NoAnswer`.
        code: String,
        /// All of it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Jobs {
    /// The jobs of `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }

    /// For items beside the record.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The table's name.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Reads a job: one strongly consistent `GetItem`, however many objects it has.
    pub async fn get(&self, job_id: &str) -> Result<JobRecord, JobsError> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(job_id, RECORD)))
            .consistent_read(true)
            .send()
            .await;
        let item = read.map_err(|error| self.failed("GetItem", error))?.item;
        let item = item.ok_or_else(|| JobsError::NoSuchJob {
            job_id: job_id.to_owned(),
            table: self.table.clone(),
        })?;
        record(job_id, &item).map_err(|attribute| JobsError::BadRecord {
            job_id: job_id.to_owned(),
            table: self.table.clone(),
            attribute,
        })
    }

    /// Adds what an invocation of the compressor did: one `UpdateItem`. A job that is not there (any more) stays so. A record
    /// that is in a transaction, or a table that is throttled, is asked again until `end`; see [`ask_until`].
    ///
    /// Not idempotent: a lost answer that the SDK repeats counts twice.
    pub async fn add(
        &self,
        job_id: &str,
        outcomes: &Outcomes,
        now_rfc3339: &str,
        end: Instant,
    ) -> Result<(), JobsError> {
        let counts = [
            (":succeeded", outcomes.succeeded),
            (":skipped", outcomes.skipped),
            (":failed", outcomes.failed),
            (":bytes_in", outcomes.bytes_in),
            (":bytes_out", outcomes.bytes_out),
        ];
        let mut values: Item = counts
            .map(|(name, count)| (name.to_owned(), number(count)))
            .into();
        values.insert(":now".to_owned(), text(now_rfc3339));
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(job_id, RECORD)))
            .update_expression(
                "ADD succeeded :succeeded, skipped :skipped, failed :failed, bytes_in :bytes_in, bytes_out :bytes_out \
                 SET updated_at = :now",
            )
            .condition_expression("attribute_exists(job_id)")
            .set_expression_attribute_values(Some(values));
        match ask_until(end, || update.clone().send()).await {
            Ok(_) => Ok(()),
            Err(error) if is_conditional(&error) => Ok(()),
            Err(error) => Err(self.failed("UpdateItem", error)),
        }
    }

    /// An error of the service as ours.
    pub fn failed<E, R>(&self, operation: &'static str, error: SdkError<E, R>) -> JobsError
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        JobsError::Service {
            operation,
            table: self.table.clone(),
            code: error.code().unwrap_or("NoAnswer").to_owned(),
            source: Box::new(error),
        }
    }
}

impl JobsError {
    /// Whether nothing was written, and may be later.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        match self {
            Self::NoSuchJob { .. } | Self::BadRecord { .. } => false,
            Self::Service { code, .. } => busy::is_busy(code),
        }
    }
}

fn is_conditional<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// The key of one of a job's items.
#[must_use]
pub fn key(job_id: &str, item: &str) -> Item {
    [
        ("job_id".to_owned(), text(job_id)),
        ("item".to_owned(), text(item)),
    ]
    .into()
}

/// A text attribute.
#[must_use]
pub fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A number attribute.
#[must_use]
pub fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The number of that name; an absent one is nothing.
#[must_use]
pub fn number_of(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The text of that name; an absent one is nothing.
#[must_use]
pub fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// Reads a record, or says which attribute is wrong.
pub fn record(job_id: &str, item: &Item) -> Result<JobRecord, &'static str> {
    let text = |name: &'static str| text_of(item, name).map(str::to_owned).ok_or(name);
    let count = |name: &'static str| match item.get(name) {
        None => Ok(0),
        Some(_) => number_of(item, name).ok_or(name),
    };
    let state = text("state")?;
    let known = JobState::ALL
        .into_iter()
        .find(|known| known.label() == state);
    Ok(JobRecord {
        job_id: job_id.to_owned(),
        state: known.ok_or("state")?,
        reason: text("reason").ok(),
        mode: text("mode")?,
        dry_run: *item
            .get("dry_run")
            .and_then(|flag| flag.as_bool().ok())
            .ok_or("dry_run")?,
        bucket: text("bucket")?,
        prefix: text("prefix")?,
        listed: count("listed")?,
        enqueued: count("enqueued")?,
        left_out: count("left_out")?,
        archived: count("archived")?,
        bytes_listed: count("bytes_listed")?,
        succeeded: count("succeeded")?,
        skipped: count("skipped")?,
        failed: count("failed")?,
        bytes_in: count("bytes_in")?,
        bytes_out: count("bytes_out")?,
        partitions_done: count("partitions_done")?,
        partitions_total: count("partitions_total")?,
        remaining: number_of(item, "remaining"),
        missing_outputs: number_of(item, "missing_outputs"),
        started_at: text("started_at")?,
        updated_at: text("updated_at")?,
        finished_at: text("finished_at").ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        let mut item = key("j", RECORD);
        for (name, value) in [
            ("state", "processing"),
            ("mode", "list"),
            ("bucket", "b"),
            ("prefix", "incoming/"),
            ("started_at", "2026-11-21T00:00:00Z"),
            ("updated_at", "2026-11-21T00:00:01Z"),
        ] {
            item.insert(name.to_owned(), text(value));
        }
        item.insert("dry_run".to_owned(), AttributeValue::Bool(false));
        item
    }

    #[test]
    fn what_was_never_added_to_is_nothing() {
        let record = record("j", &item()).unwrap();
        assert_eq!(record.state, JobState::Processing);
        assert_eq!((record.listed, record.failed), (0, 0));
        assert_eq!((record.remaining, record.finished_at), (None, None));
    }

    #[test]
    fn a_record_that_makes_no_sense_names_the_attribute() {
        for (name, value) in [
            ("state", text("lost")),
            ("listed", text("1")),
            ("dry_run", text("no")),
        ] {
            let mut item = item();
            item.insert(name.to_owned(), value);
            assert_eq!(record("j", &item), Err(name));
        }
    }
}
