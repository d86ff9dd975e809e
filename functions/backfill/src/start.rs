//! `start`: plans a job, or takes one up again.

use std::time::SystemTime;

use serde_json::{Value, json};
use shared::job::{JobRecord, JobState};
use shared::jobs::{Item, RECORD, key, number, text};
use shared::payload::bad_field;

use crate::context::{Context, rfc3339};
use crate::discover::discover;
use crate::error::BackfillError;
use crate::job::{Job, Partition, rate};
use crate::part;
use crate::plan::{self, PARTITIONS_MAX};
use crate::request::{Manifest, Partitions, Start};
use crate::resume;
use crate::table::boolean;
use crate::work::{Inventory, Part, Work};

/// Children at a time if nothing is said.
const WORKERS: u64 = 16;

/// Plans the job, or goes on with it: the partitions that are not done.
pub async fn start(
    context: Context<'_>,
    request: &Start,
    now: SystemTime,
) -> Result<Value, BackfillError> {
    let table = &context.services.table;
    let before = table.find(&request.job_id).await?;
    match before {
        Some(job) if request.resume || is_redriven(request, &job) => {
            resume::resume(context, request, &job, now).await
        }
        Some(job) => again(context, request, &job).await,
        None if request.resume => Err(BackfillError::NoSuchJob {
            job_id: request.job_id.clone(),
        }),
        None => {
            let (job, work) = planned(context, request, now).await?;
            let partitions = work.iter().zip(0..);
            let expires_at = context.partition_expiry(now);
            let items =
                partitions.map(|(work, number)| Partition::item(&job, number, work, expires_at));
            table.put_all(items.collect::<Result<_, _>>()?).await?;
            if table.create(record_item(&job)?).await? {
                let all: Vec<u64> = (0..job.record.partitions_total).collect();
                return Ok(answer(request, &job, &all));
            }
            // Another invocation was faster, or this one's own answer to its own write got lost.
            let job = table.job(&request.job_id).await?;
            again(context, request, &job).await
        }
    }
}

/// Whether it is the job's own execution that begins again: a redriven one starts with the input that it had. While it asks
/// for the first time, or again because an answer got lost, the job is listing.
fn is_redriven(request: &Start, job: &Job) -> bool {
    let has_been_listed = [JobState::Processing, JobState::Failed].contains(&job.record.state);
    resume::is_ours(request, job) && has_been_listed
}

/// The answer once more, if it got lost on its way to the execution that asks.
async fn again(context: Context<'_>, request: &Start, job: &Job) -> Result<Value, BackfillError> {
    if !resume::is_ours(request, job) && job.plan != context.request_id {
        return Err(BackfillError::JobExists {
            job_id: request.job_id.clone(),
        });
    }
    let left = resume::left(context, job).await?;
    Ok(answer(request, job, &left))
}

/// What the state machine goes on with.
pub(crate) fn answer(request: &Start, job: &Job, partitions: &[u64]) -> Value {
    json!({
        "job_id": job.record.job_id,
        "execution": request.execution,
        "status": JobState::Listing.label(),
        "partitions": partitions,
        "workers": request.workers(Some(job), partitions.len()),
        "batch": plan::batch(partitions.len()),
        "max_rate_per_second": request.rate.or(job.rate),
        "dry_run": job.record.dry_run,
        "poll_seconds": request.timing.poll_seconds,
        "settle_seconds": request.timing.settle_seconds,
    })
}

async fn planned(
    context: Context<'_>,
    request: &Start,
    now: SystemTime,
) -> Result<(Job, Vec<Work>), BackfillError> {
    let config = context.config;
    let whole = &config.keys.source_prefix;
    let prefix = request.prefix.as_ref().unwrap_or(whole);
    if !prefix.starts_with(whole.as_str()) {
        let allowed = format!("a prefix that begins with SOURCE_PREFIX {whole:?}");
        return Err(bad_field("prefix", prefix.as_str(), &allowed).into());
    }
    let (inventory, work) = match &request.inventory {
        Some(manifest) => {
            let (inventory, parts) = inventory(context, manifest).await?;
            (Some(inventory), parts.into_iter().map(Work::Part).collect())
        }
        None => (
            None,
            cut(context, prefix, request.partitions.as_ref()).await?,
        ),
    };
    if work.len() > PARTITIONS_MAX {
        let allowed = format!("what makes at most {PARTITIONS_MAX} partitions");
        return Err(bad_field("inventory", work.len(), &allowed).into());
    }
    let job = Job {
        record: JobRecord {
            mode: mode(inventory.as_ref()).to_owned(),
            bucket: config.source_bucket.clone(),
            prefix: prefix.clone(),
            partitions_total: work.len() as u64,
            ..begun(request, now)
        },
        plan: context.request_id.to_owned(),
        execution: request.execution.clone(),
        workers: request.workers(None, PARTITIONS_MAX),
        rate: request.rate,
        inventory,
        expires_at: context.expiry(now),
        verifying: None,
    };
    Ok((job, work))
}

/// A record of nothing yet.
fn begun(request: &Start, now: SystemTime) -> JobRecord {
    JobRecord {
        job_id: request.job_id.clone(),
        state: JobState::Listing,
        reason: None,
        mode: String::new(),
        dry_run: request.dry_run.unwrap_or_default(),
        bucket: String::new(),
        prefix: String::new(),
        listed: 0,
        enqueued: 0,
        left_out: 0,
        archived: 0,
        bytes_listed: 0,
        succeeded: 0,
        skipped: 0,
        failed: 0,
        bytes_in: 0,
        bytes_out: 0,
        partitions_done: 0,
        partitions_total: 0,
        remaining: None,
        missing_outputs: None,
        started_at: rfc3339(now),
        updated_at: rfc3339(now),
        finished_at: None,
    }
}

const fn mode(inventory: Option<&Inventory>) -> &'static str {
    match inventory {
        Some(_) => "inventory",
        None => "list",
    }
}

async fn inventory(
    context: Context<'_>,
    manifest: &Manifest,
) -> Result<(Inventory, Vec<Part>), BackfillError> {
    let Manifest { bucket, key } = manifest;
    let source = &context.config.source_bucket;
    part::plan(&context.services.s3, bucket, key, source).await
}

async fn cut(
    context: Context<'_>,
    prefix: &str,
    partitions: Option<&Partitions>,
) -> Result<Vec<Work>, BackfillError> {
    match partitions {
        None | Some(Partitions::Discover) => discover(context, prefix).await,
        Some(Partitions::Hash) => Ok(plan::ranges(plan::hash_folders(prefix))),
        Some(Partitions::Prefixes(prefixes)) => {
            if let Some(stranger) = prefixes.iter().find(|it| !it.starts_with(prefix)) {
                let allowed = format!("prefixes that begin with {prefix:?}");
                return Err(bad_field("partitions", stranger.as_str(), &allowed).into());
            }
            plan::given(prefixes.clone()).map_err(|(outer, inner)| {
                let allowed = format!("prefixes of which none is within another, as in {outer:?}");
                bad_field("partitions", inner, &allowed).into()
            })
        }
    }
}

fn record_item(job: &Job) -> Result<Item, BackfillError> {
    let record = &job.record;
    let mut item = key(&record.job_id, RECORD);
    let texts = [
        ("state", record.state.label()),
        ("mode", &record.mode),
        ("bucket", &record.bucket),
        ("prefix", &record.prefix),
        ("started_at", &record.started_at),
        ("updated_at", &record.updated_at),
        ("plan", &job.plan),
    ];
    for (name, value) in texts {
        item.insert(name.to_owned(), text(value));
    }
    for (name, value) in [
        ("partitions_total", record.partitions_total),
        ("workers", job.workers),
        ("expires_at", job.expires_at),
    ] {
        item.insert(name.to_owned(), number(value));
    }
    item.insert("dry_run".to_owned(), boolean(record.dry_run));
    if let Some(per_second) = job.rate {
        item.insert("max_rate_per_second".to_owned(), rate(per_second));
    }
    if let Some(execution) = &job.execution {
        item.insert("execution".to_owned(), text(execution));
    }
    if let Some(inventory) = &job.inventory {
        let json = serde_json::to_string(inventory)?;
        item.insert("inventory".to_owned(), text(&json));
    }
    Ok(item)
}

impl Start {
    /// Children at a time for `partitions`, as asked for now or when `job` was planned: no more than there are, nor such a number
    /// that each would send less than one message a second.
    #[must_use]
    pub fn workers(&self, job: Option<&Job>, partitions: usize) -> u64 {
        let before = job.map(|job| job.workers);
        let workers = self.workers.or(before).unwrap_or(WORKERS);
        let workers = workers.min(partitions as u64);
        let slowest = |rate: f64| (1..=workers).rev().find(|workers| as_f64(*workers) <= rate);
        let rate = self.rate.or(job.and_then(|job| job.rate));
        rate.map_or(Some(workers), slowest).unwrap_or(1).max(1)
    }
}

fn as_f64(workers: u64) -> f64 {
    u32::try_from(workers).map_or(f64::MAX, f64::from)
}
