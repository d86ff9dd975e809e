//! What an object is: its bytes, its headers, and the version it belongs to.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::Value;

use super::notify;

/// Largest sparse content that [`Content::bytes`] writes out, bytes.
const SPELLED_OUT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What sparse content is sent from, without a copy.
static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];

/// Part size behind the `ETag` of sparse content, bytes.
const SPARSE_PART_BYTES: u64 = 8 * 1024 * 1024;

/// The bytes of an object.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Bytes),
    /// So many zero bytes, held as a number: a 5 GiB object costs nothing.
    Zeros(u64),
}

impl Content {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(len) => *len,
        }
    }

    /// Whether there is no byte at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content in memory; sparse content above 256 MiB panics.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Zeros(len) => {
                assert!(
                    *len <= SPELLED_OUT_BYTES_MAX,
                    "{len} sparse bytes do not fit in memory"
                );
                let len = usize::try_from(*len).unwrap();
                ZEROS
                    .get(..len)
                    .map_or_else(|| Bytes::from(vec![0; len]), Bytes::from_static)
            }
        }
    }

    /// A part of the content; the range must lie within it.
    pub(super) fn slice(&self, range: Range<u64>) -> Self {
        match self {
            Self::Bytes(bytes) => {
                let start = usize::try_from(range.start).unwrap();
                Self::Bytes(bytes.slice(start..usize::try_from(range.end).unwrap()))
            }
            Self::Zeros(_) => Self::Zeros(range.end - range.start),
        }
    }

    /// The MD5 in hex, as for a single `PutObject`. Sparse content gets an `ETag` of the multipart
    /// form, as an object of that size has on S3; it depends on the length alone.
    pub(super) fn etag(&self) -> String {
        match self {
            Self::Bytes(bytes) => format!("{:x}", md5::compute(bytes)),
            Self::Zeros(len) => {
                let parts = len.div_ceil(SPARSE_PART_BYTES).max(1);
                format!("{:x}-{parts}", md5::compute(format!("{len} zeros")))
            }
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Zeros(len) => write!(f, "Zeros({len})"),
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(bytes))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

/// The headers that S3 keeps with an object and returns with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Headers by lower-case HTTP name, such as `content-type` or `x-amz-storage-class`.
    pub headers: BTreeMap<String, String>,
    /// User metadata by lower-case name, without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// When it is said to have been written; unset, when it was.
    pub modified: Option<SystemTime>,
}

/// One version of an object, as S3 holds it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its bytes.
    pub content: Content,
    /// User metadata by lower-case name, without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// Kept headers by lower-case HTTP name, as they were given.
    pub headers: BTreeMap<String, String>,
    /// The `ETag` without its quotes.
    pub etag: String,
    /// Set in a versioned bucket.
    pub version_id: Option<String>,
    /// Grows with each change of a key: upper-case hex, as in a notification.
    pub sequencer: String,
    pub(super) crc32: Option<String>,
    pub(super) modified: SystemTime,
}

/// What a write produced, and what its notification will say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bucket name.
    pub bucket: String,
    /// Key, not encoded.
    pub key: String,
    /// Object size in bytes.
    pub size_bytes: u64,
    /// The `ETag` without its quotes.
    pub etag: String,
    /// Set in a versioned bucket.
    pub version_id: Option<String>,
    /// Upper-case hex, growing per key.
    pub sequencer: String,
}

impl Written {
    /// The notification that S3 sends for this write, also after a newer one replaced it.
    #[must_use]
    pub fn notification(&self) -> Value {
        notify::object_created(self)
    }
}
