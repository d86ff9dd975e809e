//! A service's refusal, and what can be done about it.

pub use shared::refusal::Refusal;

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

impl Class {
    /// What can be done about it. A 403 without a code, as a HEAD's always is, may be a skewed clock.
    #[must_use]
    pub fn of(refusal: &Refusal) -> Self {
        match (refusal.status(), refusal.code()) {
            (_, "ConditionalCheckFailedException") => Self::ConditionFailed,
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
            | (Some(301), _) => Self::BadConfiguration,
            (_, "AccessDenied" | "AccessDeniedException" | "AllAccessDisabled") => {
                Self::AccessDenied
            }
            // Of a queue with a key: the key is busy, or forbidden.
            (_, code) if code.contains("Throttl") || code.contains("Internal") => Self::Unavailable,
            (_, code) if code.starts_with("KMS.") || code.starts_with("KmsAccessDenied") => {
                Self::AccessDenied
            }
            (Some(404), _) => Self::NotFound,
            _ => Self::Unavailable,
        }
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
            let refusal = Refusal::answered("HeadObject", Some(status), code, "");
            assert_eq!(Class::of(&refusal), class, "{status} {code}");
        }
    }
}
