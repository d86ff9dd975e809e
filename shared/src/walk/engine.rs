//! Starts the workers, watches them, and says what came of it.

use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::controller::Controller;
use super::core::Core;
use super::dir::{self, Dir, Handle};
use super::frontier::Frontier;
use super::gate::Gate;
use super::kernel::Kernel;
use super::report::{End, Snapshot, Totals};
use super::root::Root;
use super::scope::Scope;
use super::sweep::Sweep;
use super::token::{Token, TokenError};
use super::worker::{Shared, State};
use super::{lock, memory, resume};

/// How often the limit is adapted and the deadline looked at.
const TICK: Duration = Duration::from_millis(50);

/// Ticks between two looks at the memory in use.
const TICKS_PER_MEMORY_LOOK: u32 = 5;

/// Least time before the deadline in which nothing new is begun; a tail of slow calls makes it longer.
const MARGIN_MIN: Duration = Duration::from_secs(5);
const MARGIN_CALLS: u32 = 20;

/// What is left of it for the answer when calls do not come back.
const ANSWER: Duration = Duration::from_secs(1);

/// Stack of a worker, bytes. It holds no names and no entries.
const STACK_BYTES: usize = 128 * 1024;

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
    let root = Handle::new(root.into_fd(), &core.open);
    let (ready, totals) = if let Some(token) = resume {
        (resume::directories(&root, token.nodes)?, token.totals)
    } else {
        let root = Dir::root(root, Scope::Everything, dir::Progress::unlisted());
        (vec![root], Totals::default())
    };
    let shared = Arc::new(shared(core, sweep, &options, ready, totals));
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
        gate: Gate::new(Controller::new(options.concurrency).limit()),
        open: Arc::new(AtomicUsize::new(0)),
        kept_open_max: options
            .descriptors_max
            .min(DESCRIPTORS_MAX.saturating_sub(for_workers)),
        retry_delay: options.retry_delay,
    }
}

fn shared<S: Sweep>(
    core: Core,
    sweep: Arc<S>,
    options: &Options,
    ready: Vec<Arc<Dir>>,
    totals: Totals<S::Tally>,
) -> Shared<S> {
    let mut frontier = Frontier::new(options.frontier_max, core.kept_open_max / 2);
    frontier.extend(ready.into_iter().rev());
    Shared {
        core,
        sweep,
        buffer_bytes: options.buffer_bytes,
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

/// How far a walk is, for who wants to know.
pub struct Progress<'a, S: Sweep> {
    watch: &'a Watch<S>,
}

impl<S: Sweep> Progress<'_, S> {
    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.watch.began.elapsed()
    }

    /// Everything.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<S::Tally> {
        self.watch.snapshot()
    }
}

struct Watch<S: Sweep> {
    shared: Arc<Shared<S>>,
    began: Instant,
    answer_within: Option<Duration>,
    stall_after: Duration,
    memory_limit_bytes: u64,
    controller: Controller,
    peak_memory_bytes: u64,
    memory_backpressure_events: u64,
    completed: u64,
    completed_at: Instant,
}

impl<S: Sweep> Watch<S> {
    fn new(shared: Arc<Shared<S>>, began: Instant, options: &Options) -> Self {
        Self {
            shared,
            began,
            answer_within: options.answer_within,
            stall_after: options.stall_after,
            memory_limit_bytes: options.memory_limit_bytes.unwrap_or(u64::MAX),
            controller: Controller::new(options.concurrency),
            peak_memory_bytes: 0,
            memory_backpressure_events: 0,
            completed: 0,
            completed_at: began,
        }
    }

    fn until_the_end(
        mut self,
        mut progress: impl FnMut(&Progress<'_, S>),
    ) -> (End, Snapshot<S::Tally>, Vec<super::token::Node>) {
        let mut stalled = false;
        for tick in 0_u32.. {
            if self.is_over(TICK) {
                break;
            }
            if tick.is_multiple_of(TICKS_PER_MEMORY_LOOK) {
                self.look_at_memory();
            }
            self.adapt();
            progress(&Progress { watch: &self });
            stalled = self.is_stalled();
            if stalled {
                self.stop();
                break;
            }
            if self.is_late() || self.shared.core.gate.is_closed() {
                self.stop();
                self.wait_for_workers();
                break;
            }
        }
        self.stop();
        self.look_at_memory();
        self.conclude(stalled)
    }

    /// Whether nobody does anything, and nobody will; waits for that.
    fn is_over(&self, timeout: Duration) -> bool {
        let state = lock(&self.shared.state);
        let closed = || self.shared.core.gate.is_closed();
        let works = |state: &mut State<S::Tally>| {
            state.active > 0 || !(state.frontier.is_empty() || closed())
        };
        let waited = self.shared.idle.wait_timeout_while(state, timeout, works);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn adapt(&mut self) {
        if let Some(window) = self.shared.core.gate.window() {
            self.controller.observe(window);
        }
        self.shared.core.gate.set_limit(self.controller.limit());
    }

    fn look_at_memory(&mut self) {
        let used = memory::resident_bytes().unwrap_or(0);
        self.peak_memory_bytes = self.peak_memory_bytes.max(used);
        if used > self.memory_limit_bytes {
            self.controller.relieve();
            self.memory_backpressure_events += 1;
        }
    }

    fn is_stalled(&mut self) -> bool {
        let gate = &self.shared.core.gate;
        if gate.completed() != self.completed || gate.in_flight() == 0 {
            self.completed = gate.completed();
            self.completed_at = Instant::now();
        }
        self.completed_at.elapsed() >= self.stall_after
    }

    fn is_late(&self) -> bool {
        let margin = MARGIN_MIN.max(self.shared.core.gate.p99() * MARGIN_CALLS);
        self.remaining()
            .is_some_and(|remaining| remaining <= margin)
    }

    fn remaining(&self) -> Option<Duration> {
        self.answer_within
            .map(|within| within.saturating_sub(self.began.elapsed()))
    }

    fn stop(&self) {
        self.shared.core.gate.close();
        // Who is about to wait for work holds the lock.
        drop(lock(&self.shared.state));
        self.shared.work.notify_all();
    }

    /// Gives calls in flight the time to come back that there is, and no more.
    fn wait_for_workers(&self) {
        let grace = self
            .remaining()
            .map_or(self.stall_after, |left| left.saturating_sub(ANSWER));
        self.is_over(grace.min(self.stall_after));
    }

    /// What is done and what is left, at one moment: who comes back later changes neither.
    fn conclude(self, stalled: bool) -> (End, Snapshot<S::Tally>, Vec<super::token::Node>) {
        let state: MutexGuard<'_, State<S::Tally>> = lock(&self.shared.state);
        let running = state.running.iter().flatten();
        let parked = state.frontier.parked().iter().map(|reading| &reading.dir);
        let unfinished = running
            .chain(parked)
            .chain(&state.interrupted)
            .chain(state.frontier.ready());
        let nodes = resume::nodes(unfinished.map(Arc::clone));
        let snapshot = self.snapshot();
        drop(state);
        let end = match (nodes.is_empty(), stalled) {
            (true, _) => End::Complete,
            (false, true) => End::Stalled,
            (false, false) => End::Incomplete,
        };
        (end, snapshot, nodes)
    }

    fn snapshot(&self) -> Snapshot<S::Tally> {
        Snapshot {
            totals: lock(&self.shared.done).clone(),
            elapsed: self.began.elapsed(),
            concurrency_peak: self.shared.core.gate.peak(),
            memory_backpressure_events: self.memory_backpressure_events,
            peak_memory_bytes: self.peak_memory_bytes,
        }
    }
}
