//! Writing an output: one conditional put, or a conditional multipart upload.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_sdk_s3::types::{
    CompletedMultipartUpload, CompletedPart, ServerSideEncryption, StorageClass,
};
use bytes::Bytes;
use shared::telemetry::error_chain;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Instrument;

use crate::budget::PARTS_IN_FLIGHT;
use crate::error::CompressError;
use crate::refusal::Refusal;

/// How long an abort is waited for: it comes last, when the invocation's time may be nearly up.
const ABORT_WAIT: Duration = Duration::from_millis(800);

/// Where an output goes and what it carries besides its bytes.
pub struct Target {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// What the object now is.
    pub content_type: &'static str,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// What it takes over from its source.
    pub kept: Kept,
}

/// Headers that an output takes over. Not `Content-Encoding` (clients would decompress silently) and not
/// `Content-Disposition` (it names the source's file).
pub struct Kept {
    cache_control: Option<String>,
    content_language: Option<String>,
    expires: Option<DateTime>,
    storage_class: Option<StorageClass>,
    encryption: Option<ServerSideEncryption>,
    kms_key_id: Option<String>,
    bucket_key_enabled: Option<bool>,
}

impl Kept {
    /// From the source's response. Encryption is taken over when a KMS key is named; else the bucket's default holds.
    #[must_use]
    pub fn from_source(head: &GetObjectOutput) -> Self {
        let expires = head
            .expires_string()
            .and_then(|text| DateTime::from_str(text, DateTimeFormat::HttpDate).ok());
        let kms_key_id = head.ssekms_key_id().map(str::to_owned);
        let with_kms = kms_key_id.is_some();
        Self {
            cache_control: head.cache_control().map(str::to_owned),
            content_language: head.content_language().map(str::to_owned),
            expires,
            storage_class: head.storage_class().cloned(),
            encryption: head.server_side_encryption().filter(|_| with_kms).cloned(),
            kms_key_id,
            bucket_key_enabled: head.bucket_key_enabled().filter(|_| with_kms),
        }
    }
}

/// Under which condition an output is written. There is no unconditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing is there.
    Absent,
    /// What is there is the object with this entity tag.
    Replaces(String),
}

impl Condition {
    fn headers(&self) -> (Option<String>, Option<String>) {
        match self {
            Self::Absent => (Some("*".to_owned()), None),
            Self::Replaces(etag) => (None, Some(etag.clone())),
        }
    }
}

/// An output on its way. Until the first part is followed by another nothing is sent; an upload that was
/// begun and not committed must be [`abort`](Self::abort)ed.
pub struct Upload {
    client: Client,
    target: Target,
    /// The output so far, while it may be a single put.
    single: Option<Bytes>,
    /// S3's identifier of the multipart upload, once begun.
    multipart_id: Option<String>,
    next_number: i32,
    /// Tasks, so that they go on while nobody asks; dropped with the upload.
    in_flight: JoinSet<Result<CompletedPart, Refusal>>,
    parts: Vec<CompletedPart>,
    /// Bytes taken, over all parts.
    pub output_bytes: u64,
}

impl Upload {
    /// An output of which nothing is known yet but where it goes.
    #[must_use]
    pub fn new(client: Client, target: Target) -> Self {
        Self {
            client,
            target,
            single: None,
            multipart_id: None,
            next_number: 1,
            in_flight: JoinSet::new(),
            parts: Vec::new(),
            output_bytes: 0,
        }
    }

    /// Takes the next part, and returns when there is room to send another: until then the caller must not hold one.
    pub async fn part(&mut self, part: Vec<u8>) -> Result<(), CompressError> {
        self.output_bytes += part.len() as u64;
        let part = Bytes::from(part);
        if self.multipart_id.is_none() {
            let Some(first) = self.single.take() else {
                self.single = Some(part);
                return Ok(());
            };
            self.begin().await?;
            self.send_part(first).await?;
        }
        self.send_part(part).await
    }

    async fn begin(&mut self) -> Result<(), CompressError> {
        let (target, kept) = (&self.target, &self.target.kept);
        let request = self
            .client
            .create_multipart_upload()
            .bucket(&target.bucket)
            .key(&target.key);
        let request = request
            .content_type(target.content_type)
            .set_metadata(Some(target.metadata.clone().into_iter().collect()))
            .set_cache_control(kept.cache_control.clone())
            .set_content_language(kept.content_language.clone())
            .set_expires(kept.expires)
            .set_storage_class(kept.storage_class.clone())
            .set_server_side_encryption(kept.encryption.clone())
            .set_ssekms_key_id(kept.kms_key_id.clone())
            .set_bucket_key_enabled(kept.bucket_key_enabled);
        let created = request
            .send()
            .await
            .map_err(|error| self.error(Refusal::new("CreateMultipartUpload", error)))?;
        self.multipart_id = created.upload_id;
        Ok(())
    }

    async fn send_part(&mut self, body: Bytes) -> Result<(), CompressError> {
        let number = self.next_number;
        self.next_number += 1;
        let request = self
            .client
            .upload_part()
            .bucket(&self.target.bucket)
            .key(&self.target.key);
        let request = request
            .set_upload_id(self.multipart_id.clone())
            .part_number(number)
            .body(ByteStream::from(body));
        let send = async move {
            let sent = request
                .send()
                .await
                .map_err(|error| Refusal::new("UploadPart", error))?;
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag);
            Ok(part
                .set_checksum_crc32(sent.checksum_crc32)
                .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
                .build())
        };
        self.in_flight.spawn(send.in_current_span());
        while self.in_flight.len() >= PARTS_IN_FLIGHT {
            self.one_part_done().await?;
        }
        Ok(())
    }

    async fn one_part_done(&mut self) -> Result<(), CompressError> {
        if let Some(done) = self.in_flight.join_next().await {
            let part = done?.map_err(|refusal| self.error(refusal))?;
            self.parts.push(part);
        }
        Ok(())
    }

    /// Waits for the parts that are being sent. All that is left is [`commit`](Self::commit).
    pub async fn all_parts_done(&mut self, last: VecDeque<Vec<u8>>) -> Result<(), CompressError> {
        for part in last {
            self.part(part).await?;
        }
        while !self.in_flight.is_empty() {
            self.one_part_done().await?;
        }
        self.parts.sort_by_key(CompletedPart::part_number);
        Ok(())
    }

    /// Makes the output appear, whole, under `condition`. One attempt: after an uncertain answer the caller
    /// looks at what is there before any other.
    pub async fn commit(&mut self, condition: &Condition) -> Result<(), Refusal> {
        match &self.multipart_id {
            Some(upload_id) => self.complete(upload_id, condition).await?,
            None => self.put(condition).await?,
        }
        self.multipart_id = None;
        Ok(())
    }

    async fn put(&self, condition: &Condition) -> Result<(), Refusal> {
        let (target, kept) = (&self.target, &self.target.kept);
        let (if_none_match, if_match) = condition.headers();
        let request = self
            .client
            .put_object()
            .bucket(&target.bucket)
            .key(&target.key);
        let request = request
            .body(ByteStream::from(self.single.clone().unwrap_or_default()))
            .set_if_none_match(if_none_match)
            .set_if_match(if_match)
            .content_type(target.content_type)
            .set_metadata(Some(target.metadata.clone().into_iter().collect()))
            .set_cache_control(kept.cache_control.clone())
            .set_content_language(kept.content_language.clone())
            .set_expires(kept.expires)
            .set_storage_class(kept.storage_class.clone())
            .set_server_side_encryption(kept.encryption.clone())
            .set_ssekms_key_id(kept.kms_key_id.clone())
            .set_bucket_key_enabled(kept.bucket_key_enabled);
        let sent = request
            .customize()
            .config_override(one_attempt())
            .send()
            .await;
        sent.map(drop)
            .map_err(|error| Refusal::new("PutObject", error))
    }

    async fn complete(&self, upload_id: &str, condition: &Condition) -> Result<(), Refusal> {
        let (if_none_match, if_match) = condition.headers();
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(self.parts.clone()))
            .build();
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(&self.target.bucket)
            .key(&self.target.key);
        let request = request
            .upload_id(upload_id)
            .multipart_upload(parts)
            .set_if_none_match(if_none_match)
            .set_if_match(if_match);
        let sent = request
            .customize()
            .config_override(one_attempt())
            .send()
            .await;
        sent.map(drop)
            .map_err(|error| Refusal::new("CompleteMultipartUpload", error))
    }

    /// Passes `outcome` on and forgets the upload: it was completed, although its answer did not say so, and nothing
    /// is left to abort.
    pub fn settled<T>(&mut self, outcome: T) -> T {
        self.multipart_id = None;
        outcome
    }

    /// Gives up a multipart upload that was begun. Its failure is only logged: the bucket's
    /// abort-incomplete-multipart rule ends what stays.
    pub async fn abort(&mut self) {
        self.in_flight.abort_all();
        let Some(upload_id) = self.multipart_id.take() else {
            return;
        };
        let request = self
            .client
            .abort_multipart_upload()
            .bucket(&self.target.bucket)
            .key(&self.target.key);
        let left = match timeout(ABORT_WAIT, request.upload_id(upload_id).send()).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error_chain(&Refusal::new("AbortMultipartUpload", error)),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(
            bucket = self.target.bucket,
            key = self.target.key,
            error = left,
            "multipart upload left behind"
        );
    }

    /// Whether this is a multipart upload.
    #[must_use]
    pub const fn is_multipart(&self) -> bool {
        self.multipart_id.is_some()
    }

    /// The output's bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.target.bucket
    }

    /// The output's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.target.key
    }

    /// The error that a refusal is for this output.
    #[must_use]
    pub fn error(&self, refusal: Refusal) -> CompressError {
        CompressError::refused(refusal, &self.target.bucket, &self.target.key)
    }
}

/// The SDK's own retry would repeat a write of which nobody knows whether it happened.
fn one_attempt() -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::Config::builder().retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
}
