//! The server: the tree, and the thread that answers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use crate::model::{KINDS, Kind};
use crate::schedule::{Call, Schedule};
use crate::tree::Tree;

/// What is done when a call is answered.
pub(crate) type Job = Box<dyn FnOnce(&mut Tree) + Send>;

/// What all mounts share.
pub(crate) struct Server {
    schedule: Mutex<Schedule<Job>>,
    sooner: Condvar,
    tree: Mutex<Tree>,
}

impl Server {
    pub(crate) fn new(tree: Tree, schedule: Schedule<Job>) -> Self {
        Self {
            schedule: Mutex::new(schedule),
            sooner: Condvar::new(),
            tree: Mutex::new(tree),
        }
    }

    /// Takes a call in and returns at once.
    pub(crate) fn admit(&self, client: usize, kind: Kind, directory: u64, job: Job) {
        let arrived = Instant::now();
        let call = Call {
            client,
            kind,
            directory,
            arrived,
            job,
        };
        if lock(&self.schedule).admit(call, arrived) {
            self.sooner.notify_one();
        }
    }

    /// Looks something up that costs nothing.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Tree) -> R) -> R {
        look(&lock(&self.tree))
    }

    /// Answers calls when they are due, for ever.
    pub(crate) fn answer(&self) -> ! {
        let mut schedule = lock(&self.schedule);
        loop {
            let now = Instant::now();
            if let Some(call) = schedule.pop(now) {
                drop(schedule);
                (call.job)(&mut lock(&self.tree));
                schedule = lock(&self.schedule);
                continue;
            }
            schedule = if let Some(at) = schedule.next_at() {
                let waited = self.sooner.wait_timeout(schedule, at - now);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                let waited = self.sooner.wait(schedule);
                waited.unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// What was seen since the last reset.
    pub(crate) fn counters(&self) -> Value {
        let counters = lock(&self.schedule).counters();
        let mut calls = json!({});
        let mut mean_ms = json!({});
        let mut server_calls = 0;
        for (name, kind) in KINDS {
            let count = counters.calls[kind as usize];
            calls[name] = json!(count);
            server_calls += if kind.is_call() { count } else { 0 };
            let took_ms = counters.took[kind as usize].as_secs_f64() * 1e3;
            let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            mean_ms[name] = json!(took_ms / count.max(1.0));
        }
        json!({
            "calls": calls,
            "server_calls": server_calls,
            "mean_ms": mean_ms,
            "in_flight_peak": counters.in_flight_peak,
            "unlinks_per_directory_peak": counters.unlinks_per_directory_peak,
        })
    }

    pub(crate) fn reset(&self) {
        lock(&self.schedule).reset();
    }
}

/// Starts the thread that answers.
pub(crate) fn start(server: &Arc<Server>) -> std::io::Result<()> {
    let server = Arc::clone(server);
    let answers = std::thread::Builder::new().name("answers".to_owned());
    answers.spawn(move || server.answer()).map(drop)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
