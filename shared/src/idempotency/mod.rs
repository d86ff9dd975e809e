//! Work that is done once per key, however often it is asked for.
//!
//! Each unit of work has a record in a store with compare-and-set. Whoever writes "in progress" has the lease, for as
//! long as its invocation may run; a duplicate meanwhile is turned away, one after the end gets the result again. After
//! a crash the work is free as soon as the window has passed. The semantics follow Powertools for AWS Lambda. What is
//! absent: deletion (a release writes a record that has already expired, so no right to delete is needed and no
//! version ever comes back) and any trust in a store's own expiry (every read is judged by the clock it is given).

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use lru::LruCache;
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::record::{Verdict, later};
use crate::Retryable;
use crate::deadline::Deadline;

mod file_store;
mod record;
#[cfg(feature = "s3")]
mod s3_store;
#[cfg(test)]
mod tests;

pub use self::file_store::FileStore;
pub use self::record::{Record, Status};
#[cfg(feature = "s3")]
pub use self::s3_store::S3Store;

/// Completed records a process remembers, to replay without asking the store. Source: the default of Powertools.
const CACHE_ENTRIES: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// How often a lease writes its end when the store turns the write down though nobody else wrote.
const WRITES_MAX: usize = 3;

/// Where records live: one per id, replaced only by who knows the current version.
pub trait Store: Send + Sync {
    /// Tells one state of a record from every other, earlier or later.
    type Version: Clone + PartialEq + Send + Sync;

    /// The current record of `id` and its version.
    fn load(
        &self,
        id: &str,
    ) -> impl Future<Output = Result<Option<(Record, Self::Version)>, StoreError>> + Send;

    /// Writes `record` if the version of `id` is still `expected` (`None`: there is no record yet).
    ///
    /// Returns the new version, or `None` when `record` is not the current one: normally because someone else was first.
    fn compare_and_set(
        &self,
        id: &str,
        expected: Option<&Self::Version>,
        record: &Record,
    ) -> impl Future<Output = Result<Option<Self::Version>, StoreError>> + Send;
}

/// Why a store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer, or refused.
    #[error("access idempotency record {location}")]
    Access {
        /// Path or URL of the record.
        location: String,
        /// What the file system or the client said.
        source: std::io::Error,
    },
    /// Something is there that is no record of ours.
    #[error("idempotency record {location} is unreadable")]
    Unreadable {
        /// Path or URL of the record.
        location: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Retryable for StoreError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Access { .. } => true,
            Self::Unreadable { .. } => false,
        }
    }
}

/// Why work was not begun, or its end not recorded.
#[derive(Debug, thiserror::Error)]
pub enum IdempotencyError {
    /// Someone else does the same work right now.
    #[error("{id} is already in progress")]
    AlreadyInProgress {
        /// Function and key.
        id: String,
    },
    /// The key was used for other content before.
    #[error("{id} was completed before with another payload")]
    PayloadMismatch {
        /// Function and key.
        id: String,
    },
    /// The invocation is past its deadline: a lease without a window would keep nobody out.
    #[error("no time left to begin {id}")]
    NoTimeLeft {
        /// Function and key.
        id: String,
    },
    /// The work took longer than its window, and someone else has taken it up since.
    #[error("the lease of {id} has passed to someone else")]
    LeaseLost {
        /// Function and key.
        id: String,
    },
    /// The store failed.
    #[error("idempotency of {id} is unknown")]
    Store {
        /// Function and key.
        id: String,
        /// How it failed.
        source: StoreError,
    },
}

impl Retryable for IdempotencyError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::AlreadyInProgress { .. } | Self::NoTimeLeft { .. } | Self::LeaseLost { .. } => {
                true
            }
            Self::PayloadMismatch { .. } => false,
            Self::Store { source, .. } => source.is_retryable(),
        }
    }
}

/// What to do about a request.
pub enum Begin<'a, S: Store> {
    /// Do the work, then [`Lease::complete`] or [`Lease::release`].
    Run(Lease<'a, S>),
    /// It was done before; this was the result.
    Replay(Value),
}

/// Decides for one function which work is new.
pub struct Idempotency<S> {
    store: S,
    function: String,
    keep: Duration,
    completed: Mutex<LruCache<String, Record>>,
}

impl<S: Store> Idempotency<S> {
    /// Over `store`; keys belong to `function`, so that two functions may share a store. A result is replayed for
    /// `keep` after its completion.
    pub fn new(store: S, function: impl Into<String>, keep: Duration) -> Self {
        let completed = Mutex::new(LruCache::new(CACHE_ENTRIES));
        Self {
            store,
            function: function.into(),
            keep,
            completed,
        }
    }

    /// Takes up the work `key`, or says why not.
    ///
    /// `payload_hash` stands for the content of the request. The lease holds until `deadline`, when this invocation is
    /// over in any case.
    pub async fn begin(
        &self,
        key: &str,
        payload_hash: &str,
        deadline: Deadline,
        now: SystemTime,
    ) -> Result<Begin<'_, S>, IdempotencyError> {
        let id = format!("{}#{key}", self.function);
        let cached = self.completed().get(&id).cloned();
        if let Some(record) = cached
            && let Some(result) = finished(&record, payload_hash, now)?
        {
            return Ok(Begin::Replay(result));
        }
        let loaded = self.store.load(&id).await.map_err(in_store(&id))?;
        if let Some((record, _)) = &loaded
            && let Some(result) = finished(record, payload_hash, now)?
        {
            self.completed().put(id, record.clone());
            return Ok(Begin::Replay(result));
        }
        let window = deadline.remaining(now);
        if window.is_zero() {
            return Err(IdempotencyError::NoTimeLeft { id });
        }
        let in_progress_until = later(now, window);
        let record = Record {
            status: Status::InProgress,
            expires_at: later(now, self.keep).max(in_progress_until),
            in_progress_until,
            payload_hash: payload_hash.to_owned(),
            result: Value::Null,
            id,
        };
        let expected = loaded.map(|(_, version)| version);
        let taken = self
            .store
            .compare_and_set(&record.id, expected.as_ref(), &record)
            .await;
        match taken.map_err(in_store(&record.id))? {
            Some(version) => Ok(Begin::Run(Lease {
                idempotency: self,
                record,
                version,
            })),
            None => Err(IdempotencyError::AlreadyInProgress { id: record.id }),
        }
    }

    fn completed(&self) -> MutexGuard<'_, LruCache<String, Record>> {
        self.completed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result if the work is done, `None` if it is free.
fn finished(
    record: &Record,
    payload_hash: &str,
    now: SystemTime,
) -> Result<Option<Value>, IdempotencyError> {
    let id = || record.id.clone();
    match record.verdict(payload_hash, now) {
        Verdict::Take => Ok(None),
        Verdict::Replay => Ok(Some(record.result.clone())),
        Verdict::InProgress => Err(IdempotencyError::AlreadyInProgress { id: id() }),
        Verdict::Mismatch => Err(IdempotencyError::PayloadMismatch { id: id() }),
    }
}

/// The right to do the work, until the deadline it was begun with. Dropped, it holds until then.
#[must_use = "work that is neither completed nor released stays locked until its window ends"]
pub struct Lease<'a, S: Store> {
    idempotency: &'a Idempotency<S>,
    record: Record,
    version: S::Version,
}

impl<S: Store> Lease<'_, S> {
    /// Records that the work is done; duplicates get `result` from now on.
    pub async fn complete(self, result: Value, now: SystemTime) -> Result<(), IdempotencyError> {
        let record = Record {
            status: Status::Completed,
            expires_at: later(now, self.idempotency.keep),
            in_progress_until: now,
            result,
            ..self.record.clone()
        };
        if !self.write(&record).await? {
            return Err(IdempotencyError::LeaseLost { id: record.id });
        }
        self.idempotency.completed().put(record.id.clone(), record);
        Ok(())
    }

    /// Frees the work after a failure, for the next one who asks. If the window has passed and someone already has it,
    /// there is nothing to free.
    pub async fn release(self, now: SystemTime) -> Result<(), IdempotencyError> {
        let record = Record {
            expires_at: now,
            in_progress_until: now,
            ..self.record.clone()
        };
        self.write(&record).await.map(|_| ())
    }

    /// Replaces the lease's own record; `false` when it is no longer ours.
    ///
    /// "Turned down" has two harmless readings, told apart by looking: a retry below us met its own first attempt, or
    /// the store declined without having changed (S3 answers 409 to writers that meet).
    async fn write(&self, record: &Record) -> Result<bool, IdempotencyError> {
        let Self {
            idempotency: Idempotency { store, .. },
            version,
            ..
        } = self;
        for _ in 0..WRITES_MAX {
            let written = store
                .compare_and_set(&record.id, Some(version), record)
                .await;
            if written.map_err(in_store(&record.id))?.is_some() {
                return Ok(true);
            }
            match store.load(&record.id).await.map_err(in_store(&record.id))? {
                Some((current, _)) if current == *record => return Ok(true),
                Some((_, current)) if current == *version => {}
                _ => return Ok(false),
            }
        }
        let location = record.id.clone();
        let source =
            std::io::Error::other("the store keeps declining a write that nobody competes with");
        Err(in_store(&record.id)(StoreError::Access {
            location,
            source,
        }))
    }
}

fn in_store(id: &str) -> impl Fn(StoreError) -> IdempotencyError {
    move |source| IdempotencyError::Store {
        id: id.to_owned(),
        source,
    }
}

/// A name any store can use for any id: 64 hex digits.
fn hashed(id: &str) -> String {
    Sha256::digest(id.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut name, byte| {
            // Writing to a String cannot fail.
            let _ = write!(name, "{byte:02x}");
            name
        })
}
