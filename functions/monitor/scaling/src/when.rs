//! Times in documents: RFC 3339, UTC, whole seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time as every document and answer says it.
#[must_use]
pub fn text(at: SystemTime) -> String {
    let whole = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let at = OffsetDateTime::from(UNIX_EPOCH + Duration::from_secs(whole));
    // Every time from 1970 to 9999 has this form.
    at.format(&Rfc3339).unwrap_or_default()
}

pub(crate) fn serialize<S: Serializer>(at: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&text(*at))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(from)?;
    let at = OffsetDateTime::parse(&text, &Rfc3339).map_err(D::Error::custom)?;
    if at.unix_timestamp() < 0 {
        return Err(D::Error::custom("a time before 1970"));
    }
    Ok(at.into())
}

/// Since `at`; what lies in the future counts as just now.
#[must_use]
pub fn age(at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(at).unwrap_or_default()
}
