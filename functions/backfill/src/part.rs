//! An inventory: its manifest as a plan of parts, and the rows of one part, page by page.

use std::fs::File;
use std::io;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use futures_util::{StreamExt, TryStreamExt, stream};
use inventory::{
    Batch, Expected, Footer, Layout, Manifest, PartError, PartFile, Row, RowRange, TAIL_BYTES,
    Verifying, checksum_key, footer_bytes, split,
};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::error::BackfillError;
use crate::found::{Found, Page};
use crate::refusal::{Class, Refusal};
use crate::work::{Continuation, Inventory, Part};

/// Where a copy of a part is while it is read. On Lambda the one folder that can be written to.
const SCRATCH: &str = "/tmp";

/// Rows beyond which a Parquet part becomes several partitions; some seconds of reading.
const SPLIT_ROWS: u64 = 2_000_000;

/// Longest manifest or checksum, bytes; a thousand files take about 200 KiB.
const MANIFEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What of a Parquet part's end is read at once, bytes: footers of a dozen row groups are shorter.
const END_BYTES: u64 = 64 * 1024;

/// Parts that are looked at side by side.
const LOOKS_IN_FLIGHT: usize = 16;

/// Pieces of a body, and batches of rows, that wait for whoever is slower.
const PIECES_AHEAD: usize = 8;
const BATCHES_AHEAD: usize = 2;

/// Why a manifest or a part cannot be used, besides what [`inventory`] finds.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(
        "there is no such object in bucket {bucket}; the manifest and its parts must be in one bucket"
    )]
    Missing { bucket: String },
    #[error("it is not the {expected_bytes} bytes long that it should be")]
    OtherLength { expected_bytes: u64 },
    #[error("it is longer than {MANIFEST_BYTES_MAX} bytes")]
    TooLong,
    #[error(
        "it has no column Size, by which memory is shared out: configure the inventory with it"
    )]
    NoSizes,
    #[error("row {row} has no size")]
    NoSize { row: u64 },
    #[error(
        "its {size_bytes} bytes do not fit into {SCRATCH}: give the function more EphemeralStorage"
    )]
    NoRoom { size_bytes: u64 },
}

/// The rows of a part that name current objects below a prefix; old versions and delete markers are not in it.
pub struct Rows {
    part: Part,
    prefix: String,
    batches: mpsc::Receiver<Result<Option<Batch>, PartError>>,
    is_over: bool,
}

impl Rows {
    /// Fetches and verifies the part. Rows before `from_row` (counted from 0 in the file) are passed over; the part's own
    /// range of rows holds besides.
    pub async fn open(
        s3: &Client,
        inventory: &Inventory,
        part: &Part,
        prefix: &str,
        from_row: u64,
    ) -> Result<Self, BackfillError> {
        let layout = Layout::read(&inventory.format, &inventory.schema)
            .map_err(|error| refused(&inventory.key, error))?;
        let copy = fetch(s3, &inventory.bucket, part).await?;
        let range = RowRange {
            from: part.rows.map_or(from_row, |[first, _]| from_row.max(first)),
            until: part.rows.map(|[_, until]| until),
        };
        let (tell, batches) = mpsc::channel(BATCHES_AHEAD);
        let key = part.key.clone();
        // Ends by itself once nobody listens any more.
        spawn_blocking(move || read(copy, &key, &layout, range, &tell));
        Ok(Self {
            part: part.clone(),
            prefix: prefix.to_owned(),
            batches,
            is_over: false,
        })
    }

    /// The next page; none at the end.
    pub async fn next(&mut self) -> Result<Option<Page>, BackfillError> {
        if self.is_over {
            return Ok(None);
        }
        match self.batches.recv().await {
            Some(Ok(Some(batch))) => self.page(batch).map(Some),
            Some(Ok(None)) => {
                self.is_over = true;
                Ok(None)
            }
            Some(Err(error)) => Err(unusable(&self.part, error)),
            // A reader that is gone without a word has not come to the end.
            None => Err(scratch(io::Error::other("reading the copy broke off"))),
        }
    }

    fn page(&self, batch: Batch) -> Result<Page, BackfillError> {
        let below = |row: &Row| row.object.key.starts_with(&self.prefix);
        let found = batch.rows.into_iter().filter(below).map(found);
        Ok(Page {
            found: found
                .collect::<Result<_, _>>()
                .map_err(|error| refused(&self.part.key, error))?,
            next: Continuation::Row {
                row: batch.next_row,
            },
        })
    }
}

fn found(Row { number, object }: Row) -> Result<Found, Unusable> {
    let is_archived = matches!(
        object.storage_class.as_deref(),
        Some("GLACIER" | "DEEP_ARCHIVE")
    );
    Ok(Found {
        key: object.key,
        size_bytes: object.size_bytes.ok_or(Unusable::NoSize { row: number })?,
        // It may have been overwritten since the report, before anybody listened: what is there now is to be compressed.
        etag: None,
        version_id: None,
        is_archived,
        modified_s: None,
        next_row: Some(number + 1),
    })
}

/// Reads batch after batch, as fast as they are taken, to the end, which is told too.
fn read(
    copy: File,
    part: &str,
    layout: &Layout,
    range: RowRange,
    tell: &mpsc::Sender<Result<Option<Batch>, PartError>>,
) {
    let mut rows = match inventory::Rows::open(copy, part, layout, range) {
        Ok(rows) => rows,
        Err(error) => {
            let _ = tell.blocking_send(Err(error));
            return;
        }
    };
    loop {
        let batch = rows.next_batch();
        let goes_on = matches!(batch, Ok(Some(_)));
        if tell.blocking_send(batch).is_err() || !goes_on {
            return;
        }
    }
}

/// A copy of the part that is all of it. The file has no name: however this process ends, its room is free again.
async fn fetch(s3: &Client, bucket: &str, part: &Part) -> Result<File, BackfillError> {
    let mut body = get(s3, bucket, &part.key, None).await?.body;
    let (tell, mut pieces) = mpsc::channel::<bytes::Bytes>(PIECES_AHEAD);
    let expected = part.clone();
    let copying = spawn_blocking(move || {
        let part = &expected;
        let copy = tempfile::tempfile_in(SCRATCH).map_err(scratch)?;
        let expected = Expected {
            part: &part.key,
            size_bytes: part.size,
            md5: &part.md5,
        };
        let mut copy = Verifying::new(copy, expected);
        while let Some(piece) = pieces.blocking_recv() {
            copy.write_all(&piece)
                .map_err(|error| unusable(part, error))?;
        }
        copy.finish().map_err(|error| unusable(part, error))
    });
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| broken_off(bucket, &part.key, error))?;
        if tell.send(piece).await.is_err() {
            break;
        }
    }
    drop(tell);
    copying
        .await
        .unwrap_or_else(|error| Err(scratch(io::Error::other(error))))
}

/// Reads the manifest at `bucket` and `key`, verifies it, and cuts its files into parts. An inventory of another bucket
/// than `source_bucket` is refused, and so is one of which a file is missing or has another length.
pub async fn plan(
    s3: &Client,
    bucket: &str,
    key: &str,
    source_bucket: &str,
) -> Result<(Inventory, Vec<Part>), BackfillError> {
    let json = whole(s3, bucket, key).await?;
    let checksum = whole(s3, bucket, &checksum_key(key)).await?;
    let manifest = Manifest::read(&json, &checksum, source_bucket);
    let manifest = manifest.map_err(|error| refused(key, error))?;
    if !manifest.has_sizes {
        return Err(refused(key, Unusable::NoSizes));
    }
    let inventory = Inventory {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        format: manifest.file_format,
        schema: manifest.file_schema,
    };
    let layout =
        Layout::read(&inventory.format, &inventory.schema).map_err(|error| refused(key, error))?;
    let looks = manifest.files.into_iter().zip(0..).map(|(file, number)| {
        let layout = &layout;
        async move { cut(s3, bucket, layout, number, file).await }
    });
    let parts: Vec<Vec<Part>> = stream::iter(looks)
        .buffered(LOOKS_IN_FLIGHT)
        .try_collect()
        .await?;
    Ok((inventory, parts.into_iter().flatten().collect()))
}

/// Looks at the end of a file: it is there, it has its length, and how many rows it has, if it says so.
async fn cut(
    s3: &Client,
    bucket: &str,
    layout: &Layout,
    number: u64,
    file: PartFile,
) -> Result<Vec<Part>, BackfillError> {
    let group_rows = match layout {
        Layout::Csv(_) => {
            end(s3, bucket, &file, 1).await?;
            Vec::new()
        }
        Layout::Parquet => footer(s3, bucket, &file).await?.group_rows,
    };
    let whole = Part {
        part: number,
        key: file.key,
        md5: file.md5,
        size: file.size_bytes,
        rows: None,
    };
    if group_rows.iter().sum::<u64>() <= SPLIT_ROWS {
        return Ok(vec![whole]);
    }
    let ranges = split(&group_rows, SPLIT_ROWS).into_iter();
    Ok(ranges
        .map(|rows| Part {
            rows: Some([rows.start, rows.end]),
            ..whole.clone()
        })
        .collect())
}

async fn footer(s3: &Client, bucket: &str, file: &PartFile) -> Result<Footer, BackfillError> {
    let refused = |error: PartError| refused(&file.key, error);
    let mut last = end(s3, bucket, file, END_BYTES).await?;
    let tail = last.last_chunk::<TAIL_BYTES>().copied().unwrap_or_default();
    let length = footer_bytes(&file.key, tail).map_err(refused)?;
    if length + TAIL_BYTES > last.len() {
        last = end(s3, bucket, file, (length + TAIL_BYTES) as u64).await?;
    }
    let footer = last.len().saturating_sub(length + TAIL_BYTES)..last.len() - TAIL_BYTES;
    Footer::read(&file.key, &last[footer]).map_err(refused)
}

/// The last `bytes` of a file, or all of it if it is shorter.
async fn end(
    s3: &Client,
    bucket: &str,
    file: &PartFile,
    bytes: u64,
) -> Result<Vec<u8>, BackfillError> {
    let expected_bytes = file.size_bytes;
    let other_length = || refused(&file.key, Unusable::OtherLength { expected_bytes });
    let last = expected_bytes.checked_sub(1).ok_or_else(other_length)?;
    let first = expected_bytes.saturating_sub(bytes);
    let answer = get(s3, bucket, &file.key, Some((first, last))).await?;
    let told = format!("bytes {first}-{last}/{expected_bytes}");
    if answer.content_range() != Some(&told) {
        return Err(other_length());
    }
    collected(bucket, &file.key, answer).await
}

async fn whole(s3: &Client, bucket: &str, key: &str) -> Result<Vec<u8>, BackfillError> {
    let answer = get(s3, bucket, key, None).await?;
    let length = answer.content_length().unwrap_or(i64::MAX);
    if u64::try_from(length).is_ok_and(|length| length > MANIFEST_BYTES_MAX) {
        return Err(refused(key, Unusable::TooLong));
    }
    collected(bucket, key, answer).await
}

async fn collected(
    bucket: &str,
    key: &str,
    answer: GetObjectOutput,
) -> Result<Vec<u8>, BackfillError> {
    let body = answer.body.collect().await;
    let body = body.map_err(|error| broken_off(bucket, key, error))?;
    Ok(body.to_vec())
}

/// Asks for an object, or its bytes from one to another, both included.
async fn get(
    s3: &Client,
    bucket: &str,
    key: &str,
    bytes: Option<(u64, u64)>,
) -> Result<GetObjectOutput, BackfillError> {
    let range = bytes.map(|(first, last)| format!("bytes={first}-{last}"));
    let request = s3.get_object().bucket(bucket).key(key).set_range(range);
    request.send().await.map_err(|error| {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        // No byte of the range is there.
        if let (Some(416), Some((_, last))) = (status, bytes) {
            let expected_bytes = last + 1;
            return refused(key, Unusable::OtherLength { expected_bytes });
        }
        let refusal = Refusal::new("GetObject", error);
        match Class::of(&refusal) {
            Class::NotFound => {
                let bucket = bucket.to_owned();
                refused(key, Unusable::Missing { bucket })
            }
            _ => refusal.into(),
        }
    })
}

/// What no repetition helps against.
fn refused(key: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackfillError {
    BackfillError::Inventory {
        key: key.to_owned(),
        source: error.into(),
    }
}

fn unusable(part: &Part, error: PartError) -> BackfillError {
    match error {
        PartError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
            let size_bytes = part.size;
            refused(&part.key, Unusable::NoRoom { size_bytes })
        }
        PartError::Io { source, .. } => scratch(source),
        error => refused(&part.key, error),
    }
}

fn scratch(source: io::Error) -> BackfillError {
    BackfillError::Scratch {
        path: SCRATCH.to_owned(),
        source,
    }
}

/// The body ended before it should, which the next attempt's need not.
fn broken_off(
    bucket: &str,
    key: &str,
    error: aws_sdk_s3::primitives::ByteStreamError,
) -> BackfillError {
    BackfillError::Scratch {
        path: format!("copy of s3://{bucket}/{key}"),
        source: error.into(),
    }
}

#[cfg(test)]
mod tests;
