//! Which entries of a directory belong to a walk, when several walks share it. Pure.

use std::ffi::CStr;

use serde::{Deserialize, Serialize};

use super::dir::hashed;
use super::kernel::Kind;

/// A part of a directory. The parts of one plan leave out nothing and have nothing in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All entries, and all below them.
    #[default]
    Everything,
    /// The entries that are no directories; those are parts of their own.
    Files,
    /// The entries whose names fall into some of the shards, and all below them.
    Shards(Shards),
}

/// Shards `from..to` of `of`, by the hash of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shards {
    /// In all.
    pub of: u32,
    /// The first one.
    pub from: u32,
    /// The one after the last.
    pub to: u32,
}

impl Scope {
    /// Whether an entry of this name may be part of it.
    pub(super) fn includes_name(self, name: &CStr) -> bool {
        match self {
            Self::Everything | Self::Files => true,
            Self::Shards(shards) => {
                (shards.from..shards.to).contains(&shard_of(name, shards.of.max(1)))
            }
        }
    }

    /// Whether an entry of this kind may be part of it.
    pub(super) fn includes_kind(self, kind: Kind) -> bool {
        match self {
            Self::Everything | Self::Shards(_) => true,
            Self::Files => kind != Kind::Directory,
        }
    }

    /// Whether this is the part that counts the directory itself: of all its parts exactly one does.
    pub(super) const fn counts_directory(self) -> bool {
        match self {
            Self::Everything | Self::Files => true,
            Self::Shards(shards) => shards.from == 0,
        }
    }
}

/// 0 to `of` − 1.
fn shard_of(name: &CStr, of: u32) -> u32 {
    let [a, b, c, d, ..] = hashed(name);
    u32::from_le_bytes([a, b, c, d]) % of
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    #[test]
    fn every_name_is_in_exactly_one_shard_and_none_is_empty() {
        for of in [1, 2, 7, 64] {
            let mut sizes = vec![0; of as usize];
            for number in 0..10_000 {
                let name = CString::new(number.to_string()).unwrap();
                let within: Vec<u32> = (0..of)
                    .filter(|&from| {
                        let to = from + 1;
                        Scope::Shards(Shards { of, from, to }).includes_name(&name)
                    })
                    .collect();
                assert_eq!(within.len(), 1);
                sizes[within[0] as usize] += 1;
            }
            let even = 10_000 / of;
            assert!(sizes.iter().all(|size| *size > even / 2), "{of}: {sizes:?}");
        }
    }

    #[test]
    fn neighbouring_shards_together_are_their_union() {
        let (of, from, to) = (8, 2, 5);
        for number in 0..1_000 {
            let name = CString::new(number.to_string()).unwrap();
            let one_by_one = (from..to).any(|from| {
                let to = from + 1;
                Scope::Shards(Shards { of, from, to }).includes_name(&name)
            });
            let together = Scope::Shards(Shards { of, from, to }).includes_name(&name);
            assert_eq!(together, one_by_one);
        }
    }

    #[test]
    fn one_part_of_a_directory_counts_it() {
        let parts = |of| {
            (0..of).map(move |from| Shards {
                of,
                from,
                to: from + 1,
            })
        };
        let counting = parts(5).filter(|shards| Scope::Shards(*shards).counts_directory());
        assert_eq!(counting.count(), 1);
        assert!(Scope::Files.counts_directory() && Scope::Everything.counts_directory());
    }
}
