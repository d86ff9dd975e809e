//! One row that is given, and which are.

/// A row that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place in the part, from 0; rows that are not given count too.
    pub number: u64,
    /// What it lists.
    pub object: Object,
}

/// An object of the source bucket as its inventory has it: the current version, never a delete marker.
///
/// Everything but the key is missing where the inventory was configured without that column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Decoded key, never empty.
    pub key: String,
    /// Length, bytes.
    pub size_bytes: Option<u64>,
    /// Entity tag without quotes.
    pub etag: Option<String>,
    /// As S3 names it: `STANDARD`, `GLACIER`, …
    pub storage_class: Option<String>,
    /// On versioned buckets, if the inventory has all versions.
    pub version_id: Option<String>,
}

/// Whether a row with these two columns is given. A column that is missing, or empty, says nothing against it.
pub(crate) fn is_live(is_latest: Option<bool>, is_delete_marker: Option<bool>) -> bool {
    is_latest.unwrap_or(true) && !is_delete_marker.unwrap_or(false)
}

/// An entity tag as the inventory has it, without quotes either way.
pub(crate) fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_version_that_is_no_delete_marker_is_given() {
        assert!(is_live(None, None));
        assert!(is_live(Some(true), Some(false)));
        assert!(!is_live(Some(false), Some(false)));
        assert!(!is_live(Some(true), Some(true)));
        assert!(!is_live(Some(false), None));
        assert!(!is_live(None, Some(true)));
    }
}
