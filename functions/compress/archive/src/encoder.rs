//! Input in pieces of any size → parts of an archive.

use std::collections::VecDeque;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use crate::probe::{PROBE_BYTES, is_incompressible};
use crate::sink::Sink;
use crate::zip::{Entry, Sizes};
use crate::{ArchiveError, Format, Spec};

/// What the codec is given at a time, bytes. One fixed size makes retries byte-identical; input that comes in
/// whole blocks is not copied.
pub const BLOCK_BYTES: usize = 128 * 1024;

/// Encodes one entry. Feed it with [`write`](Self::write), take parts as they fill with
/// [`next_part`](Self::next_part), end with [`finish`](Self::finish).
pub struct Encoder {
    spec: Spec,
    input_bytes: u64,
    /// Input not yet given to the codec: up to the probe's size before it exists, a block after.
    pending: Vec<u8>,
    codec: Option<Codec>,
}

enum Codec {
    Zip {
        deflate: DeflateEncoder<Sink>,
        crc32: crc32fast::Hasher,
        entry: Entry,
        header_bytes: u64,
    },
    Gzip(GzEncoder<Sink>),
    Zstd(zstd::stream::write::Encoder<'static, Sink>),
}

impl Encoder {
    /// An encoder that has read nothing yet.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        Self {
            spec,
            input_bytes: 0,
            pending: Vec::new(),
            codec: None,
        }
    }

    /// Takes `input`, in pieces of any size.
    pub fn write(&mut self, mut input: &[u8]) -> Result<(), ArchiveError> {
        self.input_bytes += input.len() as u64;
        if self.input_bytes > self.spec.input_bytes {
            return Err(self.length_mismatch());
        }
        while !input.is_empty() {
            if self.pending.is_empty()
                && let Some(codec) = &mut self.codec
                && let Some((block, rest)) = input.split_at_checked(BLOCK_BYTES)
            {
                codec.write_all(block).map_err(codec_error)?;
                input = rest;
                continue;
            }
            let limit = if self.codec.is_some() {
                BLOCK_BYTES
            } else {
                PROBE_BYTES
            };
            let (now, later) = input.split_at(input.len().min(limit - self.pending.len()));
            self.pending.extend_from_slice(now);
            input = later;
            if self.pending.len() == limit {
                self.encode_pending().map_err(codec_error)?;
            }
        }
        Ok(())
    }

    /// The next full part, if there is one.
    pub fn next_part(&mut self) -> Option<Vec<u8>> {
        self.codec.as_mut()?.sink().next_part()
    }

    /// Ends the archive and returns the parts that were not taken yet, at least one.
    pub fn finish(mut self) -> Result<VecDeque<Vec<u8>>, ArchiveError> {
        if self.input_bytes != self.spec.input_bytes {
            return Err(self.length_mismatch());
        }
        self.encode_pending().map_err(codec_error)?;
        let Some(codec) = self.codec else {
            return Ok(VecDeque::new());
        };
        Ok(codec
            .finish(self.input_bytes)
            .map_err(codec_error)?
            .into_parts())
    }

    fn encode_pending(&mut self) -> io::Result<()> {
        let codec = match &mut self.codec {
            Some(codec) => codec,
            none => none.insert(Codec::new(&self.spec, &self.pending)?),
        };
        for block in self.pending.chunks(BLOCK_BYTES) {
            codec.write_all(block)?;
        }
        self.pending.clear();
        Ok(())
    }

    const fn length_mismatch(&self) -> ArchiveError {
        ArchiveError::LengthMismatch {
            declared_bytes: self.spec.input_bytes,
            actual_bytes: self.input_bytes,
        }
    }
}

const fn codec_error(source: io::Error) -> ArchiveError {
    ArchiveError::Codec { source }
}

impl Codec {
    /// Chooses between the level and storing by the input's beginning. zstd needs no choice: what does
    /// not shrink it stores by itself, at gigabytes per second.
    fn new(spec: &Spec, head: &[u8]) -> io::Result<Self> {
        let mut sink = Sink::new(spec.part_bytes);
        let deflate_level = || {
            let store = head.is_empty() || is_incompressible(head);
            if store {
                Compression::none()
            } else {
                Compression::new(spec.level)
            }
        };
        Ok(match spec.format {
            Format::Zip => {
                let entry = Entry::new(spec.name.clone(), spec.input_bytes);
                sink.write_all(&entry.local_header())?;
                let header_bytes = sink.written_bytes();
                let deflate = DeflateEncoder::new(sink, deflate_level());
                Self::Zip {
                    deflate,
                    crc32: crc32fast::Hasher::new(),
                    entry,
                    header_bytes,
                }
            }
            Format::Gzip => Self::Gzip(GzEncoder::new(sink, deflate_level())),
            Format::Zstd => {
                let mut zstd = zstd::stream::write::Encoder::new(sink, zstd_level(spec.level))?;
                zstd.include_checksum(true)?;
                zstd.set_pledged_src_size(Some(spec.input_bytes))?;
                Self::Zstd(zstd)
            }
        })
    }

    fn write_all(&mut self, block: &[u8]) -> io::Result<()> {
        match self {
            Self::Zip { deflate, crc32, .. } => {
                crc32.update(block);
                deflate.write_all(block)
            }
            Self::Gzip(gzip) => gzip.write_all(block),
            Self::Zstd(zstd) => zstd.write_all(block),
        }
    }

    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Zip { deflate, .. } => deflate.get_mut(),
            Self::Gzip(gzip) => gzip.get_mut(),
            Self::Zstd(zstd) => zstd.get_mut(),
        }
    }

    fn finish(self, input_bytes: u64) -> io::Result<Sink> {
        match self {
            Self::Zip {
                deflate,
                crc32,
                entry,
                header_bytes,
            } => {
                let mut sink = deflate.finish()?;
                let compressed_bytes = sink.written_bytes() - header_bytes;
                let sizes = Sizes {
                    crc32: crc32.finalize(),
                    compressed_bytes,
                    input_bytes,
                };
                sink.write_all(&entry.trailer(&sizes, header_bytes))?;
                Ok(sink)
            }
            Self::Gzip(gzip) => gzip.finish(),
            Self::Zstd(zstd) => zstd.finish(),
        }
    }
}

/// Levels are 1 to 19: see [`Format::levels`].
fn zstd_level(level: u32) -> i32 {
    i32::try_from(level).unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL)
}
