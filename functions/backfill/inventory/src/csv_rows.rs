//! Rows of a CSV part.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};

use csv::{ByteRecord, Reader, ReaderBuilder};
use flate2::read::MultiGzDecoder;

use crate::bounded::Bounded;
use crate::columns::CsvColumns;
use crate::encoded_key::decode_key;
use crate::error::Fault;
use crate::row::{Object, is_live, unquoted};

const BUFFER_BYTES: usize = 64 * 1024;

pub(crate) struct CsvRows {
    reader: Reader<Bounded<MultiGzDecoder<BufReader<File>>>>,
    columns: CsvColumns,
    record: ByteRecord,
}

impl CsvRows {
    pub(crate) fn open(mut file: File, columns: CsvColumns) -> Result<Self, Fault> {
        file.seek(SeekFrom::Start(0))?;
        let compressed = BufReader::with_capacity(BUFFER_BYTES, file);
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(Bounded::new(MultiGzDecoder::new(compressed)));
        Ok(Self {
            reader,
            columns,
            record: ByteRecord::new(),
        })
    }

    /// Leaves out up to `rows` rows; how many there were.
    pub(crate) fn skip(&mut self, rows: u64) -> Result<u64, Fault> {
        for skipped in 0..rows {
            if !self.advance()? {
                return Ok(skipped);
            }
        }
        Ok(rows)
    }

    /// Hands up to `rows_max` rows to `take`, `None` for those that are not given. Fewer only at the end.
    pub(crate) fn read(
        &mut self,
        rows_max: usize,
        take: &mut impl FnMut(Option<Object>),
    ) -> Result<(), Fault> {
        for _ in 0..rows_max {
            if !self.advance()? {
                break;
            }
            let row = self
                .row()
                .map_err(|detail| Fault::Damaged(detail.to_owned()))?;
            take(row);
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<bool, Fault> {
        self.reader.get_mut().renew();
        match self.reader.read_byte_record(&mut self.record) {
            Ok(there) => Ok(there),
            Err(error) => {
                let detail = error.to_string();
                match error.into_kind() {
                    csv::ErrorKind::Io(error) => Err(error.into()),
                    _ => Err(Fault::Damaged(detail)),
                }
            }
        }
    }

    fn row(&self) -> Result<Option<Object>, &'static str> {
        let columns = &self.columns;
        if self.record.len() != columns.count {
            return Err("it has another number of columns than the manifest's fileSchema");
        }
        if !is_live(
            flag(self.cell(columns.is_latest))?,
            flag(self.cell(columns.is_delete_marker))?,
        ) {
            return Ok(None);
        }
        let size_bytes = match self.cell(columns.size) {
            None => None,
            Some(cell) => Some(number(cell).ok_or("its size is not a number of bytes")?),
        };
        Ok(Some(Object {
            key: decode_key(&self.record[columns.key])?,
            size_bytes,
            etag: text(self.cell(columns.etag), unquoted)?,
            storage_class: text(self.cell(columns.storage_class), |class| class)?,
            version_id: text(self.cell(columns.version_id), |version| version)?,
        }))
    }

    /// What stands in a column, if it is there and not empty.
    fn cell(&self, column: Option<usize>) -> Option<&[u8]> {
        self.record.get(column?).filter(|cell| !cell.is_empty())
    }
}

fn flag(cell: Option<&[u8]>) -> Result<Option<bool>, &'static str> {
    match cell {
        None => Ok(None),
        Some(cell) if cell.eq_ignore_ascii_case(b"true") => Ok(Some(true)),
        Some(cell) if cell.eq_ignore_ascii_case(b"false") => Ok(Some(false)),
        Some(_) => Err("IsLatest or IsDeleteMarker is neither true nor false"),
    }
}

fn number(cell: &[u8]) -> Option<u64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

fn text(cell: Option<&[u8]>, trim: impl Fn(&str) -> &str) -> Result<Option<String>, &'static str> {
    match cell.map(std::str::from_utf8) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(trim(text).to_owned())),
        Some(Err(_)) => Err("one of its columns is not UTF-8"),
    }
}
