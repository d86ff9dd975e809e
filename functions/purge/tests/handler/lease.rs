//! Two sweeps at once, and one event twice.

use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use serde_json::json;
use shared::walk::{Call, Kernel};

use crate::support::{Place, number};

#[test]
fn a_schedules_event_that_comes_twice_sweeps_once() {
    let place = Place::new(&[]);
    place.file("one", 1, 31);
    let event = json!({"source": "aws.events", "time": "2026-11-21T00:00:00Z"});
    let first = place.invoke(event.clone());
    place.file("two", 1, 31);
    let second = place.invoke(event);
    assert_eq!(
        number(&second, "files_purged"),
        number(&first, "files_purged")
    );
    assert!(second["reason"].as_str().unwrap().contains("done before"));
    assert!(place.path("two").exists());
    let next = place.invoke(json!({"source": "aws.events", "time": "2026-11-22T00:00:00Z"}));
    assert_eq!(
        (number(&next, "files_purged"), &next["reason"]),
        (1, &json!(null))
    );
}

#[test]
fn other_options_at_the_same_time_are_another_sweep() {
    let place = Place::new(&[]);
    place.file("a", 1, 31);
    place.file("b", 1, 31);
    for name in ["a", "b"] {
        let event = json!({"time": "2026-11-21T00:00:00Z", "include": [name]});
        assert_eq!(number(&place.invoke(event), "files_purged"), 1);
    }
}

#[test]
fn without_a_time_nothing_is_a_duplicate() {
    let place = Place::new(&[]);
    for _ in 0..2 {
        place.file("old", 1, 31);
        assert_eq!(number(&place.invoke(json!({})), "files_purged"), 1);
    }
}

#[test]
fn a_sweep_that_was_not_finished_is_no_duplicate_of_itself() {
    let place = Place::new(&[]);
    place.file("old", 1, 31);
    let event = json!({"time": "2026-11-21T00:00:00Z"});
    let first = place
        .invoke_within(event.clone(), Duration::from_secs(4))
        .unwrap();
    assert_eq!(first["status"], "incomplete");
    let mut rest = event;
    rest["resume"] = first["resume"].clone();
    let rest = place.invoke(rest);
    assert_eq!(
        (&rest["status"], number(&rest, "files_purged")),
        (&json!("complete"), 1)
    );
}

#[test]
fn while_one_sweeps_another_is_refused_and_a_dry_run_is_not() {
    let (begun, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let waits = Mutex::new(Some((Arc::clone(&begun), Arc::clone(&go_on))));
    let waits = Arc::new(waits);
    let place = Place::on(&[], move || {
        let waits = Arc::clone(&waits);
        Kernel::disturbed(move |call, name| {
            let held =
                (call == Call::Unlink && name == c"old").then(|| waits.lock().unwrap().take());
            if let Some((begun, go_on)) = held.flatten() {
                begun.wait();
                go_on.wait();
            }
            Ok(())
        })
    });
    place.file("old", 1, 31);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| place.invoke(json!({})));
        begun.wait();
        let second = place.invoke(json!({}));
        assert_eq!(
            (&second["status"], number(&second, "files_scanned")),
            (&json!("refused"), 0)
        );
        assert!(second["reason"].as_str().unwrap().contains("in progress"));
        assert_eq!(place.invoke(json!({"dry_run": true}))["status"], "complete");
        go_on.wait();
        assert_eq!(number(&first.join().unwrap(), "files_purged"), 1);
    });
    assert_eq!(place.invoke(json!({}))["status"], "complete");
}
