//! A service's refusal, and what it means.

use std::error::Error;
use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::CompressError;
use shared::key::BadKey;

/// A call that did not succeed: which, how it was answered, and the SDK's own error.
#[derive(Debug)]
pub struct Refusal {
    operation: &'static str,
    status: Option<u16>,
    code: Option<String>,
    source: Box<dyn Error + Send + Sync>,
}

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

impl Refusal {
    /// Takes over an SDK error.
    pub fn new<E, R>(operation: &'static str, error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + HttpStatus + 'static,
    {
        let code = error.code().map(str::to_owned);
        let status = error.raw_response().map(HttpStatus::status_code);
        Self {
            operation,
            status,
            code,
            source: Box::new(error),
        }
    }

    /// What the refusal means. Unknown 4xx answers are `Other`: they are tried again, and the queue's own
    /// redrive policy ends that. So is a 403 without a code, as a HEAD's always is: it may be a skewed clock.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let code = self.code.as_deref().unwrap_or_default();
        match (self.status, code) {
            (None, _) => Meaning::Uncertain,
            (Some(429), _) => Meaning::Throttled,
            _ if is_throttling(code) => Meaning::Throttled,
            (_, "NoSuchUpload") => Meaning::NoSuchUpload,
            (
                _,
                "NoSuchBucket"
                | "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "InvalidBucketName",
            )
            | (Some(301), _) => Meaning::WrongBucket,
            (Some(412), _) => Meaning::ConditionFailed,
            (Some(409), _) => Meaning::Conflict,
            (Some(404), _) => Meaning::NotFound,
            (_, "InvalidObjectState") => Meaning::Archived,
            (_, "KeyTooLongError") => Meaning::KeyTooLong,
            (Some(400..=499), _) if code.starts_with("KMS.") || self.names_kms() => {
                Meaning::KmsDenied
            }
            (_, "AccessDenied" | "AllAccessDisabled") => Meaning::AccessDenied,
            (Some(400..=499), _) => Meaning::Other,
            _ => Meaning::Uncertain,
        }
    }

    /// S3 answers a missing permission on the key as plain `AccessDenied`; the message names the KMS action.
    fn names_kms(&self) -> bool {
        self.code.as_deref() == Some("AccessDenied")
            && shared::telemetry::error_chain(&*self.source).contains("kms:")
    }

    /// The error that this refusal is for an object of `bucket` and `key`.
    #[must_use]
    pub fn into_error(self, bucket: &str, key: &str) -> CompressError {
        match self.meaning() {
            Meaning::WrongBucket => CompressError::WrongBucket {
                bucket: bucket.to_owned(),
                detail: self.to_string(),
            },
            Meaning::AccessDenied => CompressError::AccessDenied { source: self },
            Meaning::KmsDenied => CompressError::KmsDenied { source: self },
            Meaning::Archived => CompressError::Archived { source: self },
            Meaning::KeyTooLong => CompressError::BadKey {
                key: key.to_owned(),
                source: BadKey::Refused(self.to_string()),
            },
            Meaning::NotFound
            | Meaning::ConditionFailed
            | Meaning::Conflict
            | Meaning::NoSuchUpload
            | Meaning::Throttled
            | Meaning::Uncertain
            | Meaning::Other => CompressError::Service { source: self },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        if let Some(status) = self.status {
            write!(f, " answered {status}")?;
        }
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        Ok(())
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "SlowDown" | "TooManyRequests" | "RequestLimitExceeded"
    ) || code.contains("Throttl")
}

/// The status of a raw response, so that `Refusal::new` takes any service's SDK error.
pub trait HttpStatus {
    /// HTTP status code.
    fn status_code(&self) -> u16;
}

impl HttpStatus for aws_sdk_s3::config::http::HttpResponse {
    fn status_code(&self) -> u16 {
        self.status().as_u16()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: Option<u16>, code: &str, message: &'static str) -> Refusal {
        let code = Some(code.to_owned()).filter(|code| !code.is_empty());
        Refusal {
            operation: "GetObject",
            status,
            code,
            source: message.into(),
        }
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
                refusal(Some(status), code, "").meaning(),
                meaning,
                "{status} {code}"
            );
        }
        assert_eq!(refusal(None, "", "").meaning(), Meaning::Uncertain);
    }

    #[test]
    fn a_denied_key_is_told_from_a_denied_object() {
        let denied = refusal(
            Some(403),
            "AccessDenied",
            "not authorized to perform: kms:Decrypt on resource: key/1",
        );
        assert_eq!(denied.meaning(), Meaning::KmsDenied);
        assert!(matches!(
            denied.into_error("b", "k"),
            CompressError::KmsDenied { .. }
        ));
    }
}
