//! What is removed, written down before and after: whatever is gone is in the file, whenever the process ended.
//!
//! One JSON object a line. `intent` is on disk before the removal is asked for; `purged` or `kept` follows. An intent
//! without either was overtaken by the end of the process: the entry may be gone or not. Times are seconds since 1970.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use shared::walk::{Attributes, Errno, Kernel, OwnFolder, Root, RootError};

/// An open audit file, below `.sluice/audit/`.
#[derive(Debug)]
pub struct Audit {
    file: Mutex<Lines>,
}

#[derive(Debug)]
struct Lines {
    file: File,
    /// A write failed: its last line may have no end.
    torn: bool,
}

impl Audit {
    /// Begins a file for one sweep, of a `name` that no other has; `sweep` is its first line.
    pub fn begin(
        kernel: &Kernel,
        root: &Root,
        name: &str,
        sweep: &Value,
    ) -> Result<Self, RootError> {
        let name = format!("{}.jsonl", sanitised(name));
        let begun = OwnFolder::open(kernel, root, c"audit")
            .and_then(|folder| folder.create(&name))
            .and_then(|file| {
                let file = Mutex::new(Lines { file, torn: false });
                let audit = Self { file };
                audit.write(std::slice::from_ref(sweep))?;
                audit.sync()?;
                Ok(audit)
            });
        begun.map_err(|source| RootError::Open {
            path: root.path().join(".sluice/audit").join(name),
            source,
        })
    }

    /// Appends `lines` in one piece, on lines of their own also where an earlier write failed half-way.
    pub fn write(&self, lines: &[Value]) -> Result<(), Errno> {
        let text = lines.iter().fold(String::new(), |mut text, line| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
            text
        });
        let mut lines = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = if lines.torn { "\n" } else { "" };
        let written = lines.file.write_all(format!("{begin}{text}").as_bytes());
        lines.torn = written.is_err();
        written.map_err(|error| errno(&error))
    }

    /// Waits until everything written so far is on disk. Does not keep others from writing.
    pub fn sync(&self) -> Result<(), Errno> {
        let file = self
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .file
            .try_clone();
        file.and_then(|file| file.sync_data())
            .map_err(|error| errno(&error))
    }
}

/// Before a removal.
#[must_use]
pub fn intent(path: &[u8], entry: Option<&Attributes>) -> Value {
    let mut line = named("intent", path);
    if let Some(entry) = entry {
        line["inode"] = json!(entry.inode);
        line["size_bytes"] = json!(entry.size_bytes);
        line["mtime"] = json!(entry.mtime.seconds);
        line["ctime"] = json!(entry.ctime.seconds);
    }
    line
}

/// After it.
#[must_use]
pub fn result(path: &[u8], removed: bool) -> Value {
    named(if removed { "purged" } else { "kept" }, path)
}

/// A path that is no text is there twice: readable, and exactly, in hexadecimal digits.
fn named(event: &str, path: &[u8]) -> Value {
    let text = String::from_utf8_lossy(path);
    let mut line = json!({ "event": event, "path": text });
    if text.as_bytes() != path {
        line["path_hex"] = json!(path.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }));
    }
    line
}

fn sanitised(name: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '-';
    name.chars()
        .filter(|character| plain(*character))
        .take(64)
        .collect()
}

fn errno(error: &io::Error) -> Errno {
    error
        .raw_os_error()
        .map_or(Errno::IO, Errno::from_raw_os_error)
}
