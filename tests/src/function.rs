//! The real binary of a function, started as Lambda starts it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::fake_aws::{REGION, credential_variables};
use crate::runtime_api::{Process, RuntimeApi};

/// Memory of the function unless a test says otherwise, MB: the template's value.
const MEMORY_MB: &str = "256";

/// Longest wait for the end of a killed process.
const KILL_MAX: Duration = Duration::from_secs(20);

/// A running function; it is killed and reaped when it is dropped.
#[derive(Debug)]
pub struct Function {
    child: Arc<Mutex<Child>>,
    pid: u32,
    seen: Arc<Seen>,
    readers: Vec<JoinHandle<()>>,
}

/// What was seen of the process from outside.
#[derive(Debug, Default)]
struct Seen {
    output: Mutex<Output>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Output {
    stdout: Vec<String>,
    stderr: Vec<String>,
    exited: Option<ExitStatus>,
}

impl Function {
    /// Starts the binary of this name from the folder that the running test was built into.
    #[must_use]
    pub fn spawn(name: &str, env: &[(&str, &str)], api: &RuntimeApi) -> Self {
        let binary = binary(name);
        assert!(
            binary.is_file(),
            "{} is missing: run `cargo build --bins` first",
            binary.display()
        );
        Self::spawn_command(Command::new(binary), name, env, api)
    }

    /// As [`Function::spawn`], for any program that starts no other: its end is the end of its
    /// output.
    #[must_use]
    pub fn spawn_command(
        mut command: Command,
        name: &str,
        env: &[(&str, &str)],
        api: &RuntimeApi,
    ) -> Self {
        command
            .env_clear()
            .envs(lambda_variables(name))
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let process = api.process_started();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("start {name}: {error}"));
        let (pid, stdout, stderr) = (child.id(), child.stdout.take(), child.stderr.take());
        let (child, seen) = (Arc::new(Mutex::new(child)), Arc::new(Seen::default()));
        let errors = collect(stderr, &seen, |output, line| output.stderr.push(line));
        let lines = collect(stdout, &seen, |output, line| output.stdout.push(line));
        let readers = vec![reap(vec![errors, lines], &child, &seen, process)];
        Self {
            child,
            pid,
            seen,
            readers,
        }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The lines of stdout so far: JSON where they are JSON, strings otherwise.
    #[must_use]
    pub fn stdout(&self) -> Vec<Value> {
        let output = self.seen.lock();
        let value =
            |line: &String| serde_json::from_str(line).unwrap_or_else(|_| line.clone().into());
        output.stdout.iter().map(value).collect()
    }

    /// The lines of stderr so far.
    #[must_use]
    pub fn stderr(&self) -> Vec<String> {
        self.seen.lock().stderr.clone()
    }

    /// Waits for a line of stdout; the first that fits, or `None` when none came in time.
    #[must_use]
    pub fn wait_for_line(&self, timeout: Duration, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let found = |output: &Output| {
            let values = output
                .stdout
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok());
            values.into_iter().find(|value| fits(value))
        };
        let missing = |output: &mut Output| found(output).is_none();
        let waited = self
            .seen
            .changed
            .wait_timeout_while(self.seen.lock(), timeout, missing);
        found(&waited.expect("the readers never panic").0)
    }

    /// Ends the process with SIGKILL and waits until it is gone. It may have ended before.
    pub fn kill(&self) {
        self.child
            .lock()
            .expect("nobody panics with the child")
            .kill()
            .expect("kill an own child");
        assert!(
            self.wait_exit(KILL_MAX).is_some(),
            "process {} outlives SIGKILL",
            self.pid
        );
    }

    /// Waits for the end of the process: its status, or `None` when it outlived the time.
    #[must_use]
    pub fn wait_exit(&self, timeout: Duration) -> Option<ExitStatus> {
        let running = |output: &mut Output| output.exited.is_none();
        let waited = self
            .seen
            .changed
            .wait_timeout_while(self.seen.lock(), timeout, running);
        waited.expect("the readers never panic").0.exited
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.kill();
        for reader in self.readers.drain(..) {
            // It ends with the output of the process, and has reaped it by then.
            let _ = reader.join();
        }
    }
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Output> {
        self.output.lock().expect("the readers never panic")
    }

    fn change(&self, change: impl FnOnce(&mut Output)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// Reads lines until the process has closed the stream.
fn collect(
    stream: Option<impl Read + Send + 'static>,
    seen: &Arc<Seen>,
    push: fn(&mut Output, String),
) -> JoinHandle<()> {
    let stream = BufReader::new(stream.expect("a piped stream"));
    let seen = Arc::clone(seen);
    std::thread::spawn(move || {
        for line in stream.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            seen.change(|output| push(output, line));
        }
    })
}

/// Waits for the end of all output, then for that of the process, and tells everyone.
fn reap(
    streams: Vec<JoinHandle<()>>,
    child: &Arc<Mutex<Child>>,
    seen: &Arc<Seen>,
    process: Process,
) -> JoinHandle<()> {
    let (child, seen) = (Arc::clone(child), Arc::clone(seen));
    std::thread::spawn(move || {
        for stream in streams {
            let _ = stream.join();
        }
        let status = child.lock().expect("nobody panics with the child").wait();
        process.exited();
        seen.change(|output| output.exited = status.ok());
    })
}

/// `target/<profile>/<name>`, seen from the test's own `target/<profile>/deps/<test>-<hash>`.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("path of the running test");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("a test below target/<profile>/deps");
    profile.join(name)
}

/// What Lambda sets. Source: Lambda developer guide, "Defined runtime environment variables".
fn lambda_variables(name: &str) -> BTreeMap<&str, &str> {
    let mut variables = credential_variables();
    variables.extend([
        // So that the fake knows whose calls it gets.
        ("AWS_ACCESS_KEY_ID", name),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY_MB),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/fake"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/21/[$LATEST]fake"),
        ("AWS_REGION", REGION),
        ("LANG", "en_US.UTF-8"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ]);
    variables
}
