//! What can be wrong with a part, and the same before it is known which part and row.

use std::io;

/// Why a part cannot be used. All but [`PartError::Io`] stay so, however often it is tried.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// Its bytes are not those that the manifest names.
    #[error(
        "inventory part {part} has {actual_bytes} bytes or more, the manifest says {expected_bytes}"
    )]
    Size {
        /// Key of the part.
        part: String,
        /// As the manifest says.
        expected_bytes: u64,
        /// As many as came, counted up to the first that is too many.
        actual_bytes: u64,
    },
    /// Its bytes are not those that the manifest names.
    #[error("inventory part {part} has MD5 {actual}, the manifest says {expected}")]
    Md5 {
        /// Key of the part.
        part: String,
        /// As the manifest says, hex.
        expected: String,
        /// Of the bytes that came, hex.
        actual: String,
    },
    /// It has not the columns that rows are read from.
    #[error("inventory part {part}: {source}")]
    Layout {
        /// Key of the part.
        part: String,
        /// Which column.
        source: crate::LayoutError,
    },
    /// It cannot be read on from here.
    #[error("inventory part {part}, row {row}: {detail}")]
    Damaged {
        /// Key of the part.
        part: String,
        /// The first row, from 0, that could not be read; those before it were.
        row: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// A row that is asked for is beyond its end.
    #[error("inventory part {part} ends before row {row}")]
    NoSuchRow {
        /// Key of the part.
        part: String,
        /// What was asked for, from 0.
        row: u64,
    },
    /// The copy could not be written or read.
    #[error("copy of inventory part {part}")]
    Io {
        /// Key of the part.
        part: String,
        /// The file system's words.
        source: io::Error,
    },
}

/// What is wrong, as the readers find it.
#[derive(Debug)]
pub(crate) enum Fault {
    Layout(crate::LayoutError),
    Damaged(String),
    Io(io::Error),
}

impl Fault {
    pub(crate) fn at(self, part: &str, row: u64) -> PartError {
        let part = part.to_owned();
        match self {
            Self::Layout(source) => PartError::Layout { part, source },
            Self::Damaged(detail) => PartError::Damaged { part, row, detail },
            Self::Io(source) => PartError::Io { part, source },
        }
    }
}

impl From<crate::LayoutError> for Fault {
    fn from(error: crate::LayoutError) -> Self {
        Self::Layout(error)
    }
}

/// Decoders report damage as I/O errors of many kinds; one of the file system has the system's number.
impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if error.raw_os_error().is_some() {
            Self::Io(error)
        } else {
            Self::Damaged(error.to_string())
        }
    }
}

impl From<parquet::errors::ParquetError> for Fault {
    fn from(error: parquet::errors::ParquetError) -> Self {
        match error {
            parquet::errors::ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(error) => (*error).into(),
                Err(other) => Self::Damaged(other.to_string()),
            },
            other => Self::Damaged(other.to_string()),
        }
    }
}
