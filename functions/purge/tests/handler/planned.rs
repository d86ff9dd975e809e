//! A sweep that many invocations share does what one does.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::walk::{Call, Kernel};

use crate::model::{node, plant};
use crate::support::{MINUTE, Place, number, numbers};

/// What must add up to the same, however many took part.
const COUNTS: [&str; 10] = [
    "files_scanned",
    "files_purged",
    "files_to_purge",
    "dirs_scanned",
    "dirs_purged",
    "dirs_to_purge",
    "bytes_freed",
    "symlinks_skipped",
    "special_files_skipped",
    "errors",
];

fn step(plan: &Value, action: &str, more: &Value) -> Value {
    let mut payload = json!({"action": action, "root": plan["root"], "plan": plan["plan"]});
    for (field, value) in more.as_object().unwrap() {
        payload[field] = value.clone();
    }
    payload
}

fn ranges(plan: &Value) -> Vec<Value> {
    plan["ranges"].as_array().unwrap().clone()
}

/// Goes on with a step until it is complete.
fn to_the_end(place: &Place, mut payload: Value) -> Value {
    loop {
        let answer = place.invoke(payload.clone());
        if answer["status"] != "incomplete" {
            assert_eq!(answer["status"], "complete", "{answer}");
            return answer;
        }
        payload["resume"] = answer["resume"].clone();
    }
}

/// What the state machine does with a plan.
fn all_steps(place: &Place, payload: &Value) -> Value {
    let plan = place.invoke(payload.clone());
    assert_eq!(plan["status"], "planned", "{plan}");
    if plan["counts_first"] == true {
        for range in ranges(&plan) {
            let counted = step(&plan, "range", &json!({"range": range, "pass": "count"}));
            to_the_end(place, counted);
        }
        let checked = place.invoke(step(&plan, "check", &json!({})));
        if checked["status"] == "refused" {
            return checked;
        }
    }
    for range in ranges(&plan) {
        to_the_end(place, step(&plan, "range", &json!({"range": range})));
    }
    to_the_end(place, step(&plan, "finish", &json!({})))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn many_do_what_one_does(
        nodes in vec((any::<usize>(), node()), 0..80),
        workers in 1..6_u64,
        empty_dirs in any::<bool>(),
        dry_run in any::<bool>(),
    ) {
        let (one, many) = (Place::new(&[]), Place::new(&[]));
        plant(&one, &nodes);
        plant(&many, &nodes);
        let mut payload = json!({
            "remove_empty_dirs": empty_dirs, "max_empty_dirs": 0, "dry_run": dry_run,
        });
        let expected = one.invoke(payload.clone());
        payload["action"] = json!("plan");
        payload["workers"] = json!(workers);
        let found = all_steps(&many, &payload);
        prop_assert_eq!(many.names(), one.names());
        prop_assert_eq!(numbers(&found, COUNTS), numbers(&expected, COUNTS));
    }
}

/// Directories of files, old ones and, every third, a young one.
fn wide(place: &Place, directories: usize, files: usize) {
    for directory in 0..directories {
        for file in 0..files {
            let days = if file % 3 == 0 { 1 } else { 40 };
            place.file(&format!("d{directory}/f{file}"), 10, days);
        }
    }
}

#[test]
fn a_directory_of_very_many_entries_is_shared() {
    let place = Place::new(&[]);
    fs::create_dir(place.path("large")).unwrap();
    for number in 0..20_001 {
        fs::File::create(place.path(&format!("large/{number}"))).unwrap();
    }
    place.file("large/sub/old", 10, 40);
    let plan = place.invoke(json!({"action": "plan", "workers": 2}));
    assert!(number(&plan, "units") >= 8, "{plan}");
    let parts = ranges(&plan).into_iter().map(|range| {
        let answer = to_the_end(&place, step(&plan, "range", &json!({"range": range})));
        number(&answer, "files_scanned")
    });
    let parts: Vec<u64> = parts.collect();
    assert_eq!(parts.iter().sum::<u64>(), 20_002);
    let most = parts.iter().max().unwrap();
    assert!(*most < 20_002 / 4, "{parts:?}");
    let found = to_the_end(&place, step(&plan, "finish", &json!({})));
    assert_eq!(numbers(&found, ["files_purged", "dirs_scanned"]), [1, 3]);
    assert!(!place.path("large/sub/old").exists());
}

#[test]
fn a_range_that_runs_out_of_time_goes_on_where_it_stopped() {
    let calls = Arc::new(AtomicU64::new(0));
    let stop_at = Arc::new(AtomicU64::new(u64::MAX));
    let (seen, stop) = (Arc::clone(&calls), Arc::clone(&stop_at));
    // A call that takes too long: the walk's deadline comes while it waits.
    let place = Place::on(&[], move || {
        let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
        Kernel::disturbed(move |call, _| {
            if call == Call::Unlink
                && seen.fetch_add(1, Ordering::SeqCst) == stop.load(Ordering::SeqCst)
            {
                std::thread::sleep(Duration::from_millis(700));
            }
            Ok(())
        })
    });
    wide(&place, 12, 9);
    let mut payload = json!({"action": "plan", "workers": 1, "concurrency": 1});
    payload["remove_empty_dirs"] = json!(true);
    let plan = place.invoke(payload);
    let range = ranges(&plan)[0].clone();
    stop_at.store(3, Ordering::SeqCst);
    let short = Duration::from_millis(5_400);
    let first = step(&plan, "range", &json!({"range": range}));
    let answer = place.invoke_within(first.clone(), short).unwrap();
    assert_eq!(answer["status"], "incomplete", "{answer}");
    let mut second = first;
    second["resume"] = answer["resume"].clone();
    to_the_end(&place, second);
    for range in &ranges(&plan)[1..] {
        to_the_end(&place, step(&plan, "range", &json!({"range": range})));
    }
    let found = to_the_end(&place, step(&plan, "finish", &json!({})));
    assert_eq!(
        numbers(&found, ["files_scanned", "files_purged"]),
        [12 * 9, 12 * 6]
    );
}

#[test]
fn what_is_done_is_said_again_and_not_done_again() {
    let place = Place::new(&[]);
    wide(&place, 3, 6);
    let plan = place.invoke(json!({"action": "plan", "workers": 1}));
    let range = step(&plan, "range", &json!({"range": ranges(&plan)[0]}));
    let first = to_the_end(&place, range.clone());
    place.file("d0/late", 10, 40);
    assert_eq!(place.invoke(range), first);
    for range in &ranges(&plan)[1..] {
        to_the_end(&place, step(&plan, "range", &json!({"range": range})));
    }
    let finish = step(&plan, "finish", &json!({}));
    let found = to_the_end(&place, finish.clone());
    assert_eq!(place.invoke(finish), found);
}

#[test]
fn nothing_is_finished_before_every_range_is_done() {
    let place = Place::new(&[]);
    wide(&place, 6, 3);
    let plan = place.invoke(json!({"action": "plan", "workers": 1}));
    let all = ranges(&plan);
    assert!(all.len() > 2);
    for range in &all[1..] {
        to_the_end(&place, step(&plan, "range", &json!({"range": range})));
    }
    let finish = step(&plan, "finish", &json!({}));
    let error = place.invoke_within(finish.clone(), MINUTE).unwrap_err();
    assert_eq!(error.label(), "PlanUnfinished");
    to_the_end(&place, step(&plan, "range", &json!({"range": all[0]})));
    assert_eq!(number(&to_the_end(&place, finish), "files_purged"), 12);
}

#[test]
fn a_budget_is_checked_on_the_whole_before_anything_goes() {
    for (max_deletes, allowed) in [(12, true), (11, false)] {
        let place = Place::new(&[]);
        wide(&place, 6, 3);
        let payload = json!({"action": "plan", "workers": 2, "max_deletes": max_deletes});
        let plan = place.invoke(payload);
        assert_eq!(plan["counts_first"], true);
        let sweep = step(&plan, "range", &json!({"range": ranges(&plan)[0]}));
        let unchecked = place.invoke_within(sweep.clone(), MINUTE).unwrap_err();
        assert_eq!(unchecked.label(), "PlanUnchecked");
        let check = step(&plan, "check", &json!({}));
        let uncounted = place.invoke_within(check.clone(), MINUTE).unwrap_err();
        assert_eq!(uncounted.label(), "PlanUnfinished");
        for range in ranges(&plan) {
            let counted = step(&plan, "range", &json!({"range": range, "pass": "count"}));
            to_the_end(&place, counted);
        }
        let before = place.names();
        let checked = place.invoke(check);
        assert_eq!(number(&checked, "files_to_purge"), 12);
        assert_eq!(checked["status"] == "complete", allowed, "{checked}");
        for range in ranges(&plan) {
            let sweep = step(&plan, "range", &json!({"range": range}));
            assert_eq!(place.invoke_within(sweep, MINUTE).is_ok(), allowed);
        }
        assert_eq!(place.names() != before, allowed);
    }
}

#[test]
fn an_empty_directory_that_many_were_at_goes_only_if_all_left_nothing_in_it() {
    for keeps in [false, true] {
        let place = Place::new(&[]);
        for directory in 0..9 {
            place.file(&format!("top/d{directory}/f"), 10, 40);
        }
        if keeps {
            place.file("top/d4/young", 10, 1);
        }
        for directory in 0..9 {
            crate::support::age(&place.path(&format!("top/d{directory}")), 40);
        }
        crate::support::age(&place.path("top"), 40);
        let payload = json!({"action": "plan", "workers": 2, "remove_empty_dirs": true});
        let found = all_steps(&place, &payload);
        assert_eq!(place.path("top").exists(), keeps);
        assert_eq!(number(&found, "dirs_purged"), if keeps { 8 } else { 10 });
    }
}

#[test]
fn the_cap_on_empty_directories_holds_for_all_ranges_together() {
    let place = Place::new(&[]);
    for directory in 0..40 {
        place.dir(&format!("d{directory}"), 40);
    }
    let payload = json!({
        "action": "plan", "workers": 3, "remove_empty_dirs": true, "max_empty_dirs": 25,
    });
    let found = all_steps(&place, &payload);
    assert_eq!(number(&found, "dirs_purged"), 25);
    assert_eq!(place.names().len(), 15);
}

#[test]
fn a_schedules_second_plan_is_refused_and_says_so() {
    let place = Place::new(&[]);
    wide(&place, 2, 3);
    let payload = json!({"action": "plan", "workers": 2, "time": "2026-01-01T00:00:00Z"});
    assert_eq!(place.invoke(payload.clone())["status"], "planned");
    let second = place.invoke(payload);
    assert_eq!(second["status"], "refused");
    assert_eq!(ranges(&second), Vec::<Value>::new());
    assert!(second["reason"].as_str().unwrap().contains("before"));
}

#[test]
fn settings_that_became_stricter_void_a_plan() {
    let place = Place::new(&[]);
    wide(&place, 2, 3);
    let plan = place.invoke(json!({"action": "plan", "workers": 1}));
    let stricter = place.again(&[("PURGE_MAX_DELETES", "1")]);
    let sweep = step(&plan, "range", &json!({"range": ranges(&plan)[0]}));
    let error = stricter.invoke_within(sweep, MINUTE).unwrap_err();
    assert_eq!(error.label(), "PlanOutdated");
}

#[test]
fn a_plan_or_a_range_that_is_none_is_refused() {
    let place = Place::new(&[]);
    wide(&place, 2, 3);
    let plan = place.invoke(json!({"action": "plan", "workers": 1}));
    let nobodys = json!({"action": "check", "plan": "1-x"});
    let error = place.invoke_within(nobodys, MINUTE).unwrap_err();
    assert_eq!(error.label(), "PlanFile");
    for range in [json!({"from": 0, "to": 0}), json!({"from": 0, "to": 99})] {
        let wrong = step(&plan, "range", &json!({"range": range}));
        let error = place.invoke_within(wrong, MINUTE).unwrap_err();
        assert_eq!(error.label(), "BadPayload");
    }
    let name = format!(".sluice/plans/{}/plan", plan["plan"].as_str().unwrap());
    let text = fs::read_to_string(place.path(&name)).unwrap();
    fs::write(place.path(&name), &text[..text.len() - 1]).unwrap();
    let cut_off = step(&plan, "range", &json!({"range": ranges(&plan)[0]}));
    let error = place.invoke_within(cut_off, MINUTE).unwrap_err();
    assert_eq!(error.label(), "BadToken");
}

#[test]
fn what_nobody_will_ask_for_again_is_forgotten_and_the_audit_is_not() {
    let place = Place::new(&[]);
    let kept = ["resume/new", "audit/old.jsonl", "plans/new/plan"];
    let old = ["resume/old", "plans/old/plan", "idempotency/old/0"];
    for name in kept.iter().chain(&old) {
        place.file(&format!(".sluice/{name}"), 1, 0);
    }
    for name in [
        "resume/old",
        "plans/old",
        "idempotency/old",
        "audit/old.jsonl",
    ] {
        crate::support::age(&place.path(&format!(".sluice/{name}")), 29);
    }
    place.invoke(json!({"dry_run": true}));
    assert!(place.path(".sluice/resume/old").exists());
    place.invoke(json!({}));
    for name in kept {
        assert!(place.path(&format!(".sluice/{name}")).exists(), "{name}");
    }
    for name in old {
        assert!(!place.path(&format!(".sluice/{name}")).exists(), "{name}");
    }
}
