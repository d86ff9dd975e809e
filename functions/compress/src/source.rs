//! Reading a source: one GET, and where its body breaks off another from there.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use shared::s3_event::CreatedObject;

use crate::decide::SkipReason;
use crate::error::CompressError;
use crate::existing::SourceVersion;
use crate::metadata::key_sha256;
use crate::refusal::{Meaning, Refusal};

/// Times that one body is resumed without progress in between.
const RESUMES_MAX: u32 = 5;

/// What counts as progress, bytes.
const PROGRESS_BYTES: u64 = 8 * 1024 * 1024;

/// Wait before the first resume; doubles each time.
const RESUME_WAIT: Duration = Duration::from_millis(50);

/// A source that is being read.
pub struct Source {
    client: Client,
    key: String,
    /// What was read, as its response named it.
    pub version: SourceVersion,
    /// The response's headers; its body is taken out.
    pub head: GetObjectOutput,
    body: ByteStream,
    offset_bytes: u64,
    resumed_at_bytes: u64,
    resumes: u32,
}

/// A source, or why there is none to read.
pub enum Opened {
    /// Here it is.
    Source(Box<Source>),
    /// Nothing to do.
    Skip(SkipReason),
}

impl Source {
    /// Asks for the object as it is now, under the condition that it still is the one that the event names.
    ///
    /// By its current name and not by version id: an older version has a newer one to do the work, and a deleted
    /// object's version would come back as an output that nobody asked for.
    pub async fn open(client: &Client, object: &CreatedObject) -> Result<Opened, CompressError> {
        let request = client
            .get_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_if_match(object.etag.as_deref().map(quoted));
        let mut head = match request.send().await {
            Ok(head) => head,
            Err(error) => {
                return skip_or_error(
                    Refusal::new("GetObject", error),
                    &object.bucket,
                    &object.key,
                );
            }
        };
        let version = source_version(object, &head);
        let another = object.etag.is_none()
            && object.version_id.is_some()
            && object.version_id != version.version_id;
        if another {
            return Ok(Opened::Skip(SkipReason::Superseded));
        }
        let body = std::mem::take(&mut head.body);
        let (client, key) = (client.clone(), object.key.clone());
        Ok(Opened::Source(Box::new(Self {
            client,
            key,
            version,
            head,
            body,
            offset_bytes: 0,
            resumed_at_bytes: 0,
            resumes: 0,
        })))
    }

    /// The next piece of the body; nothing at its end, which is never before `version.size_bytes`.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            let cause = match self.body.next().await {
                Some(Ok(bytes)) => {
                    self.offset_bytes += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                None if self.offset_bytes >= self.version.size_bytes => return Ok(None),
                Some(Err(error)) => error.into(),
                None => "the body ended early".into(),
            };
            self.resume(cause).await?;
        }
    }

    async fn resume(
        &mut self,
        cause: Box<dyn std::error::Error + Send + Sync>,
    ) -> Result<(), ReadError> {
        let size_bytes = self.version.size_bytes;
        if self.offset_bytes - self.resumed_at_bytes >= PROGRESS_BYTES {
            self.resumes = 0;
        }
        self.resumed_at_bytes = self.offset_bytes;
        // An error after the last byte is a checksum that does not match: nothing is left to ask for.
        if self.resumes >= RESUMES_MAX || self.offset_bytes >= size_bytes {
            let offset_bytes = self.offset_bytes;
            return Err(CompressError::Read {
                offset_bytes,
                size_bytes,
                source: cause,
            }
            .into());
        }
        tokio::time::sleep(RESUME_WAIT * 2_u32.pow(self.resumes)).await;
        self.resumes += 1;
        tracing::debug!(
            offset_bytes = self.offset_bytes,
            size_bytes,
            resumes = self.resumes,
            "resuming the body"
        );
        let request = self
            .client
            .get_object()
            .bucket(&self.version.bucket)
            .key(&self.key);
        let request = request
            .if_match(quoted(&self.version.etag))
            .range(format!("bytes={}-", self.offset_bytes));
        match request.send().await {
            Ok(rest) => {
                self.body = rest.body;
                Ok(())
            }
            Err(error) => {
                let refusal = Refusal::new("GetObject", error);
                match skip_or_error(refusal, &self.version.bucket, &self.key)? {
                    Opened::Skip(reason) => Err(ReadError::Skip(reason)),
                    Opened::Source(_) => Ok(()),
                }
            }
        }
    }
}

/// Why a body was not read to its end.
pub enum ReadError {
    /// The source changed or went away meanwhile.
    Skip(SkipReason),
    /// It failed.
    Failed(CompressError),
}

impl From<CompressError> for ReadError {
    fn from(error: CompressError) -> Self {
        Self::Failed(error)
    }
}

fn skip_or_error(refusal: Refusal, bucket: &str, key: &str) -> Result<Opened, CompressError> {
    match Meaning::of(&refusal) {
        Meaning::NotFound => Ok(Opened::Skip(SkipReason::SourceGone)),
        Meaning::ConditionFailed => Ok(Opened::Skip(SkipReason::Superseded)),
        _ => Err(CompressError::refused(refusal, bucket, key)),
    }
}

fn source_version(object: &CreatedObject, head: &GetObjectOutput) -> SourceVersion {
    let etag = head.e_tag().or(object.etag.as_deref()).unwrap_or_default();
    let version_id = head.version_id().filter(|id| *id != "null");
    SourceVersion {
        bucket: object.bucket.clone(),
        key_sha256: key_sha256(&object.key),
        etag: etag.trim_matches('"').to_owned(),
        version_id: version_id.map(str::to_owned),
        size_bytes: u64::try_from(head.content_length().unwrap_or_default()).unwrap_or_default(),
        sequencer: object.sequencer.clone(),
    }
}

/// An entity tag as HTTP writes it. Source: RFC 9110, section 8.8.3.
fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// Whether the object at `key` is, right now, still the `version` that was read.
pub async fn is_current(
    client: &Client,
    key: &str,
    version: &SourceVersion,
) -> Result<bool, CompressError> {
    let request = client
        .head_object()
        .bucket(&version.bucket)
        .key(key)
        .if_match(quoted(&version.etag));
    match request.send().await {
        Ok(_) => Ok(true),
        Err(error) => {
            let refusal = Refusal::new("HeadObject", error);
            match Meaning::of(&refusal) {
                Meaning::NotFound | Meaning::ConditionFailed => Ok(false),
                _ => Err(CompressError::refused(refusal, &version.bucket, key)),
            }
        }
    }
}

/// Deletes the source if it still is the `version` that was read; a source that changed or is gone is left so.
pub async fn delete(
    client: &Client,
    key: &str,
    version: &SourceVersion,
) -> Result<(), CompressError> {
    let request = client
        .delete_object()
        .bucket(&version.bucket)
        .key(key)
        .if_match(quoted(&version.etag));
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let refusal = Refusal::new("DeleteObject", error);
            match Meaning::of(&refusal) {
                Meaning::NotFound | Meaning::ConditionFailed => Ok(()),
                _ => Err(CompressError::refused(refusal, &version.bucket, key)),
            }
        }
    }
}
