//! Why an invocation failed.

use shared::Retryable;
use shared::payload::PayloadError;

use crate::refusal::{Class, Refusal};

/// Named for what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// The caller must ask differently.
    #[error(transparent)]
    BadPayload(#[from] PayloadError),
    /// Another execution has made a job of this name.
    #[error("job {job_id} exists: choose another job_id, or go on with it by \"resume\": true")]
    JobExists {
        /// Which.
        job_id: String,
    },
    /// There is none of this name, or none any more.
    #[error("no job {job_id}")]
    NoSuchJob {
        /// Which.
        job_id: String,
    },
    /// The job is not in a state in which this can be done.
    #[error("job {job_id} is {state}: {detail}")]
    WrongState {
        /// Which.
        job_id: String,
        /// Its state.
        state: &'static str,
        /// What would help.
        detail: &'static str,
    },
    /// Another invocation is at this partition; it goes on, this one does not.
    #[error("another invocation is at partition {partition} of job {job_id}")]
    InProgress {
        /// Which.
        job_id: String,
        /// From 0.
        partition: u64,
    },
    /// Not all of the job was listed, or verified: some of its children failed.
    #[error("{missing} of {total} partitions of job {job_id} are not done, the first: {first}")]
    PartitionsMissing {
        /// Which.
        job_id: String,
        /// How many.
        missing: u64,
        /// Of how many.
        total: u64,
        /// Number of the first one.
        first: u64,
    },
    /// The execution fails, and this is what it is told to fail with: the job's record has it.
    #[error("{words}")]
    JobFailed {
        /// By which name.
        name: &'static str,
        /// Why.
        words: String,
    },
    /// An item of the job is missing, is not of its plan, or makes no sense: two invocations planned the job at once, or
    /// somebody changed the table.
    #[error("item {item} of job {job_id}: {detail}; start the job anew under another job_id")]
    BadItem {
        /// Which job.
        job_id: String,
        /// Its sort key.
        item: String,
        /// What is wrong.
        detail: String,
    },
    /// The manifest or a part of the inventory is not what it must be. No repetition helps.
    #[error("inventory {key:?}")]
    Inventory {
        /// Of the manifest or the part.
        key: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A part of the inventory could not be kept in `/tmp`.
    #[error("{path}")]
    Scratch {
        /// Which file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The queue refuses a message, and will again.
    #[error("the queue refuses the message of {key:?}: {detail}")]
    MessageRefused {
        /// Of the object.
        key: String,
        /// The queue's words.
        detail: String,
    },
    /// The queue kept refusing some messages of a batch until the time was up.
    #[error("the queue takes no messages: {detail}")]
    QueueBusy {
        /// Its last word.
        detail: String,
    },
    /// The table kept refusing items of a plan.
    #[error("the table takes no items: {items} are left")]
    TableBusy {
        /// Of one call.
        items: usize,
    },
    /// An answer of the listing does not say how to go on: its end is not believed without a word.
    #[error("listing: {detail}")]
    BadListing {
        /// What is wrong.
        detail: &'static str,
    },
    /// Another round of verification is under way: it would be undone.
    #[error("round {round} of the verification of job {job_id} is under way")]
    Verifying {
        /// Which.
        job_id: String,
        /// The other one.
        round: String,
    },
    /// A listing names a key that cannot be read.
    #[error("a key of the listing cannot be read")]
    BadKey(#[from] shared::s3_event::BadMessage),
    /// A request could not be put together: a mistake of this function's.
    #[error("request")]
    Request(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A service said no, or nothing.
    #[error(transparent)]
    Service(#[from] Refusal),
    /// The services have not answered until the time was up. What was checkpointed is not done again.
    #[error("the services do not answer")]
    TimeUp,
}

impl BackfillError {
    /// The error's type, as Lambda reports it and the state machine reads it.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::BadPayload(_) => "BadPayload",
            Self::JobExists { .. } => "JobExists",
            Self::NoSuchJob { .. } => "NoSuchJob",
            Self::WrongState { .. } => "WrongState",
            Self::InProgress { .. } | Self::Verifying { .. } => "InProgress",
            Self::PartitionsMissing { .. } => "PartitionsMissing",
            Self::JobFailed { name, .. } => name,
            Self::BadItem { .. } => "BadItem",
            Self::Inventory { .. } => "Inventory",
            Self::MessageRefused { .. } => "MessageRefused",
            Self::BadKey(_) => "BadKey",
            Self::Request(_) => "Internal",
            Self::Scratch { .. }
            | Self::QueueBusy { .. }
            | Self::TableBusy { .. }
            | Self::BadListing { .. } => "Unavailable",
            Self::Service(refusal) => match Class::of(refusal) {
                Class::AccessDenied => "AccessDenied",
                Class::BadConfiguration => "BadConfiguration",
                Class::NotFound => "NotFound",
                Class::ConditionFailed | Class::Unavailable => "Unavailable",
            },
            Self::TimeUp => "TimeUp",
        }
    }
}

impl BackfillError {
    /// Whether it may be another one, or none, for another partition, and no repetition helps this one.
    #[must_use]
    pub fn is_of_one_partition(&self) -> bool {
        match self {
            Self::BadItem { .. }
            | Self::Inventory { .. }
            | Self::MessageRefused { .. }
            | Self::BadKey(_) => true,
            // A policy may deny a folder.
            Self::Service(_) => !self.is_retryable(),
            Self::BadPayload(_)
            | Self::JobExists { .. }
            | Self::NoSuchJob { .. }
            | Self::WrongState { .. }
            | Self::InProgress { .. }
            | Self::Verifying { .. }
            | Self::PartitionsMissing { .. }
            | Self::JobFailed { .. }
            | Self::BadListing { .. }
            | Self::Scratch { .. }
            | Self::QueueBusy { .. }
            | Self::TableBusy { .. }
            | Self::Request(_)
            | Self::TimeUp => false,
        }
    }
}

impl From<serde_json::Error> for BackfillError {
    fn from(error: serde_json::Error) -> Self {
        Self::Request(Box::new(error))
    }
}

impl From<aws_sdk_dynamodb::error::BuildError> for BackfillError {
    fn from(error: aws_sdk_dynamodb::error::BuildError) -> Self {
        Self::Request(Box::new(error))
    }
}

impl Retryable for BackfillError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::BadPayload(_)
            | Self::JobExists { .. }
            | Self::NoSuchJob { .. }
            | Self::WrongState { .. }
            | Self::PartitionsMissing { .. }
            | Self::JobFailed { .. }
            | Self::BadItem { .. }
            | Self::Inventory { .. }
            | Self::MessageRefused { .. }
            | Self::BadKey(_)
            | Self::Request(_) => false,
            Self::InProgress { .. }
            | Self::Verifying { .. }
            | Self::BadListing { .. }
            | Self::Scratch { .. }
            | Self::QueueBusy { .. }
            | Self::TableBusy { .. }
            | Self::TimeUp => true,
            Self::Service(refusal) => match Class::of(refusal) {
                Class::AccessDenied | Class::BadConfiguration | Class::NotFound => false,
                Class::ConditionFailed | Class::Unavailable => true,
            },
        }
    }
}
