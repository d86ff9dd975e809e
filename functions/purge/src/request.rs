//! What may be asked, and how far a payload may go beyond the settings.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::payload::{Fields, PayloadError, bad_field};

use crate::budget::Budget;
use crate::config::{CONCURRENCY_MAX, Config, MEMORY_MB_MAX};
use crate::patterns::Patterns;
use crate::retention::{AGE_DAYS_MAX, AgeBy};
use crate::sweep::Mode;

/// A payload, with the settings where it says nothing.
#[derive(Clone, Debug)]
pub struct Request {
    /// `root`: `PURGE_ROOT` or a directory below it.
    pub root: PathBuf,
    /// `max_age_days`, not below the floor.
    pub max_age_days: f64,
    /// `age_by`.
    pub age_by: AgeBy,
    /// `dry_run`.
    pub mode: Mode,
    /// `include` and `exclude`.
    pub patterns: Patterns,
    /// `remove_empty_dirs` and `max_empty_dirs`: how many may go; `None` when they are left alone.
    pub empty_dirs_max: Option<u64>,
    /// `max_deletes` and `max_delete_fraction`.
    pub budget: Budget,
    /// `concurrency`.
    pub concurrency: usize,
    /// `memory_limit_mb`.
    pub memory_limit_mb: u64,
    /// `resume`.
    pub resume: Option<String>,
    /// `time`, as a schedule sets it.
    pub scheduled_at: Option<String>,
    /// Everything that decides what goes, as a payload would say it.
    pub options: Value,
    /// How they are carried out, as far as the payload says.
    pub limits: Value,
    /// `execution`: whose state machine asks, `{"id"}`.
    pub execution: Option<String>,
    /// Stands for the options: a token of other options is refused.
    pub options_hash: String,
}

impl Request {
    /// Reads a payload; unknown fields are mistakes, those of a schedule are not.
    pub fn parse(payload: Value, config: &Config) -> Result<Self, PayloadError> {
        Self::read(Fields::new(payload)?, config)
    }

    /// The same from what is left of a payload.
    pub fn read(mut fields: Fields, config: &Config) -> Result<Self, PayloadError> {
        let (defaults, bounds) = (&config.defaults, &config.bounds);
        let max_age_days = max_age_days(&mut fields, config)?;
        let age_by = age_by(&mut fields)?.unwrap_or(defaults.age_by);
        let include = globs(&mut fields, "include")?.unwrap_or_else(|| defaults.include.clone());
        let exclude = globs(&mut fields, "exclude")?.unwrap_or_else(|| defaults.exclude.clone());
        let dry_run = fields.flag("dry_run")?;
        let dry_run = match bounds.dry_run {
            Some(true) => true,
            bound => dry_run.or(bound).unwrap_or(true),
        };
        let empty_dirs_max = empty_dirs_max(&mut fields, config)?;
        let budget = budget(&mut fields, bounds.budget)?;
        let root = fields.text("root")?;
        let options = json!({
            "root": root,
            "max_age_days": max_age_days,
            "age_by": age_by,
            "dry_run": dry_run,
            "include": include,
            "exclude": exclude,
            "remove_empty_dirs": empty_dirs_max.is_some(),
            "max_empty_dirs": empty_dirs_max,
            "max_deletes": budget.max_deletes,
            "max_delete_fraction": budget.max_delete_fraction,
        });
        let concurrency = fields.whole("concurrency", 1..=CONCURRENCY_MAX as u64)?;
        let memory_limit_mb = fields.whole("memory_limit_mb", 1..=MEMORY_MB_MAX)?;
        let limits = json!({"concurrency": concurrency, "memory_limit_mb": memory_limit_mb});
        let concurrency = concurrency.and_then(|number| usize::try_from(number).ok());
        let request = Self {
            root: root.map_or_else(|| bounds.root.clone(), PathBuf::from),
            max_age_days,
            age_by,
            mode: if dry_run { Mode::DryRun } else { Mode::Remove },
            patterns: Patterns::new(&include, &exclude)
                .map_err(|error| bad_field("include", json!(include), &error.to_string()))?,
            empty_dirs_max,
            budget,
            concurrency: concurrency.unwrap_or(defaults.concurrency),
            memory_limit_mb: memory_limit_mb.unwrap_or(defaults.memory_limit_mb),
            resume: fields.text("resume")?,
            scheduled_at: fields.text("time")?,
            options_hash: hashed(&options),
            options,
            limits,
            execution: execution(&mut fields)?,
        };
        fields.finish()?;
        Ok(request)
    }

    /// Whether it is this execution that asks.
    #[must_use]
    pub fn is_asked_by(&self, execution: &Value) -> bool {
        let ours = self.execution.as_deref();
        ours.is_some() && ours == execution.as_str()
    }

    /// Options and limits, as a payload says them.
    #[must_use]
    pub fn all_options(&self) -> Value {
        let mut all = self.options.clone();
        if let (Value::Object(all), Value::Object(limits)) = (&mut all, &self.limits) {
            all.extend(limits.clone());
        }
        all
    }
}

/// Not below the floor, which a payload may only raise.
fn max_age_days(fields: &mut Fields, config: &Config) -> Result<f64, PayloadError> {
    let floor = config.bounds.min_age_days;
    let floor = fields
        .number("min_age_days", floor..=AGE_DAYS_MAX)?
        .unwrap_or(floor);
    let asked = fields.number("max_age_days", floor..=AGE_DAYS_MAX)?;
    let max_age_days = asked.unwrap_or(config.defaults.max_age_days);
    if max_age_days < floor {
        return Err(bad_field(
            "min_age_days",
            floor,
            &format!("at most max_age_days {max_age_days}"),
        ));
    }
    Ok(max_age_days)
}

fn age_by(fields: &mut Fields) -> Result<Option<AgeBy>, PayloadError> {
    let Some(asked) = fields.text("age_by")? else {
        return Ok(None);
    };
    let known = AgeBy::ALL.iter().find(|(name, _)| *name == asked);
    let known = known.ok_or_else(|| bad_field("age_by", asked, "newest, mtime"))?;
    Ok(Some(known.1))
}

fn execution(fields: &mut Fields) -> Result<Option<String>, PayloadError> {
    let id = |value: &Value| Some(value.get("id")?.as_str()?.to_owned());
    fields.value("execution", "{\"id\": text}", id)
}

fn globs(fields: &mut Fields, field: &str) -> Result<Option<Vec<String>>, PayloadError> {
    let Some(globs) = fields.texts(field)? else {
        return Ok(None);
    };
    match Patterns::new(&globs, &[]) {
        Ok(_) => Ok(Some(globs)),
        Err(error) => Err(bad_field(
            field,
            json!(globs),
            &format!("globs, but {error}"),
        )),
    }
}

fn empty_dirs_max(fields: &mut Fields, config: &Config) -> Result<Option<u64>, PayloadError> {
    let removes = fields.flag("remove_empty_dirs")?;
    let max = fields.whole("max_empty_dirs", 0..=u64::MAX)?;
    let max = match max.unwrap_or(config.defaults.max_empty_dirs) {
        0 => u64::MAX,
        max => max,
    };
    let removes = removes.unwrap_or(config.defaults.remove_empty_dirs);
    Ok(removes.then_some(max))
}

/// The stricter of what is set and what is asked for.
fn budget(fields: &mut Fields, bound: Budget) -> Result<Budget, PayloadError> {
    let max_deletes = fields.whole("max_deletes", 0..=u64::MAX)?;
    let fraction = fields.number("max_delete_fraction", 0.0..=1.0)?;
    Ok(Budget {
        max_deletes: [max_deletes, bound.max_deletes].into_iter().flatten().min(),
        max_delete_fraction: fraction.unwrap_or(1.0).min(bound.max_delete_fraction),
    })
}

fn hashed(options: &Value) -> String {
    let digest = Sha256::digest(options.to_string());
    digest
        .iter()
        .take(16)
        .fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(settings: &[(&str, &str)], payload: Value) -> Result<Request, PayloadError> {
        let config = Config::parse(|name| {
            let all = settings.iter().chain(&[("PURGE_ROOT", "/mnt/data")]);
            let mut found = all.filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_owned())
        });
        Request::parse(payload, &config.unwrap())
    }

    #[test]
    fn a_payload_overrides_what_is_set() {
        let asked = json!({
            "root": "/mnt/data/x", "max_age_days": 2.5, "age_by": "mtime", "dry_run": false,
            "include": ["a"], "exclude": ["b"], "remove_empty_dirs": true, "max_empty_dirs": 7,
            "concurrency": 3, "memory_limit_mb": 99, "resume": "token",
        });
        let request = request(&[("PURGE_AGE_BY", "newest")], asked).unwrap();
        assert_eq!(request.root, PathBuf::from("/mnt/data/x"));
        assert!((request.max_age_days - 2.5).abs() < f64::EPSILON);
        assert_eq!((request.age_by, request.mode), (AgeBy::Mtime, Mode::Remove));
        assert!(request.patterns.select(b"a") && !request.patterns.select(b"b"));
        assert_eq!(request.empty_dirs_max, Some(7));
        assert_eq!((request.concurrency, request.memory_limit_mb), (3, 99));
        assert_eq!(request.resume.as_deref(), Some("token"));
    }

    #[test]
    fn nothing_said_is_a_dry_run_and_a_dry_run_that_is_set_stays_one() {
        for (set, asked, mode) in [
            (None, None, Mode::DryRun),
            (None, Some(false), Mode::Remove),
            (None, Some(true), Mode::DryRun),
            (Some("true"), None, Mode::DryRun),
            (Some("true"), Some(false), Mode::DryRun),
            (Some("false"), None, Mode::Remove),
            (Some("false"), Some(true), Mode::DryRun),
        ] {
            let settings: Vec<_> = set
                .map(|value| ("PURGE_DRY_RUN", value))
                .into_iter()
                .collect();
            let request = request(&settings, json!({ "dry_run": asked })).unwrap();
            assert_eq!(request.mode, mode, "{set:?} {asked:?}");
        }
    }

    #[test]
    fn budgets_only_shrink() {
        let set = [
            ("PURGE_MAX_DELETES", "100"),
            ("PURGE_MAX_DELETE_FRACTION", "0.5"),
        ];
        for (asked, max_deletes, fraction) in [
            (json!({}), 100, 0.5),
            (
                json!({"max_deletes": 1000, "max_delete_fraction": 1.0}),
                100,
                0.5,
            ),
            (
                json!({"max_deletes": 10, "max_delete_fraction": 0.1}),
                10,
                0.1,
            ),
        ] {
            let budget = request(&set, asked).unwrap().budget;
            assert_eq!(budget.max_deletes, Some(max_deletes));
            assert!((budget.max_delete_fraction - fraction).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn no_age_below_the_floor_can_be_asked_for_and_the_floor_only_rises() {
        let set = [("PURGE_MIN_AGE_DAYS", "7")];
        for (asked, ok) in [
            (json!({"max_age_days": 6.9}), false),
            (json!({"max_age_days": 7}), true),
            (json!({"min_age_days": 1, "max_age_days": 8}), false),
            (json!({"min_age_days": 8, "max_age_days": 8}), true),
            (json!({"min_age_days": 9, "max_age_days": 8}), false),
            (json!({"min_age_days": 31}), false),
        ] {
            assert_eq!(request(&set, asked.clone()).is_ok(), ok, "{asked}");
        }
    }

    #[test]
    fn no_cap_on_empty_directories_is_zero() {
        let asked = json!({"remove_empty_dirs": true, "max_empty_dirs": 0});
        assert_eq!(request(&[], asked).unwrap().empty_dirs_max, Some(u64::MAX));
        assert_eq!(
            request(&[], json!({"max_empty_dirs": 5}))
                .unwrap()
                .empty_dirs_max,
            None
        );
    }

    #[test]
    fn the_hash_follows_what_decides_and_nothing_else() {
        let hash = |asked| request(&[], asked).unwrap().options_hash;
        let base = hash(json!({}));
        for same in [
            json!({"concurrency": 1}),
            json!({"resume": "x"}),
            json!({"max_age_days": 30}),
        ] {
            assert_eq!(hash(same.clone()), base, "{same}");
        }
        for other in [
            json!({"max_age_days": 31}),
            json!({"age_by": "mtime"}),
            json!({"dry_run": false}),
            json!({"include": ["a"]}),
            json!({"exclude": ["a"]}),
            json!({"remove_empty_dirs": true}),
            json!({"max_deletes": 1}),
            json!({"max_delete_fraction": 0.5}),
        ] {
            assert_ne!(hash(other.clone()), base, "{other}");
        }
    }
}
