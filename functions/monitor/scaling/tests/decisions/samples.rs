//! A file system in three zones.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use scaling::observed::FileSystem;
use scaling::state::{ChangeKind, LastChange};
use scaling::{Count, LifeCycle, Mode, MountTarget, Observed, Policy, Subnet};

pub(crate) const COOLDOWN: Duration = Duration::from_mins(10);
pub(crate) const SCALE_IN_COOLDOWN: Duration = Duration::from_hours(1);

pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(490_000)
}

/// Three zones, two subnets to each: `s1` and `s4` are in `az1`, and so on.
pub(crate) fn subnets() -> Vec<Subnet> {
    let subnet = |number: u32| Subnet {
        id: format!("s{number}"),
        zone_id: format!("az{}", (number - 1) % 3 + 1),
        zone: format!("region-{}", (number - 1) % 3 + 1),
        free_addresses: 10,
    };
    (1..=6).map(subnet).collect()
}

pub(crate) fn target(number: u32, life_cycle: LifeCycle) -> MountTarget {
    MountTarget {
        id: format!("t{number}"),
        life_cycle,
        zone_id: format!("az{number}"),
        zone: format!("region-{number}"),
        subnet_id: format!("s{number}"),
        ip_address: format!("10.0.{number}.1"),
    }
}

pub(crate) fn observed(files: u64, targets: u32) -> Observed {
    Observed {
        file_system: FileSystem {
            life_cycle: LifeCycle::Available,
            one_zone: None,
        },
        targets: (1..=targets)
            .map(|number| target(number, LifeCycle::Available))
            .collect(),
        subnets: subnets(),
        are_subnets_known: true,
        count: Count::Known { files },
    }
}

pub(crate) fn policy() -> Policy {
    Policy {
        files_per_target: 100,
        targets_min: 1,
        targets_max: 3,
        is_max_set: true,
        cooldown: COOLDOWN,
        scale_in_cooldown: SCALE_IN_COOLDOWN,
        scale_in: true,
        protected_zones: Vec::new(),
        mode: Mode::Apply,
    }
}

pub(crate) fn changed(ago: Duration) -> LastChange {
    LastChange {
        at: now() - ago,
        kind: ChangeKind::Create,
        zone_id: "az1".to_owned(),
    }
}
