//! `engine`: the purge engine alone, with the two switches that no payload reaches, for measurements only.
//!
//! `engine [--concurrency N] [--fixed] [--no-recheck] [--include GLOB]… ROOT` prints what it did as one line of JSON.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use purge::empty_dirs::EmptyDirs;
use purge::patterns::Patterns;
use purge::retention::{AgeBy, Retention};
use purge::sweep::{Mode, Purge, Recheck};
use serde_json::json;
use shared::walk::{End, Kernel, Options, Root, Walk, run};

const MAX_AGE_DAYS: f64 = 30.0;

fn main() -> ExitCode {
    match purge() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "engine: {error}");
            ExitCode::FAILURE
        }
    }
}

fn purge() -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    let mut recheck = Recheck::Forced;
    let (mut include, mut root) = (Vec::new(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--concurrency" => {
                options.concurrency = arguments.next().unwrap_or_default().parse()?;
            }
            "--fixed" => options.adaptive = false,
            "--no-recheck" => recheck = Recheck::Skipped,
            "--include" => include.extend(arguments.next()),
            _ => root = Some(argument),
        }
    }
    let root =
        root.ok_or("engine [--concurrency N] [--fixed] [--no-recheck] [--include GLOB]… ROOT")?;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let began_at_ms = u64::try_from(since.as_millis())?;
    let retention = Retention::new(AgeBy::Newest, MAX_AGE_DAYS, began_at_ms);
    let sweep = Purge::new(
        retention,
        Patterns::new(&include, &[])?,
        Mode::Remove,
        EmptyDirs::Stay,
    );
    let kernel = Kernel::default();
    let walk = Walk {
        root: Root::open(&kernel, Path::new(&root))?,
        kernel,
        sweep: Arc::new(sweep.rechecked(recheck)),
        job: "bench".to_owned(),
        began_at_ms,
        resume: None,
        options,
    };
    let outcome = run(walk, |_| {})?;
    let totals = &outcome.snapshot.totals;
    let line = json!({
        "complete": outcome.end == End::Complete && totals.errors == 0,
        "files_purged": totals.tally.files_purged,
        "files_to_purge": totals.tally.files_to_purge,
        "duration_seconds": outcome.snapshot.elapsed.as_secs_f64(),
        "concurrency_peak": outcome.snapshot.concurrency_peak,
    });
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}
