//! Why there was no sweep.

use std::io::ErrorKind;
use std::path::PathBuf;

use shared::Retryable;
use shared::idempotency::IdempotencyError;
use shared::payload::PayloadError;
use shared::walk::{RootError, TokenError, WalkError};

/// Named for what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// The caller must ask differently.
    #[error(transparent)]
    BadPayload(#[from] PayloadError),
    /// The root is not there, or not what it should be.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The root leads to a directory of the system.
    #[error("root {path:?} is the system's {resolved:?}")]
    SystemRoot {
        /// As it was given.
        path: PathBuf,
        /// Where it is.
        resolved: PathBuf,
    },
    /// The token is none, or of other work, or cannot be kept.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Whether someone else sweeps is not known.
    #[error(transparent)]
    Lease(#[from] IdempotencyError),
    /// A file of a plan cannot be read, written or understood.
    #[error("plan file {name}")]
    PlanFile {
        /// Below `.sluice/plans/`.
        name: String,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// The settings no longer allow what was planned.
    #[error("plan {plan}: the settings have changed since, make a new one")]
    PlanOutdated {
        /// Its name.
        plan: String,
    },
    /// Someone else is at it; it can be tried again when they are done, or at their deadline.
    #[error("{0}")]
    InProgress(&'static str),
    /// Not every part of the plan is done.
    #[error(
        "plan {plan}: {missing} of {ranges} ranges are not done, the first is units {from} to {to}"
    )]
    PlanUnfinished {
        /// Its name.
        plan: String,
        /// How many.
        missing: usize,
        /// Of how many.
        ranges: usize,
        /// The first one's first unit.
        from: usize,
        /// And the one after its last.
        to: usize,
    },
    /// There is a budget, and nobody has seen whether it holds.
    #[error("plan {plan}: its budget must be checked before anything goes, and must hold")]
    PlanUnchecked {
        /// Its name.
        plan: String,
    },
    /// The walk did not begin.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The time is up and the file system has not answered: what was done is not known.
    #[error("the file system does not answer")]
    Hung,
    /// The walk's thread ended without an outcome.
    #[error("walk")]
    Lost(#[source] tokio::task::JoinError),
}

impl PurgeError {
    /// The error's type, as Lambda reports it.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::BadPayload(_) => "BadPayload",
            Self::Root(_) | Self::SystemRoot { .. } => "BadRoot",
            Self::Token(_) | Self::Walk(WalkError::Token(_)) => "BadToken",
            Self::Lease(_) => "NoLease",
            Self::PlanFile { .. } => "PlanFile",
            Self::InProgress(_) => "InProgress",
            Self::PlanOutdated { .. } => "PlanOutdated",
            Self::PlanUnfinished { .. } => "PlanUnfinished",
            Self::PlanUnchecked { .. } => "PlanUnchecked",
            Self::Walk(WalkError::Spawn(_)) => "NoThreads",
            Self::Hung => "Hung",
            Self::Lost(_) => "Lost",
        }
    }
}

impl Retryable for PurgeError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::BadPayload(_)
            | Self::SystemRoot { .. }
            | Self::PlanOutdated { .. }
            | Self::PlanUnfinished { .. }
            | Self::PlanUnchecked { .. }
            | Self::Walk(WalkError::Token(_)) => false,
            Self::PlanFile { source, .. } => source.kind() != ErrorKind::NotFound,
            Self::Root(error) => matches!(error, RootError::Open { .. }),
            Self::Lease(error) => error.is_retryable(),
            Self::Token(error) => matches!(error, TokenError::File { .. }),
            Self::Walk(WalkError::Spawn(_)) | Self::Hung | Self::Lost(_) | Self::InProgress(_) => {
                true
            }
        }
    }
}
