//! An outline of buckets that are lists of keys.

use proptest::prelude::*;

use super::*;
use crate::plan::tests::holds;
use crate::work::Range;

/// What is listed, a page at a time.
struct Bucket {
    keys: Vec<String>,
    page: usize,
}

/// How it was cut.
struct Cut {
    work: Vec<Work>,
    pages: usize,
}

impl Bucket {
    fn new(keys: impl IntoIterator<Item = String>, page: usize) -> Self {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        Self { keys, page }
    }

    /// As S3 does it.
    fn list(&self, ask: &Ask) -> Seen {
        let after = |key: &String| ask.after.as_ref().is_none_or(|after| key > after);
        let from = self.keys.partition_point(|key| *key < ask.prefix);
        let from = from.max(self.keys.partition_point(|key| !after(key)));
        let below = self.keys[from..].iter();
        let below = below.take_while(|key| key.starts_with(&ask.prefix));
        let listed: Vec<_> = below.take(self.page + 1).collect();
        let shown = &listed[..listed.len().min(self.page)];
        let ends = shown.first().zip(shown.last());
        Seen {
            ends: ends.map(|(first, last)| ((*first).clone(), (*last).clone())),
            is_truncated: listed.len() > self.page,
        }
    }

    fn cut(&self, prefix: &str) -> Cut {
        let mut outline = Outline::new(prefix);
        loop {
            let asks = outline.asks();
            assert!(asks.len() <= SIDE_BY_SIDE);
            if asks.is_empty() {
                break;
            }
            outline.take(asks.iter().map(|ask| self.list(ask)).collect());
        }
        let pages = outline.pages();
        assert!(pages <= PAGES_MAX);
        let work = outline.into_work();
        assert!(work.len() <= pages + 1);
        Cut { work, pages }
    }

    /// How many keys each range holds.
    fn shares(&self, cut: &Cut) -> Vec<usize> {
        let up_to = |bound: &String| self.keys.partition_point(|key| key <= bound);
        let share = |work: &Work| match work {
            Work::Range(Range { after, until }) => {
                until.as_ref().map_or(self.keys.len(), up_to) - after.as_ref().map_or(0, up_to)
            }
            other => panic!("{other:?}"),
        };
        cut.work.iter().map(share).collect()
    }

    /// Ranges, the keys of the largest one, pages.
    fn measure(&self, prefix: &str) -> [usize; 3] {
        let cut = self.cut(prefix);
        let shares = self.shares(&cut);
        assert_eq!(shares.iter().sum::<usize>(), self.keys.len());
        let largest = shares.iter().max();
        [cut.work.len(), *largest.unwrap(), cut.pages]
    }
}

/// Uniform, as a hash is, and always the same.
fn hashed(number: usize) -> String {
    let number = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    format!("{:016x}", number ^ (number >> 32))
}

/// So many keys, each in the folder of a day of two years.
fn by_day(number: usize) -> Vec<String> {
    let day = |key: usize| (2024 + key / 360 % 2, key / 30 % 12 + 1, key % 30 + 1);
    let key = |key: usize| {
        let (year, month, day) = day(key);
        format!("in/{year}/month={month:02}/{day:02}/{}", hashed(key))
    };
    (0..number).map(key).collect()
}

#[test]
fn a_page_of_keys_is_one_range_and_costs_one_request() {
    for keys in [0, 1, 99, 100] {
        let flat = (0..keys).map(|key| format!("in/{}", hashed(key)));
        assert_eq!(Bucket::new(flat, 100).cut("in/").work.len(), 1, "{keys}");
        let flat = (0..keys).map(|key| format!("in/{}", hashed(key)));
        assert_eq!(Bucket::new(flat, 100).cut("in/").pages, 1, "{keys}");
    }
    let flat = (0..700).map(|key| format!("in/{}", hashed(key)));
    let [ranges, largest, _] = Bucket::new(flat, 100).measure("in/");
    assert!(
        (4..=7).contains(&ranges) && largest <= 250,
        "{ranges}: {largest}"
    );
}

#[test]
fn folders_of_days_are_balanced_however_few_years_there_are() {
    let days = Bucket::new(by_day(50_000), 100);
    let [ranges, largest, pages] = days.measure("in/");
    assert!((64..=500).contains(&ranges), "{ranges} ranges");
    assert!(largest <= 300, "{largest} keys of 50,000 in one range");
    assert!(pages <= 800, "{pages} pages");
    // One year alone is no less.
    let year = by_day(50_000).into_iter();
    let year = year.filter(|key| key.starts_with("in/2025/"));
    let [ranges, largest, _] = Bucket::new(year, 100).measure("in/2025/");
    assert!(ranges >= 64 && largest <= 300, "{ranges}: {largest}");
}

#[test]
fn a_flat_folder_is_cut_like_hash_folders_and_no_finer() {
    let flat = (0..50_000).map(|key| format!("in/{}", hashed(key)));
    let [ranges, largest, pages] = Bucket::new(flat, 10).measure("in/");
    assert_eq!(ranges, 256);
    assert!(largest <= 2 * 50_000 / 256, "{largest} keys in one range");
    // Each of 1 + 16 places: the pages of its sixteen, and a last one.
    assert_eq!(pages, 17 * 17);
    let numbered = (0..50_000).map(|key| format!("in/{key:010}.json"));
    let [ranges, largest, _] = Bucket::new(numbered, 10).measure("in/");
    assert!(ranges >= 256 && largest <= 500, "{ranges}: {largest}");
}

#[test]
fn one_dominant_folder_among_small_ones_is_divided() {
    let small = (0..900).map(|key| format!("in/folder-{:03}/{key}", key % 300));
    let large = (0..49_100).map(|key| format!("in/folder-150-archive/{}", hashed(key)));
    let [ranges, largest, pages] = Bucket::new(small.chain(large), 100).measure("in/");
    assert!(ranges >= 200, "{ranges} ranges");
    assert!(largest <= 300, "{largest} keys in one range");
    assert!(pages <= 400, "{pages} pages");
}

#[test]
fn a_long_way_down_costs_a_few_pages_and_not_one_for_each_character() {
    let below = |chain: &str| {
        let keys = (0..50_000).map(|key| format!("in/{chain}{}", hashed(key)));
        Bucket::new(keys, 100).measure("in/")
    };
    let [flat, deep] = ["", &"year=2024/".repeat(80)].map(below);
    assert_eq!(flat[..2], deep[..2]);
    assert!(
        deep[2] <= flat[2] + 10,
        "{} pages, flat {}",
        deep[2],
        flat[2]
    );
}

#[test]
fn the_pages_have_an_end_and_each_place_has_had_its_share_of_them() {
    // 240 folders that each need fifty pages to be seen.
    let folder = |key: usize| char::from_u32(0x4E00 + u32::try_from(key % 240).unwrap()).unwrap();
    let letter =
        |key: usize| char::from_u32(0x4E00 + u32::try_from(key / 240 % 50).unwrap()).unwrap();
    let keys = (0..60_000).map(|key| format!("in/{}{}{key:05}", folder(key), letter(key)));
    let [ranges, largest, pages] = Bucket::new(keys, 4).measure("in/");
    assert_eq!(pages, PAGES_MAX);
    assert!(ranges <= PAGES_MAX, "{ranges}");
    // Three of fifty are seen of each, and what is left of it is a range of its own.
    assert!(largest <= 60_000 / 240, "{largest} keys in one range");
    assert!(ranges > 3 * 240, "{ranges} ranges");
}

#[test]
fn a_place_whose_pages_have_no_key_stays_as_it_is() {
    let nothing = || Seen {
        ends: None,
        is_truncated: true,
    };
    let mut outline = Outline::new("in/");
    outline.take(vec![nothing()]);
    assert_eq!(outline.asks(), []);
    assert_eq!(outline.into_work().len(), 1);

    let mut outline = Outline::new("in/");
    outline.take(vec![Seen {
        ends: Some(("in/a".into(), "in/b".into())),
        is_truncated: true,
    }]);
    assert_eq!(outline.asks()[0].after.as_deref(), Some("in/c"));
    outline.take(vec![nothing()]);
    // What was found within it is looked at all the same.
    assert_eq!(outline.asks()[0].prefix, "in/b");
    assert_eq!(outline.into_work().len(), 2);
}

#[test]
fn a_key_that_is_the_prefix_itself_stops_nothing() {
    let keys = (0..500).map(|key| format!("in/2024/{}", hashed(key)));
    let markers = ["in/", "in/2024/"].map(str::to_owned);
    for page in [1, 2, 10] {
        let [ranges, ..] = Bucket::new(keys.clone().chain(markers.clone()), page).measure("in/");
        assert!(ranges >= 16, "{page} a page: {ranges} ranges");
    }
}

#[test]
fn a_place_in_which_no_other_is_found_is_one_itself() {
    let keys = ["a", "b", "c", "d"].map(|key| [format!("in/{key}"), format!("in/{key}/1")]);
    // The first page of each is its own key alone, the second one its last.
    let [ranges, ..] = Bucket::new(keys.into_iter().flatten(), 1).measure("in/");
    assert!(ranges >= 3, "{ranges}");
}

#[test]
fn what_begins_alike_ends_at_the_next_character() {
    for (prefix, its_end) in [
        ("in/2", Some("in/3")),
        ("in/", Some("in0")),
        ("é", Some("ê")),
        ("\u{D7FF}", Some("\u{E000}")),
        ("a\u{10FFFF}", Some("b")),
        ("\u{10FFFF}", None),
        ("", None),
    ] {
        assert_eq!(end(prefix).as_deref(), its_end, "{prefix:?}");
    }
    // The next character may be longer.
    for (length, is_one) in [(1_022, true), (1_023, false)] {
        let prefix = format!("{}\u{7F}", "x".repeat(length));
        assert_eq!(end(&prefix).is_some(), is_one, "{length}");
    }
}

proptest! {
    #[test]
    fn between_a_prefix_and_its_end_is_what_begins_so(
        prefix in "[ab\u{10FFFF}]{0,3}",
        key in "[abc\u{0}\u{10FFFF}]{0,5}",
    ) {
        let is_before = end(&prefix).is_none_or(|end| key < end);
        prop_assert_eq!(key >= prefix && is_before, key.starts_with(&prefix));
    }

    #[test]
    fn each_key_is_in_exactly_one_range_and_none_is_large(
        long in prop::sample::select(vec!["", "in/", "in/a/a/a/a/a/a/"]),
        keys in prop::collection::vec("[ab/é\u{0}\u{10FFFF}]{0,6}", 0..200),
        strangers in prop::collection::vec("[aijn/é\u{0}]{0,5}", 1..20),
        page in 1_usize..5,
    ) {
        let keys = keys.iter().map(|key| format!("{long}{key}"));
        let bucket = Bucket::new(keys, page);
        let cut = bucket.cut(long);
        for key in bucket.keys.iter().chain(&strangers) {
            prop_assert_eq!(cut.work.iter().filter(|work| holds(work, key)).count(), 1, "{:?}", key);
        }
        // Less than a page before and after the places of each level, and of one at the bottom at most a page.
        let largest = bucket.shares(&cut).into_iter().max().unwrap_or_default();
        prop_assert!(largest <= (2 * 6 + 3) * page, "{largest} of {}", bucket.keys.len());
    }
}
