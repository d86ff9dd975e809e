//! What the state machine asks is what the function reads: every payload of its tasks, with the data of a run put in.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "every line here is part of a test"
)]

use backfill::failure::ENDING;
use backfill::request::{Request, Shares};
use backfill::roll::TOLERATED_PERCENT;
use serde_json::{Map, Value, json};

fn machine() -> Value {
    serde_json::from_str(include_str!("../backfill.asl.json")).unwrap()
}

/// The data of a run where all paths of the machine's payloads lead.
fn data() -> Value {
    json!({
        "job_id": "job-1",
        "execution": "arn:one",
        "poll_seconds": 5,
        "settle_seconds": 9,
        "plan": {"workers": 16, "max_rate_per_second": 40.5},
        "progress": {"seen": {"verifications": 3}, "is_last": true},
        "verify": {"round": "run-1.3"},
        "failure": {"Error": "AccessDenied", "Cause": "no", "redrives": 0},
    })
}

fn context() -> Value {
    json!({
        "Execution": {"Id": "arn:one", "Name": "run-1", "RedriveCount": 1},
        "Map": {"Item": {"Value": 7}},
    })
}

/// A payload template with the values of its paths; a path must lead somewhere.
fn filled(template: &Value, data: &Value) -> Value {
    let Value::Object(fields) = template else {
        return template.clone();
    };
    let filled = fields
        .iter()
        .map(|(name, value)| match name.strip_suffix(".$") {
            None => (name.clone(), filled(value, data)),
            Some(name) => {
                let path = value.as_str().unwrap();
                let context = context();
                let (path, place) = match path.strip_prefix("$$") {
                    Some(path) => (path, &context),
                    None => (path.strip_prefix('$').unwrap(), data),
                };
                let found = place.pointer(&path.replace('.', "/"));
                (
                    name.to_owned(),
                    found.unwrap_or_else(|| panic!("{path}")).clone(),
                )
            }
        });
    Value::Object(filled.collect::<Map<_, _>>())
}

/// What the task `state` asks.
fn asked(state: &str) -> Request {
    let payload = &machine()["States"][state]["Parameters"]["Payload"];
    Request::parse(filled(payload, &data())).unwrap_or_else(|error| panic!("{state}: {error}"))
}

/// What the first task of the map `name` asks, for one item or for a batch of them, as AWS hands them to a child.
fn mapped(name: &str, is_batch: bool) -> Shares {
    let map = &machine()["States"][name];
    let item = filled(&map["ItemSelector"], &data());
    let mut input = if is_batch {
        json!({"Items": [item.clone(), item]})
    } else {
        item
    };
    let first = map["ItemProcessor"]["StartAt"].as_str().unwrap();
    let action = &map["ItemProcessor"]["States"][first];
    assert_eq!(action["ResultPath"], "$.action");
    input["action"] = action["Result"].clone();
    match Request::parse(input).unwrap() {
        Request::Enqueue(shares) if name == "Enqueue" => shares,
        Request::Verify(shares) if name == "Verify" => shares,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn each_task_asks_what_the_function_reads() {
    let Request::Listed(asking, timing) = asked("Listed") else {
        panic!("Listed");
    };
    assert_eq!(asking.execution.as_deref(), Some("arn:one"));
    assert_eq!((timing.poll_seconds, timing.settle_seconds), (5, 9));
    let Request::Progress(_, timing, seen) = asked("Progress") else {
        panic!("Progress");
    };
    assert_eq!((timing.settle_seconds, seen.verifications), (9, 3));
    let Request::VerifyStart { round, .. } = asked("StartToVerify") else {
        panic!("StartToVerify");
    };
    assert_eq!(round, "run-1.3.redrive-1");
    let Request::Conclude { round, is_last, .. } = asked("Conclude") else {
        panic!("Conclude");
    };
    assert_eq!((&*round, is_last), ("run-1.3", true));
    let Request::Fail { failure, .. } = asked("RecordFailure") else {
        panic!("RecordFailure");
    };
    assert!(failure.ends && failure.is_redriven());
    assert_eq!(failure.reason(), "AccessDenied: no");
}

#[test]
fn a_child_reads_a_single_partition_and_a_batch_of_them() {
    for name in ["Enqueue", "Verify"] {
        for (is_batch, items) in [(false, 1), (true, 2)] {
            let shares = mapped(name, is_batch);
            assert_eq!((&*shares.job_id, shares.items.len()), ("job-1", items));
            assert!(shares.items.iter().all(|share| share.partition == 7));
        }
    }
    let share = mapped("Enqueue", true).items.remove(0);
    assert_eq!(
        (share.workers, share.max_rate_per_second),
        (Some(16), Some(40.5))
    );
    let share = mapped("Verify", true).items.remove(0);
    assert_eq!(share.round.as_deref(), Some("run-1.3"));
}

#[test]
fn the_maps_tolerate_what_the_function_tolerates() {
    for name in ["Enqueue", "Verify"] {
        let tolerated = &machine()["States"][name]["ToleratedFailurePercentage"];
        assert_eq!(*tolerated, json!(TOLERATED_PERCENT));
    }
}

#[test]
fn every_failure_that_is_caught_ends_at_a_task_that_can_be_redriven() {
    let machine = machine();
    let states = machine["States"].as_object().unwrap();
    let caught = states
        .values()
        .filter_map(|state| state["Catch"].as_array());
    let caught: Vec<_> = caught.flatten().map(|way| &way["Next"]).collect();
    assert!(caught.len() >= 7);
    assert!(caught.iter().all(|next| *next == "NoteRedrives"));
    assert_eq!(states["NotCompleted"]["Next"], "NoteRedrives");
    assert_eq!(states["NoteRedrives"]["Next"], "RecordFailure");
    let last = &states["RecordFailure"];
    // What it fails with is neither caught nor tried again, so the execution ends there.
    assert!(last.get("Catch").is_none());
    let first = &last["Retry"][0];
    assert_eq!(first["MaxAttempts"], 0);
    let untried = first["ErrorEquals"].as_array().unwrap();
    assert!(ENDING.iter().all(|name| untried.contains(&json!(name))));
    for state in states.values().filter(|state| *state != last) {
        if let Some(first) = state["Retry"].get(0) {
            assert_eq!(first["ErrorEquals"], json!(ENDING[2..]));
        }
    }
    assert_eq!(states["NotUnderstood"]["Next"], "NoteRedrives");
    assert_eq!(last["Next"], "BeginAgain");
    assert_eq!(states["BeginAgain"]["InputPath"], "$$.Execution.Input");
    assert_eq!(states["BeginAgain"]["Next"], machine["StartAt"]);
}
