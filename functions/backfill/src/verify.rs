//! `verify`: partitions, page by page: is everything where it must be?

use std::collections::BTreeSet;
use std::time::SystemTime;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use shared::job::JobState;
use shared::jobs::{RECORD, number, text};

use crate::change::Change;
use crate::config::Disposition;
use crate::context::{Context, epoch_s, rfc3339};
use crate::error::BackfillError;
use crate::found::{Found, Page};
use crate::job::{Job, Partition, Verification};
use crate::refusal::{Class, Refusal};
use crate::request::Shares;

/// What an output's metadata calls the entity tag of its source; `compress` writes it.
const SOURCE_ETAG: &str = "source-etag";

/// What one object is found to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// 1 if it was to be removed and is there.
    pub remaining: u64,
    /// 1 if it has no output.
    pub missing_outputs: u64,
    /// 1 if it has no output and is gone.
    pub gone: u64,
}

/// What a source is found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Gone,
    /// Written after the job began: it has an event of its own.
    Newer,
    There {
        etag: Option<String>,
    },
}

struct Verify<'a> {
    context: Context<'a>,
    job: &'a Job,
    /// What was written in a later second is not the job's. Two clocks are compared, the function's and that of S3: while
    /// they differ, what was written just then is looked at too much or too little, but is compressed in any case, by the
    /// event that it has or by the listing that follows.
    started_s: i64,
    expires_at: u64,
}

/// What a service says about an object of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum There {
    No,
    /// Its own entity tag, that of its source if it names one, and its last change, seconds since the Unix epoch.
    Yes {
        etag: Option<String>,
        source_etag: Option<String>,
        modified_s: Option<i64>,
    },
}

/// Works on the partitions one after the other; `sources` is what was looked at, also if it fails.
pub async fn verify(
    context: Context<'_>,
    shares: &Shares,
    now: SystemTime,
    sources: &mut u64,
) -> Result<Value, BackfillError> {
    let job = context.services.table.job(&shares.job_id).await?;
    if job.record.state == JobState::Aborted {
        return Ok(shares.answer("aborted", &shares.items));
    }
    goes_on(context, &job, shares, now).await?;
    let started_s = epoch_s(&job.record.started_at).ok_or_else(|| BackfillError::BadItem {
        job_id: shares.job_id.clone(),
        item: RECORD.to_owned(),
        detail: "started_at is no time".to_owned(),
    })?;
    let verify = Verify {
        context,
        job: &job,
        started_s,
        expires_at: context.partition_expiry(now),
    };
    for (place, share) in shares.items.iter().enumerate() {
        let round = share.round.as_deref().unwrap_or_default();
        if !verify.partition(share.partition, round, sources).await? {
            return Ok(shares.answer("incomplete", &shares.items[place..]));
        }
    }
    Ok(shares.answer("complete", &[]))
}

/// Says that the round is alive, unless it is not any more: then this invocation would undo the other round's.
async fn goes_on(
    context: Context<'_>,
    job: &Job,
    shares: &Shares,
    now: SystemTime,
) -> Result<(), BackfillError> {
    let rounds = shares.items.iter().filter_map(|it| it.round.as_deref());
    for round in rounds.collect::<BTreeSet<_>>() {
        let change = Change::default()
            .set("verifying_at", text(&rfc3339(now)))
            .set("expires_at", number(context.expiry(now)))
            .only_if("verifying", text(round));
        let table = &context.services.table;
        if !table.change(&shares.job_id, RECORD, change).await? {
            return Err(BackfillError::WrongState {
                job_id: shares.job_id.clone(),
                state: job.record.state.label(),
                detail: "this round of its verification is over: another one has begun, or it was concluded",
            });
        }
    }
    Ok(())
}

impl Verify<'_> {
    /// Whether it is done.
    async fn partition(
        &self,
        number: u64,
        round: &str,
        sources: &mut u64,
    ) -> Result<bool, BackfillError> {
        let table = &self.context.services.table;
        let mut partition = table.partition(self.job, number).await?;
        partition.expires_at = self.expires_at;
        if partition.verification.round != round {
            partition.verification = Verification {
                round: round.to_owned(),
                ..Verification::default()
            };
        }
        if partition.verification.done {
            return Ok(true);
        }
        let from = partition.verification.continuation.clone();
        let mut pages = self.context.pages(self.job, &partition.work, from).await?;
        let mut page = pages.next().await?;
        while let Some(this) = page {
            let looked = self.page(&mut partition, this, sources);
            let (looked, next) = tokio::join!(looked, pages.next());
            looked?;
            page = next?;
            partition.verification.done = page.is_none();
            self.checkpoint(&mut partition).await?;
            if page.is_some() && self.context.is_over() {
                return Ok(false);
            }
        }
        if !partition.verification.done {
            partition.verification.done = true;
            self.checkpoint(&mut partition).await?;
        }
        Ok(true)
    }

    async fn checkpoint(&self, partition: &mut Partition) -> Result<(), BackfillError> {
        let change = partition.verified()?;
        let table = &self.context.services.table;
        table.checkpoint(self.job, partition.number, change).await
    }

    async fn page(
        &self,
        partition: &mut Partition,
        page: Page,
        sources: &mut u64,
    ) -> Result<(), BackfillError> {
        let due = page.found.iter().filter(|found| {
            // What was written since then has an event of its own.
            let is_old = found.modified_s.is_none_or(|at| at <= self.started_s);
            found.is_due() && is_old
        });
        let verification = &mut partition.verification;
        let mut findings = stream::iter(due)
            .map(|found| self.look(found))
            .buffer_unordered(self.context.config.verify_concurrency.get());
        while let Some(finding) = findings.try_next().await? {
            verification.sources += 1;
            verification.remaining += finding.remaining;
            verification.missing_outputs += finding.missing_outputs;
            verification.gone += finding.gone;
            *sources += 1;
        }
        drop(findings);
        verification.continuation = Some(page.next);
        Ok(())
    }

    async fn look(&self, found: &Found) -> Result<Finding, BackfillError> {
        let config = self.context.config;
        let source = self.source(found).await?;
        if source == Source::Newer {
            return Ok(Finding::default());
        }
        let output = match config.keys.output_key(&found.key) {
            Some(Ok(key)) => self.head(&config.output_bucket, &key).await?,
            // Such a key never has an output.
            Some(Err(_)) | None => There::No,
        };
        Ok(finding(&source, &output, config.disposition))
    }

    /// The source as it is now: a listing has just said so, an inventory is of another day.
    async fn source(&self, found: &Found) -> Result<Source, BackfillError> {
        if found.next_row.is_none() && found.etag.is_some() {
            let etag = found.etag.clone();
            return Ok(Source::There { etag });
        }
        let bucket = &self.context.config.source_bucket;
        Ok(match self.head(bucket, &found.key).await? {
            There::No => Source::Gone,
            There::Yes { modified_s, .. } if modified_s.is_some_and(|at| at > self.started_s) => {
                Source::Newer
            }
            There::Yes { etag, .. } => Source::There { etag },
        })
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<There, BackfillError> {
        let s3 = &self.context.services.s3;
        match s3.head_object().bucket(bucket).key(key).send().await {
            Ok(head) => {
                let source_etag = head.metadata().and_then(|it| it.get(SOURCE_ETAG)).cloned();
                let etag = head.e_tag().map(|etag| etag.trim_matches('"').to_owned());
                let modified = head.last_modified();
                Ok(There::Yes {
                    etag,
                    source_etag,
                    modified_s: modified.map(aws_sdk_s3::primitives::DateTime::secs),
                })
            }
            Err(error) => match Refusal::new("HeadObject", error) {
                refusal if Class::of(&refusal) == Class::NotFound => Ok(There::No),
                refusal => Err(refusal.into()),
            },
        }
    }
}

/// What is missing of a source.
///
/// The output of a source that is there must be of its version, and a version that is not known is not made. One that is gone
/// must have an output, of whichever version: it may have been written anew and be done since.
fn finding(source: &Source, output: &There, disposition: Disposition) -> Finding {
    let has_output = match (source, output) {
        (Source::Newer, _) | (Source::Gone, There::Yes { .. }) => true,
        (_, There::No) => false,
        (Source::There { etag }, There::Yes { source_etag, .. }) => {
            etag.is_some() && source_etag == etag
        }
    };
    let is_there = matches!(source, Source::There { .. });
    let is_to_go = disposition == Disposition::Delete;
    Finding {
        remaining: u64::from(is_there && is_to_go),
        missing_outputs: u64::from(!has_output),
        gone: u64::from(!has_output && *source == Source::Gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output_of(etag: Option<&str>) -> There {
        There::Yes {
            etag: Some("own".into()),
            source_etag: etag.map(str::to_owned),
            modified_s: None,
        }
    }

    fn there(etag: Option<&str>) -> Source {
        let etag = etag.map(str::to_owned);
        Source::There { etag }
    }

    fn found(source: &Source, output: &There, disposition: Disposition) -> [u64; 3] {
        let finding = finding(source, output, disposition);
        [finding.remaining, finding.missing_outputs, finding.gone]
    }

    #[test]
    fn a_source_that_is_there_needs_the_output_of_its_version() {
        let source = there(Some("e1"));
        for (output, missing) in [
            (There::No, 1),
            (output_of(Some("e0")), 1),
            (output_of(None), 1),
            (output_of(Some("e1")), 0),
        ] {
            assert_eq!(found(&source, &output, Disposition::Keep), [0, missing, 0]);
            assert_eq!(
                found(&source, &output, Disposition::Delete),
                [1, missing, 0]
            );
        }
        let unknown = found(&there(None), &output_of(None), Disposition::Keep);
        assert_eq!(unknown, [0, 1, 0], "no version is not any version");
    }

    #[test]
    fn a_source_that_is_gone_needs_an_output() {
        for disposition in [Disposition::Keep, Disposition::Delete] {
            assert_eq!(found(&Source::Gone, &There::No, disposition), [0, 1, 1]);
            let output = output_of(Some("e2"));
            assert_eq!(found(&Source::Gone, &output, disposition), [0, 0, 0]);
        }
    }

    #[test]
    fn a_source_that_is_newer_than_the_job_is_not_looked_for() {
        assert_eq!(
            found(&Source::Newer, &There::No, Disposition::Delete),
            [0; 3]
        );
    }
}
