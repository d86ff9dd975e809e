//! S3 Inventory, read by row range: the manifest, CSV and Parquet parts. Files in, rows out; no network, no async.
//!
//! Four promises:
//!
//! - *Nothing of a part is used before all of it is known to be whole*: [`Verifying`] compares size and MD5 while the
//!   part is copied, and gives the copy out only if both are the manifest's.
//! - *Stopped at any row and gone on with, the rows are those of an uninterrupted reading*: a [`Batch`] says which row
//!   is next, and what is skipped never depends on more than the row before.
//! - *Memory has a bound that no file size moves*: at most [`BATCH_ROWS_MAX`] rows, and of each column that is read
//!   one page and one dictionary of at most [`PAGE_BYTES_MAX`].
//! - *What cannot be read is refused with the name of the part and the row*; it neither panics nor is left out.
//!
//! Rows that are not the latest version, delete markers, and rows equal to the one before are not given.

mod bounded;
mod columns;
mod csv_rows;
mod encoded_key;
mod error;
mod file_chunks;
mod footer;
#[cfg(feature = "made")]
pub mod made;
mod manifest;
mod parquet_rows;
mod row;
mod rows;
mod verifying;

pub use columns::{CsvColumns, Layout, LayoutError};
pub use error::PartError;
pub use file_chunks::PAGE_BYTES_MAX;
pub use footer::{FOOTER_BYTES_MAX, Footer, TAIL_BYTES, footer_bytes, split};
pub use manifest::{Manifest, ManifestError, PartFile, checksum_key};
pub use row::{Object, Row};
pub use rows::{BATCH_ROWS_MAX, Batch, RowRange, Rows};
pub use verifying::{Expected, Verifying};
