//! Cutting the keys below a prefix into ranges that are all of them. Pure.

use crate::work::{Prefix, Range, Work};

/// Most partitions of a job: their numbers must fit into a state of the state machine, 256 KB.
pub const PARTITIONS_MAX: usize = 10_000;

/// The ranges between `boundaries`, in any order, and those before the first and after the last: each key is in exactly
/// one, whatever is written meanwhile.
#[must_use]
pub fn ranges(mut boundaries: Vec<String>) -> Vec<Work> {
    boundaries.sort_unstable();
    boundaries.dedup();
    let mut ranges = Vec::with_capacity(boundaries.len() + 1);
    let mut after = None;
    for boundary in boundaries {
        ranges.push(Work::Range(Range {
            after: after.replace(boundary.clone()),
            until: Some(boundary),
        }));
    }
    ranges.push(Work::Range(Range { after, until: None }));
    ranges
}

/// The 256 hash folders as boundaries: for keys that are spread over them, and for any that begin with hex digits.
#[must_use]
pub fn hash_folders(prefix: &str) -> Vec<String> {
    (0..=255)
        .map(|folder| format!("{prefix}{folder:02x}/"))
        .collect()
}

/// Each of `prefixes` as a partition, or the two of which one is within the other: its keys would be in both.
pub fn given(mut prefixes: Vec<String>) -> Result<Vec<Work>, (String, String)> {
    prefixes.sort_unstable();
    // In this order what begins with a prefix follows it at once.
    let overlapping = prefixes
        .windows(2)
        .find(|pair| pair[1].starts_with(&pair[0]));
    if let Some([outer, inner]) = overlapping {
        return Err((outer.clone(), inner.clone()));
    }
    let work = |prefix| Work::Prefix(Prefix { prefix });
    Ok(prefixes.into_iter().map(work).collect())
}

/// How many partitions a child of the state machine takes, so that there are at most 1,000 children.
#[must_use]
pub fn batch(partitions: usize) -> usize {
    partitions.div_ceil(1_000).max(1)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn holds(work: &Work, key: &str) -> bool {
        match work {
            Work::Range(range) => {
                let after = range.after.as_deref();
                let until = range.until.as_deref();
                after.is_none_or(|after| key > after) && until.is_none_or(|until| key <= until)
            }
            Work::Prefix(prefix) => key.starts_with(&prefix.prefix),
            Work::Part(_) => false,
        }
    }

    fn times(work: &[Work], key: &str) -> usize {
        work.iter().filter(|work| holds(work, key)).count()
    }

    #[test]
    fn without_a_boundary_there_is_one_range_of_everything() {
        assert_eq!(ranges(Vec::new()), [Work::Range(Range::default())]);
    }

    #[test]
    fn a_boundary_itself_belongs_to_the_range_that_it_ends() {
        let ranges = ranges(vec!["b".into(), "a".into(), "b".into()]);
        assert_eq!(ranges.len(), 3);
        assert!(holds(&ranges[0], "a") && !holds(&ranges[0], "a\0"));
        assert!(holds(&ranges[1], "a\0") && holds(&ranges[1], "b"));
        assert!(holds(&ranges[2], "b\0"));
    }

    #[test]
    fn hash_folders_are_256() {
        let folders = hash_folders("incoming/");
        assert_eq!(folders.len(), 256);
        assert_eq!(
            (&*folders[0], &*folders[255]),
            ("incoming/00/", "incoming/ff/")
        );
        assert!(folders.is_sorted());
    }

    #[test]
    fn prefixes_one_within_the_other_are_refused() {
        let list = |prefixes: &[&str]| given(prefixes.iter().map(|it| (*it).to_owned()).collect());
        assert!(list(&["a/", "b/", "a.", "aa/"]).is_ok());
        assert_eq!(
            list(&["a/b/", "a.", "a/"]),
            Err(("a/".into(), "a/b/".into()))
        );
        assert_eq!(list(&["a/", "a/"]), Err(("a/".into(), "a/".into())));
    }

    #[test]
    fn there_are_at_most_a_thousand_children() {
        for (partitions, batch_is) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (10_000, 10)] {
            assert_eq!(batch(partitions), batch_is);
            assert!(partitions.div_ceil(batch(partitions)) <= 1_000);
        }
    }

    proptest! {
        #[test]
        fn each_key_is_in_exactly_one_range(
            boundaries in proptest::collection::vec("[a-c/é]{0,4}", 0..12),
            keys in proptest::collection::vec("[a-d/é\u{0}]{0,5}", 1..40),
        ) {
            let ranges = ranges(boundaries.clone());
            for key in keys.iter().chain(&boundaries) {
                prop_assert_eq!(times(&ranges, key), 1, "{:?}", key);
            }
        }

        #[test]
        fn prefixes_that_are_taken_share_no_key(
            prefixes in proptest::collection::vec("[ab/]{1,3}", 0..6),
            key in "[ab/]{0,6}",
        ) {
            if let Ok(work) = given(prefixes.clone()) {
                let named = prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()));
                prop_assert_eq!(times(&work, &key), usize::from(named));
            }
        }
    }
}
