//! Progress: a bar where there is a terminal, and what an engine says while it works.

use std::fmt::Debug;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::error::Error;
use crate::show::{Show, clean_line, count, note};

/// Between two frames of what turns while nothing is known.
const FRAME: Duration = Duration::from_millis(120);

const SPINNING: &str = "{spinner} {elapsed} {wide_msg}";
const FILLING: &str = "{spinner} {elapsed} [{bar:24}] {percent:>3} % {wide_msg}";

/// How far it is; nothing is drawn where nobody looks.
#[derive(Clone, Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// Draws on standard error, if that is a terminal and people read.
    pub(crate) fn new(show: Show, words: &str) -> Self {
        let target = if show.has_bar() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(SPINNING));
        bar.set_message(words.to_owned());
        if show.has_bar() {
            bar.enable_steady_tick(FRAME);
        }
        Self(bar)
    }

    /// So much of all, in words.
    pub(crate) fn set(&self, done: u64, all: u64, words: String) {
        if self.0.length() != Some(all) {
            self.0.set_length(all);
            self.0.set_style(style(FILLING));
        }
        self.0.set_position(done.min(all));
        self.0.set_message(words);
    }

    /// Words alone.
    pub(crate) fn say(&self, words: String) {
        self.0.set_message(words);
    }

    /// Prints what is not to be drawn over.
    pub(crate) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// Takes it away.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// The templates are constants, and right.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .tick_chars("|/-\\ ")
}

/// Follows the engines of purge and count: their lines about progress move the bar, their warnings are printed.
pub(crate) fn follow_engine(show: Show, bar: &Bar) -> Result<(), Error> {
    let bar = bar.clone();
    let listening = Registry::default().with(Lines { show, bar });
    tracing::subscriber::set_global_default(listening)
        .map_err(|error| Error::Terminal(std::io::Error::other(error)))
}

struct Lines {
    show: Show,
    bar: Bar,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // What fails is the answer's or the error's to say; what is below INFO is for whoever mends the engine.
        match *metadata.level() {
            Level::INFO | Level::WARN => Interest::always(),
            _ => Interest::never(),
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { message, values } = fields;
        match (*event.metadata().level(), message.as_str()) {
            (Level::INFO, "progress") => self.progress(&values),
            // The answer has these.
            (Level::INFO, _) | (_, "refused" | "not purged" | "not counted") => {}
            (_, warning) => self.bar.beside(|| {
                note(&words(warning, &values));
            }),
        }
    }
}

impl Lines {
    fn progress(&self, values: &Map<String, Value>) {
        self.bar.say(numbers(values));
        if !self.show.has_bar() {
            note(&json!({ "progress": values }).to_string());
        }
    }
}

/// `files scanned 1,234, errors 0`.
fn numbers(values: &Map<String, Value>) -> String {
    let shown = values.iter().filter_map(|(name, value)| {
        let number = count(value.as_u64()?);
        Some(format!("{} {number}", name.replace('_', " ")))
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn words(message: &str, values: &Map<String, Value>) -> String {
    match values.get("error").and_then(Value::as_str) {
        Some(error) => clean_line(&format!("{message}: {error}")),
        None => clean_line(message),
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    values: Map<String, Value>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => {
                self.values.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_understood() {
        for template in [SPINNING, FILLING] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn numbers_are_said_with_their_names() {
        let values = json!({"errors": 0, "files_scanned": 1_234, "path": "x"});
        let words = numbers(values.as_object().unwrap());
        assert_eq!(words, "errors 0, files scanned 1,234");
    }
}
