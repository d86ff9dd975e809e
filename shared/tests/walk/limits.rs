//! Many directories, few descriptors, little time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use shared::walk::{
    Call, End, Kernel, Options, PROGRESS_EVERY, Token, Totals, progress_lines, run,
};
use tempfile::tempdir;

use crate::support::{Census, Seen, census, grid, naive, quick_tempdir, sliced, walk};

#[test]
fn fifty_thousand_children_are_walked_by_one_four_and_sixty_four() {
    let root = quick_tempdir();
    grid(root.path(), 50_000, 0);
    for concurrency in [1, 4, 64] {
        let options = Options {
            concurrency,
            ..Options::default()
        };
        let outcome = census(root.path(), Kernel::default(), options);
        assert_eq!(outcome.end, End::Complete);
        assert_eq!(outcome.snapshot.totals.tally.listed, 50_001);
        assert_eq!(outcome.snapshot.totals.tally.entries.len(), 50_000);
    }
}

#[test]
fn a_reader_that_stood_aside_when_the_walk_stopped_hands_no_child_on_twice() {
    let root = tempdir().unwrap();
    grid(root.path(), 3_000, 1);
    let options = Options {
        frontier_max: 64,
        ..Options::default()
    };
    let (slices, outcome) = sliced(root.path(), &options, 1_500);
    assert!(slices > 2, "{slices}");
    assert_eq!(
        outcome.snapshot.totals.tally.sorted(),
        naive(root.path()).sorted()
    );
}

#[test]
fn sixty_four_calls_are_in_flight_at_once_and_never_more_than_asked_for() {
    let root = tempdir().unwrap();
    grid(root.path(), 600, 1);
    let in_flight = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let seen = Arc::clone(&in_flight);
    let kernel = Kernel::disturbed(move |call, _| {
        if matches!(call, Call::Open | Call::ReadDir) {
            let now = seen.0.fetch_add(1, Ordering::SeqCst) + 1;
            seen.1.fetch_max(now, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
            seen.0.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(())
    });
    let outcome = census(root.path(), kernel, Options::default());
    assert_eq!(outcome.end, End::Complete);
    let peak = in_flight.1.load(Ordering::SeqCst);
    assert!((33..=64).contains(&peak), "{peak}");
    assert_eq!(outcome.snapshot.concurrency_peak, 64);
}

#[test]
fn before_the_deadline_it_stops_and_the_next_run_goes_on() {
    let root = tempdir().unwrap();
    grid(root.path(), 100, 5);
    let slow = Kernel::disturbed(|_, _| {
        std::thread::sleep(Duration::from_millis(2));
        Ok(())
    });
    let options = Options {
        concurrency: 1,
        answer_within: Some(Duration::from_millis(5_100)),
        ..Options::default()
    };
    let began = Instant::now();
    let outcome = census(root.path(), slow, options);
    assert_eq!(outcome.end, End::Incomplete);
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "stops with seconds to spare"
    );
    let token = Token::decode(&outcome.resume.unwrap().encode().unwrap()).unwrap();
    let mut rest = walk(
        root.path(),
        Kernel::default(),
        Census::of(u64::MAX),
        Options::default(),
    );
    rest.resume = Some(token);
    let rest = run(rest, |_| {}).unwrap();
    assert_eq!(
        rest.snapshot.totals.tally.sorted(),
        naive(root.path()).sorted()
    );
}

#[test]
fn calls_that_never_come_back_are_given_up_and_nothing_else_is_lost() {
    let root = tempdir().unwrap();
    grid(root.path(), 20, 3);
    let hold = Arc::new((Mutex::new(true), Condvar::new()));
    let gate = Arc::clone(&hold);
    let stuck = Kernel::disturbed(move |call, name| {
        if call == Call::ReadDir && name == c"d7" {
            let held_back = gate.1.wait_while(gate.0.lock().unwrap(), |held| *held);
            drop(held_back.unwrap());
        }
        Ok(())
    });
    let options = Options {
        stall_after: Duration::from_millis(300),
        ..Options::default()
    };
    let outcome = census(root.path(), stuck, options);
    assert_eq!(outcome.end, End::Stalled);
    assert_eq!(outcome.snapshot.totals.tally.listed, 20);
    let mut rest = walk(
        root.path(),
        Kernel::default(),
        Census::of(u64::MAX),
        Options::default(),
    );
    rest.resume = outcome.resume;
    let rest = run(rest, |_| {}).unwrap();
    assert_eq!(rest.end, End::Complete);
    assert_eq!(
        rest.snapshot.totals.tally.sorted(),
        naive(root.path()).sorted()
    );
    *hold.0.lock().unwrap() = false;
    hold.1.notify_all();
}

#[test]
fn too_little_memory_lowers_the_limit_and_ends_nothing() {
    let root = tempdir().unwrap();
    grid(root.path(), 200, 2);
    let slow = Kernel::disturbed(|_, _| {
        std::thread::sleep(Duration::from_millis(1));
        Ok(())
    });
    let options = Options {
        memory_limit_bytes: Some(1),
        ..Options::default()
    };
    let outcome = census(root.path(), slow, options);
    assert_eq!(outcome.end, End::Complete);
    assert!(outcome.snapshot.memory_backpressure_events > 0);
    assert!(outcome.snapshot.concurrency_peak <= 8);
    assert_eq!(outcome.snapshot.totals.tally.listed, 201);
}

#[test]
fn progress_is_said_as_often_as_asked() {
    let root = tempdir().unwrap();
    grid(root.path(), 150, 1);
    let said = |every: Duration| {
        let slow = Kernel::disturbed(|_, _| {
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        });
        let options = Options {
            concurrency: 1,
            ..Options::default()
        };
        let walk = walk(root.path(), slow, Census::of(u64::MAX), options);
        let mut listed = Vec::new();
        let lines = progress_lines(every, |totals: &Totals<Seen>| {
            listed.push(totals.tally.listed);
        });
        let outcome = run(walk, lines).unwrap();
        assert_eq!(outcome.end, End::Complete);
        listed
    };
    let often = said(Duration::from_millis(100));
    assert!(often.len() > 2 && often.is_sorted(), "{often:?}");
    assert_eq!(said(PROGRESS_EVERY), [0; 0]);
}
