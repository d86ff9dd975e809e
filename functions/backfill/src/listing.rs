//! Pages of the bucket's own listing.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object, ObjectStorageClass};
use shared::s3_event::decode_key;

use crate::error::BackfillError;
use crate::found::{Found, Page};
use crate::refusal::Refusal;
use crate::work::{Continuation, Range};

/// Most pages without a key in a row, after which the listing is taken for broken. S3 promises no least number of keys
/// of a page: where many objects were deleted there may be many such pages.
const EMPTY_PAGES_MAX: u32 = 10_000;

/// The keys of one range below one prefix. Stateless between pages but for a key: what S3 calls a token expires.
pub struct Listing {
    s3: Client,
    bucket: String,
    prefix: String,
    range: Range,
    empty_pages_max: u32,
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
            empty_pages_max: EMPTY_PAGES_MAX,
            is_over: false,
        }
    }

    /// Takes it for broken after fewer pages without a key.
    #[must_use]
    pub const fn with_empty_pages_max(mut self, pages: u32) -> Self {
        self.empty_pages_max = pages;
        self
    }

    /// Whether nothing follows what was listed.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// The next page that has a key: mostly one `ListObjectsV2`. None at the end, which only an answer that is not
    /// truncated, or a key beyond the range, is.
    pub async fn next(&mut self) -> Result<Option<Page>, BackfillError> {
        // A page without a key has no key to go on after, only a token; it is used at once.
        let mut token = None;
        for _ in 0..self.empty_pages_max {
            if self.is_over {
                return Ok(None);
            }
            let listed = self.ask(token).await?;
            let next_token = listed.next_continuation_token().map(str::to_owned);
            if let Some(page) = self.page(&listed)? {
                return Ok(Some(page));
            }
            if !self.is_over && next_token.is_none() {
                return Err(bad("a page is truncated and says nothing of the next one"));
            }
            token = next_token;
        }
        Err(bad("too many pages without a key"))
    }

    async fn ask(&self, token: Option<String>) -> Result<ListObjectsV2Output, BackfillError> {
        let after = self.range.after.clone().filter(|_| token.is_none());
        let request = self
            .s3
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(&self.prefix)
            .set_start_after(after)
            .set_continuation_token(token)
            // Else a key with a control character would make the whole page unreadable.
            .encoding_type(EncodingType::Url);
        let listed = request.send().await;
        Ok(listed.map_err(|error| Refusal::new("ListObjectsV2", error))?)
    }

    /// What of an answer is in the range; none if it has no such key.
    fn page(&mut self, listed: &ListObjectsV2Output) -> Result<Option<Page>, BackfillError> {
        let is_truncated = listed
            .is_truncated()
            .ok_or_else(|| bad("a page does not say whether it is the last one"))?;
        let mut found = Vec::with_capacity(listed.contents().len());
        for object in listed.contents() {
            let key = decoded(listed, object.key().unwrap_or_default())?;
            if self.range.until.as_ref().is_some_and(|until| key > *until) {
                self.is_over = true;
                break;
            }
            found.push(one(key, object));
        }
        self.is_over |= !is_truncated;
        let Some(last) = found.last() else {
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

const fn bad(detail: &'static str) -> BackfillError {
    BackfillError::BadListing { detail }
}

/// A key or prefix as the listing spells it: encoded only if the answer says so.
fn decoded(listed: &ListObjectsV2Output, text: &str) -> Result<String, BackfillError> {
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
