//! What is left of a walk, as text that another invocation goes on with.

use std::collections::HashMap;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::dir::NameHash;
use super::kernel::is_plain;
use super::report::Totals;
use super::scope::Scope;
use super::seal::{VERSION, seal, unseal};

/// What is left, and what has been done before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token<T> {
    /// Which sweep, with which options.
    pub job: String,
    /// The root's number in its file system.
    pub root_inode: u64,
    /// When the first run began, milliseconds since the Unix epoch: all ages count from then.
    pub began_at_ms: u64,
    /// Of what is done.
    pub totals: Totals<T>,
    /// Parents before children, the root first.
    pub(super) nodes: Vec<Node>,
}

/// A directory that is not done, or has something below it that is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    /// Its place in the list; the root has none.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<usize>,
    #[serde(
        rename = "n",
        with = "bytes",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(super) name: Vec<u8>,
    /// Which directory of that name, if it was seen: another one is not gone on with.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(super) inode: Option<u64>,
    #[serde(rename = "l", default, skip_serializing_if = "is_false")]
    pub(super) listed: bool,
    #[serde(rename = "k", default, skip_serializing_if = "is_false")]
    pub(super) kept: bool,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) removable: Option<bool>,
    #[serde(
        rename = "h",
        with = "hashes",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(super) handed_on: Vec<NameHash>,
    /// Which of its entries are meant.
    #[serde(rename = "s", default, skip_serializing_if = "is_everything")]
    pub(super) scope: Scope,
}

/// Why a token cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Cut off, edited, or none of ours.
    #[error("resume token is damaged: {0}")]
    Damaged(&'static str),
    /// Of an older or newer function.
    #[error("resume token has version {found}, expected {VERSION}")]
    Version {
        /// As it says.
        found: u32,
    },
    /// It belongs to other work.
    #[error("resume token belongs to another {0}")]
    Foreign(&'static str),
    /// It is in a file that cannot be read or written.
    #[error("resume token file {name}")]
    File {
        /// Below the root.
        name: String,
        /// What the kernel said.
        source: std::io::Error,
    },
}

impl<T: Serialize + DeserializeOwned> Token<T> {
    /// One line of letters, digits, `-`, `_` and `.`.
    pub fn encode(&self) -> Result<String, TokenError> {
        seal(self)
    }

    /// The token that was encoded; anything else is an error.
    pub fn decode(text: &str) -> Result<Self, TokenError> {
        let token: Self = unseal(text)?;
        check(&token.nodes)?;
        Ok(token)
    }

    /// Whether it is about this job below this root.
    pub fn belongs_to(&self, job: &str, root_inode: u64) -> Result<(), TokenError> {
        if self.job != job {
            return Err(TokenError::Foreign("job or other options"));
        }
        if self.root_inode != root_inode {
            return Err(TokenError::Foreign("root"));
        }
        Ok(())
    }
}

impl<T: Default> Token<T> {
    /// What is left of a walk that has only to leave the directories at `paths`, which nothing stays in; where the number of
    /// one is known, no other directory.
    #[must_use]
    pub fn to_leave(
        paths: impl IntoIterator<Item = (Vec<u8>, Option<u64>)>,
        job: String,
        root_inode: u64,
        began_at_ms: u64,
    ) -> Self {
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        let passage = |parent, name: &[u8]| Node {
            listed: true,
            kept: true,
            ..node(parent, name.to_vec())
        };
        let mut nodes = vec![passage(None, b"")];
        for (path, inode) in paths {
            let mut at = 0;
            let mut walked = Vec::with_capacity(path.len());
            for name in path.split(|byte| *byte == b'/') {
                walked.extend_from_slice(name);
                at = *places.entry(walked.clone()).or_insert_with(|| {
                    nodes.push(passage(Some(at), name));
                    nodes.len() - 1
                });
                walked.push(b'/');
            }
            nodes[at].kept = false;
            nodes[at].removable = Some(true);
            nodes[at].inode = inode;
        }
        Self {
            job,
            root_inode,
            began_at_ms,
            totals: Totals::default(),
            nodes,
        }
    }
}

/// A directory that nothing is known about.
pub(super) fn node(parent: Option<usize>, name: Vec<u8>) -> Node {
    Node {
        parent,
        name,
        inode: None,
        listed: false,
        kept: false,
        removable: None,
        handed_on: Vec::new(),
        scope: Scope::Everything,
    }
}

/// Names come from outside: none may lead out of its parent, and each parent must be there before its children.
pub(super) fn check(nodes: &[Node]) -> Result<(), TokenError> {
    for (place, node) in nodes.iter().enumerate() {
        let placed = match node.parent {
            None => place == 0 && node.name.is_empty(),
            Some(parent) => parent < place && is_plain(&node.name),
        };
        if !placed {
            return Err(TokenError::Damaged("directories"));
        }
    }
    if nodes.is_empty() {
        return Err(TokenError::Damaged("no directories"));
    }
    Ok(())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

fn is_everything(scope: &Scope) -> bool {
    *scope == Scope::Everything
}

/// Names are any bytes, and most are text.
mod bytes {
    use super::{
        Deserialize, Deserializer, NON_ALPHANUMERIC, Serializer, percent_decode_str, percent_encode,
    };

    pub(super) fn serialize<S: Serializer>(name: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&percent_encode(name, NON_ALPHANUMERIC))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        Ok(percent_decode_str(&text).collect())
    }
}

mod hashes {
    use base64::Engine as _;
    use serde::de::Error as _;

    use super::{Deserialize, Deserializer, NameHash, Serializer, URL_SAFE_NO_PAD};

    pub(super) fn serialize<S: Serializer>(hashes: &[NameHash], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(hashes.as_flattened()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<NameHash>, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(D::Error::custom)?;
        let (hashes, rest) = bytes.as_chunks::<{ size_of::<NameHash>() }>();
        if rest.is_empty() {
            Ok(hashes.to_vec())
        } else {
            Err(D::Error::custom("half a hash"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// A tally that is a number.
    type Count = u64;

    fn token(names: Vec<Vec<u8>>) -> Token<Count> {
        let mut nodes = vec![Node {
            parent: None,
            name: Vec::new(),
            inode: None,
            listed: true,
            kept: true,
            removable: Some(false),
            handed_on: vec![[7; 16], [255; 16]],
            scope: Scope::Files,
        }];
        for name in names {
            nodes.push(Node {
                parent: Some(nodes.len() - 1),
                name,
                inode: Some(u64::MAX),
                listed: false,
                kept: false,
                removable: None,
                handed_on: Vec::new(),
                scope: Scope::Everything,
            });
        }
        Token {
            job: "count".to_owned(),
            root_inode: 2,
            began_at_ms: 1_763_683_200_007,
            totals: Totals {
                tally: 5,
                ..Totals::default()
            },
            nodes,
        }
    }

    #[test]
    fn another_job_or_another_root_is_refused() {
        let token = token(Vec::new());
        assert!(token.belongs_to("count", 2).is_ok());
        for (job, root_inode) in [("purge", 2), ("count", 3)] {
            let refused = token.belongs_to(job, root_inode);
            assert!(matches!(refused, Err(TokenError::Foreign(_))));
        }
    }

    #[test]
    fn another_version_is_refused_as_such() {
        let text = token(Vec::new()).encode().unwrap();
        let newer = format!("2{}", text.strip_prefix('1').unwrap());
        let refused = Token::<Count>::decode(&newer);
        assert!(matches!(refused, Err(TokenError::Version { found: 2 })));
    }

    #[test]
    fn text_that_is_no_token_is_refused() {
        for text in ["", "1", "1.", "1..", "x.y.z", "{}"] {
            let refused = Token::<Count>::decode(text);
            assert!(matches!(refused, Err(TokenError::Damaged(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn names_of_any_bytes_come_back(names in vec(vec(1..=255_u8, 1..40), 0..20)) {
            prop_assume!(names.iter().all(|name| is_plain(name)));
            let token = token(names);
            prop_assert_eq!(Token::decode(&token.encode().unwrap()).unwrap(), token);
        }

        #[test]
        fn one_changed_character_is_noticed(place in any::<usize>(), to in "[A-Za-z0-9._-]") {
            let token = token(vec![b"name".to_vec()]);
            let mut text = token.encode().unwrap();
            let place = place % text.len();
            prop_assume!(text[place..=place] != to);
            text.replace_range(place..=place, &to);
            prop_assert!(Token::<Count>::decode(&text).is_err());
        }
    }
}
