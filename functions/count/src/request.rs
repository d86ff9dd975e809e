//! What may be asked.

use std::path::PathBuf;

use serde_json::Value;
use shared::payload::{Fields, PayloadError};
use shared::walk::TOKEN_BYTES_MAX;

use crate::config::{CONCURRENCY_MAX, Config};

/// A payload, with the settings where it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `root`: `COUNT_ROOT` or a directory below it.
    pub root: PathBuf,
    /// `concurrency`: 1 to 256.
    pub concurrency: usize,
    /// `resume`: the token of an earlier answer.
    pub resume: Option<String>,
    /// `resume_max_bytes`: longest `resume` of the answer, 100 to 200,000 (default); a longer one is kept in a file below the
    /// root, and the answer has its name.
    pub resume_bytes_max: usize,
}

/// Shortest limit: the name of a file must fit.
const RESUME_BYTES_MIN: u64 = 100;

impl Request {
    /// Reads a payload; unknown fields are mistakes, those of a schedule are not.
    pub fn parse(payload: Value, config: &Config) -> Result<Self, PayloadError> {
        let mut fields = Fields::new(payload)?;
        let root = fields.text("root")?;
        let concurrency = fields.whole("concurrency", 1..=CONCURRENCY_MAX as u64)?;
        let resume = fields.text("resume")?;
        let longest = RESUME_BYTES_MIN..=TOKEN_BYTES_MAX as u64;
        let longest = fields.whole("resume_max_bytes", longest)?;
        fields.finish()?;
        let concurrency = concurrency.and_then(|number| usize::try_from(number).ok());
        Ok(Self {
            root: root.map_or_else(|| config.root.clone(), PathBuf::from),
            concurrency: concurrency.unwrap_or(config.concurrency),
            resume,
            resume_bytes_max: longest
                .and_then(|number| usize::try_from(number).ok())
                .unwrap_or(TOKEN_BYTES_MAX),
        })
    }
}
