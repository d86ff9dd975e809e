//! What happens to directories that are empty, or become so, and how many of them may go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::notes::Notes;

/// See above.
#[derive(Debug)]
pub enum EmptyDirs {
    /// Nothing.
    Stay,
    /// So many of them still go.
    Go(AtomicU64),
    /// They are written down for a pass of their own, when others are at the same tree.
    Noted(Arc<Notes>),
}

impl EmptyDirs {
    /// `None` is none at all.
    #[must_use]
    pub fn at_most(max: Option<u64>) -> Self {
        max.map_or(Self::Stay, |max| Self::Go(max.into()))
    }

    /// Takes one of those that may go, if any is left.
    pub(crate) fn take(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        match self {
            Self::Go(left) => left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok(),
            Self::Stay | Self::Noted(_) => false,
        }
    }

    /// The one that was taken did not go.
    pub(crate) fn give_back(&self) {
        if let Self::Go(left) = self {
            left.fetch_add(1, Ordering::Relaxed);
        }
    }
}
