//! The last count, kept between ticks: counting is slow, and costs.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::state::Unusable;
use crate::when;

/// The form below.
pub const SCHEMA: u32 = 1;

/// Longest document, bytes. Source: Systems Manager API reference, `PutParameter`: 4 KB for a standard parameter.
pub const DOCUMENT_BYTES_MAX: usize = 4_096;

/// The document behind `CACHE_PARAMETER`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CachedCount {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Whose files.
    pub file_system_id: String,
    /// Who counted them.
    pub count_function: String,
    /// What was counted, by the function's own name of it.
    #[serde(default)]
    pub root: Option<String>,
    /// Files; of a count that is not complete, those seen so far.
    pub files: u64,
    /// Whether all were seen.
    pub complete: bool,
    /// When the count ended, or was interrupted.
    #[serde(with = "when")]
    pub counted_at: SystemTime,
    /// How long it took in all, seconds.
    pub duration_seconds: f64,
    /// Where to go on with a count that is not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
}

/// What a cached count is good for.
#[derive(Clone, Debug, PartialEq)]
pub enum Use {
    /// A complete count that is fresh.
    Fresh(CachedCount),
    /// A count that was interrupted, to go on with.
    GoOn(CachedCount),
    /// A fresh count that missed something and cannot be gone on with: counting again so soon would miss the same.
    Unsure,
    /// Nothing, for this reason.
    Miss(&'static str),
}

impl CachedCount {
    /// Reads a document and says what it is good for.
    ///
    /// What is corrupt, foreign, stale or from the future is a miss, never a zero. A count that was interrupted is gone on
    /// with as long as `ttl`; an older one describes a tree that is no more.
    #[must_use]
    pub fn judge(text: Option<&str>, whose: &Whose<'_>, ttl: Duration, now: SystemTime) -> Use {
        let Some(text) = text else {
            return Use::Miss("none");
        };
        let cached = match Self::parse(text, whose) {
            Ok(cached) => cached,
            Err(unusable) => return Use::Miss(unusable.label()),
        };
        let Ok(age) = now.duration_since(cached.counted_at) else {
            return Use::Miss("from_the_future");
        };
        match (cached.complete, age < ttl) {
            (true, true) => Use::Fresh(cached),
            (true, false) => Use::Miss("stale"),
            (false, _) if age < ttl.max(INTERRUPTED_MAX) && cached.resume.is_some() => {
                Use::GoOn(cached)
            }
            (false, true) => Use::Unsure,
            (false, false) => Use::Miss("interrupted"),
        }
    }

    /// The document, at most [`DOCUMENT_BYTES_MAX`] long: a token that does not fit in is left out, and the count begins
    /// anew after its time to live.
    #[must_use]
    pub fn document(&self) -> String {
        // Numbers and text: there is nothing in it that could not be written.
        let whole = serde_json::to_string(self).unwrap_or_default();
        if whole.len() <= DOCUMENT_BYTES_MAX || self.resume.is_none() {
            return whole;
        }
        let without = Self {
            resume: None,
            ..self.clone()
        };
        without.document()
    }

    fn parse(text: &str, whose: &Whose<'_>) -> Result<Self, Unusable> {
        let cached: Self = serde_json::from_str(text).map_err(|_| Unusable::Corrupt)?;
        let ours = cached.schema == SCHEMA
            && cached.file_system_id == whose.file_system_id
            && cached.count_function == whose.count_function;
        if ours {
            Ok(cached)
        } else {
            Err(Unusable::Foreign)
        }
    }
}

/// How long an interrupted count may be gone on with.
const INTERRUPTED_MAX: Duration = Duration::from_hours(24);

/// Which count is meant.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'a> {
    /// The file system.
    pub file_system_id: &'a str,
    /// The function that counts.
    pub count_function: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const TTL: Duration = Duration::from_mins(5);
    const WHOSE: Whose<'_> = Whose {
        file_system_id: "fs-1",
        count_function: "count",
    };

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(490_000)
    }

    fn cached(complete: bool, age: Duration) -> CachedCount {
        CachedCount {
            schema: SCHEMA,
            file_system_id: "fs-1".to_owned(),
            count_function: "count".to_owned(),
            root: Some("/mnt/files".to_owned()),
            files: 7,
            complete,
            counted_at: now() - age,
            duration_seconds: 1.5,
            resume: (!complete).then(|| "token".to_owned()),
        }
    }

    fn judge(cached: &CachedCount) -> Use {
        let text = serde_json::to_string(cached).unwrap();
        CachedCount::judge(Some(&text), &WHOSE, TTL, now())
    }

    #[test]
    fn a_complete_count_is_good_below_its_time_to_live() {
        let fresh = cached(true, Duration::from_secs(299));
        assert_eq!(judge(&fresh), Use::Fresh(fresh.clone()));
        assert_eq!(judge(&cached(true, TTL)), Use::Miss("stale"));
    }

    #[test]
    fn what_is_missing_corrupt_foreign_or_from_the_future_is_a_miss() {
        assert_eq!(
            CachedCount::judge(None, &WHOSE, TTL, now()),
            Use::Miss("none")
        );
        for text in ["", "7", "{}", "null"] {
            let judged = CachedCount::judge(Some(text), &WHOSE, TTL, now());
            assert_eq!(judged, Use::Miss("corrupt"), "{text}");
        }
        let other = CachedCount {
            file_system_id: "fs-2".to_owned(),
            ..cached(true, Duration::ZERO)
        };
        assert_eq!(judge(&other), Use::Miss("foreign"));
        let future = CachedCount {
            counted_at: now() + Duration::from_hours(1),
            ..cached(true, Duration::ZERO)
        };
        assert_eq!(judge(&future), Use::Miss("from_the_future"));
    }

    #[test]
    fn an_interrupted_count_is_gone_on_with_for_a_day() {
        let young = cached(false, Duration::from_hours(23));
        assert_eq!(judge(&young), Use::GoOn(young.clone()));
        let old = cached(false, Duration::from_hours(24));
        assert_eq!(judge(&old), Use::Miss("interrupted"));
        for (age_seconds, judged) in [(299, Use::Unsure), (300, Use::Miss("interrupted"))] {
            let lost = CachedCount {
                resume: None,
                ..cached(false, Duration::from_secs(age_seconds))
            };
            assert_eq!(judge(&lost), judged, "{age_seconds}");
        }
    }

    #[test]
    fn a_token_that_does_not_fit_is_left_out_and_nothing_else() {
        let fits = CachedCount {
            resume: Some("x".repeat(3_000)),
            ..cached(false, Duration::ZERO)
        };
        assert!(fits.document().contains("xxx"));
        let long = CachedCount {
            resume: Some("x".repeat(4_000)),
            ..fits
        };
        assert!(long.document().len() <= DOCUMENT_BYTES_MAX);
        let read = CachedCount::parse(&long.document(), &WHOSE).unwrap();
        assert_eq!(
            read,
            CachedCount {
                resume: None,
                ..long
            }
        );
    }
}
