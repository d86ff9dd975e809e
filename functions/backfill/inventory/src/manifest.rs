//! `manifest.json` of an inventory: what its parts are, and whether they can be used.

use std::collections::HashSet;

use serde::Deserialize;

use crate::columns::{Layout, LayoutError, has_sizes};
use crate::verifying::{Md5Digest, hex, parse_md5};

/// The one version there is. Source: S3 user guide, "Locating your inventory list".
const VERSION: &str = "2016-11-30";

/// Longest key S3 takes, bytes. Source: S3 user guide, "Naming Amazon S3 objects".
const KEY_BYTES_MAX: usize = 1024;

/// A manifest that was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Whose objects are listed.
    pub source_bucket: String,
    /// Where the inventory was delivered to: a bucket's name, taken from its ARN.
    pub destination_bucket: String,
    /// When the inventory was begun, milliseconds since 1970.
    pub created_ms: Option<u64>,
    /// How the parts are written, in the manifest's words; [`Layout::read`] has found them good.
    pub file_format: String,
    /// The columns, likewise.
    pub file_schema: String,
    /// Whether its rows have the lengths of objects.
    pub has_sizes: bool,
    /// The parts, in the manifest's order; at least one, no two of the same key.
    pub files: Vec<PartFile>,
}

/// A part, as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFile {
    /// In the destination bucket.
    pub key: String,
    /// Length, bytes.
    pub size_bytes: u64,
    /// MD5 of its content, 32 lowercase hex digits.
    pub md5: String,
}

/// Why an inventory cannot be used. None of these passes by itself.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// `manifest.checksum` holds no MD5.
    #[error("manifest.checksum is not an MD5 in 32 hexadecimal digits")]
    NotAChecksum,
    /// The manifest is not the one that the checksum was made of.
    #[error("manifest.json has MD5 {actual}, manifest.checksum says {expected}")]
    Checksum {
        /// As `manifest.checksum` says, hex.
        expected: String,
        /// Of what was read, hex.
        actual: String,
    },
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("manifest.json is not an inventory's manifest")]
    Shape {
        /// The parser's words, with the field's name.
        #[from]
        source: serde_json::Error,
    },
    /// A version that this code was not written for.
    #[error("manifest.json is of version {version:?}, known is {VERSION}")]
    Version {
        /// What it says.
        version: String,
    },
    /// Its format is not read, or it was configured without a column that is needed.
    #[error("the inventory cannot be used: {0}")]
    Layout(#[from] LayoutError),
    /// It lists another bucket.
    #[error("the inventory lists bucket {listed:?}, asked for is {asked:?}")]
    OtherSource {
        /// Whose objects it lists.
        listed: String,
        /// Whose it should.
        asked: String,
    },
    /// It has no parts at all; one of an empty bucket has one without rows.
    #[error("manifest.json names no files")]
    NoFiles,
    /// A part is named twice: its objects would be counted twice.
    #[error("manifest.json names the file {key:?} twice")]
    DuplicateFile {
        /// Key of the part.
        key: String,
    },
    /// A part's key is none that S3 Inventory writes.
    #[error("manifest.json names the file {key:?}, whose key {why}")]
    FileKey {
        /// As it says.
        key: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A part cannot be verified.
    #[error("manifest.json says MD5 {md5:?} of {key:?}, which is not 32 hexadecimal digits")]
    FileMd5 {
        /// Key of the part.
        key: String,
        /// As it says.
        md5: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    source_bucket: String,
    destination_bucket: String,
    version: String,
    creation_timestamp: Option<String>,
    file_format: String,
    file_schema: String,
    files: Vec<RawFile>,
}

#[derive(Deserialize)]
struct RawFile {
    key: String,
    size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

/// Key of the checksum that belongs to the manifest at `manifest_key`: `…/manifest.checksum` beside it.
#[must_use]
pub fn checksum_key(manifest_key: &str) -> String {
    let stem = manifest_key.strip_suffix(".json").unwrap_or(manifest_key);
    format!("{stem}.checksum")
}

impl Manifest {
    /// Reads `manifest.json` if it is what `checksum`, the content of `manifest.checksum`, was made of, and if it lists
    /// `source_bucket`.
    pub fn read(json: &[u8], checksum: &[u8], source_bucket: &str) -> Result<Self, ManifestError> {
        check(json, checksum)?;
        let raw: Raw = serde_json::from_slice(json)?;
        if raw.version != VERSION {
            return Err(ManifestError::Version {
                version: raw.version,
            });
        }
        if raw.source_bucket != source_bucket {
            return Err(ManifestError::OtherSource {
                listed: raw.source_bucket,
                asked: source_bucket.to_owned(),
            });
        }
        Layout::read(&raw.file_format, &raw.file_schema)?;
        let destination = raw.destination_bucket;
        let name = destination.rsplit_once(":::").map(|(_, name)| name);
        Ok(Self {
            source_bucket: raw.source_bucket,
            destination_bucket: name.map_or(destination.clone(), str::to_owned),
            created_ms: raw.creation_timestamp.and_then(|text| text.parse().ok()),
            has_sizes: has_sizes(&raw.file_schema),
            file_format: raw.file_format,
            file_schema: raw.file_schema,
            files: files(raw.files)?,
        })
    }
}

fn check(json: &[u8], checksum: &[u8]) -> Result<(), ManifestError> {
    let text = std::str::from_utf8(checksum).unwrap_or_default().trim();
    let expected = parse_md5(text).ok_or(ManifestError::NotAChecksum)?;
    let actual: Md5Digest = md5::compute(json).0;
    if actual == expected {
        return Ok(());
    }
    Err(ManifestError::Checksum {
        expected: hex(&expected),
        actual: hex(&actual),
    })
}

fn files(raw: Vec<RawFile>) -> Result<Vec<PartFile>, ManifestError> {
    if raw.is_empty() {
        return Err(ManifestError::NoFiles);
    }
    let mut seen = HashSet::with_capacity(raw.len());
    let mut files = Vec::with_capacity(raw.len());
    for RawFile { key, size, md5 } in raw {
        if let Some(why) = bad_key(&key) {
            return Err(ManifestError::FileKey { key, why });
        }
        let Some(digest) = parse_md5(&md5) else {
            return Err(ManifestError::FileMd5 { key, md5 });
        };
        if !seen.insert(key.clone()) {
            return Err(ManifestError::DuplicateFile { key });
        }
        files.push(PartFile {
            key,
            size_bytes: size,
            md5: hex(&digest),
        });
    }
    Ok(files)
}

fn bad_key(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return Some("is empty");
    }
    if key.len() > KEY_BYTES_MAX {
        return Some("is longer than S3 takes");
    }
    if key.starts_with('/') {
        return Some("begins with a slash");
    }
    if key.split('/').any(|part| matches!(part, "." | "..")) {
        return Some("has a part . or ..");
    }
    if key.contains(char::is_control) {
        return Some("has a control character");
    }
    None
}

#[cfg(test)]
mod tests;
