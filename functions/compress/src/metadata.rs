//! What an output says about its source, and what it takes over from it. Pure.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};
use shared::s3_event::Sequencer;

use crate::existing::SourceVersion;

/// Most user metadata that S3 takes, bytes: the sum of all names and values.
/// Source: S3 user guide, "Working with object metadata".
const METADATA_BYTES_MAX: usize = 2048;

const BUCKET: &str = "source-bucket";
const KEY_SHA256: &str = "source-key-sha256";
const ETAG: &str = "source-etag";
const VERSION_ID: &str = "source-version-id";
const SIZE: &str = "source-size";
const SEQUENCER: &str = "source-sequencer";
const CONTENT_TYPE: &str = "source-content-type";
const CONTENT_ENCODING: &str = "source-content-encoding";

/// The names that are ours on every output, whether it carries them or not: a copy of an output that lands under the
/// source prefix brings its own along, and they must not speak for it.
const OURS: [&str; 8] = [
    BUCKET,
    KEY_SHA256,
    ETAG,
    VERSION_ID,
    SIZE,
    SEQUENCER,
    CONTENT_TYPE,
    CONTENT_ENCODING,
];

/// Lowercase hex SHA-256 of a key.
#[must_use]
pub fn key_sha256(key: &str) -> String {
    let digest = Sha256::digest(key);
    digest
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// An output's user metadata, and the names of the source's own that did not fit or were ours.
#[derive(Debug, PartialEq, Eq)]
pub struct OutputMetadata {
    /// Name → value, at most 2 KB.
    pub entries: BTreeMap<String, String>,
    /// Names that were left out, sorted.
    pub left_out: Vec<String>,
}

/// What a source's headers say about its content.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContentHeaders<'a> {
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
}

/// Ours first, then the source's in the order of their names, as far as the limit allows.
#[must_use]
#[expect(clippy::implicit_hasher, reason = "the SDK's own map")]
pub fn output_metadata(
    source: &SourceVersion,
    headers: ContentHeaders<'_>,
    user: &HashMap<String, String>,
) -> OutputMetadata {
    let mut entries = BTreeMap::new();
    let mut left_out = Vec::new();
    let mut room = METADATA_BYTES_MAX;
    let mut add = |name: &str, value: &str| {
        let bytes = name.len() + value.len();
        if bytes > room {
            left_out.push(name.to_owned());
        } else {
            room -= bytes;
            entries.insert(name.to_owned(), value.to_owned());
        }
    };
    for (name, value) in our_entries(source, headers) {
        add(name, &value);
    }
    let (reserved, theirs): (BTreeMap<_, _>, BTreeMap<_, _>) = user
        .iter()
        .partition(|(name, _)| OURS.contains(&name.as_str()));
    for (name, value) in theirs {
        add(name, value);
    }
    left_out.extend(reserved.into_keys().cloned());
    left_out.sort();
    OutputMetadata { entries, left_out }
}

fn our_entries(source: &SourceVersion, headers: ContentHeaders<'_>) -> Vec<(&'static str, String)> {
    let optional = [
        (VERSION_ID, source.version_id.clone()),
        (
            SEQUENCER,
            source.sequencer.as_ref().map(|s| s.as_str().to_owned()),
        ),
        (CONTENT_TYPE, headers.content_type.map(str::to_owned)),
        (
            CONTENT_ENCODING,
            headers.content_encoding.map(str::to_owned),
        ),
    ];
    let mut entries = vec![
        (KEY_SHA256, source.key_sha256.clone()),
        (BUCKET, source.bucket.clone()),
        (ETAG, source.etag.clone()),
        (SIZE, source.size_bytes.to_string()),
    ];
    entries.extend(
        optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    entries
}

/// The source version that an output names in its metadata; nothing when it is not one of ours.
#[must_use]
#[expect(clippy::implicit_hasher, reason = "the SDK's own map")]
pub fn source_version(user: &HashMap<String, String>) -> Option<SourceVersion> {
    Some(SourceVersion {
        bucket: user.get(BUCKET)?.clone(),
        key_sha256: user.get(KEY_SHA256)?.clone(),
        etag: user.get(ETAG)?.clone(),
        version_id: user.get(VERSION_ID).cloned(),
        size_bytes: user.get(SIZE)?.parse().ok()?,
        sequencer: user.get(SEQUENCER).and_then(|text| Sequencer::new(text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source() -> SourceVersion {
        SourceVersion {
            bucket: "bucket".into(),
            key_sha256: key_sha256("incoming/a"),
            etag: "abc".into(),
            version_id: Some("v1".into()),
            size_bytes: 7,
            sequencer: Sequencer::new("00AB"),
        }
    }

    fn user(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_key_hashes_as_sha256sum_does() {
        assert_eq!(
            key_sha256("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn what_an_output_says_is_read_back() {
        let headers = ContentHeaders {
            content_type: Some("text/csv"),
            content_encoding: None,
        };
        let metadata = output_metadata(&source(), headers, &user(&[("team", "data")]));
        assert!(metadata.left_out.is_empty());
        assert_eq!(metadata.entries["team"], "data");
        assert_eq!(metadata.entries["source-content-type"], "text/csv");
        assert_eq!(
            source_version(&metadata.entries.into_iter().collect()),
            Some(source())
        );
    }

    #[test]
    fn an_object_without_our_marks_names_no_source() {
        assert_eq!(source_version(&user(&[("team", "data")])), None);
    }

    #[test]
    fn a_users_entry_of_our_name_never_speaks_for_an_output() {
        let bare = SourceVersion {
            version_id: None,
            sequencer: None,
            ..source()
        };
        let forged: HashMap<_, _> = OURS.map(|name| (name.to_owned(), "FF".to_owned())).into();
        let metadata = output_metadata(&bare, ContentHeaders::default(), &forged);
        assert_eq!(metadata.left_out.len(), OURS.len());
        assert_eq!(
            source_version(&metadata.entries.into_iter().collect()),
            Some(bare)
        );
    }

    #[test]
    fn the_limit_is_2048_bytes_in_all() {
        let ours: usize = output_metadata(&source(), ContentHeaders::default(), &HashMap::new())
            .entries
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        for (length, fits) in [(2047, true), (2048, true), (2049, false)] {
            let value = "v".repeat(length - ours - 1);
            let metadata = output_metadata(
                &source(),
                ContentHeaders::default(),
                &user(&[("n", &value)]),
            );
            assert_eq!(metadata.entries.contains_key("n"), fits);
            assert_eq!(metadata.left_out.is_empty(), fits);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_silently_and_the_limit_holds(
            user in proptest::collection::hash_map("[a-z-]{1,30}", "\\PC{0,300}", 0..20)
        ) {
            let metadata = output_metadata(&source(), ContentHeaders::default(), &user);
            let bytes: usize = metadata.entries.iter().map(|(name, value)| name.len() + value.len()).sum();
            prop_assert!(bytes <= METADATA_BYTES_MAX);
            for (name, value) in &user {
                prop_assert!(metadata.entries.get(name) == Some(value) || metadata.left_out.contains(name));
            }
        }
    }
}
