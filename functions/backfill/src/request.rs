//! What may be asked.

use serde::Serialize;
use serde_json::{Value, json};
use shared::payload::{Fields, PayloadError, bad_field, said};
use shared::s3_event::is_job_id;

use crate::plan::PARTITIONS_MAX;
use crate::progress::{Seen, Timing};

mod start;

use start::start;
pub use start::{Manifest, Partitions, Start};

/// Longest text that is only kept and compared.
pub const TEXT_MAX: usize = 1_024;
/// Most children at a time.
const WORKERS_MAX: u64 = 1_000;

/// A payload.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `start`: plans a job, or takes one up again.
    Start(Box<Start>),
    /// `enqueue`: some partitions.
    Enqueue(Shares),
    /// `listed`: are all of them?
    Listed(Asking, Timing),
    /// `progress`: wait, or verify?
    Progress(String, Timing, Seen),
    /// `verify_start`: begins a round of verification.
    VerifyStart {
        /// Of which job.
        asking: Asking,
        /// `round` and, if there is one, `count`.
        round: String,
        /// Children at a time.
        workers: Option<u64>,
    },
    /// `verify`: some partitions; each names its round.
    Verify(Shares),
    /// `conclude`: the verdict.
    Conclude {
        /// Of which job.
        asking: Asking,
        /// Which round's.
        round: String,
        /// Whether nothing is waited for after it; default true.
        is_last: bool,
    },
    /// `fail`: the state machine gives up.
    Fail {
        /// Whose failure it is; another execution's job is left alone.
        asking: Asking,
        /// What it gives up for.
        failure: Failure,
    },
}

/// `fail`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// `error`: its name.
    pub error: Option<String>,
    /// `cause`, in words, if it has any.
    pub cause: Option<String>,
    /// `ends`: whether the execution ends by this invocation's failure, and may be redriven from here.
    pub ends: bool,
    /// `failed_at`: how often the execution had been redriven when it failed.
    pub failed_at: u64,
    /// `redrives`: how often it has been now.
    pub redrives: u64,
}

impl Failure {
    /// `error: cause`, a kilobyte at most.
    #[must_use]
    pub fn reason(&self) -> String {
        let words = [&self.error, &self.cause].into_iter().flatten();
        // A cause may be there and say nothing, as that of a time-out.
        let words: Vec<&str> = words
            .map(String::as_str)
            .filter(|words| !words.is_empty())
            .collect();
        let mut reason = words.join(": ");
        reason.truncate(reason.floor_char_boundary(TEXT_MAX));
        reason
    }

    /// Whether the execution was redriven since it failed.
    #[must_use]
    pub const fn is_redriven(&self) -> bool {
        self.redrives > self.failed_at
    }
}

/// Of which job something is asked, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// `job_id`.
    pub job_id: String,
    /// `execution`: none = by hand.
    pub execution: Option<String>,
}

/// Partitions of one job: a single one, or a batch of the state machine's.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// Of which job.
    pub job_id: String,
    /// In the order in which they are worked on.
    pub items: Vec<Share>,
}

/// One partition, as an answer hands it back if it is not done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Of which job.
    pub job_id: String,
    /// From 0.
    pub partition: u64,
    /// Children at a time, for the rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u64>,
    /// The job's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate_per_second: Option<f64>,
    /// Of a verification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round: Option<String>,
}

impl Request {
    /// Reads a payload; unknown fields are mistakes.
    pub fn parse(payload: Value) -> Result<Self, PayloadError> {
        let mut fields = Fields::new(payload)?;
        let action = needed(&mut fields, "action", ACTIONS, Fields::text)?;
        let request = match action.as_str() {
            "start" => Self::Start(Box::new(start(&mut fields)?)),
            "enqueue" => Self::Enqueue(shares(&mut fields, Kind::Enqueue)?),
            "listed" => Self::Listed(asking(&mut fields)?, timing(&mut fields)?),
            "progress" => Self::Progress(
                job_id(&mut fields)?,
                timing(&mut fields)?,
                seen(&mut fields)?,
            ),
            "verify_start" => verify_start(&mut fields)?,
            "verify" => Self::Verify(shares(&mut fields, Kind::Verify)?),
            "conclude" => Self::Conclude {
                asking: asking(&mut fields)?,
                round: needed(&mut fields, "round", "text", text)?,
                is_last: fields.flag("is_last")?.unwrap_or(true),
            },
            "fail" => fail(&mut fields)?,
            _ => return Err(bad_field("action", action, ACTIONS)),
        };
        fields.finish()?;
        Ok(request)
    }

    /// Which job it is about.
    #[must_use]
    pub fn job_id(&self) -> &str {
        match self {
            Self::Start(start) => &start.job_id,
            Self::Enqueue(shares) | Self::Verify(shares) => &shares.job_id,
            Self::Progress(job_id, ..) => job_id,
            Self::Listed(asking, _)
            | Self::VerifyStart { asking, .. }
            | Self::Conclude { asking, .. }
            | Self::Fail { asking, .. } => &asking.job_id,
        }
    }
}

const ACTIONS: &str = "start, enqueue, listed, progress, verify_start, verify, conclude, fail";

fn needed<T>(
    fields: &mut Fields,
    field: &str,
    allowed: &str,
    read: impl Fn(&mut Fields, &str) -> Result<Option<T>, PayloadError>,
) -> Result<T, PayloadError> {
    read(fields, field)?.ok_or_else(|| bad_field(field, Value::Null, allowed))
}

fn text(fields: &mut Fields, field: &str) -> Result<Option<String>, PayloadError> {
    let allowed = format!("text of 1 to {TEXT_MAX} bytes");
    fields.value(field, &allowed, |value| {
        let text = value.as_str()?;
        (1..=TEXT_MAX)
            .contains(&text.len())
            .then(|| text.to_owned())
    })
}

fn job_id(fields: &mut Fields) -> Result<String, PayloadError> {
    let allowed = "1 to 80 of A-Z a-z 0-9 _ -";
    let read = |fields: &mut Fields, field: &str| {
        fields.value(field, allowed, |value| {
            let id = value.as_str()?;
            is_job_id(id).then(|| id.to_owned())
        })
    };
    needed(fields, "job_id", allowed, read)
}

fn asking(fields: &mut Fields) -> Result<Asking, PayloadError> {
    Ok(Asking {
        job_id: job_id(fields)?,
        execution: text(fields, "execution")?,
    })
}

fn timing(fields: &mut Fields) -> Result<Timing, PayloadError> {
    let default = Timing::default();
    let poll = fields.whole("poll_seconds", 1..=3_600)?;
    let settle = fields.whole("settle_seconds", 0..=14 * 24 * 3_600)?;
    Ok(Timing {
        poll_seconds: poll.unwrap_or(default.poll_seconds),
        settle_seconds: settle.unwrap_or(default.settle_seconds),
    })
}

fn seen(fields: &mut Fields) -> Result<Seen, PayloadError> {
    let allowed = "the field seen of an earlier answer";
    let seen = fields.value("seen", allowed, |value| {
        serde_json::from_value(value.clone()).ok()
    })?;
    Ok(seen.unwrap_or_default())
}

fn rate(fields: &mut Fields) -> Result<Option<f64>, PayloadError> {
    fields.number("max_rate_per_second", 1.0..=100_000.0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Enqueue,
    Verify,
}

/// A single item is the payload itself; a batch has `Items`, and `BatchInput`, which says nothing.
fn shares(fields: &mut Fields, kind: Kind) -> Result<Shares, PayloadError> {
    let allowed = "a list of one or more objects";
    let items = fields.value("Items", allowed, |value| {
        value.as_array().filter(|items| !items.is_empty()).cloned()
    })?;
    let Some(items) = items else {
        let share = share(fields, kind)?;
        return Ok(Shares {
            job_id: share.job_id.clone(),
            items: vec![share],
        });
    };
    fields.value("BatchInput", "anything", |_| Some(()))?;
    let mut shares = Vec::with_capacity(items.len());
    for item in items {
        let mut fields = Fields::new(item)?;
        shares.push(share(&mut fields, kind)?);
        fields.finish()?;
    }
    let job_id = shares.first().map(|share| share.job_id.clone());
    let job_id = job_id.unwrap_or_default();
    match shares.iter().find(|share| share.job_id != job_id) {
        Some(other) => Err(bad_field("job_id", other.job_id.as_str(), &job_id)),
        None => Ok(Shares {
            job_id,
            items: shares,
        }),
    }
}

fn share(fields: &mut Fields, kind: Kind) -> Result<Share, PayloadError> {
    let numbers = 0..=PARTITIONS_MAX as u64 - 1;
    let allowed = "0 to 9999";
    let is_verify = kind == Kind::Verify;
    Ok(Share {
        job_id: job_id(fields)?,
        partition: needed(fields, "partition", allowed, |fields, field| {
            fields.whole(field, numbers.clone())
        })?,
        workers: fields.whole("workers", 1..=WORKERS_MAX)?,
        max_rate_per_second: rate(fields)?,
        round: if is_verify {
            Some(needed(fields, "round", "text", text)?)
        } else {
            None
        },
    })
}

fn verify_start(fields: &mut Fields) -> Result<Request, PayloadError> {
    let round = needed(fields, "round", "text", text)?;
    let count = fields.whole("count", 0..=u64::MAX)?;
    // A redriven execution counts from the beginning again; what an earlier round has looked at is not of this one.
    let again = match redrives(fields, "redrives")? {
        0 => String::new(),
        times => format!(".redrive-{times}"),
    };
    let count = count.map(|count| format!(".{count}")).unwrap_or_default();
    Ok(Request::VerifyStart {
        asking: asking(fields)?,
        round: format!("{round}{count}{again}"),
        workers: fields.whole("workers", 1..=WORKERS_MAX)?,
    })
}

fn fail(fields: &mut Fields) -> Result<Request, PayloadError> {
    let any = |value: &Value| match value {
        Value::String(text) => Some(said(text)),
        other => Some(other.to_string()),
    };
    let failure = Failure {
        error: fields.value("error", "anything", any)?,
        cause: fields.value("cause", "anything", any)?,
        ends: fields.flag("ends")?.unwrap_or_default(),
        failed_at: redrives(fields, "failed_at")?,
        redrives: redrives(fields, "redrives")?,
    };
    Ok(Request::Fail {
        asking: asking(fields)?,
        failure,
    })
}

/// How often an execution was redriven; an engine that knows no redrive says nothing.
fn redrives(fields: &mut Fields, field: &str) -> Result<u64, PayloadError> {
    Ok(fields.whole(field, 0..=u64::MAX)?.unwrap_or_default())
}

impl Shares {
    /// The answer of an invocation that leaves `left`.
    #[must_use]
    pub fn answer(&self, status: &str, left: &[Share]) -> Value {
        json!({"job_id": self.job_id, "Items": left, "status": status})
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
