//! What can be asked, and how it is explained.

pub(crate) mod backfill;
pub(crate) mod dlq;
pub(crate) mod key;
pub(crate) mod tree;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use self::backfill::Backfill;
use self::dlq::Dlq;
use self::key::Key;
use self::tree::{Count, Purge};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: a service or the network refused, or an answer made no sense
  2  wrong usage: an option, a payload or a setting that cannot be
  3  refused or not completed: over a budget, not confirmed, somebody else is at it, something is left
  4  not found: no such job, queue, function, state machine or directory
  5  no access: credentials are missing or expired, or a right is
  130  interrupted while it watched; what was watched goes on

AWS settings are the SDK's: AWS_PROFILE, AWS_REGION, ~/.aws/config (IAM Identity Center and credential_process included), \
instance and container roles. AWS_ENDPOINT_URL points all of it at a local cloud, AWS_CA_BUNDLE says whose certificates it trusts.

Examples:
  sluice key photos/2024/a.json          where an uploader puts it
  sluice backfill start --watch          compress what is in the bucket already
  sluice dlq list --reason access_denied what could not be compressed, and why
  sluice purge plan --local /data/scratch --max-age-days 30";

/// Operates a Sluice stack: back-fills, dead letters, old files, counts, keys.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, max_term_width = 120, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const GLOBAL: &str = "Options of every command";

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The stack whose queues, functions and state machines are meant.
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        value_name = "NAME",
        env = "SLUICE_STACK",
        hide_env_values = true,
        default_value = "sluice",
        value_parser = clap::builder::NonEmptyStringValueParser::new()
    )]
    pub(crate) stack: String,
    /// For people or for programs: one JSON document, or one per line, on standard output; words go to standard error.
    #[arg(
        long,
        global = true,
        help_heading = GLOBAL,
        value_enum,
        value_name = "text|json",
        hide_possible_values = true,
        default_value_t = Format::Text
    )]
    pub(crate) output: Format,
}

/// For whom it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compress what is in the bucket already.
    Backfill(Backfill),
    /// Look at what could not be compressed, and send it back to work.
    Dlq(Dlq),
    /// Remove old files: `plan` says what would go, `run` removes it.
    Purge(Purge),
    /// Count files, directories, links and special files below a root.
    Count(Count),
    /// Say under which key an uploader should store an object.
    Key(Key),
    /// Print a completion script for a shell.
    Completions(Completions),
}

/// Which shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice completions bash > /etc/bash_completion.d/sluice
  sluice completions zsh > \"${fpath[1]}/_sluice\"
  sluice completions fish > ~/.config/fish/completions/sluice.fish")]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}
