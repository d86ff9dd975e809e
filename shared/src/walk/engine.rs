//! Starts the workers, and says what came of it.

use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::controller::Controller;
use super::core::Core;
use super::dir::{self, Dir, Handle};
use super::frontier::Frontier;
use super::gate::Gate;
use super::kernel::Kernel;
use super::listing::FIRST_READ_BYTES;
use super::report::{End, Snapshot, Totals};
use super::resume;
use super::root::Root;
use super::scope::Scope;
use super::sweep::Sweep;
use super::token::{Token, TokenError};
use super::watch::{Progress, Watch};
use super::worker::{STACK_BYTES, Shared, State};

/// Descriptors that workers need for themselves, each: its directory, and two on the way to it.
const DESCRIPTORS_PER_WORKER: usize = 3;

/// Descriptors that the walk may have in all. Source: Lambda developer guide, "Quotas": 1,024 per environment.
const DESCRIPTORS_MAX: usize = 960;

/// The limits of a walk.
#[derive(Clone, Debug)]
pub struct Options {
    /// Calls in flight at most, and workers, 1 to 256.
    pub concurrency: usize,
    /// What entries are read into, per worker, bytes; at least one longest name.
    pub buffer_bytes: usize,
    /// Directories that wait before a reader stands aside.
    pub frontier_max: usize,
    /// Descriptors that stay open for the sake of children; less where workers need them.
    pub descriptors_max: usize,
    /// Time without any call coming back after which they are given up.
    pub stall_after: Duration,
    /// Mean wait before a call is tried again.
    pub retry_delay: Duration,
    /// Memory in use above which fewer calls are made, bytes.
    pub memory_limit_bytes: Option<u64>,
    /// Whether fewer calls are made when the server answers late. Only measurements turn it off.
    pub adaptive: bool,
    /// Time until the answer must have been given. With no more than five seconds nothing is begun.
    pub answer_within: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 64,
            buffer_bytes: 32 * 1024,
            frontier_max: 4_096,
            descriptors_max: 512,
            stall_after: Duration::from_secs(30),
            retry_delay: Duration::from_millis(20),
            memory_limit_bytes: None,
            adaptive: true,
            answer_within: None,
        }
    }
}

/// A walk that has not begun.
#[derive(Debug)]
pub struct Walk<S: Sweep> {
    /// Where.
    pub root: Root,
    /// Below everything.
    pub kernel: Kernel,
    /// What to do.
    pub sweep: Arc<S>,
    /// Which sweep with which options: a token of another one is refused.
    pub job: String,
    /// When the first run began, milliseconds since the Unix epoch.
    pub began_at_ms: u64,
    /// How far an earlier run came.
    pub resume: Option<Token<S::Tally>>,
    /// Limits.
    pub options: Options,
}

/// What came of a walk.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    /// How it ended.
    pub end: End,
    /// Everything, earlier runs included.
    pub snapshot: Snapshot<T>,
    /// What is left, unless it is complete.
    pub resume: Option<Token<T>>,
}

/// Why a walk could not begin.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The token is not for this walk.
    #[error("resume")]
    Token(#[from] TokenError),
    /// No thread could be started.
    #[error("start a worker")]
    Spawn(#[source] io::Error),
}

/// Walks until everything is visited, the time is up, or the sweep says stop.
///
/// Blocks. `progress` is called about twenty times a second, on this thread.
pub fn run<S: Sweep>(
    walk: Walk<S>,
    progress: impl FnMut(&Progress<'_, S>),
) -> Result<Outcome<S::Tally>, WalkError> {
    let began = Instant::now();
    let Walk {
        root,
        kernel,
        sweep,
        job,
        began_at_ms,
        resume,
        options,
    } = walk;
    let root_inode = root.inode();
    if let Some(token) = &resume {
        token.belongs_to(&job, root_inode)?;
    }
    let core = core(kernel, &options);
    let is_fuse = Kernel::is_fuse(root.as_fd());
    let root = Handle::new(root.into_fd(), &core.open);
    let (ready, totals) = if let Some(token) = resume {
        (resume::directories(&root, token.nodes)?, token.totals)
    } else {
        let root = Dir::root(root, Scope::Everything, dir::Progress::unlisted());
        (vec![root], Totals::default())
    };
    let shared = Arc::new(shared(core, sweep, &options, is_fuse, (ready, totals)));
    let watch = Watch::new(Arc::clone(&shared), began, &options);
    if watch.is_late() {
        shared.core.gate.close();
    }
    spawn(&shared, options.concurrency)?;
    let (end, snapshot, nodes) = watch.until_the_end(progress);
    let resume = (end != End::Complete).then(|| Token {
        job,
        root_inode,
        began_at_ms,
        totals: snapshot.totals.clone(),
        nodes,
    });
    Ok(Outcome {
        end,
        snapshot,
        resume,
    })
}

fn core(kernel: Kernel, options: &Options) -> Core {
    let for_workers = DESCRIPTORS_PER_WORKER * options.concurrency;
    Core {
        kernel,
        gate: Gate::new(
            Controller::new(options.concurrency)
                .learning(options.adaptive)
                .limit(),
        ),
        open: Arc::new(AtomicUsize::new(0)),
        kept_open_max: options
            .descriptors_max
            .min(DESCRIPTORS_MAX.saturating_sub(for_workers)),
        retry_delay: options.retry_delay,
        concurrency: options.concurrency,
    }
}

fn shared<S: Sweep>(
    core: Core,
    sweep: Arc<S>,
    options: &Options,
    is_fuse: bool,
    (ready, totals): (Vec<Arc<Dir>>, Totals<S::Tally>),
) -> Shared<S> {
    let mut frontier = Frontier::new(options.frontier_max, core.kept_open_max / 2);
    frontier.extend(ready.into_iter().rev());
    Shared {
        core,
        sweep,
        buffer_bytes: options.buffer_bytes,
        first_read_bytes: first_read_bytes(is_fuse, S::LOOKS_AT_ATTRIBUTES, options.buffer_bytes),
        state: Mutex::new(State {
            frontier,
            running: vec![None; options.concurrency],
            active: 0,
            interrupted: Vec::new(),
        }),
        work: Condvar::new(),
        idle: Condvar::new(),
        done: Mutex::new(totals),
    }
}

/// See [`FIRST_READ_BYTES`].
fn first_read_bytes(is_fuse: bool, looks_at_attributes: bool, buffer_bytes: usize) -> usize {
    if is_fuse && !looks_at_attributes {
        FIRST_READ_BYTES.min(buffer_bytes)
    } else {
        buffer_bytes
    }
}

/// Fewer workers than asked for are enough, none is an error. Nobody joins them.
fn spawn<S: Sweep>(shared: &Arc<Shared<S>>, workers: usize) -> Result<(), WalkError> {
    for worker in 0..workers {
        let ours = Arc::clone(shared);
        let spawned = std::thread::Builder::new()
            .name("walk".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || ours.work(worker));
        match spawned {
            Ok(_) => {}
            Err(_) if worker > 0 => break,
            Err(source) => return Err(WalkError::Spawn(source)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_on_fuse_and_only_who_wants_no_attributes_reads_a_page_first() {
        for (is_fuse, looks, buffer_bytes, first) in [
            (true, false, 32_768, 4_096),
            (true, false, 1_024, 1_024),
            (false, false, 32_768, 32_768),
            (true, true, 32_768, 32_768),
        ] {
            assert_eq!(first_read_bytes(is_fuse, looks, buffer_bytes), first);
        }
    }
}
