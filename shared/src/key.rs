//! Source key → output key.

use crate::partition::{partition, strip_partition};

/// Longest key that S3 takes, bytes. Source: S3 user guide, "Naming Amazon S3 objects".
const KEY_BYTES_MAX: usize = 1024;

/// How keys map. The prefixes do not overlap where source and output share a bucket.
#[derive(Clone, Debug)]
pub struct KeyMap {
    /// What every source key begins with, e.g. `incoming/`.
    pub source_prefix: String,
    /// What every output key begins with, e.g. `processed/`.
    pub output_prefix: String,
    /// What every output key ends with, e.g. `.zip`.
    pub extension: &'static str,
}

/// What outputs are, as far as their names tell. The encoders are the compressor's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.zip`
    Zip,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

impl Format {
    /// Every format, in the order that messages list them.
    pub const ALL: [Self; 3] = [Self::Zip, Self::Gzip, Self::Zstd];

    /// The name in settings.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What is appended to the whole source name, with the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Zip => ".zip",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

/// Why a source key has no output key. No retry helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Nothing follows the source prefix.
    #[error("nothing follows the source prefix")]
    Empty,
    /// The output key would be longer than S3 takes.
    #[error("output key would be {length_bytes} bytes, S3 takes {KEY_BYTES_MAX}")]
    TooLong {
        /// Its length.
        length_bytes: usize,
    },
    /// S3 itself refused the key.
    #[error("S3 refused it: {0}")]
    Refused(String),
}

impl KeyMap {
    /// The output key of `key`: `OUTPUT_PREFIX hh/ path extension`, raw bytes, no path normalisation. `path` is the key
    /// without the source prefix and without a leading partition folder that is its own; `hh` is its partition.
    ///
    /// Nothing for a key outside the source prefix.
    #[must_use]
    pub fn output_key(&self, key: &str) -> Option<Result<String, BadKey>> {
        let rest = key.strip_prefix(self.source_prefix.as_str())?;
        Some(self.map(rest))
    }

    fn map(&self, rest: &str) -> Result<String, BadKey> {
        let path = strip_partition(rest);
        if path.is_empty() {
            return Err(BadKey::Empty);
        }
        let key = format!(
            "{}{}/{path}{}",
            self.output_prefix,
            partition(path),
            self.extension
        );
        match key.len() {
            ..=KEY_BYTES_MAX => Ok(key),
            length_bytes => Err(BadKey::TooLong { length_bytes }),
        }
    }
}

/// Whether a key under one prefix can be under the other too.
#[must_use]
pub fn overlap(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map() -> KeyMap {
        KeyMap {
            source_prefix: "incoming/".into(),
            output_prefix: "processed/".into(),
            extension: ".zip",
        }
    }

    fn output(key: &str) -> String {
        map().output_key(key).unwrap().unwrap()
    }

    #[test]
    fn whole_path_and_extension_stay_so_that_no_two_sources_meet() {
        assert_eq!(output("incoming/hello"), "processed/5d/hello.zip");
        assert_eq!(output("incoming/5d/hello"), "processed/5d/hello.zip");
        let outputs = ["incoming/a.json", "incoming/a.csv", "incoming/x/a.json"].map(output);
        assert!(
            outputs
                .iter()
                .all(|key| outputs.iter().filter(|other| *other == key).count() == 1)
        );
    }

    #[test]
    fn paths_are_not_normalised() {
        for path in ["../x", "a//b", "./a", "a/../b", "/a", "a/"] {
            let key = output(&format!("incoming/{path}"));
            assert!(key.ends_with(&format!("/{path}.zip")), "{key}");
        }
    }

    #[test]
    fn keys_outside_the_prefix_have_no_output() {
        for key in [
            "incomin",
            "Incoming/a",
            "other/incoming/a",
            "processed/00/a.zip",
        ] {
            assert_eq!(map().output_key(key), None);
        }
    }

    #[test]
    fn the_limit_is_1024_bytes_of_output() {
        let fixed = "processed/00/".len() + ".zip".len();
        let key = |length: usize| format!("incoming/{}", "k".repeat(length));
        assert_eq!(output(&key(1023 - fixed)).len(), 1023);
        assert_eq!(output(&key(1024 - fixed)).len(), 1024);
        let too_long = map().output_key(&key(1025 - fixed)).unwrap();
        assert_eq!(too_long, Err(BadKey::TooLong { length_bytes: 1025 }));
    }

    #[test]
    fn a_prefix_alone_is_no_name() {
        assert_eq!(map().output_key("incoming/"), Some(Err(BadKey::Empty)));
    }

    #[test]
    fn overlap_is_one_within_the_other() {
        assert!(overlap("in/", "in/out/") && overlap("in/out/", "in/") && overlap("a", "a"));
        assert!(!overlap("in/", "out/") && !overlap("in/", "inn/"));
    }

    proptest! {
        #[test]
        fn an_output_key_never_matches_the_source_filter(path in "\\PC{1,60}") {
            if let Ok(key) = map().map(&path) {
                prop_assert_eq!(map().output_key(&key), None);
            }
        }

        #[test]
        fn different_paths_have_different_outputs(one in "[a-f0-9/.]{1,8}", other in "[a-f0-9/.]{1,8}") {
            let same_name = strip_partition(&one) == strip_partition(&other);
            prop_assert_eq!(map().map(&one) == map().map(&other), same_name);
        }
    }
}
