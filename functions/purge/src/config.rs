//! Settings, from the environment.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use shared::env::{EnvError, Vars};
use shared::telemetry::Settings;
use shared::walk::PROGRESS_EVERY;

use crate::budget::Budget;
use crate::patterns::{Patterns, split};
use crate::place::is_system;
use crate::retention::{AGE_DAYS_MAX, AgeBy};

/// Most calls in flight that can be set: an NFS mount has 64 slots, beyond a few hundred nothing is gained.
pub const CONCURRENCY_MAX: usize = 256;

/// Largest memory of a function, MB. Source: Lambda developer guide, "Quotas", with room to grow.
pub const MEMORY_MB_MAX: u64 = 32_768;

/// What a payload may say otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// `PURGE_MAX_AGE_DAYS`: a file is due when it is older, days, default 30.
    pub max_age_days: f64,
    /// `PURGE_AGE_BY`: `newest` (default) or `mtime`.
    pub age_by: AgeBy,
    /// `PURGE_INCLUDE`: globs, separated by commas; default everything.
    pub include: Vec<String>,
    /// `PURGE_EXCLUDE`: globs, separated by commas; default nothing.
    pub exclude: Vec<String>,
    /// `PURGE_REMOVE_EMPTY_DIRS`: default false.
    pub remove_empty_dirs: bool,
    /// `PURGE_MAX_EMPTY_DIRS`: default 500, 0 is any number.
    pub max_empty_dirs: u64,
    /// `PURGE_CONCURRENCY`: calls in flight at most, 1 to 256, default 64.
    pub concurrency: usize,
    /// `PURGE_MEMORY_LIMIT_MB`: above it fewer calls are made, default 80 % of the function's memory.
    pub memory_limit_mb: u64,
}

/// What a payload may only make stricter.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// `PURGE_ROOT`, required: the root, or what a payload's root must be below.
    pub root: PathBuf,
    /// `PURGE_DRY_RUN`: when it is `true`, no payload can change that. Unset, it is what a payload without `dry_run`
    /// means.
    pub dry_run: Option<bool>,
    /// `PURGE_MIN_AGE_DAYS`: no age below it, default 1.
    pub min_age_days: f64,
    /// `PURGE_MAX_DELETES` (any number) and `PURGE_MAX_DELETE_FRACTION` (1.0).
    pub budget: Budget,
}

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Overridden by the payload.
    pub defaults: Defaults,
    /// Tightened by the payload.
    pub bounds: Bounds,
    /// `PURGE_AUDIT`: every removal is written down below `.sluice/audit/`, default false.
    pub audit: bool,
    /// Between two lines about progress: [`PROGRESS_EVERY`], unless somebody watches.
    pub progress_every: Duration,
    /// The Powertools names for logs and metrics.
    pub telemetry: Settings,
}

impl Config {
    /// Reads every setting and reports every mistake at once.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvError> {
        let mut vars = Vars::new(lookup);
        let bounds = bounds(&mut vars);
        let defaults = defaults(&mut vars);
        if defaults.max_age_days < bounds.min_age_days {
            let allowed = format!("at least PURGE_MIN_AGE_DAYS {}", bounds.min_age_days);
            let value = defaults.max_age_days.to_string();
            vars.mistake("PURGE_MAX_AGE_DAYS", &value, &allowed);
        }
        let config = Self {
            defaults,
            bounds,
            audit: vars.flag("PURGE_AUDIT", false),
            progress_every: PROGRESS_EVERY,
            telemetry: Settings::read(&mut vars, "purge"),
        };
        vars.finish()?;
        Ok(config)
    }
}

fn bounds<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>) -> Bounds {
    let root = vars.required("PURGE_ROOT");
    let path = Path::new(&root);
    let up = |part| part == Component::ParentDir;
    if !root.is_empty() && (!path.is_absolute() || path.components().any(up) || is_system(path)) {
        let allowed = "an absolute path without \"..\", and no directory of the system";
        vars.mistake("PURGE_ROOT", &root, allowed);
    }
    let dry_run = vars.flag("PURGE_DRY_RUN", true);
    Bounds {
        root: root.into(),
        dry_run: vars.optional("PURGE_DRY_RUN").map(|_| dry_run),
        min_age_days: vars.ranged("PURGE_MIN_AGE_DAYS", 1.0, 0.0..=AGE_DAYS_MAX),
        budget: Budget {
            max_deletes: vars
                .optional("PURGE_MAX_DELETES")
                .map(|_| vars.ranged("PURGE_MAX_DELETES", 0, 0..=u64::MAX)),
            max_delete_fraction: vars.ranged("PURGE_MAX_DELETE_FRACTION", 1.0, 0.0..=1.0),
        },
    }
}

fn defaults<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>) -> Defaults {
    let memory_mb = vars.ranged("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 256, 128..=MEMORY_MB_MAX);
    Defaults {
        max_age_days: vars.ranged("PURGE_MAX_AGE_DAYS", 30.0, 0.0..=AGE_DAYS_MAX),
        age_by: vars.one_of("PURGE_AGE_BY", AgeBy::Newest, &AgeBy::ALL),
        include: globs(vars, "PURGE_INCLUDE"),
        exclude: globs(vars, "PURGE_EXCLUDE"),
        remove_empty_dirs: vars.flag("PURGE_REMOVE_EMPTY_DIRS", false),
        max_empty_dirs: vars.ranged("PURGE_MAX_EMPTY_DIRS", 500, 0..=u64::MAX),
        concurrency: vars.ranged("PURGE_CONCURRENCY", 64, 1..=CONCURRENCY_MAX),
        memory_limit_mb: vars.ranged(
            "PURGE_MEMORY_LIMIT_MB",
            memory_mb / 5 * 4,
            1..=MEMORY_MB_MAX,
        ),
    }
}

fn globs<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>, name: &str) -> Vec<String> {
    let text = vars.text(name, "");
    let globs = split(&text);
    if let Err(error) = Patterns::new(&globs, &[]) {
        vars.mistake(name, &text, &format!("globs, but {error}"));
    }
    globs
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
        let config = parse(&[("PURGE_ROOT", "/mnt/data")]).unwrap();
        let defaults = Defaults {
            max_age_days: 30.0,
            age_by: AgeBy::Newest,
            include: Vec::new(),
            exclude: Vec::new(),
            remove_empty_dirs: false,
            max_empty_dirs: 500,
            concurrency: 64,
            memory_limit_mb: 204,
        };
        assert_eq!(config.defaults, defaults);
        let bounds = Bounds {
            root: "/mnt/data".into(),
            dry_run: None,
            min_age_days: 1.0,
            budget: Budget {
                max_deletes: None,
                max_delete_fraction: 1.0,
            },
        };
        assert_eq!(config.bounds, bounds);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let mistakes = [
            ("PURGE_ROOT", "/etc/"),
            ("PURGE_MAX_AGE_DAYS", "-1"),
            ("PURGE_AGE_BY", "atime"),
            ("PURGE_MIN_AGE_DAYS", "NaN"),
            ("PURGE_DRY_RUN", "yes"),
            ("PURGE_INCLUDE", "["),
            ("PURGE_EXCLUDE", "a,{b"),
            ("PURGE_REMOVE_EMPTY_DIRS", "2"),
            ("PURGE_MAX_EMPTY_DIRS", "-1"),
            ("PURGE_MAX_DELETES", "all"),
            ("PURGE_MAX_DELETE_FRACTION", "1.01"),
            ("PURGE_CONCURRENCY", "0"),
            ("PURGE_MEMORY_LIMIT_MB", "0"),
            ("PURGE_AUDIT", "maybe"),
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
    fn an_age_below_the_floor_is_a_mistake() {
        let parse = |age, floor| {
            parse(&[
                ("PURGE_ROOT", "/mnt/data"),
                ("PURGE_MAX_AGE_DAYS", age),
                ("PURGE_MIN_AGE_DAYS", floor),
            ])
        };
        assert!(parse("0.99", "1").is_err() && parse("1", "1").is_ok());
        assert!(parse("0", "0").is_ok());
    }

    #[test]
    fn a_root_is_required_names_one_place_and_is_none_of_the_systems() {
        let parse = |root| parse(&[("PURGE_ROOT", root)]);
        for root in [
            "",
            "data",
            "/",
            "//",
            "/usr/share",
            "/mnt",
            "/mnt/../etc",
            "/proc/self/cwd",
        ] {
            assert!(parse(root).is_err(), "{root}");
        }
        assert!(parse("/mnt/data").is_ok());
    }
}
