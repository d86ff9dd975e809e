//! What an invocation works with.

use std::time::{Duration, SystemTime};

use shared::deadline::epoch_ms;
use shared::jobs::{number, text};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

use crate::change::Change;
use crate::config::Config;
use crate::error::BackfillError;
use crate::job::Job;
use crate::listing::Listing;
use crate::pages::Pages;
use crate::part::Rows;
use crate::send::Queue;
use crate::table::Table;
use crate::work::{Continuation, Range, Work};

/// A day.
const DAY: Duration = Duration::from_hours(24);
/// The longest execution of the state machine, days; in it a partition may wait for its turn.
const EXECUTION_DAYS_MAX: u32 = 30;

/// The services, as long as the process lives.
#[derive(Clone, Debug)]
pub struct Services {
    /// Buckets.
    pub s3: aws_sdk_s3::Client,
    /// Jobs and partitions.
    pub table: Table,
    /// The queue of `compress`.
    pub queue: Queue,
}

/// The services, the settings, and one invocation's time.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The services.
    pub services: &'a Services,
    /// The settings.
    pub config: &'a Config,
    /// Which invocation.
    pub request_id: &'a str,
    /// Nothing new is begun after it.
    pub stop_at: Instant,
}

impl Context<'_> {
    /// Whether there is no time for anything new.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.stop_at
    }

    /// When a record that is written now goes, seconds since the Unix epoch.
    #[must_use]
    pub fn expiry(&self, now: SystemTime) -> u64 {
        let days = u32::try_from(self.config.retention_days).unwrap_or(u32::MAX);
        epoch_ms(now + DAY.saturating_mul(days)) / 1_000
    }

    /// The same of a partition's item, which may not be written again for as long as an execution lasts.
    #[must_use]
    pub fn partition_expiry(&self, now: SystemTime) -> u64 {
        self.expiry(now) + (DAY * EXECUTION_DAYS_MAX).as_secs()
    }

    /// A change of the record: it has changed now, and lives on from now.
    #[must_use]
    pub fn touch(&self, now: SystemTime) -> Change {
        Change::default()
            .set("updated_at", text(&rfc3339(now)))
            .set("expires_at", number(self.expiry(now)))
    }

    /// Whether a record that goes then has lived on a day of its time and should be told to live on.
    #[must_use]
    pub fn is_to_renew(&self, expires_at: u64, now: SystemTime) -> bool {
        expires_at + DAY.as_secs() / 2 < self.expiry(now)
    }

    /// The pages of a partition from a place on.
    pub async fn pages(
        &self,
        job: &Job,
        work: &Work,
        from: Option<Continuation>,
    ) -> Result<Pages, BackfillError> {
        let listing = |prefix: &str, range: Range| {
            let (s3, bucket) = (self.services.s3.clone(), &self.config.source_bucket);
            Pages::Listing(Listing::new(s3, bucket, prefix, range).from(from.clone()))
        };
        let prefix = &job.record.prefix;
        Ok(match work {
            Work::Range(range) => listing(prefix, range.clone()),
            Work::Prefix(part) => listing(&part.prefix, Range::default()),
            Work::Part(part) => {
                let inventory = job.inventory.as_ref();
                let inventory = inventory.ok_or_else(|| BackfillError::BadItem {
                    job_id: job.record.job_id.clone(),
                    item: shared::jobs::RECORD.to_owned(),
                    detail: "inventory is missing".to_owned(),
                })?;
                let row = match from {
                    Some(Continuation::Row { row }) => row,
                    Some(Continuation::After { .. }) | None => 0,
                };
                let rows = Rows::open(&self.services.s3, inventory, part, prefix, row).await?;
                Pages::Rows(Box::new(rows))
            }
        })
    }
}

/// How long nothing must have been heard of an execution, or of a verification, until it is taken for dead. An invocation
/// takes half of it at most, and each says when it begins.
const DEAD_AFTER: Duration = Duration::from_mins(30);

/// Whether something at `rfc3339` is not longer ago than what is dead by now.
#[must_use]
pub fn is_recent(rfc3339: &str, now: SystemTime) -> bool {
    let since = i64::try_from(epoch_ms(now) / 1_000).unwrap_or(i64::MAX);
    let dead_s = i64::try_from(DEAD_AFTER.as_secs()).unwrap_or(i64::MAX);
    epoch_s(rfc3339).is_some_and(|at| since - at < dead_s)
}

/// RFC 3339 UTC, whole seconds.
#[must_use]
pub fn rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let at = at.replace_nanosecond(0).unwrap_or(at);
    at.format(&Rfc3339).unwrap_or_default()
}

/// Seconds since the Unix epoch of such a text.
#[must_use]
pub fn epoch_s(rfc3339: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(rfc3339, &Rfc3339).ok()?;
    Some(at.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_time_is_read_as_it_was_written() {
        let at = UNIX_EPOCH + Duration::from_millis(1_795_305_600_999);
        assert_eq!(rfc3339(at), "2026-11-22T00:00:00Z");
        assert_eq!(epoch_s(&rfc3339(at)), Some(1_795_305_600));
        assert_eq!(epoch_s("yesterday"), None);
    }

    #[test]
    fn what_was_heard_of_half_an_hour_ago_is_dead() {
        let at = UNIX_EPOCH + Duration::from_secs(1_795_305_601);
        let after = |seconds| is_recent(&rfc3339(at), at + Duration::from_secs(seconds));
        assert!(after(0) && after(1_799) && !after(1_800));
        assert!(!is_recent("yesterday", at));
    }
}
