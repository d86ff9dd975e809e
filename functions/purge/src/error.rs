//! Why there was no sweep.

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
    /// The walk did not begin.
    #[error(transparent)]
    Walk(#[from] WalkError),
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
            Self::Walk(WalkError::Spawn(_)) => "NoThreads",
            Self::Lost(_) => "Lost",
        }
    }
}

impl Retryable for PurgeError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::BadPayload(_) | Self::SystemRoot { .. } | Self::Walk(WalkError::Token(_)) => {
                false
            }
            Self::Root(error) => matches!(error, RootError::Open { .. }),
            Self::Lease(error) => error.is_retryable(),
            Self::Token(error) => matches!(error, TokenError::File { .. }),
            Self::Walk(WalkError::Spawn(_)) | Self::Lost(_) => true,
        }
    }
}
