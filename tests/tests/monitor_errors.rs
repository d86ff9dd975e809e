//! What the controller of mount targets does when a service says no, and when a tick comes twice.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::time::Duration;

use serde_json::{Value, json};
use tests::fake_aws::{Fault, Gate, Operation};
use tests::monitored::{CACHE, FILE_SYSTEM, Monitored, STATE, TARGETS, start, start_in};
use tests::running::PATIENCE;
use tests::runtime_api::Answer;

const COOLDOWN: [(&str, &str); 1] = [("COOLDOWN_SECONDS", "600")];

fn last_change(running: &Monitored) -> Value {
    running.document(STATE).unwrap()["last_change"].clone()
}

#[test]
fn what_may_pass_is_left_to_the_next_tick() {
    for (status, code, is_remembered) in [
        (409, "IncorrectFileSystemLifeCycleState", false),
        (429, "ThrottlingException", false),
        (400, "ThrottlingException", false),
        (500, "InternalServerError", true),
        (504, "DependencyTimeout", true),
    ] {
        let running = start(150, &COOLDOWN);
        running
            .fake
            .fault(Fault::on(Operation::CreateMountTarget).answer(status, code));
        let answer = running.answer();
        assert_eq!(answer["decision"], "create", "{code}");
        assert_eq!(answer["new_mount_target_created"], false, "{code}");
        assert_eq!(
            running.fake.count(Operation::CreateMountTarget),
            1,
            "{code} repeated"
        );
        assert_eq!(running.metric("MountTargetsSkipped"), Some(1.0), "{code}");
        assert_eq!(running.published(), ["subnet-a1"], "{code}");
        // A refusal without effect costs no cool-down; one that leaves it open does.
        assert_eq!(last_change(&running).is_null(), !is_remembered, "{code}");
        let next = running.answer();
        let expected = if is_remembered { "hold" } else { "create" };
        assert_eq!(next["decision"], expected, "{code}");
    }
}

#[test]
fn what_only_someone_can_mend_fails_the_invocation_after_the_rest_was_done() {
    for (status, code, error_type) in [
        (409, "NetworkInterfaceLimitExceeded", "QuotaExceeded"),
        (400, "SecurityGroupLimitExceeded", "QuotaExceeded"),
        (400, "SubnetNotFound", "BadConfiguration"),
        (400, "SecurityGroupNotFound", "BadConfiguration"),
        (400, "UnsupportedAvailabilityZone", "BadConfiguration"),
        (400, "AvailabilityZonesMismatch", "BadConfiguration"),
        (400, "BadRequest", "BadConfiguration"),
        (404, "FileSystemNotFound", "BadConfiguration"),
        (403, "AccessDeniedException", "AccessDenied"),
    ] {
        let running = start(150, &COOLDOWN);
        running
            .fake
            .fault(Fault::on(Operation::CreateMountTarget).answer(status, code));
        let (reported, message) = running.failure();
        assert_eq!(reported, error_type, "{code}");
        assert!(
            message.contains(code) && message.contains("CreateMountTarget"),
            "{message}"
        );
        assert_eq!(running.published(), ["subnet-a1"], "{code}");
        assert!(last_change(&running).is_null(), "{code}");
    }
}

#[test]
fn a_conflict_is_settled_by_looking_again() {
    // Someone else was faster.
    let running = start(150, &[]);
    let faster = |store: &mut tests::fake_aws::Store| {
        store
            .account
            .add_target(FILE_SYSTEM, "subnet-b1", "creating");
    };
    running
        .fake
        .fault(Fault::on(Operation::CreateMountTarget).run(faster));
    let answer = running.answer();
    assert_eq!(answer["new_mount_target_created"], false);
    assert_eq!(answer["mount_targets"].as_array().unwrap().len(), 2);
    assert!(
        running.answer()["reason"]
            .as_str()
            .unwrap()
            .contains("is creating")
    );
    assert_eq!(running.fake.count(Operation::CreateMountTarget), 1);
}

#[test]
fn a_subnet_of_another_vpc_is_a_mistake_in_the_settings() {
    let running = start_in(150, &[], |account| {
        for subnet in account
            .subnets
            .iter_mut()
            .filter(|it| it.zone != "us-east-1a")
        {
            "vpc-2".clone_into(&mut subnet.vpc);
        }
    });
    let (error_type, message) = running.failure();
    assert_eq!(error_type, "BadConfiguration");
    assert!(message.contains("another VPC"), "{message}");
}

#[test]
fn a_full_subnet_gives_way_to_the_next_one_of_its_zone() {
    let settings = [("SUBNET_IDS", "subnet-b1,subnet-a1,subnet-a2")];
    let running = start_in(150, &settings, |account| {
        account.mount_targets.clear();
        account.add_target(FILE_SYSTEM, "subnet-b1", "available");
    });
    // Full only when it is asked: the description was older.
    let full = Fault::on(Operation::CreateMountTarget).answer(409, "NoFreeAddressesInSubnet");
    running.fake.fault(full);
    let answer = running.answer();
    assert_eq!(answer["new_mount_target_created"], true);
    assert_eq!(running.subnets(), ["subnet-b1", "subnet-a2"]);
}

#[test]
fn no_free_address_anywhere_is_a_hold_with_its_zones() {
    let running = start_in(150, &[], |account| {
        for subnet in &mut account.subnets {
            subnet.free_addresses = 0;
        }
    });
    let answer = running.answer();
    assert_eq!(answer["decision"], "hold");
    assert!(
        answer["reason"]
            .as_str()
            .unwrap()
            .contains("use1-b, use1-c"),
        "{answer}"
    );
    assert_eq!(running.fake.count(Operation::CreateMountTarget), 0);
}

#[test]
fn a_target_that_is_gone_already_is_removed() {
    let settings = [("SCALE_IN", "true"), COOLDOWN[0]];
    let running = start_in(10, &settings, |account| {
        account.add_target(FILE_SYSTEM, "subnet-b1", "available");
    });
    let faster = |store: &mut tests::fake_aws::Store| {
        store.account.mount_targets.pop();
    };
    running
        .fake
        .fault(Fault::on(Operation::DeleteMountTarget).run(faster));
    assert_eq!(running.answer()["decision"], "remove");
    assert_eq!(running.published(), ["subnet-a1"]);
}

#[test]
fn what_cannot_be_seen_fails_the_invocation_and_changes_nothing() {
    for (operation, status, code, error_type) in [
        (
            Operation::DescribeMountTargets,
            403,
            "AccessDeniedException",
            "AccessDenied",
        ),
        (
            Operation::DescribeMountTargets,
            500,
            "InternalServerError",
            "Unclear",
        ),
        (
            Operation::DescribeFileSystems,
            404,
            "FileSystemNotFound",
            "BadConfiguration",
        ),
        (
            Operation::DescribeSubnets,
            400,
            "InvalidSubnetID.NotFound",
            "BadConfiguration",
        ),
        (
            Operation::DescribeSubnets,
            403,
            "UnauthorizedOperation",
            "AccessDenied",
        ),
        (
            Operation::DescribeSubnets,
            503,
            "RequestLimitExceeded",
            "TryLater",
        ),
    ] {
        let running = start(150, &[]);
        running
            .fake
            .fault(Fault::on(operation).answer(status, code));
        let (reported, message) = running.failure();
        assert_eq!(reported, error_type, "{code}");
        assert!(message.contains(code), "{message}");
        assert_eq!(running.subnets(), ["subnet-a1"]);
        // Without the subnets the list can be kept right, without the mount targets it cannot.
        let is_published = operation == Operation::DescribeSubnets;
        assert_eq!(running.document(TARGETS).is_some(), is_published, "{code}");
    }
}

#[test]
fn a_document_or_metric_that_the_role_forbids_is_said_after_the_rest_was_done() {
    for (operation, key, published) in [
        (Operation::GetParameter, CACHE, 1),
        (Operation::PutParameter, CACHE, 1),
        (Operation::GetParameter, STATE, 1),
        (Operation::GetParameter, TARGETS, 0),
        (Operation::PutMetricData, "", 1),
    ] {
        let running = start(50, &[]);
        let denied = Fault::on(operation).forever();
        let denied = if key.is_empty() {
            denied
        } else {
            denied.key(key)
        };
        running
            .fake
            .fault(denied.answer(403, "AccessDeniedException"));
        let (error_type, message) = running.failure();
        assert_eq!(error_type, "AccessDenied", "{operation:?} {key}: {message}");
        assert_eq!(running.published().len(), published, "{operation:?} {key}");
    }
}

#[test]
fn a_function_that_cannot_be_invoked_is_said_after_the_list_was_kept() {
    let running = start_in(0, &[], |account| account.counts.clear());
    let (error_type, message) = running.failure();
    assert_eq!(error_type, "BadConfiguration");
    assert!(message.contains("Invoke"), "{message}");
    assert_eq!(running.published(), ["subnet-a1"]);
}

#[test]
fn a_state_that_cannot_be_written_stops_the_change_and_fails() {
    let running = start(150, &[]);
    let denied = Fault::on(Operation::PutParameter)
        .key(STATE)
        .answer(403, "AccessDeniedException");
    running.fake.fault(denied);
    assert_eq!(running.failure().0, "AccessDenied");
    assert_eq!(running.subnets(), ["subnet-a1"]);
    assert_eq!(running.published(), ["subnet-a1"]);
}

#[test]
fn a_payload_that_is_wrong_names_its_field_and_touches_nothing() {
    let running = start(150, &[]);
    for (payload, part) in [(json!({"dry": 1}), "dry"), (json!([1]), "object")] {
        let Answer::Error {
            error_type,
            message,
        } = running.api.invoke(&payload, PATIENCE)
        else {
            panic!("{payload}")
        };
        assert_eq!(error_type, "BadPayload");
        assert!(message.contains(part), "{message}");
    }
    assert!(running.fake.requests().is_empty());
}

#[test]
fn a_schedule_that_comes_twice_is_one_tick() {
    let running = start_in(150, &[("STATE_BUCKET", "leases")], |account| {
        account.new_state = "available";
    });
    running.fake.bucket("leases", false);
    let event = json!({"time": "2026-11-21T00:00:00Z", "source": "aws.scheduler"});
    let tick = |event: &Value| match running.api.invoke(event, PATIENCE) {
        Answer::Response(answer) => answer,
        other => panic!("{other:?}"),
    };
    assert_eq!(tick(&event)["decision"], "create");
    let calls = running.fake.count(Operation::DescribeMountTargets);
    let again = tick(&event);
    assert_eq!(again["decision"], "hold");
    assert!(
        again["reason"].as_str().unwrap().starts_with("duplicate"),
        "{again}"
    );
    assert_eq!(running.fake.count(Operation::DescribeMountTargets), calls);
    let next = json!({"time": "2026-11-21T00:05:00Z"});
    assert!(
        !tick(&next)["reason"]
            .as_str()
            .unwrap()
            .starts_with("duplicate")
    );
}

#[test]
fn two_ticks_at_once_are_one() {
    let running = start(150, &[("STATE_BUCKET", "leases")]);
    let other = start(
        150,
        &[
            ("STATE_BUCKET", "leases"),
            ("AWS_ENDPOINT_URL", &running.fake.endpoint()),
        ],
    );
    running.fake.bucket("leases", false);
    let gate = Gate::new();
    running
        .fake
        .fault(Fault::on(Operation::DescribeFileSystems).hold(&gate));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| running.answer());
        assert!(gate.wait_for_blocking(1, PATIENCE));
        let second = other.answer();
        assert_eq!(second["reason"], "duplicate: another tick is under way");
        gate.release();
        assert_eq!(first.join().unwrap()["decision"], "create");
    });
    assert_eq!(running.fake.count(Operation::CreateMountTarget), 1);
    assert_eq!(other.answer()["decision"], "hold");
}

#[test]
fn a_lease_that_cannot_be_had_fails_before_anything_is_asked() {
    let running = start(150, &[("STATE_BUCKET", "none")]);
    assert_eq!(running.failure().0, "LeaseUnavailable");
    assert_eq!(running.fake.count(Operation::DescribeMountTargets), 0);
}

#[test]
fn a_count_that_takes_too_long_is_given_up_in_time_for_the_answer() {
    let running = start(150, &[]);
    let gate = Gate::new();
    running.fake.fault(Fault::on(Operation::Invoke).hold(&gate));
    let answer = running.api.invoke(&json!({}), Duration::from_secs(9));
    gate.release();
    let Answer::Response(answer) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(answer["decision"], "hold");
    assert_eq!(running.fake.count(Operation::Invoke), 1);
    assert_eq!(running.published(), ["subnet-a1"]);
}

#[test]
fn services_that_do_not_answer_until_the_time_is_up_fail_the_invocation_before_lambda_does() {
    let running = start(150, &[]);
    let gate = Gate::new();
    let hold = Fault::on(Operation::DescribeMountTargets).hold(&gate);
    running.fake.fault(hold);
    let answer = running.api.invoke(&json!({}), Duration::from_secs(3));
    gate.release();
    let Answer::Error { error_type, .. } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(error_type, "TimeUp");
    assert_eq!(running.subnets(), ["subnet-a1"]);
}
