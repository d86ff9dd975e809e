//! The rows of a part, of either format, from any row on.

use std::fs::File;

use crate::columns::Layout;
use crate::csv_rows::CsvRows;
use crate::error::{Fault, PartError};
use crate::parquet_rows::ParquetRows;
use crate::row::{Object, Row};

/// Most rows in a batch; as many as S3 lists in a page.
pub const BATCH_ROWS_MAX: usize = 1_000;

/// Rows `from`, counted from 0 and including those that are not given, up to and without `until`, or to the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowRange {
    /// The first.
    pub from: u64,
    /// The first that is not meant any more.
    pub until: Option<u64>,
}

/// Some rows that follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// At most [`BATCH_ROWS_MAX`]; may be none at the end of a part, if its last rows are not given.
    pub rows: Vec<Row>,
    /// Where to go on: the first row of the part that is not done with.
    pub next_row: u64,
}

/// A part that is being read. Blocks; not to be called from an async task.
pub struct Rows {
    part: String,
    source: Source,
    next_row: u64,
    until: Option<u64>,
    /// What the row before `next_row` lists, if it is one that is given.
    previous: Option<Object>,
}

enum Source {
    Csv(Box<CsvRows>),
    Parquet(Box<ParquetRows>),
}

impl Source {
    fn skip(&mut self, rows: u64) -> Result<u64, Fault> {
        match self {
            Self::Csv(csv) => csv.skip(rows),
            Self::Parquet(parquet) => parquet.skip(rows),
        }
    }

    fn read(
        &mut self,
        rows_max: usize,
        take: &mut impl FnMut(Option<Object>),
    ) -> Result<(), Fault> {
        match self {
            Self::Csv(csv) => csv.read(rows_max, take),
            Self::Parquet(parquet) => parquet.read(rows_max, take),
        }
    }
}

impl Rows {
    /// Opens a copy that was verified. `part` is its key, for messages.
    ///
    /// The row before `range.from` is read too: if the first one repeats it, it was given there.
    pub fn open(
        file: File,
        part: &str,
        layout: &Layout,
        range: RowRange,
    ) -> Result<Self, PartError> {
        let source = match layout {
            Layout::Csv(columns) => {
                CsvRows::open(file, columns.clone()).map(|csv| Source::Csv(Box::new(csv)))
            }
            Layout::Parquet => {
                ParquetRows::open(file).map(|parquet| Source::Parquet(Box::new(parquet)))
            }
        };
        let mut rows = Self {
            part: part.to_owned(),
            source: source.map_err(|fault| fault.at(part, 0))?,
            next_row: 0,
            until: range.until,
            previous: None,
        };
        rows.go_to(range.from)?;
        Ok(rows)
    }

    fn go_to(&mut self, from: u64) -> Result<(), PartError> {
        let Some(before) = from.checked_sub(1) else {
            return Ok(());
        };
        let skipped = self.source.skip(before);
        let skipped = skipped.map_err(|fault| fault.at(&self.part, before))?;
        let (mut read, mut previous) = (0, None);
        let result = self.source.read(1, &mut |object| {
            read += 1;
            previous = object;
        });
        result.map_err(|fault| fault.at(&self.part, before))?;
        if skipped + read < from {
            return Err(PartError::NoSuchRow {
                part: self.part.clone(),
                row: before,
            });
        }
        self.next_row = from;
        self.previous = previous;
        Ok(())
    }

    /// The next rows; nothing at the end of the range. A range that ends beyond the part is an error.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, PartError> {
        let started_at = self.next_row;
        let mut given = Given {
            rows: Vec::with_capacity(BATCH_ROWS_MAX),
            previous: self.previous.take(),
            repeats: true,
        };
        while given.rows.len() < BATCH_ROWS_MAX {
            let room = BATCH_ROWS_MAX - given.rows.len();
            let in_range = self
                .until
                .map_or(u64::MAX, |until| until.saturating_sub(self.next_row));
            let rows_max = room.min(usize::try_from(in_range).unwrap_or(room));
            let mut read = 0;
            let result = self.source.read(rows_max, &mut |object| {
                given.take(self.next_row + read as u64, object);
                read += 1;
            });
            self.next_row += read as u64;
            result.map_err(|fault| fault.at(&self.part, self.next_row))?;
            if read < rows_max || rows_max == 0 {
                break;
            }
        }
        let ended = given.rows.len() < BATCH_ROWS_MAX;
        if let Some(row) = self.until.filter(|until| ended && self.next_row < *until) {
            let part = self.part.clone();
            return Err(PartError::NoSuchRow { part, row: row - 1 });
        }
        self.previous = given.last();
        Ok((self.next_row > started_at).then_some(Batch {
            rows: given.rows,
            next_row: self.next_row,
        }))
    }
}

/// A batch in the making.
struct Given {
    rows: Vec<Row>,
    /// What the row before the first of the batch lists.
    previous: Option<Object>,
    /// Whether the row before is one that is given, so that another of its kind would repeat it.
    repeats: bool,
}

impl Given {
    fn take(&mut self, number: u64, object: Option<Object>) {
        let Some(object) = object else {
            self.repeats = false;
            return;
        };
        if !(self.repeats && self.before() == Some(&object)) {
            self.rows.push(Row { number, object });
        }
        self.repeats = true;
    }

    fn before(&self) -> Option<&Object> {
        let last = self.rows.last().map(|row| &row.object);
        last.or(self.previous.as_ref())
    }

    fn last(&self) -> Option<Object> {
        self.before().filter(|_| self.repeats).cloned()
    }
}
