//! What the state machine is started with. Pure.

use serde_json::{Map, Value, json};

use crate::args::backfill::Start;
use crate::names::{JobId, Partitions};

/// Only what was asked for: everything else is the function's to choose.
pub(super) fn start(args: &Start, job: &JobId) -> Value {
    let mut input = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            input.insert(name.to_owned(), value);
        }
    };
    set("action", Some(json!("start")));
    set("job_id", Some(json!(job.as_str())));
    set("prefix", args.prefix.as_ref().map(|text| json!(text)));
    set(
        "partitions",
        args.partitions.as_ref().map(Partitions::payload),
    );
    if let Some(at) = &args.inventory {
        set("mode", Some(json!("inventory")));
        set(
            "inventory",
            Some(json!({"bucket": at.bucket, "key": at.key})),
        );
    }
    set("workers", args.workers.map(Value::from));
    set("max_rate_per_second", args.max_rate.map(Value::from));
    set("dry_run", args.dry_run.then_some(json!(true)));
    set("resume", args.resume.then_some(json!(true)));
    set("settle_seconds", args.settle_seconds.map(Value::from));
    set("poll_seconds", args.poll_seconds.map(Value::from));
    Value::Object(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command, backfill::Action};
    use clap::Parser;

    fn input(line: &str) -> Value {
        let words = ["sluice", "backfill", "start"].into_iter();
        let cli = Cli::try_parse_from(words.chain(line.split_whitespace())).unwrap();
        let Command::Backfill(args) = cli.command else {
            panic!("not a back-fill");
        };
        let Action::Start(args) = args.action else {
            panic!("not a start");
        };
        start(&args, &"j".parse().unwrap())
    }

    #[test]
    fn nothing_asked_for_is_nothing_said() {
        assert_eq!(input(""), json!({"action": "start", "job_id": "j"}));
    }

    #[test]
    fn everything_asked_for_is_said() {
        let line = "--prefix incoming/x/ --partitions hash --workers 4 --max-rate 50 --dry-run \
                    --settle-seconds 10 --poll-seconds 5";
        let expected = json!({
            "action": "start", "job_id": "j", "prefix": "incoming/x/", "partitions": "hash", "workers": 4,
            "max_rate_per_second": 50, "dry_run": true, "settle_seconds": 10, "poll_seconds": 5,
        });
        assert_eq!(input(line), expected);
    }

    #[test]
    fn an_inventory_is_a_mode_of_its_own() {
        let expected = json!({
            "action": "start", "job_id": "j", "mode": "inventory",
            "inventory": {"bucket": "b", "key": "x/manifest.json"},
        });
        assert_eq!(input("--inventory s3://b/x/manifest.json"), expected);
    }

    #[test]
    fn a_resumed_job_keeps_what_it_is_about() {
        let expected = json!({"action": "start", "job_id": "j", "resume": true, "workers": 2});
        assert_eq!(input("--job-id j --resume --workers 2"), expected);
    }
}
