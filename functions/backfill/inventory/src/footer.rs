//! The footer of a Parquet part: how many rows it has, and where it may be cut.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::file::metadata::{
    FooterTail, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};

use crate::error::{Fault, PartError};

/// The last bytes of a Parquet file, which say how long the footer before them is.
pub const TAIL_BYTES: usize = 8;

/// Longest footer, bytes; one of 20 columns and a hundred row groups has some hundred thousand.
pub const FOOTER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long the footer in front of these last [`TAIL_BYTES`] is, bytes.
pub fn footer_bytes(part: &str, tail: [u8; TAIL_BYTES]) -> Result<usize, PartError> {
    length(tail).map_err(|fault| fault.at(part, 0))
}

pub(crate) fn length(tail: [u8; TAIL_BYTES]) -> Result<usize, Fault> {
    let tail = FooterTail::try_new(&tail)?;
    let length = tail.metadata_length();
    if tail.is_encrypted_footer() {
        return Err(Fault::Damaged("its footer is encrypted".to_owned()));
    }
    if length > FOOTER_BYTES_MAX {
        let detail = format!("its footer of {length} bytes is longer than {FOOTER_BYTES_MAX}");
        return Err(Fault::Damaged(detail));
    }
    Ok(length)
}

/// What of a footer decides on how its part is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// Rows of each row group, in the order of the file.
    pub group_rows: Vec<u64>,
}

impl Footer {
    /// Reads the bytes in front of the tail, and refuses a part that has not the columns that are needed.
    pub fn read(part: &str, footer: &[u8]) -> Result<Self, PartError> {
        let checked = metadata(footer).and_then(|metadata| {
            crate::parquet_rows::Leaves::of(&metadata)?;
            group_rows(&metadata)
        });
        checked
            .map(|group_rows| Self { group_rows })
            .map_err(|fault| fault.at(part, 0))
    }
}

/// Decodes a footer; what it says of the columns' values is left out.
pub(crate) fn metadata(footer: &[u8]) -> Result<ParquetMetaData, Fault> {
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    guarded(|| {
        let metadata = ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options))?;
        Ok(metadata)
    })
}

pub(crate) fn group_rows(metadata: &ParquetMetaData) -> Result<Vec<u64>, Fault> {
    let mut total = 0_u64;
    let rows = metadata.row_groups().iter().map(|group| {
        let rows = u64::try_from(group.num_rows()).ok()?;
        total = total.checked_add(rows)?;
        Some(rows)
    });
    let rows: Option<Vec<u64>> = rows.collect();
    rows.ok_or_else(|| Fault::Damaged("its footer has an impossible number of rows".to_owned()))
}

/// The decoder checks what it reads, but not every last thing: what it stumbles over is damage too.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Fault::Damaged("the decoder broke off".to_owned())))
}

/// Cuts a part of these row groups into ranges of up to `rows_max` rows, in order, without gap or overlap.
///
/// A range ends where a row group ends, so that no page is decoded for two of them; a row group of more than `rows_max`
/// is a range of its own. A part without rows has no ranges.
#[must_use]
pub fn split(group_rows: &[u64], rows_max: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut row = 0;
    for rows in group_rows.iter().filter(|rows| **rows > 0) {
        match ranges.last_mut() {
            Some(last) if row + rows - last.start <= rows_max => last.end = row + rows,
            _ => ranges.push(row..row + rows),
        }
        row += rows;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn row_groups_are_joined_up_to_the_limit() {
        assert_eq!(split(&[], 10), []);
        assert_eq!(split(&[0, 0], 10), []);
        assert_eq!(split(&[0, 4, 6, 1], 10), [0..10, 10..11]);
        assert_eq!(split(&[4, 7], 10), [0..4, 4..11]);
        assert_eq!(split(&[30, 1, 0, 1], 10), [0..30, 30..32]);
    }

    proptest! {
        #[test]
        fn ranges_are_all_rows_once_and_end_where_row_groups_end(
            groups in proptest::collection::vec(0_u64..40, 0..30),
            rows_max in 1_u64..100,
        ) {
            let ranges = split(&groups, rows_max);
            let mut ends = vec![0];
            ends.extend(groups.iter().scan(0, |sum, rows| { *sum += rows; Some(*sum) }));
            let mut row = 0;
            for range in &ranges {
                prop_assert_eq!(range.start, row);
                prop_assert!(range.end > row && ends.contains(&range.end));
                prop_assert!(range.end - range.start <= rows_max || groups.contains(&(range.end - range.start)));
                row = range.end;
            }
            prop_assert_eq!(row, groups.iter().sum::<u64>());
        }

        #[test]
        fn any_bytes_are_a_footer_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), tail: [u8; TAIL_BYTES],
        ) {
            let _ = Footer::read("part", &bytes);
            let _ = footer_bytes("part", tail);
        }
    }
}
