//! `verify`: partitions, page by page: is everything where it must be?

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use shared::job::JobState;

use crate::config::Disposition;
use crate::context::{Context, epoch_s};
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
}

struct Verify<'a> {
    context: Context<'a>,
    job: &'a Job,
    started_s: i64,
}

/// What a service says about an object of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum There {
    No,
    /// Its own entity tag, and that of its source if it names one.
    Yes {
        etag: Option<String>,
        source_etag: Option<String>,
    },
}

/// Works on the partitions one after the other; `sources` is what was looked at, also if it fails.
pub async fn verify(
    context: Context<'_>,
    shares: &Shares,
    sources: &mut u64,
) -> Result<Value, BackfillError> {
    let job = context.services.table.job(&shares.job_id).await?;
    if job.record.state == JobState::Aborted {
        return Ok(shares.answer("aborted", &shares.items));
    }
    let started_s = epoch_s(&job.record.started_at).ok_or_else(|| BackfillError::BadItem {
        job_id: shares.job_id.clone(),
        item: shared::jobs::RECORD.to_owned(),
        detail: "started_at is no time".to_owned(),
    })?;
    let verify = Verify {
        context,
        job: &job,
        started_s,
    };
    for (place, share) in shares.items.iter().enumerate() {
        let round = share.round.as_deref().unwrap_or_default();
        if !verify.partition(share.partition, round, sources).await? {
            return Ok(shares.answer("incomplete", &shares.items[place..]));
        }
    }
    Ok(shares.answer("complete", &[]))
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
            *sources += 1;
        }
        drop(findings);
        verification.continuation = Some(page.next);
        Ok(())
    }

    async fn look(&self, found: &Found) -> Result<Finding, BackfillError> {
        let config = self.context.config;
        let is_listed = found.next_row.is_none();
        let is_there = is_listed || self.is_there(found).await?;
        let output = match config.keys.output_key(&found.key) {
            Some(Ok(key)) => self.head(&config.output_bucket, &key).await?,
            // Such a key never has an output.
            Some(Err(_)) | None => There::No,
        };
        Ok(finding(found, is_there, &output, config.disposition))
    }

    /// Whether the source is still the one that the inventory names.
    async fn is_there(&self, found: &Found) -> Result<bool, BackfillError> {
        let bucket = &self.context.config.source_bucket;
        Ok(match self.head(bucket, &found.key).await? {
            There::No => false,
            There::Yes { etag, .. } => found.etag.is_none() || etag == found.etag,
        })
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<There, BackfillError> {
        let s3 = &self.context.services.s3;
        match s3.head_object().bucket(bucket).key(key).send().await {
            Ok(head) => {
                let source_etag = head.metadata().and_then(|it| it.get(SOURCE_ETAG)).cloned();
                let etag = head.e_tag().map(|etag| etag.trim_matches('"').to_owned());
                Ok(There::Yes { etag, source_etag })
            }
            Err(error) => match Refusal::new("HeadObject", error) {
                refusal if refusal.class() == Class::NotFound => Ok(There::No),
                refusal => Err(refusal.into()),
            },
        }
    }
}

/// What is missing of a source that is still there, or is gone or another one by now (`is_there` is false).
///
/// The output of a source that is there must be of its version. One that is gone must have an output, of whichever
/// version: it may have been written anew and be done since.
fn finding(found: &Found, is_there: bool, output: &There, disposition: Disposition) -> Finding {
    let has_output = match output {
        There::No => false,
        There::Yes { source_etag, .. } => {
            !is_there || found.etag.is_none() || *source_etag == found.etag
        }
    };
    let is_to_go = disposition == Disposition::Delete;
    Finding {
        remaining: u64::from(is_there && is_to_go),
        missing_outputs: u64::from(!has_output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Found {
        Found {
            key: "incoming/a".into(),
            size_bytes: 1,
            etag: Some("e1".into()),
            version_id: None,
            is_archived: false,
            modified_s: None,
            next_row: None,
        }
    }

    fn output_of(etag: &str) -> There {
        There::Yes {
            etag: Some("own".into()),
            source_etag: Some(etag.into()),
        }
    }

    fn found(is_there: bool, output: &There, disposition: Disposition) -> (u64, u64) {
        let finding = finding(&source(), is_there, output, disposition);
        (finding.remaining, finding.missing_outputs)
    }

    #[test]
    fn a_source_that_is_there_needs_the_output_of_its_version() {
        let foreign = There::Yes {
            etag: Some("e1".into()),
            source_etag: None,
        };
        for (output, missing) in [
            (There::No, 1),
            (output_of("e0"), 1),
            (foreign, 1),
            (output_of("e1"), 0),
        ] {
            assert_eq!(found(true, &output, Disposition::Keep), (0, missing));
            assert_eq!(found(true, &output, Disposition::Delete), (1, missing));
        }
    }

    #[test]
    fn a_source_that_is_gone_needs_an_output() {
        for disposition in [Disposition::Keep, Disposition::Delete] {
            assert_eq!(found(false, &There::No, disposition), (0, 1));
            assert_eq!(found(false, &output_of("e2"), disposition), (0, 0));
        }
    }
}
