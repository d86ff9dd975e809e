//! What an invocation is asked to do: a sweep, or a step of one that many invocations share.

use std::path::PathBuf;

use serde_json::Value;
use shared::payload::{Fields, PayloadError, bad_field};

use crate::config::Config;
use crate::plan_file::{Pass, UnitRange, WORKERS_MAX, is_plan_name};
use crate::request::Request;

/// All that can be asked for.
#[derive(Clone, Debug)]
pub enum Task {
    /// No `action`, or `sweep`.
    Sweep(Request),
    /// `plan`: cut the tree into units.
    Plan {
        /// What will be done with them.
        request: Request,
        /// `workers`: how many will share it, 1 to 1,000.
        workers: usize,
    },
    /// One of the others: a step of a plan.
    Step(PlanAt, Step),
}

/// Where a plan is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanAt {
    /// `root`: as it was planned.
    pub root: PathBuf,
    /// `plan`: its name.
    pub name: String,
}

/// What can be done with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `range`: a part of it.
    Range {
        /// `range`: `{"from", "to"}`.
        range: UnitRange,
        /// `pass`: `count` or `sweep`.
        pass: Pass,
        /// `resume`: the token of an earlier answer.
        resume: Option<String>,
    },
    /// `check`: whether all that was counted is within the budget.
    Check,
    /// `finish`: directories that became empty go, and everything is added up.
    Finish {
        /// `resume`: the token of an earlier answer.
        resume: Option<String>,
    },
}

impl Task {
    /// Reads a payload by its `action`.
    pub fn parse(payload: Value, config: &Config) -> Result<Self, PayloadError> {
        let mut fields = Fields::new(payload)?;
        let action = fields.text("action")?;
        match action.as_deref().unwrap_or("sweep") {
            "sweep" => Ok(Self::Sweep(Request::read(fields, config)?)),
            "plan" => plan(fields, config),
            "range" => step(fields, config, range),
            "check" => step(fields, config, |_| Ok(Step::Check)),
            "finish" => step(fields, config, |fields| {
                let resume = fields.text("resume")?;
                Ok(Step::Finish { resume })
            }),
            other => Err(bad_field(
                "action",
                other,
                "sweep, plan, range, check, finish",
            )),
        }
    }
}

fn plan(mut fields: Fields, config: &Config) -> Result<Task, PayloadError> {
    let workers = fields.whole("workers", 1..=WORKERS_MAX)?;
    let workers = workers.and_then(|workers| usize::try_from(workers).ok());
    let workers = workers.ok_or_else(|| bad_field("workers", Value::Null, "1 to 1000"))?;
    let request = Request::read(fields, config)?;
    match request.resume {
        Some(token) => Err(bad_field(
            "resume",
            token,
            "nothing: a plan is made at once",
        )),
        None => Ok(Task::Plan { request, workers }),
    }
}

fn step(
    mut fields: Fields,
    config: &Config,
    read: impl Fn(&mut Fields) -> Result<Step, PayloadError>,
) -> Result<Task, PayloadError> {
    let root = fields.text("root")?;
    let name = fields.text("plan")?.unwrap_or_default();
    if !is_plan_name(&name) {
        return Err(bad_field("plan", name, "the name that a plan was given"));
    }
    let step = read(&mut fields)?;
    fields.finish()?;
    let root = root.map_or_else(|| config.bounds.root.clone(), PathBuf::from);
    Ok(Task::Step(PlanAt { root, name }, step))
}

fn range(fields: &mut Fields) -> Result<Step, PayloadError> {
    let pass = fields.text("pass")?.unwrap_or_else(|| "sweep".to_owned());
    let known = Pass::ALL.iter().find(|(name, _)| *name == pass);
    let (_, pass) = known.ok_or_else(|| bad_field("pass", pass, "count, sweep"))?;
    let allowed = "{\"from\": unit, \"to\": unit after the last}, as the plan says";
    let range = fields.value("range", allowed, |value| {
        let bound = |name| usize::try_from(value.get(name)?.as_u64()?).ok();
        Some(UnitRange {
            from: bound("from")?,
            to: bound("to")?,
        })
    })?;
    Ok(Step::Range {
        range: range.ok_or_else(|| bad_field("range", Value::Null, allowed))?,
        pass: *pass,
        resume: fields.text("resume")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(payload: Value) -> Result<Task, PayloadError> {
        let config = Config::parse(|name| (name == "PURGE_ROOT").then(|| "/mnt/data".to_owned()));
        Task::parse(payload, &config.unwrap())
    }

    #[test]
    fn without_an_action_it_is_a_sweep() {
        for payload in [json!({}), json!({"action": "sweep"}), Value::Null] {
            assert!(matches!(parse(payload), Ok(Task::Sweep(_))));
        }
    }

    #[test]
    fn a_range_says_what_of_which_plan() {
        let payload = json!({
            "action": "range", "root": "/mnt/data/x", "plan": "1-a", "range": {"from": 3, "to": 9},
            "pass": "count", "resume": null,
        });
        let Ok(Task::Step(at, step)) = parse(payload) else {
            panic!("no step");
        };
        assert_eq!((at.root, at.name.as_str()), ("/mnt/data/x".into(), "1-a"));
        let expected = Step::Range {
            range: UnitRange { from: 3, to: 9 },
            pass: Pass::Count,
            resume: None,
        };
        assert_eq!(step, expected);
    }

    #[test]
    fn mistakes_name_their_field() {
        for (payload, field) in [
            (json!({"action": "swep"}), "action"),
            (json!({"action": "plan"}), "workers"),
            (json!({"action": "plan", "workers": 0}), "workers"),
            (json!({"action": "plan", "workers": 1001}), "workers"),
            (
                json!({"action": "plan", "workers": 1, "resume": "x"}),
                "resume",
            ),
            (json!({"action": "plan", "workers": 1, "plan": "a"}), "plan"),
            (json!({"workers": 8}), "workers"),
            (json!({"action": "check"}), "plan"),
            (json!({"action": "check", "plan": "../x"}), "plan"),
            (
                json!({"action": "check", "plan": "a", "dry_run": false}),
                "dry_run",
            ),
            (json!({"action": "range", "plan": "a"}), "range"),
            (
                json!({"action": "range", "plan": "a", "range": {"from": 0}}),
                "range",
            ),
            (
                json!({"action": "range", "plan": "a", "range": [0, 1]}),
                "range",
            ),
            (
                json!({"action": "range", "plan": "a", "range": {"from": 0, "to": 1}, "pass": "x"}),
                "pass",
            ),
        ] {
            let error = parse(payload.clone()).unwrap_err().to_string();
            assert!(
                error.contains(&format!("field {field}")),
                "{payload}: {error}"
            );
        }
    }
}
