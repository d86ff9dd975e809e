//! A job in words. Pure.

use std::fmt::Write;
use std::time::Duration;

use shared::job::{JobRecord, JobState};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::show::{bytes, clean, count};

use super::pace::Pace;

/// How far a job is, for a bar: done, all, words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Far {
    pub(super) done: u64,
    pub(super) all: u64,
    pub(super) words: String,
    pub(super) objects: Objects,
}

/// By what the pace of a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Objects {
    /// What is counted.
    pub(super) of: &'static str,
    pub(super) done: u64,
    /// Where it is known.
    pub(super) left: Option<u64>,
}

/// By partitions while they are listed, then by objects.
pub(super) fn far(record: &JobRecord) -> Far {
    let state = record.state.label();
    // A restore is somebody's to decide on, so it is said while the job runs.
    let archived = match record.archived {
        0 => String::new(),
        archived => format!(", {} archived", count(archived)),
    };
    if record.state == JobState::Listing || record.dry_run {
        return Far {
            done: record.partitions_done,
            all: record.partitions_total,
            words: format!(
                "{state}: {} of {} partitions, {} objects, {}{archived}",
                count(record.partitions_done),
                count(record.partitions_total),
                count(record.listed),
                bytes(record.bytes_listed),
            ),
            objects: Objects {
                of: "listed",
                done: record.listed,
                left: None,
            },
        };
    }
    let done = record.succeeded + record.skipped + record.failed;
    Far {
        done,
        all: record.enqueued,
        words: format!(
            "{state}: {} of {} objects, {} failed{archived}",
            count(done),
            count(record.enqueued),
            count(record.failed),
        ),
        objects: Objects {
            of: "done",
            done,
            left: Some(record.enqueued.saturating_sub(done)),
        },
    }
}

/// The average from its start to its end, or until now.
fn pace(record: &JobRecord, now: OffsetDateTime) -> Option<String> {
    let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let end = record.finished_at.as_deref().map_or(Some(now), time)?;
    let over = Duration::try_from(end - time(&record.started_at)?).ok()?;
    let Objects { done, left, .. } = far(record).objects;
    let left = left.filter(|_| !record.state.is_final());
    Some(Pace::of(done, over)?.words(left))
}

/// All of it, a line each.
pub(super) fn record(record: &JobRecord, now: OffsetDateTime) -> String {
    let mut out = String::new();
    for (name, value) in lines(record, now) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<12}{}", clean(&value));
    }
    out.truncate(out.trim_end().len());
    out
}

fn lines(record: &JobRecord, now: OffsetDateTime) -> Vec<(&'static str, String)> {
    let dry = if record.dry_run { ", dry run" } else { "" };
    let mut lines = vec![
        ("job", record.job_id.clone()),
        ("state", format!("{}{dry}", record.state.label())),
    ];
    let optional = |number: Option<u64>| number.map_or_else(|| "not counted".to_owned(), count);
    lines.extend(record.reason.clone().map(|reason| ("reason", reason)));
    lines.extend([
        (
            "objects",
            format!("s3://{}/{} ({})", record.bucket, record.prefix, record.mode),
        ),
        (
            "partitions",
            format!(
                "{} of {}",
                count(record.partitions_done),
                count(record.partitions_total)
            ),
        ),
        (
            "listed",
            format!("{}, {}", count(record.listed), bytes(record.bytes_listed)),
        ),
        ("enqueued", count(record.enqueued)),
        ("left out", count(record.left_out)),
        ("archived", count(record.archived)),
        ("succeeded", count(record.succeeded)),
        ("skipped", count(record.skipped)),
        ("failed", count(record.failed)),
        (
            "bytes",
            format!(
                "{} in, {} out",
                bytes(record.bytes_in),
                bytes(record.bytes_out)
            ),
        ),
    ]);
    lines.extend(pace(record, now).map(|pace| ("pace", pace)));
    lines.extend([
        ("remaining", optional(record.remaining)),
        ("missing", optional(record.missing_outputs)),
        ("started", record.started_at.clone()),
        ("updated", record.updated_at.clone()),
    ]);
    lines.extend(record.finished_at.clone().map(|at| ("finished", at)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(state: &str, dry_run: bool) -> JobRecord {
        let record = json!({
            "job_id": "j", "state": state, "reason": null, "mode": "list", "dry_run": dry_run, "bucket": "b",
            "prefix": "incoming/", "listed": 5_000, "enqueued": 4_990, "left_out": 10, "bytes_listed": 2_048,
            "archived": 0, "succeeded": 100, "skipped": 20, "failed": 3, "bytes_in": 1, "bytes_out": 1, "partitions_done": 7,
            "partitions_total": 256, "remaining": null, "missing_outputs": 0, "started_at": "s", "updated_at": "u",
            "finished_at": null,
        });
        serde_json::from_value(record).unwrap()
    }

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_795_301_103).unwrap()
    }

    #[test]
    fn a_pace_is_the_average_since_the_start() {
        let mut it = job("processing", false);
        assert!(!record(&it, now()).contains("pace"), "no time, no pace");
        "2026-11-21T22:44:03Z".clone_into(&mut it.started_at);
        let words = record(&it, now());
        assert!(
            words.contains("\npace        2.0 objects a second, about 39 min left\n"),
            "{words}"
        );
        // Of what has ended nothing is left, and it does not get slower.
        it.state = JobState::Failed;
        it.finished_at = Some("2026-11-21T22:44:13Z".to_owned());
        let words = record(&it, now());
        assert!(
            words.contains("\npace        12 objects a second\n"),
            "{words}"
        );
        let listing = JobRecord {
            finished_at: None,
            state: JobState::Listing,
            ..it
        };
        let words = record(&listing, now());
        assert!(
            words.contains("\npace        83 objects a second\n"),
            "{words}"
        );
    }

    #[test]
    fn a_bar_is_of_partitions_then_of_objects() {
        let listing = far(&job("listing", false));
        assert_eq!((listing.done, listing.all), (7, 256));
        assert_eq!(
            listing.words,
            "listing: 7 of 256 partitions, 5,000 objects, 2.0 KiB"
        );
        let processing = far(&job("processing", false));
        assert_eq!((processing.done, processing.all), (123, 4_990));
        assert_eq!(
            processing.words,
            "processing: 123 of 4,990 objects, 3 failed"
        );
    }

    #[test]
    fn archived_objects_are_said_where_there_are_any() {
        for state in ["listing", "processing"] {
            let none = job(state, false);
            assert!(!far(&none).words.contains("archived"));
            let some = JobRecord {
                archived: 1_234,
                ..none
            };
            assert!(far(&some).words.ends_with(", 1,234 archived"), "{state}");
            let words = record(&some, now());
            assert!(words.contains("archived    1,234\n"), "{words}");
        }
    }

    #[test]
    fn a_dry_run_has_no_objects_to_wait_for() {
        let done = far(&job("completed", true));
        assert_eq!((done.done, done.all), (7, 256));
    }

    #[test]
    fn what_was_not_counted_is_not_nothing() {
        let words = record(&job("processing", false), now());
        assert!(
            words.contains("remaining   not counted\nmissing     0\n"),
            "{words}"
        );
        assert!(!words.contains("reason") && !words.ends_with('\n'));
    }
}
