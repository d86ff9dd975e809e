//! A backfill from an inventory: the exact set of current objects, or a refusal that says what is wrong; no listing.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

mod delivered;

use inventory::made::Line;
use serde_json::{Value, json};
use tests::backfilled::{self, Backfilled, share, start_payload, without_duplicates};
use tests::compressor::BUCKET;
use tests::fake_aws::{Fault, Gate, Operation};
use tests::running::PATIENCE;
use tests::runtime_api::{Answer, Lost};

use self::delivered::{
    Format, INVENTORIES, MANIFEST, deliver, deliver_manifest, fields, source, sources,
};

/// Sources whose keys an inventory must spell in its own way; sorted.
fn odd_keys() -> Vec<String> {
    let names = [
        "a b+c%20.json",
        "ä/ö \"quoted\", comma",
        "plain",
        "x%2Fy",
        "%",
        "deep/er/one",
    ];
    let mut keys: Vec<_> = names
        .iter()
        .map(|name| format!("incoming/{name}"))
        .collect();
    keys.sort_unstable();
    keys
}

/// The lines of these, and between them what is not to be compressed; two of them are left out knowingly.
fn with_others(mut lines: Vec<Line>) -> Vec<Line> {
    let older = Line {
        is_latest: false,
        version_id: Some("old".to_owned()),
        ..lines[0].clone()
    };
    let gone = Line::of("incoming/!gone", 0, "");
    let gone = Line {
        is_delete_marker: true,
        size: None,
        etag: None,
        storage_class: None,
        ..gone
    };
    let twice = lines.last().unwrap().clone();
    let cold = Line::of("incoming/zz-cold", 5, "e");
    lines.insert(1, older);
    lines.insert(0, gone);
    lines.push(twice);
    lines.push(Line::of("other/stranger", 5, "e"));
    lines.push(Line {
        storage_class: Some("GLACIER".to_owned()),
        ..cold
    });
    lines.push(Line::of("incoming/zz-folder/", 0, "e"));
    lines
}

#[test]
fn the_current_objects_of_an_inventory_are_compressed_whatever_their_keys_and_none_is_listed() {
    for format in Format::ALL {
        let job = backfilled::start(&[]);
        let keys = odd_keys();
        let mut lines = with_others(keys.iter().map(|key| source(&job, key)).collect());
        let second = lines.split_off(4);
        deliver(&job, format, &[lines, second]);
        let started = job.start_job(&fields());
        assert_eq!(started["partitions"], json!([0, 1]), "{format:?}");
        let _ = job.enqueue_all(&started);
        assert_eq!(job.queued(), keys, "{format:?}");
        let count = keys.len() as u64;
        assert_eq!(job.counts(), [count + 2, count, 1], "{format:?}");
        assert_eq!(job.record()["archived"], 1, "{format:?}");
        let verdict = job.all_the_rest(&started);
        assert_eq!(verdict["status"], "completed", "{format:?}: {verdict}");
        assert_eq!(
            (job.left_sources().len(), job.outputs().len()),
            (0, keys.len())
        );
        assert_eq!(job.fake.count(Operation::ListObjectsV2), 0);
    }
}

#[test]
fn an_object_that_two_lines_name_is_compressed_once() {
    for format in Format::ALL {
        let job = backfilled::start(&[]);
        let (keys, lines) = sources(&job, 5);
        deliver(&job, format, &[lines.clone(), lines]);
        let started = job.start_job(&fields());
        let _ = job.enqueue_all(&started);
        assert_eq!(without_duplicates(job.queued()), keys);
        let verdict = job.all_the_rest(&started);
        assert_eq!(
            (&verdict["status"], &verdict["succeeded"]),
            (&json!("completed"), &json!(5))
        );
        for output in job.outputs() {
            assert_eq!(job.fake.versions(BUCKET, &output).len(), 1);
        }
    }
}

const PART: &str = "files/all/data/part-1";

type Damage = fn(&Backfilled, Format);

/// What can be wrong with an inventory, each with a word that its refusal must say.
fn damages() -> [(&'static str, Damage); 5] {
    [
        ("manifest.checksum", |job, _| {
            let checksum = MANIFEST.replace(".json", ".checksum");
            job.fake
                .put(INVENTORIES, &checksum, "0".repeat(32).as_str());
        }),
        ("manifest.checksum", |job, _| {
            let checksum = MANIFEST.replace(".json", ".checksum");
            job.fake.delete(INVENTORIES, &checksum);
        }),
        (PART, |job, _| job.fake.delete(INVENTORIES, PART)),
        (PART, |job, _| {
            job.fake.put(INVENTORIES, PART, "shorter");
        }),
        ("another", |job, format| {
            let file = json!({"key": "k", "size": 1, "MD5checksum": "0".repeat(32)});
            let mut manifest = format.manifest(&[file]);
            manifest["sourceBucket"] = json!("another");
            deliver_manifest(job, &manifest);
        }),
    ]
}

#[test]
fn an_inventory_that_is_not_whole_is_refused_at_the_start_and_leaves_nothing() {
    for format in Format::ALL {
        for (words, damage) in damages() {
            let job = backfilled::start(&[]);
            let (_, lines) = sources(&job, 5);
            deliver(&job, format, &[lines.clone(), lines]);
            damage(&job, format);
            let (error_type, message) = job.failure(&start_payload(&fields()));
            assert_eq!(error_type, "Inventory", "{format:?} {message}");
            assert!(message.contains(words), "{format:?} {words}: {message}");
            assert_eq!(job.fake.count(Operation::BatchWriteItem), 0);
        }
    }
}

#[test]
fn a_part_whose_content_is_not_what_the_manifest_says_is_refused_and_nothing_of_it_is_used() {
    for format in Format::ALL {
        let job = backfilled::start(&[]);
        let (keys, lines) = sources(&job, 40);
        let (good, bad) = lines.split_at(20);
        deliver(&job, format, &[good.to_vec(), bad.to_vec()]);
        let started = job.start_job(&fields());
        // The same length, other bytes.
        let mut content = job
            .fake
            .object(INVENTORIES, PART)
            .unwrap()
            .content
            .bytes()
            .to_vec();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        job.fake.put(INVENTORIES, PART, content);
        assert_eq!(
            job.answer(&share("enqueue", &started, 0))["status"],
            "complete"
        );
        let (error_type, message) = job.failure(&share("enqueue", &started, 1));
        assert_eq!(error_type, "Inventory", "{format:?} {message}");
        assert!(message.contains(PART), "{message}");
        assert_eq!(job.queued(), keys[..20], "{format:?}");
        let listed = json!({"action": "listed", "job_id": backfilled::JOB});
        assert_eq!(job.failure(&listed).0, "PartitionsMissing");
    }
}

#[test]
fn a_part_that_breaks_off_on_its_way_is_fetched_again() {
    let job = backfilled::start(&[]);
    let (keys, lines) = sources(&job, 200);
    deliver(&job, Format::Csv, &[lines]);
    let started = job.start_job(&fields());
    job.fake
        .fault(Fault::on(Operation::GetObject).key("part-0").cut_body(100));
    if let Answer::Error { error_type, .. } = job.ask(&share("enqueue", &started, 0)) {
        assert_eq!(error_type, "Unavailable");
    }
    let _ = job.enqueue_all(&started);
    assert_eq!(job.queued(), keys);
}

#[test]
fn a_crash_in_the_middle_of_a_part_goes_on_at_its_row() {
    for format in Format::ALL {
        for after_effect in [false, true] {
            let mut job = backfilled::start(&[]);
            let (keys, lines) = sources(&job, 2_300);
            deliver(&job, format, &[lines]);
            let started = job.start_job(&fields());
            let gate = Gate::new();
            let second = Fault::on(Operation::UpdateItem)
                .key("partition#00000")
                .skip(1);
            job.fake.fault(if after_effect {
                second.hold_after_effect(&gate)
            } else {
                second.hold(&gate).reset()
            });
            let payload = share("enqueue", &started, 0);
            let answer = std::thread::scope(|scope| {
                let invocation = scope.spawn(|| job.ask(&payload));
                assert!(gate.wait_for_blocking(1, PATIENCE));
                job.function.kill();
                gate.release();
                invocation.join().unwrap()
            });
            assert_eq!(answer, Answer::Lost(Lost::ProcessExited));
            job.fake.clear_faults();
            job.restart();
            let sent = job.queued().len();
            let _ = job.enqueue_all(&started);
            let queued = job.queued();
            assert!(
                queued.len() - sent < 2_300,
                "it went on, and did not begin again"
            );
            assert_eq!(queued.len() > keys.len(), !after_effect, "{format:?}");
            assert_eq!(without_duplicates(queued), keys, "{format:?}");
            assert_eq!(job.counts(), [2_300, 2_300, 0]);
        }
    }
}

#[test]
fn a_verification_by_inventory_finds_what_remains_and_what_was_lost() {
    for format in Format::ALL {
        let job = backfilled::start(&[]);
        let (keys, lines) = sources(&job, 12);
        deliver(&job, format, &[lines]);
        let started = job.start_job(&fields());
        let _ = job.enqueue_all(&started);
        let _ = job.listed();
        // The queue loses the messages of three.
        let messages = job.fake.take_messages(backfilled::QUEUE);
        for message in messages.into_iter().skip(3) {
            job.fake.put_message(backfilled::QUEUE, message);
        }
        assert_eq!(job.compress_all(), [""; 0]);
        let left = job.left_sources();
        assert_eq!(left.len(), 3);
        // One of them is removed unseen: it does not remain, but its output is missing all the same.
        job.fake.delete(BUCKET, &left[0]);
        let verdict = job.verdict("round-1");
        assert_eq!(verdict["status"], "failed", "{verdict}");
        assert_eq!(
            (&verdict["remaining"], &verdict["missing_outputs"]),
            (&json!(2), &json!(3)),
            "{format:?}"
        );
        let reason = verdict["reason"].as_str().unwrap();
        assert!(
            reason.ends_with("1 of them of sources that are gone"),
            "{reason}"
        );
        // An output is lost whose source is gone: nothing else would ever tell.
        let output = job.outputs().remove(0);
        job.fake.delete(BUCKET, &output);
        let verdict = job.verdict("round-2");
        assert_eq!(
            (&verdict["remaining"], &verdict["missing_outputs"]),
            (&json!(2), &json!(4)),
            "{format:?}"
        );
        assert_eq!(keys.len(), 12);
        assert_eq!(job.fake.count(Operation::ListObjectsV2), 0);
    }
}

#[test]
fn what_was_overwritten_after_the_report_is_compressed_as_it_is_now() {
    for format in Format::ALL {
        let job = backfilled::start(&[]);
        let (keys, mut lines) = sources(&job, 4);
        job.fake
            .put(BUCKET, &keys[0], "written again, before anybody listened");
        // A report without that column does not make any output the right one.
        lines[1].etag = None;
        deliver(&job, format, &[lines]);
        let started = job.start_job(&fields());
        let _ = job.enqueue_all(&started);
        let _ = job.listed();
        assert_eq!(
            found(&job.verdict("round-0")),
            ("failed", 4, 4),
            "{format:?}"
        );
        job.set_state("processing");
        assert_eq!(job.compress_all(), [""; 0]);
        let verdict = job.verdict("round-1");
        assert_eq!(found(&verdict), ("completed", 0, 0), "{format:?}");
        assert_eq!(verdict["succeeded"], 4, "{format:?}");
    }
}

#[test]
fn an_output_of_another_version_is_missing_unless_the_source_is_newer_than_the_job() {
    let job = backfilled::start(&[("SOURCE_DISPOSITION", "keep")]);
    let (keys, mut lines) = sources(&job, 3);
    lines[1].etag = None;
    deliver(&job, Format::Csv, &[lines]);
    let started = job.start_job(&fields());
    let _ = job.enqueue_all(&started);
    let _ = job.listed();
    assert_eq!(job.compress_all(), [""; 0]);
    for output in job.outputs() {
        let seed = job.fake.seed(BUCKET, &output);
        seed.metadata("source-etag", "another").put("zip");
    }
    job.newer(&keys[2], "its own event", std::time::Duration::from_mins(1));
    assert_eq!(found(&job.verdict("round-1")), ("failed", 0, 2));
}

/// Status, `remaining` and `missing_outputs`.
fn found(verdict: &Value) -> (&str, u64, u64) {
    let count = |name: &str| verdict[name].as_u64().unwrap();
    let status = verdict["status"].as_str().unwrap();
    (status, count("remaining"), count("missing_outputs"))
}
