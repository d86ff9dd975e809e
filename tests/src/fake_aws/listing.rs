//! `ListObjectsV2`: what a page holds, of stored keys and of synthetic ones.

use std::borrow::Cow;
use std::ops::Bound;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::error::S3Error;
use super::object::Stored;
use super::state::{Bucket, Store, Version};

/// Most entries of a listing page. Source: S3 API reference, "`ListObjectsV2`".
pub(super) const PAGE_ENTRIES_MAX: usize = 1_000;

/// Keys that can be listed and are kept nowhere: `<prefix>00/0000000000.json` and so on, in so many folders.
#[derive(Clone, Debug)]
pub struct Synthetic {
    /// What every key begins with.
    pub prefix: String,
    /// How many folders, named by two hex digits: 1 to 256.
    pub folders: u64,
    /// How many keys in each.
    pub keys_per_folder: u64,
    /// Of each object.
    pub size_bytes: u64,
}

/// What a listing may answer besides honest pages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thin {
    /// Truncated pages without a key, before each page that a request without a token begins.
    pub empty_pages: u64,
    /// These have no token.
    pub without_token: bool,
    /// No page says whether it is truncated.
    pub without_truncated: bool,
}

/// One line of a listing.
#[derive(Debug)]
pub(super) enum Listed<'a> {
    Object(Entry<'a>),
    CommonPrefix(String),
}

/// An object as a listing tells it.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) etag: Cow<'a, str>,
    pub(super) size_bytes: u64,
    pub(super) modified: SystemTime,
    pub(super) storage_class: &'a str,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) prefix: &'a str,
    pub(super) delimiter: Option<&'a str>,
    pub(super) start_after: Option<&'a str>,
    pub(super) token: Option<&'a str>,
    /// At most so many entries.
    pub(super) limit: usize,
}

/// A page, and where the next one starts if there is one.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) entries: Vec<Listed<'a>>,
    pub(super) next: Option<String>,
    /// What it is said to be; none if it is not said.
    pub(super) truncated: Option<bool>,
}

impl Page<'_> {
    fn empty(next: Option<String>) -> Self {
        Self {
            entries: Vec::new(),
            next,
            truncated: Some(true),
        }
    }
}

impl Synthetic {
    fn count(&self) -> u64 {
        self.folders * self.keys_per_folder
    }

    fn key(&self, number: u64) -> String {
        let (folder, place) = (number / self.keys_per_folder, number % self.keys_per_folder);
        format!("{}{folder:02x}/{place:010}.json", self.prefix)
    }

    /// How many keys come before the bound: a binary search, because their order is that of their numbers.
    fn before(&self, from: &Bound<String>) -> u64 {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            let key = self.key(middle);
            let is_before = match from {
                Bound::Included(first) => key < *first,
                Bound::Excluded(last) => key <= *last,
                Bound::Unbounded => false,
            };
            if is_before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn entry(&self, number: u64) -> Entry<'_> {
        Entry {
            key: self.key(number).into(),
            etag: format!("{number:032x}").into(),
            size_bytes: self.size_bytes,
            modified: UNIX_EPOCH,
            storage_class: "STANDARD",
        }
    }
}

impl<'a> Entry<'a> {
    fn of(key: &'a str, stored: &'a Stored) -> Self {
        let class = stored.headers.get("x-amz-storage-class");
        Self {
            key: key.into(),
            etag: stored.etag.as_str().into(),
            size_bytes: stored.content.len(),
            modified: stored.modified,
            storage_class: class.map_or("STANDARD", String::as_str),
        }
    }
}

impl Bucket {
    fn entries(&self, from: &Bound<String>) -> Box<dyn Iterator<Item = Entry<'_>> + '_> {
        if let Some(synthetic) = &self.synthetic {
            let numbers = synthetic.before(from)..synthetic.count();
            return Box::new(numbers.map(|number| synthetic.entry(number)));
        }
        let keys = self
            .keys
            .range::<String, _>((from.as_ref(), Bound::Unbounded));
        Box::new(keys.filter_map(|(key, versions)| match versions.last()? {
            Version::Object(stored) => Some(Entry::of(key, stored)),
            Version::DeleteMarker { .. } => None,
        }))
    }
}

impl Store {
    pub(super) fn list(&self, bucket: &str, asked: Asked<'_>) -> Result<Page<'_>, S3Error> {
        let bucket = self.bucket_named(bucket)?;
        let thin = bucket.thin;
        if let Some(empty) = thin.page_before(asked) {
            return Ok(empty);
        }
        let mut page = bucket.page(asked)?;
        page.truncated = (!thin.without_truncated).then_some(page.next.is_some());
        Ok(page)
    }
}

impl Thin {
    /// The empty page that comes before the one that is asked for, if any does.
    fn page_before(self, asked: Asked<'_>) -> Option<Page<'static>> {
        let (passed, after) = match asked.token {
            None => (0, asked.start_after.unwrap_or_default().to_owned()),
            Some(token) => read_empty_token(token)?,
        };
        if passed >= self.empty_pages {
            return None;
        }
        let next = BASE64_URL_SAFE_NO_PAD.encode(format!("empty {} {after}", passed + 1));
        Some(Page::empty((!self.without_token).then_some(next)))
    }
}

impl Bucket {
    fn page(&self, asked: Asked<'_>) -> Result<Page<'_>, S3Error> {
        let bucket = self;
        let mut page = Page {
            truncated: None,
            ..Page::empty(None)
        };
        if asked.limit == 0 {
            return Ok(page);
        }
        let mut from = first(asked)?;
        'seek: loop {
            for entry in bucket.entries(&from) {
                if !entry.key.starts_with(asked.prefix) {
                    break 'seek;
                }
                if page.entries.len() == asked.limit {
                    page.next = page.entries.last().map(token);
                    break 'seek;
                }
                if let Some(common) = common_prefix(&entry.key, asked) {
                    from = past(&common);
                    page.entries.push(Listed::CommonPrefix(common));
                    continue 'seek;
                }
                page.entries.push(Listed::Object(entry));
            }
            break;
        }
        Ok(page)
    }
}

fn common_prefix(key: &str, asked: Asked<'_>) -> Option<String> {
    let delimiter = asked.delimiter?;
    let end = key[asked.prefix.len()..].find(delimiter)?;
    Some(key[..asked.prefix.len() + end + delimiter.len()].to_owned())
}

/// Where the first entry may be.
fn first(asked: Asked<'_>) -> Result<Bound<String>, S3Error> {
    let from = match (asked.token, asked.start_after) {
        (Some(token), _) => read_token(token).ok_or_else(|| S3Error::of("InvalidArgument"))?,
        // What becomes of a common prefix that `start-after` is within is documented nowhere.
        (None, Some(_)) if asked.delimiter.is_some() => return Err(S3Error::of("NotImplemented")),
        (None, Some(key)) => Bound::Excluded(key.to_owned()),
        (None, None) => Bound::Unbounded,
    };
    let below = match &from {
        Bound::Included(key) | Bound::Excluded(key) => key.as_str() < asked.prefix,
        Bound::Unbounded => true,
    };
    Ok(if below {
        Bound::Included(asked.prefix.to_owned())
    } else {
        from
    })
}

/// After every key below a prefix that ends in a slash.
fn past(prefix: &str) -> Bound<String> {
    let above = prefix.strip_suffix('/').unwrap_or(prefix);
    Bound::Included(format!("{above}0"))
}

/// Opaque, as on S3: nothing can be made of it but the next page.
fn token(last: &Listed<'_>) -> String {
    let text = match last {
        Listed::Object(entry) => format!("key {}", entry.key),
        Listed::CommonPrefix(prefix) => format!("prefix {prefix}"),
    };
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

fn read_token(token: &str) -> Option<Bound<String>> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    match text.split_once(' ')? {
        ("key", key) => Some(Bound::Excluded(key.to_owned())),
        ("prefix", prefix) => Some(past(prefix)),
        ("empty", _) => match read_empty_token(token)? {
            (_, after) if after.is_empty() => Some(Bound::Unbounded),
            (_, after) => Some(Bound::Excluded(after)),
        },
        _ => None,
    }
}

/// How many empty pages have passed, and after which key the first one that is not begins.
fn read_empty_token(token: &str) -> Option<(u64, String)> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (passed, after) = text.strip_prefix("empty ")?.split_once(' ')?;
    Some((passed.parse().ok()?, after.to_owned()))
}
