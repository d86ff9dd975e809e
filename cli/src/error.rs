//! What can go wrong, and which exit code that is.

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use shared::env::EnvError;
use shared::jobs::JobsError;
use shared::telemetry::error_chain;

/// How a command that could be carried out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All of it.
    Done,
    /// Refused, or something is left over; what was printed says what.
    NotCompleted,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Done => Self::SUCCESS,
            End::NotCompleted => Kind::NotCompleted.exit_code(),
        }
    }
}

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
        }
    }

    fn exit_code(self) -> ExitCode {
        self.code().into()
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It must be asked for differently.
    #[error("{0}")]
    Usage(String),
    /// It was not begun, and that is for the operator to change.
    #[error("{0}")]
    Refused(String),
    /// A job that is not at its end and that nobody works on: its execution timed out, was stopped or broke.
    #[error(
        "job {job} is {state}, and no execution of it runs any more; to go on, sluice backfill abort {job}, then start it with --resume"
    )]
    Abandoned {
        /// Which.
        job: String,
        /// Where its record stands.
        state: &'static str,
    },
    /// A path of this machine.
    #[error("{path}")]
    Path {
        /// As it was given.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A service refused, or could not be reached.
    #[error("{operation} {subject}: {code}: {detail}")]
    Service {
        /// What was asked.
        operation: &'static str,
        /// Of what.
        subject: String,
        /// The service's own word, or `NoAnswer`.
        code: String,
        /// Its explanation, or the chain of causes.
        detail: String,
    },
    /// The job's record could not be read or written.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// A function, or its engine right here, ended with an error.
    #[error("{name}: {label}: {detail}")]
    Function {
        /// Which.
        name: String,
        /// The error's type.
        label: String,
        /// Its message, chain included.
        detail: String,
    },
    /// An execution of a state machine ended without its result.
    #[error("execution {name} {status}: {error}: {cause}")]
    Execution {
        /// Which.
        name: String,
        /// How it ended.
        status: String,
        /// The error's name.
        error: String,
        /// Its cause.
        cause: String,
    },
    /// An answer has not the shape that it must have.
    #[error("{what} answered what this release does not understand")]
    NotUnderstood {
        /// Who.
        what: String,
    },
    /// Options that the engine refuses.
    #[error(transparent)]
    Settings(#[from] EnvError),
    /// Nothing more can be printed, or nothing asked.
    #[error("terminal")]
    Terminal(#[source] io::Error),
}

impl Error {
    /// An error of the SDK.
    pub(crate) fn service<E, R>(
        operation: &'static str,
        subject: &str,
        error: &SdkError<E, R>,
    ) -> Self
    where
        E: StdError + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug + 'static,
    {
        let detail = match (error, error.message()) {
            (SdkError::ServiceError(_), Some(message)) => message.to_owned(),
            (SdkError::ServiceError(_), None) => "the service says no more".to_owned(),
            // The chain of credentials is told over several lines.
            _ => words_of(&error_chain(error)),
        };
        Self::Service {
            operation,
            subject: subject.to_owned(),
            code: error.code().unwrap_or("NoAnswer").to_owned(),
            detail,
        }
    }

    /// What can be done about it.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Usage(_) | Self::Settings(_) => Kind::Usage,
            Self::Refused(_) | Self::Abandoned { .. } => Kind::NotCompleted,
            Self::Jobs(JobsError::NoSuchJob { .. }) => Kind::NotFound,
            Self::Path { source, .. } => of_path(source.kind()),
            Self::Service { code, detail, .. } => of_service(code, detail),
            Self::Jobs(JobsError::Service { code, source, .. }) => {
                of_service(code, &error_chain(&**source))
            }
            Self::Function { label, .. } => of_function(label),
            Self::Execution { error, .. } => of_execution(error),
            Self::Jobs(JobsError::BadRecord { .. })
            | Self::NotUnderstood { .. }
            | Self::Terminal(_) => Kind::Failed,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        self.kind().exit_code()
    }

    /// Whether it is only that nobody reads any more.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Terminal(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// On one line.
fn words_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn of_path(kind: io::ErrorKind) -> Kind {
    match kind {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Kind::NotFound,
        io::ErrorKind::PermissionDenied => Kind::Access,
        _ => Kind::Failed,
    }
}

/// By the services' own words. Source: their API references, "Common errors" and those of each action.
fn of_service(code: &str, detail: &str) -> Kind {
    let name = code.rsplit(['#', '.']).next().unwrap_or(code);
    let name = name.strip_suffix("Exception").unwrap_or(name);
    match name {
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
fn of_function(label: &str) -> Kind {
    match label {
        "BadPayload" => Kind::Usage,
        "BadRoot" => Kind::NotFound,
        "InProgress" | "NoLease" => Kind::NotCompleted,
        _ => Kind::Failed,
    }
}

/// By the names that the state machines give their failures.
fn of_execution(error: &str) -> Kind {
    match error {
        "Purge.BadInput" | "BadPayload" => Kind::Usage,
        "InProgress" | "JobExists" | "WrongState" => Kind::NotCompleted,
        "NoSuchJob" => Kind::NotFound,
        "AccessDenied" => Kind::Access,
        _ => Kind::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ];
        assert_eq!(kinds.map(Kind::code), [1, 2, 3, 4, 5]);
    }
}
