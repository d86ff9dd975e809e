//! Clocks that are wrong: files from the future, a server ahead of us or behind.

use std::fs::{self, File, FileTimes};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use shared::walk::{Kernel, Options, run};

use crate::direct::{purge, quick_tempdir, walk};
use crate::support::{DAY, Place, numbers};

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn what_is_from_the_future_is_young() {
    let place = Place::new(&[("PURGE_REMOVE_EMPTY_DIRS", "true")]);
    place.file("old", 1, 31);
    place.dir("old-dir", 31);
    place.file("d/hour", 1, 0);
    place.file("d/years", 1, 0);
    place.dir("dir", 0);
    for (name, ahead) in [("d/hour", HOUR), ("d/years", 3_650 * DAY), ("dir", HOUR)] {
        let times = FileTimes::new().set_modified(SystemTime::now() + ahead);
        File::open(place.path(name))
            .unwrap()
            .set_times(times)
            .unwrap();
    }
    for age_by in ["mtime", "newest"] {
        let (dry, real) = place.dry_and_real(json!({"age_by": age_by}));
        for answer in [dry, real] {
            let due = u64::from(age_by == "mtime");
            assert_eq!(
                numbers(&answer, ["files_to_purge", "dirs_to_purge", "errors"]),
                [due, due, 0]
            );
        }
    }
    assert!(place.path("d/hour").exists() && place.path("d/years").exists());
    assert!(place.path("dir").exists() && !place.path("old").exists());
}

#[test]
fn a_cutoff_in_the_far_past_spares_even_what_has_no_date() {
    let place = Place::new(&[]);
    let undated = place.file("undated", 1, 0);
    let times = FileTimes::new().set_modified(UNIX_EPOCH);
    File::open(&undated).unwrap().set_times(times).unwrap();
    let (dry, real) = place.dry_and_real(json!({"max_age_days": 36_500}));
    for answer in [dry, real] {
        assert!(answer["cutoff"].as_str().unwrap() < "1970");
        assert_eq!(
            numbers(&answer, ["files_scanned", "files_to_purge"]),
            [1, 0]
        );
    }
    let answer = place.invoke(json!({"max_age_days": 365}));
    assert_eq!(numbers(&answer, ["files_scanned", "files_purged"]), [1, 1]);
}

#[test]
fn a_server_whose_clock_is_off_by_less_than_the_age_loses_nothing_new() {
    let root = quick_tempdir();
    fs::create_dir(root.path().join("d")).unwrap();
    fs::write(root.path().join("d/f"), "x").unwrap();
    let now = SystemTime::now();
    // By our clock: behind the server's, as far ahead as a file may be old, and further than that.
    for (ours, goes) in [
        (now - 365 * DAY, false),
        (now - HOUR, false),
        (now + HOUR, false),
        (now + 23 * HOUR, false),
        (now + 25 * HOUR, true),
    ] {
        let sweep = purge(ours, 1.0, true);
        let swept = walk(root.path(), Kernel::default(), sweep, Options::default());
        let tally = run(swept, |_| {}).unwrap().snapshot.totals.tally;
        let due = u64::from(goes);
        assert_eq!([tally.files_purged, tally.dirs_purged], [due, due]);
        assert_eq!(root.path().join("d/f").exists(), !goes);
    }
}
