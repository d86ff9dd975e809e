//! What the controller remembers between ticks.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::when;

/// The form below.
pub const SCHEMA: u32 = 1;

/// The document behind `STATE_PARAMETER`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Whose.
    pub file_system_id: String,
    /// The last change that was begun, whatever came of it.
    pub last_change: Option<LastChange>,
    /// Stands for the list of mount targets that the service has yet to be redeployed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeploy_for: Option<String>,
}

/// A change that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastChange {
    /// When.
    #[serde(with = "when")]
    pub at: SystemTime,
    /// What.
    pub kind: ChangeKind,
    /// Where, by the zone's id.
    pub zone_id: String,
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// One more.
    Create,
    /// One fewer.
    Remove,
}

/// Clocks differ by less than this.
const SKEW_MAX: Duration = Duration::from_hours(24);

/// Why a document is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is no document of ours.
    Corrupt,
    /// It is of another form, or of another file system.
    Foreign,
    /// Its last change is to come in more than a day: no clock is that wrong.
    Future,
}

impl Unusable {
    /// Its name in log lines.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Corrupt => "corrupt",
            Self::Foreign => "foreign",
            Self::Future => "from_the_future",
        }
    }
}

impl State {
    /// Of a file system that nothing is known about.
    #[must_use]
    pub fn new(file_system_id: &str) -> Self {
        Self {
            schema: SCHEMA,
            file_system_id: file_system_id.to_owned(),
            last_change: None,
            redeploy_for: None,
        }
    }

    /// Reads a document at `now`.
    pub fn read(text: &str, file_system_id: &str, now: SystemTime) -> Result<Self, Unusable> {
        let state = Self::parse(text, file_system_id)?;
        let ahead = state.last_change.as_ref();
        let ahead = ahead.and_then(|change| change.at.duration_since(now).ok());
        if ahead.is_some_and(|ahead| ahead > SKEW_MAX) {
            return Err(Unusable::Future);
        }
        Ok(state)
    }

    /// Reads a document, whenever it is from.
    pub fn parse(text: &str, file_system_id: &str) -> Result<Self, Unusable> {
        let state: Self = serde_json::from_str(text).map_err(|_| Unusable::Corrupt)?;
        if state.schema != SCHEMA || state.file_system_id != file_system_id {
            return Err(Unusable::Foreign);
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_document_comes_back() {
        let state = State {
            last_change: Some(LastChange {
                at: UNIX_EPOCH + Duration::from_hours(490_000),
                kind: ChangeKind::Create,
                zone_id: "use1-az1".to_owned(),
            }),
            ..State::new("fs-1")
        };
        let text = serde_json::to_string(&state).unwrap();
        assert!(text.contains("2025-11-24T16:00:00Z"), "{text}");
        assert_eq!(State::parse(&text, "fs-1"), Ok(state));
        assert_eq!(State::parse(&text, "fs-2"), Err(Unusable::Foreign));
        let newer = text.replace("\"schema\":1", "\"schema\":2");
        assert_eq!(State::parse(&newer, "fs-1"), Err(Unusable::Foreign));
        assert_eq!(State::parse("{}", "fs-1"), Err(Unusable::Corrupt));
    }

    #[test]
    fn a_change_that_is_a_day_ahead_is_no_clock_that_is_wrong() {
        let now = UNIX_EPOCH + Duration::from_hours(490_000);
        for (ahead, read) in [(24, true), (25, false)] {
            let last_change = Some(LastChange {
                at: now + Duration::from_hours(ahead),
                kind: ChangeKind::Create,
                zone_id: "az1".to_owned(),
            });
            let state = State {
                last_change,
                ..State::new("fs-1")
            };
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(State::read(&text, "fs-1", now).is_ok(), read, "{ahead}");
        }
    }
}
