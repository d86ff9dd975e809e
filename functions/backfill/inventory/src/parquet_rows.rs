//! Rows of a Parquet part: the columns that are needed, side by side, a page of each at a time.

use std::fs::File;
use std::slice;
use std::sync::Arc;

use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{Length, SerializedPageReader};

use crate::columns::{LayoutError, check_parquet_names};
use crate::error::Fault;
use crate::file_chunks::FileChunks;
use crate::footer::{TAIL_BYTES, group_rows, guarded, length, metadata};
use crate::row::{Object, is_live, unquoted};

/// The columns that are read. Source: S3 user guide, "Locating your inventory list", the schema of Parquet.
const NAMES: [&str; 7] = [
    "key",
    "size",
    "e_tag",
    "storage_class",
    "version_id",
    "is_latest",
    "is_delete_marker",
];

pub(crate) struct ParquetRows {
    chunks: Arc<FileChunks>,
    metadata: ParquetMetaData,
    leaves: Leaves,
    /// Rows of the groups that are not open yet, last first.
    closed: Vec<(usize, u64)>,
    open: Option<Columns>,
    open_rows: u64,
}

impl ParquetRows {
    pub(crate) fn open(file: File) -> Result<Self, Fault> {
        let chunks = FileChunks::new(file)?;
        let tail_at = chunks.len().saturating_sub(TAIL_BYTES as u64);
        let tail = chunks.exactly(tail_at, TAIL_BYTES)?;
        let tail: [u8; TAIL_BYTES] = tail.try_into().unwrap_or_default();
        let length = length(tail)?;
        let footer = chunks.exactly(tail_at.saturating_sub(length as u64), length)?;
        let metadata = metadata(&footer)?;
        let groups = group_rows(&metadata)?;
        Ok(Self {
            chunks: Arc::new(chunks),
            leaves: Leaves::of(&metadata)?,
            metadata,
            closed: groups.into_iter().enumerate().rev().collect(),
            open: None,
            open_rows: 0,
        })
    }

    /// Leaves out up to `rows` rows; how many there were.
    pub(crate) fn skip(&mut self, rows: u64) -> Result<u64, Fault> {
        let mut left = rows;
        while left > 0 {
            if self.open_rows == 0 {
                match self.closed.last() {
                    None => break,
                    Some((_, rows)) if *rows <= left => {
                        left -= rows;
                        self.closed.pop();
                        continue;
                    }
                    Some(_) => self.open_next()?,
                }
            }
            let step = left.min(self.open_rows);
            if let Some(columns) = &mut self.open {
                guarded(|| columns.skip(usize::try_from(step).unwrap_or(usize::MAX)))?;
            }
            self.open_rows -= step;
            left -= step;
        }
        Ok(rows - left)
    }

    /// Hands up to `rows_max` rows to `take`, `None` for those that are not given. Fewer only at the end.
    pub(crate) fn read(
        &mut self,
        rows_max: usize,
        take: &mut impl FnMut(Option<Object>),
    ) -> Result<(), Fault> {
        let mut left = rows_max;
        while left > 0 && (self.open_rows > 0 || !self.closed.is_empty()) {
            if self.open_rows == 0 {
                self.open_next()?;
                continue;
            }
            let step = left.min(usize::try_from(self.open_rows).unwrap_or(usize::MAX));
            if let Some(columns) = &mut self.open {
                guarded(|| columns.read(step))?;
                columns.rows(step, take)?;
            }
            self.open_rows -= step as u64;
            left -= step;
        }
        Ok(())
    }

    fn open_next(&mut self) -> Result<(), Fault> {
        // The pages of the group before go first.
        self.open = None;
        if let Some((group, rows)) = self.closed.pop() {
            let opened = guarded(|| Columns::open(self, group, rows))?;
            self.open = Some(opened);
            self.open_rows = rows;
        }
        Ok(())
    }
}

/// Where the columns are in this file, in the order of [`NAMES`].
pub(crate) struct Leaves([Option<usize>; 7]);

impl Leaves {
    /// Finds them, and refuses a file that lacks one that is needed or has one of another type.
    pub(crate) fn of(metadata: &ParquetMetaData) -> Result<Self, Fault> {
        let schema = metadata.file_metadata().schema_descr();
        let position = |name: &str| {
            let mut columns = schema.columns().iter();
            columns.position(|column| column.path().parts() == [name])
        };
        check_parquet_names(|name| position(name).is_some())?;
        let leaves = NAMES.map(position);
        for (name, leaf) in NAMES.into_iter().zip(leaves) {
            let Some(leaf) = leaf else { continue };
            let column = schema.column(leaf);
            let expected = match name {
                "size" => parquet::basic::Type::INT64,
                "is_latest" | "is_delete_marker" => parquet::basic::Type::BOOLEAN,
                _ => parquet::basic::Type::BYTE_ARRAY,
            };
            let flat = column.max_rep_level() == 0 && column.max_def_level() <= 1;
            if column.physical_type() != expected || !flat {
                let kind = if flat { "" } else { " in a list or group" };
                return Err(Fault::Layout(LayoutError::OtherType {
                    column: name,
                    found: format!("{}{kind}", column.physical_type()),
                    expected: expected.to_string(),
                }));
            }
        }
        Ok(Self(leaves))
    }
}

/// The columns of one row group.
struct Columns {
    key: Column<ByteArrayType>,
    size: Column<Int64Type>,
    etag: Column<ByteArrayType>,
    storage_class: Column<ByteArrayType>,
    version_id: Column<ByteArrayType>,
    is_latest: Column<BoolType>,
    is_delete_marker: Column<BoolType>,
}

impl Columns {
    fn open(file: &ParquetRows, group: usize, rows: u64) -> Result<Self, Fault> {
        let at = Place { file, group, rows };
        Ok(Self {
            key: Column::open(&at, 0)?,
            size: Column::open(&at, 1)?,
            etag: Column::open(&at, 2)?,
            storage_class: Column::open(&at, 3)?,
            version_id: Column::open(&at, 4)?,
            is_latest: Column::open(&at, 5)?,
            is_delete_marker: Column::open(&at, 6)?,
        })
    }

    fn skip(&mut self, rows: usize) -> Result<(), Fault> {
        self.key.skip(rows)?;
        self.size.skip(rows)?;
        self.etag.skip(rows)?;
        self.storage_class.skip(rows)?;
        self.version_id.skip(rows)?;
        self.is_latest.skip(rows)?;
        self.is_delete_marker.skip(rows)
    }

    fn read(&mut self, rows: usize) -> Result<(), Fault> {
        self.key.read(rows)?;
        self.size.read(rows)?;
        self.etag.read(rows)?;
        self.storage_class.read(rows)?;
        self.version_id.read(rows)?;
        self.is_latest.read(rows)?;
        self.is_delete_marker.read(rows)
    }

    /// What was read, row by row.
    fn rows(&self, rows: usize, take: &mut impl FnMut(Option<Object>)) -> Result<(), Fault> {
        let mut key = self.key.cells();
        let mut size = self.size.cells();
        let mut etag = self.etag.cells();
        let mut storage_class = self.storage_class.cells();
        let mut version_id = self.version_id.cells();
        let mut is_latest = self.is_latest.cells();
        let mut is_delete_marker = self.is_delete_marker.cells();
        for _ in 0..rows {
            let (key, size, etag) = (key.next(), size.next(), etag.next());
            let (storage_class, version_id) = (storage_class.next(), version_id.next());
            if !is_live(is_latest.next().copied(), is_delete_marker.next().copied()) {
                take(None);
                continue;
            }
            let size_bytes = size.map(|size| u64::try_from(*size)).transpose();
            let key = text(key, |key| key)?.filter(|key| !key.is_empty());
            take(Some(Object {
                key: key.ok_or_else(|| Fault::Damaged("the key is empty".to_owned()))?,
                size_bytes: size_bytes
                    .map_err(|_| Fault::Damaged("its size is not a number of bytes".to_owned()))?,
                etag: text(etag, unquoted)?,
                storage_class: text(storage_class, |class| class)?,
                version_id: text(version_id, |version| version)?.filter(|id| !id.is_empty()),
            }));
        }
        Ok(())
    }
}

fn text(cell: Option<&ByteArray>, trim: impl Fn(&str) -> &str) -> Result<Option<String>, Fault> {
    match cell.map(|cell| std::str::from_utf8(cell.data())) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(trim(text).to_owned())),
        Some(Err(_)) => Err(Fault::Damaged("one of its columns is not UTF-8".to_owned())),
    }
}

/// A row group of a file.
struct Place<'a> {
    file: &'a ParquetRows,
    group: usize,
    rows: u64,
}

/// One column of a row group, and what was read of it last. A column that the file has not is empty.
struct Column<T: DataType> {
    name: &'static str,
    reader: Option<ColumnReaderImpl<T>>,
    /// Whether every row has a value.
    required: bool,
    /// 1 for each row that has a value, else 0; unused if all have.
    levels: Vec<i16>,
    values: Vec<T::T>,
}

impl<T: DataType> Column<T> {
    /// `number` as in [`NAMES`].
    fn open(at: &Place<'_>, number: usize) -> Result<Self, Fault> {
        let mut column = Self {
            name: NAMES[number],
            reader: None,
            required: false,
            levels: Vec::new(),
            values: Vec::new(),
        };
        let Some(leaf) = at.file.leaves.0[number] else {
            return Ok(column);
        };
        let chunk = at.file.metadata.row_group(at.group).column(leaf);
        let rows = usize::try_from(at.rows).unwrap_or(usize::MAX);
        let pages = SerializedPageReader::new(Arc::clone(&at.file.chunks), chunk, rows, None)?;
        let descriptor = at.file.metadata.file_metadata().schema_descr().column(leaf);
        column.required = descriptor.max_def_level() == 0;
        column.reader = Some(ColumnReaderImpl::new(descriptor, Box::new(pages)));
        Ok(column)
    }

    fn skip(&mut self, rows: usize) -> Result<(), Fault> {
        match &mut self.reader {
            None => Ok(()),
            Some(reader) => {
                let skipped = reader.skip_records(rows)?;
                self.all(rows, skipped)
            }
        }
    }

    fn read(&mut self, rows: usize) -> Result<(), Fault> {
        self.levels.clear();
        self.values.clear();
        match &mut self.reader {
            None => Ok(()),
            Some(reader) => {
                let levels = Some(&mut self.levels);
                let (read, ..) = reader.read_records(rows, levels, None, &mut self.values)?;
                self.all(rows, read)
            }
        }
    }

    fn all(&self, expected: usize, there: usize) -> Result<(), Fault> {
        if expected == there {
            return Ok(());
        }
        let detail = format!("its column {} ends before its row group does", self.name);
        Err(Fault::Damaged(detail))
    }

    fn cells(&self) -> Cells<'_, T::T> {
        Cells {
            required: self.required,
            levels: self.levels.iter(),
            values: self.values.iter(),
        }
    }
}

/// The values of one column, row by row.
struct Cells<'a, T> {
    required: bool,
    levels: slice::Iter<'a, i16>,
    values: slice::Iter<'a, T>,
}

impl<'a, T> Cells<'a, T> {
    fn next(&mut self) -> Option<&'a T> {
        if self.required || self.levels.next().is_some_and(|level| *level > 0) {
            self.values.next()
        } else {
            None
        }
    }
}
