//! The services, in a process of their own: the listing, and the fakes of the tests for table and queue.
//!
//! It prints a line when it is ready; then `reset` on standard input sets what it counts to zero, `report` prints it, and the
//! end of standard input ends it.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::s3_event::{Notice, parse};
use tests::fake_aws::{FakeAws, Fault, Operation};

use crate::clock;
use crate::endpoint::{Endpoint, THREAD};
use crate::failed::Failed;
use crate::keys::{Keys, Renderer};
use crate::spec::Spec;

pub(crate) const BUCKET: &str = "bucket";
pub(crate) const TABLE: &str = "jobs";
/// The job that is measured, and the one before it that wakes every process up.
pub(crate) const JOB: &str = "measured";
pub(crate) const WARM_UP: &str = "warm-up";

const QUEUE: &str = "compress";
/// What the thread of the tests' fake is called.
const FAKE_THREAD: &str = "fake-aws";

/// Where the services are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// Of the listing.
    pub(crate) list: String,
    /// Of everything else.
    pub(crate) aws: String,
    /// Of the queue.
    pub(crate) queue: String,
}

/// What the services saw since the last `reset`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Pages listed.
    pub(crate) pages: u64,
    /// Writes of one item: checkpoints.
    pub(crate) checkpoints: usize,
    /// Calls of the queue.
    pub(crate) sends: usize,
    /// Calls of the queue in flight at most.
    pub(crate) sends_in_flight: usize,
    /// Messages in the queue, and different keys among them.
    pub(crate) messages: u64,
    pub(crate) distinct_keys: u64,
    /// Messages about anything else.
    pub(crate) strange_messages: u64,
    /// CPU time of the listing and of the fake, seconds.
    pub(crate) list_cpu_s: f64,
    pub(crate) fake_cpu_s: f64,
    /// The job's record.
    pub(crate) record: Value,
}

/// Serves until standard input ends.
pub(crate) fn serve(spec: &Spec) -> Result<(), Failed> {
    let keys = Keys::new(spec);
    let renderer = Renderer::new(keys.clone(), BUCKET);
    let list = Endpoint::start(renderer, Duration::from_micros(spec.page_us))?;
    let fake = FakeAws::start();
    fake.keep_no_requests();
    fake.tables(|tables| tables.create(TABLE, "job_id", "item"));
    let queue = fake.queue_url(QUEUE);
    if spec.send_us > 0 {
        let late = Fault::on(Operation::SendMessageBatch).forever();
        fake.fault(late.delay(Duration::from_micros(spec.send_us)));
    }
    print(&Addresses {
        list: list.url(),
        aws: fake.endpoint(),
        queue,
    })?;
    let mut before = report(&list, &fake, &keys);
    for line in io::stdin().lines() {
        let now = report(&list, &fake, &keys);
        match line?.as_str() {
            "reset" => before = now,
            _ => print(&now.since(&before))?,
        }
    }
    Ok(())
}

fn print(line: &impl Serialize) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(line)?)?;
    Ok(out.flush()?)
}

/// Counts so far; the messages are those since the last time.
fn report(list: &Endpoint, fake: &FakeAws, keys: &Keys) -> Report {
    let pid = std::process::id();
    let (list_cpu_s, fake_cpu_s) = (
        clock::cpu_s(pid, Some(THREAD)),
        clock::cpu_s(pid, Some(FAKE_THREAD)),
    );
    let messages = fake.take_messages(QUEUE);
    let numbers: Vec<u64> = messages
        .iter()
        .filter_map(|message| match parse(&message.body).ok()?.pop()? {
            Ok(Notice::Created(object)) if object.bucket == BUCKET => keys.number(&object.key),
            _ => None,
        })
        .collect();
    let record = fake.tables(|tables| tables.item(TABLE, JOB, "job"));
    Report {
        pages: list.pages(),
        checkpoints: fake.count(Operation::UpdateItem),
        sends: fake.count(Operation::SendMessageBatch),
        sends_in_flight: fake.peak(Operation::SendMessageBatch),
        messages: messages.len() as u64,
        strange_messages: (messages.len() - numbers.len()) as u64,
        distinct_keys: numbers.into_iter().collect::<BTreeSet<_>>().len() as u64,
        list_cpu_s,
        fake_cpu_s,
        record: record.unwrap_or_default(),
    }
}

impl Report {
    fn since(self, before: &Self) -> Self {
        Self {
            pages: self.pages - before.pages,
            checkpoints: self.checkpoints - before.checkpoints,
            sends: self.sends - before.sends,
            list_cpu_s: self.list_cpu_s - before.list_cpu_s,
            fake_cpu_s: self.fake_cpu_s - before.fake_cpu_s,
            ..self
        }
    }
}
