//! One log line: a JSON object whose known keys come first and belong to us.

use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::time::SystemTime;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use time::OffsetDateTime;
use tracing::Level;
use tracing::field::{Field, Visit};

/// Keys that no field of an event may take.
const RESERVED: [&str; 8] = [
    "timestamp",
    "level",
    "message",
    "service",
    "function_request_id",
    "cold_start",
    "sampled",
    "xray_trace_id",
];

/// What every line of one invocation carries.
#[derive(Default)]
pub(super) struct Context {
    pub(super) function_request_id: String,
    pub(super) cold_start: bool,
    pub(super) sampled: bool,
    pub(super) xray_trace_id: Option<String>,
}

/// The fields of an event or a span, in the order they were recorded.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) values: Vec<(&'static str, Value)>,
}

/// A line before it is text.
pub(super) struct Line<'a> {
    pub(super) time: SystemTime,
    pub(super) level: Level,
    pub(super) service: &'a str,
    pub(super) context: Option<&'a Context>,
    pub(super) fields: &'a Fields,
}

impl Fields {
    /// Sets a field; the last value of a name wins.
    pub(super) fn set(&mut self, name: &'static str, value: Value) {
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name, value)),
        }
    }

    /// Takes over the fields of an enclosing span, which give way to those set here.
    pub(super) fn inherit(&mut self, outer: &Self) {
        let new = |(name, _): &&(&str, Value)| self.values.iter().all(|(known, _)| known != name);
        let inherited: Vec<_> = outer.values.iter().filter(new).cloned().collect();
        self.values.extend(inherited);
    }

    fn record(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match (name, value) {
            ("message", Value::String(text)) => self.message = text,
            (_, value) => self.set(name.strip_prefix("r#").unwrap_or(name), value),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no NaN and no infinity.
        let number = serde_json::Number::from_f64(value);
        self.record(
            field,
            number.map_or_else(|| value.to_string().into(), Value::Number),
        );
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, value.into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, value.into());
    }
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record(field, error_chain(value).into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record(field, format!("{value:?}").into());
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &rfc3339(self.time))?;
        map.serialize_entry("level", self.level.as_str())?;
        map.serialize_entry("message", &self.fields.message)?;
        map.serialize_entry("service", self.service)?;
        if let Some(context) = self.context {
            map.serialize_entry("function_request_id", &context.function_request_id)?;
            map.serialize_entry("cold_start", &context.cold_start)?;
            map.serialize_entry("sampled", &context.sampled)?;
            if let Some(xray_trace_id) = &context.xray_trace_id {
                map.serialize_entry("xray_trace_id", xray_trace_id)?;
            }
        }
        for (name, value) in &self.fields.values {
            if RESERVED.contains(name) {
                map.serialize_entry(&format!("field_{name}"), value)?;
            } else {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

/// `value` as JSON on one line, with its newline.
///
/// An object key can hold anything: what could move a terminal's cursor or reorder what a reader sees is escaped.
pub(super) fn render(value: &impl Serialize) -> String {
    // Strings, numbers and maps with text keys: there is nothing in a line that JSON cannot say.
    let json = serde_json::to_string(value).unwrap_or_default();
    let mut line = String::with_capacity(json.len() + 1);
    for character in json.chars() {
        if is_deceptive(character) {
            // Writing to a String cannot fail; all of these are in the basic plane, so four digits do.
            let _ = write!(line, "\\u{:04x}", u32::from(character));
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line
}

fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// RFC 3339, UTC, milliseconds: what Lambda needs at the root of a line to believe its `level`.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second, millisecond) = time.to_hms_milli();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// The error's message, then every source's, joined by ": ".
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain.push_str(": ");
        chain.push_str(&cause.to_string());
        source = cause.source();
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn line(fields: &Fields, context: Option<&Context>) -> String {
        let time = UNIX_EPOCH + Duration::from_millis(1_763_683_200_007);
        render(&Line {
            time,
            level: Level::INFO,
            service: "compress",
            context,
            fields,
        })
    }

    #[test]
    fn known_keys_come_first_then_the_fields() {
        let mut fields = Fields {
            message: "done".to_owned(),
            ..Fields::default()
        };
        fields.set("size_bytes", 7.into());
        let context = Context {
            function_request_id: "r1".to_owned(),
            cold_start: true,
            ..Context::default()
        };
        assert_eq!(
            line(&fields, Some(&context)),
            "{\"timestamp\":\"2025-11-21T00:00:00.007Z\",\"level\":\"INFO\",\"message\":\"done\",\"service\":\"compress\",\
             \"function_request_id\":\"r1\",\"cold_start\":true,\"sampled\":false,\"size_bytes\":7}\n"
        );
    }

    #[test]
    fn a_field_cannot_overwrite_a_reserved_key() {
        for name in RESERVED {
            let mut fields = Fields::default();
            fields.set(name, "mine".into());
            let json: Value =
                serde_json::from_str(&line(&fields, Some(&Context::default()))).unwrap();
            assert_ne!(json[name], "mine");
            assert_eq!(json[format!("field_{name}")], "mine");
        }
    }

    #[test]
    fn inner_fields_win_over_inherited_ones() {
        let (mut inner, mut outer) = (Fields::default(), Fields::default());
        inner.set("key", "inner".into());
        outer.set("key", "outer".into());
        outer.set("bucket", "b".into());
        inner.inherit(&outer);
        let json: Value = serde_json::from_str(&line(&inner, None)).unwrap();
        assert_eq!(
            (&json["key"], &json["bucket"]),
            (&"inner".into(), &"b".into())
        );
    }

    #[test]
    fn the_chain_has_every_source() {
        #[derive(Debug, thiserror::Error)]
        #[error("read s3://b/k")]
        struct Read(#[from] std::io::Error);
        let error = Read(std::io::Error::other("reset by peer"));
        assert_eq!(error_chain(&error), "read s3://b/k: reset by peer");
    }

    #[test]
    fn what_could_deceive_a_reader_is_escaped() {
        let mut fields = Fields::default();
        fields.set(
            "key",
            "\u{1b}\n\u{7f}\u{9b}\u{61c}\u{200f}\u{2028}\u{202e}\u{2066}\u{2069}é".into(),
        );
        let expected = r#""key":"\u001b\n\u007f\u009b\u061c\u200f\u2028\u202e\u2066\u2069é"}"#;
        assert!(line(&fields, None).ends_with(&format!("{expected}\n")));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_its_one_line(text in "(.|\\PC|[\\x00-\\x1f\\x7f-\\x9f\u{202a}-\u{202e}\u{2028}])*") {
            let mut fields = Fields::default();
            fields.set("key", text.clone().into());
            let line = line(&fields, None);
            prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
            let json: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(json["key"].as_str(), Some(text.as_str()));
        }
    }
}
