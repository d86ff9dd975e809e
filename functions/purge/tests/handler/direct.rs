//! The sweep without the function around it: on any kernel, and at any time of the day.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use purge::empty_dirs::EmptyDirs;
use purge::patterns::Patterns;
use purge::retention::{AgeBy, Retention};
use purge::sweep::{Mode, Purge};
use purge::tally::Counts;
use shared::walk::{Kernel, Options, Outcome, Root, Sweep, Walk, run};
use tempfile::TempDir;

/// A directory in memory where there is a place for it: no disk is tested here.
pub(crate) fn quick_tempdir() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Removes what is older than `days` at `now`, by its newest time, and empty directories if asked to.
pub(crate) fn purge(now: SystemTime, days: f64, empty_dirs: bool) -> Purge {
    let retention = Retention::new(AgeBy::Newest, days, epoch_ms(now));
    let patterns = Patterns::new(&[], &[]).unwrap();
    let max = empty_dirs.then_some(u64::MAX);
    Purge::new(retention, patterns, Mode::Remove, EmptyDirs::at_most(max))
}

pub(crate) fn walk<S: Sweep>(root: &Path, kernel: Kernel, sweep: S, options: Options) -> Walk<S> {
    Walk {
        root: Root::open(&Kernel::default(), root).unwrap(),
        kernel,
        sweep: Arc::new(sweep),
        job: "direct".to_owned(),
        began_at_ms: 0,
        resume: None,
        options,
    }
}

/// Everything goes: it is an hour from now.
pub(crate) fn sweep_all(root: &Path, kernel: Kernel, options: Options) -> Outcome<Counts> {
    let everything = purge(SystemTime::now() + Duration::from_hours(1), 0.0, true);
    run(walk(root, kernel, everything, options), |_| {}).unwrap()
}

/// A moment after all that was done in `directory` and before all that will be, by the file system's own clock.
pub(crate) fn now_by(directory: &Path) -> SystemTime {
    let stamp = || {
        let probe = directory.join("probe");
        fs::write(&probe, "").unwrap();
        let modified = probe.metadata().unwrap().modified().unwrap();
        fs::remove_file(probe).unwrap();
        modified
    };
    let moment = UNIX_EPOCH + Duration::from_millis(epoch_ms(stamp()) + 1);
    while stamp() <= moment {
        std::hint::spin_loop();
    }
    moment
}

fn epoch_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
