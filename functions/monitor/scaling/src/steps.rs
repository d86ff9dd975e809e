//! What a tick goes by, what it asks for, and what it is told.

use crate::class::Class;
use crate::observed::{MountTarget, Observed};
use crate::state::State;
use crate::targets::TargetList;

/// All that a tick goes by.
#[derive(Clone, Debug)]
pub struct Seen {
    /// File system, mount targets, subnets and count.
    pub observed: Observed,
    /// What earlier ticks left.
    pub state: Remembered,
    /// What clients go by.
    pub published: Published,
    /// Whether there is a service to redeploy.
    pub has_service: bool,
}

/// The state, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// This.
    State(State),
    /// It is there, but cannot be read now, for this reason.
    Unreadable(&'static str),
}

/// The list of mount targets, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// This, if there is one.
    Text(Option<String>),
    /// It cannot be read now.
    Unreadable,
}

/// What is to be called next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Write the state.
    PutState(State),
    /// Create a mount target.
    Create {
        /// Where.
        subnet_id: String,
    },
    /// Remove one.
    Remove {
        /// Which.
        target_id: String,
    },
    /// Read the mount targets once more.
    LookAgain,
    /// Write the list.
    PutTargets(TargetList),
    /// Redeploy the service.
    Redeploy,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// This was created.
    Created(MountTarget),
    /// These are there.
    Targets(Vec<MountTarget>),
    /// It is not done, or it is not known whether it is.
    Failed {
        /// What that means.
        class: Class,
        /// The answer in words.
        error: String,
    },
}

/// A call that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub call: &'static str,
    /// What that means.
    pub class: Class,
    /// The answer in words.
    pub error: String,
    /// Whether the invocation has to fail for it.
    pub is_failure: bool,
}

/// What a tick came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The mount target that was created.
    pub created: Option<MountTarget>,
    /// The one that was removed.
    pub removed: Option<String>,
    /// Whether the list was written.
    pub published: bool,
    /// Whether the service was redeployed.
    pub redeployed: bool,
    /// What did not work.
    pub problems: Vec<Problem>,
}

impl Call {
    /// Its name in errors and log lines.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PutState(_) => "PutParameter STATE_PARAMETER",
            Self::Create { .. } => "CreateMountTarget",
            Self::Remove { .. } => "DeleteMountTarget",
            Self::LookAgain => "DescribeMountTargets",
            Self::PutTargets(_) => "PutParameter TARGETS_PARAMETER",
            Self::Redeploy => "UpdateService",
        }
    }

    /// Whether the invocation fails when it does not succeed, whatever the answer. The next tick tries a change again; what
    /// is promised to clients is owed at once.
    pub(crate) const fn must_succeed(&self) -> bool {
        match self {
            Self::PutState(_) | Self::PutTargets(_) | Self::Redeploy => true,
            Self::Create { .. } | Self::Remove { .. } | Self::LookAgain => false,
        }
    }
}
