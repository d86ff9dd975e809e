//! One object: read, compress, write, delete. Straight down, with every early end named.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use archive::{ArchiveError, BLOCK_BYTES, Encoder, Spec, entry_name};
use aws_sdk_s3::Client;
use shared::s3_event::CreatedObject;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};

use crate::budget;
use crate::config::{Config, Disposition};
use crate::decide::{Intent, SkipReason, is_folder_marker};
use crate::error::CompressError;
use crate::existing::{Existing, SourceVersion, compare};
use crate::metadata::{ContentHeaders, output_metadata, source_version};
use crate::refusal::{Meaning, Refusal};
use crate::source::{self, Opened, ReadError, Source};
use crate::upload::{Condition, Kept, Target, Upload};

/// Rounds of "write, and if that is not certain, look" before the object goes back to the queue.
const COMMIT_ROUNDS: u32 = 4;

/// Half the wait after a commit that was throttled or not answered; doubles each round.
const COMMIT_WAIT: Duration = Duration::from_millis(50);

/// What became of an object.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its output is there.
    Compressed {
        /// Bytes read.
        input_bytes: u64,
        /// Bytes written.
        output_bytes: u64,
    },
    /// Nothing was to be done.
    Skipped(SkipReason),
}

impl From<SkipReason> for Outcome {
    fn from(reason: SkipReason) -> Self {
        Self::Skipped(reason)
    }
}

/// What every object of every batch shares.
pub struct Compressor {
    client: Client,
    config: Config,
    /// Memory of all objects in flight, KiB.
    memory: Semaphore,
    /// Large objects, one at a time.
    large: Semaphore,
}

impl Compressor {
    /// One per process.
    #[must_use]
    pub fn new(client: Client, config: Config) -> Self {
        let memory_kib = budget::batch_kib(config.function_memory_mb);
        Self {
            client,
            config,
            memory: Semaphore::new(memory_kib as usize),
            large: Semaphore::new(1),
        }
    }

    /// Compresses one object, confirms its output, and only then deletes the source. Gives up at `stop_at`, with
    /// nothing half done.
    pub async fn compress(
        &self,
        object: &CreatedObject,
        stop_at: Instant,
    ) -> Result<Outcome, CompressError> {
        let (output_bucket, output_key) = match self.config.policy.intent(object)? {
            Intent::Skip(reason) => return Ok(reason.into()),
            Intent::Compress {
                output_bucket,
                output_key,
            } => (output_bucket, output_key),
        };
        let mut upload = None;
        let work = self.read_write_delete(object, (output_bucket, output_key), &mut upload);
        let outcome = timeout_at(stop_at, work)
            .await
            .unwrap_or(Err(CompressError::OutOfTime));
        if let Some(upload) = &mut upload {
            upload.abort().await;
        }
        outcome
    }

    async fn read_write_delete(
        &self,
        object: &CreatedObject,
        (output_bucket, output_key): (String, String),
        begun: &mut Option<Upload>,
    ) -> Result<Outcome, CompressError> {
        let _turn = self.turn_for(object).await;
        let _memory = self.memory_for(object).await;
        let mut source = match Source::open(&self.client, object).await? {
            Opened::Skip(reason) => return Ok(reason.into()),
            Opened::Source(source) => source,
        };
        if is_folder_marker(&object.key, source.version.size_bytes) {
            return Ok(SkipReason::FolderMarker.into());
        }
        self.config.policy.check_size(source.version.size_bytes)?;
        let target = self.target(object, &source, output_bucket, output_key);
        let upload = begun.insert(Upload::new(self.client.clone(), target));
        let spec = self.spec(object, source.version.size_bytes);
        match pipe(&mut source, spec, upload).await {
            Ok(()) => {}
            Err(ReadError::Skip(reason)) => return Ok(reason.into()),
            Err(ReadError::Failed(error)) => return Err(error),
        }
        let outcome = self.commit(upload, &object.key, &source.version).await?;
        let confirmed = !matches!(outcome, Outcome::Skipped(SkipReason::Superseded));
        if confirmed && self.config.disposition == Disposition::Delete {
            source::delete(&self.client, &object.key, &source.version).await?;
        }
        Ok(outcome)
    }

    /// Waits until no other large object is under way; an object that is not large, or of unknown size, does not wait.
    async fn turn_for(&self, object: &CreatedObject) -> Option<SemaphorePermit<'_>> {
        if object
            .size_bytes
            .is_none_or(|size| size <= budget::LARGE_BYTES)
        {
            return None;
        }
        self.large.acquire().await.ok()
    }

    /// Waits until the object fits beside those in flight; that one alone fits is checked with the settings. The
    /// event's size is believed only with an entity tag, without which another object may be there.
    async fn memory_for(&self, object: &CreatedObject) -> Option<SemaphorePermit<'_>> {
        let size_bytes = object.size_bytes.filter(|_| object.etag.is_some());
        let kib = budget::object_kib(size_bytes, self.config.format, self.config.level);
        self.memory.acquire_many(kib).await.ok()
    }

    fn spec(&self, object: &CreatedObject, input_bytes: u64) -> Spec {
        Spec {
            format: self.config.format,
            level: self.config.level,
            name: entry_name(&object.key),
            input_bytes,
            part_bytes: budget::PART_BYTES,
        }
    }

    fn target(
        &self,
        object: &CreatedObject,
        source: &Source,
        bucket: String,
        key: String,
    ) -> Target {
        let head = &source.head;
        let headers = ContentHeaders {
            content_type: head.content_type(),
            content_encoding: head.content_encoding(),
        };
        let none = HashMap::new();
        let metadata = output_metadata(&source.version, headers, head.metadata().unwrap_or(&none));
        if !metadata.left_out.is_empty() {
            let left_out = metadata.left_out.join(",");
            tracing::warn!(
                bucket = object.bucket,
                key = object.key,
                left_out,
                "user metadata does not fit"
            );
        }
        let kept = Kept::from_source(head);
        Target {
            bucket,
            key,
            content_type: self.config.format.content_type(),
            metadata: metadata.entries,
            kept,
        }
    }

    /// Makes the output appear once, for the newest version. The write's condition decides; what is there is
    /// looked at only after the condition failed or the answer left the effect open.
    async fn commit(
        &self,
        upload: &mut Upload,
        source_key: &str,
        version: &SourceVersion,
    ) -> Result<Outcome, CompressError> {
        let compressed = Outcome::Compressed {
            input_bytes: version.size_bytes,
            output_bytes: upload.output_bytes,
        };
        let mut condition = Condition::Absent;
        let mut uncertain = false;
        for round in 1..=COMMIT_ROUNDS {
            let Err(refusal) = upload.commit(&condition).await else {
                return Ok(compressed);
            };
            let meaning = Meaning::of(&refusal);
            uncertain |= matches!(meaning, Meaning::Uncertain | Meaning::NoSuchUpload);
            if matches!(meaning, Meaning::Throttled | Meaning::Uncertain) {
                tokio::time::sleep(COMMIT_WAIT * 2_u32.pow(round)).await;
            }
            if meaning == Meaning::Throttled && round < COMMIT_ROUNDS {
                continue;
            }
            if !meaning.asks_for_a_look() {
                return Err(upload.error(refusal));
            }
            // S3 asks to begin such an upload anew; the queue's next delivery does.
            let spent = meaning == Meaning::NoSuchUpload
                || (meaning == Meaning::Conflict && upload.is_multipart())
                || (meaning == Meaning::Uncertain && round == COMMIT_ROUNDS);
            match self.look(upload, source_key, version).await? {
                There::Ours { output_bytes } => {
                    let own = uncertain && output_bytes == upload.output_bytes;
                    return Ok(if own {
                        upload.settled(compressed)
                    } else {
                        SkipReason::Duplicate.into()
                    });
                }
                There::Newer => return Ok(SkipReason::Superseded.into()),
                _ if spent => return Err(upload.error(refusal)),
                There::Nothing => condition = Condition::Absent,
                There::Older { etag } => condition = Condition::Replaces(etag),
            }
        }
        Err(CompressError::Contended {
            output_key: upload.key().to_owned(),
        })
    }

    /// What is at the output's place, in relation to the `version` that was to be written.
    async fn look(
        &self,
        upload: &Upload,
        source_key: &str,
        version: &SourceVersion,
    ) -> Result<There, CompressError> {
        let request = self
            .client
            .head_object()
            .bucket(upload.bucket())
            .key(upload.key());
        let head = match request
            .send()
            .await
            .map_err(|error| Refusal::new("HeadObject", error))
        {
            Ok(head) => head,
            Err(refusal) if Meaning::of(&refusal) == Meaning::NotFound => {
                return Ok(There::Nothing);
            }
            Err(refusal) => return Err(upload.error(refusal)),
        };
        let theirs = head.metadata().and_then(source_version);
        let older = There::Older {
            etag: head.e_tag().unwrap_or_default().to_owned(),
        };
        Ok(match compare(version, theirs.as_ref()) {
            Existing::Same => {
                let output_bytes =
                    u64::try_from(head.content_length().unwrap_or_default()).unwrap_or_default();
                There::Ours { output_bytes }
            }
            Existing::Older => older,
            Existing::Unordered
                if source::is_current(&self.client, source_key, version).await? =>
            {
                older
            }
            Existing::Newer | Existing::Unordered => There::Newer,
            Existing::Foreign => {
                return Err(CompressError::OutputConflict {
                    output_key: upload.key().to_owned(),
                });
            }
        })
    }
}

/// What a look at the output's place found.
enum There {
    Nothing,
    Ours { output_bytes: u64 },
    Older { etag: String },
    Newer,
}

/// Body → bounded channel → compressor thread → bounded channel → upload. The channels are the back-pressure, and
/// the only places where bytes wait.
async fn pipe(source: &mut Source, spec: Spec, upload: &mut Upload) -> Result<(), ReadError> {
    let (blocks_in, blocks) = mpsc::channel(budget::BLOCKS_IN_FLIGHT);
    let (parts_in, mut parts) = mpsc::channel(1);
    let encoding = tokio::task::spawn_blocking(move || encode(spec, blocks, &parts_in));
    let drain = async {
        while let Some(part) = parts.recv().await {
            upload.part(part).await?;
        }
        Ok(())
    };
    tokio::try_join!(feed(source, blocks_in), drain)?;
    let last = encoding
        .await
        .map_err(CompressError::from)?
        .map_err(CompressError::from)?;
    Ok(upload.all_parts_done(last).await?)
}

/// Gathers the body into whole blocks: the thread is woken once a block, not once a TLS record. The sender goes
/// with this function; its end is how the thread knows that the body has ended.
async fn feed(source: &mut Source, blocks: mpsc::Sender<Vec<u8>>) -> Result<(), ReadError> {
    let mut block = Vec::new();
    while let Some(chunk) = source.next().await? {
        let mut chunk = &chunk[..];
        while block.len() + chunk.len() >= BLOCK_BYTES {
            let (now, later) = chunk.split_at(BLOCK_BYTES - block.len());
            block.extend_from_slice(now);
            chunk = later;
            let full = std::mem::replace(&mut block, Vec::with_capacity(BLOCK_BYTES));
            if blocks.send(full).await.is_err() {
                return Ok(()); // the thread has ended with an error, which its result tells
            }
        }
        block.extend_from_slice(chunk);
    }
    let _ended = blocks.send(block).await;
    Ok(())
}

fn encode(
    spec: Spec,
    mut blocks: mpsc::Receiver<Vec<u8>>,
    parts: &mpsc::Sender<Vec<u8>>,
) -> Result<VecDeque<Vec<u8>>, ArchiveError> {
    let mut encoder = Encoder::new(spec);
    while let Some(block) = blocks.blocking_recv() {
        encoder.write(&block)?;
        while let Some(part) = encoder.next_part() {
            if parts.blocking_send(part).is_err() {
                return Ok(VecDeque::new()); // nobody waits for the result any more
            }
        }
    }
    encoder.finish()
}
