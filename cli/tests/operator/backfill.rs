//! Jobs are started, looked at, ended.

use serde_json::{Value, json};
use tests::fake_aws::{Execution, FakeAws, Fault, Operation, Store};

use crate::{STACK, json_against, run_against};

const TABLE: &str = "s-backfill";

/// A stack whose back-fills can be started.
pub(crate) fn stack() -> FakeAws {
    let fake = FakeAws::start();
    let _ = fake.queue_url("s-compress");
    let _ = fake.queue_url("s-compress-dlq");
    fake.states(|states| states.create(&format!("{STACK}-backfill")));
    fake.tables(|tables| tables.create(TABLE, "job_id", "item"));
    fake
}

/// A record as the function writes it.
pub(crate) fn record(job: &str, state: &str) -> Value {
    json!({
        "job_id": {"S": job}, "item": {"S": "job"}, "state": {"S": state}, "mode": {"S": "list"},
        "dry_run": {"BOOL": false}, "bucket": {"S": "b"}, "prefix": {"S": "incoming/"}, "listed": {"N": "5000"},
        "enqueued": {"N": "4990"}, "left_out": {"N": "10"}, "succeeded": {"N": "100"},
        "partitions_done": {"N": "7"}, "partitions_total": {"N": "256"},
        "started_at": {"S": "2026-11-21T22:45:00Z"}, "updated_at": {"S": "2026-11-21T22:46:00Z"},
    })
}

pub(crate) fn put(fake: &FakeAws, job: &str, state: &str) {
    fake.tables(|tables| tables.put(TABLE, &record(job, state)));
}

/// The next execution that is started makes a record at once.
pub(crate) fn plans(fake: &FakeAws, job: &str) {
    let record = record(job, "listing");
    let plan = move |store: &mut Store| store.tables.put(TABLE, &record);
    fake.fault(Fault::on(Operation::StartExecution).run(plan));
}

/// A job that is still being planned.
pub(crate) fn planning(fake: &FakeAws, job: &str) {
    let input = json!({"action": "start", "job_id": job});
    fake.states(|states| states.run("s-backfill", job, input));
}

fn state(fake: &FakeAws, job: &str) -> Value {
    fake.tables(|tables| tables.item(TABLE, job, "job").unwrap()["state"].clone())
}

pub(crate) fn executions(fake: &FakeAws) -> Vec<Execution> {
    fake.states(|states| states.executions())
}

#[test]
fn a_job_is_an_execution_of_its_name() {
    let fake = stack();
    plans(&fake, "j");
    let words = [
        "backfill",
        "start",
        "--job-id",
        "j",
        "--prefix",
        "incoming/x/",
        "--workers",
        "4",
        "--max-rate",
        "9",
    ];
    let ran = json_against(&fake, &words);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = ran.document();
    assert_eq!(
        (&told["job_id"], &told["status"]),
        (&"j".into(), &"started".into())
    );
    let arn = "arn:aws:states:us-east-1:123456789012:execution:s-backfill:j";
    assert_eq!(told["execution"], arn);
    let [execution] = &executions(&fake)[..] else {
        panic!("not one execution");
    };
    let expected = json!({
        "action": "start", "job_id": "j", "prefix": "incoming/x/", "workers": 4, "max_rate_per_second": 9,
    });
    assert_eq!(
        (execution.name.as_str(), &execution.input),
        ("j", &expected)
    );
}

#[test]
fn a_job_without_a_name_gets_one_from_the_time() {
    let fake = stack();
    let jobs = [(); 2].map(|()| {
        // Which name it gets is not known before, so it is its execution that is over.
        fake.fault(
            Fault::on(Operation::DescribeExecution).run(|store| store.states.succeed(json!({}))),
        );
        let ran = json_against(&fake, &["backfill", "start"]);
        ran.document()["job_id"].as_str().unwrap().to_owned()
    });
    assert_ne!(jobs[0], jobs[1]);
    for job in jobs {
        let parts: Vec<_> = job.split('-').collect();
        assert_eq!(
            (parts[0], parts[1].len(), parts[2].len()),
            ("backfill", 14, 6),
            "{job}"
        );
    }
}

#[test]
fn what_is_not_there_or_not_allowed_has_its_code() {
    let fake = stack();
    assert_eq!(
        run_against(&fake, &["--stack", "other", "backfill", "start"]).code,
        4
    );
    assert_eq!(
        run_against(&fake, &["backfill", "status", "nobody"]).code,
        4
    );
    fake.fault(Fault::on(Operation::StartExecution).answer(400, "AccessDeniedException"));
    let ran = run_against(&fake, &["backfill", "start"]);
    assert_eq!((ran.code, ran.err.lines().count()), (5, 1), "{ran:?}");
    assert!(
        ran.err.contains("StartExecution") && ran.err.contains("AccessDenied"),
        "{ran:?}"
    );
    fake.fault(Fault::on(Operation::GetItem).answer(400, "AccessDeniedException"));
    assert_eq!(run_against(&fake, &["backfill", "status", "j"]).code, 5);
}

#[test]
fn a_status_is_one_read_of_the_record() {
    let fake = stack();
    put(&fake, "j", "processing");
    let ran = json_against(&fake, &["backfill", "status", "j"]);
    let told = ran.document();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(
        (&told["state"], &told["enqueued"]),
        (&"processing".into(), &4_990.into())
    );
    assert_eq!(told["remaining"], Value::Null);
    assert_eq!(fake.requests().len(), 1);
    let ran = run_against(&fake, &["backfill", "status", "j"]);
    assert!(ran.out.contains("partitions  7 of 256\n"), "{ran:?}");
}

#[test]
fn ending_a_job_marks_it_and_stops_its_executions_alone() {
    let fake = stack();
    put(&fake, "j", "processing");
    put(&fake, "other", "listing");
    planning(&fake, "j");
    planning(&fake, "other");
    let ran = json_against(&fake, &["backfill", "abort", "j"]);
    let told = ran.document();
    assert_eq!(
        (ran.code, &told["marked"], &told["state"]),
        (0, &true.into(), &"aborted".into())
    );
    assert_eq!(told["stopped_executions"], json!(["j"]));
    assert_eq!(
        (state(&fake, "j"), state(&fake, "other")),
        ("aborted".into(), "listing".into())
    );
    let record = fake.tables(|tables| tables.item(TABLE, "j", "job").unwrap());
    let times = ["updated_at", "finished_at"].map(|name| record[name].as_str().unwrap());
    assert!(
        times
            .iter()
            .all(|at| at.len() == "2026-11-21T22:45:00Z".len()),
        "{times:?}"
    );
    let stopped = executions(&fake)
        .into_iter()
        .filter(|it| it.status == "ABORTED");
    assert_eq!(stopped.map(|it| it.name).collect::<Vec<_>>(), ["j"]);
    // Once more is no mistake.
    let again = json_against(&fake, &["backfill", "abort", "j"]);
    assert_eq!(
        (again.code, &again.document()["marked"]),
        (0, &false.into())
    );
}

#[test]
fn ending_finds_executions_of_other_names_by_what_they_are_about() {
    let fake = stack();
    put(&fake, "j", "failed");
    plans(&fake, "j");
    let _ = run_against(&fake, &["backfill", "start", "--job-id", "j", "--resume"]);
    let ran = json_against(&fake, &["backfill", "abort", "j"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let [execution] = &executions(&fake)[..] else {
        panic!("not one execution");
    };
    assert_eq!(execution.status, "ABORTED");
    assert_eq!(execution.failure.as_ref().unwrap().0, "Backfill.Aborted");
}

#[test]
fn a_job_without_a_record_yet_is_ended_by_its_execution() {
    let fake = stack();
    planning(&fake, "j");
    let ran = json_against(&fake, &["backfill", "abort", "j"]);
    let told = ran.document();
    assert_eq!(
        (ran.code, &told["state"], &told["marked"]),
        (0, &Value::Null, &false.into()),
        "{ran:?}"
    );
    assert_eq!(told["stopped_executions"], json!(["j"]));
    assert_eq!(executions(&fake)[0].status, "ABORTED");
    assert!(ran.err.contains("end it again"), "{ran:?}");
    // Now there is neither: that is what was wanted, and it is said how it came to that.
    let ran = run_against(&fake, &["backfill", "abort", "j"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let why = "job j has no record: execution j aborted: Backfill.Aborted";
    assert!(ran.err.contains(why), "{ran:?}");
}

#[test]
fn a_plan_that_becomes_whole_while_it_is_ended_is_marked() {
    let fake = stack();
    planning(&fake, "j");
    let record = record("j", "listing");
    fake.fault(
        Fault::on(Operation::StopExecution)
            .run(move |store| store.tables.put("s-backfill", &record)),
    );
    let ran = json_against(&fake, &["backfill", "abort", "j"]);
    assert_eq!(
        (ran.code, &ran.document()["marked"]),
        (0, &true.into()),
        "{ran:?}"
    );
    assert_eq!(state(&fake, "j"), "aborted");
}

#[test]
fn a_record_that_is_busy_is_marked_all_the_same() {
    let fake = stack();
    put(&fake, "j", "processing");
    let busy = Fault::on(Operation::UpdateItem).times(4);
    fake.fault(busy.answer(400, "TransactionConflictException"));
    let ran = json_against(&fake, &["backfill", "abort", "j"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(state(&fake, "j"), "aborted");
}

#[test]
fn a_job_that_has_ended_stays_as_it_is() {
    let fake = stack();
    put(&fake, "j", "completed");
    let ran = json_against(&fake, &["backfill", "abort", "j"]);
    assert_eq!(
        (ran.code, &ran.document()["state"]),
        (3, &"completed".into())
    );
    assert_eq!(state(&fake, "j"), "completed");
    let nobody = run_against(&fake, &["backfill", "abort", "nobody"]);
    assert_eq!(nobody.code, 4, "{nobody:?}");
    assert_eq!(
        fake.tables(|tables| tables.item(TABLE, "nobody", "job")),
        None
    );
}
