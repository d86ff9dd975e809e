//! What the function that counts says, and what that makes of the cache and of the decision.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::cache::{CachedCount, SCHEMA, Use, Whose};
use crate::observed::Count;
use crate::when;

/// Longest token that is asked for, bytes: with it the cache stays below its own limit.
pub const RESUME_BYTES_MAX: usize = 2_000;

/// The answer of the function `count`, as far as it matters.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Counted {
    /// What was counted.
    #[serde(default)]
    pub root: Option<String>,
    /// Files, those of earlier invocations of the same count included.
    pub files: u64,
    /// Whether all were seen.
    pub complete: bool,
    /// Of this invocation.
    pub duration_seconds: f64,
    /// Where to go on.
    pub resume: Option<String>,
}

/// The number of files, and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensed {
    /// What decisions rest on.
    pub count: Count,
    /// Where it is from; nothing if there is none.
    pub source: Option<Source>,
    /// How old it is.
    pub age: Duration,
}

/// Where a count is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Counted before.
    Cache,
    /// Counted in this tick.
    Fresh,
}

impl Source {
    /// Its name in answers.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Fresh => "fresh",
        }
    }
}

/// What to do for a count.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Nothing: this is it.
    Known(Sensed),
    /// Ask the function that counts.
    Ask {
        /// The count to go on with.
        before: Option<CachedCount>,
        /// Why the cache will not do.
        because: &'static str,
    },
}

/// What the cache makes necessary.
#[must_use]
pub fn plan(used: Use, now: SystemTime) -> Plan {
    match used {
        Use::Fresh(cached) => Plan::Known(Sensed {
            count: Count::Known {
                files: cached.files,
            },
            source: Some(Source::Cache),
            age: when::age(cached.counted_at, now),
        }),
        Use::Unsure => Plan::Known(Sensed::unknown(MISSED)),
        Use::GoOn(cached) => Plan::Ask {
            before: Some(cached),
            because: "interrupted",
        },
        Use::Miss(because) => Plan::Ask {
            before: None,
            because,
        },
    }
}

const MISSED: &str = "the last count could not read everything";

impl Sensed {
    /// There is no count, for this reason.
    #[must_use]
    pub fn unknown(reason: &'static str) -> Self {
        Self {
            count: Count::Unknown { reason },
            source: None,
            age: Duration::ZERO,
        }
    }
}

impl Counted {
    /// What is kept of it, and what it is good for.
    #[must_use]
    pub fn keep(
        self,
        whose: &Whose<'_>,
        before: Option<&CachedCount>,
        now: SystemTime,
    ) -> (CachedCount, Sensed) {
        let earlier = before.map_or(0.0, |before| before.duration_seconds);
        let sensed = if self.complete {
            Sensed {
                count: Count::Known { files: self.files },
                source: Some(Source::Fresh),
                age: Duration::ZERO,
            }
        } else if self.resume.is_some() {
            Sensed::unknown("the count is not complete yet; the next tick goes on with it")
        } else {
            Sensed::unknown(MISSED)
        };
        let cached = CachedCount {
            schema: SCHEMA,
            file_system_id: whose.file_system_id.to_owned(),
            count_function: whose.count_function.to_owned(),
            root: self.root,
            files: self.files,
            complete: self.complete,
            counted_at: now,
            duration_seconds: earlier + self.duration_seconds,
            resume: self.resume.filter(|_| !self.complete),
        };
        (cached, sensed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const WHOSE: Whose<'_> = Whose {
        file_system_id: "fs-1",
        count_function: "count",
    };
    const TTL: Duration = Duration::from_mins(5);

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(490_000)
    }

    fn counted(complete: bool, resume: Option<&str>) -> Counted {
        Counted {
            files: 7,
            complete,
            root: Some("/mnt/files".to_owned()),
            duration_seconds: 2.0,
            resume: resume.map(str::to_owned),
        }
    }

    #[test]
    fn a_count_is_fresh_once_and_from_the_cache_afterwards() {
        let (cached, sensed) = counted(true, None).keep(&WHOSE, None, now());
        assert_eq!(sensed.count, Count::Known { files: 7 });
        assert_eq!(sensed.source, Some(Source::Fresh));
        let later = now() + Duration::from_mins(1);
        let used = CachedCount::judge(Some(&cached.document()), &WHOSE, TTL, later);
        let Plan::Known(sensed) = plan(used, later) else {
            panic!("counted again")
        };
        assert_eq!(sensed.source, Some(Source::Cache));
        assert_eq!(sensed.age, Duration::from_mins(1));
    }

    #[test]
    fn an_interrupted_count_is_gone_on_with_and_nothing_rests_on_it() {
        let (cached, sensed) = counted(false, Some("token")).keep(&WHOSE, None, now());
        assert!(matches!(sensed.count, Count::Unknown { .. }));
        let used = CachedCount::judge(Some(&cached.document()), &WHOSE, TTL, now());
        let Plan::Ask { before, .. } = plan(used, now()) else {
            panic!("not gone on with")
        };
        assert_eq!(before.as_ref().unwrap().resume.as_deref(), Some("token"));
        let (whole, sensed) = counted(true, None).keep(&WHOSE, before.as_ref(), now());
        assert_eq!(sensed.count, Count::Known { files: 7 });
        assert!((whole.duration_seconds - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_count_that_missed_something_is_not_repeated_within_its_time_to_live() {
        let (cached, sensed) = counted(false, None).keep(&WHOSE, None, now());
        assert!(matches!(sensed.count, Count::Unknown { .. }));
        let text = cached.document();
        let at = |later| plan(CachedCount::judge(Some(&text), &WHOSE, TTL, later), later);
        assert!(matches!(at(now()), Plan::Known(_)));
        assert!(matches!(at(now() + TTL), Plan::Ask { before: None, .. }));
    }
}
