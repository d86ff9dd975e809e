//! `sluice backfill`.

use std::str::FromStr;

use clap::{Args, Subcommand};

use crate::names::{JobId, ObjectAt, Partitions};

/// The actions.
#[derive(Debug, Args)]
#[command(after_help = "\
A job lists the bucket (or reads an inventory) and puts every object into the queue of the compressor, behind live \
traffic; when the queue has worked through, it counts what is left over, and only then it is completed. Ctrl-C ends a --watch, \
exit code 130, and not the job.

Examples:
  sluice backfill start --dry-run --watch
  sluice backfill start --prefix incoming/2024/ --max-rate 500 --watch
  sluice backfill status backfill-20261121T2245Z-5f1c09 --watch
  sluice backfill start --job-id backfill-20261121T2245Z-5f1c09 --resume")]
pub(crate) struct Backfill {
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// What is done with a job.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Start a job, or go on with one that failed or was ended.
    Start(Start),
    /// Print how far a job is: one read, however many objects it has.
    Status(Status),
    /// End a job; what is in the queue already is still compressed.
    Abort(Abort),
    /// List again and count exactly what is left over; that decides whether the job is completed.
    Verify(Verify),
}

/// How a job is watched.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Watching {
    /// Stay until its end: a progress bar on a terminal, else a line of JSON for each change.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Time between two looks while watching, 0.1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = Seconds::from_str)]
    pub(crate) every: Seconds,
}

/// A time between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seconds(pub(crate) f64);

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = text.parse::<f64>().ok();
        let seconds = seconds.filter(|seconds| (0.1..=3_600.0).contains(seconds));
        seconds.map(Self).ok_or("seconds, 0.1 to 3600")
    }
}

/// Options of a new job.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice backfill start --watch
      everything below the source prefix, 16 children at a time
  sluice backfill start --partitions hash --workers 64 --max-rate 2000
      the 256 folders that partitioned uploads use, without a request to find them
  sluice backfill start --partitions incoming/2023/,incoming/2024/
      these two, nothing else
  sluice backfill start --inventory s3://lists/bucket/daily/2026-11-20T01-00Z/manifest.json
      what S3 Inventory listed; no LIST requests
  sluice backfill start --job-id nightly-7 --resume
      go on where the job stopped

It waits until the job is planned, 15 seconds at most; exit codes 1 to 5 say why it could not be. A name is free as long as it \
has no job. With --watch the exit code is 0 only if the job is completed, and 3 if it has ended otherwise.")]
pub(crate) struct Start {
    /// Name of the job, 1 to 80 of A-Z a-z 0-9 _ -; default: made from the time.
    #[arg(long, value_name = "ID", value_parser = JobId::from_str)]
    pub(crate) job_id: Option<JobId>,
    /// Only keys that begin so; within the function's `SOURCE_PREFIX`, which is the default.
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// How the work is divided: discover (default: about equal shares), hash (00/ to ff/), or prefixes.
    #[arg(long, value_name = "discover|hash|P1,P2…", value_parser = Partitions::from_str, conflicts_with = "inventory")]
    pub(crate) partitions: Option<Partitions>,
    /// Read this manifest of S3 Inventory instead of listing.
    #[arg(long, value_name = "s3://BUCKET/…/manifest.json", value_parser = ObjectAt::from_str)]
    pub(crate) inventory: Option<ObjectAt>,
    /// Children at a time, 1 to 1000; the function's default is 16.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) workers: Option<u64>,
    /// Objects per second that are put into the queue, all children together; default: as fast as they can.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) max_rate: Option<u64>,
    /// Count objects and bytes, enqueue nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go on with a job that exists, is not completed and does not run.
    #[arg(long, requires = "job_id", conflicts_with_all = ["prefix", "partitions", "inventory", "dry_run"])]
    pub(crate) resume: bool,
    /// How long nothing may change before the job is verified all the same; default 7200.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub(crate) settle_seconds: Option<u64>,
    /// Time between two looks of the state machine at the job; default 60.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) poll_seconds: Option<u64>,
    #[command(flatten)]
    pub(crate) watching: Watching,
}

/// Which job.
#[derive(Debug, Args)]
#[command(after_help = "\
Counts of a running job may lag behind a little; remaining and missing_outputs are those of the last verification. \
A job that is still being planned has the state planning and no counts; why one could not be planned is said. Without --watch \
the exit code says only whether the job could be read; with it, 0 is completed and 3 is not, also if no execution of the job \
runs any more.

Examples:
  sluice backfill status nightly-7
  sluice backfill status nightly-7 --watch
  sluice backfill status nightly-7 --output json | jq .state")]
pub(crate) struct Status {
    /// Its name.
    #[arg(value_name = "JOB", value_parser = JobId::from_str)]
    pub(crate) job: JobId,
    #[command(flatten)]
    pub(crate) watching: Watching,
}

/// Which job.
#[derive(Debug, Args)]
#[command(after_help = "\
The record is marked first; children that are under way stop when they tell it their counts the next time, within about 10 \
seconds. Then its executions are stopped, also those of a job that is still being planned and has no record yet. A \
job that was ended can be gone on with: sluice backfill start --job-id JOB --resume

Examples:
  sluice backfill abort nightly-7")]
pub(crate) struct Abort {
    /// Its name.
    #[arg(value_name = "JOB", value_parser = JobId::from_str)]
    pub(crate) job: JobId,
}

/// Which job.
#[derive(Debug, Args)]
#[command(after_help = "\
Waits for the result. Exit code 0: no source is left over and no output is missing. 3: something is, and the record \
says how much. A verification that fails itself has no result and prints none. A dry run has nothing to verify, and a job that \
was aborted is gone on with first: exit code 3.

Examples:
  sluice backfill verify nightly-7
  sluice backfill verify nightly-7 --output json | jq '.remaining, .missing_outputs'")]
pub(crate) struct Verify {
    /// Its name.
    #[arg(value_name = "JOB", value_parser = JobId::from_str)]
    pub(crate) job: JobId,
    #[command(flatten)]
    pub(crate) watching: Watching,
}
