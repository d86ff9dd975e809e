//! Settings, from the environment.

use std::num::NonZeroUsize;

use archive::Format;
use shared::env::{EnvError, Vars};
use shared::telemetry::Settings;

use crate::budget;
use crate::decide::Policy;
use shared::key::{KeyMap, overlap};

/// Largest object that can be set, bytes: an upload has at most 10,000 parts, here of 8 MiB, and what does not
/// shrink grows by less than 0.1 %. Source: S3 user guide, "Multipart upload limits".
const OBJECT_BYTES_MAX: u64 = 78 * 1024 * 1024 * 1024;

/// What becomes of a source whose output is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Deleted, if it is still the one that was read.
    Delete,
    /// Left.
    Keep,
}

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which objects are worked on: `SOURCE_PREFIX` (`incoming/`), `OUTPUT_PREFIX` (`processed/`), `SOURCE_BUCKET`
    /// (any), `OUTPUT_BUCKET` (the source's), `MAX_OBJECT_BYTES` (5 GiB, inclusive).
    pub policy: Policy,
    /// `COMPRESSION_FORMAT`: `zip` (default), `gzip`, `zstd`.
    pub format: Format,
    /// `COMPRESSION_LEVEL`: within the format's range; default per format.
    pub level: u32,
    /// `DLQ_URL`: the queue for permanent failures; required with SQS wiring.
    pub dlq_url: Option<String>,
    /// `JOBS_TABLE`: the table in which backfills keep their jobs; unset, nothing is told of any job.
    pub jobs_table: Option<String>,
    /// `BATCH_CONCURRENCY`: objects in flight at most, 1 to 100, default 10.
    pub batch_concurrency: NonZeroUsize,
    /// `SOURCE_DISPOSITION`: `delete` (default) or `keep`.
    pub disposition: Disposition,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, set by Lambda: MB, default 256.
    pub function_memory_mb: u64,
    /// The Powertools names for logs and metrics.
    pub telemetry: Settings,
}

impl Config {
    /// Reads every setting and reports every mistake at once.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvError> {
        let mut vars = Vars::new(lookup);
        let formats = Format::ALL.map(|format| (format.label(), format));
        let format = vars.one_of("COMPRESSION_FORMAT", Format::Zip, &formats);
        let level = vars.ranged("COMPRESSION_LEVEL", format.default_level(), format.levels());
        let concurrency = vars.ranged("BATCH_CONCURRENCY", 10, 1..=100);
        let dispositions = [("delete", Disposition::Delete), ("keep", Disposition::Keep)];
        let config = Self {
            policy: policy(&mut vars, format),
            format,
            level,
            dlq_url: dlq_url(&mut vars),
            jobs_table: vars.optional("JOBS_TABLE"),
            batch_concurrency: NonZeroUsize::new(concurrency).unwrap_or(NonZeroUsize::MIN),
            disposition: vars.one_of("SOURCE_DISPOSITION", Disposition::Delete, &dispositions),
            function_memory_mb: vars.ranged("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 256, 128..=32_768),
            telemetry: Settings::read(&mut vars, "compress"),
        };
        if budget::object_kib(None, format, level) > budget::batch_kib(config.function_memory_mb) {
            let allowed = format!("a level that works in {} MB", config.function_memory_mb);
            vars.mistake("COMPRESSION_LEVEL", &level.to_string(), &allowed);
        }
        vars.finish()?;
        Ok(config)
    }
}

fn policy<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>, format: Format) -> Policy {
    let keys = KeyMap {
        source_prefix: vars.text("SOURCE_PREFIX", "incoming/"),
        output_prefix: vars.text("OUTPUT_PREFIX", "processed/"),
        extension: format.extension(),
    };
    let (source_bucket, output_bucket) = (
        vars.optional("SOURCE_BUCKET"),
        vars.optional("OUTPUT_BUCKET"),
    );
    let one_bucket = output_bucket.is_none() || output_bucket == source_bucket;
    if one_bucket && overlap(&keys.source_prefix, &keys.output_prefix) {
        let allowed = format!(
            "a prefix that does not overlap SOURCE_PREFIX {:?}",
            keys.source_prefix
        );
        vars.mistake("OUTPUT_PREFIX", &keys.output_prefix, &allowed);
    }
    let max_object_bytes = vars.ranged(
        "MAX_OBJECT_BYTES",
        5 * 1024 * 1024 * 1024,
        0..=OBJECT_BYTES_MAX,
    );
    Policy {
        keys,
        source_bucket,
        output_bucket,
        max_object_bytes,
    }
}

fn dlq_url<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>) -> Option<String> {
    let url = vars.optional("DLQ_URL")?;
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        vars.mistake("DLQ_URL", &url, "the URL of an SQS queue");
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Config, EnvError> {
        Config::parse(|name| {
            pairs
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = parse(&[]).unwrap();
        assert_eq!((config.format, config.level), (Format::Zip, 5));
        assert_eq!(config.policy.keys.source_prefix, "incoming/");
        assert_eq!(config.policy.keys.output_prefix, "processed/");
        assert_eq!(config.policy.max_object_bytes, 5 * 1024 * 1024 * 1024);
        assert_eq!(config.batch_concurrency.get(), 10);
        assert_eq!(config.disposition, Disposition::Delete);
        assert_eq!((config.dlq_url, config.jobs_table), (None, None));
        assert_eq!(parse(&[("COMPRESSION_FORMAT", "zstd")]).unwrap().level, 3);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let mistakes = [
            ("COMPRESSION_FORMAT", "rar"),
            ("COMPRESSION_LEVEL", "10"),
            ("MAX_OBJECT_BYTES", "-1"),
            ("BATCH_CONCURRENCY", "0"),
            ("SOURCE_DISPOSITION", "burn"),
            ("OUTPUT_PREFIX", "incoming/out/"),
            ("DLQ_URL", "arn:aws:sqs:us-east-1:1:q"),
            ("POWERTOOLS_LOGGER_SAMPLE_RATE", "1.5"),
        ];
        let text = parse(&mistakes).unwrap_err().to_string();
        for (name, value) in mistakes {
            assert!(
                text.contains(name) && text.contains(value),
                "{name} is missing in: {text}"
            );
        }
    }

    #[test]
    fn a_level_is_checked_against_its_format() {
        let level =
            |format, level| parse(&[("COMPRESSION_FORMAT", format), ("COMPRESSION_LEVEL", level)]);
        assert!(
            level("zip", "0").is_ok() && level("zip", "9").is_ok() && level("zip", "10").is_err()
        );
        assert!(level("zstd", "1").is_ok() && level("zstd", "19").is_ok());
        assert!(level("zstd", "0").is_err() && level("zstd", "20").is_err());
    }

    #[test]
    fn a_level_that_needs_more_memory_than_there_is_is_refused() {
        let memory = |memory, level| {
            let format = ("COMPRESSION_FORMAT", "zstd");
            let memory = ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory);
            parse(&[format, memory, ("COMPRESSION_LEVEL", level)])
        };
        assert!(memory("128", "9").is_ok() && memory("256", "19").is_ok());
        assert!(
            memory("128", "19")
                .unwrap_err()
                .to_string()
                .contains("COMPRESSION_LEVEL")
        );
    }

    #[test]
    fn prefixes_may_overlap_only_in_different_buckets() {
        let overlapping = [("SOURCE_PREFIX", "a/"), ("OUTPUT_PREFIX", "a/b/")];
        assert!(parse(&overlapping).is_err());
        assert!(parse(&[overlapping[0], overlapping[1], ("OUTPUT_BUCKET", "other")]).is_ok());
        let same = [("SOURCE_BUCKET", "one"), ("OUTPUT_BUCKET", "one")];
        assert!(parse(&[overlapping[0], overlapping[1], same[0], same[1]]).is_err());
    }
}
