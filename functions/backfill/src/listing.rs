//! Pages of the bucket's own listing.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object, ObjectStorageClass};
use shared::s3_event::decode_key;

use crate::error::BackfillError;
use crate::found::{Found, Page};
use crate::refusal::Refusal;
use crate::work::{Continuation, Range};

/// The keys of one range below one prefix. Stateless between pages but for a key: what S3 calls a token expires.
pub struct Listing {
    s3: Client,
    bucket: String,
    prefix: String,
    range: Range,
    is_over: bool,
}

impl Listing {
    /// Keys of `bucket` that begin with `prefix` and are in `range`.
    #[must_use]
    pub fn new(s3: Client, bucket: &str, prefix: &str, range: Range) -> Self {
        Self {
            s3,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            range,
            is_over: false,
        }
    }

    /// The next page: one `ListObjectsV2`. None at the end.
    pub async fn next(&mut self) -> Result<Option<Page>, BackfillError> {
        if self.is_over {
            return Ok(None);
        }
        let listed = self
            .s3
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&self.prefix)
            .set_start_after(self.range.after.clone())
            // Else a key with a control character would make the whole page unreadable.
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .map_err(|error| Refusal::new("ListObjectsV2", error))?;
        let mut found = Vec::with_capacity(listed.contents().len());
        for object in listed.contents() {
            let key = decoded(&listed, object.key().unwrap_or_default())?;
            if self.range.until.as_ref().is_some_and(|until| key > *until) {
                self.is_over = true;
                break;
            }
            found.push(one(key, object));
        }
        self.is_over |= !listed.is_truncated().unwrap_or_default();
        let Some(last) = found.last() else {
            self.is_over = true;
            return Ok(None);
        };
        self.range.after = Some(last.key.clone());
        let next = last.continuation();
        Ok(Some(Page { found, next }))
    }

    /// Goes on after what is done with already.
    #[must_use]
    pub fn from(mut self, continuation: Option<Continuation>) -> Self {
        if let Some(Continuation::After { key }) = continuation {
            self.range.after = Some(key);
        }
        self
    }
}

/// A key or prefix as the listing spells it: encoded only if the answer says so.
pub fn decoded(listed: &ListObjectsV2Output, text: &str) -> Result<String, BackfillError> {
    match listed.encoding_type() {
        Some(EncodingType::Url) => Ok(decode_key(text)?),
        _ => Ok(text.to_owned()),
    }
}

fn one(key: String, object: &Object) -> Found {
    let etag = object.e_tag().map(|etag| etag.trim_matches('"').to_owned());
    Found {
        key,
        size_bytes: object
            .size()
            .and_then(|size| size.try_into().ok())
            .unwrap_or(0),
        etag: etag.filter(|etag| !etag.is_empty()),
        version_id: None,
        is_archived: matches!(
            object.storage_class(),
            Some(ObjectStorageClass::Glacier | ObjectStorageClass::DeepArchive)
        ),
        modified_s: object
            .last_modified()
            .map(aws_sdk_s3::primitives::DateTime::secs),
        next_row: None,
    }
}
