//! What is known about one unit of work, and what that means for the next one who wants to do it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The last second that RFC 3339 can name, seconds since the Unix epoch.
const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

/// How far the work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Someone does it, until `in_progress_until` at the latest.
    InProgress,
    /// It is done; `result` is what came of it.
    Completed,
}

/// The record of one unit of work; its times are RFC 3339 text, so that no reader has to guess a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Function and key, joined by "#".
    pub id: String,
    /// How far the work has come.
    pub status: Status,
    /// From then on a completed record counts for nothing.
    #[serde(with = "rfc3339")]
    pub expires_at: SystemTime,
    /// From then on whoever took the work up is taken to be dead.
    #[serde(with = "rfc3339")]
    pub in_progress_until: SystemTime,
    /// Hash of what the work was asked for with: the same key with other content is a mistake.
    pub payload_hash: String,
    /// What to answer a duplicate with; null until completed.
    pub result: Value,
}

/// What a record means for a request.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Take,
    Replay,
    InProgress,
    Mismatch,
}

impl Record {
    /// Judges the record at `now`, whatever its store did or did not delete by then.
    ///
    /// A moment that is reached has passed. Other content under the key of unfinished work is not a mismatch yet: the
    /// work may still fail, and then the key is free.
    pub(super) fn verdict(&self, payload_hash: &str, now: SystemTime) -> Verdict {
        match self.status {
            Status::InProgress if self.in_progress_until > now => Verdict::InProgress,
            Status::Completed if self.expires_at > now && self.payload_hash == payload_hash => {
                Verdict::Replay
            }
            Status::Completed if self.expires_at > now => Verdict::Mismatch,
            Status::InProgress | Status::Completed => Verdict::Take,
        }
    }
}

/// `duration` after `now`, at most the end of the year 9999.
pub(super) fn later(now: SystemTime, duration: Duration) -> SystemTime {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + now.saturating_add(duration).min(LAST_SECOND)
}

mod rfc3339 {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer, de, ser};
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    pub(super) fn serialize<S: Serializer>(
        time: &SystemTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = OffsetDateTime::from(*time)
            .format(&Rfc3339)
            .map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339)
            .map(SystemTime::from)
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn record(status: Status) -> Record {
        Record {
            id: "purge#k".to_owned(),
            status,
            expires_at: at(200),
            in_progress_until: at(100),
            payload_hash: "h".to_owned(),
            result: Value::Null,
        }
    }

    #[test]
    fn work_in_progress_is_free_again_when_its_window_ends_and_not_before() {
        for hash in ["h", "other"] {
            assert_eq!(
                record(Status::InProgress).verdict(hash, at(99)),
                Verdict::InProgress
            );
            assert_eq!(
                record(Status::InProgress).verdict(hash, at(100)),
                Verdict::Take
            );
        }
    }

    #[test]
    fn completed_work_is_replayed_until_it_expires_whatever_its_window_was() {
        assert_eq!(
            record(Status::Completed).verdict("h", at(99)),
            Verdict::Replay
        );
        assert_eq!(
            record(Status::Completed).verdict("h", at(199)),
            Verdict::Replay
        );
        assert_eq!(
            record(Status::Completed).verdict("other", at(199)),
            Verdict::Mismatch
        );
        for hash in ["h", "other"] {
            assert_eq!(
                record(Status::Completed).verdict(hash, at(200)),
                Verdict::Take
            );
        }
    }

    #[test]
    fn the_stored_form_is_the_documented_one() {
        let json = serde_json::to_value(record(Status::InProgress)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "id": "purge#k", "status": "in_progress", "expires_at": "1970-01-01T00:03:20Z",
                "in_progress_until": "1970-01-01T00:01:40Z", "payload_hash": "h", "result": null,
            })
        );
    }

    proptest! {
        #[test]
        fn a_record_comes_back_as_it_was(nanos in 0..=u64::MAX, duration in 0..=u64::MAX, text in ".*") {
            let now = UNIX_EPOCH + Duration::from_nanos(nanos);
            let record = Record {
                expires_at: now,
                in_progress_until: later(now, Duration::from_secs(duration)),
                result: text.into(),
                ..record(Status::Completed)
            };
            let bytes = serde_json::to_vec(&record).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Record>(&bytes).unwrap(), record);
        }
    }
}
