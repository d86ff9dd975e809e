//! Why there is no measurement.

use serde_json::Value;

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("usage: bench_backfill run|serve SPEC")]
    Usage,
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the function answered {0}")]
    Answer(String),
    #[error("the process of the services has ended")]
    NoServices,
    #[error("{what} is {found}, not {expected}")]
    Wrong {
        what: &'static str,
        found: Value,
        expected: u64,
    },
}
