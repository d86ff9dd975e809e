//! What more than one Sluice function needs, and nothing that only one does: settings from the environment, log lines
//! and metrics, idempotency over a store with compare-and-set, deadlines, batches, S3 events, payloads, keys and partitions,
//! a backfill's job, a service's refusal and, with the feature `walk`, the walk over a file tree. The crate compiles no SDK
//! unless the feature `s3`, `jobs` or `refusal` asks for one, reads no environment and, outside of `telemetry` and `walk`,
//! no clock: both are parameters.

pub mod batch;
pub mod deadline;
pub mod env;
pub mod idempotency;
pub mod job;
#[cfg(feature = "jobs")]
pub mod jobs;
pub mod key;
pub mod partition;
pub mod payload;
#[cfg(feature = "refusal")]
pub mod refusal;
pub mod s3_event;
pub mod telemetry;
#[cfg(feature = "walk")]
pub mod walk;

/// Whether the same call may succeed later.
///
/// Implement it as an exhaustive `match`, so that a new variant does not compile until someone has decided.
pub trait Retryable {
    /// `true` sends the work back to where it came from; `false` means that only a change by someone can help.
    fn is_retryable(&self) -> bool;
}
