//! Keys that are kept nowhere, and the pages of their listing.

use std::io::Write;
use std::ops::Range;

use crate::spec::Spec;

/// What every key begins with.
pub(crate) const PREFIX: &str = "incoming/";
/// Most keys of a page. Source: S3 API reference, "`ListObjectsV2`".
pub(crate) const PAGE_KEYS_MAX: u64 = 1_000;
/// Of each object.
pub(crate) const SIZE_BYTES: u64 = 10_000_000;

const SUFFIX: &str = ".json";
/// Decimal digits of a key's place in its folder, and hex digits of an entity tag.
const PLACE_DIGITS: usize = 10;
const ETAG_DIGITS: usize = 32;
/// Longest key. Source: S3 user guide, "Naming objects".
const KEY_BYTES_MAX: usize = 1_024;

/// `incoming/00/0000000000.json` and so on, in so many folders; longer keys have more `x` before the dot.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    folders: u64,
    per_folder: u64,
    padding: String,
}

impl Keys {
    pub(crate) fn new(spec: &Spec) -> Self {
        let shortest = PREFIX.len() + 3 + PLACE_DIGITS + SUFFIX.len();
        let padding = spec.key_bytes.min(KEY_BYTES_MAX).saturating_sub(shortest);
        Self {
            folders: spec.folders,
            per_folder: spec.keys_per_folder,
            padding: "x".repeat(padding),
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.folders * self.per_folder
    }

    /// The key of that number, in the order of a listing.
    pub(crate) fn key(&self, number: u64) -> String {
        let (folder, place) = (number / self.per_folder, number % self.per_folder);
        let padding = &self.padding;
        format!("{PREFIX}{folder:02x}/{place:0PLACE_DIGITS$}{padding}{SUFFIX}")
    }

    /// The number of a key, if it is one of these.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        let (folder, rest) = key.strip_prefix(PREFIX)?.split_once('/')?;
        let folder = u64::from_str_radix(folder, 16).ok()?;
        let place: u64 = rest.get(..PLACE_DIGITS)?.parse().ok()?;
        let number = folder.checked_mul(self.per_folder)?.checked_add(place)?;
        (number < self.count() && self.key(number) == key).then_some(number)
    }

    /// The numbers of a page, and whether more follow it.
    pub(crate) fn page(&self, prefix: &str, start_after: Option<&str>) -> (Range<u64>, bool) {
        let begins = |key: &str| key.starts_with(prefix);
        let first = self.first_not(|key| {
            start_after.is_some_and(|start_after| key <= start_after) || key < prefix
        });
        let end = self.first_not(|key| key < prefix || begins(key));
        let last = end.min(first + PAGE_KEYS_MAX).max(first);
        (first..last, last < end)
    }

    /// How many keys come before those of which it does not hold: a binary search.
    fn first_not(&self, holds: impl Fn(&str) -> bool) -> u64 {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            if holds(&self.key(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Writes the entries of pages by changing digits in one entry: it must cost nothing beside what reads them.
#[derive(Clone, Debug)]
pub(crate) struct Renderer {
    keys: Keys,
    bucket: String,
    entry: Vec<u8>,
    folder_at: usize,
    etag_at: usize,
}

impl Renderer {
    pub(crate) fn new(keys: Keys, bucket: &str) -> Self {
        let etag = "0".repeat(ETAG_DIGITS);
        let head = format!("<Contents><Key>{}", keys.key(0));
        let before_etag = format!(
            "{head}</Key><LastModified>1970-01-01T00:00:00.000Z</LastModified><ETag>&quot;"
        );
        let entry = format!(
            "{before_etag}{etag}&quot;</ETag><Size>{SIZE_BYTES}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        );
        Self {
            keys,
            bucket: bucket.to_owned(),
            folder_at: "<Contents><Key>".len() + PREFIX.len(),
            etag_at: before_etag.len(),
            entry: entry.into_bytes(),
        }
    }

    /// The document of a page, for a listing with `encoding-type=url`: no character of these keys needs it.
    pub(crate) fn page(&self, prefix: &str, start_after: Option<&str>) -> Vec<u8> {
        let (numbers, is_truncated) = self.keys.page(prefix, start_after);
        let count = numbers.end - numbers.start;
        let entries = usize::try_from(count).unwrap_or_default() * self.entry.len();
        let mut page = Vec::with_capacity(1_024 + 2 * KEY_BYTES_MAX + entries);
        let bucket = &self.bucket;
        // Writing to memory cannot fail.
        let _ = write!(
            page,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name>\
             <Prefix>{prefix}</Prefix><EncodingType>url</EncodingType><KeyCount>{count}</KeyCount>\
             <MaxKeys>{PAGE_KEYS_MAX}</MaxKeys><IsTruncated>{is_truncated}</IsTruncated>"
        );
        if let Some(key) = start_after {
            let _ = write!(page, "<StartAfter>{key}</StartAfter>");
        }
        if is_truncated {
            let end = numbers.end;
            let _ = write!(
                page,
                "<NextContinuationToken>{end:056x}</NextContinuationToken>"
            );
        }
        for number in numbers {
            let at = page.len();
            page.extend_from_slice(&self.entry);
            self.number(&mut page[at..], number);
        }
        page.extend_from_slice(b"</ListBucketResult>");
        page
    }

    fn number(&self, entry: &mut [u8], number: u64) {
        let (folder, place) = (number / self.keys.per_folder, number % self.keys.per_folder);
        let place_at = self.folder_at + 3;
        digits(&mut entry[self.folder_at..self.folder_at + 2], folder, 16);
        digits(&mut entry[place_at..place_at + PLACE_DIGITS], place, 10);
        digits(
            &mut entry[self.etag_at..self.etag_at + ETAG_DIGITS],
            number,
            16,
        );
    }
}

/// The last digits of a number over what stands there.
fn digits(text: &mut [u8], mut number: u64, base: u64) {
    for digit in text.iter_mut().rev() {
        let place = usize::try_from(number % base).unwrap_or_default();
        *digit = b"0123456789abcdef"[place];
        number /= base;
        if number == 0 {
            return;
        }
    }
}
