//! The real binary of `backfill` on a [`FakeAws`], and that of `compress` on the queue that it fills.
//!
//! What the state machine does is done here by hand: each partition again until it is complete.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use shared::s3_event::{Notice, parse};

use crate::compressor::{BUCKET, DLQ, failed_ids};
use crate::fake_aws::{Content, FakeAws, sqs_event};
use crate::function::Function;
use crate::running::PATIENCE;
use crate::runtime_api::{Answer, RuntimeApi};

/// The queue between the two.
pub const QUEUE: &str = "compress";
/// The table of jobs.
pub const TABLE: &str = "jobs";
/// The job of every test that needs one only.
pub const JOB: &str = "job-1";

/// Rounds of one partition before a test gives up.
const ROUNDS_MAX: usize = 50;

/// A running `backfill`; when it is dropped, the Runtime API's rules must have been kept.
pub struct Backfilled {
    /// What it works on.
    pub fake: FakeAws,
    /// Who calls it.
    pub api: RuntimeApi,
    /// The process.
    pub function: Function,
    settings: Vec<(String, String)>,
}

/// Another `backfill` on the same job.
pub struct Other {
    api: RuntimeApi,
    _function: Function,
}

/// Starts it with an empty versioned bucket, a queue, a dead-letter queue and an empty table.
#[must_use]
pub fn start(settings: &[(&str, &str)]) -> Backfilled {
    let (fake, api) = (FakeAws::start(), RuntimeApi::start());
    fake.bucket(BUCKET, true);
    fake.tables(|tables| tables.create(TABLE, "job_id", "item"));
    let _ = fake.queue_url(DLQ);
    let own = [
        ("AWS_ENDPOINT_URL", fake.endpoint()),
        ("JOBS_TABLE", TABLE.to_owned()),
        ("QUEUE_URL", fake.queue_url(QUEUE)),
        ("SOURCE_BUCKET", BUCKET.to_owned()),
    ];
    let own = own
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    let given = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings: Vec<_> = own.chain(given).collect();
    let function = spawn("backfill", &settings, &api);
    Backfilled {
        fake,
        api,
        function,
        settings,
    }
}

fn spawn(name: &str, settings: &[(String, String)], api: &RuntimeApi) -> Function {
    let settings = settings.iter();
    let settings: Vec<_> = settings.map(|(name, value)| (&**name, &**value)).collect();
    Function::spawn(name, &settings, api)
}

/// The payload that works on one partition, as the state machine makes it.
#[must_use]
pub fn share(action: &str, started: &Value, partition: u64) -> Value {
    let mut share = json!({"action": action, "job_id": started["job_id"], "partition": partition});
    for name in ["workers", "max_rate_per_second", "round"] {
        if !started[name].is_null() {
            share[name] = started[name].clone();
        }
    }
    share
}

impl Backfilled {
    /// Stores sources of these keys, each with its own key as content.
    pub fn sources<K: AsRef<str>>(&self, keys: &[K]) {
        for key in keys {
            self.fake
                .put(BUCKET, key.as_ref(), Content::from(key.as_ref()));
        }
    }

    /// Stores a source that is so much newer than any job.
    pub fn newer(&self, key: &str, content: &str, by: Duration) {
        let seed = self.fake.seed(BUCKET, key);
        seed.modified(SystemTime::now() + by).put(content);
    }

    /// One invocation, with half a minute to go.
    #[must_use]
    pub fn ask(&self, payload: &Value) -> Answer {
        self.api.invoke(payload, PATIENCE)
    }

    /// One invocation that must be answered.
    #[must_use]
    pub fn answer(&self, payload: &Value) -> Value {
        answered(self.ask(payload))
    }

    /// One invocation that must fail; its type and words.
    #[must_use]
    pub fn failure(&self, payload: &Value) -> (String, String) {
        failed(self.ask(payload))
    }

    /// Starts [`JOB`] with these fields besides.
    #[must_use]
    pub fn start_job(&self, fields: &Value) -> Value {
        self.answer(&start_payload(fields))
    }

    /// Works on every partition that a start has named, until each is complete; how many invocations it took.
    #[must_use]
    pub fn enqueue_all(&self, started: &Value) -> usize {
        self.each("enqueue", started)
    }

    /// A verification of all of it, and the verdict.
    #[must_use]
    pub fn verdict(&self, round: &str) -> Value {
        let begin = json!({"action": "verify_start", "job_id": JOB, "round": round});
        let round = self.answer(&begin);
        let _ = self.each("verify", &round);
        self.answer(&json!({"action": "conclude", "job_id": JOB, "round": round["round"]}))
    }

    /// A round of verification by that execution, each partition once; the question for its verdict.
    #[must_use]
    pub fn looked(&self, execution: &str, round: &str) -> Value {
        let asked = json!({
            "action": "verify_start", "job_id": JOB, "round": round, "execution": execution
        });
        let begun = self.answer(&asked);
        let _ = self.each("verify", &begun);
        json!({"action": "conclude", "job_id": JOB, "round": round, "execution": execution})
    }

    /// Enqueues, and lets the compressor do all of it, and verifies: the verdict.
    #[must_use]
    pub fn all_the_rest(&self, started: &Value) -> Value {
        let _ = self.enqueue_all(started);
        assert_eq!(self.listed()["status"], "processing");
        assert_eq!(self.compress_all(), [""; 0]);
        self.verdict("round-1")
    }

    /// Asks whether all partitions are listed.
    #[must_use]
    pub fn listed(&self) -> Value {
        self.answer(&json!({"action": "listed", "job_id": JOB}))
    }

    fn each(&self, action: &str, started: &Value) -> usize {
        let partitions = started["partitions"]
            .as_array()
            .expect("a list of partitions");
        let mut invocations = 0;
        for partition in partitions {
            let mut payload = share(action, started, partition.as_u64().unwrap());
            for round in 0.. {
                assert!(round < ROUNDS_MAX, "{payload} never ends");
                invocations += 1;
                let answer = self.answer(&payload);
                if answer["status"] == "complete" {
                    break;
                }
                assert_eq!(answer["status"], "incomplete", "{answer}");
                // As the state machine hands it on.
                payload = json!({"action": action, "Items": answer["Items"]});
            }
        }
        invocations
    }

    /// The keys in the queue, sorted; each message is of the job and its group.
    #[must_use]
    pub fn queued(&self) -> Vec<String> {
        let messages = self.fake.messages(QUEUE).into_iter();
        let mut keys: Vec<_> = messages
            .map(|message| {
                assert_eq!(message.group_id.as_deref(), Some(JOB));
                let body: Value = serde_json::from_str(&message.body).unwrap();
                assert_eq!(body["job_id"], JOB);
                match parse(&message.body).unwrap().remove(0).unwrap() {
                    Notice::Created(object) if object.bucket == BUCKET => object.key,
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        keys.sort_unstable();
        keys
    }

    /// The job's record.
    #[must_use]
    pub fn record(&self) -> Value {
        let record = self.fake.tables(|tables| tables.item(TABLE, JOB, "job"));
        record.expect("the job's record")
    }

    /// `listed`, `enqueued` and `left_out` of the record.
    #[must_use]
    pub fn counts(&self) -> [u64; 3] {
        let record = self.record();
        ["listed", "enqueued", "left_out"].map(|name| record[name].as_u64().unwrap_or_default())
    }

    /// Ends the job, as an operator does.
    pub fn set_state(&self, state: &str) {
        let state = json!({"state": {"S": state}});
        self.fake
            .tables(|tables| tables.set(TABLE, (JOB, "job"), &state));
    }

    /// Kills the process and starts a new one.
    pub fn restart(&mut self) {
        self.function.kill();
        self.function = spawn("backfill", &self.settings, &self.api);
    }

    /// Starts another one beside it.
    #[must_use]
    pub fn other(&self) -> Other {
        let api = RuntimeApi::start();
        let function = spawn("backfill", &self.settings, &api);
        Other {
            api,
            _function: function,
        }
    }

    /// Delivers all that is in the queue to the real `compress`; the bodies that it handed back are in the queue again.
    #[must_use]
    pub fn compress_all(&self) -> Vec<String> {
        let api = RuntimeApi::start();
        let mut settings = self.settings.clone();
        settings.push(("DLQ_URL".to_owned(), self.fake.queue_url(DLQ)));
        let function = spawn("compress", &settings, &api);
        let mut back = Vec::new();
        let messages = self.fake.take_messages(QUEUE);
        for batch in messages.chunks(10) {
            let ids: Vec<_> = (0..batch.len()).map(|number| number.to_string()).collect();
            let bodies = batch.iter().map(|message| message.body.as_str());
            let event: Vec<_> = ids.iter().map(String::as_str).zip(bodies).collect();
            for id in failed_ids(&answered(api.invoke(&sqs_event(&event), PATIENCE))) {
                let message = &batch[id.parse::<usize>().unwrap()];
                back.push(message.body.clone());
                self.fake.put_message(QUEUE, message.clone());
            }
        }
        function.kill();
        back
    }

    /// The keys of all outputs.
    #[must_use]
    pub fn outputs(&self) -> Vec<String> {
        let mut keys = self.fake.keys(BUCKET);
        keys.retain(|key| key.starts_with("processed/"));
        keys
    }

    /// The keys of all sources that are there.
    #[must_use]
    pub fn left_sources(&self) -> Vec<String> {
        let mut keys = self.fake.keys(BUCKET);
        keys.retain(|key| key.starts_with("incoming/"));
        keys
    }
}

impl Other {
    /// One invocation, with half a minute to go.
    #[must_use]
    pub fn ask(&self, payload: &Value) -> Answer {
        self.api.invoke(payload, PATIENCE)
    }
}

/// A start of [`JOB`] with these fields besides.
#[must_use]
pub fn start_payload(fields: &Value) -> Value {
    let mut payload = json!({"action": "start", "job_id": JOB});
    for (name, value) in fields.as_object().into_iter().flatten() {
        payload[name] = value.clone();
    }
    payload
}

/// A job of one partition with so many objects, not yet enqueued.
#[must_use]
pub fn one_partition(
    objects: usize,
    fields: &Value,
    settings: &[(&str, &str)],
) -> (Backfilled, Value, Vec<String>) {
    let job = start(settings);
    let keys: Vec<_> = (0..objects)
        .map(|number| format!("incoming/{number:05}"))
        .collect();
    job.sources(&keys);
    let mut all = json!({"partitions": ["incoming/"]});
    for (name, value) in fields.as_object().unwrap() {
        all[name] = value.clone();
    }
    let started = job.start_job(&all);
    (job, started, keys)
}

/// Sorted keys, each once.
#[must_use]
pub fn without_duplicates(mut keys: Vec<String>) -> Vec<String> {
    keys.dedup();
    keys
}

/// An answer that is one.
#[must_use]
pub fn answered(answer: Answer) -> Value {
    match answer {
        Answer::Response(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// A failure that is one: its type and words.
#[must_use]
pub fn failed(answer: Answer) -> (String, String) {
    match answer {
        Answer::Error {
            error_type,
            message,
        } => (error_type, message),
        other => panic!("{other:?}"),
    }
}

/// Keys that are spread over the hash folders, and some that are not.
#[must_use]
pub fn keys(count: usize) -> Vec<String> {
    let key = |number: usize| match number % 7 {
        0 => format!("incoming/{number:05}.json"),
        1 => format!("incoming/2024/{number:05} +%.json"),
        _ => {
            let name = format!("{number:05}.json");
            format!("incoming/{}/{name}", shared::partition::partition(&name))
        }
    };
    let mut keys: Vec<_> = (0..count).map(key).collect();
    keys.sort_unstable();
    keys
}

impl Drop for Backfilled {
    fn drop(&mut self) {
        self.api.assert_rules_kept();
    }
}
