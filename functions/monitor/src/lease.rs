//! One tick at a time, and one of each schedule: events are delivered at least once.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use shared::deadline::Deadline;
use shared::idempotency::{Begin, Idempotency, IdempotencyError, Lease, S3Store};

use crate::config::Config;

/// Where the records are, in `STATE_BUCKET`.
pub const PREFIX: &str = "sluice/monitor/";

/// How long a scheduled tick is known to be done. Source: EventBridge user guide, "Event retry policy": an event is
/// delivered within 24 hours, or not at all.
const KEEP: Duration = Duration::from_hours(48);

/// The leases of one file system, if they are kept anywhere.
pub struct Leases {
    idempotency: Option<Idempotency<S3Store>>,
    file_system_id: String,
}

/// Whether to go on.
pub enum Turn<'a> {
    /// Yes.
    Go(Box<Held<'a>>),
    /// No, for this reason.
    Duplicate(&'static str),
}

/// The right to change something. Dropped, it holds until the deadline.
#[derive(Default)]
pub struct Held<'a> {
    own: Option<Lease<'a, S3Store>>,
    schedule: Option<Lease<'a, S3Store>>,
}

impl Leases {
    /// In `STATE_BUCKET`, or nowhere.
    #[must_use]
    pub fn new(s3: &aws_sdk_s3::Client, config: &Config) -> Self {
        let bucket = config.state_bucket.as_ref();
        let store = bucket.map(|bucket| S3Store::new(s3.clone(), bucket, PREFIX));
        Self {
            idempotency: store.map(|store| Idempotency::new(store, "monitor", KEEP)),
            file_system_id: config.file_system_id.clone(),
        }
    }

    /// Takes the turn until `deadline`; `time` is the schedule's, if there is one.
    pub async fn take(
        &self,
        time: Option<&str>,
        deadline: Deadline,
        now: SystemTime,
    ) -> Result<Turn<'_>, IdempotencyError> {
        let Some(idempotency) = &self.idempotency else {
            return Ok(Turn::Go(Box::default()));
        };
        let mut held = Box::<Held<'_>>::default();
        if let Some(time) = time {
            let key = format!("{}/{time}", self.file_system_id);
            match begin(idempotency, &key, deadline, now).await? {
                None => return Ok(Turn::Duplicate("this tick is under way already")),
                Some(Begin::Replay(_)) => return Ok(Turn::Duplicate("this tick was done before")),
                Some(Begin::Run(lease)) => held.schedule = Some(lease),
            }
        }
        match begin(idempotency, &self.file_system_id, deadline, now).await? {
            Some(Begin::Run(lease)) => {
                held.own = Some(lease);
                Ok(Turn::Go(held))
            }
            // The file system's own record is never completed.
            Some(Begin::Replay(_)) | None => {
                held.end(false, now).await?;
                Ok(Turn::Duplicate("another tick is under way"))
            }
        }
    }
}

async fn begin<'a>(
    idempotency: &'a Idempotency<S3Store>,
    key: &str,
    deadline: Deadline,
    now: SystemTime,
) -> Result<Option<Begin<'a, S3Store>>, IdempotencyError> {
    match idempotency.begin(key, "", deadline, now).await {
        Ok(begun) => Ok(Some(begun)),
        Err(IdempotencyError::AlreadyInProgress { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Held<'_> {
    /// Gives the turn back. A scheduled tick that is done is not done again.
    pub async fn end(self, is_done: bool, now: SystemTime) -> Result<(), IdempotencyError> {
        let own = match self.own {
            Some(own) => own.release(now).await,
            None => Ok(()),
        };
        let schedule = match self.schedule {
            Some(schedule) if is_done => schedule.complete(Value::Null, now).await,
            Some(schedule) => schedule.release(now).await,
            None => Ok(()),
        };
        own.and(schedule)
    }
}
