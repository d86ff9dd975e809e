//! Whether a sweep would remove too much. Pure.

/// How much may go in one sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Files, at most; `None` is any number.
    pub max_deletes: Option<u64>,
    /// Of the files seen, at most; 1 is all of them.
    pub max_delete_fraction: f64,
}

/// What a counting pass has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Files seen.
    pub files_scanned: u64,
    /// Files that are due.
    pub files_to_purge: u64,
    /// What could not be seen.
    pub errors: u64,
}

/// Why a sweep does not take place.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Excess {
    /// More than the number.
    #[error("{files_to_purge} files are due, at most {max_deletes} may go")]
    Deletes {
        /// Found.
        files_to_purge: u64,
        /// Allowed.
        max_deletes: u64,
    },
    /// More than the share.
    #[error(
        "{files_to_purge} of {files_scanned} files are due, at most {max_delete_fraction} of them may go"
    )]
    Fraction {
        /// Found.
        files_to_purge: u64,
        /// Of how many.
        files_scanned: u64,
        /// Allowed.
        max_delete_fraction: f64,
    },
    /// What was not seen was not counted, so the count is no bound.
    #[error("{errors} errors while counting: what is due is not known")]
    Unknown {
        /// How many.
        errors: u64,
    },
}

impl Budget {
    /// Whether there is anything to check.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.max_deletes.is_some() || self.max_delete_fraction < 1.0
    }

    /// `Ok` when what was found stays within. Reaching a limit is within.
    pub fn check(&self, found: Found) -> Result<(), Excess> {
        let Found {
            files_scanned,
            files_to_purge,
            errors,
        } = found;
        if !self.is_limited() {
            return Ok(());
        }
        if errors > 0 {
            return Err(Excess::Unknown { errors });
        }
        if let Some(max_deletes) = self.max_deletes
            && files_to_purge > max_deletes
        {
            return Err(Excess::Deletes {
                files_to_purge,
                max_deletes,
            });
        }
        let max_delete_fraction = self.max_delete_fraction;
        if max_delete_fraction < 1.0 && share(files_to_purge, files_scanned) > max_delete_fraction {
            return Err(Excess::Fraction {
                files_to_purge,
                files_scanned,
                max_delete_fraction,
            });
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 files")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / (whole.max(1)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(max_deletes: Option<u64>, max_delete_fraction: f64, found: [u64; 3]) -> bool {
        let budget = Budget {
            max_deletes,
            max_delete_fraction,
        };
        let [files_scanned, files_to_purge, errors] = found;
        let found = Found {
            files_scanned,
            files_to_purge,
            errors,
        };
        budget.check(found).is_ok()
    }

    #[test]
    fn the_number_may_be_reached_and_not_passed() {
        for (due, ok) in [(0, true), (9, true), (10, true), (11, false)] {
            assert_eq!(check(Some(10), 1.0, [100, due, 0]), ok, "{due}");
        }
        assert!(check(Some(0), 1.0, [100, 0, 0]) && !check(Some(0), 1.0, [100, 1, 0]));
    }

    #[test]
    fn the_share_may_be_reached_and_not_passed() {
        for (due, ok) in [(0, true), (24, true), (25, true), (26, false), (100, false)] {
            assert_eq!(check(None, 0.25, [100, due, 0]), ok, "{due}");
        }
        assert!(check(None, 0.0, [0, 0, 0]) && !check(None, 0.0, [1, 1, 0]));
    }

    #[test]
    fn without_a_budget_everything_may_go_and_errors_do_not_matter() {
        assert!(check(None, 1.0, [100, 100, 5]));
    }

    #[test]
    fn an_error_while_counting_voids_the_count() {
        assert!(!check(Some(10), 1.0, [100, 0, 1]) && !check(None, 0.5, [100, 0, 1]));
    }
}
