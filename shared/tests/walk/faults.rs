//! Calls that fail: tried again when that may help, else counted, named, and passed over.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Mutex;
use std::time::Duration;

use shared::walk::{Call, End, Errno, Kernel, Options, SAMPLES_MAX};
use tempfile::tempdir;

use crate::support::{census, grid, naive};

const TRANSIENT: [Errno; 6] = [
    Errno::IO,
    Errno::STALE,
    Errno::AGAIN,
    Errno::INTR,
    Errno::TIMEDOUT,
    Errno::BUSY,
];

const PERMANENT: [Errno; 6] = [
    Errno::ACCESS,
    Errno::PERM,
    Errno::ROFS,
    Errno::NAMETOOLONG,
    Errno::MFILE,
    Errno::LOOP,
];

fn options() -> Options {
    Options {
        retry_delay: Duration::ZERO,
        ..Options::default()
    }
}

/// Fails `call` on `name` so many times.
fn failing(call: Call, name: &str, errno: Errno, times: usize) -> Kernel {
    let name = CString::new(name).unwrap();
    let left = Mutex::new(times);
    Kernel::disturbed(move |asked, on| {
        let mut left = left.lock().unwrap();
        if asked == call && *on == *name && *left > 0 {
            *left -= 1;
            return Err(errno);
        }
        Ok(())
    })
}

#[test]
fn what_passes_within_three_tries_is_no_error() {
    let root = tempdir().unwrap();
    grid(root.path(), 4, 3);
    for errno in TRANSIENT {
        for call in [Call::Open, Call::ReadDir] {
            let outcome = census(root.path(), failing(call, "d1", errno, 2), options());
            assert_eq!(outcome.snapshot.totals.errors, 0, "{call:?} {errno}");
            assert_eq!(
                outcome.snapshot.totals.tally.sorted(),
                naive(root.path()).sorted()
            );
        }
    }
}

#[test]
fn what_does_not_pass_is_counted_named_and_passed_over() {
    let root = tempdir().unwrap();
    grid(root.path(), 4, 3);
    for (errno, times) in TRANSIENT
        .map(|errno| (errno, 3))
        .into_iter()
        .chain(PERMANENT.map(|errno| (errno, 1)))
    {
        for call in [Call::Open, Call::ReadDir] {
            let outcome = census(root.path(), failing(call, "d1", errno, times), options());
            let totals = outcome.snapshot.totals;
            assert_eq!(
                (outcome.end, totals.errors),
                (End::Complete, 1),
                "{call:?} {errno}"
            );
            assert_eq!(totals.samples[0].path, "d1");
            let cause = std::io::Error::from(errno).to_string();
            assert_eq!(
                totals.samples[0].error,
                format!("{}: {cause}", call.label())
            );
            assert_eq!(totals.tally.entries.len(), 4 + 3 * 3, "{call:?} {errno}");
        }
    }
}

#[test]
fn a_type_that_is_not_told_is_asked_for() {
    let root = tempdir().unwrap();
    grid(root.path(), 3, 3);
    std::os::unix::fs::symlink("/", root.path().join("link")).unwrap();
    let untold = Kernel::disturbed(|call, _| match call {
        Call::EntryType => Err(Errno::NOTSUP),
        _ => Ok(()),
    });
    let outcome = census(root.path(), untold, options());
    assert_eq!(
        outcome.snapshot.totals.tally.sorted(),
        naive(root.path()).sorted()
    );
}

#[test]
fn an_entry_whose_type_cannot_be_learned_is_an_error_and_one_that_is_gone_is_not() {
    let root = tempdir().unwrap();
    grid(root.path(), 1, 3);
    for (errno, errors) in [(Errno::ACCESS, 1), (Errno::IO, 1), (Errno::NOENT, 0)] {
        let untold = Kernel::disturbed(move |call, name| match call {
            Call::EntryType => Err(Errno::NOTSUP),
            Call::Stat if name == c"f1" => Err(errno),
            _ => Ok(()),
        });
        let outcome = census(root.path(), untold, options());
        assert_eq!(outcome.snapshot.totals.errors, errors, "{errno}");
        assert_eq!(outcome.snapshot.totals.tally.entries.len(), 3, "{errno}");
    }
}

#[test]
fn a_directory_that_is_gone_is_no_error() {
    let root = tempdir().unwrap();
    grid(root.path(), 4, 3);
    for call in [Call::Open, Call::ReadDir] {
        let outcome = census(root.path(), failing(call, "d1", Errno::NOENT, 1), options());
        assert_eq!(
            (outcome.end, outcome.snapshot.totals.errors),
            (End::Complete, 0)
        );
    }
}

#[test]
fn of_many_errors_the_first_ten_are_named_and_all_are_counted() {
    let root = tempdir().unwrap();
    grid(root.path(), 40, 1);
    let denied = Kernel::disturbed(|call, name| match call {
        Call::Open if !name.is_empty() => Err(Errno::ACCESS),
        _ => Ok(()),
    });
    let outcome = census(root.path(), denied, options());
    assert_eq!(outcome.snapshot.totals.errors, 40);
    assert_eq!(outcome.snapshot.totals.samples.len(), SAMPLES_MAX);
}

#[test]
fn no_call_is_made_a_fourth_time() {
    let root = tempdir().unwrap();
    grid(root.path(), 1, 1);
    let calls = std::sync::Arc::new(Mutex::new(HashMap::<_, u32>::new()));
    let seen = std::sync::Arc::clone(&calls);
    let broken = Kernel::disturbed(move |call, name| {
        let asked = (call, name.to_owned());
        *seen.lock().unwrap().entry(asked).or_default() += 1;
        match call {
            Call::Open if name == c"d0" => Err(Errno::IO),
            _ => Ok(()),
        }
    });
    census(root.path(), broken, options());
    assert_eq!(calls.lock().unwrap()[&(Call::Open, c"d0".to_owned())], 3);
}
