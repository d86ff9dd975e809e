//! What goes wrong with one object, named for what an operator can do about it.

use archive::ArchiveError;
use shared::Retryable;
use shared::s3_event::BadMessage;

use crate::refusal::Refusal;
use shared::key::BadKey;

/// Why an object was not compressed.
#[derive(Debug, thiserror::Error)]
pub enum CompressError {
    /// The message is not an object notification.
    #[error("bad message")]
    BadMessage {
        /// What is wrong with it.
        #[from]
        source: BadMessage,
    },
    /// The key has no valid output key.
    #[error("bad key {key:?}")]
    BadKey {
        /// The source key.
        key: String,
        /// What is wrong with it.
        source: BadKey,
    },
    /// The bucket is not the configured one, does not exist, or is in another region.
    #[error("bucket {bucket:?} is not one this function works for: {detail}")]
    WrongBucket {
        /// The bucket's name.
        bucket: String,
        /// How that was found out.
        detail: String,
    },
    /// Larger than `MAX_OBJECT_BYTES`. Nothing was downloaded.
    #[error("object is {size_bytes} bytes, limit is {limit_bytes}")]
    TooLarge {
        /// The object's size.
        size_bytes: u64,
        /// The limit, inclusive.
        limit_bytes: u64,
    },
    /// Another source's output, or somebody else's object, has the output key.
    #[error("output key {output_key:?} belongs to another object")]
    OutputConflict {
        /// The key both want.
        output_key: String,
    },
    /// The role, the bucket policy or the access control list says no.
    #[error("access denied")]
    AccessDenied {
        /// The service's answer.
        source: Refusal,
    },
    /// The KMS key is disabled, gone, or not for this role.
    #[error("KMS key denied")]
    KmsDenied {
        /// The service's answer.
        source: Refusal,
    },
    /// The object is in an archive storage class and was not restored.
    #[error("object is archived")]
    Archived {
        /// The service's answer.
        source: Refusal,
    },
    /// A service said no or nothing, and may say yes later.
    #[error("service call failed")]
    Service {
        /// The service's answer.
        source: Refusal,
    },
    /// The body broke off more often than it was resumed, or does not match its checksum.
    #[error("body broke off at byte {offset_bytes} of {size_bytes}")]
    Read {
        /// Where.
        offset_bytes: u64,
        /// Of how many.
        size_bytes: u64,
        /// The last cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The codec did not produce an archive.
    #[error("archive")]
    Archive {
        /// Why.
        #[from]
        source: ArchiveError,
    },
    /// The compressor thread ended without a result.
    #[error("compressor thread ended")]
    Thread {
        /// A panic or a cancellation.
        #[from]
        source: tokio::task::JoinError,
    },
    /// Others kept writing the output key while this object was to be written.
    #[error("output {output_key:?} kept changing")]
    Contended {
        /// The key.
        output_key: String,
    },
    /// The invocation's time is up, or would be before this object is done.
    #[error("out of time")]
    OutOfTime,
    /// The failure is permanent but the dead-letter queue did not take it, so nothing is acknowledged.
    #[error("dead-letter queue did not take the message ({reason})")]
    DeadLetter {
        /// Why the message was to go there.
        reason: &'static str,
        /// The queue's answer, or nothing when `DLQ_URL` is not set.
        source: Option<Refusal>,
    },
}

impl CompressError {
    /// The reason under which a permanent failure goes to the dead-letter queue; nothing for a failure that
    /// may pass and goes back to where it came from.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::BadMessage { .. } => Some("bad_message"),
            Self::BadKey { .. } => Some("bad_key"),
            Self::WrongBucket { .. } => Some("wrong_bucket"),
            Self::TooLarge { .. } => Some("too_large"),
            Self::OutputConflict { .. } => Some("output_conflict"),
            Self::AccessDenied { .. } => Some("access_denied"),
            Self::KmsDenied { .. } => Some("kms_denied"),
            Self::Archived { .. } => Some("archived"),
            Self::Service { .. }
            | Self::Read { .. }
            | Self::Archive { .. }
            | Self::Thread { .. }
            | Self::Contended { .. }
            | Self::OutOfTime
            | Self::DeadLetter { .. } => None,
        }
    }
}

impl Retryable for CompressError {
    fn is_retryable(&self) -> bool {
        self.reason().is_none()
    }
}
