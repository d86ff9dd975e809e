//! What one measurement is of.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One measurement; a member that is not known is refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The release binary `backfill`.
    pub(crate) binary: PathBuf,
    /// Processes of it.
    pub(crate) workers: usize,
    /// Folders of keys, 1 to 256, and keys in each.
    pub(crate) folders: u64,
    pub(crate) keys_per_folder: u64,
    /// Length of each key, bytes; the shortest is 29.
    #[serde(default)]
    pub(crate) key_bytes: usize,
    /// From a request for a page to the first byte of its answer, microseconds.
    pub(crate) page_us: u64,
    /// The same of `SendMessageBatch`.
    #[serde(default)]
    pub(crate) send_us: u64,
    /// `ENQUEUE_CONCURRENCY`.
    pub(crate) enqueue_concurrency: usize,
    /// Nothing is sent.
    pub(crate) dry_run: bool,
}

impl Spec {
    /// How many keys there are.
    pub(crate) fn count(&self) -> u64 {
        self.folders * self.keys_per_folder
    }
}
