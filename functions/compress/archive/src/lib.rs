//! Streaming encoders for an archive of one entry: zip, gzip and zstd. Bytes in, bytes out, no I/O.
//!
//! Three promises hold for every format:
//!
//! - *Equal input gives equal bytes*, however it was chunked: input is re-blocked to 128 KiB before
//!   the codec sees it (deflate's output depends on its input's chunking), no clock is read.
//! - *Input that does not shrink is stored*, as deflate level-0 blocks, which stream readers can read
//!   (a zip "stored" entry followed by a data descriptor they cannot).
//! - *The declared length is the length*: a shorter or longer input is an error, never an archive.

mod encoder;
mod name;
mod probe;
mod sink;
mod zip;

use std::ops::RangeInclusive;

pub use encoder::{BLOCK_BYTES, Encoder};
pub use name::entry_name;

/// An archive format, as users name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One deflate entry; ZIP64 from about 4 GiB.
    Zip,
    /// One member, no name, no time.
    Gzip,
    /// One frame with content size and checksum.
    Zstd,
}

impl Format {
    /// Every format, in the order that messages list them.
    pub const ALL: [Self; 3] = [Self::Zip, Self::Gzip, Self::Zstd];

    /// The name in settings, logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What is appended to the whole source name, with the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Zip => ".zip",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// The media type of the result.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Zip => "application/zip",
            Self::Gzip => "application/gzip",
            Self::Zstd => "application/zstd",
        }
    }

    /// Levels that the format takes. Deflate 0 stores; zstd's "ultra" levels above 19 need
    /// hundreds of megabytes and are left out.
    #[must_use]
    pub const fn levels(self) -> RangeInclusive<u32> {
        match self {
            Self::Zip | Self::Gzip => 0..=9,
            Self::Zstd => 1..=19,
        }
    }

    /// The level at which record data comes out no larger than from Python's zipfile at 6.
    /// Source: `make bench`.
    #[must_use]
    pub const fn default_level(self) -> u32 {
        match self {
            Self::Zip | Self::Gzip => 5,
            Self::Zstd => 3,
        }
    }

    /// Upper bound of the codec's own memory, bytes: state and window, without input and output.
    /// Source: resident-set growth while encoding 10 MB of records, rounded up.
    #[must_use]
    pub const fn codec_memory_bytes(self, level: u32) -> u64 {
        const MIB: u64 = 1024 * 1024;
        match (self, level) {
            (Self::Zip | Self::Gzip, _) => MIB,
            (Self::Zstd, ..=4) => 6 * MIB,
            (Self::Zstd, 5..=9) => 18 * MIB,
            (Self::Zstd, 10..=15) => 64 * MIB,
            (Self::Zstd, _) => 110 * MIB,
        }
    }
}

/// What to encode and how.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The format.
    pub format: Format,
    /// A level within [`Format::levels`].
    pub level: u32,
    /// The zip entry's name; the other formats carry none. See [`entry_name`].
    pub name: String,
    /// Exact length of the input, bytes.
    pub input_bytes: u64,
    /// Size of every part of the output but the last, bytes.
    pub part_bytes: usize,
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The input ended early or did not end where it should.
    #[error("input is {actual_bytes} bytes, {declared_bytes} were declared")]
    LengthMismatch {
        /// Bytes that were to come.
        declared_bytes: u64,
        /// Bytes that came.
        actual_bytes: u64,
    },
    /// The codec refused, which for valid settings it does not.
    #[error("encode")]
    Codec {
        /// What the codec said.
        source: std::io::Error,
    },
}
