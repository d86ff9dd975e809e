//! Why there is no count.

use shared::Retryable;
use shared::payload::PayloadError;
use shared::walk::{RootError, TokenError, WalkError};

/// Named for what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// The caller must ask differently.
    #[error(transparent)]
    BadPayload(#[from] PayloadError),
    /// The root is not there, or not what it should be.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The token is none, or of other work, or cannot be kept.
    #[error(transparent)]
    Token(#[from] TokenError),
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

impl CountError {
    /// The error's type, as Lambda reports it.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::BadPayload(_) => "BadPayload",
            Self::Root(_) => "BadRoot",
            Self::Token(_) | Self::Walk(WalkError::Token(_)) => "BadToken",
            Self::Walk(WalkError::Spawn(_)) => "NoThreads",
            Self::Hung => "Hung",
            Self::Lost(_) => "Lost",
        }
    }
}

impl Retryable for CountError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::BadPayload(_) | Self::Walk(WalkError::Token(_)) => false,
            Self::Root(error) => matches!(error, RootError::Open { .. }),
            Self::Token(error) => matches!(error, TokenError::File { .. }),
            Self::Walk(WalkError::Spawn(_)) | Self::Hung | Self::Lost(_) => true,
        }
    }
}
