//! Records as objects in S3: conditional writes compare, an entity tag is a version.

use std::error::Error;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;

use super::{Record, Store, StoreError, hashed};

/// One object per record, `prefix` + 64 hex digits.
///
/// The function needs to list the bucket's `prefix` beside reading and writing objects: S3 answers a missing object
/// with "access denied" to who may not list. A lifecycle rule on the prefix can clean up behind `expires_at`.
pub struct S3Store {
    client: Client,
    bucket: String,
    prefix: String,
}

impl S3Store {
    /// Records below `prefix` (with its slash) in `bucket`.
    pub fn new(client: Client, bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            client,
            bucket: bucket.into(),
            prefix: prefix.into(),
        }
    }

    fn key(&self, id: &str) -> String {
        self.prefix.clone() + &hashed(id)
    }

    fn location(&self, id: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(id))
    }

    fn failed(&self, id: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Access {
            location: self.location(id),
            source: std::io::Error::other(source),
        }
    }

    async fn read(
        &self,
        id: &str,
        object: GetObjectOutput,
    ) -> Result<(Record, String), StoreError> {
        let version = object
            .e_tag
            .ok_or_else(|| self.failed(id, "the answer has no ETag"))?;
        let body = object
            .body
            .collect()
            .await
            .map_err(|error| self.failed(id, error))?;
        let record = serde_json::from_slice(&body.into_bytes());
        let record = record.map_err(|source| StoreError::Unreadable {
            location: self.location(id),
            source,
        })?;
        Ok((record, version))
    }
}

impl Store for S3Store {
    type Version = String;

    async fn load(&self, id: &str) -> Result<Option<(Record, String)>, StoreError> {
        let answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.key(id))
            .send()
            .await;
        match answer {
            Ok(object) => self.read(id, object).await.map(Some),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(self.failed(id, error)),
        }
    }

    async fn compare_and_set(
        &self,
        id: &str,
        expected: Option<&String>,
        record: &Record,
    ) -> Result<Option<String>, StoreError> {
        let unreadable = |source| StoreError::Unreadable {
            location: self.location(id),
            source,
        };
        let body = serde_json::to_vec(record).map_err(unreadable)?;
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(id));
        let put = put
            .content_type("application/json")
            .body(ByteStream::from(body));
        let put = match expected {
            Some(version) => put.if_match(version),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(stored) => stored
                .e_tag
                .map(Some)
                .ok_or_else(|| self.failed(id, "the answer has no ETag")),
            Err(error) if is_turned_down(&error) => Ok(None),
            Err(error) => Err(self.failed(id, error)),
        }
    }
}

/// 412: the condition does not hold. 409: two writers met. 404 for the key: `If-Match` on an object that is gone.
fn is_turned_down<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let status = error
        .raw_response()
        .map(|response| response.status().as_u16());
    matches!(status, Some(409 | 412)) || error.code() == Some("NoSuchKey")
}
