//! What to do with an object, decided on its event alone. Pure.

use shared::s3_event::CreatedObject;

use crate::error::CompressError;
use shared::key::{BadKey, KeyMap, overlap};

/// Which objects are worked on.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How keys map.
    pub keys: KeyMap,
    /// The only bucket whose objects are taken; nothing = any.
    pub source_bucket: Option<String>,
    /// Where outputs go; nothing = the source's own bucket.
    pub output_bucket: Option<String>,
    /// Largest object taken, bytes, inclusive.
    pub max_object_bytes: u64,
}

/// What an event asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Intent {
    /// Compress it to here.
    Compress {
        /// Bucket of the output.
        output_bucket: String,
        /// Key of the output.
        output_key: String,
    },
    /// Nothing to do.
    Skip(SkipReason),
}

/// Why an object is deliberately left alone; each is a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The event is not an object's creation (`s3:TestEvent`, removals).
    NotACreation,
    /// The key is outside `SOURCE_PREFIX`, as every output's is.
    OutsidePrefix,
    /// An empty object whose key ends in `/`: a folder marker of some console.
    FolderMarker,
    /// The source is gone: a redelivery after it was compressed, or its owner deleted it.
    SourceGone,
    /// A newer object has the same key; its own event will do, or did, the work.
    Superseded,
    /// The output of exactly this source version is there.
    Duplicate,
}

impl SkipReason {
    /// The name in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotACreation => "not_a_creation",
            Self::OutsidePrefix => "outside_prefix",
            Self::FolderMarker => "folder_marker",
            Self::SourceGone => "source_gone",
            Self::Superseded => "superseded",
            Self::Duplicate => "duplicate",
        }
    }
}

impl Policy {
    /// Decides on the event alone, before any request.
    pub fn intent(&self, object: &CreatedObject) -> Result<Intent, CompressError> {
        self.check_bucket(&object.bucket)?;
        let output_bucket = self
            .output_bucket
            .clone()
            .unwrap_or_else(|| object.bucket.clone());
        self.check_overlap(&object.bucket, &output_bucket)?;
        let Some(output_key) = self.keys.output_key(&object.key) else {
            return Ok(Intent::Skip(SkipReason::OutsidePrefix));
        };
        if let Some(size_bytes) = object.size_bytes {
            if is_folder_marker(&object.key, size_bytes) {
                return Ok(Intent::Skip(SkipReason::FolderMarker));
            }
            self.check_size(size_bytes)?;
        }
        // Of such a marker a batch item may not tell the size.
        if object.size_bytes.is_none() && output_key == Err(BadKey::Empty) {
            return Ok(Intent::Skip(SkipReason::FolderMarker));
        }
        let bad_key = |source| CompressError::BadKey {
            key: object.key.clone(),
            source,
        };
        Ok(Intent::Compress {
            output_bucket,
            output_key: output_key.map_err(bad_key)?,
        })
    }

    /// Where a bucket is both source and output only the event tells that it is; `Config` finds the other cases.
    fn check_overlap(&self, source: &str, output: &str) -> Result<(), CompressError> {
        let KeyMap {
            source_prefix,
            output_prefix,
            ..
        } = &self.keys;
        if source != output || !overlap(source_prefix, output_prefix) {
            return Ok(());
        }
        Err(CompressError::WrongBucket {
            bucket: source.to_owned(),
            detail: "it is OUTPUT_BUCKET, and SOURCE_PREFIX and OUTPUT_PREFIX overlap".to_owned(),
        })
    }

    fn check_bucket(&self, bucket: &str) -> Result<(), CompressError> {
        let wrong = |detail: &str| {
            Err(CompressError::WrongBucket {
                bucket: bucket.to_owned(),
                detail: detail.to_owned(),
            })
        };
        match &self.source_bucket {
            Some(only) if only != bucket => wrong("SOURCE_BUCKET is another"),
            _ if !is_bucket_name(bucket) => wrong("no bucket can have that name"),
            _ => Ok(()),
        }
    }

    /// Refuses what is larger than the limit.
    pub const fn check_size(&self, size_bytes: u64) -> Result<(), CompressError> {
        if size_bytes > self.max_object_bytes {
            return Err(CompressError::TooLarge {
                size_bytes,
                limit_bytes: self.max_object_bytes,
            });
        }
        Ok(())
    }
}

/// An empty object that stands for a folder.
#[must_use]
pub fn is_folder_marker(key: &str, size_bytes: u64) -> bool {
    size_bytes == 0 && key.ends_with('/')
}

/// Names that S3 gives, or once gave, to buckets. Source: S3 user guide, "Bucket naming rules".
fn is_bucket_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (3..=255).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let keys = KeyMap {
            source_prefix: "incoming/".into(),
            output_prefix: "processed/".into(),
            extension: ".zip",
        };
        Policy {
            keys,
            source_bucket: None,
            output_bucket: None,
            max_object_bytes: 100,
        }
    }

    fn object(key: &str, size_bytes: Option<u64>) -> CreatedObject {
        let (bucket, key) = ("bucket".to_owned(), key.to_owned());
        CreatedObject {
            bucket,
            key,
            version_id: None,
            etag: None,
            size_bytes,
            sequencer: None,
        }
    }

    fn skipped(key: &str, size_bytes: Option<u64>) -> Option<SkipReason> {
        match policy().intent(&object(key, size_bytes)).unwrap() {
            Intent::Skip(reason) => Some(reason),
            Intent::Compress { .. } => None,
        }
    }

    #[test]
    fn only_sources_are_worked_on() {
        assert_eq!(skipped("incoming/a", Some(1)), None);
        assert_eq!(
            skipped("elsewhere/a", Some(1)),
            Some(SkipReason::OutsidePrefix)
        );
        assert_eq!(
            skipped("processed/00/a.zip", Some(1)),
            Some(SkipReason::OutsidePrefix)
        );
        assert_eq!(
            skipped("incoming/folder/", Some(0)),
            Some(SkipReason::FolderMarker)
        );
        assert_eq!(
            skipped("incoming/", Some(0)),
            Some(SkipReason::FolderMarker)
        );
        assert_eq!(skipped("incoming/", None), Some(SkipReason::FolderMarker));
        assert_eq!(skipped("incoming/folder/", Some(1)), None);
        assert!(policy().intent(&object("incoming/", Some(1))).is_err());
    }

    #[test]
    fn the_size_limit_is_inclusive() {
        let intent = |size| policy().intent(&object("incoming/a", Some(size)));
        assert!(intent(99).is_ok() && intent(100).is_ok());
        assert!(matches!(
            intent(101),
            Err(CompressError::TooLarge {
                size_bytes: 101,
                limit_bytes: 100
            })
        ));
    }

    #[test]
    fn a_foreign_or_impossible_bucket_is_refused() {
        let only = Policy {
            source_bucket: Some("mine".into()),
            ..policy()
        };
        assert!(matches!(
            only.intent(&object("incoming/a", None)),
            Err(CompressError::WrongBucket { .. })
        ));
        for name in ["", "ab", "a b", "../x", "arn:aws:s3:::b"] {
            let odd = CreatedObject {
                bucket: name.into(),
                ..object("incoming/a", None)
            };
            assert!(
                matches!(
                    policy().intent(&odd),
                    Err(CompressError::WrongBucket { .. })
                ),
                "{name}"
            );
        }
    }

    #[test]
    fn overlapping_prefixes_in_one_bucket_are_refused_and_not_skipped() {
        let keys = KeyMap {
            source_prefix: "data/in/".into(),
            output_prefix: "data/".into(),
            extension: ".gz",
        };
        let policy = Policy {
            keys,
            output_bucket: Some("bucket".into()),
            ..policy()
        };
        let refused = policy.intent(&object("data/in/a", None));
        assert!(matches!(refused, Err(CompressError::WrongBucket { .. })));
        let elsewhere = CreatedObject {
            bucket: "another".into(),
            ..object("data/in/a", None)
        };
        assert!(matches!(
            policy.intent(&elsewhere),
            Ok(Intent::Compress { .. })
        ));
    }
}
