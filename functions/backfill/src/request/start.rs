//! What `start` may be asked.

use serde_json::Value;
use shared::payload::{Fields, PayloadError, bad_field};

use super::{TEXT_MAX, WORKERS_MAX, job_id, rate, text, timing};
use crate::plan::PARTITIONS_MAX;
use crate::progress::Timing;

/// `start`.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// 1 to 80 of `A-Z a-z 0-9 _ -`.
    pub job_id: String,
    /// `inventory`, if the mode is that.
    pub inventory: Option<Manifest>,
    /// `prefix`: none = `SOURCE_PREFIX`.
    pub prefix: Option<String>,
    /// `partitions`: `"discover"` (none is that), `"hash"`, or a list of prefixes.
    pub partitions: Option<Partitions>,
    /// `max_rate_per_second`: 1 to 100,000; none = as fast as it goes.
    pub rate: Option<f64>,
    /// `dry_run`.
    pub dry_run: Option<bool>,
    /// `workers`: 1 to 1,000.
    pub workers: Option<u64>,
    /// `resume`: go on with a job that is there.
    pub resume: bool,
    /// `execution`: who asks.
    pub execution: Option<String>,
    /// `poll_seconds`, `settle_seconds`: only handed on.
    pub timing: Timing,
}

/// Where the manifest of an inventory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// `inventory.bucket`.
    pub bucket: String,
    /// `inventory.key`.
    pub key: String,
}

/// How a job is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partitions {
    /// In about equal ranges of what is there.
    Discover,
    /// By the 256 hash folders.
    Hash,
    /// Only these prefixes, each by itself.
    Prefixes(Vec<String>),
}

/// Reads it.
pub(super) fn start(fields: &mut Fields) -> Result<Start, PayloadError> {
    let mode = fields.text("mode")?;
    let inventory = manifest(fields)?;
    let partitions = partitions(fields)?;
    match (mode.as_deref(), &inventory, &partitions) {
        (None | Some("list"), None, _) | (None | Some("inventory"), Some(_), None) => {}
        (None | Some("inventory"), Some(_), Some(_)) => {
            return Err(bad_field("partitions", "", "none with an inventory"));
        }
        (Some("list"), Some(_), _) => return Err(bad_field("mode", "list", "inventory")),
        (Some("inventory"), None, _) => {
            return Err(bad_field("inventory", Value::Null, MANIFEST));
        }
        (Some(mode), ..) => return Err(bad_field("mode", mode, "list, inventory")),
    }
    Ok(Start {
        job_id: job_id(fields)?,
        inventory,
        prefix: text(fields, "prefix")?,
        partitions,
        rate: rate(fields)?,
        dry_run: fields.flag("dry_run")?,
        workers: fields.whole("workers", 1..=WORKERS_MAX)?,
        resume: fields.flag("resume")?.unwrap_or_default(),
        execution: text(fields, "execution")?,
        timing: timing(fields)?,
    })
}

const MANIFEST: &str = "{\"bucket\": …, \"key\": … of a manifest.json}";

fn manifest(fields: &mut Fields) -> Result<Option<Manifest>, PayloadError> {
    fields.value("inventory", MANIFEST, |value| {
        let text = |name: &str| {
            let text = value.get(name)?.as_str()?;
            (1..=TEXT_MAX)
                .contains(&text.len())
                .then(|| text.to_owned())
        };
        let (bucket, key) = (text("bucket")?, text("key")?);
        let only = value.as_object()?.len() == 2;
        only.then_some(Manifest { bucket, key })
    })
}

fn partitions(fields: &mut Fields) -> Result<Option<Partitions>, PayloadError> {
    let allowed = format!("\"discover\", \"hash\", or a list of 1 to {PARTITIONS_MAX} prefixes");
    fields.value("partitions", &allowed, |value| match value {
        Value::String(text) if text == "discover" => Some(Partitions::Discover),
        Value::String(text) if text == "hash" => Some(Partitions::Hash),
        Value::Array(list) if (1..=PARTITIONS_MAX).contains(&list.len()) => {
            let texts = list.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().map(Partitions::Prefixes)
        }
        _ => None,
    })
}
