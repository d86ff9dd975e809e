//! What the tree looks like: `120x50` is 120 directories of 50 files, `1000` is 1,000 files in the root, `100000x0` are
//! empty directories, and `+` puts such parts side by side. Pure.

/// More entries than this would not fit into the memory of a small machine.
const ENTRIES_MAX: u64 = 20_000_000;

/// One part of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Files of the root itself.
    Flat {
        /// How many.
        files: u64,
    },
    /// Directories of the root.
    Directories {
        /// How many.
        directories: u64,
        /// Files in each.
        files: u64,
    },
}

/// Why a description is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpecError {
    /// It says something else.
    #[error("{0:?} is neither FILES nor DIRECTORIESxFILES")]
    Part(String),
    /// It says too much.
    #[error("more than {ENTRIES_MAX} entries")]
    TooLarge,
}

/// Reads a description.
pub(crate) fn parse(text: &str) -> Result<Vec<Part>, SpecError> {
    let parts: Vec<Part> = text.split('+').map(part).collect::<Result<_, _>>()?;
    let entries = parts
        .iter()
        .try_fold(0_u64, |sum, part| sum.checked_add(part.entries()?))
        .filter(|entries| *entries <= ENTRIES_MAX);
    entries.map(|_| parts).ok_or(SpecError::TooLarge)
}

fn part(text: &str) -> Result<Part, SpecError> {
    let number = |digits: &str| digits.parse().map_err(|_| SpecError::Part(text.to_owned()));
    match text.split_once('x') {
        None => Ok(Part::Flat {
            files: number(text)?,
        }),
        Some((directories, files)) => Ok(Part::Directories {
            directories: number(directories)?,
            files: number(files)?,
        }),
    }
}

impl Part {
    fn entries(self) -> Option<u64> {
        match self {
            Self::Flat { files } => Some(files),
            Self::Directories { directories, files } => {
                directories.checked_mul(files.checked_add(1)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_side_by_side() {
        let skew = [
            Part::Flat { files: 1000 },
            Part::Directories {
                directories: 100,
                files: 20,
            },
        ];
        assert_eq!(parse("1000+100x20").unwrap(), skew);
        assert_eq!(parse("0").unwrap(), [Part::Flat { files: 0 }]);
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for text in ["", "x", "1x", "x1", "1x2x3", "-1", "1+", "many"] {
            assert!(matches!(parse(text), Err(SpecError::Part(_))), "{text}");
        }
    }

    #[test]
    fn a_directory_counts_as_an_entry_too() {
        assert!(parse("20000000").is_ok());
        assert!(parse("20000000x0").is_ok());
        for text in ["20000001", "10000001x1", "18446744073709551615x2"] {
            assert_eq!(parse(text), Err(SpecError::TooLarge), "{text}");
        }
    }
}
