//! What a backfill's messages came to is told to its job: once per invocation, in time, and at no message's cost.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::compressor::{BUCKET, Compressor, DLQ, PanicOnKey};
use tests::fake_aws::{FakeAws, Fault, Gate, Operation, sqs_event};
use tests::running;
use tests::runtime_api::Answer;

const TABLE: &str = "jobs";

/// A compressor with a table that has jobs of these names.
fn compressor(settings: &[(&str, &str)], jobs: &[&str]) -> Compressor {
    let with_table = [&[("JOBS_TABLE", TABLE)], settings].concat();
    let compressor = Compressor::with(&with_table);
    create_jobs(&compressor.fake, jobs);
    compressor
}

fn create_jobs(fake: &FakeAws, jobs: &[&str]) {
    fake.tables(|tables| {
        tables.create(TABLE, "job_id", "item");
        for job_id in jobs {
            let item = json!({"job_id": {"S": job_id}, "item": {"S": "job"}, "state": {"S": "processing"}});
            tables.put(TABLE, &item);
        }
    });
}

/// The notification of a new source, as a message of a job.
fn of_job(compressor: &Compressor, job_id: &str, key: &str, content: &str) -> Value {
    let mut body = compressor.source(key, content).notification();
    body["job_id"] = json!(job_id);
    body
}

fn record(fake: &FakeAws, job_id: &str) -> Value {
    fake.tables(|tables| tables.item(TABLE, job_id, "job"))
        .unwrap()
}

/// `succeeded`, `skipped`, `failed`; what was never told is `None`.
fn counts(fake: &FakeAws, job_id: &str) -> [Option<u64>; 3] {
    let record = record(fake, job_id);
    ["succeeded", "skipped", "failed"].map(|name| record[name].as_u64())
}

#[tokio::test]
async fn ten_objects_of_two_jobs_are_two_updates_with_the_right_sums() {
    let compressor = compressor(&[], &["one", "two"]);
    let bodies: Vec<_> = (0..10)
        .map(|number| {
            let job_id = if number < 7 { "one" } else { "two" };
            of_job(
                &compressor,
                job_id,
                &format!("incoming/{number}"),
                "ten bytes.",
            )
        })
        .collect();
    assert_eq!(compressor.deliver(&bodies).await, [""; 0]);
    assert_eq!(compressor.fake.count(Operation::UpdateItem), 2);
    assert_eq!(counts(&compressor.fake, "one"), [Some(7), Some(0), Some(0)]);
    assert_eq!(counts(&compressor.fake, "two"), [Some(3), Some(0), Some(0)]);
    let record = record(&compressor.fake, "one");
    assert_eq!(record["bytes_in"], 70);
    let written: u64 = (0..7)
        .map(|number| {
            let end = format!("/{number}.zip");
            let key = compressor
                .outputs()
                .into_iter()
                .find(|key| key.ends_with(&end));
            compressor
                .fake
                .object(BUCKET, &key.unwrap())
                .unwrap()
                .content
                .len()
        })
        .sum();
    assert_eq!(record["bytes_out"], written);
    assert!(
        record["updated_at"].as_str().unwrap().ends_with('Z'),
        "{record}"
    );
    // Delivered again, all of them are found done.
    assert_eq!(compressor.deliver(&bodies).await, [""; 0]);
    assert_eq!(counts(&compressor.fake, "one"), [Some(7), Some(7), Some(0)]);
}

#[tokio::test]
async fn messages_of_no_job_tell_nothing() {
    let compressor = compressor(&[], &["one"]);
    let live = compressor.source("incoming/live", "text").notification();
    let misnamed = of_job(&compressor, "no job's name", "incoming/misnamed", "text");
    assert_eq!(compressor.deliver(&[live, misnamed]).await, [""; 0]);
    assert_eq!(compressor.outputs().len(), 2);
    assert_eq!(compressor.fake.count(Operation::UpdateItem), 0);
}

#[tokio::test]
async fn without_a_table_no_job_is_told() {
    let compressor = Compressor::default();
    create_jobs(&compressor.fake, &["one"]);
    let body = of_job(&compressor, "one", "incoming/a", "text");
    assert_eq!(compressor.deliver(&[body]).await, [""; 0]);
    assert_eq!(compressor.fake.count(Operation::UpdateItem), 0);
    assert_eq!(compressor.outputs().len(), 1);
}

#[tokio::test]
async fn a_job_that_is_gone_is_not_made_again() {
    let compressor = compressor(&[], &[]);
    let body = of_job(&compressor, "gone", "incoming/a", "text");
    assert_eq!(compressor.deliver(&[body]).await, [""; 0]);
    assert_eq!(
        compressor
            .fake
            .tables(|tables| tables.item(TABLE, "gone", "job")),
        None
    );
}

#[tokio::test]
async fn a_table_that_refuses_costs_no_message() {
    for (status, code) in [(400, "AccessDeniedException"), (500, "InternalServerError")] {
        let compressor = compressor(&[], &["one"]);
        compressor.fake.fault(
            Fault::on(Operation::UpdateItem)
                .forever()
                .answer(status, code),
        );
        let body = of_job(&compressor, "one", "incoming/a", "text");
        assert_eq!(compressor.deliver(&[body]).await, [""; 0]);
        assert_eq!(compressor.outputs().len(), 1);
        assert_eq!(counts(&compressor.fake, "one"), [None; 3]);
    }
}

#[tokio::test]
async fn a_table_that_hangs_costs_two_seconds_whatever_the_number_of_jobs() {
    let names: Vec<_> = (0..12).map(|number| format!("job-{number}")).collect();
    let compressor = compressor(&[], &names.iter().map(String::as_str).collect::<Vec<_>>());
    let gate = Gate::new();
    compressor
        .fake
        .fault(Fault::on(Operation::UpdateItem).forever().hold(&gate));
    let bodies: Vec<_> = names
        .iter()
        .map(|name| of_job(&compressor, name, &format!("incoming/{name}"), "text"))
        .collect();
    let started = Instant::now();
    assert_eq!(compressor.deliver(&bodies).await, [""; 0]);
    let took = started.elapsed();
    gate.release();
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_secs(5),
        "{took:?}"
    );
    assert_eq!(compressor.outputs().len(), 12);
}

#[tokio::test]
async fn a_table_that_hung_is_left_alone_by_the_next_invocation() {
    let compressor = compressor(&[], &["one"]);
    let gate = Gate::new();
    compressor
        .fake
        .fault(Fault::on(Operation::UpdateItem).forever().hold(&gate));
    let bodies =
        ["a", "b"].map(|name| of_job(&compressor, "one", &format!("incoming/{name}"), "text"));
    assert_eq!(compressor.deliver(&bodies[..1]).await, [""; 0]);
    let started = Instant::now();
    assert_eq!(compressor.deliver(&bodies[1..]).await, [""; 0]);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!((gate.arrived(), compressor.outputs().len()), (1, 2));
    gate.release();
}

#[tokio::test]
async fn a_table_that_is_busy_is_asked_again_until_it_has_the_count() {
    for code in [
        "TransactionConflictException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    ] {
        let compressor = compressor(&[], &["one"]);
        // More often than the SDK asks by itself.
        let busy = Fault::on(Operation::UpdateItem).times(4);
        compressor.fake.fault(busy.answer(400, code));
        let body = of_job(&compressor, "one", "incoming/a", "text");
        assert_eq!(compressor.deliver(&[body]).await, [""; 0]);
        assert_eq!(
            counts(&compressor.fake, "one"),
            [Some(1), Some(0), Some(0)],
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_table_that_stays_busy_costs_two_seconds_and_is_asked_by_the_next_invocation() {
    let compressor = compressor(&[], &["one"]);
    let busy = Fault::on(Operation::UpdateItem).forever();
    let busy = busy.answer(400, "TransactionConflictException");
    compressor.fake.fault(busy);
    let bodies =
        ["a", "b"].map(|name| of_job(&compressor, "one", &format!("incoming/{name}"), "text"));
    let started = Instant::now();
    assert_eq!(compressor.deliver(&bodies[..1]).await, [""; 0]);
    let took = started.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(4),
        "{took:?}"
    );
    compressor.fake.clear_faults();
    assert_eq!(compressor.deliver(&bodies[1..]).await, [""; 0]);
    assert_eq!(counts(&compressor.fake, "one"), [Some(2), Some(0), Some(0)]);
}

#[tokio::test]
async fn what_could_not_be_told_is_told_with_the_next_invocation_whatever_it_brings() {
    for (status, code, told) in [
        (400, "ThrottlingException", Some(1)),
        // It may have been taken.
        (500, "InternalServerError", None),
        (400, "AccessDeniedException", None),
    ] {
        let compressor = compressor(&[], &["one"]);
        let refused = Fault::on(Operation::UpdateItem).forever();
        compressor.fake.fault(refused.answer(status, code));
        let body = of_job(&compressor, "one", "incoming/a", "text");
        assert_eq!(compressor.deliver(&[body]).await, [""; 0]);
        compressor.fake.clear_faults();
        let live = compressor.source("incoming/b", "text").notification();
        assert_eq!(compressor.deliver(&[live]).await, [""; 0]);
        assert_eq!(counts(&compressor.fake, "one")[0], told, "{code}");
    }
}

#[tokio::test]
async fn a_table_that_hangs_near_the_deadline_costs_no_answer() {
    let compressor = compressor(&[], &["one"]);
    let gate = Gate::new();
    compressor
        .fake
        .fault(Fault::on(Operation::UpdateItem).forever().hold(&gate));
    let body = of_job(&compressor, "one", "incoming/a", "text").to_string();
    let event = sqs_event(&[("m", &body)]);
    // One second is kept back of so little time.
    let time = Duration::from_secs(2);
    let started = Instant::now();
    let answer = compressor.invoke_within(event, time).await.unwrap();
    let took = started.elapsed();
    gate.release();
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert!(took < time, "{took:?}");
    assert_eq!(gate.arrived(), 1);
}

#[tokio::test]
async fn dead_letters_count_as_failed_and_stay_in_their_group() {
    let compressor = compressor(&[("MAX_OBJECT_BYTES", "5")], &["one"]);
    let large = of_job(&compressor, "one", "incoming/large", "too large");
    let small = of_job(&compressor, "one", "incoming/small", "12345");
    let unreadable = json!({"job_id": "one", "Records": [{"eventName": "ObjectCreated:Put"}]});
    let live = compressor
        .source("incoming/live", "too large")
        .notification();
    let bodies = [large.clone(), small, unreadable, live];
    assert_eq!(compressor.deliver(&bodies).await, [""; 0]);
    assert_eq!(counts(&compressor.fake, "one"), [Some(1), Some(0), Some(2)]);
    let (letters, body) = (compressor.fake.messages(DLQ), large.to_string());
    let groups: Vec<_> = letters
        .iter()
        .map(|letter| letter.group_id.as_deref())
        .collect();
    assert_eq!(
        groups.iter().filter(|group| **group == Some("one")).count(),
        2
    );
    assert_eq!(groups.iter().filter(|group| group.is_none()).count(), 1);
    assert!(
        letters.iter().any(|letter| letter.body == body),
        "the body as it was"
    );
}

#[tokio::test]
async fn what_comes_back_is_told_when_it_does_not_any_more() {
    let compressor = compressor(&[], &["one"]);
    let bodies =
        ["a", "b"].map(|name| of_job(&compressor, "one", &format!("incoming/{name}"), "text"));
    let refused = Fault::on(Operation::GetObject)
        .key("incoming/b")
        .answer(400, "ExpiredToken");
    compressor.fake.fault(refused);
    assert_eq!(compressor.deliver(&bodies).await, ["1"]);
    assert_eq!(counts(&compressor.fake, "one"), [Some(1), Some(0), Some(0)]);
    assert_eq!(compressor.deliver(&bodies[1..]).await, [""; 0]);
    assert_eq!(counts(&compressor.fake, "one"), [Some(2), Some(0), Some(0)]);
}

#[tokio::test]
async fn a_message_of_two_objects_that_comes_back_is_told_once_and_whole() {
    let compressor = compressor(&[], &["one"]);
    let mut body = of_job(&compressor, "one", "incoming/a", "text");
    let other = of_job(&compressor, "one", "incoming/b", "text");
    let records = body["Records"].as_array_mut().unwrap();
    records.push(other["Records"][0].clone());
    let refused = Fault::on(Operation::GetObject)
        .key("incoming/b")
        .answer(400, "ExpiredToken");
    compressor.fake.fault(refused);
    assert_eq!(compressor.deliver(std::slice::from_ref(&body)).await, ["0"]);
    assert_eq!(compressor.outputs().len(), 1);
    assert_eq!(counts(&compressor.fake, "one"), [None; 3]);
    assert_eq!(compressor.deliver(&[body]).await, [""; 0]);
    assert_eq!(counts(&compressor.fake, "one"), [Some(1), Some(1), Some(0)]);
}

#[tokio::test]
async fn a_dead_letter_that_was_not_taken_is_not_counted() {
    let compressor = compressor(&[("MAX_OBJECT_BYTES", "1")], &["one"]);
    compressor
        .fake
        .fault(Fault::on(Operation::SendMessage).answer(403, "AccessDenied"));
    let body = of_job(&compressor, "one", "incoming/a", "text");
    assert_eq!(compressor.deliver(std::slice::from_ref(&body)).await, ["0"]);
    assert_eq!(counts(&compressor.fake, "one"), [None; 3]);
    assert_eq!(compressor.deliver(&[body]).await, [""; 0]);
    assert_eq!(counts(&compressor.fake, "one"), [Some(0), Some(0), Some(1)]);
}

#[tokio::test]
async fn a_panic_in_one_record_leaves_the_others_counted() {
    let settings = [("JOBS_TABLE", TABLE)];
    let compressor = Compressor::on(FakeAws::start(), &settings, |client| {
        client.interceptor(PanicOnKey)
    });
    create_jobs(&compressor.fake, &["one"]);
    let bodies = ["a", "panics", "b"]
        .map(|name| of_job(&compressor, "one", &format!("incoming/{name}"), "text"));
    assert_eq!(compressor.deliver(&bodies).await, ["1"]);
    assert_eq!(counts(&compressor.fake, "one"), [Some(2), Some(0), Some(0)]);
}

#[test]
fn the_binary_tells_a_job_and_warns_of_one_that_it_could_not() {
    let running = running::start(&[("JOBS_TABLE", TABLE)]);
    create_jobs(&running.fake, &["one"]);
    let event = |key: &str| {
        let mut body = running.fake.put(BUCKET, key, "text").notification();
        body["job_id"] = json!("one");
        sqs_event(&[("m", &body.to_string())])
    };
    let done = Answer::Response(json!({"batchItemFailures": []}));
    assert_eq!(running.invoke(&event("incoming/a")), done);
    assert_eq!(counts(&running.fake, "one"), [Some(1), Some(0), Some(0)]);
    let denied = Fault::on(Operation::UpdateItem).forever();
    running
        .fake
        .fault(denied.answer(400, "AccessDeniedException"));
    assert_eq!(running.invoke(&event("incoming/b")), done);
    let warned = |line: &Value| line["message"] == "job was not told";
    let line = running
        .function
        .wait_for_line(running::PATIENCE, warned)
        .unwrap();
    assert_eq!(
        (&line["job_id"], &line["succeeded"]),
        (&json!("one"), &json!(1))
    );
    assert!(
        line["error"]
            .as_str()
            .unwrap()
            .contains("AccessDeniedException"),
        "{line}"
    );
}
