use super::*;
use crate::job::Job;

fn parse(payload: Value) -> Request {
    Request::parse(payload).unwrap()
}

fn refused(payload: Value) -> String {
    Request::parse(payload).unwrap_err().to_string()
}

fn started(payload: Value) -> Start {
    match parse(payload) {
        Request::Start(start) => *start,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_start_of_nothing_but_a_name_discovers_everything() {
    let start = started(json!({"action": "start", "job_id": "j-1_A"}));
    assert_eq!(start.job_id, "j-1_A");
    assert_eq!(start.partitions, None);
    assert_eq!(
        (start.prefix, start.rate, start.dry_run),
        (None, None, None)
    );
    assert!(!start.resume);
    assert_eq!(
        (start.timing.poll_seconds, start.timing.settle_seconds),
        (60, 7_200)
    );
}

#[test]
fn each_mistake_of_a_start_names_its_field() {
    for (field, value) in [
        ("job_id", json!("a/b")),
        ("job_id", json!("j".repeat(81))),
        ("mode", json!("both")),
        ("mode", json!("inventory")),
        ("prefix", json!("")),
        ("partitions", json!("all")),
        ("partitions", json!([])),
        ("partitions", json!(["a", 1])),
        ("inventory", json!({"bucket": "b"})),
        ("inventory", json!({"bucket": "b", "key": "k", "more": 1})),
        ("max_rate_per_second", json!(0.5)),
        ("dry_run", json!("yes")),
        ("workers", json!(0)),
        ("workers", json!(1_001)),
        ("resume", json!(1)),
        ("poll_seconds", json!(0)),
        ("settle_seconds", json!(-1)),
    ] {
        let mut payload = json!({"action": "start", "job_id": "j"});
        payload[field] = value;
        let text = refused(payload);
        let named = match (field, text.contains("payload field mode")) {
            // The mode asks for an inventory that is not there.
            ("mode", false) => "inventory",
            _ => field,
        };
        assert!(text.contains(&format!("payload field {named}=")), "{text}");
    }
    assert!(refused(json!({"action": "start"})).contains("job_id=null"));
    assert!(refused(json!({"job_id": "j"})).contains("action=null"));
    assert!(refused(json!({"action": "stop", "job_id": "j"})).contains("action=\"stop\""));
    let misspelt = json!({"action": "start", "job_id": "j", "worker": 2});
    assert!(refused(misspelt).contains("worker is unknown"));
}

#[test]
fn an_inventory_has_its_own_parts() {
    let manifest = json!({"bucket": "b", "key": "k/manifest.json"});
    let start = started(json!({"action": "start", "job_id": "j", "inventory": manifest}));
    assert_eq!(start.inventory.unwrap().key, "k/manifest.json");
    let cut =
        json!({"action": "start", "job_id": "j", "inventory": manifest, "partitions": "hash"});
    assert!(refused(cut).contains("payload field partitions"));
}

#[test]
fn a_single_item_and_a_batch_of_one_are_the_same() {
    let item = json!({"job_id": "j", "partition": 7, "workers": 4, "max_rate_per_second": 100.0});
    let mut single = item.clone();
    single["action"] = "enqueue".into();
    let batch = json!({"action": "enqueue", "Items": [item], "BatchInput": {"any": 1}});
    assert_eq!(parse(single), parse(batch));
}

#[test]
fn what_is_left_is_the_next_payload() {
    let single = json!({
        "action": "enqueue", "job_id": "j", "partition": 7, "workers": 4, "max_rate_per_second": 1.5
    });
    let request = parse(single);
    let Request::Enqueue(shares) = &request else {
        panic!("{request:?}");
    };
    let answer = shares.answer("incomplete", &shares.items);
    let next = json!({"action": "enqueue", "Items": answer["Items"]});
    assert_eq!(parse(next), request);
}

#[test]
fn a_batch_is_of_one_job_and_each_item_is_checked() {
    let item = |job: &str, partition: u64| json!({"job_id": job, "partition": partition});
    let batch = |items: Value| json!({"action": "enqueue", "Items": items});
    assert!(refused(batch(json!([item("a", 0), item("b", 1)]))).contains("job_id=\"b\""));
    assert!(refused(batch(json!([item("a", 10_000)]))).contains("partition=10000"));
    assert!(refused(batch(json!([]))).contains("Items"));
    assert!(refused(batch(json!([{"job_id": "a"}]))).contains("partition=null"));
    let verify = json!({"action": "verify", "job_id": "a", "partition": 0});
    assert!(refused(verify).contains("round=null"));
}

#[test]
fn a_round_is_the_executions_and_its_count() {
    let start = |count: Value, redrives: Value| {
        parse(
            json!({"action": "verify_start", "job_id": "j", "round": "e", "count": count, "redrives": redrives}),
        )
    };
    for (count, redrives, name) in [
        (json!(2), json!(null), "e.2"),
        (json!(2), json!(0), "e.2"),
        (json!(2), json!(1), "e.2.redrive-1"),
        (json!(null), json!(null), "e"),
    ] {
        match start(count, redrives) {
            Request::VerifyStart { round, .. } => assert_eq!(round, name),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_failure_is_kept_in_a_kilobyte() {
    let fail = json!({"action": "fail", "job_id": "j", "error": "E", "cause": "é".repeat(1_000)});
    match parse(fail) {
        Request::Fail { failure, .. } => {
            assert!(failure.reason().starts_with("E: é") && failure.reason().len() <= 1_024);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failure_is_kept_in_the_functions_own_words() {
    let cause = json!({"errorType": "E", "errorMessage": "no bucket"}).to_string();
    match parse(json!({"action": "fail", "job_id": "j", "error": "E", "cause": cause})) {
        Request::Fail { failure, .. } => assert_eq!(failure.reason(), "E: no bucket"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_execution_is_redriven_when_it_was_so_more_often_than_when_it_failed() {
    for (failed_at, redrives, is_redriven) in [
        (json!(null), json!(null), false),
        (json!(0), json!(0), false),
        (json!(0), json!(1), true),
        (json!(1), json!(1), false),
    ] {
        let fail =
            json!({"action": "fail", "job_id": "j", "failed_at": failed_at, "redrives": redrives});
        match parse(fail) {
            Request::Fail { failure, .. } => assert_eq!(failure.is_redriven(), is_redriven),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn no_worker_is_without_a_partition_or_slower_than_one_a_second() {
    let start = |rate: Value, workers: Value| {
        started(json!({
            "action": "start", "job_id": "j", "max_rate_per_second": rate, "workers": workers
        }))
    };
    assert_eq!(start(json!(null), json!(null)).workers(None, 256), 16);
    let job = crate::ending::job_in(shared::job::JobState::Failed, 0);
    let before = Job {
        workers: 30,
        rate: Some(20.0),
        ..job
    };
    let workers = |rate, workers| start(rate, workers).workers(Some(&before), 256);
    assert_eq!(workers(json!(null), json!(null)), 20);
    assert_eq!(workers(json!(25), json!(null)), 25);
    assert_eq!(workers(json!(100), json!(40)), 40);
    assert_eq!(start(json!(null), json!(40)).workers(None, 7), 7);
    assert_eq!(start(json!(5.5), json!(40)).workers(None, 256), 5);
    assert_eq!(start(json!(1), json!(40)).workers(None, 0), 1);
}
