//! What a partition is, and how far it is: kept as text in its item. Pure.

use serde::{Deserialize, Serialize};

/// A share of a job's objects. All shares of a job together are all of its objects, each in exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Work {
    /// Rows of an inventory.
    Part(Part),
    /// All keys that begin so.
    Prefix(Prefix),
    /// A range of keys.
    Range(Range),
}

/// The keys below the job's prefix with `after` < key ≤ `until`, compared byte by byte, which is the order of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// None: from the first one on.
    pub after: Option<String>,
    /// None: to the last one.
    pub until: Option<String>,
}

/// All keys that begin with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prefix {
    /// Whole, with the job's own prefix.
    pub prefix: String,
}

/// A file of an inventory, or some of its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its place in the manifest, from 0.
    pub part: u64,
    /// Of the file, in the inventory's bucket.
    pub key: String,
    /// MD5 of the file, lowercase hex, as the manifest has it.
    pub md5: String,
    /// Length of the file, bytes.
    pub size: u64,
    /// From the first number, and before the second one, counted from 0; none: all rows.
    pub rows: Option<[u64; 2]>,
}

/// What all parts of an inventory have in common; kept as text in the job's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Where the manifest and its parts are.
    pub bucket: String,
    /// Of the manifest.
    pub key: String,
    /// `fileFormat` of the manifest, as it stands there.
    pub format: String,
    /// `fileSchema` of the manifest, as it stands there.
    pub schema: String,
}

/// Where to go on in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", untagged)]
pub enum Continuation {
    /// In a listing: after this key. S3's own tokens expire; a key does not.
    After {
        /// The last one that is done with.
        key: String,
    },
    /// In an inventory: from this row of the file on, counted from 0.
    Row {
        /// The first one that is not done with.
        row: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_read_as_it_was_written() {
        for (work, text) in [
            (
                Work::Range(Range::default()),
                r#"{"after":null,"until":null}"#,
            ),
            (
                Work::Range(Range {
                    after: Some("incoming/00/".into()),
                    until: Some("incoming/01/".into()),
                }),
                r#"{"after":"incoming/00/","until":"incoming/01/"}"#,
            ),
            (
                Work::Prefix(Prefix {
                    prefix: "incoming/x/".into(),
                }),
                r#"{"prefix":"incoming/x/"}"#,
            ),
            (
                Work::Part(Part {
                    part: 3,
                    key: "data/3.parquet".into(),
                    md5: "00ff".into(),
                    size: 9,
                    rows: Some([0, 7]),
                }),
                r#"{"part":3,"key":"data/3.parquet","md5":"00ff","size":9,"rows":[0,7]}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&work).unwrap(), text);
            assert_eq!(serde_json::from_str::<Work>(text).unwrap(), work);
        }
    }

    #[test]
    fn work_of_another_release_is_not_taken_for_everything() {
        assert!(serde_json::from_str::<Work>(r#"{"shard": 3}"#).is_err());
    }

    #[test]
    fn a_continuation_is_read_as_it_was_written() {
        for (continuation, text) in [
            (
                Continuation::After {
                    key: "incoming/ü \"x\"".into(),
                },
                r#"{"key":"incoming/ü \"x\""}"#,
            ),
            (Continuation::Row { row: 7 }, r#"{"row":7}"#),
        ] {
            assert_eq!(serde_json::to_string(&continuation).unwrap(), text);
            let read: Continuation = serde_json::from_str(text).unwrap();
            assert_eq!(read, continuation);
        }
    }
}
