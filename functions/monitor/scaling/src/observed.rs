//! What a tick has seen, in plain data.

use serde::{Deserialize, Serialize};

/// Everything that a decision rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The file system.
    pub file_system: FileSystem,
    /// All its mount targets, whoever made them.
    pub targets: Vec<MountTarget>,
    /// The subnets that may carry one, in the order in which they were configured.
    pub subnets: Vec<Subnet>,
    /// Whether they could be looked at.
    pub are_subnets_known: bool,
    /// How many files there are.
    pub count: Count,
}

/// A file system, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// Its state.
    pub life_cycle: LifeCycle,
    /// Its zone's name, if it lives in one zone alone: there it can have one mount target, and nowhere else.
    pub one_zone: Option<String>,
}

/// Where a mount target, or a file system, is in its life. Source: EFS API reference, `LifeCycleState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LifeCycle {
    /// Being made.
    Creating,
    /// In use.
    Available,
    /// Being changed.
    Updating,
    /// Being removed.
    Deleting,
    /// Removed, and still listed.
    Deleted,
    /// Broken; someone has to remove it.
    Error,
    /// A state that did not exist when this was written.
    Unknown,
}

impl LifeCycle {
    /// As EFS says it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::Updating => "updating",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }

    /// What EFS says.
    #[must_use]
    pub fn of(label: &str) -> Self {
        let all = [
            Self::Creating,
            Self::Available,
            Self::Updating,
            Self::Deleting,
            Self::Deleted,
            Self::Error,
        ];
        let mut known = all.into_iter().filter(|state| state.label() == label);
        known.next().unwrap_or(Self::Unknown)
    }

    /// Whether something is under way that must end before anything else is changed.
    #[must_use]
    pub const fn is_in_flight(self) -> bool {
        match self {
            Self::Creating | Self::Updating | Self::Deleting | Self::Unknown => true,
            Self::Available | Self::Deleted | Self::Error => false,
        }
    }
}

/// A mount target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountTarget {
    /// `fsmt-…`.
    pub id: String,
    /// Where it is in its life.
    pub life_cycle: LifeCycle,
    /// The zone's id, such as `use1-az1`: names differ between accounts, ids do not.
    pub zone_id: String,
    /// The zone's name, such as `us-east-1a`.
    pub zone: String,
    /// Its subnet.
    pub subnet_id: String,
    /// Its address.
    pub ip_address: String,
}

/// A subnet that may carry a mount target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// The zone's id.
    pub zone_id: String,
    /// The zone's name.
    pub zone: String,
    /// Addresses that are left in it.
    pub free_addresses: u32,
}

/// How many files there are, as far as anyone knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// A complete count, fresh enough.
    Known {
        /// Files.
        files: u64,
    },
    /// None that anything may rest on.
    Unknown {
        /// Why.
        reason: &'static str,
    },
}
