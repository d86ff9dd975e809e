//! An invocation's payload into typed values; what is wrong names the field.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// Fields of an EventBridge event, which a schedule sends around what was configured. Source: EventBridge user guide,
/// "Events event structure".
const ENVELOPE: [&str; 9] = [
    "version",
    "id",
    "detail-type",
    "source",
    "account",
    "time",
    "region",
    "resources",
    "detail",
];

/// Reads fields one by one; [`Fields::finish`] complains about those that nobody asked for.
///
/// A field that is null counts as absent: state machines cannot leave one out.
#[derive(Debug)]
pub struct Fields {
    left: Map<String, Value>,
}

/// What is wrong with a payload.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// It is a list, a text or a number.
    #[error("payload must be an object")]
    NotAnObject,
    /// A field has a value that it cannot have.
    #[error("payload field {field}={value} (allowed: {allowed})")]
    BadField {
        /// Its name.
        field: String,
        /// As it was given.
        value: Value,
        /// What would do.
        allowed: String,
    },
    /// Perhaps a known one, misspelt: ignoring it would do something else than what was asked for.
    #[error("payload field {field} is unknown")]
    UnknownField {
        /// Its name.
        field: String,
    },
}

impl Fields {
    /// Of an object, or of nothing.
    pub fn new(payload: Value) -> Result<Self, PayloadError> {
        let mut left = match payload {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            _ => return Err(PayloadError::NotAnObject),
        };
        left.retain(|_, value| !value.is_null());
        Ok(Self { left })
    }

    /// Any text but the empty one.
    pub fn text(&mut self, field: &str) -> Result<Option<String>, PayloadError> {
        self.value(field, "text", |value| {
            value
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        })
    }

    /// `true` or `false`.
    pub fn flag(&mut self, field: &str) -> Result<Option<bool>, PayloadError> {
        self.value(field, "true, false", Value::as_bool)
    }

    /// A whole number within `range`.
    pub fn whole(
        &mut self,
        field: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, PayloadError> {
        let allowed = span(&range);
        self.value(field, &allowed, |value| {
            value.as_u64().filter(|number| range.contains(number))
        })
    }

    /// Any number within `range`.
    pub fn number(
        &mut self,
        field: &str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<f64>, PayloadError> {
        let allowed = span(&range);
        self.value(field, &allowed, |value| {
            value.as_f64().filter(|number| range.contains(number))
        })
    }

    /// A list of texts.
    pub fn texts(&mut self, field: &str) -> Result<Option<Vec<String>>, PayloadError> {
        self.value(field, "a list of texts", |value| {
            let values = value.as_array()?.iter();
            values
                .map(|text| text.as_str().map(str::to_owned))
                .collect()
        })
    }

    /// Anything that `read` understands; `allowed` says what that is.
    pub fn value<T>(
        &mut self,
        field: &str,
        allowed: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, PayloadError> {
        let Some(value) = self.left.remove(field) else {
            return Ok(None);
        };
        match read(&value) {
            Some(read) => Ok(Some(read)),
            None => Err(bad_field(field, value, allowed)),
        }
    }

    /// `Ok` when nothing is left but what a schedule adds.
    pub fn finish(self) -> Result<(), PayloadError> {
        let unknown = |field: &String| !ENVELOPE.contains(&field.as_str());
        match self.left.into_iter().map(|(field, _)| field).find(unknown) {
            Some(field) => Err(PayloadError::UnknownField { field }),
            None => Ok(()),
        }
    }
}

/// A mistake that only the caller can see.
#[must_use]
pub fn bad_field(field: &str, value: impl Into<Value>, allowed: &str) -> PayloadError {
    PayloadError::BadField {
        field: field.to_owned(),
        value: value.into(),
        allowed: allowed.to_owned(),
    }
}

fn span<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("{} to {}", range.start(), range.end())
}

/// What a failed function said: its `errorMessage`, if `cause` is what a state machine has of it, else `cause`.
#[must_use]
pub fn said(cause: &str) -> String {
    let failed: Option<Value> = serde_json::from_str(cause).ok();
    let said = failed.and_then(|failed| Some(failed["errorMessage"].as_str()?.to_owned()));
    said.unwrap_or_else(|| cause.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(payload: Value) -> Fields {
        Fields::new(payload).unwrap()
    }

    #[test]
    fn absent_and_null_are_the_same() {
        for payload in [json!(null), json!({}), json!({"a": null})] {
            let mut fields = fields(payload);
            assert_eq!(fields.text("a").unwrap(), None);
            assert_eq!(fields.flag("a").unwrap(), None);
            assert_eq!(fields.whole("a", 0..=9).unwrap(), None);
            assert_eq!(fields.texts("a").unwrap(), None);
            assert!(fields.finish().is_ok());
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for payload in [json!([]), json!("root"), json!(1)] {
            assert!(matches!(
                Fields::new(payload),
                Err(PayloadError::NotAnObject)
            ));
        }
    }

    #[test]
    fn a_wrong_value_names_field_value_and_what_is_allowed() {
        let mut fields = fields(json!({
            "n": 10, "x": -1, "f": 1.5, "t": "", "b": "true", "l": ["a", 1]
        }));
        let errors = [
            fields.whole("n", 1..=9).unwrap_err(),
            fields.whole("x", 1..=9).unwrap_err(),
            fields.number("f", 0.0..=1.0).unwrap_err(),
            fields.text("t").unwrap_err(),
            fields.flag("b").unwrap_err(),
            fields.texts("l").unwrap_err(),
        ];
        assert_eq!(
            errors.map(|error| error.to_string()),
            [
                "payload field n=10 (allowed: 1 to 9)",
                "payload field x=-1 (allowed: 1 to 9)",
                "payload field f=1.5 (allowed: 0 to 1)",
                "payload field t=\"\" (allowed: text)",
                "payload field b=\"true\" (allowed: true, false)",
                "payload field l=[\"a\",1] (allowed: a list of texts)",
            ]
        );
    }

    #[test]
    fn a_misspelt_field_is_refused_and_the_envelope_of_a_schedule_is_not() {
        let scheduled =
            json!({"version": "0", "source": "aws.events", "time": "t", "root": "/mnt"});
        let mut fields_of_schedule = fields(scheduled);
        assert_eq!(fields_of_schedule.text("root").unwrap().unwrap(), "/mnt");
        assert!(fields_of_schedule.finish().is_ok());
        let error = fields(json!({"roott": "/mnt"})).finish().unwrap_err();
        assert_eq!(error.to_string(), "payload field roott is unknown");
    }
}
