//! A part's file as the Parquet reader sees it: read at positions, in pieces of bounded size.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// Largest page, bytes, uncompressed or not. Writers aim at 1 MiB; of seven columns at most a page and a dictionary each
/// are in memory, which leaves a child of the backfill below 128 MiB.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What is read at once where page headers are, bytes; without statistics one takes about 30.
const HEADER_BYTES: usize = 4 * 1024;

/// A file of which the length was taken once.
///
/// Reads at positions, since `File`'s own implementation shares one position among all columns.
pub(crate) struct FileChunks {
    file: Arc<File>,
    bytes: u64,
}

impl FileChunks {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        Ok(Self {
            file: Arc::new(file),
            bytes,
        })
    }

    /// Exactly `length` bytes; asks for no memory that the file cannot fill.
    pub(crate) fn exactly(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.bytes) {
            let message = format!(
                "{length} bytes at {start} are beyond its end at {}",
                self.bytes
            );
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, start)?;
        Ok(buffer)
    }
}

impl Length for FileChunks {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for FileChunks {
    type T = HeaderRead;

    /// The Parquet reader asks for this only to read a page's header.
    fn get_read(&self, start: u64) -> Result<HeaderRead> {
        Ok(HeaderRead {
            file: Arc::clone(&self.file),
            position: start,
            buffer: Vec::new(),
            used: 0,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if length > PAGE_BYTES_MAX {
            return Err(too_large(length as u64));
        }
        Ok(self.exactly(start, length)?.into())
    }
}

/// Reads a page's header, and refuses one that announces too large a page before anything is made room for.
pub(crate) struct HeaderRead {
    file: Arc<File>,
    position: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl Read for HeaderRead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.used == self.buffer.len() {
            let first = self.buffer.is_empty();
            self.buffer.resize(HEADER_BYTES, 0);
            let read = self.file.read_at(&mut self.buffer, self.position)?;
            self.buffer.truncate(read);
            self.position += read as u64;
            self.used = 0;
            if first {
                check_page_sizes(&self.buffer)?;
            }
        }
        let piece = self.buffer[self.used..].iter().take(out.len());
        let copied = out
            .iter_mut()
            .zip(piece)
            .map(|(to, from)| *to = *from)
            .count();
        self.used += copied;
        Ok(copied)
    }
}

/// The first three fields of a page header: its type, its size uncompressed and compressed, each an i32 in Thrift's
/// compact protocol. Source: `parquet.thrift`, `PageHeader`.
fn check_page_sizes(header: &[u8]) -> io::Result<()> {
    let mut rest = header;
    for _ in 0..3 {
        let size = next_i32(&mut rest).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "no page header where one should be",
            )
        })?;
        if usize::try_from(size).is_ok_and(|size| size > PAGE_BYTES_MAX) {
            let message = too_large(size.unsigned_abs().into()).to_string();
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    }
    Ok(())
}

fn next_i32(rest: &mut &[u8]) -> Option<i32> {
    // The number of the field is that of the one before plus 1, its type is 5.
    let (&0x15, mut varint) = rest.split_first()? else {
        return None;
    };
    let mut value = 0_u64;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, after) = varint.split_first()?;
        varint = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            *rest = varint;
            // Zigzag: the lowest bit is the sign.
            let half = i32::try_from(value >> 1).ok()?;
            return Some(if value & 1 == 0 { half } else { !half });
        }
    }
    None
}

fn too_large(bytes: u64) -> ParquetError {
    ParquetError::General(format!(
        "a page of {bytes} bytes is larger than {PAGE_BYTES_MAX}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A header's first three fields as Thrift writes them.
    fn header(fields: [i32; 3]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in fields {
            bytes.push(0x15);
            let mut zigzag = u64::from(((field << 1) ^ (field >> 31)).cast_unsigned());
            while zigzag >= 0x80 {
                bytes.push(u8::try_from(zigzag & 0x7f).unwrap() | 0x80);
                zigzag >>= 7;
            }
            bytes.push(u8::try_from(zigzag).unwrap());
        }
        bytes
    }

    #[test]
    fn a_page_is_refused_from_one_byte_above_the_limit() {
        let limit = i32::try_from(PAGE_BYTES_MAX).unwrap();
        assert!(check_page_sizes(&header([0, limit, limit])).is_ok());
        assert!(check_page_sizes(&header([0, limit + 1, 10])).is_err());
        assert!(check_page_sizes(&header([0, 10, limit + 1])).is_err());
        assert!(check_page_sizes(&header([2, i32::MAX, 10])).is_err());
        assert!(check_page_sizes(b"\x15\x00\x15").is_err());
    }

    #[test]
    fn nothing_beyond_the_end_is_made_room_for() {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, b"hello").unwrap();
        let chunks = FileChunks::new(file).unwrap();
        assert_eq!(chunks.exactly(1, 4).unwrap(), b"ello");
        assert!(chunks.exactly(1, 5).is_err());
        assert!(chunks.exactly(u64::MAX, 1).is_err());
        assert!(chunks.exactly(0, usize::MAX).is_err());
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_thrift_writes_it(field: i32) {
            let bytes = header([field, 0, 0]);
            prop_assert_eq!(next_i32(&mut &bytes[..]), Some(field));
        }
    }
}
