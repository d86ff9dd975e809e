//! Which exit code an error is: by the words of services, functions and state machines. Pure.

use std::io;
use std::process::ExitCode;

/// What an operator can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Read the words, perhaps try again.
    Failed,
    /// Ask differently.
    Usage,
    /// Mend what refuses, or wait.
    NotCompleted,
    /// Look for the right name, stack or region.
    NotFound,
    /// Sign in, or ask for a right.
    Access,
    /// Nothing: it goes on without whoever watched.
    Interrupted,
}

impl Kind {
    /// Its name in JSON.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotCompleted => "not_completed",
            Self::NotFound => "not_found",
            Self::Access => "access",
            Self::Interrupted => "interrupted",
        }
    }

    /// As `--help` says.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotCompleted => 3,
            Self::NotFound => 4,
            Self::Access => 5,
            // As a shell has it for what SIGINT ends.
            Self::Interrupted => 130,
        }
    }

    pub(super) fn exit_code(self) -> ExitCode {
        self.code().into()
    }
}

pub(super) fn of_path(kind: io::ErrorKind) -> Kind {
    match kind {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Kind::NotFound,
        io::ErrorKind::PermissionDenied => Kind::Access,
        _ => Kind::Failed,
    }
}

/// A service's word without namespace and `Exception`.
pub(crate) fn bare(code: &str) -> &str {
    let name = code.rsplit(['#', '.']).next().unwrap_or(code);
    name.strip_suffix("Exception").unwrap_or(name)
}

/// By the services' own words. Source: their API references, "Common errors" and those of each action.
pub(super) fn of_service(code: &str, detail: &str) -> Kind {
    match bare(code) {
        "AccessDenied"
        | "ExpiredToken"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidSignature"
        | "KmsAccessDenied"
        | "KMSAccessDenied"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "OptInRequired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClient" => Kind::Access,
        "ExecutionDoesNotExist"
        | "NonExistentQueue"
        | "QueueDoesNotExist"
        | "ResourceNotFound"
        | "StateMachineDoesNotExist"
        | "StateMachineDeleting" => Kind::NotFound,
        "ExecutionAlreadyExists" => Kind::NotCompleted,
        // No request was made: nobody could say who asks.
        "NoAnswer" if detail.contains("credential") => Kind::Access,
        _ => Kind::Failed,
    }
}

/// By the labels of the functions' errors.
pub(super) fn of_function(label: &str) -> Kind {
    match label {
        "BadPayload" => Kind::Usage,
        "BadRoot" => Kind::NotFound,
        "InProgress" | "NoLease" => Kind::NotCompleted,
        _ => Kind::Failed,
    }
}

/// By the names that the state machines give their failures.
pub(super) fn of_execution(error: &str) -> Kind {
    match error {
        "Purge.BadInput" | "Backfill.BadInput" | "BadPayload" => Kind::Usage,
        "Backfill.Aborted"
        | "Backfill.Incomplete"
        | "InProgress"
        | "JobExists"
        | "PartitionsMissing"
        | "WrongState" => Kind::NotCompleted,
        "NoSuchJob" => Kind::NotFound,
        "AccessDenied" => Kind::Access,
        _ => Kind::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn service(code: &str, detail: &str) -> Kind {
        Error::Service {
            operation: "GetItem",
            subject: "t".to_owned(),
            code: code.to_owned(),
            detail: detail.to_owned(),
        }
        .kind()
    }

    #[test]
    fn a_service_is_understood_by_its_own_word() {
        for (code, kind) in [
            ("AccessDeniedException", Kind::Access),
            ("ExpiredTokenException", Kind::Access),
            ("AWS.SimpleQueueService.NonExistentQueue", Kind::NotFound),
            ("com.amazonaws.sqs#QueueDoesNotExist", Kind::NotFound),
            ("StateMachineDoesNotExist", Kind::NotFound),
            ("ExecutionAlreadyExists", Kind::NotCompleted),
            ("ThrottlingException", Kind::Failed),
            ("NoAnswer", Kind::Failed),
        ] {
            assert_eq!(service(code, "words"), kind, "{code}");
        }
    }

    #[test]
    fn an_execution_is_understood_by_the_name_of_its_failure() {
        for (error, kind) in [
            ("BadPayload", Kind::Usage),
            ("WrongState", Kind::NotCompleted),
            ("PartitionsMissing", Kind::NotCompleted),
            ("Backfill.Incomplete", Kind::NotCompleted),
            ("NoSuchJob", Kind::NotFound),
            ("AccessDenied", Kind::Access),
            ("JobFailed", Kind::Failed),
        ] {
            assert_eq!(of_execution(error), kind, "{error}");
        }
    }

    #[test]
    fn missing_credentials_are_a_matter_of_access() {
        assert_eq!(
            service("NoAnswer", "no providers in chain provided credentials"),
            Kind::Access
        );
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let kinds = [
            Kind::Failed,
            Kind::Usage,
            Kind::NotCompleted,
            Kind::NotFound,
            Kind::Access,
            Kind::Interrupted,
        ];
        assert_eq!(kinds.map(Kind::code), [1, 2, 3, 4, 5, 130]);
    }
}
