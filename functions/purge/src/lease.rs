//! One sweep of a root at a time, and one of each schedule: events are delivered at least once.

use std::ffi::CStr;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use shared::deadline::Deadline;
use shared::idempotency::{Begin, FileStore, Idempotency, IdempotencyError, Lease};
use shared::walk::{Kernel, OwnFolder, Root, RootError};

/// Below `.sluice/`.
pub const FOLDER: &CStr = c"idempotency";

/// How long the answer of a scheduled sweep is kept. Source: EventBridge user guide, "Event retry policy": an event is
/// delivered within 24 hours, or not at all.
const KEEP: Duration = Duration::from_hours(48);

/// The records below one root.
pub struct Leases {
    /// Keeps the records' path alive.
    _folder: OwnFolder,
    idempotency: Idempotency<FileStore>,
}

/// What a sweep is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What stands for the root: its number in its file system.
    pub root: String,
    /// The schedule's time and what stands for its options; `None` for whatever is not scheduled, and for going on.
    pub schedule: Option<(String, String)>,
}

/// Whether to sweep.
pub enum Turn<'a> {
    /// Yes.
    Sweep(Box<Held<'a>>),
    /// It was done; this was the answer.
    DoneBefore(Value),
    /// Someone else is at it.
    InProgress,
}

/// The right to sweep. Dropped, it holds until the deadline.
pub struct Held<'a> {
    root: Lease<'a, FileStore>,
    schedule: Option<Lease<'a, FileStore>>,
}

impl Leases {
    /// Of a root.
    pub fn open(kernel: &Kernel, root: &Root) -> Result<Self, RootError> {
        let folder = OwnFolder::open(kernel, root, FOLDER);
        let folder = folder.map_err(|source| RootError::Open {
            path: root.path().join(".sluice/idempotency"),
            source,
        })?;
        Ok(Self::of(folder))
    }

    /// In a folder of their own.
    #[must_use]
    pub fn of(folder: OwnFolder) -> Self {
        let store = FileStore::new(folder.path());
        Self {
            _folder: folder,
            idempotency: Idempotency::new(store, "purge", KEEP),
        }
    }

    /// Takes the turn, until `deadline`.
    pub async fn take(
        &self,
        asked: &Asked,
        deadline: Deadline,
        now: SystemTime,
    ) -> Result<Turn<'_>, IdempotencyError> {
        let mut schedule = None;
        if let Some((time, options)) = &asked.schedule {
            let key = format!("{}/{time}/{options}", asked.root);
            match self.begin(&key, options, deadline, now).await? {
                None => return Ok(Turn::InProgress),
                Some(Begin::Replay(answer)) => return Ok(Turn::DoneBefore(answer)),
                Some(Begin::Run(lease)) => schedule = Some(lease),
            }
        }
        match self.begin(&asked.root, "", deadline, now).await? {
            Some(Begin::Run(root)) => Ok(Turn::Sweep(Box::new(Held { root, schedule }))),
            // The root's own record is never completed.
            Some(Begin::Replay(_)) | None => {
                if let Some(schedule) = schedule {
                    schedule.release(now).await?;
                }
                Ok(Turn::InProgress)
            }
        }
    }

    /// Takes one step of a plan, until `deadline`; `None` while someone else has it.
    pub async fn take_step(
        &self,
        key: &str,
        deadline: Deadline,
        now: SystemTime,
    ) -> Result<Option<StepHeld<'_>>, IdempotencyError> {
        match self.begin(key, "", deadline, now).await? {
            Some(Begin::Run(lease)) => Ok(Some(StepHeld(lease))),
            // A step's own record is never completed: what came of it is in a file of the plan.
            Some(Begin::Replay(_)) | None => Ok(None),
        }
    }

    async fn begin(
        &self,
        key: &str,
        hash: &str,
        deadline: Deadline,
        now: SystemTime,
    ) -> Result<Option<Begin<'_, FileStore>>, IdempotencyError> {
        match self.idempotency.begin(key, hash, deadline, now).await {
            Ok(begun) => Ok(Some(begun)),
            Err(IdempotencyError::AlreadyInProgress { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The right to do one step of a plan. Dropped, it holds until the deadline.
pub struct StepHeld<'a>(Lease<'a, FileStore>);

impl StepHeld<'_> {
    /// Frees it.
    pub async fn end(self, now: SystemTime) -> Result<(), IdempotencyError> {
        self.0.release(now).await
    }
}

impl Held<'_> {
    /// Frees the root. A scheduled sweep that ended for good leaves its answer to its duplicates.
    pub async fn end(self, answer: Option<Value>, now: SystemTime) -> Result<(), IdempotencyError> {
        if let Some(schedule) = self.schedule {
            match answer {
                Some(answer) => schedule.complete(answer, now).await?,
                None => schedule.release(now).await?,
            }
        }
        self.root.release(now).await
    }
}
