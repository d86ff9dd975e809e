//! Multipart uploads: kept apart until they are completed, then one object.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::error::S3Error;
use super::object::{Properties, Written};
use super::state::{Draft, Precondition, Store, Target};

/// Smallest part, bytes, but for the last one. Source: S3 user guide, "Multipart upload limits".
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

/// Highest part number. Source: as above.
const PART_NUMBER_MAX: u32 = 10_000;

/// An upload that was neither completed nor aborted.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// Bucket of the object to be.
    pub bucket: String,
    /// Key of the object to be.
    pub key: String,
    /// Sizes of the parts that have arrived, by part number, bytes.
    pub part_sizes_bytes: BTreeMap<u32, u64>,
    properties: Properties,
    parts: BTreeMap<u32, Part>,
}

#[derive(Clone, Debug)]
struct Part {
    bytes: Bytes,
    md5: [u8; 16],
}

/// One line of a completion: what the client believes it has uploaded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClaimedPart {
    pub(super) number: u32,
    pub(super) etag: String,
}

impl Store {
    /// The uploads that were neither completed nor aborted.
    #[must_use]
    pub fn open_uploads(&self, bucket: &str) -> Vec<Upload> {
        self.uploads
            .values()
            .filter(|upload| upload.bucket == bucket)
            .cloned()
            .collect()
    }

    pub(super) fn create_upload(
        &mut self,
        at: Target<'_>,
        properties: Properties,
    ) -> Result<String, S3Error> {
        self.admit(at, &properties)?;
        let id = format!("{:x}", md5::compute(format!("upload {}", self.tick())));
        let upload = Upload {
            id: id.clone(),
            bucket: at.bucket.to_owned(),
            key: at.key.to_owned(),
            part_sizes_bytes: BTreeMap::new(),
            properties,
            parts: BTreeMap::new(),
        };
        self.uploads.insert(id.clone(), upload);
        Ok(id)
    }

    /// Stores a part, replacing one of the same number; returns its `ETag`.
    pub(super) fn upload_part(
        &mut self,
        at: Target<'_>,
        upload_id: &str,
        (number, bytes): (u32, Bytes),
    ) -> Result<String, S3Error> {
        if !(1..=PART_NUMBER_MAX).contains(&number) {
            return Err(S3Error::of("InvalidArgument"));
        }
        self.upload(at, upload_id)?;
        let upload = self
            .uploads
            .get_mut(upload_id)
            .ok_or_else(|| S3Error::of("NoSuchUpload"))?;
        let md5 = md5::compute(&bytes);
        upload.part_sizes_bytes.insert(number, bytes.len() as u64);
        upload.parts.insert(number, Part { bytes, md5: md5.0 });
        Ok(format!("{md5:x}"))
    }

    /// Makes the parts one object. A refused completion leaves the upload open.
    pub(super) fn complete_upload(
        &mut self,
        at: Target<'_>,
        upload_id: &str,
        claimed: &[ClaimedPart],
        precondition: &Precondition,
    ) -> Result<Written, S3Error> {
        let upload = self.upload(at, upload_id)?;
        let parts = upload.claim(claimed)?;
        let mut content = BytesMut::new();
        let mut md5s = Vec::new();
        for part in parts {
            content.extend_from_slice(&part.bytes);
            md5s.extend_from_slice(&part.md5);
        }
        let draft = Draft {
            content: content.freeze().into(),
            etag: format!("{:x}-{}", md5::compute(md5s), claimed.len()),
            properties: upload.properties.clone(),
            crc32: None,
        };
        let written = self.write(at, draft, precondition)?;
        self.uploads.remove(upload_id);
        Ok(written)
    }

    pub(super) fn abort_upload(&mut self, at: Target<'_>, upload_id: &str) -> Result<(), S3Error> {
        self.upload(at, upload_id)?;
        self.uploads.remove(upload_id);
        Ok(())
    }

    fn upload(&self, at: Target<'_>, upload_id: &str) -> Result<&Upload, S3Error> {
        self.require_bucket(at)?;
        let upload = self.uploads.get(upload_id);
        upload
            .filter(|upload| upload.bucket == at.bucket && upload.key == at.key)
            .ok_or_else(|| S3Error::of("NoSuchUpload"))
    }
}

impl Upload {
    fn claim(&self, claimed: &[ClaimedPart]) -> Result<Vec<&Part>, S3Error> {
        if claimed.is_empty() {
            return Err(S3Error::of("MalformedXML"));
        }
        if !claimed.is_sorted_by(|one, next| one.number < next.number) {
            return Err(S3Error::of("InvalidPartOrder"));
        }
        let parts = claimed.iter().map(|claim| {
            let part = self
                .parts
                .get(&claim.number)
                .filter(|part| part.has_etag(&claim.etag));
            part.ok_or_else(|| S3Error::of("InvalidPart"))
        });
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let (_, all_but_last) = parts
            .split_last()
            .unwrap_or_else(|| unreachable!("not empty"));
        if all_but_last
            .iter()
            .any(|part| part.bytes.len() < PART_BYTES_MIN)
        {
            return Err(S3Error::of("EntityTooSmall"));
        }
        Ok(parts)
    }
}

impl Part {
    fn has_etag(&self, etag: &str) -> bool {
        etag.trim_matches('"') == format!("{:x}", md5::Digest(self.md5))
    }
}
