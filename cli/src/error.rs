//! What can go wrong, and which exit code that is.

mod kind;

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use shared::env::EnvError;
use shared::jobs::JobsError;
use shared::telemetry::error_chain;

pub(crate) use self::kind::{Kind, bare};

use self::kind::{of_execution, of_function, of_path, of_service};
use crate::names::Stack;

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
    /// A job that has no record: what was to plan it came to nothing.
    #[error("job {job} has no record")]
    NeverBegan {
        /// Which.
        job: String,
        /// How its execution ended.
        source: Box<Error>,
    },
    /// Who watched has gone.
    #[error("{0}")]
    Interrupted(String),
    /// Nothing here has such a name in front.
    #[error("no stack {stack} here: region {region} has no {part}")]
    NoStack {
        /// As it was given.
        stack: String,
        /// Where it was looked for.
        region: String,
        /// What a stack has.
        part: String,
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

    /// Whether a service has said this.
    pub(crate) fn is_of(&self, code: &str) -> bool {
        matches!(self, Self::Service { code: said, .. } if bare(said) == code)
    }

    /// Whether a verification has found something.
    pub(crate) fn is_incomplete(&self) -> bool {
        matches!(self, Self::Execution { error, .. } if error == "Backfill.Incomplete")
    }

    /// The same, if it is not that the whole stack is missing.
    pub(crate) fn in_stack(self, stack: &Stack, region: &str) -> Self {
        let part = match &self {
            Self::Service { code, subject, .. } => missing(bare(code), subject, stack),
            Self::Jobs(JobsError::Service { code, table, .. }) => missing(bare(code), table, stack),
            _ => None,
        };
        let Some(part) = part else {
            return self;
        };
        Self::NoStack {
            stack: stack.to_string(),
            region: region.to_owned(),
            part,
        }
    }

    /// What can be done about it.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Usage(_) | Self::Settings(_) => Kind::Usage,
            Self::Refused(_) | Self::Abandoned { .. } => Kind::NotCompleted,
            Self::Interrupted(_) => Kind::Interrupted,
            Self::NeverBegan { source, .. } => source.kind(),
            Self::Jobs(JobsError::NoSuchJob { .. }) | Self::NoStack { .. } => Kind::NotFound,
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

/// The part of a stack that is not there, if that is what a service says.
fn missing(code: &str, subject: &str, stack: &Stack) -> Option<String> {
    match code {
        "ResourceNotFound" if subject == stack.backfill() => Some(format!("table {subject}")),
        "NonExistentQueue" | "QueueDoesNotExist" if subject == stack.queue() => {
            Some(format!("queue {subject}"))
        }
        _ => None,
    }
}
