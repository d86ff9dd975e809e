//! As many processes of the real binary as there are workers, and one list of partitions for all of them.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tests::function::Function;
use tests::runtime_api::{Answer, RuntimeApi};

use crate::clock;
use crate::failed::Failed;
use crate::serve::{Addresses, BUCKET, JOB, Report, TABLE, WARM_UP};
use crate::spec::Spec;

/// As long as Lambda lets a function run.
const DEADLINE: Duration = Duration::from_mins(15);

/// The process of the services.
struct Services {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// One process of the real binary.
struct Worker {
    api: RuntimeApi,
    function: Function,
}

/// Measures, and prints what it took as one line of JSON.
pub(crate) fn run(spec: &Spec) -> Result<(), Failed> {
    let mut services = Services::start(spec)?;
    let addresses: Addresses = services.read()?;
    let workers: Vec<Worker> = (0..spec.workers.max(1))
        .map(|_| Worker::start(spec, &addresses))
        .collect();
    warm_up(spec, &workers)?;
    let started = workers[0].answer(&start(JOB, spec))?;
    services.say("reset")?;
    let cpu_before_s = worker_cpu_s(&workers);
    let own_before_s = clock::cpu_s(std::process::id(), None);
    let began = Instant::now();
    let invocations = all(&workers, &started)?;
    let wall_s = began.elapsed().as_secs_f64();
    let own_cpu_s = clock::cpu_s(std::process::id(), None) - own_before_s;
    let worker_cpu_s = worker_cpu_s(&workers) - cpu_before_s;
    services.say("report")?;
    let report: Report = services.read()?;
    check(spec, &report)?;
    let peaks = workers
        .iter()
        .map(|worker| clock::peak_kb(worker.function.pid()));
    let mut result = json!({
        "wall_s": wall_s,
        "keys": spec.count(),
        "partitions": partitions(&started).len(),
        "invocations": invocations,
        "worker_cpu_s": worker_cpu_s,
        "driver_cpu_s": own_cpu_s,
        "peak_kb": peaks.max(),
        "record_bytes": report.record.to_string().len(),
    });
    let mut seen = serde_json::to_value(&report)?;
    if let (Some(result), Some(seen)) = (result.as_object_mut(), seen.as_object_mut()) {
        seen.remove("record");
        result.append(seen);
    }
    Ok(writeln!(io::stdout(), "{result}")?)
}

/// Every key was listed once, and if anything was to be sent, there is exactly one message about each.
fn check(spec: &Spec, report: &Report) -> Result<(), Failed> {
    let expect = |what, found: Value, expected: u64| {
        if found.as_u64() == Some(expected) {
            return Ok(());
        }
        Err(Failed::Wrong {
            what,
            found,
            expected,
        })
    };
    let sent = if spec.dry_run { 0 } else { spec.count() };
    expect("listed", report.record["listed"].clone(), spec.count())?;
    expect("enqueued", report.record["enqueued"].clone(), sent)?;
    let total = report.record["partitions_total"].as_u64();
    let done = report.record["partitions_done"].clone();
    expect("partitions_done", done, total.unwrap_or_default())?;
    expect("messages", report.messages.into(), sent)?;
    expect("distinct keys", report.distinct_keys.into(), sent)?;
    expect("strange messages", report.strange_messages.into(), 0)
}

/// The job over all hash folders, or over the folders that there are, each a partition.
fn start(job_id: &str, spec: &Spec) -> Value {
    let mut start = json!({"action": "start", "job_id": job_id, "workers": spec.workers});
    start["dry_run"] = (spec.dry_run || job_id == WARM_UP).into();
    start["partitions"] = if spec.folders == 256 {
        "hash".into()
    } else {
        let folder = |folder| format!("{}{folder:02x}/", crate::keys::PREFIX);
        (0..spec.folders).map(folder).collect::<Vec<_>>().into()
    };
    start
}

/// Each process does a partition of another job: clients and connections are there then.
fn warm_up(spec: &Spec, workers: &[Worker]) -> Result<(), Failed> {
    let started = workers[0].answer(&start(WARM_UP, spec))?;
    let partitions = partitions(&started);
    for (worker, partition) in workers.iter().zip(partitions.iter().cycle()) {
        worker.answer(&enqueue(&started, partition))?;
    }
    Ok(())
}

fn partitions(started: &Value) -> &[Value] {
    started["partitions"].as_array().map_or(&[], Vec::as_slice)
}

/// What the state machine gives to a child.
fn enqueue(started: &Value, partition: &Value) -> Value {
    json!({
        "action": "enqueue",
        "job_id": started["job_id"],
        "partition": partition,
        "workers": started["workers"],
    })
}

/// All partitions, each by the first worker that is free; how many invocations it took.
fn all(workers: &[Worker], started: &Value) -> Result<usize, Failed> {
    let (next, partitions) = (AtomicUsize::new(0), partitions(started));
    let work = |worker: &Worker| {
        let mut invocations = 0;
        while let Some(partition) = partitions.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut payload = enqueue(started, partition);
            loop {
                invocations += 1;
                let answer = worker.answer(&payload)?;
                match answer["status"].as_str() {
                    Some("complete") => break,
                    Some("incomplete") => {
                        payload = json!({"action": "enqueue", "Items": answer["Items"]});
                    }
                    _ => return Err(Failed::Answer(answer.to_string())),
                }
            }
        }
        Ok(invocations)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter()
            .map(|worker| scope.spawn(|| work(worker)))
            .collect();
        let done = threads.into_iter().map(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| Err(Failed::Answer("nothing: a panic".to_owned())))
        });
        done.sum()
    })
}

fn worker_cpu_s(workers: &[Worker]) -> f64 {
    let each = workers
        .iter()
        .map(|worker| clock::cpu_s(worker.function.pid(), None));
    each.sum()
}

impl Worker {
    fn start(spec: &Spec, addresses: &Addresses) -> Self {
        let concurrency = spec.enqueue_concurrency.to_string();
        let settings = [
            ("AWS_ENDPOINT_URL", addresses.aws.as_str()),
            ("AWS_ENDPOINT_URL_S3", &addresses.list),
            ("JOBS_TABLE", TABLE),
            ("QUEUE_URL", &addresses.queue),
            ("SOURCE_BUCKET", BUCKET),
            ("ENQUEUE_CONCURRENCY", &concurrency),
        ];
        let api = RuntimeApi::start();
        let command = Command::new(&spec.binary);
        let function = Function::spawn_command(command, "backfill", &settings, &api);
        Self { api, function }
    }

    fn answer(&self, payload: &Value) -> Result<Value, Failed> {
        match self.api.invoke(payload, DEADLINE) {
            Answer::Response(answer) => Ok(answer),
            other => Err(Failed::Answer(format!("{other:?}"))),
        }
    }
}

impl Services {
    fn start(spec: &Spec) -> Result<Self, Failed> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", &serde_json::to_string(spec)?])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or(Failed::NoServices)?;
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            stdout: BufReader::new(stdout),
        })
    }

    fn say(&mut self, word: &str) -> Result<(), Failed> {
        let stdin = self.stdin.as_mut().ok_or(Failed::NoServices)?;
        Ok(writeln!(stdin, "{word}")?)
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<T, Failed> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err(Failed::NoServices);
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // The end of its input is its end.
        drop(self.stdin.take());
        // There is nobody left to tell that it ended badly.
        let _ = self.child.wait();
    }
}
