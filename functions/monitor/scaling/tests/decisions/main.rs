//! What is decided, as tables and laws.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

mod laws;
mod samples;

use std::time::Duration;

use scaling::{Change, Count, Decision, LifeCycle, Mode, Observed, Policy, decide};

use samples::{COOLDOWN, SCALE_IN_COOLDOWN, changed, now, observed, policy, target};

fn created(decision: &Decision) -> Option<(&str, Vec<&str>)> {
    match decision {
        Decision::Change(Change::Create {
            zone_id,
            subnet_ids,
            ..
        }) => Some((zone_id, subnet_ids.iter().map(String::as_str).collect())),
        _ => None,
    }
}

fn hold(decision: &Decision) -> &'static str {
    match decision {
        Decision::Hold(hold) => hold.label(),
        other => other.label(),
    }
}

#[test]
fn files_and_targets_decide() {
    for (files, targets, label) in [
        (0, 0, "create"),
        (100, 1, "as_desired"),
        (101, 1, "create"),
        (250, 1, "create"),
        (250, 3, "as_desired"),
        (1_000, 3, "as_desired"),
        (160, 3, "hysteresis"),
        (159, 3, "remove"),
        (80, 2, "hysteresis"),
        (79, 2, "remove"),
        (0, 1, "as_desired"),
    ] {
        let decision = decide(&observed(files, targets), &policy(), None, now());
        assert_eq!(
            hold(&decision),
            label,
            "{files} files, {targets} targets: {decision}"
        );
    }
}

#[test]
fn a_zone_that_has_one_is_no_choice_whatever_its_subnets() {
    let decision = decide(&observed(1_000, 1), &policy(), None, now());
    assert_eq!(created(&decision), Some(("az2", vec!["s2", "s5"])));
    // The subnet that comes first is unused, its zone is not.
    let mut seen = observed(1_000, 1);
    seen.targets[0].subnet_id = "s4".to_owned();
    let decision = decide(&seen, &policy(), None, now());
    assert_eq!(created(&decision), Some(("az2", vec!["s2", "s5"])));
}

#[test]
fn a_full_subnet_is_passed_over_and_a_full_zone_too() {
    let mut seen = observed(1_000, 1);
    seen.subnets[1].free_addresses = 0;
    let decision = decide(&seen, &policy(), None, now());
    assert_eq!(created(&decision), Some(("az2", vec!["s5"])));
    seen.subnets[4].free_addresses = 0;
    let decision = decide(&seen, &policy(), None, now());
    assert_eq!(created(&decision), Some(("az3", vec!["s3", "s6"])));
    for subnet in &mut seen.subnets {
        subnet.free_addresses = 0;
    }
    let decision = decide(&seen, &policy(), None, now());
    assert_eq!(hold(&decision), "no_free_address");
}

#[test]
fn a_broken_one_counts_for_nothing_and_holds_its_zone() {
    let mut seen = observed(100, 1);
    seen.targets[0].life_cycle = LifeCycle::Error;
    let decision = decide(&seen, &policy(), None, now());
    assert_eq!(created(&decision).map(|(zone, _)| zone), Some("az2"));
    let mut full = observed(300, 3);
    full.targets[2].life_cycle = LifeCycle::Error;
    assert_eq!(hold(&decide(&full, &policy(), None, now())), "no_zone_left");
}

#[test]
fn what_is_in_flight_blocks_everything() {
    for life_cycle in [
        LifeCycle::Creating,
        LifeCycle::Updating,
        LifeCycle::Deleting,
        LifeCycle::Unknown,
    ] {
        for (files, targets) in [(1_000, 1), (0, 3)] {
            let mut seen = observed(files, targets);
            seen.targets[0].life_cycle = life_cycle;
            assert_eq!(hold(&decide(&seen, &policy(), None, now())), "in_flight");
        }
    }
    let mut seen = observed(1_000, 1);
    seen.targets.push(target(2, LifeCycle::Deleted));
    let decision = decide(&seen, &policy(), None, now());
    assert_eq!(created(&decision).map(|(zone, _)| zone), Some("az2"));
}

#[test]
fn an_unknown_count_changes_nothing() {
    for targets in 0..=3 {
        let seen = Observed {
            count: Count::Unknown { reason: "none" },
            ..observed(0, targets)
        };
        assert_eq!(
            hold(&decide(&seen, &policy(), None, now())),
            "count_unknown"
        );
    }
}

#[test]
fn a_file_system_that_is_not_available_is_left_alone() {
    let mut seen = observed(1_000, 1);
    seen.file_system.life_cycle = LifeCycle::Updating;
    assert_eq!(hold(&decide(&seen, &policy(), None, now())), "file_system");
}

#[test]
fn a_one_zone_file_system_has_one_in_its_zone() {
    let mut seen = observed(1_000, 0);
    seen.file_system.one_zone = Some("region-2".to_owned());
    let decision = decide(&seen, &policy(), None, now());
    assert_eq!(created(&decision).map(|(zone, _)| zone), Some("az2"));
    seen.targets.push(target(2, LifeCycle::Available));
    assert_eq!(hold(&decide(&seen, &policy(), None, now())), "one_zone");
}

#[test]
fn cooldowns_end_on_the_second() {
    let last = |ago| Some(changed(ago));
    let second = Duration::from_secs(1);
    for (files, targets, ago, label) in [
        (1_000, 1, COOLDOWN.saturating_sub(second), "cooldown"),
        (1_000, 1, COOLDOWN, "create"),
        (0, 3, SCALE_IN_COOLDOWN.saturating_sub(second), "cooldown"),
        (0, 3, SCALE_IN_COOLDOWN, "remove"),
    ] {
        let decision = decide(
            &observed(files, targets),
            &policy(),
            last(ago).as_ref(),
            now(),
        );
        assert_eq!(hold(&decision), label, "{ago:?}");
    }
}

#[test]
fn a_clock_that_is_an_hour_off_costs_that_hour_and_a_cooldown_at_most() {
    let mut last = changed(Duration::ZERO);
    let hour = Duration::from_hours(1);
    last.at = now() + hour;
    for (later, label) in [
        (Duration::ZERO, "cooldown"),
        (hour, "cooldown"),
        (hour + COOLDOWN, "create"),
    ] {
        let decision = decide(&observed(1_000, 1), &policy(), Some(&last), now() + later);
        assert_eq!(hold(&decision), label, "{later:?}");
    }
    last.at = now() - Duration::from_hours(1);
    let decision = decide(&observed(1_000, 1), &policy(), Some(&last), now());
    assert_eq!(decision.label(), "create");
}

#[test]
fn the_last_one_configured_goes_first_and_protected_ones_never() {
    let removed = |decision: Decision| match decision {
        Decision::Change(Change::Remove { target_id, .. }) => target_id,
        other => hold(&other).to_owned(),
    };
    let protecting = |zones: &[&str]| Policy {
        protected_zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        ..policy()
    };
    let decide = |seen: &Observed, policy: &Policy| removed(decide(seen, policy, None, now()));
    let seen = observed(0, 3);
    assert_eq!(decide(&seen, &policy()), "t3");
    assert_eq!(decide(&seen, &protecting(&["az3"])), "t2");
    assert_eq!(decide(&seen, &protecting(&["region-3", "az2"])), "t1");
    assert_eq!(
        decide(&seen, &protecting(&["az1", "az2", "az3"])),
        "all_protected"
    );
    let mut foreign = observed(0, 2);
    foreign.subnets.retain(|subnet| subnet.zone_id == "az3");
    assert_eq!(decide(&foreign, &policy()), "all_protected");
    let off = Policy {
        scale_in: false,
        ..policy()
    };
    assert_eq!(decide(&seen, &off), "scale_in_off");
}

#[test]
fn more_than_the_maximum_go_without_hysteresis() {
    let policy = Policy {
        targets_max: 2,
        ..policy()
    };
    let decision = decide(&observed(1_000, 3), &policy, None, now());
    assert_eq!(decision.label(), "remove");
}

#[test]
fn a_subnet_that_is_left_out_removes_nothing_that_is_wanted() {
    let policy = Policy {
        targets_max: 2,
        is_max_set: false,
        ..policy()
    };
    let mut seen = observed(250, 3);
    seen.subnets.retain(|subnet| subnet.zone_id != "az3");
    assert_eq!(hold(&decide(&seen, &policy, None, now())), "hysteresis");
}

#[test]
fn a_protected_zone_that_nothing_is_in_keeps_everything() {
    let mistyped = Policy {
        protected_zones: vec!["region-2".to_owned(), "regoin-3".to_owned()],
        ..policy()
    };
    let decision = decide(&observed(0, 3), &mistyped, None, now());
    assert_eq!(hold(&decision), "unknown_zone");
    assert!(decision.to_string().contains("regoin-3"), "{decision}");
    assert_eq!(
        decide(&observed(1_000, 1), &mistyped, None, now()).label(),
        "create"
    );
}

#[test]
fn a_recommendation_is_the_same_change_not_made() {
    let recommend = Policy {
        mode: Mode::Recommend,
        ..policy()
    };
    for (files, targets) in [(1_000, 1), (0, 3)] {
        let seen = observed(files, targets);
        let made = decide(&seen, &policy(), None, now());
        let said = decide(&seen, &recommend, None, now());
        assert_eq!(said.label(), "recommend");
        assert_eq!(said.to_string(), made.to_string());
    }
}
