//! A reader that hands out only so many bytes before it is told that what came of them was used.

use std::io::{self, Read};

/// Longest CSV row, bytes, of which the widest column, an access control list, takes some ten thousand.
pub(crate) const ROW_BYTES_MAX: usize = 1024 * 1024;

/// Fails instead of handing out more than [`ROW_BYTES_MAX`] between two calls of [`Bounded::renew`]: a quote that is
/// never closed makes one row of a whole file, and it would be held in memory.
pub(crate) struct Bounded<R> {
    inner: R,
    left: usize,
}

impl<R> Bounded<R> {
    pub(crate) const fn new(inner: R) -> Self {
        Self {
            inner,
            left: ROW_BYTES_MAX,
        }
    }

    pub(crate) const fn renew(&mut self) {
        self.left = ROW_BYTES_MAX;
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            let message = format!("it is longer than {ROW_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let room = buffer.len().min(self.left);
        let read = self.inner.read(&mut buffer[..room])?;
        self.left -= read;
        Ok(read)
    }
}
