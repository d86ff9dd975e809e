//! `sluice purge` and `sluice count`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// The actions.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --local the function STACK-purge does it, on the file system that it has mounted and within its own settings; with \
--local this process does, on a path of this machine.

Examples:
  sluice purge plan --max-age-days 30
  sluice purge run --max-age-days 30 --max-delete-fraction 0.2
  sluice purge run --max-age-days 30 --workers 8
  sluice purge plan --local /data/scratch --max-age-days 7")]
pub(crate) struct Purge {
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// Whether anything goes.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Say what would go; nothing does.
    Plan(Plan),
    /// Remove it.
    Run(Run),
}

/// A dry run.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 0: everything was looked at. 3: something could not be, or a budget would be passed.

Examples:
  sluice purge plan --max-age-days 30
  sluice purge plan --local /data/scratch --exclude 'keep/**' --output json | jq .files_to_purge")]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) options: Options,
}

/// The real thing.
#[derive(Debug, Args)]
#[command(after_help = "\
Goes on until everything was visited, by as many invocations as that takes. With --local it is asked for confirmation; the \
root is taken for 15 minutes at a time, so a run that is interrupted keeps others away for that long at most.

Exit code 0: everything that was due is gone. 3: refused by a budget or by the function's settings, not confirmed, somebody \
else is at this root, or something could not be removed.

Examples:
  sluice purge run --max-age-days 30 --max-deletes 100000
  sluice purge run --local /data/scratch --max-age-days 7 --yes --audit")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) options: Options,
    /// Do not ask before files of this machine are removed.
    #[arg(long, requires = "local")]
    pub(crate) yes: bool,
    /// Write down every removal below ROOT/.sluice/audit/ before it is made.
    #[arg(long, requires = "local")]
    pub(crate) audit: bool,
}

/// What is purged.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is purged")]
pub(crate) struct Options {
    /// Purge this directory here, in this process.
    #[arg(long, value_name = "ROOT", conflicts_with_all = ["root", "workers"])]
    pub(crate) local: Option<PathBuf>,
    /// A directory at or below the function's root; default: all of it.
    #[arg(long, value_name = "PATH")]
    pub(crate) root: Option<PathBuf>,
    /// Files older than this go, days; default 30, or the function's setting.
    #[arg(long, value_name = "DAYS")]
    pub(crate) max_age_days: Option<f64>,
    /// No age below this is accepted, days; default 1. A function's setting can only be raised.
    #[arg(long, value_name = "DAYS")]
    pub(crate) min_age_days: Option<f64>,
    /// Which time is a file's age: the newest of modification and change, or the modification alone.
    #[arg(long, value_enum, value_name = "TIME")]
    pub(crate) age_by: Option<AgeBy>,
    /// Only paths that match; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// No paths that match; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Directories that are empty then, and old, go as well.
    #[arg(long)]
    pub(crate) remove_empty_dirs: bool,
    /// So many of them at most, 0 = any number; default 500.
    #[arg(long, value_name = "N", requires = "remove_empty_dirs")]
    pub(crate) max_empty_dirs: Option<u64>,
    /// Budget: nothing goes if more files than this would.
    #[arg(long, value_name = "N")]
    pub(crate) max_deletes: Option<u64>,
    /// Budget: nothing goes if a larger part of all files than this would, 0 to 1.
    #[arg(long, value_name = "PART")]
    pub(crate) max_delete_fraction: Option<f64>,
    /// Calls in flight at most, 1 to 256; default 64.
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<u64>,
    /// Above this memory fewer calls are made, MB.
    #[arg(long, value_name = "MB")]
    pub(crate) memory_limit_mb: Option<u64>,
    /// Share the work among so many invocations, by the state machine STACK-purge; 1 to 1000.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) workers: Option<u64>,
}

/// Which time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AgeBy {
    /// The newest of modification and change.
    Newest,
    /// The modification.
    Mtime,
}

impl AgeBy {
    /// Its name in a payload.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Mtime => "mtime",
        }
    }
}

/// What is counted.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --local the function STACK-count does it, by as many invocations as it takes. Exit code 3: something could not be \
read, so the numbers are too low.

Examples:
  sluice count
  sluice count --local /data/scratch
  sluice count --local . --output json | jq .files")]
pub(crate) struct Count {
    /// Count this directory here, in this process.
    #[arg(long, value_name = "ROOT", conflicts_with = "root")]
    pub(crate) local: Option<PathBuf>,
    /// A directory at or below the function's root; default: all of it.
    #[arg(long, value_name = "PATH")]
    pub(crate) root: Option<PathBuf>,
    /// Calls in flight at most, 1 to 256; default 64.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) concurrency: Option<u64>,
}
