//! The items of jobs and partitions: the calls of the table.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, PutRequest, TransactWriteItem, Update, WriteRequest,
};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use shared::job::JobState;
use shared::jobs::{Item, RECORD, key, text};

use crate::backoff::{self, Backoff};
use crate::change::Change;
use crate::error::BackfillError;
use crate::job::{Job, PARTITION, Partition, partition_item};
use crate::refusal::{Class, Refusal};

/// Most items of one call. Source: `DynamoDB` API reference, "`BatchWriteItem`".
const WRITES_MAX: usize = 25;
/// Calls in flight while a plan is written.
const WRITE_CONCURRENCY: usize = 8;
/// How often what was not taken is offered again.
const WRITE_ATTEMPTS: u32 = 12;

/// The table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is done.
    Yes,
    /// Others were at the record: nothing was written, later it can be.
    Later,
    /// The condition on the partition does not hold.
    InProgress,
    /// The condition on the record does not hold.
    Ended,
}

impl Table {
    /// The table `name`.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self {
            client,
            name: name.to_owned(),
        }
    }

    /// The job, if there is one: one `GetItem`, strongly consistent.
    pub async fn find(&self, job_id: &str) -> Result<Option<Job>, BackfillError> {
        let item = self.get(job_id, RECORD).await?;
        item.map(|item| Job::read(job_id, &item)).transpose()
    }

    /// The job.
    pub async fn job(&self, job_id: &str) -> Result<Job, BackfillError> {
        let job = self.find(job_id).await?;
        job.ok_or_else(|| BackfillError::NoSuchJob {
            job_id: job_id.to_owned(),
        })
    }

    /// A partition of it.
    pub async fn partition(&self, job: &Job, number: u64) -> Result<Partition, BackfillError> {
        let (job_id, sort_key) = (&job.record.job_id, partition_item(number));
        match self.get(job_id, &sort_key).await? {
            Some(item) => Partition::read(job, number, &item),
            None => Err(BackfillError::BadItem {
                job_id: job_id.clone(),
                item: sort_key,
                detail: "it is missing".to_owned(),
            }),
        }
    }

    async fn get(&self, job_id: &str, item: &str) -> Result<Option<Item>, BackfillError> {
        let read = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key(job_id, item)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Refusal::new("GetItem", error))?;
        Ok(read.item)
    }

    /// The attributes `names` of each partition of the job's plan, with its number: `Query`, page by page.
    pub async fn partitions(
        &self,
        job: &Job,
        names: &[&str],
        mut each: impl FnMut(u64, &Item),
    ) -> Result<(), BackfillError> {
        let mut start = None;
        let names = ["item", "plan"].iter().chain(names);
        let shown: Vec<String> = names.clone().map(|name| format!("#{name}")).collect();
        let names = names.chain(&["job_id"]);
        let names = names.map(|name| (format!("#{name}"), (*name).to_owned()));
        let names = names.collect::<std::collections::HashMap<_, _>>();
        loop {
            let read = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .key_condition_expression("#job_id = :job_id AND begins_with(#item, :partition)")
                .projection_expression(shown.join(", "))
                .set_expression_attribute_names(Some(names.clone()))
                .expression_attribute_values(":job_id", text(&job.record.job_id))
                .expression_attribute_values(":partition", text(PARTITION))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| Refusal::new("Query", error))?;
            for item in read.items() {
                let sort_key = shared::jobs::text_of(item, "item").unwrap_or_default();
                let number = sort_key
                    .strip_prefix(PARTITION)
                    .and_then(|it| it.parse().ok());
                let is_ours = shared::jobs::text_of(item, "plan") == Some(&job.plan);
                if let (Some(number), true) = (number, is_ours) {
                    each(number, item);
                }
            }
            start = read.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    /// Changes an item if its condition holds: whether it did.
    pub async fn change(
        &self,
        job_id: &str,
        item: &str,
        change: Change,
    ) -> Result<bool, BackfillError> {
        let parts = change.parts();
        let updated = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key(job_id, item)))
            .update_expression(parts.update)
            .set_condition_expression(parts.condition)
            .set_expression_attribute_names(Some(parts.names))
            .set_expression_attribute_values(Some(parts.values))
            .send()
            .await;
        held(
            updated
                .map(drop)
                .map_err(|it| Refusal::new("UpdateItem", it)),
        )
    }

    /// Changes a partition, or gives way to the other invocation that has.
    pub async fn checkpoint(
        &self,
        job: &Job,
        partition: u64,
        change: Change,
    ) -> Result<(), BackfillError> {
        let job_id = &job.record.job_id;
        let item = partition_item(partition);
        if self.change(job_id, &item, change).await? {
            return Ok(());
        }
        Err(BackfillError::InProgress {
            job_id: job_id.clone(),
            partition,
        })
    }

    /// Changes a partition and the record, both or none; the record only while the job is listing.
    pub async fn tell(
        &self,
        job_id: &str,
        partition: (u64, Change),
        record: Change,
    ) -> Result<Told, BackfillError> {
        let (number, partition) = partition;
        let record = record.only_if("state", text(JobState::Listing.label()));
        let items = [
            partition.of_transaction(&self.name, job_id, &partition_item(number))?,
            record.of_transaction(&self.name, job_id, RECORD)?,
        ];
        let update = |update: Update| TransactWriteItem::builder().update(update).build();
        let written = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items.map(update).into()))
            .send()
            .await;
        match written {
            Ok(_) => Ok(Told::Yes),
            Err(error) => match why_cancelled(&error) {
                Some(told) => Ok(told),
                None => Err(Refusal::new("TransactWriteItems", error).into()),
            },
        }
    }

    /// Writes a record if there is none: whether it did.
    pub async fn create(&self, item: Item) -> Result<bool, BackfillError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#job_id)")
            .expression_attribute_names("#job_id", "job_id")
            .send()
            .await;
        held(put.map(drop).map_err(|it| Refusal::new("PutItem", it)))
    }

    /// Writes items, whatever is there.
    pub async fn put_all(&self, items: Vec<Item>) -> Result<(), BackfillError> {
        stream::iter(items.chunks(WRITES_MAX))
            .map(Ok)
            .try_for_each_concurrent(WRITE_CONCURRENCY, |chunk| self.put_some(chunk))
            .await
    }

    async fn put_some(&self, items: &[Item]) -> Result<(), BackfillError> {
        let put = |item: &Item| {
            let put = PutRequest::builder().set_item(Some(item.clone())).build()?;
            Ok(WriteRequest::builder().put_request(put).build())
        };
        let mut left: Vec<WriteRequest> = items
            .iter()
            .map(put)
            .collect::<Result<_, BackfillError>>()?;
        let mut backoff = Backoff::new(WRITE_ATTEMPTS);
        loop {
            let written = self
                .client
                .batch_write_item()
                .request_items(&self.name, left)
                .send()
                .await
                .map_err(|error| Refusal::new("BatchWriteItem", error))?;
            let unprocessed = written.unprocessed_items.unwrap_or_default();
            left = unprocessed.into_values().flatten().collect();
            if left.is_empty() {
                return Ok(());
            }
            match backoff.next(backoff::random()) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(BackfillError::TableBusy { items: left.len() }),
            }
        }
    }
}

/// Whether a conditional write's condition held.
fn held(written: Result<(), Refusal>) -> Result<bool, BackfillError> {
    match written {
        Ok(()) => Ok(true),
        Err(refusal) if Class::of(&refusal) == Class::ConditionFailed => Ok(false),
        Err(refusal) => Err(refusal.into()),
    }
}

/// What a cancelled transaction of partition and record means; none if it was not cancelled by us or by others.
fn why_cancelled(error: &SdkError<TransactWriteItemsError>) -> Option<Told> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.as_service_error()
    else {
        return None;
    };
    let reasons = cancelled.cancellation_reasons().iter();
    let codes: Vec<&str> = reasons.map(|it| it.code().unwrap_or_default()).collect();
    of_reasons(&codes)
}

fn of_reasons(codes: &[&str]) -> Option<Told> {
    const FAILED: &str = "ConditionalCheckFailed";
    match codes {
        [FAILED, _] => Some(Told::InProgress),
        [_, FAILED] => Some(Told::Ended),
        codes if codes.iter().all(|code| may_pass(code)) => Some(Told::Later),
        _ => None,
    }
}

fn may_pass(code: &str) -> bool {
    matches!(
        code,
        "" | "None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"
    )
}

/// A flag as an attribute.
#[must_use]
pub fn boolean(flag: bool) -> AttributeValue {
    AttributeValue::Bool(flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_transaction_says_whose_condition_it_was() {
        const FAILED: &str = "ConditionalCheckFailed";
        for (codes, told) in [
            ([FAILED, "None"], Some(Told::InProgress)),
            (["None", FAILED], Some(Told::Ended)),
            // Who gave way need not know how the job ended.
            ([FAILED, FAILED], Some(Told::InProgress)),
            (["None", "TransactionConflict"], Some(Told::Later)),
            (["ThrottlingError", "None"], Some(Told::Later)),
            (["None", "ValidationError"], None),
        ] {
            assert_eq!(of_reasons(&codes), told, "{codes:?}");
        }
    }
}
