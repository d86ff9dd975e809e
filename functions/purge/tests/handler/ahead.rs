//! The second look at a file, and how far it is ahead of the removals.

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::json;
use shared::walk::{Call, Kernel};

use crate::support::{Place, number};

const FILES: usize = 8;

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Seen {
    looked_at: HashSet<Vec<u8>>,
    /// Files looked at once more, however often.
    looked_at_again: HashSet<Vec<u8>>,
    removals: usize,
    /// At each removal: files whose second look had begun by then.
    looks_at_removal: Vec<usize>,
}

/// Purges one directory. Each removal but the last waits until the next look has begun, if `overlap` says that it will.
fn purge(concurrency: usize, overlap: bool) -> Vec<usize> {
    let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
    let shown = Arc::clone(&seen);
    let place = Place::on(&[], move || {
        let seen = Arc::clone(&seen);
        Kernel::disturbed(move |call, name| {
            if name.to_bytes().starts_with(b"old") {
                note(&seen, call, name.to_bytes(), overlap);
            }
            Ok(())
        })
    });
    for file in 0..FILES {
        place.file(format!("d/old{file}"), 1, 31);
    }
    let answer = place.invoke(json!({ "concurrency": concurrency }));
    assert_eq!(number(&answer, "files_purged"), FILES as u64);
    let seen = shown.0.lock().unwrap();
    seen.looks_at_removal.clone()
}

fn note((seen, changed): &(Mutex<Seen>, Condvar), call: Call, name: &[u8], overlap: bool) {
    let mut now = seen.lock().unwrap();
    match call {
        Call::Stat if !now.looked_at.insert(name.to_vec()) => {
            now.looked_at_again.insert(name.to_vec());
            changed.notify_all();
        }
        Call::Unlink => {
            now.removals += 1;
            if overlap {
                let next = FILES.min(now.removals + 1);
                let waits = |now: &mut Seen| now.looked_at_again.len() < next;
                let waited = changed.wait_timeout_while(now, PATIENCE, waits);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
                // Whoever would look further ahead may do so now.
                for _ in 0..1_000 {
                    std::thread::yield_now();
                }
                now = seen.lock().unwrap();
            }
            let looks = now.looked_at_again.len();
            now.looks_at_removal.push(looks);
        }
        _ => {}
    }
}

#[test]
fn the_next_file_is_looked_at_beside_a_removal_and_no_file_further_ahead() {
    let expected: Vec<usize> = (1..=FILES).map(|removal| FILES.min(removal + 1)).collect();
    assert_eq!(purge(64, true), expected);
}

#[test]
fn with_one_call_at_a_time_each_look_comes_right_before_its_removal() {
    let expected: Vec<usize> = (1..=FILES).collect();
    assert_eq!(purge(1, false), expected);
}

#[test]
fn a_file_that_is_refreshed_while_the_removal_before_it_hangs_stays() {
    let directory = Arc::new(OnceLock::<PathBuf>::new());
    let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
    let refreshed = Arc::new(Mutex::new(None));
    let (below, shown, name) = (
        Arc::clone(&directory),
        Arc::clone(&seen),
        Arc::clone(&refreshed),
    );
    let place = Place::on(&[], move || {
        let (below, seen, refreshed) = (Arc::clone(&below), Arc::clone(&shown), Arc::clone(&name));
        Kernel::disturbed(move |call, name| {
            let name = name.to_bytes();
            if name.starts_with(b"old") && refreshed.lock().unwrap().is_none() {
                note(&seen, call, name, call == Call::Unlink);
                if call == Call::Unlink {
                    let next = refresh_next(&seen.0, below.get().unwrap(), name);
                    *refreshed.lock().unwrap() = Some(next);
                }
            }
            Ok(())
        })
    });
    for file in 0..FILES {
        place.file(format!("d/old{file}"), 1, 31);
    }
    directory.set(place.path("d")).unwrap();
    let answer = place.invoke(json!({}));
    let survivor = refreshed.lock().unwrap().clone().unwrap();
    assert!(survivor.exists(), "{survivor:?}: {answer}");
    assert_eq!(number(&answer, "files_purged"), FILES as u64 - 1);
}

/// In the middle of a removal that takes far too long, somebody writes the file that was looked at ahead of it.
fn refresh_next(seen: &Mutex<Seen>, directory: &std::path::Path, removed: &[u8]) -> PathBuf {
    std::thread::sleep(Duration::from_millis(60));
    let seen = seen.lock().unwrap();
    let mut ahead = seen.looked_at_again.iter().filter(|name| *name != removed);
    let next = directory.join(str::from_utf8(ahead.next().unwrap()).unwrap());
    let file = File::options().append(true).open(&next).unwrap();
    file.set_modified(SystemTime::now()).unwrap();
    next
}
