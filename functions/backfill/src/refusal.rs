//! A service's refusal, and what can be done about it.

use std::error::Error;
use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// A call that did not succeed: which, how it was answered, and the SDK's own error.
#[derive(Debug)]
pub struct Refusal {
    call: &'static str,
    status: Option<u16>,
    code: String,
    source: Box<dyn Error + Send + Sync>,
}

/// What a refusal means to whoever operates the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// There is no such object.
    NotFound,
    /// A condition of a conditional write does not hold.
    ConditionFailed,
    /// The role, a policy or a key says no.
    AccessDenied,
    /// A bucket, a queue or a table that is set does not exist, or is elsewhere.
    BadConfiguration,
    /// No answer, or one that may be another one later.
    Unavailable,
}

impl Refusal {
    /// Takes over an SDK error, of whichever service.
    pub fn new<E>(call: &'static str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        Self {
            call,
            status,
            code: error.code().unwrap_or_default().to_owned(),
            source: Box::new(error),
        }
    }

    /// What can be done about it. A 403 without a code, as a HEAD's always is, may be a skewed clock.
    #[must_use]
    pub fn class(&self) -> Class {
        match (self.status, self.code.as_str()) {
            (_, "ConditionalCheckFailedException") => Class::ConditionFailed,
            (
                _,
                "NoSuchBucket"
                | "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "InvalidBucketName"
                | "ResourceNotFoundException"
                | "QueueDoesNotExist"
                | "AWS.SimpleQueueService.NonExistentQueue",
            )
            | (Some(301), _) => Class::BadConfiguration,
            (_, "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled") => {
                Class::AccessDenied
            }
            // Of a queue with a key: the key is busy, or forbidden.
            (_, code) if code.contains("Throttl") || code.contains("Internal") => {
                Class::Unavailable
            }
            (_, code) if code.starts_with("KMS.") || code.starts_with("KmsAccessDenied") => {
                Class::AccessDenied
            }
            (Some(404), _) => Class::NotFound,
            _ => Class::Unavailable,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.call)?;
        if let Some(status) = self.status {
            write!(f, " answered {status}")?;
        }
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        Ok(())
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_its_class() {
        for (status, code, class) in [
            (404, "NoSuchKey", Class::NotFound),
            (404, "", Class::NotFound),
            (404, "NoSuchBucket", Class::BadConfiguration),
            (400, "ResourceNotFoundException", Class::BadConfiguration),
            (
                400,
                "AWS.SimpleQueueService.NonExistentQueue",
                Class::BadConfiguration,
            ),
            (403, "AccessDenied", Class::AccessDenied),
            (400, "AccessDeniedException", Class::AccessDenied),
            (400, "KMS.DisabledException", Class::AccessDenied),
            (400, "KMS.ThrottlingException", Class::Unavailable),
            (500, "KMS.InternalException", Class::Unavailable),
            (403, "", Class::Unavailable),
            (403, "ExpiredToken", Class::Unavailable),
            (
                400,
                "ConditionalCheckFailedException",
                Class::ConditionFailed,
            ),
            (400, "ThrottlingException", Class::Unavailable),
            (503, "SlowDown", Class::Unavailable),
        ] {
            let refusal = Refusal {
                call: "HeadObject",
                status: Some(status),
                code: code.to_owned(),
                source: "".into(),
            };
            assert_eq!(refusal.class(), class, "{status} {code}");
        }
    }
}
