//! Settings, from the environment.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use shared::env::{EnvError, Vars};
use shared::telemetry::Settings;
use shared::walk::PROGRESS_EVERY;

/// Most calls in flight that can be set: an NFS mount has 64 slots, beyond a few hundred nothing is gained.
pub const CONCURRENCY_MAX: usize = 256;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// `COUNT_ROOT`, required: what is counted, or what a payload's root must be below.
    pub root: PathBuf,
    /// `COUNT_CONCURRENCY`: calls in flight at most, 1 to 256, default 64.
    pub concurrency: usize,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, set by Lambda: MB, default 256.
    pub function_memory_mb: u64,
    /// Between two lines about progress: [`PROGRESS_EVERY`], unless somebody watches.
    pub progress_every: Duration,
    /// The Powertools names for logs and metrics.
    pub telemetry: Settings,
}

impl Config {
    /// Reads every setting and reports every mistake at once.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvError> {
        let mut vars = Vars::new(lookup);
        let root = vars.required("COUNT_ROOT");
        if !root.is_empty() && !names_one_place(Path::new(&root)) {
            vars.mistake("COUNT_ROOT", &root, "an absolute path without \"..\"");
        }
        let config = Self {
            root: root.into(),
            concurrency: vars.ranged("COUNT_CONCURRENCY", 64, 1..=CONCURRENCY_MAX),
            function_memory_mb: vars.ranged("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 256, 128..=32_768),
            progress_every: PROGRESS_EVERY,
            telemetry: Settings::read(&mut vars, "count"),
        };
        vars.finish()?;
        Ok(config)
    }
}

fn names_one_place(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<Config, EnvError> {
        Config::parse(|name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = parse(&[("COUNT_ROOT", "/mnt/data")]).unwrap();
        assert_eq!(config.root, Path::new("/mnt/data"));
        assert_eq!((config.concurrency, config.function_memory_mb), (64, 256));
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let mistakes = [
            ("COUNT_ROOT", "data"),
            ("COUNT_CONCURRENCY", "257"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1"),
            ("POWERTOOLS_LOGGER_SAMPLE_RATE", "1.5"),
        ];
        let text = parse(&mistakes).unwrap_err().to_string();
        for (name, value) in mistakes {
            assert!(
                text.contains(&format!("{name}={value:?}")),
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn the_root_is_required_and_names_one_place() {
        assert!(
            parse(&[])
                .unwrap_err()
                .to_string()
                .contains("COUNT_ROOT is unset")
        );
        for root in ["data", "./data", "/mnt/../etc"] {
            assert!(parse(&[("COUNT_ROOT", root)]).is_err(), "{root}");
        }
    }

    #[test]
    fn concurrency_is_1_to_256() {
        for (value, ok) in [("0", false), ("1", true), ("256", true), ("257", false)] {
            let parsed = parse(&[("COUNT_ROOT", "/mnt"), ("COUNT_CONCURRENCY", value)]);
            assert_eq!(parsed.is_ok(), ok, "{value}");
        }
    }
}
