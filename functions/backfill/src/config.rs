//! Settings, from the environment.

use std::num::NonZeroUsize;

use shared::env::{EnvError, Vars};
use shared::key::{Format, KeyMap, overlap};
use shared::telemetry::Settings;

/// What becomes of a source whose output is confirmed; that of `compress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Deleted: a source that is still there is not done.
    Delete,
    /// Left.
    Keep,
}

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// `JOBS_TABLE`, required.
    pub jobs_table: String,
    /// `QUEUE_URL`, required: the queue that `compress` reads.
    pub queue_url: String,
    /// `SOURCE_BUCKET`, required.
    pub source_bucket: String,
    /// `OUTPUT_BUCKET`: where the outputs are; default the source's.
    pub output_bucket: String,
    /// `SOURCE_PREFIX` (`incoming/`), `OUTPUT_PREFIX` (`processed/`), `COMPRESSION_FORMAT` (`zip`): those of `compress`.
    pub keys: KeyMap,
    /// `SOURCE_DISPOSITION`, default `delete`: that of `compress`.
    pub disposition: Disposition,
    /// `ENQUEUE_CONCURRENCY`: calls of the queue in flight at most, each of ten messages; 1 to 100, default 20.
    pub enqueue_concurrency: NonZeroUsize,
    /// `VERIFY_CONCURRENCY`: objects looked at at a time; 1 to 256, default 64.
    pub verify_concurrency: NonZeroUsize,
    /// `JOB_RETENTION_DAYS`: how long a job can be asked for after its last change; 1 to 3650, default 30.
    pub retention_days: u64,
    /// The Powertools names for logs and metrics.
    pub telemetry: Settings,
}

impl Config {
    /// Reads every setting and reports every mistake at once.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvError> {
        let mut vars = Vars::new(lookup);
        let formats = Format::ALL.map(|format| (format.label(), format));
        let format = vars.one_of("COMPRESSION_FORMAT", Format::Zip, &formats);
        let dispositions = [("delete", Disposition::Delete), ("keep", Disposition::Keep)];
        let source_bucket = vars.required("SOURCE_BUCKET");
        let output_bucket = vars.optional("OUTPUT_BUCKET");
        let config = Self {
            jobs_table: vars.required("JOBS_TABLE"),
            queue_url: queue_url(&mut vars),
            output_bucket: output_bucket.unwrap_or_else(|| source_bucket.clone()),
            source_bucket,
            keys: KeyMap {
                source_prefix: vars.text("SOURCE_PREFIX", "incoming/"),
                output_prefix: vars.text("OUTPUT_PREFIX", "processed/"),
                extension: format.extension(),
            },
            disposition: vars.one_of("SOURCE_DISPOSITION", Disposition::Delete, &dispositions),
            enqueue_concurrency: at_least_one(vars.ranged("ENQUEUE_CONCURRENCY", 20, 1..=100)),
            verify_concurrency: at_least_one(vars.ranged("VERIFY_CONCURRENCY", 64, 1..=256)),
            retention_days: vars.ranged("JOB_RETENTION_DAYS", 30, 1..=3_650),
            telemetry: Settings::read(&mut vars, "backfill"),
        };
        let one_bucket = config.source_bucket == config.output_bucket;
        let KeyMap {
            source_prefix,
            output_prefix,
            ..
        } = &config.keys;
        if one_bucket && overlap(source_prefix, output_prefix) {
            let allowed = format!("a prefix that does not overlap SOURCE_PREFIX {source_prefix:?}");
            vars.mistake("OUTPUT_PREFIX", output_prefix, &allowed);
        }
        vars.finish()?;
        Ok(config)
    }
}

fn at_least_one(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

fn queue_url<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>) -> String {
    let url = vars.required("QUEUE_URL");
    if !(url.is_empty() || url.starts_with("https://") || url.starts_with("http://")) {
        vars.mistake("QUEUE_URL", &url, "the URL of an SQS queue");
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [(&str, &str); 3] = [
        ("JOBS_TABLE", "jobs"),
        ("QUEUE_URL", "https://sqs/q"),
        ("SOURCE_BUCKET", "bucket"),
    ];

    fn parse(pairs: &[(&str, &str)]) -> Result<Config, EnvError> {
        Config::parse(|name| {
            let mut all = pairs.iter().chain(&REQUIRED);
            let found = all.find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.output_bucket, "bucket");
        assert_eq!(config.keys.source_prefix, "incoming/");
        assert_eq!(config.keys.output_prefix, "processed/");
        assert_eq!(config.keys.extension, ".zip");
        assert_eq!(config.disposition, Disposition::Delete);
        assert_eq!(config.enqueue_concurrency.get(), 20);
        assert_eq!(config.verify_concurrency.get(), 64);
        assert_eq!(config.retention_days, 30);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let mistakes = [
            ("QUEUE_URL", "arn:aws:sqs:us-east-1:1:q"),
            ("COMPRESSION_FORMAT", "rar"),
            ("SOURCE_DISPOSITION", "burn"),
            ("ENQUEUE_CONCURRENCY", "0"),
            ("VERIFY_CONCURRENCY", "257"),
            ("JOB_RETENTION_DAYS", "0"),
            ("OUTPUT_PREFIX", "incoming/out/"),
        ];
        let text = parse(&mistakes).unwrap_err().to_string();
        for (name, value) in mistakes {
            assert!(
                text.contains(name) && text.contains(value),
                "{name}: {text}"
            );
        }
        let text = Config::parse(|_| None).unwrap_err().to_string();
        for (name, _) in REQUIRED {
            assert!(text.contains(name), "{name}: {text}");
        }
    }

    #[test]
    fn each_format_has_the_extension_that_compress_gives_it() {
        for (format, extension) in [("zip", ".zip"), ("gzip", ".gz"), ("zstd", ".zst")] {
            let config = parse(&[("COMPRESSION_FORMAT", format)]).unwrap();
            assert_eq!(config.keys.extension, extension);
        }
    }

    #[test]
    fn prefixes_may_overlap_in_different_buckets() {
        let overlapping = ("OUTPUT_PREFIX", "incoming/out/");
        assert!(parse(&[overlapping, ("OUTPUT_BUCKET", "other")]).is_ok());
        assert!(parse(&[overlapping, ("OUTPUT_BUCKET", "bucket")]).is_err());
    }
}
