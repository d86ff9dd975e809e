//! A part of an inventory: its rows, page by page.

use aws_sdk_s3::Client;

use crate::error::BackfillError;
use crate::found::Page;
use crate::work::{Inventory, Part};

/// The rows of a part that name current objects below a prefix; old versions and delete markers are not in it.
pub struct Rows {}

impl Rows {
    /// Fetches and verifies the part. Rows before `from_row` (counted from 0 in the file) are passed over; the part's own
    /// range of rows holds besides.
    #[expect(clippy::unused_async, reason = "not written yet")]
    pub async fn open(
        _s3: &Client,
        _inventory: &Inventory,
        part: &Part,
        _prefix: &str,
        _from_row: u64,
    ) -> Result<Self, BackfillError> {
        Err(not_yet(&part.key))
    }

    /// The next page; none at the end.
    #[expect(clippy::unused_async, reason = "not written yet")]
    pub async fn next(&mut self) -> Result<Option<Page>, BackfillError> {
        Err(not_yet(""))
    }
}

/// Reads the manifest at `bucket` and `key`, verifies it, and cuts its files into parts. An inventory of another bucket
/// than `source_bucket` is refused.
#[expect(clippy::unused_async, reason = "not written yet")]
pub async fn plan(
    _s3: &Client,
    _bucket: &str,
    key: &str,
    _source_bucket: &str,
) -> Result<(Inventory, Vec<Part>), BackfillError> {
    Err(not_yet(key))
}

fn not_yet(key: &str) -> BackfillError {
    BackfillError::Inventory {
        key: key.to_owned(),
        source: "not written yet".into(),
    }
}
