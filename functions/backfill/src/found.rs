//! An object that is there, and a page of them.

use crate::work::Continuation;

/// Most objects of a page. Source: S3 API reference, "`ListObjectsV2`", `MaxKeys`.
pub const PAGE_OBJECTS_MAX: usize = 1_000;

/// One object: the current version of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Decoded, below the job's prefix.
    pub key: String,
    /// Length, bytes.
    pub size_bytes: u64,
    /// Entity tag without quotes, where it is known.
    pub etag: Option<String>,
    /// Version, where it is known; never `null`.
    pub version_id: Option<String>,
    /// In a storage class that must be restored before it can be read.
    pub is_archived: bool,
    /// Last change, seconds since the Unix epoch, where it is known.
    pub modified_s: Option<i64>,
    /// In an inventory: the number of the row after it. A listing goes on after the key.
    pub next_row: Option<u64>,
}

/// What was read at once, in the order of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most [`PAGE_OBJECTS_MAX`], perhaps none although more follow: rows that do not count are not in it.
    pub found: Vec<Found>,
    /// Where the page after this one begins.
    pub next: Continuation,
}

impl Found {
    /// Where to go on once this object is done with.
    #[must_use]
    pub fn continuation(&self) -> Continuation {
        match self.next_row {
            Some(row) => Continuation::Row { row },
            None => Continuation::After {
                key: self.key.clone(),
            },
        }
    }

    /// Whether `compress` has any use for it: not for the marker of a folder, nor for what cannot be read.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !self.is_folder_marker() && !self.is_archived
    }

    /// Nothing, in the place of a folder.
    #[must_use]
    pub fn is_folder_marker(&self) -> bool {
        self.size_bytes == 0 && self.key.ends_with('/')
    }
}

impl Page {
    /// Where to go on once the first `done` objects are done with.
    #[must_use]
    pub fn continuation(&self, done: usize) -> Option<Continuation> {
        if done >= self.found.len() {
            return Some(self.next.clone());
        }
        let last = done.checked_sub(1)?;
        self.found.get(last).map(Found::continuation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(key: &str, size_bytes: u64, is_archived: bool) -> Found {
        Found {
            key: key.to_owned(),
            size_bytes,
            etag: None,
            version_id: None,
            is_archived,
            modified_s: None,
            next_row: None,
        }
    }

    #[test]
    fn folder_markers_and_archived_objects_are_left_out() {
        assert!(found("incoming/a", 0, false).is_due());
        assert!(found("incoming/a/", 1, false).is_due());
        assert!(!found("incoming/a/", 0, false).is_due());
        assert!(!found("incoming/a", 1, true).is_due());
    }

    #[test]
    fn a_page_that_is_done_with_goes_on_at_the_next_one() {
        let after = |key: &str| Continuation::After {
            key: key.to_owned(),
        };
        let page = Page {
            found: vec![found("a", 1, false), found("b", 1, false)],
            next: after("c"),
        };
        assert_eq!(page.continuation(0), None);
        assert_eq!(page.continuation(1), Some(after("a")));
        assert_eq!(page.continuation(2), Some(after("c")));
    }
}
