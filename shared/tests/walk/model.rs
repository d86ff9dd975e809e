//! The walk and the simplest program see the same, whatever the tree, the limits and the slices.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use shared::walk::{End, Kernel, Options};
use tempfile::tempdir;

use crate::support::{Node, census, naive, plant, sliced};

pub(crate) fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("part of a name", |byte| !matches!(byte, 0 | b'/'));
    let any_bytes = vec(byte, 1..20);
    let longest = any::<u8>().prop_map(|byte| vec![byte.max(b'0'); 255]);
    prop_oneof![8 => any_bytes, 4 => "[a-e]{1,2}".prop_map(String::into_bytes), 1 => longest]
        .prop_filter("a name", |name| !matches!(&**name, b"." | b".."))
}

pub(crate) fn node() -> impl Strategy<Value = Node> {
    let targets = prop_oneof![
        Just(".."),
        Just("."),
        Just("/"),
        Just("gone"),
        Just("/etc/passwd"),
        Just("a")
    ];
    prop_oneof![
        6 => Just(Node::Directory),
        6 => Just(Node::File),
        1 => Just(Node::HardLink),
        2 => targets.prop_map(Node::Symlink),
        1 => Just(Node::Fifo),
        1 => Just(Node::Socket),
    ]
}

pub(crate) fn options() -> impl Strategy<Value = Options> {
    let concurrency = prop_oneof![Just(1), Just(4), Just(64)];
    let limits = (
        concurrency,
        1..8_usize,
        0..8_usize,
        prop_oneof![Just(512), Just(32_768)],
    );
    limits.prop_map(
        |(concurrency, frontier_max, descriptors_max, buffer_bytes)| Options {
            concurrency,
            frontier_max,
            descriptors_max,
            buffer_bytes,
            ..Options::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn it_sees_what_a_naive_walk_sees(
        nodes in vec((any::<usize>(), name(), node()), 0..120),
        options in options(),
    ) {
        let root = tempdir().unwrap();
        plant(root.path(), &nodes);
        let outcome = census(root.path(), Kernel::default(), options);
        prop_assert_eq!(outcome.end, End::Complete);
        prop_assert_eq!(outcome.snapshot.totals.errors, 0);
        prop_assert_eq!(outcome.snapshot.totals.tally.sorted(), naive(root.path()).sorted());
    }

    #[test]
    fn slices_come_to_what_the_whole_does(
        nodes in vec((any::<usize>(), name(), node()), 0..120),
        options in options(),
        entries in 1..40_u64,
    ) {
        let root = tempdir().unwrap();
        plant(root.path(), &nodes);
        let (_, outcome) = sliced(root.path(), &options, entries);
        prop_assert_eq!(outcome.end, End::Complete);
        prop_assert_eq!(outcome.snapshot.totals.tally.sorted(), naive(root.path()).sorted());
    }
}

fn chain(root: &Path, depth: usize) {
    let mut path = root.to_owned();
    for _ in 0..depth {
        path.push("d");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("f"), "").unwrap();
    }
}

#[test]
fn a_thousand_levels_are_walked_with_or_without_descriptors_to_spare() {
    let root = tempdir().unwrap();
    chain(root.path(), 1_000);
    for descriptors_max in [0, 512] {
        let options = Options {
            descriptors_max,
            ..Options::default()
        };
        let outcome = census(root.path(), Kernel::default(), options);
        assert_eq!(outcome.end, End::Complete);
        assert_eq!(outcome.snapshot.totals.tally.listed, 1_001);
        assert_eq!(outcome.snapshot.totals.tally.entries.len(), 2_000);
    }
}

#[test]
fn a_thousand_levels_are_walked_in_slices() {
    let root = tempdir().unwrap();
    chain(root.path(), 1_000);
    let (slices, outcome) = sliced(root.path(), &Options::default(), 150);
    assert!(slices > 3, "{slices}");
    assert_eq!(outcome.snapshot.totals.tally.listed, 1_001);
    assert_eq!(outcome.snapshot.totals.tally.entries.len(), 2_000);
}

#[test]
fn every_entry_as_the_end_of_a_slice_comes_to_the_whole() {
    let root = tempdir().unwrap();
    crate::support::grid(root.path(), 12, 5);
    let whole = naive(root.path()).sorted();
    let options = Options {
        concurrency: 4,
        ..Options::default()
    };
    for entries in 1..=u64::try_from(whole.entries.len()).unwrap() + 1 {
        let (_, outcome) = sliced(root.path(), &options, entries);
        assert_eq!(outcome.snapshot.totals.tally.sorted(), whole, "{entries}");
    }
}
