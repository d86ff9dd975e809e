//! Whose output it is that is there already. Pure.

use shared::s3_event::Sequencer;

/// One version of one source, as an output's metadata names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceVersion {
    /// The source's bucket.
    pub bucket: String,
    /// Lowercase hex SHA-256 of the source's key.
    pub key_sha256: String,
    /// Entity tag, without quotes.
    pub etag: String,
    /// Version, on versioned buckets.
    pub version_id: Option<String>,
    /// Length, bytes.
    pub size_bytes: u64,
    /// Order among versions of the key, when the event told.
    pub sequencer: Option<Sequencer>,
}

/// How an output that is there already relates to the one that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is the output of exactly this source version.
    Same,
    /// It is the output of an older version of this source: to be replaced.
    Older,
    /// It is the output of a newer version of this source: to be kept.
    Newer,
    /// It is an output of this source, but which one is newer only the source itself can tell.
    Unordered,
    /// It is not an output of this source.
    Foreign,
}

/// Compares the version that was read (`ours`) with the one that the existing output names; an
/// object that names none (`theirs` is nothing) is not ours to touch.
#[must_use]
pub fn compare(ours: &SourceVersion, theirs: Option<&SourceVersion>) -> Existing {
    let Some(theirs) = theirs else {
        return Existing::Foreign;
    };
    if ours.key_sha256 != theirs.key_sha256 || ours.bucket != theirs.bucket {
        return Existing::Foreign;
    }
    let identity = |version: &SourceVersion| {
        (
            version.etag.clone(),
            version.version_id.clone(),
            version.size_bytes,
        )
    };
    if identity(ours) == identity(theirs) {
        return Existing::Same;
    }
    match (&ours.sequencer, &theirs.sequencer) {
        (Some(ours), Some(theirs)) if ours > theirs => Existing::Older,
        (Some(ours), Some(theirs)) if ours < theirs => Existing::Newer,
        _ => Existing::Unordered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(etag: &str, sequencer: Option<&str>) -> SourceVersion {
        SourceVersion {
            bucket: "bucket".into(),
            key_sha256: "k".into(),
            etag: etag.into(),
            version_id: None,
            size_bytes: 1,
            sequencer: sequencer.and_then(Sequencer::new),
        }
    }

    #[test]
    fn the_sequencer_orders_versions_of_one_source() {
        let (old, new) = (version("a", Some("01")), version("b", Some("02")));
        assert_eq!(compare(&new, Some(&old)), Existing::Older);
        assert_eq!(compare(&old, Some(&new)), Existing::Newer);
        assert_eq!(
            compare(&old, Some(&version("b", None))),
            Existing::Unordered
        );
        assert_eq!(
            compare(&old, Some(&version("b", Some("01")))),
            Existing::Unordered
        );
        assert_eq!(
            compare(&old, Some(&version("a", Some("07")))),
            Existing::Same
        );
    }

    #[test]
    fn the_same_bytes_in_another_version_are_another_version() {
        let ours = SourceVersion {
            version_id: Some("v2".into()),
            ..version("a", Some("02"))
        };
        let theirs = SourceVersion {
            version_id: Some("v1".into()),
            ..version("a", Some("01"))
        };
        assert_eq!(compare(&ours, Some(&theirs)), Existing::Older);
    }

    #[test]
    fn another_key_another_bucket_or_no_mark_is_foreign() {
        let ours = version("a", None);
        assert_eq!(compare(&ours, None), Existing::Foreign);
        assert_eq!(
            compare(
                &ours,
                Some(&SourceVersion {
                    key_sha256: "x".into(),
                    ..ours.clone()
                })
            ),
            Existing::Foreign
        );
        assert_eq!(
            compare(
                &ours,
                Some(&SourceVersion {
                    bucket: "x".into(),
                    ..ours.clone()
                })
            ),
            Existing::Foreign
        );
    }
}
