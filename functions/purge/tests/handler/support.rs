//! A function on a tree, and trees with files of any age.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_runtime::{Context, LambdaEvent};
use purge::{App, Config, PurgeError};
use serde_json::{Value, json};
use shared::telemetry::Telemetry;
use shared::walk::Kernel;
use tempfile::{TempDir, tempdir};

pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// A root and the function on it. Ages are by mtime: nothing but time makes ctime old.
pub(crate) struct Place {
    pub(crate) directory: Arc<TempDir>,
    app: App,
}

impl Place {
    pub(crate) fn new(settings: &[(&str, &str)]) -> Self {
        Self::on(settings, Kernel::default)
    }

    pub(crate) fn on(
        settings: &[(&str, &str)],
        kernel: impl Fn() -> Kernel + Send + Sync + 'static,
    ) -> Self {
        let directory = Arc::new(tempdir().unwrap());
        let app = app_on(directory.path(), settings, kernel);
        Self { directory, app }
    }

    /// The same root with other settings.
    pub(crate) fn again(&self, settings: &[(&str, &str)]) -> Self {
        Self {
            directory: Arc::clone(&self.directory),
            app: app_on(self.directory.path(), settings, Kernel::default),
        }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file of so many bytes that was written so many days ago, with its directories.
    pub(crate) fn file(&self, name: impl AsRef<Path>, bytes: usize, days: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![b'x'; bytes]).unwrap();
        age(&path, days);
        path
    }

    /// An empty directory of that age.
    pub(crate) fn dir(&self, name: impl AsRef<Path>, days: u32) {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        age(&path, days);
    }

    pub(crate) fn invoke_within(
        &self,
        payload: Value,
        within: Duration,
    ) -> Result<Value, PurgeError> {
        invoke_within(&self.app, payload, within)
    }

    pub(crate) fn invoke(&self, payload: Value) -> Value {
        self.invoke_within(payload, MINUTE).unwrap()
    }

    /// What a payload without `dry_run` would do, and does.
    pub(crate) fn dry_and_real(&self, mut payload: Value) -> (Value, Value) {
        payload["dry_run"] = json!(true);
        let before = self.names();
        let dry = self.invoke(payload.clone());
        assert_eq!(self.names(), before, "a dry run touches nothing");
        payload["dry_run"] = json!(false);
        (dry, self.invoke(payload))
    }

    /// Everything below the root but what is ours.
    pub(crate) fn names(&self) -> BTreeSet<PathBuf> {
        let mut names = BTreeSet::new();
        let mut todo = vec![self.directory.path().to_owned()];
        while let Some(directory) = todo.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                if entry.file_name() == ".sluice" {
                    continue;
                }
                if entry.file_type().unwrap().is_dir() {
                    todo.push(entry.path());
                }
                let path = entry.path();
                names.insert(path.strip_prefix(self.directory.path()).unwrap().to_owned());
            }
        }
        names
    }
}

/// The function on the root, with these settings.
pub(crate) fn app_on(
    root: &Path,
    settings: &[(&str, &str)],
    kernel: impl Fn() -> Kernel + Send + Sync + 'static,
) -> App {
    let root = root.to_str().unwrap();
    let config = Config::parse(|name| {
        let defaults = [
            ("PURGE_ROOT", root),
            ("PURGE_AGE_BY", "mtime"),
            ("PURGE_DRY_RUN", "false"),
        ];
        let mut all = settings.iter().chain(&defaults);
        all.find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    });
    let config = config.unwrap();
    let (telemetry, _) = Telemetry::new(config.telemetry.clone(), std::io::sink());
    App::on(config, telemetry, kernel)
}

pub(crate) fn invoke_within(
    app: &App,
    payload: Value,
    within: Duration,
) -> Result<Value, PurgeError> {
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + within;
    let mut context = Context::default();
    "request-1".clone_into(&mut context.request_id);
    context.deadline = u64::try_from(deadline.as_millis()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let answered = runtime.block_on(app.handle(LambdaEvent::new(payload, context)));
    // Like Lambda, it does not wait for a thread that hangs.
    runtime.shutdown_background();
    answered
}

pub(crate) fn age(path: &Path, days: u32) {
    let then = SystemTime::now() - DAY * days;
    let times = FileTimes::new().set_modified(then);
    File::open(path).unwrap().set_times(times).unwrap();
}

pub(crate) fn number(answer: &Value, name: &str) -> u64 {
    let number = answer[name].as_u64();
    assert!(number.is_some(), "{name} in {answer}");
    number.unwrap()
}

pub(crate) fn numbers<const N: usize>(answer: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| number(answer, name))
}
