//! `sluice dlq`.

use clap::{Args, Subcommand, ValueEnum};

/// The actions.
#[derive(Debug, Args)]
#[command(after_help = "\
Reasons are those of compress; none is for what the queue gave up after too many tries, or EventBridge could not deliver.

Examples:
  sluice dlq list
  sluice dlq replay --reason access_denied    once the role has the right
  sluice dlq redrive --rate 100               all of it, moved by SQS itself")]
pub(crate) struct Dlq {
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// Why a message is a dead letter, as compress says it. What each is for is not said to clap: a help text would get long of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Reason {
    // Above the function's limit.
    TooLarge,
    // A right is missing on source, output or bucket.
    AccessDenied,
    // A right is missing on a key.
    KmsDenied,
    // To be restored before anybody can read it.
    Archived,
    // No notification of an object.
    BadMessage,
    // The output's key would be too long.
    BadKey,
    // Another object has the output's key.
    OutputConflict,
    // Not the function's bucket, or none.
    WrongBucket,
    // None is said: the queue gave up after too many tries, or EventBridge could not deliver it.
    #[value(name = "none")]
    Unsaid,
}

impl Reason {
    /// In the message's attribute; nothing where there is none.
    pub(crate) const fn label(self) -> Option<&'static str> {
        match self {
            Self::TooLarge => Some("too_large"),
            Self::AccessDenied => Some("access_denied"),
            Self::KmsDenied => Some("kms_denied"),
            Self::Archived => Some("archived"),
            Self::BadMessage => Some("bad_message"),
            Self::BadKey => Some("bad_key"),
            Self::OutputConflict => Some("output_conflict"),
            Self::WrongBucket => Some("wrong_bucket"),
            Self::Unsaid => None,
        }
    }
}

/// What is done with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Print what is there and why; everything stays.
    List(List),
    /// Send messages back to work, one by one, and remove each when the queue has taken it.
    Replay(Replay),
    /// Let SQS move all of them back.
    Redrive(Redrive),
}

/// Which messages are printed.
#[derive(Debug, Args)]
#[command(after_help = "\
While they are read they are hidden from others, for 2 minutes at most; at the end they are given back. At most 50,000 are \
read: SQS gives out about 120,000 at a time to all who ask. If much was not seen, that is said, and the exit code is 3.

Examples:
  sluice dlq list --limit 20
  sluice dlq list --reason bad_key --output json | jq -r .key")]
pub(crate) struct List {
    /// Only those with this reason; none = those without.
    #[arg(long, value_enum)]
    pub(crate) reason: Option<Reason>,
    /// Messages that are printed at most, 1 to 50000.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=50_000))]
    pub(crate) limit: u64,
}

/// Which messages are sent back.
#[derive(Debug, Args)]
#[command(after_help = "\
What is sent is the body as it was and nothing else. A message of a back-fill stays in its group, so that live traffic \
keeps its place ahead of it. Nothing is removed before the queue has confirmed that it has it; if that removal fails, the \
object comes twice, which the compressor finds out. What fails again during the replay is left where it is.

What is not wanted is held until the end, at most 50,000 messages: then the replay ends and gives them back. If something \
could not be removed, failed again or was not seen, the exit code is 3; the answer says how much.

Examples:
  sluice dlq replay --reason access_denied --dry-run
  sluice dlq replay --limit 10")]
pub(crate) struct Replay {
    /// Only those with this reason; none = those without.
    #[arg(long, value_enum)]
    pub(crate) reason: Option<Reason>,
    /// Messages that are sent back at most; default: all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Count what would be sent back, send and remove nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How they are moved.
#[derive(Debug, Args)]
#[command(after_help = "\
SQS moves them on its side, attributes included. An endpoint that has no move tasks gets the same by \
receiving and sending, as replay does it; that is said.

Examples:
  sluice dlq redrive --dry-run
  sluice dlq redrive --rate 50")]
pub(crate) struct Redrive {
    /// Messages per second, 1 to 500; default: as SQS sees fit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=500))]
    pub(crate) rate: Option<i32>,
    /// Say how many there are, about, and move nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const README: &str = include_str!("../../../README.md");
    const COMPRESS: &str = include_str!("../../../functions/compress/src/error.rs");

    /// What is between `open` and `close` in a text, each time.
    fn between<'a>(text: &'a str, open: &str, close: char) -> BTreeSet<&'a str> {
        let after = text.split(open).skip(1);
        after.filter_map(|text| text.split(close).next()).collect()
    }

    #[test]
    fn the_reasons_are_those_of_the_readme_and_of_compress() {
        let ours: BTreeSet<_> = Reason::value_variants()
            .iter()
            .filter_map(|it| it.label())
            .collect();
        let (_, table) = README.split_once("| `reason` | What to do |").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        let firsts: Vec<_> = table
            .lines()
            .filter_map(|line| line.split('|').nth(1))
            .collect();
        let firsts = firsts.join(",").replace("`, `", "`,`");
        let named = firsts.split('`').skip(1).step_by(2);
        assert_eq!(ours, named.collect(), "README");
        let (_, reasons) = COMPRESS.split_once("fn reason(&self)").unwrap();
        let (reasons, _) = reasons.split_once("\n    }\n").unwrap();
        assert_eq!(ours, between(reasons, "Some(\"", '"'), "compress");
    }

    #[test]
    fn a_reason_is_asked_for_by_its_label() {
        for reason in Reason::value_variants() {
            let name = reason.to_possible_value().unwrap();
            assert_eq!(name.get_name(), reason.label().unwrap_or("none"));
        }
    }
}
