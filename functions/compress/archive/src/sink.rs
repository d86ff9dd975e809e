//! Where encoded bytes gather: parts of one exact size, and a last one that may be smaller.

use std::collections::VecDeque;
use std::io::{self, Write};

/// A writer that cuts what it is given into parts.
pub(crate) struct Sink {
    part_bytes: usize,
    full: VecDeque<Vec<u8>>,
    current: Vec<u8>,
    written_bytes: u64,
}

impl Sink {
    pub(crate) fn new(part_bytes: usize) -> Self {
        Self {
            part_bytes: part_bytes.max(1),
            full: VecDeque::new(),
            current: Vec::new(),
            written_bytes: 0,
        }
    }

    /// Bytes written so far, over all parts.
    pub(crate) const fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    pub(crate) fn next_part(&mut self) -> Option<Vec<u8>> {
        self.full.pop_front()
    }

    /// All parts that were not taken yet; the last one holds what did not fill a part, and may be empty
    /// only when nothing was written since the last full part.
    pub(crate) fn into_parts(mut self) -> VecDeque<Vec<u8>> {
        if !self.current.is_empty() || self.written_bytes == 0 {
            self.full.push_back(self.current);
        }
        self.full
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.part_bytes - self.current.len();
        let taken = bytes.len().min(room);
        self.current.extend_from_slice(&bytes[..taken]);
        self.written_bytes += taken as u64;
        if self.current.len() == self.part_bytes {
            self.full.push_back(std::mem::take(&mut self.current));
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_one_size_and_lose_nothing() {
        for total in [0_usize, 1, 9, 10, 11, 20, 25] {
            let bytes: Vec<u8> = (0..total).map(|n| u8::try_from(n).unwrap()).collect();
            let mut sink = Sink::new(10);
            sink.write_all(&bytes).unwrap();
            let parts = sink.into_parts();
            assert_eq!(parts.iter().flatten().copied().collect::<Vec<_>>(), bytes);
            assert!(parts.iter().rev().skip(1).all(|part| part.len() == 10));
            assert_eq!(parts.len(), total.div_ceil(10).max(1));
        }
    }
}
