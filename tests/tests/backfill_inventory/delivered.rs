//! Inventories of made-up sources, delivered as S3 does.

use inventory::made::{CSV_SCHEMA, Line, PARQUET_SCHEMA, Writing, csv, parquet};
use serde_json::{Value, json};
use tests::backfilled::Backfilled;
use tests::compressor::BUCKET;
use tests::fake_aws::Content;

/// Where inventories are delivered to.
pub(crate) const INVENTORIES: &str = "inventories";
pub(crate) const MANIFEST: &str = "files/all/2026-11-21T01-00Z/manifest.json";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Format {
    Csv,
    Parquet,
}

impl Format {
    pub(crate) const ALL: [Self; 2] = [Self::Csv, Self::Parquet];

    pub(crate) fn part(self, lines: &[Line]) -> Vec<u8> {
        match self {
            Self::Csv => csv(lines, Vec::new()).unwrap(),
            Self::Parquet => {
                parquet(PARQUET_SCHEMA, [lines], &Writing::default(), Vec::new()).unwrap()
            }
        }
    }

    pub(crate) fn manifest(self, files: &[Value]) -> Value {
        let (format, schema) = match self {
            Self::Csv => ("CSV", CSV_SCHEMA),
            Self::Parquet => ("Parquet", PARQUET_SCHEMA),
        };
        json!({
            "sourceBucket": BUCKET,
            "destinationBucket": format!("arn:aws:s3:::{INVENTORIES}"),
            "version": "2016-11-30",
            "creationTimestamp": "1795222800000",
            "fileFormat": format,
            "fileSchema": schema,
            "files": files,
        })
    }
}

/// Delivers an inventory of so many parts.
pub(crate) fn deliver(job: &Backfilled, format: Format, parts: &[Vec<Line>]) {
    job.fake.bucket(INVENTORIES, false);
    let files: Vec<_> = parts
        .iter()
        .enumerate()
        .map(|(number, lines)| {
            let (key, content) = (format!("files/all/data/part-{number}"), format.part(lines));
            let file = json!({"key": key, "size": content.len(), "MD5checksum": format!("{:x}", md5::compute(&content))});
            job.fake.put(INVENTORIES, &key, content);
            file
        })
        .collect();
    deliver_manifest(job, &format.manifest(&files));
}

pub(crate) fn deliver_manifest(job: &Backfilled, manifest: &Value) {
    let manifest = manifest.to_string();
    let checksum = format!("{:x}\n", md5::compute(&manifest));
    job.fake.put(INVENTORIES, MANIFEST, manifest.as_str());
    let checksum_key = MANIFEST.replace(".json", ".checksum");
    job.fake.put(INVENTORIES, &checksum_key, checksum.as_str());
}

pub(crate) fn fields() -> Value {
    json!({"mode": "inventory", "inventory": {"bucket": INVENTORIES, "key": MANIFEST}})
}

/// Stores a source, and its line.
pub(crate) fn source(job: &Backfilled, key: &str) -> Line {
    let written = job.fake.put(BUCKET, key, Content::from(key));
    Line {
        version_id: written.version_id,
        ..Line::of(
            key,
            i64::try_from(written.size_bytes).unwrap(),
            &written.etag,
        )
    }
}

pub(crate) fn sources(job: &Backfilled, count: usize) -> (Vec<String>, Vec<Line>) {
    let keys: Vec<_> = (0..count)
        .map(|number| format!("incoming/{number:05}"))
        .collect();
    let lines = keys.iter().map(|key| source(job, key)).collect();
    (keys, lines)
}
