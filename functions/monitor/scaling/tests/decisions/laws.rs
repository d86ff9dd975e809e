//! What holds of every decision.

use std::time::Duration;

use proptest::prelude::*;
use scaling::state::LastChange;
use scaling::{Change, Count, Decision, LifeCycle, MountTarget, Observed, Policy, decide};

use crate::samples::{COOLDOWN, SCALE_IN_COOLDOWN, changed, now, observed, policy, target};

/// What a decision makes of the mount targets, at once.
fn apply(seen: &mut Observed, decision: &Decision) -> bool {
    match decision {
        Decision::Change(Change::Create {
            zone_id,
            subnet_ids,
            ..
        }) => {
            let number: u32 = zone_id.trim_start_matches("az").parse().unwrap();
            seen.targets.push(MountTarget {
                subnet_id: subnet_ids[0].clone(),
                ..target(number, LifeCycle::Available)
            });
            true
        }
        Decision::Change(Change::Remove { target_id, .. }) => {
            seen.targets.retain(|target| target.id != *target_id);
            true
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn swinging_around_a_threshold_changes_once_per_cooldown_at_most(
        files in prop::collection::vec(0_u64..400, 1..200),
        minutes in 1_u64..10,
        cooldown_minutes in 0_u64..60,
    ) {
        let policy = Policy {
            cooldown: Duration::from_mins(cooldown_minutes),
            scale_in_cooldown: Duration::from_mins(cooldown_minutes * 2),
            ..policy()
        };
        let mut seen = observed(0, 1);
        let mut last: Option<LastChange> = None;
        for (tick, files) in (0..).zip(files) {
            let at = now() + Duration::from_mins(tick * minutes);
            seen.count = Count::Known { files };
            let decision = decide(&seen, &policy, last.as_ref(), at);
            if apply(&mut seen, &decision) {
                let before = last.replace(LastChange { at, ..changed(Duration::ZERO) });
                if let Some(before) = before {
                    prop_assert!(at.duration_since(before.at).unwrap() >= policy.cooldown);
                }
            }
            prop_assert!(!seen.targets.is_empty() && seen.targets.len() <= 3);
        }
    }

    #[test]
    fn a_count_within_a_fifth_of_a_threshold_never_flaps(
        files in prop::collection::vec(81_u64..=200, 1..100),
    ) {
        let free = Policy { cooldown: Duration::ZERO, scale_in_cooldown: Duration::ZERO, ..policy() };
        let mut seen = observed(0, 1);
        let mut changes = 0;
        for files in files {
            seen.count = Count::Known { files };
            let decision = decide(&seen, &free, None, now());
            changes += u32::from(apply(&mut seen, &decision));
        }
        prop_assert!(changes <= 1);
    }

    #[test]
    fn no_change_breaks_a_rule(
        files in prop_oneof![Just(None), (0_u64..600).prop_map(Some)],
        states in prop::collection::vec(prop_oneof![
            4 => Just(Some(LifeCycle::Available)),
            2 => Just(None),
            1 => Just(Some(LifeCycle::Error)),
            1 => Just(Some(LifeCycle::Creating)),
        ], 3),
        free in prop::collection::vec(0_u32..2, 6),
        min in 1_u32..4,
        max in 1_u32..4,
        protected in prop::collection::vec(1_u32..4, 0..3),
        age_seconds in 0_u64..8_000,
    ) {
        let mut seen = observed(0, 0);
        seen.count = files.map_or(Count::Unknown { reason: "none" }, |files| Count::Known { files });
        let numbered = (1..).zip(states).filter_map(|(number, state)| Some((number, state?)));
        seen.targets = numbered.map(|(number, state)| target(number, state)).collect();
        for (subnet, free) in seen.subnets.iter_mut().zip(free) {
            subnet.free_addresses = free;
        }
        let protected_zones: Vec<String> = protected.iter().map(|zone| format!("az{zone}")).collect();
        let policy = Policy { targets_min: min, targets_max: max, protected_zones, ..policy() };
        let last = changed(Duration::from_secs(age_seconds));
        let decision = decide(&seen, &policy, Some(&last), now());
        let Decision::Change(change) = &decision else { return Ok(()) };
        prop_assert!(files.is_some());
        prop_assert!(seen.targets.iter().all(|it| !it.life_cycle.is_in_flight()));
        prop_assert!(Duration::from_secs(age_seconds) >= COOLDOWN);
        let available = u32::try_from(seen.available().count()).unwrap();
        match change {
            Change::Create { zone_id, subnet_ids, .. } => {
                prop_assert!(available < max.max(min));
                prop_assert!(seen.targets.iter().all(|it| it.zone_id != *zone_id));
                for id in subnet_ids {
                    let subnet = seen.subnets.iter().find(|it| it.id == *id).unwrap();
                    prop_assert!(subnet.zone_id == *zone_id && subnet.free_addresses > 0);
                }
            }
            Change::Remove { target_id, zone_id, .. } => {
                prop_assert!(available > min && available > 1);
                prop_assert!(!policy.protected_zones.contains(zone_id));
                prop_assert!(Duration::from_secs(age_seconds) >= SCALE_IN_COOLDOWN);
                let target = seen.targets.iter().find(|it| it.id == *target_id).unwrap();
                prop_assert_eq!(target.life_cycle, LifeCycle::Available);
            }
        }
    }
}
