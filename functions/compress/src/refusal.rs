//! A service's refusal, and what it means.

use std::error::Error;

use shared::key::BadKey;
pub use shared::refusal::Refusal;

use crate::error::CompressError;

/// What a refusal means to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// There is no such object.
    NotFound,
    /// The condition of a conditional request does not hold.
    ConditionFailed,
    /// A conditional write met another one in progress.
    Conflict,
    /// The multipart upload is gone: aborted, or completed already.
    NoSuchUpload,
    /// Refused before any effect, for now.
    Throttled,
    /// No answer, or one that leaves open whether the call had its effect.
    Uncertain,
    /// The bucket does not exist or is elsewhere.
    WrongBucket,
    /// Not allowed.
    AccessDenied,
    /// The encryption key is not usable.
    KmsDenied,
    /// The object is archived.
    Archived,
    /// The key is longer than S3 takes.
    KeyTooLong,
    /// Anything else, such as expired credentials: may pass.
    Other,
}

impl Meaning {
    /// Whether, after a conditional write, only what is there now tells how to go on.
    #[must_use]
    pub const fn asks_for_a_look(self) -> bool {
        match self {
            Self::ConditionFailed
            | Self::Conflict
            | Self::NotFound
            | Self::NoSuchUpload
            | Self::Uncertain => true,
            Self::Throttled
            | Self::WrongBucket
            | Self::AccessDenied
            | Self::KmsDenied
            | Self::Archived
            | Self::KeyTooLong
            | Self::Other => false,
        }
    }
}

impl Meaning {
    /// What the refusal means. Unknown 4xx answers are `Other`: they are tried again, and the queue's own
    /// redrive policy ends that. So is a 403 without a code, as a HEAD's always is: it may be a skewed clock.
    #[must_use]
    pub fn of(refusal: &Refusal) -> Self {
        let code = refusal.code();
        match (refusal.status(), code) {
            (None, _) => Self::Uncertain,
            (Some(429), _) => Self::Throttled,
            _ if is_throttling(code) => Self::Throttled,
            (_, "NoSuchUpload") => Self::NoSuchUpload,
            (
                _,
                "NoSuchBucket"
                | "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "InvalidBucketName",
            )
            | (Some(301), _) => Self::WrongBucket,
            (Some(412), _) => Self::ConditionFailed,
            (Some(409), _) => Self::Conflict,
            (Some(404), _) => Self::NotFound,
            (_, "InvalidObjectState") => Self::Archived,
            (_, "KeyTooLongError") => Self::KeyTooLong,
            (Some(400..=499), _) if code.starts_with("KMS.") || names_kms(refusal) => {
                Self::KmsDenied
            }
            (_, "AccessDenied" | "AllAccessDisabled") => Self::AccessDenied,
            (Some(400..=499), _) => Self::Other,
            _ => Self::Uncertain,
        }
    }
}

impl CompressError {
    /// The error that this refusal is for an object of `bucket` and `key`.
    #[must_use]
    pub fn refused(refusal: Refusal, bucket: &str, key: &str) -> Self {
        match Meaning::of(&refusal) {
            Meaning::WrongBucket => Self::WrongBucket {
                bucket: bucket.to_owned(),
                detail: refusal.to_string(),
            },
            Meaning::AccessDenied => Self::AccessDenied { source: refusal },
            Meaning::KmsDenied => Self::KmsDenied { source: refusal },
            Meaning::Archived => Self::Archived { source: refusal },
            Meaning::KeyTooLong => Self::BadKey {
                key: key.to_owned(),
                source: BadKey::Refused(refusal.to_string()),
            },
            Meaning::NotFound
            | Meaning::ConditionFailed
            | Meaning::Conflict
            | Meaning::NoSuchUpload
            | Meaning::Throttled
            | Meaning::Uncertain
            | Meaning::Other => Self::Service { source: refusal },
        }
    }
}

/// S3 answers a missing permission on the key as plain `AccessDenied`; the message names the KMS action.
fn names_kms(refusal: &Refusal) -> bool {
    let words = || refusal.source().map(shared::telemetry::error_chain);
    refusal.code() == "AccessDenied" && words().is_some_and(|words| words.contains("kms:"))
}

fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "SlowDown" | "TooManyRequests" | "RequestLimitExceeded"
    ) || code.contains("Throttl")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: Option<u16>, code: &str, message: &str) -> Refusal {
        Refusal::answered("GetObject", status, code, message)
    }

    #[test]
    fn each_answer_has_its_meaning() {
        for (status, code, meaning) in [
            (404, "NoSuchKey", Meaning::NotFound),
            (404, "", Meaning::NotFound),
            (404, "NoSuchBucket", Meaning::WrongBucket),
            (404, "NoSuchUpload", Meaning::NoSuchUpload),
            (301, "PermanentRedirect", Meaning::WrongBucket),
            (412, "PreconditionFailed", Meaning::ConditionFailed),
            (409, "ConditionalRequestConflict", Meaning::Conflict),
            (503, "SlowDown", Meaning::Throttled),
            (503, "ServiceUnavailable", Meaning::Uncertain),
            (429, "", Meaning::Throttled),
            (500, "InternalError", Meaning::Uncertain),
            (403, "AccessDenied", Meaning::AccessDenied),
            (403, "", Meaning::Other),
            (403, "InvalidObjectState", Meaning::Archived),
            (400, "KMS.DisabledException", Meaning::KmsDenied),
            (400, "KMS.ThrottlingException", Meaning::Throttled),
            (500, "KMS.InternalException", Meaning::Uncertain),
            (400, "KeyTooLongError", Meaning::KeyTooLong),
            (403, "ExpiredToken", Meaning::Other),
            (403, "SignatureDoesNotMatch", Meaning::Other),
            (403, "RequestTimeTooSkewed", Meaning::Other),
            (200, "InternalError", Meaning::Uncertain),
        ] {
            assert_eq!(
                Meaning::of(&refusal(Some(status), code, "")),
                meaning,
                "{status} {code}"
            );
        }
        assert_eq!(Meaning::of(&refusal(None, "", "")), Meaning::Uncertain);
    }

    #[test]
    fn a_denied_key_is_told_from_a_denied_object() {
        let denied = refusal(
            Some(403),
            "AccessDenied",
            "not authorized to perform: kms:Decrypt on resource: key/1",
        );
        assert_eq!(Meaning::of(&denied), Meaning::KmsDenied);
        assert!(matches!(
            CompressError::refused(denied, "b", "k"),
            CompressError::KmsDenied { .. }
        ));
    }
}
