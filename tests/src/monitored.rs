//! The real binary of `monitor` in an account of the fake: one file system, three zones, four subnets.

use serde_json::{Value, json};

use crate::fake_aws::{Account, Counting, FakeAws, Subnet};
use crate::function::Function;
use crate::running::PATIENCE;
use crate::runtime_api::{Answer, RuntimeApi};

/// The file system.
pub const FILE_SYSTEM: &str = "fs-0123456789abcdef0";

/// Where the documents are.
pub const CACHE: &str = "/sluice/file-count";
/// As above.
pub const STATE: &str = "/sluice/monitor-state";
/// As above.
pub const TARGETS: &str = "/sluice/mount-targets";

/// `subnet-a1` and `subnet-a2` share a zone.
const SUBNETS: [(&str, &str); 4] = [
    ("subnet-a1", "a"),
    ("subnet-a2", "a"),
    ("subnet-b1", "b"),
    ("subnet-c1", "c"),
];

/// A running `monitor`; when it is dropped, the Runtime API's rules must have been kept.
pub struct Monitored {
    /// What it works on.
    pub fake: FakeAws,
    /// Who calls it.
    pub api: RuntimeApi,
    /// The process.
    pub function: Function,
    settings: Vec<(String, String)>,
}

/// An answer of the function that counts.
#[must_use]
pub fn counted(files: u64) -> Counting {
    Counting::Answer(json!({
        "root": "/mnt/files", "files": files, "directories": 3, "symlinks": 0, "special": 0, "complete": true, "errors": 0,
        "error_samples": [], "duration_seconds": 1.5, "files_per_second": 100.0, "resume": null,
    }))
}

/// The same, interrupted.
#[must_use]
pub fn interrupted(files: u64, resume: Option<&str>) -> Counting {
    let Counting::Answer(mut answer) = counted(files) else {
        unreachable!("an answer")
    };
    answer["complete"] = json!(false);
    answer["resume"] = json!(resume);
    Counting::Answer(answer)
}

/// Starts it with one mount target, in `subnet-a1`, and so many files; a threshold of 100, no cool-down.
#[must_use]
pub fn start(files: u64, settings: &[(&str, &str)]) -> Monitored {
    start_in(files, settings, |_| {})
}

/// The same, in an account that is prepared first.
#[must_use]
pub fn start_in(
    files: u64,
    settings: &[(&str, &str)],
    prepare: impl FnOnce(&mut Account),
) -> Monitored {
    let (fake, api) = (FakeAws::start(), RuntimeApi::start());
    fake.account(|account| {
        account.file_systems.insert(FILE_SYSTEM.to_owned(), None);
        account.subnets = SUBNETS.map(|(id, zone)| subnet(id, zone)).to_vec();
        account.add_target(FILE_SYSTEM, "subnet-a1", "available");
        account.counts.push_back(counted(files));
        prepare(account);
    });
    let defaults = [
        ("EFS_FILE_SYSTEM_ID", FILE_SYSTEM),
        ("SUBNET_IDS", "subnet-a2,subnet-a1,subnet-b1,subnet-c1"),
        ("COUNT_FUNCTION_NAME", "count"),
        ("FILE_COUNT_THRESHOLD", "100"),
        ("COOLDOWN_SECONDS", "0"),
        ("SCALE_IN_COOLDOWN_SECONDS", "0"),
        ("AWS_MAX_ATTEMPTS", "1"),
        ("DEBUG", "true"),
    ];
    let endpoint = fake.endpoint();
    let mut all = vec![("AWS_ENDPOINT_URL".to_owned(), endpoint)];
    let given = defaults.iter().chain(settings);
    all.extend(given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let function = spawn(&all, &api);
    Monitored {
        fake,
        api,
        function,
        settings: all,
    }
}

fn subnet(id: &str, zone: &str) -> Subnet {
    Subnet {
        id: id.to_owned(),
        zone_id: format!("use1-{zone}"),
        zone: format!("us-east-1{zone}"),
        vpc: "vpc-1".to_owned(),
        free_addresses: 10,
    }
}

fn spawn(settings: &[(String, String)], api: &RuntimeApi) -> Function {
    let settings = settings.iter();
    let settings: Vec<_> = settings.map(|(name, value)| (&**name, &**value)).collect();
    Function::spawn("monitor", &settings, api)
}

impl Monitored {
    /// One tick.
    #[must_use]
    pub fn tick(&self) -> Answer {
        self.api.invoke(&json!({}), PATIENCE)
    }

    /// One tick that must be answered.
    #[must_use]
    pub fn answer(&self) -> Value {
        match self.tick() {
            Answer::Response(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// One tick that must fail; its type and words.
    #[must_use]
    pub fn failure(&self) -> (String, String) {
        match self.tick() {
            Answer::Error {
                error_type,
                message,
            } => (error_type, message),
            other => panic!("{other:?}"),
        }
    }

    /// A new process in place of this one.
    pub fn restart(&mut self) {
        self.function.kill();
        self.function = spawn(&self.settings, &self.api);
    }

    /// A document, if it is there.
    #[must_use]
    pub fn document(&self, name: &str) -> Option<Value> {
        let text = self
            .fake
            .account(|account| account.parameters.get(name).cloned());
        text.map(|text| serde_json::from_str(&text).expect("a JSON document"))
    }

    /// Subnets of the mount targets that there are.
    #[must_use]
    pub fn subnets(&self) -> Vec<String> {
        let targets = |account: &mut Account| account.mount_targets.clone();
        let targets = self.fake.account(targets).into_iter();
        targets.map(|target| target.subnet_id).collect()
    }

    /// Subnets of the mount targets that are published.
    #[must_use]
    pub fn published(&self) -> Vec<String> {
        let list = self.document(TARGETS).unwrap_or_default();
        let listed = list["mount_targets"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let subnet = |target: &Value| target["subnet_id"].as_str().unwrap_or_default().to_owned();
        listed.iter().map(subnet).collect()
    }

    /// The last value of a metric that was written.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.fake.account(|account| {
            let mut written = account.written_metrics.iter().rev();
            let found = written.find(|datum| datum.name == name);
            found.map(|datum| datum.value)
        })
    }
}

impl Drop for Monitored {
    fn drop(&mut self) {
        self.api.assert_rules_kept();
    }
}
