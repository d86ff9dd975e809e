//! A sweep that many invocations share does what one does.

use std::fs;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::model::{name, node, plant};
use crate::steps::{all_steps, ranges, slow_after_three, step, to_the_end, wide};
use crate::support::{Place, number, numbers};

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn many_do_what_one_does(
        nodes in vec((any::<usize>(), name(), node()), 0..80),
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

#[test]
fn a_directory_of_very_many_entries_is_shared() {
    let place = Place::new(&[]);
    fs::create_dir(place.path("large")).unwrap();
    for number in 0..20_001 {
        fs::File::create(place.path(format!("large/{number}"))).unwrap();
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
fn a_range_that_runs_out_of_time_goes_on_where_it_stopped_also_with_its_empty_directories() {
    let place = slow_after_three();
    for directory in 0..12 {
        for file in 0..3 {
            place.file(format!("d{directory}/f{file}"), 10, 40);
        }
        crate::support::age(&place.path(format!("d{directory}")), 40);
    }
    let plan = place.invoke(json!({
        "action": "plan", "workers": 1, "concurrency": 1, "remove_empty_dirs": true,
    }));
    let mut interrupted = 0;
    for range in ranges(&plan) {
        let mut part = step(&plan, "range", &json!({"range": range}));
        let short = Duration::from_millis(5_400);
        let answer = place.invoke_within(part.clone(), short).unwrap();
        if answer["status"] == "incomplete" {
            interrupted += 1;
            part["resume"] = answer["resume"].clone();
            to_the_end(&place, part);
        }
    }
    assert!(interrupted > 0);
    let found = to_the_end(&place, step(&plan, "finish", &json!({})));
    let counts = ["files_scanned", "files_purged", "dirs_purged"];
    assert_eq!(numbers(&found, counts), [36, 36, 12]);
    assert_eq!(place.names().len(), 0);
}

#[test]
fn an_empty_directory_that_many_were_at_goes_only_if_all_left_nothing_in_it() {
    for keeps in [false, true] {
        let place = Place::new(&[]);
        for directory in 0..9 {
            place.file(format!("top/d{directory}/f"), 10, 40);
        }
        if keeps {
            place.file("top/d4/young", 10, 1);
        }
        for directory in 0..9 {
            crate::support::age(&place.path(format!("top/d{directory}")), 40);
        }
        crate::support::age(&place.path("top"), 40);
        let mut payload = json!({
            "action": "plan", "workers": 2, "remove_empty_dirs": true, "dry_run": true,
        });
        // A dry run has no kernel that would refuse to remove what is not empty.
        let dry = all_steps(&place, &payload);
        assert_eq!(number(&dry, "dirs_to_purge"), if keeps { 8 } else { 10 });
        payload["dry_run"] = json!(false);
        let found = all_steps(&place, &payload);
        assert_eq!(place.path("top").exists(), keeps);
        assert_eq!(number(&found, "dirs_purged"), if keeps { 8 } else { 10 });
    }
}

#[test]
fn an_empty_directory_that_was_made_anew_before_the_end_stays() {
    let place = Place::new(&[]);
    for directory in 0..9 {
        place.dir(format!("d{directory}"), 40);
    }
    let payload = json!({"action": "plan", "workers": 1, "remove_empty_dirs": true});
    let plan = place.invoke(payload);
    for range in ranges(&plan) {
        to_the_end(&place, step(&plan, "range", &json!({"range": range})));
    }
    // Made first, so that it cannot have the other one's number.
    place.dir("new", 40);
    fs::remove_dir(place.path("d4")).unwrap();
    fs::rename(place.path("new"), place.path("d4")).unwrap();
    let found = to_the_end(&place, step(&plan, "finish", &json!({})));
    assert_eq!(number(&found, "dirs_purged"), 8);
    assert!(place.path("d4").exists());
}

#[test]
fn the_cap_on_empty_directories_holds_for_all_ranges_together() {
    let place = Place::new(&[]);
    for directory in 0..40 {
        place.dir(format!("d{directory}"), 40);
    }
    let payload = json!({
        "action": "plan", "workers": 3, "remove_empty_dirs": true, "max_empty_dirs": 25,
    });
    let found = all_steps(&place, &payload);
    assert_eq!(number(&found, "dirs_purged"), 25);
    assert_eq!(place.names().len(), 15);
}

#[test]
fn a_plan_keeps_how_fast_it_may_go() {
    let place = Place::new(&[]);
    wide(&place, 9, 9);
    let plan = place.invoke(json!({
        "action": "plan", "workers": 1, "concurrency": 1, "dry_run": true,
    }));
    for range in ranges(&plan) {
        let answer = to_the_end(&place, step(&plan, "range", &json!({"range": range})));
        assert!(number(&answer, "concurrency_peak") <= 1, "{answer}");
    }
}
