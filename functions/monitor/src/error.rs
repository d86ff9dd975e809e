//! Why a tick failed.

use scaling::steps::Problem;
use shared::Retryable;
use shared::idempotency::IdempotencyError;
use shared::payload::PayloadError;

use crate::refusal::{Refusal, class_of};

/// Named for what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The caller must ask differently.
    #[error(transparent)]
    BadPayload(#[from] PayloadError),
    /// The lease in `STATE_BUCKET` cannot be had, nor is it known who has it. Nothing was changed.
    #[error("lease of the tick")]
    Lease(#[from] IdempotencyError),
    /// What decisions rest on could not be seen. Nothing was changed.
    #[error("observe")]
    Observe(#[from] Refusal),
    /// What is behind `STATE_PARAMETER` is not ours. No mount target was changed.
    #[error("STATE_PARAMETER is {reason}: give this file system one of its own, or remove it")]
    State {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A service answered without something that the decision needs. Nothing was changed.
    #[error("{call} answered without {missing}")]
    Incomplete {
        /// Which call.
        call: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// The services have not answered until the time was up. What was begun is remembered; the next tick looks.
    #[error("the services do not answer")]
    TimeUp,
    /// A call of the tick did not succeed, and the next tick alone will not mend it. The rest of the tick was done.
    #[error("{} ({})", .0.call, .0.class.label())]
    NotDone(Problem, #[source] Said),
}

/// A service's answer in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Said(String);

impl MonitorError {
    /// Of a step that did not succeed.
    #[must_use]
    pub fn not_done(problem: Problem) -> Self {
        let said = Said(problem.error.clone());
        Self::NotDone(problem, said)
    }

    /// The error's type, as Lambda reports it.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::BadPayload(_) => "BadPayload",
            Self::Lease(_) => "LeaseUnavailable",
            Self::Observe(refusal) => class_of(refusal).label(),
            Self::State { .. } => "BadConfiguration",
            Self::Incomplete { .. } => "IncompleteAnswer",
            Self::TimeUp => "TimeUp",
            Self::NotDone(problem, _) => problem.class.label(),
        }
    }
}

impl Retryable for MonitorError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::BadPayload(_) | Self::State { .. } => false,
            Self::Lease(error) => error.is_retryable(),
            Self::Observe(refusal) => !class_of(refusal).is_for_someone(),
            Self::Incomplete { .. } | Self::TimeUp => true,
            Self::NotDone(problem, _) => !problem.class.is_for_someone(),
        }
    }
}
