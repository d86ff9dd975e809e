//! What is printed: documents on standard output, words for people on standard error.

use std::error::Error as _;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use shared::walk::PROGRESS_EVERY;

use crate::args::Format;
use crate::error::Error;

/// Where a command prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Show {
    format: Format,
    /// Both streams are a terminal: there is somebody to draw for.
    terminal: bool,
}

impl Show {
    /// Asks the streams what they are.
    pub(crate) fn new(format: Format) -> Self {
        let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Self { format, terminal }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Whether a progress bar has a place to be.
    pub(crate) fn has_bar(self) -> bool {
        self.terminal && !self.is_json()
    }

    /// Between two words about how far an engine in this process is: a bar moves, a log is read later.
    pub(crate) fn progress_every(self) -> Duration {
        if self.has_bar() {
            Duration::from_secs(1)
        } else {
            PROGRESS_EVERY
        }
    }

    /// One document: as JSON on a line, or the same in words.
    pub(crate) fn document(
        self,
        value: &impl Serialize,
        words: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        if self.is_json() {
            json(value)
        } else {
            write_out(&words())
        }
    }

    /// Why it was not carried out: one line, or JSON; both on standard error.
    pub(crate) fn error(self, error: &Error) {
        if self.is_json() {
            let _ = writeln!(std::io::stderr().lock(), "{}", as_json(error));
        } else {
            note(&format!(
                "sluice: {}",
                shared::telemetry::error_chain(error)
            ));
        }
    }
}

/// A line of JSON, whoever reads.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Error> {
    let line = serde_json::to_string(value).map_err(|error| Error::Terminal(error.into()))?;
    write_out(&line)
}

/// For people only.
pub(crate) fn note(words: &str) {
    // Without an ear there is nothing to say.
    let _ = writeln!(std::io::stderr().lock(), "{}", clean(words));
}

fn as_json(error: &Error) -> Value {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    serde_json::json!({
        "error": {
            "kind": error.kind().label(),
            "exit_code": error.kind().code(),
            "message": error.to_string(),
            "causes": causes,
        }
    })
}

fn write_out(line: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(Error::Terminal)
}

/// Words from outside, without what moves a cursor or reorders what is read: a key may hold anything.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let is_deceptive = c.is_control() && c != '\n'
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if is_deceptive {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// The same on one line.
pub(crate) fn clean_line(text: &str) -> String {
    clean(text).replace('\n', "\\n")
}

/// `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 file`, `2 files`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ if what.ends_with('y') => format!("{} {}ies", count(number), &what[..what.len() - 1]),
        _ => format!("{} {what}s", count(number)),
    }
}

/// `1.5 GiB`; below 1 KiB whole bytes.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = "B";
    let (mut whole, mut tenths) = (number, 0);
    for next in UNITS {
        if whole < 1024 {
            break;
        }
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit = next;
    }
    if unit == "B" {
        format!("{whole} B")
    } else {
        format!("{whole}.{tenths} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let shown = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
        let shown = [
            counted(1, "directory"),
            counted(2, "directory"),
            counted(0, "file"),
        ];
        assert_eq!(shown, ["1 directory", "2 directories", "0 files"]);
    }

    #[test]
    fn bytes_have_the_largest_unit_that_leaves_something() {
        let shown = [0, 1_023, 1_024, 1_536, 1_048_575, 1_048_576, u64::MAX].map(bytes);
        let expected = [
            "0 B",
            "1023 B",
            "1.0 KiB",
            "1.5 KiB",
            "1023.9 KiB",
            "1.0 MiB",
            "15.9 EiB",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_could_deceive_a_reader_is_escaped() {
        assert_eq!(
            clean_line("a\u{1b}[2J\u{202e}\nb"),
            "a\\u{1b}[2J\\u{202e}\\nb"
        );
    }
}
