//! `sluice dlq`.

use clap::{Args, Subcommand};

/// The actions.
#[derive(Debug, Args)]
#[command(after_help = "\
Reasons: too_large, access_denied, kms_denied, archived, bad_message, bad_key, output_conflict, wrong_bucket, and none for \
what the queue gave up after too many tries.

Examples:
  sluice dlq list
  sluice dlq replay --reason access_denied    once the role has the right
  sluice dlq redrive --rate 100               all of it, moved by SQS itself")]
pub(crate) struct Dlq {
    #[command(subcommand)]
    pub(crate) action: Action,
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
    #[arg(long)]
    pub(crate) reason: Option<String>,
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
    #[arg(long)]
    pub(crate) reason: Option<String>,
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
