//! S3 as data: buckets, versions and conditional writes, without HTTP.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::account::Account;
use super::dynamo::Tables;
use super::error::S3Error;
use super::listing::{Synthetic, Thin};
use super::multipart::Upload;
use super::object::{Content, Properties, Stored, Written};
use super::sqs::{MoveTask, Queue};
use super::states::States;

/// Longest key, bytes of UTF-8. Source: S3 user guide, "Naming Amazon S3 objects".
const KEY_BYTES_MAX: usize = 1_024;

/// Most user metadata, bytes of names and values. Source: S3 user guide, "Working with object metadata".
const METADATA_BYTES_MAX: usize = 2_048;

/// Everything that the fake holds. A scripted fault may change it at an exact moment.
#[derive(Debug, Default)]
pub struct Store {
    buckets: BTreeMap<String, Bucket>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) queues: BTreeMap<String, Queue>,
    /// The tables of `DynamoDB`.
    pub tables: Tables,
    /// `None` where there are no such tasks.
    pub(super) move_tasks: Option<Vec<MoveTask>>,
    /// State machines.
    pub states: States,
    /// File systems and what surrounds them.
    pub account: Account,
    ticks: u64,
}

#[derive(Debug, Default)]
pub(super) struct Bucket {
    versioned: bool,
    /// Versions of each key, oldest first; without versioning there is exactly one, an object.
    pub(super) keys: BTreeMap<String, Vec<Version>>,
    /// Set: what is listed instead.
    pub(super) synthetic: Option<Synthetic>,
    /// How its listing falls short.
    pub(super) thin: Thin,
}

#[derive(Debug)]
pub(super) enum Version {
    Object(Stored),
    DeleteMarker { version_id: String },
}

/// Where a request points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
}

/// What must hold for a write to happen.
#[derive(Clone, Debug, Default)]
pub(super) enum Precondition {
    #[default]
    None,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match`
    Matches(String),
}

/// An object that is about to be stored.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) content: Content,
    pub(super) etag: String,
    pub(super) properties: Properties,
    pub(super) crc32: Option<String>,
}

/// What a deletion did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Deleted {
    pub(super) delete_marker: bool,
    pub(super) version_id: Option<String>,
}

impl Store {
    /// Creates a bucket, or changes nothing when it exists.
    pub fn bucket(&mut self, name: &str, versioned: bool) {
        let bucket = Bucket {
            versioned,
            ..Bucket::default()
        };
        self.buckets.entry(name.to_owned()).or_insert(bucket);
    }

    /// Creates a bucket whose keys can be listed and nothing else.
    pub fn synthetic(&mut self, name: &str, synthetic: Synthetic) {
        let bucket = Bucket {
            synthetic: Some(synthetic),
            ..Bucket::default()
        };
        self.buckets.insert(name.to_owned(), bucket);
    }

    /// From now on the listing of a bucket falls short so.
    pub fn thin_pages(&mut self, name: &str, thin: Thin) {
        if let Some(bucket) = self.buckets.get_mut(name) {
            bucket.thin = thin;
        }
    }

    /// Stores an object without any condition, as another client of the bucket would.
    pub fn put(&mut self, bucket: &str, key: &str, content: impl Into<Content>) -> Written {
        self.put_with(bucket, key, content, Properties::default())
    }

    /// As [`Store::put`], with headers and metadata.
    pub fn put_with(
        &mut self,
        bucket: &str,
        key: &str,
        content: impl Into<Content>,
        properties: Properties,
    ) -> Written {
        let content = content.into();
        let draft = Draft {
            etag: content.etag(),
            content,
            properties,
            crc32: None,
        };
        self.write(Target { bucket, key }, draft, &Precondition::None)
            .unwrap_or_else(|refused| panic!("cannot put s3://{bucket}/{key}: {refused:?}"))
    }

    /// Deletes an object without any condition: a delete marker in a versioned bucket.
    pub fn delete(&mut self, bucket: &str, key: &str) {
        self.remove(Target { bucket, key }, None, None)
            .unwrap_or_else(|refused| panic!("cannot delete s3://{bucket}/{key}: {refused:?}"));
    }

    /// The current version of a key; a delete marker or an unknown key is `None`.
    #[must_use]
    pub fn object(&self, bucket: &str, key: &str) -> Option<&Stored> {
        self.buckets.get(bucket)?.current(key)
    }

    /// The keys that a listing shows, in its order.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let Some(bucket) = self.buckets.get(bucket) else {
            return Vec::new();
        };
        bucket
            .keys
            .keys()
            .filter(|key| bucket.current(key).is_some())
            .cloned()
            .collect()
    }

    /// Every version of a key that is an object, oldest first.
    #[must_use]
    pub fn versions(&self, bucket: &str, key: &str) -> Vec<Stored> {
        let versions = self
            .buckets
            .get(bucket)
            .and_then(|bucket| bucket.keys.get(key));
        let objects = versions
            .into_iter()
            .flatten()
            .filter_map(|version| match version {
                Version::Object(stored) => Some(stored.clone()),
                Version::DeleteMarker { .. } => None,
            });
        objects.collect()
    }

    pub(super) fn find(
        &self,
        at: Target<'_>,
        version_id: Option<&str>,
    ) -> Result<&Stored, S3Error> {
        let bucket = self.bucket_of(at)?;
        let versions = bucket.keys.get(at.key).map_or(&[][..], Vec::as_slice);
        let Some(wanted) = version_id else {
            return match versions.last() {
                Some(Version::Object(stored)) => Ok(stored),
                Some(Version::DeleteMarker { version_id }) => Err(S3Error::of("NoSuchKey")
                    .with_header("x-amz-delete-marker", "true")
                    .with_header("x-amz-version-id", version_id)),
                None => Err(S3Error::of("NoSuchKey")),
            };
        };
        match versions.iter().find(|version| version.id() == wanted) {
            Some(Version::Object(stored)) => Ok(stored),
            Some(Version::DeleteMarker { version_id }) => Err(S3Error::of("MethodNotAllowed")
                .with_header("x-amz-delete-marker", "true")
                .with_header("x-amz-version-id", version_id)),
            None => Err(S3Error::of("NoSuchVersion")),
        }
    }

    /// Checks everything about a write that needs no body.
    pub(super) fn admit(&self, at: Target<'_>, properties: &Properties) -> Result<(), S3Error> {
        self.require_bucket(at)?;
        if at.key.len() > KEY_BYTES_MAX {
            return Err(S3Error::of("KeyTooLongError"));
        }
        let lengths = properties
            .metadata
            .iter()
            .map(|(name, value)| name.len() + value.len());
        if lengths.sum::<usize>() > METADATA_BYTES_MAX {
            return Err(S3Error::of("MetadataTooLarge"));
        }
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        at: Target<'_>,
        draft: Draft,
        precondition: &Precondition,
    ) -> Result<Written, S3Error> {
        self.admit(at, &draft.properties)?;
        precondition.check(self.bucket_of(at)?.current(at.key))?;
        let tick = self.tick();
        let bucket = self.bucket_mut(at)?;
        let stored = Stored {
            content: draft.content,
            metadata: draft.properties.metadata,
            headers: draft.properties.headers,
            etag: draft.etag,
            version_id: bucket.versioned.then(|| version_id(tick)),
            // Like a real one, which starts with the time; here the time stands still.
            sequencer: format!("0067{tick:014X}"),
            crc32: draft.crc32,
            modified: draft.properties.modified.unwrap_or_else(SystemTime::now),
        };
        let written = stored.written(at);
        let versions = bucket.keys.entry(at.key.to_owned()).or_default();
        if !bucket.versioned {
            versions.clear();
        }
        versions.push(Version::Object(stored));
        Ok(written)
    }

    pub(super) fn remove(
        &mut self,
        at: Target<'_>,
        version_id: Option<&str>,
        if_match: Option<&str>,
    ) -> Result<Deleted, S3Error> {
        self.require_bucket(at)?;
        if let Some(etag) = if_match {
            Precondition::Matches(etag.to_owned()).check(self.find(at, version_id).ok())?;
        }
        let marker_id = self::version_id(self.tick());
        let bucket = self.bucket_mut(at)?;
        if let Some(wanted) = version_id {
            return Ok(bucket.remove_version(at.key, wanted));
        }
        if !bucket.versioned {
            bucket.keys.remove(at.key);
            return Ok(Deleted::default());
        }
        let marker = Version::DeleteMarker {
            version_id: marker_id.clone(),
        };
        bucket
            .keys
            .entry(at.key.to_owned())
            .or_default()
            .push(marker);
        Ok(Deleted {
            delete_marker: true,
            version_id: Some(marker_id),
        })
    }

    pub(super) fn require_bucket(&self, at: Target<'_>) -> Result<(), S3Error> {
        self.bucket_of(at).map(|_| ())
    }

    pub(super) fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    fn bucket_of(&self, at: Target<'_>) -> Result<&Bucket, S3Error> {
        let bucket = self.bucket_named(at.bucket)?;
        if bucket.synthetic.is_some() {
            return Err(S3Error::of("NotImplemented"));
        }
        Ok(bucket)
    }

    pub(super) fn bucket_named(&self, name: &str) -> Result<&Bucket, S3Error> {
        let bucket = self.buckets.get(name);
        bucket.ok_or_else(|| S3Error::of("NoSuchBucket"))
    }

    fn bucket_mut(&mut self, at: Target<'_>) -> Result<&mut Bucket, S3Error> {
        self.buckets
            .get_mut(at.bucket)
            .ok_or_else(|| S3Error::of("NoSuchBucket"))
    }
}

impl Bucket {
    fn current(&self, key: &str) -> Option<&Stored> {
        match self.keys.get(key)?.last()? {
            Version::Object(stored) => Some(stored),
            Version::DeleteMarker { .. } => None,
        }
    }

    fn remove_version(&mut self, key: &str, wanted: &str) -> Deleted {
        let Some(versions) = self.keys.get_mut(key) else {
            return Deleted::default();
        };
        let Some(index) = versions.iter().position(|version| version.id() == wanted) else {
            return Deleted::default();
        };
        let removed = versions.remove(index);
        if versions.is_empty() {
            self.keys.remove(key);
        }
        let delete_marker = matches!(removed, Version::DeleteMarker { .. });
        Deleted {
            delete_marker,
            version_id: Some(wanted.to_owned()),
        }
    }
}

impl Version {
    fn id(&self) -> &str {
        match self {
            Self::Object(stored) => stored.version_id.as_deref().unwrap_or("null"),
            Self::DeleteMarker { version_id } => version_id,
        }
    }
}

impl Stored {
    pub(super) fn written(&self, at: Target<'_>) -> Written {
        Written {
            bucket: at.bucket.to_owned(),
            key: at.key.to_owned(),
            size_bytes: self.content.len(),
            etag: self.etag.clone(),
            version_id: self.version_id.clone(),
            sequencer: self.sequencer.clone(),
        }
    }
}

impl Precondition {
    /// Source: S3 user guide, "How to prevent object overwrites with conditional writes".
    pub(super) fn check(&self, current: Option<&Stored>) -> Result<(), S3Error> {
        match (self, current) {
            (Self::Absent, Some(_)) => Err(S3Error::of("PreconditionFailed")),
            (Self::Matches(_), None) => Err(S3Error::of("NoSuchKey")),
            (Self::Matches(etag), Some(stored)) => matches_etag(etag, stored),
            (Self::None, _) | (Self::Absent, None) => Ok(()),
        }
    }
}

/// Compares an `If-Match` value, quoted or not, or `*`.
pub(super) fn matches_etag(if_match: &str, stored: &Stored) -> Result<(), S3Error> {
    let wanted = if_match.trim_matches('"');
    if wanted == "*" || wanted == stored.etag {
        return Ok(());
    }
    Err(S3Error::of("PreconditionFailed"))
}

/// Opaque, as on S3: no order can be read from it.
fn version_id(tick: u64) -> String {
    format!("{:x}", md5::compute(format!("version {tick}")))
}
