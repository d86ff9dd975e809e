use super::*;
use crate::work::Range;
use shared::jobs::{RECORD, key};

fn job_item() -> Item {
    let mut item = key("j", RECORD);
    for (name, value) in [
        ("state", "listing"),
        ("mode", "list"),
        ("bucket", "b"),
        ("prefix", "incoming/"),
        ("started_at", "2026-11-21T00:00:00Z"),
        ("updated_at", "2026-11-21T00:00:00Z"),
        ("plan", "p1"),
    ] {
        item.insert(name.to_owned(), text(value));
    }
    item.insert("dry_run".to_owned(), AttributeValue::Bool(false));
    item.insert("workers".to_owned(), number(4));
    item
}

fn job() -> Job {
    Job::read("j", &job_item()).unwrap()
}

/// The item as the table has it after a change that only sets and removes.
fn applied(mut item: Item, change: Change) -> Item {
    let parts = change.parts();
    let (sets, removes) = match parts.update.split_once(" REMOVE ") {
        Some((sets, removes)) => (sets.to_owned(), removes.to_owned()),
        None => (parts.update.clone(), String::new()),
    };
    for set in sets.trim_start_matches("SET ").split(", ") {
        let (name, value) = set.split_once(" = ").unwrap();
        item.insert(parts.names[name].clone(), parts.values[value].clone());
    }
    for name in removes.split(", ").filter(|name| !name.is_empty()) {
        item.remove(&parts.names[name]);
    }
    item
}

fn partition() -> (Item, Partition) {
    let item = Partition::item(&job(), 7, &Work::Range(Range::default()), 7).unwrap();
    let partition = Partition::read(&job(), 7, &item).unwrap();
    (item, partition)
}

fn place(key: &str) -> Continuation {
    Continuation::After {
        key: key.to_owned(),
    }
}

#[test]
fn a_new_partition_has_all_before_it() {
    let (item, partition) = partition();
    assert_eq!(text_of(&item, "item"), Some("partition#00007"));
    assert_eq!((partition.number, partition.revision), (7, 0));
    assert_eq!(partition.tally, Tally::default());
    assert!(!partition.done && partition.continuation.is_none());
}

#[test]
fn a_checkpoint_is_read_as_it_was_written() {
    let (item, mut partition) = partition();
    partition.tally = Tally {
        listed: 10,
        enqueued: 8,
        left_out: 1,
        archived: 1,
        bytes_listed: 99,
    };
    partition.continuation = Some(place("incoming/k"));
    let item = applied(item, partition.checkpoint().unwrap());
    let read = Partition::read(&job(), 7, &item).unwrap();
    assert_eq!((read.revision, read.tally), (1, partition.tally));
    assert_eq!(read.continuation, Some(place("incoming/k")));
    assert_eq!(read.told, Tally::default());
    assert_eq!(read.tally.since(read.told), partition.tally);
}

#[test]
fn what_was_told_is_not_told_again() {
    let (item, mut partition) = partition();
    partition.tally.listed = 5;
    let item = applied(item, partition.told(true).unwrap());
    let read = Partition::read(&job(), 7, &item).unwrap();
    assert!(read.done);
    assert_eq!(read.tally.since(read.told), Tally::default());
    assert_eq!(partition.tally.since(partition.told), Tally::default());
}

#[test]
fn a_verification_leaves_the_progress_alone_and_forgets_the_one_before() {
    let (item, mut partition) = partition();
    partition.verification = Verification {
        round: "e.1".into(),
        continuation: Some(place("incoming/k")),
        done: false,
        sources: 3,
        remaining: 2,
        missing_outputs: 1,
        gone: 1,
    };
    let item = applied(item, partition.verified().unwrap());
    let read = Partition::read(&job(), 7, &item).unwrap();
    assert_eq!(read.verification, partition.verification);
    assert_eq!((read.revision, read.tally), (1, Tally::default()));
    partition.verification = Verification {
        round: "e.2".into(),
        ..Verification::default()
    };
    let item = applied(item, partition.verified().unwrap());
    let read = Partition::read(&job(), 7, &item).unwrap();
    assert_eq!(read.verification, partition.verification);
}

#[test]
fn an_item_of_another_plan_or_without_sense_is_refused() {
    let (item, _) = partition();
    for (name, value) in [
        ("plan", text("p2")),
        ("work", text("{\"shard\":1}")),
        ("revision", text("1")),
        ("continuation", text("k")),
    ] {
        let mut item = item.clone();
        item.insert(name.to_owned(), value);
        let error = Partition::read(&job(), 7, &item).unwrap_err();
        assert!(matches!(error, BackfillError::BadItem { .. }), "{name}");
    }
}

#[test]
fn a_rate_is_remembered() {
    let mut item = job_item();
    assert_eq!(Job::read("j", &item).unwrap().rate, None);
    item.insert("max_rate_per_second".to_owned(), rate(12.5));
    assert_eq!(Job::read("j", &item).unwrap().rate, Some(12.5));
}

#[test]
fn a_record_of_someone_else_names_what_is_missing() {
    for name in ["state", "plan", "workers"] {
        let mut item = job_item();
        item.remove(name);
        let error = Job::read("j", &item).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}
