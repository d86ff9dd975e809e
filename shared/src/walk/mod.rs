//! A walk over a file tree that is bound by the file system alone: many directories at once, one worker to each.
//!
//! A worker owns a directory: it streams the entries, and whatever a [`Sweep`] does to a file happens in place, because
//! the kernel lets one removal run per directory and client. Parallelism is across directories. What waits is bounded:
//! directories by [`Options::frontier_max`] (a reader stands aside above it), descriptors by
//! [`Options::descriptors_max`], calls in flight by [`Options::concurrency`] and below that by what the server bears.
//!
//! Nothing is looked up by path. The root is opened once; every step down is one name, resolved beneath its parent, no
//! link followed, no other mount entered. A directory named `.sluice` belongs to us and is never visited.
//!
//! A walk that must end before it is done says what is left as a [`Token`]: directories not begun, directories begun
//! and not finished (their entries are read again from the first, their counts start at zero, the children they have
//! handed on are remembered), and their parents. A token and an uninterrupted walk come to the same counts.
//!
//! Threads are plain and block: asynchronous file calls would cost several times as much. The one who calls [`run`]
//! waits, watches the deadline, and never joins a thread, for a call that hangs cannot be cancelled.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use rustix::io::Errno;

mod controller;
mod core;
mod dir;
mod engine;
mod frontier;
mod gate;
mod kernel;
mod listing;
mod memory;
mod own;
mod place;
mod plan;
mod report;
mod resume;
mod root;
mod scope;
mod seal;
mod settle;
mod sweep;
mod token;
mod watch;
mod worker;

pub use self::controller::{Controller, Gauge, Window};
pub use self::engine::{Options, Outcome, Walk, WalkError, run};
pub use self::kernel::{Attributes, Call, Freshness, Interference, Kernel, Kind, Stamp};
pub use self::own::{OwnFolder, TOKEN_BYTES_MAX, TOKENS};
pub use self::plan::{Plan, PlanLimits, Removable, plan};
pub use self::report::{
    End, PROGRESS_EVERY, SAMPLES_MAX, Sample, Snapshot, Tally, Totals, progress_lines,
};
pub use self::root::{Root, RootError};
pub use self::scope::{Scope, Shards};
pub use self::seal::{checksum, seal, unseal};
pub use self::sweep::{Entry, Left, Pinned, Removal, Sweep, Visit};
pub use self::token::{Token, TokenError};
pub use self::watch::Progress;

/// A panic while a lock was held leaves counts of one directory behind at worst, and is reported as its error.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
