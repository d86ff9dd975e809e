//! What to do next, and why. One change at most.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use crate::observed::{Count, LifeCycle, MountTarget, Observed, Subnet};
use crate::policy::{Mode, Policy};
use crate::state::{ChangeKind, LastChange};
use crate::when;

/// What a tick comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing changes.
    Hold(Hold),
    /// One mount target more, or one fewer.
    Change(Change),
    /// The same, if changes were made here.
    Recommend(Change),
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A mount target in a zone that has none.
    Create {
        /// The zone's id.
        zone_id: String,
        /// Where to try, in order: all of this zone, all with free addresses.
        subnet_ids: Vec<String>,
        /// From so many to so many.
        step: Step,
    },
    /// One of several goes.
    Remove {
        /// Which.
        target_id: String,
        /// The zone's id.
        zone_id: String,
        /// From so many to so many.
        step: Step,
    },
}

/// The numbers behind a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Files counted.
    pub files: u64,
    /// Mount targets that there are.
    pub targets: u32,
    /// Mount targets that there should be.
    pub desired: u32,
    /// Whether the files want more than there may be.
    pub is_capped: bool,
}

/// Why nothing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// There are as many as there should be.
    AsDesired(Step),
    /// One fewer would do, but not by far enough.
    Hysteresis(Step),
    /// One fewer would do, and removing is not switched on.
    ScaleInOff(Step),
    /// The count cannot be relied on.
    CountUnknown {
        /// Why.
        reason: &'static str,
    },
    /// The configured subnets could not be looked at.
    SubnetsUnknown,
    /// It is not known when the last change was.
    LastChangeUnknown {
        /// Why.
        reason: &'static str,
    },
    /// The file system itself is not available.
    FileSystem(LifeCycle),
    /// A mount target is on its way into or out of being.
    InFlight {
        /// Which.
        target_id: String,
        /// Where it is.
        life_cycle: LifeCycle,
    },
    /// The last change is too recent.
    Cooldown {
        /// How much longer.
        remaining: Duration,
        /// What would be done then.
        step: Step,
    },
    /// A file system of one zone has its one mount target.
    OneZone(Step),
    /// Every zone of the configured subnets has its mount target.
    NoZoneLeft(Step),
    /// The zones without a mount target have no free address.
    NoFreeAddress {
        /// Their ids.
        zone_ids: Vec<String>,
        /// What is missing.
        step: Step,
    },
    /// A protected zone is the zone of nothing that was seen: what is meant by it is not protected.
    UnknownZone {
        /// As it was set.
        zone: String,
    },
    /// All that could go are in protected zones, or not in the configured subnets.
    AllProtected(Step),
}

/// Decides. `last_change` in the future (clock skew) counts as just now.
#[must_use]
pub fn decide(
    observed: &Observed,
    policy: &Policy,
    last_change: Option<&LastChange>,
    now: SystemTime,
) -> Decision {
    let found = find(observed, policy, last_change, now);
    match (found, policy.mode) {
        (Err(hold), _) => Decision::Hold(hold),
        (Ok(change), Mode::Apply) => Decision::Change(change),
        (Ok(change), Mode::Recommend) => Decision::Recommend(change),
    }
}

fn find(
    observed: &Observed,
    policy: &Policy,
    last_change: Option<&LastChange>,
    now: SystemTime,
) -> Result<Change, Hold> {
    if observed.file_system.life_cycle != LifeCycle::Available {
        return Err(Hold::FileSystem(observed.file_system.life_cycle));
    }
    if let Some(target) = observed
        .targets
        .iter()
        .find(|it| it.life_cycle.is_in_flight())
    {
        return Err(Hold::InFlight {
            target_id: target.id.clone(),
            life_cycle: target.life_cycle,
        });
    }
    if !observed.are_subnets_known {
        return Err(Hold::SubnetsUnknown);
    }
    let files = match &observed.count {
        Count::Known { files } => *files,
        Count::Unknown { reason } => return Err(Hold::CountUnknown { reason }),
    };
    let targets = observed.available().count();
    let step = Step {
        files,
        targets: u32::try_from(targets).unwrap_or(u32::MAX),
        desired: policy.desired(files),
        is_capped: policy.is_capped(files),
    };
    let since = last_change.map(|change| when::age(change.at, now));
    if step.targets < step.desired {
        let change = grow(observed, step)?;
        return after(since, policy.cooldown, step).map(|()| change);
    }
    if step.targets == step.desired {
        return Err(Hold::AsDesired(step));
    }
    let change = shrink(observed, policy, step)?;
    after(since, policy.scale_in_cooldown.max(policy.cooldown), step).map(|()| change)
}

fn after(since: Option<Duration>, cooldown: Duration, step: Step) -> Result<(), Hold> {
    let remaining = since.map_or(Duration::ZERO, |since| cooldown.saturating_sub(since));
    if remaining.is_zero() {
        return Ok(());
    }
    Err(Hold::Cooldown { remaining, step })
}

fn grow(observed: &Observed, step: Step) -> Result<Change, Hold> {
    // One that is broken is no use, and holds its zone all the same.
    let covered: BTreeSet<&str> = observed.standing().map(|it| it.zone_id.as_str()).collect();
    if observed.file_system.one_zone.is_some() && !covered.is_empty() {
        return Err(Hold::OneZone(step));
    }
    let mut full: Vec<String> = Vec::new();
    for subnet in observed
        .usable()
        .filter(|it| !covered.contains(it.zone_id.as_str()))
    {
        let subnet_ids = observed.free_in(&subnet.zone_id);
        if !subnet_ids.is_empty() {
            return Ok(Change::Create {
                zone_id: subnet.zone_id.clone(),
                subnet_ids,
                step,
            });
        }
        if !full.contains(&subnet.zone_id) {
            full.push(subnet.zone_id.clone());
        }
    }
    if full.is_empty() {
        return Err(Hold::NoZoneLeft(step));
    }
    let zone_ids = full;
    Err(Hold::NoFreeAddress { zone_ids, step })
}

fn shrink(observed: &Observed, policy: &Policy, step: Step) -> Result<Change, Hold> {
    if !policy.scale_in {
        return Err(Hold::ScaleInOff(step));
    }
    if let Some(zone) = observed.unknown_zone(policy) {
        return Err(Hold::UnknownZone { zone });
    }
    let too_many = policy.is_max_set && step.targets > policy.targets_max.max(policy.targets_min);
    if !too_many && !policy.is_well_below(step.files, step.targets) {
        return Err(Hold::Hysteresis(step));
    }
    let is_protected = |target: &MountTarget| {
        let zones = &policy.protected_zones;
        zones.contains(&target.zone_id) || zones.contains(&target.zone)
    };
    // Only what is in a configured subnet is ours; the last one configured was the last one added.
    let place = |target: &MountTarget| {
        let mut subnets = observed.subnets.iter();
        subnets.position(|subnet| subnet.id == target.subnet_id)
    };
    let ours = observed.available().filter(|target| !is_protected(target));
    let last = ours
        .filter_map(|target| Some((place(target)?, target)))
        .max_by_key(|it| it.0);
    match last {
        Some((_, target)) if step.targets > 1 => Ok(Change::Remove {
            target_id: target.id.clone(),
            zone_id: target.zone_id.clone(),
            step,
        }),
        _ => Err(Hold::AllProtected(step)),
    }
}

impl Observed {
    /// The mount targets that clients can use.
    pub fn available(&self) -> impl Iterator<Item = &MountTarget> {
        let targets = self.targets.iter();
        targets.filter(|target| target.life_cycle == LifeCycle::Available)
    }

    /// All that are there in some way.
    pub(crate) fn standing(&self) -> impl Iterator<Item = &MountTarget> {
        let targets = self.targets.iter();
        targets.filter(|target| target.life_cycle != LifeCycle::Deleted)
    }

    /// A protected zone that no subnet and no mount target is in.
    fn unknown_zone(&self, policy: &Policy) -> Option<String> {
        let subnets = self.subnets.iter().map(|it| [&it.zone_id, &it.zone]);
        let targets = self.targets.iter().map(|it| [&it.zone_id, &it.zone]);
        let seen: BTreeSet<&String> = subnets.chain(targets).flatten().collect();
        let mut protected = policy.protected_zones.iter();
        protected.find(|zone| !seen.contains(zone)).cloned()
    }

    /// The subnets in which this file system can have a mount target.
    fn usable(&self) -> impl Iterator<Item = &Subnet> {
        let only = self.file_system.one_zone.as_deref();
        let subnets = self.subnets.iter();
        subnets.filter(move |subnet| only.is_none_or(|zone| zone == subnet.zone))
    }

    fn free_in(&self, zone_id: &str) -> Vec<String> {
        let subnets = self.usable().filter(|it| it.zone_id == zone_id);
        let free = subnets.filter(|subnet| subnet.free_addresses > 0);
        free.map(|subnet| subnet.id.clone()).collect()
    }
}

impl Change {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ChangeKind {
        match self {
            Self::Create { .. } => ChangeKind::Create,
            Self::Remove { .. } => ChangeKind::Remove,
        }
    }

    /// Where, by the zone's id.
    #[must_use]
    pub fn zone_id(&self) -> &str {
        match self {
            Self::Create { zone_id, .. } | Self::Remove { zone_id, .. } => zone_id,
        }
    }
}
