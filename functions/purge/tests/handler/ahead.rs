//! The second look at a file, and how far it is ahead of the removals.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use shared::walk::{Call, Kernel};

use crate::support::{Place, number};

const FILES: usize = 8;

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Seen {
    looked_at: HashSet<Vec<u8>>,
    second_looks: usize,
    removals: usize,
    /// At each removal: second looks begun by then.
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
            now.second_looks += 1;
            changed.notify_all();
        }
        Call::Unlink => {
            now.removals += 1;
            if overlap {
                let next = FILES.min(now.removals + 1);
                let waits = |now: &mut Seen| now.second_looks < next;
                let waited = changed.wait_timeout_while(now, PATIENCE, waits);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
                // Whoever would look further ahead may do so now.
                for _ in 0..1_000 {
                    std::thread::yield_now();
                }
                now = seen.lock().unwrap();
            }
            let looks = now.second_looks;
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
