//! The units of a plan are the tree: nothing is left out, nothing is in two of them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use shared::walk::{
    Attributes, Call, Errno, Kernel, Options, Plan, PlanLimits, Removable, Root, Token, plan,
};
use tempfile::tempdir;

use crate::model::{name, node, options};
use crate::support::{Is, Seen, grid, naive, plant, sliced_from};

/// What tokens say here: that of `support::walk`.
const JOB: &str = "census";

fn limits(units_min: usize, entries_max: u64) -> PlanLimits {
    PlanLimits {
        units_min,
        entries_max,
        time: Duration::from_mins(1),
    }
}

fn planned(root: &Path, kernel: &Kernel, limits: PlanLimits) -> (Root, Plan) {
    let root = Root::open(kernel, root).unwrap();
    let plan = plan(&root, kernel, limits, None);
    (root, plan)
}

/// Everything that is no directory, in order, and how many directories there were.
fn without_directories(seen: Seen) -> (Vec<(Vec<u8>, Is)>, u64) {
    let listed = seen.listed;
    let mut entries = seen.sorted().entries;
    entries.retain(|(_, is)| *is != Is::Directory);
    (entries, listed)
}

/// What the walks of all units have seen together, `at_once` of them by each.
fn seen_by_units(root: &Path, limits: PlanLimits, at_once: usize, options: &Options) -> Seen {
    let (open, plan) = planned(root, &Kernel::default(), limits);
    let text = serde_json::to_string(&plan).unwrap();
    let plan = serde_json::from_str::<Plan>(&text)
        .unwrap()
        .checked()
        .unwrap();
    let mut seen = Seen::default();
    for from in (0..plan.units()).step_by(at_once) {
        let range = from..plan.units().min(from + at_once);
        let token: Token<Seen> = plan.token(range, JOB.to_owned(), open.inode(), 0).unwrap();
        let (_, outcome) = sliced_from(Some(token), root, options, 7);
        assert_eq!(outcome.snapshot.totals.errors, 0);
        seen += outcome.snapshot.totals.tally;
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_walks_of_all_units_see_the_tree_once(
        nodes in vec((any::<usize>(), name(), node()), 0..120),
        options in options(),
        units_min in 1..30_usize,
        entries_max in 1..12_u64,
        at_once in 1..6_usize,
    ) {
        let root = tempdir().unwrap();
        plant(root.path(), &nodes);
        let seen = seen_by_units(root.path(), limits(units_min, entries_max), at_once, &options);
        prop_assert_eq!(without_directories(seen), without_directories(naive(root.path())));
    }
}

#[test]
fn there_are_as_many_units_as_asked_for_where_the_tree_has_them() {
    let root = tempdir().unwrap();
    grid(root.path(), 10, 3);
    for directory in 0..10 {
        grid(&root.path().join(format!("d{directory}")), 10, 1);
    }
    for units_min in [1, 2, 11, 12, 50, 100] {
        let (_, plan) = planned(root.path(), &Kernel::default(), limits(units_min, 20_000));
        assert!(plan.units() >= units_min, "{units_min}: {}", plan.units());
        assert!(
            plan.units() <= units_min + 11,
            "{units_min}: {}",
            plan.units()
        );
    }
}

#[test]
fn a_directory_is_cut_by_names_only_above_the_limit() {
    let root = tempdir().unwrap();
    for number in 0..100 {
        fs::write(root.path().join(number.to_string()), "").unwrap();
    }
    for (entries_max, units) in [(99, 8), (100, 1), (101, 1)] {
        let (_, plan) = planned(root.path(), &Kernel::default(), limits(8, entries_max));
        assert_eq!(plan.units(), units, "{entries_max}");
    }
}

#[test]
fn a_large_directory_is_cut_also_where_there_are_units_enough_without_it() {
    let root = tempdir().unwrap();
    grid(root.path(), 10, 3);
    for number in 0..40 {
        fs::write(root.path().join(format!("d9/large-{number}")), "").unwrap();
    }
    for (entries_max, parts_of_d9) in [(20, 3), (100, 1)] {
        let limits = limits(4, entries_max);
        let (_, plan) = planned(root.path(), &Kernel::default(), limits);
        // The root's files, nine directories, and the large one.
        assert_eq!(plan.units(), 1 + 9 + parts_of_d9, "{entries_max}");
        let seen = seen_by_units(root.path(), limits, 2, &Options::default());
        assert_eq!(
            without_directories(seen),
            without_directories(naive(root.path()))
        );
    }
}

#[test]
fn our_own_directory_is_no_unit() {
    let root = tempdir().unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    fs::create_dir_all(root.path().join(".sluice/plans")).unwrap();
    let (_, plan) = planned(root.path(), &Kernel::default(), limits(8, 20_000));
    assert_eq!(plan.units(), 2, "the root's files, and one directory");
}

#[test]
fn a_directory_that_cannot_be_read_stays_whole_and_one_that_can_after_all_does_not() {
    let root = tempdir().unwrap();
    grid(root.path(), 2, 0);
    for directory in ["d0", "d1"] {
        grid(&root.path().join(directory), 3, 1);
    }
    for (failures, units) in [(2, 9), (3, 6)] {
        let left = std::sync::atomic::AtomicU32::new(failures);
        let kernel = Kernel::disturbed(move |call, name| {
            use std::sync::atomic::Ordering::SeqCst;
            let fails = call == Call::Open
                && name == c"d0"
                && left
                    .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
                    .is_ok();
            if fails { Err(Errno::IO) } else { Ok(()) }
        });
        let (_, plan) = planned(root.path(), &kernel, limits(9, 20_000));
        assert_eq!(plan.units(), units, "{failures}");
    }
}

#[test]
fn a_unit_leads_nowhere_else() {
    let root = tempdir().unwrap();
    grid(root.path(), 2, 1);
    let (_, plan) = planned(root.path(), &Kernel::default(), limits(3, 20_000));
    let text = serde_json::to_string(&plan).unwrap();
    assert!(text.contains("\"n\":\"d1\""), "{text}");
    for (from, to) in [
        ("d1", "%2E%2E"),
        ("d1", "a%2Fb"),
        ("\"node\":1", "\"node\":9"),
    ] {
        let edited = text.replace(from, to);
        assert_ne!(edited, text, "{from}");
        let refused = serde_json::from_str::<Plan>(&edited).unwrap().checked();
        assert!(refused.is_err(), "{to}");
    }
}

#[test]
fn a_cut_directory_is_judged_before_anything_in_it_is_touched() {
    let root = tempdir().unwrap();
    grid(root.path(), 3, 0);
    for directory in 0..3 {
        grid(&root.path().join(format!("d{directory}")), 2, 1);
    }
    let kernel = Kernel::default();
    let open = Root::open(&kernel, root.path()).unwrap();
    let asked = std::cell::RefCell::new(Vec::new());
    let removable = |path: &[u8], _: &Attributes| {
        asked.borrow_mut().push(OsStr::from_bytes(path).to_owned());
        true
    };
    let removable: &Removable<'_> = &removable;
    let _ = plan(&open, &kernel, limits(10, 20_000), Some(removable));
    let mut asked = asked.into_inner();
    asked.sort();
    assert_eq!(asked, ["d0", "d1", "d2"], "never the root");
}
