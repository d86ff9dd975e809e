//! `sluice purge`: what would go, and its removal.

mod words;

use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::args::tree::{Action, AgeBy, Options, Purge};
use crate::aws::Aws;
use crate::count::errors;
use crate::engine::{Engine, resolved};
use crate::error::{End, Error};
use crate::executions::{Machine, Standing};
use crate::names::{Stack, stamp};
use crate::progress::{Bar, follow_engine};
use crate::rounds::until_done;
use crate::show::{Show, note};

/// Between two looks at a state machine.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What was asked for.
#[derive(Debug)]
struct Asked {
    options: Options,
    removes: bool,
    yes: bool,
    audit: bool,
}

/// Does it, and prints the answer.
pub(crate) async fn run(args: Purge, stack: &Stack, show: Show) -> Result<End, Error> {
    let asked = match args.action {
        Action::Plan(plan) => Asked {
            options: plan.options,
            removes: false,
            yes: false,
            audit: false,
        },
        Action::Run(run) => Asked {
            options: run.options,
            removes: true,
            yes: run.yes,
            audit: run.audit,
        },
    };
    let answer = match (&asked.options.local, asked.options.workers) {
        (Some(_), _) => here(&asked, show).await?,
        (None, None) => by_function(&asked, stack, show).await?,
        (None, Some(workers)) => by_machine(&asked, workers, stack, show).await?,
    };
    show.document(&answer, || words::answer(&answer))?;
    errors(&answer, "not purged");
    let (end, reason) = verdict(&answer, asked.removes);
    if let Some(reason) = reason {
        note(&reason);
    }
    Ok(end)
}

async fn here(asked: &Asked, show: Show) -> Result<Value, Error> {
    let root = asked
        .options
        .local
        .as_deref()
        .unwrap_or_else(|| ".".as_ref());
    let root = resolved(root)?;
    let mut settings = Vec::new();
    if let Some(days) = asked.options.min_age_days {
        settings.push(("PURGE_MIN_AGE_DAYS", days.to_string()));
    }
    if let Some(days) = asked.options.max_age_days {
        settings.push(("PURGE_MAX_AGE_DAYS", days.to_string()));
    }
    if asked.audit {
        settings.push(("PURGE_AUDIT", "true".to_owned()));
    }
    // The engine looks at options and root before anybody is asked about them.
    let engine = Engine::purge(&root, &settings, show)?;
    if asked.removes && !asked.yes {
        confirm(&words::question(&root, &asked.options))?;
    }
    let bar = Bar::new(show, "looking for old files");
    follow_engine(show, &bar)?;
    let answer = until_done(&engine, &payload(asked), &bar).await;
    bar.end();
    answer
}

async fn by_function(asked: &Asked, stack: &Stack, show: Show) -> Result<Value, Error> {
    let engine = Engine::function(&Aws::load().await?, stack.purge());
    let bar = Bar::new(show, "the function looks for old files");
    let answer = until_done(&engine, &payload(asked), &bar).await;
    bar.end();
    answer
}

async fn by_machine(
    asked: &Asked,
    workers: u64,
    stack: &Stack,
    show: Show,
) -> Result<Value, Error> {
    let aws = Aws::load().await?;
    let machine = Machine::of(&aws, stack, &stack.purge()).await?;
    let mut input = payload(asked);
    input["action"] = json!("plan");
    input["workers"] = json!(workers);
    let name = format!(
        "sluice-{}-{}",
        stamp(OffsetDateTime::now_utc()),
        std::process::id()
    );
    let execution = machine.start(&name, &input).await?;
    note(&format!("execution {name}"));
    let bar = Bar::new(show, "the state machine looks for old files");
    let answer = loop {
        let (standing, _) = machine.look(&execution).await?;
        match &standing {
            Standing::Running => tokio::time::sleep(LOOK_EVERY).await,
            Standing::Succeeded(answer) => break answer.clone(),
            Standing::Ended { error, cause, .. } if error == "Purge.Refused" => {
                break json!({"status": "refused", "reason": cause, "dry_run": !asked.removes});
            }
            Standing::Ended { .. } => {
                let what = || "the state machine".to_owned();
                let failure = standing.failure(&execution);
                return Err(failure.unwrap_or_else(|| Error::NotUnderstood { what: what() }));
            }
        }
    };
    bar.end();
    Ok(answer)
}

/// Only what was asked for: the rest is the engine's to choose.
fn payload(asked: &Asked) -> Value {
    let options = &asked.options;
    let mut payload = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            payload.insert(name.to_owned(), value);
        }
    };
    set("dry_run", Some(json!(!asked.removes)));
    set("root", options.root.as_ref().map(|root| json!(root)));
    set("max_age_days", options.max_age_days.map(|days| json!(days)));
    set("min_age_days", options.min_age_days.map(|days| json!(days)));
    set("age_by", options.age_by.map(|age| json!(AgeBy::label(age))));
    let globs = |globs: &[String]| (!globs.is_empty()).then(|| json!(globs));
    set("include", globs(&options.include));
    set("exclude", globs(&options.exclude));
    set(
        "remove_empty_dirs",
        options.remove_empty_dirs.then_some(json!(true)),
    );
    set("max_empty_dirs", options.max_empty_dirs.map(Value::from));
    set("max_deletes", options.max_deletes.map(Value::from));
    set(
        "max_delete_fraction",
        options.max_delete_fraction.map(|part| json!(part)),
    );
    set("concurrency", options.concurrency.map(Value::from));
    set("memory_limit_mb", options.memory_limit_mb.map(Value::from));
    Value::Object(payload)
}

/// Asks on the terminal. Without one nobody can say yes.
fn confirm(question: &str) -> Result<(), Error> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
        let words = "nothing is removed: nobody is there to confirm it, and --yes was not given";
        return Err(Error::Refused(words.to_owned()));
    }
    let mut prompt = std::io::stderr().lock();
    let asked = std::io::Write::write_all(&mut prompt, format!("{question} [y/N] ").as_bytes());
    asked.map_err(Error::Terminal)?;
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.map_err(Error::Terminal)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::Refused(
            "nothing is removed: not confirmed".to_owned(),
        )),
    }
}

/// What an answer comes to, and why it is not all that was asked for.
fn verdict(answer: &Value, removes: bool) -> (End, Option<String>) {
    let reason = answer["reason"].as_str().map(str::to_owned);
    if answer["status"] != "complete" {
        let status = answer["status"].as_str().unwrap_or("not understood");
        let reason = reason.unwrap_or_else(|| "no reason is given".to_owned());
        return (End::NotCompleted, Some(format!("{status}: {reason}")));
    }
    if removes && answer["dry_run"] == true {
        let words = "nothing was removed: the function's settings allow dry runs only";
        return (End::NotCompleted, Some(words.to_owned()));
    }
    match answer["errors"].as_u64() {
        Some(0) => (End::Done, reason),
        _ => (End::NotCompleted, reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn asked(line: &str) -> Asked {
        let words = ["sluice", "purge", "run"].into_iter();
        let cli = Cli::try_parse_from(words.chain(line.split_whitespace())).unwrap();
        let Command::Purge(args) = cli.command else {
            panic!("not a purge");
        };
        let Action::Run(run) = args.action else {
            panic!("not a run");
        };
        Asked {
            options: run.options,
            removes: true,
            yes: false,
            audit: false,
        }
    }

    #[test]
    fn a_payload_says_what_was_asked_for_and_no_more() {
        assert_eq!(payload(&asked("")), json!({"dry_run": false}));
        let line = "--root /mnt/x --max-age-days 7 --age-by mtime --include a --include b --exclude c \
                    --remove-empty-dirs --max-empty-dirs 0 --max-deletes 5 --max-delete-fraction 0.5 --concurrency 8";
        let expected = json!({
            "dry_run": false, "root": "/mnt/x", "max_age_days": 7.0, "age_by": "mtime", "include": ["a", "b"],
            "exclude": ["c"], "remove_empty_dirs": true, "max_empty_dirs": 0, "max_deletes": 5,
            "max_delete_fraction": 0.5, "concurrency": 8,
        });
        assert_eq!(payload(&asked(line)), expected);
    }

    #[test]
    fn only_a_complete_answer_without_errors_is_done() {
        let complete = json!({"status": "complete", "errors": 0, "dry_run": false});
        assert_eq!(verdict(&complete, true), (End::Done, None));
        for answer in [
            json!({"status": "complete", "errors": 1, "dry_run": false}),
            json!({"status": "refused", "errors": 0, "reason": "budget"}),
            json!({"status": "incomplete", "errors": 0}),
            json!({}),
        ] {
            assert_eq!(verdict(&answer, true).0, End::NotCompleted, "{answer}");
        }
    }

    #[test]
    fn a_dry_run_is_no_removal() {
        let dry = json!({"status": "complete", "errors": 0, "dry_run": true});
        assert_eq!(verdict(&dry, false).0, End::Done);
        assert_eq!(verdict(&dry, true).0, End::NotCompleted);
    }
}
