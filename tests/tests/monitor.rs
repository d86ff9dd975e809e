//! The controller of mount targets, as Lambda runs it: what it sees, decides, changes and publishes.

use serde_json::{Value, json};
use tests::fake_aws::{Counting, Fault, Operation};
use tests::function::Function;
use tests::monitored::{CACHE, FILE_SYSTEM, STATE, TARGETS, counted, interrupted, start, start_in};
use tests::running::PATIENCE;
use tests::runtime_api::RuntimeApi;

#[test]
fn above_the_threshold_the_next_zone_gets_its_target_and_the_list_follows() {
    let running = start(150, &[]);
    let answer = running.answer();
    assert_eq!(answer["decision"], "create");
    assert_eq!(answer["new_mount_target_created"], true);
    // subnet-a2 comes first and is unused, but its zone has one.
    assert_eq!(running.subnets(), ["subnet-a1", "subnet-b1"]);
    assert_eq!(running.published(), ["subnet-a1"]);
    let next = running.answer();
    assert_eq!(next["decision"], "hold");
    assert!(
        next["reason"].as_str().unwrap().contains("is creating"),
        "{next}"
    );
    running.fake.account(tests::fake_aws::Account::arrive);
    let last = running.answer();
    assert_eq!(last["decision"], "hold");
    assert_eq!(running.published(), ["subnet-a1", "subnet-b1"]);
    assert_eq!(running.fake.count(Operation::CreateMountTarget), 1);
}

#[test]
fn an_answer_has_all_documented_fields() {
    let answer = start(150, &[]).answer();
    let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
    let expected = [
        "advice",
        "count_age_seconds",
        "count_source",
        "decision",
        "deployment_triggered",
        "file_count",
        "mount_targets",
        "new_mount_target_created",
        "new_mount_target_id",
        "reason",
        "threshold",
        "threshold_exceeded",
        "timestamp",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        (&answer["file_count"], &answer["threshold"]),
        (&json!(150), &json!(100))
    );
    assert_eq!(answer["count_source"], "fresh");
    assert_eq!(answer["threshold_exceeded"], true);
    assert_eq!(answer["mount_targets"].as_array().unwrap().len(), 2);
    assert_eq!(
        answer["mount_targets"][1]["mount_target_id"],
        answer["new_mount_target_id"]
    );
    assert_eq!(answer["mount_targets"][1]["life_cycle_state"], "creating");
}

#[test]
fn a_second_tick_within_the_time_to_live_makes_no_count() {
    let running = start(50, &[]);
    assert_eq!(running.answer()["count_source"], "fresh");
    let again = running.answer();
    assert_eq!(
        (&again["count_source"], &again["file_count"]),
        (&json!("cache"), &json!(50))
    );
    assert_eq!(running.fake.count(Operation::Invoke), 1);
    let cached = running.document(CACHE).unwrap();
    assert_eq!(
        (&cached["schema"], &cached["files"]),
        (&json!(1), &json!(50))
    );
    assert_eq!(cached["file_system_id"], FILE_SYSTEM);
    assert_eq!(cached["root"], "/mnt/files");
}

#[test]
fn what_is_no_fresh_count_of_ours_is_counted_anew_and_never_a_zero() {
    let document = |field: &str, value: Value| {
        let mut document = json!({
            "schema": 1, "file_system_id": FILE_SYSTEM, "count_function": "count", "files": 0,
            "complete": true, "counted_at": "2099-01-01T00:00:00Z", "duration_seconds": 1.0,
        });
        document[field] = value;
        document.to_string()
    };
    for cached in [
        "0".to_owned(),
        "{".to_owned(),
        document("schema", json!(2)),
        document("file_system_id", json!("fs-other")),
        document("counted_at", json!("2020-01-01T00:00:00Z")),
        document("files", json!("none")),
    ] {
        let running = start_in(150, &[], |account| {
            account.parameters.insert(CACHE.to_owned(), cached.clone());
        });
        let answer = running.answer();
        assert_eq!(answer["count_source"], "fresh", "{cached}");
        assert_eq!(answer["file_count"], 150, "{cached}");
    }
}

#[test]
fn a_cache_that_cannot_be_read_or_written_costs_a_count() {
    for operation in [Operation::GetParameter, Operation::PutParameter] {
        let running = start(150, &[]);
        running.fake.fault(
            Fault::on(operation)
                .key(CACHE)
                .forever()
                .answer(400, "ThrottlingException"),
        );
        for _ in 0..2 {
            assert_eq!(running.answer()["count_source"], "fresh");
        }
        assert_eq!(running.fake.count(Operation::Invoke), 2);
    }
}

#[test]
fn an_incomplete_count_changes_nothing_and_is_gone_on_with() {
    let running = start_in(0, &[], |account| {
        account.counts = [interrupted(9_999, Some("token")), counted(150)].into();
    });
    let answer = running.answer();
    assert_eq!(answer["decision"], "hold");
    assert_eq!(
        (&answer["file_count"], &answer["count_source"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(running.fake.count(Operation::CreateMountTarget), 0);
    assert_eq!(running.metric("FileCount"), None);
    assert_eq!(running.answer()["decision"], "create");
    let asked = running.fake.account(|account| account.asked_counts.clone());
    assert_eq!(asked[0].get("resume"), None);
    assert_eq!(asked[1]["resume"], "token");
    assert!(asked[0]["resume_max_bytes"].as_u64().unwrap() <= 3_000);
}

#[test]
fn a_token_that_is_refused_is_forgotten() {
    let running = start_in(0, &[("CACHE_TTL_SECONDS", "0")], |account| {
        let answers = [
            interrupted(1, Some("token")),
            Counting::Error("BadToken"),
            counted(150),
        ];
        account.counts = answers.into();
    });
    for decision in ["hold", "hold", "create"] {
        assert_eq!(running.answer()["decision"], decision);
    }
    let asked = running.fake.account(|account| account.asked_counts.clone());
    assert_eq!(asked[2].get("resume"), None);
}

#[test]
fn no_count_is_no_change_and_the_list_is_kept_all_the_same() {
    for counting in [
        Counting::Error("Sandbox.Timedout"),
        Counting::Answer(json!({"statusCode": 500})),
        interrupted(9_999, None),
    ] {
        let running = start_in(0, &[], |account| account.counts = [counting.clone()].into());
        let answer = running.answer();
        assert_eq!(answer["decision"], "hold", "{counting:?}");
        assert_eq!(answer["threshold_exceeded"], json!(null));
        assert_eq!(running.published(), ["subnet-a1"]);
    }
}

#[test]
fn a_recommendation_changes_nothing() {
    let running = start(150, &[("SCALING_MODE", "recommend")]);
    let answer = running.answer();
    assert_eq!(answer["decision"], "recommend");
    assert!(
        answer["reason"]
            .as_str()
            .unwrap()
            .contains("create one in zone use1-b"),
        "{answer}"
    );
    assert_eq!(running.subnets(), ["subnet-a1"]);
    assert_eq!(
        (running.document(STATE), running.document(TARGETS)),
        (None, None)
    );
    assert_eq!(running.metric("MountTargetsSkipped"), Some(1.0));
}

#[test]
fn all_pages_are_read() {
    let running = start_in(1_000, &[], |account| {
        account.page_size = 1;
        for subnet in ["subnet-b1", "subnet-c1"] {
            account.add_target(FILE_SYSTEM, subnet, "available");
        }
    });
    assert_eq!(running.answer()["decision"], "hold");
    assert_eq!(running.published().len(), 3);
    assert_eq!(running.fake.count(Operation::DescribeMountTargets), 3);
    assert_eq!(running.fake.count(Operation::DescribeSubnets), 4);
}

#[test]
fn a_one_zone_file_system_keeps_its_one() {
    let running = start_in(1_000, &[], |account| {
        let zone = Some("us-east-1a".to_owned());
        account.file_systems.insert(FILE_SYSTEM.to_owned(), zone);
    });
    let answer = running.answer();
    assert!(
        answer["reason"].as_str().unwrap().contains("One Zone"),
        "{answer}"
    );
    assert_eq!(running.fake.count(Operation::CreateMountTarget), 0);
}

#[test]
fn metrics_are_written_with_the_file_system_as_their_dimension() {
    let running = start(150, &[]);
    assert_eq!(running.answer()["decision"], "create");
    for (name, value) in [
        ("FileCount", 150.0),
        ("FileCountAge", 0.0),
        ("MountTargets", 1.0),
        ("MountTargetsCreated", 1.0),
        ("MountTargetsSkipped", 0.0),
    ] {
        assert_eq!(running.metric(name), Some(value), "{name}");
    }
    let datum = running
        .fake
        .account(|account| account.written_metrics[0].clone());
    assert_eq!(datum.namespace, "Sluice");
    assert_eq!(datum.dimensions["FileSystemId"], FILE_SYSTEM);
}

#[test]
fn advice_says_where_more_mount_targets_do_not_help() {
    let running = start_in(50, &[], |account| {
        let metrics = [
            ("PercentIOLimit", vec![50.0, 99.0]),
            ("BurstCreditBalance", vec![9e12, 1e12]),
        ];
        account.efs_metrics = metrics
            .map(|(name, values)| (name.to_owned(), values))
            .into();
    });
    let answer = running.answer();
    let advice = answer["advice"].as_array().unwrap();
    assert_eq!(advice.len(), 2, "{answer}");
    assert!(
        advice[0]
            .as_str()
            .unwrap()
            .contains("99 % of its I/O limit"),
        "{answer}"
    );
}

#[test]
fn metrics_that_cannot_be_read_or_written_stop_nothing() {
    for (operation, status, code) in [
        (Operation::GetMetricData, 403, "AccessDeniedException"),
        (Operation::PutMetricData, 400, "ThrottlingException"),
    ] {
        let running = start(150, &[]);
        running
            .fake
            .fault(Fault::on(operation).answer(status, code));
        let answer = running.answer();
        assert_eq!(
            (&answer["decision"], &answer["advice"]),
            (&json!("create"), &json!([]))
        );
    }
}

#[test]
fn new_targets_have_the_configured_security_groups() {
    let running = start(150, &[("SECURITY_GROUP_IDS", "sg-1, sg-2")]);
    assert_eq!(running.answer()["decision"], "create");
    let groups = running
        .fake
        .account(|account| account.mount_targets[1].security_groups.clone());
    assert_eq!(groups, ["sg-1", "sg-2"]);
}

#[test]
fn bad_settings_are_named_all_at_once_and_nothing_starts() {
    let api = RuntimeApi::start();
    let settings = [("EFS_FILE_SYSTEM_ID", "x"), ("FILE_COUNT_THRESHOLD", "0")];
    let function = Function::spawn("monitor", &settings, &api);
    assert!(!function.wait_exit(PATIENCE).unwrap().success());
    let lines = function.stdout();
    let error = lines[0]["error"].as_str().unwrap();
    for part in [
        "EFS_FILE_SYSTEM_ID=\"x\"",
        "FILE_COUNT_THRESHOLD=\"0\"",
        "SUBNET_IDS is unset",
    ] {
        assert!(error.contains(part), "{error}");
    }
}
