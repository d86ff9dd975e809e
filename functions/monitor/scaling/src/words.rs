//! Decisions in words: the same in the answer, the log line, the metric and the runbook.

use std::fmt;

use crate::decide::{Change, Decision, Hold, Step};

impl Decision {
    /// Its name in answers, log lines and metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Hold(_) => "hold",
            Self::Change(Change::Create { .. }) => "create",
            Self::Change(Change::Remove { .. }) => "remove",
            Self::Recommend(_) => "recommend",
        }
    }
}

impl Hold {
    /// Its name in log lines, and in the runbook.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::AsDesired(_) => "as_desired",
            Self::Hysteresis(_) => "hysteresis",
            Self::ScaleInOff(_) => "scale_in_off",
            Self::CountUnknown { .. } => "count_unknown",
            Self::SubnetsUnknown => "subnets_unknown",
            Self::LastChangeUnknown { .. } => "last_change_unknown",
            Self::FileSystem(_) => "file_system",
            Self::InFlight { .. } => "in_flight",
            Self::Cooldown { .. } => "cooldown",
            Self::OneZone(_) => "one_zone",
            Self::NoZoneLeft(_) => "no_zone_left",
            Self::NoFreeAddress { .. } => "no_free_address",
            Self::UnknownZone { .. } => "unknown_zone",
            Self::AllProtected(_) => "all_protected",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            files,
            targets,
            desired,
            is_capped,
        } = self;
        let plural = |number: u64| if number == 1 { "" } else { "s" };
        let (of_files, of_targets) = (plural(*files), plural((*targets).into()));
        write!(
            f,
            "{files} file{of_files}, {targets} mount target{of_targets}, {desired} desired"
        )?;
        if *is_capped {
            write!(f, " (the maximum)")?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { zone_id, step, .. } => {
                write!(f, "{step}: create one in zone {zone_id}")
            }
            Self::Remove {
                target_id,
                zone_id,
                step,
            } => write!(f, "{step}: remove {target_id} in zone {zone_id}"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsDesired(step) => write!(f, "{step}"),
            Self::Hysteresis(step) => {
                write!(f, "{step}: not below 80 % of what one fewer is there for")
            }
            Self::ScaleInOff(step) => write!(f, "{step}: SCALE_IN is off"),
            Self::CountUnknown { reason } => {
                write!(f, "the number of files is not known: {reason}")
            }
            Self::SubnetsUnknown => write!(f, "the subnets of SUBNET_IDS could not be looked at"),
            Self::LastChangeUnknown { reason } => {
                write!(f, "it is not known when the last change was: {reason}")
            }
            Self::FileSystem(state) => write!(f, "the file system is {}", state.label()),
            Self::InFlight {
                target_id,
                life_cycle,
            } => write!(f, "mount target {target_id} is {}", life_cycle.label()),
            Self::Cooldown { remaining, step } => {
                write!(f, "{step}: {} s of the cool-down left", remaining.as_secs())
            }
            Self::OneZone(step) => write!(f, "{step}: a One Zone file system has one at most"),
            Self::NoZoneLeft(step) => write!(f, "{step}: every zone of SUBNET_IDS has one"),
            Self::NoFreeAddress { zone_ids, step } => {
                let zones = zone_ids.join(", ");
                write!(f, "{step}: no free address in the subnets of {zones}")
            }
            Self::UnknownZone { zone } => write!(
                f,
                "one fewer would do, and no subnet and no mount target is in {zone} of PROTECTED_ZONES"
            ),
            Self::AllProtected(step) => {
                write!(f, "{step}: all are protected, or in other subnets")
            }
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold(hold) => hold.fmt(f),
            Self::Change(change) | Self::Recommend(change) => change.fmt(f),
        }
    }
}
