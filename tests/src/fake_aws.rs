//! S3, SQS, `DynamoDB` and what surrounds a file system, in this process, for the real SDK clients and the real binaries.
//!
//! One honest model of S3 (`state`, `multipart`), put on the wire (`http`, `call`, `s3`, `xml`), queues (`sqs`) and
//! tables (`dynamo`), and one of mount targets, subnets, parameters, metrics, a service and a function (`account`), with
//! scripted faults in between. What the model does
//! not know it refuses with `NotImplemented`.

mod account;
mod call;
mod dynamo;
mod error;
mod faults;
mod http;
mod integrity;
mod listing;
mod log;
mod multipart;
mod notify;
mod object;
mod record;
mod reply;
mod s3;
mod sqs;
mod state;
mod states;
mod xml;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use serde_json::Value;

pub use self::account::{Account, Counting, Datum, MountTarget, Subnet};
pub use self::call::Operation;
pub use self::dynamo::Tables;
pub use self::faults::{Fault, Gate};
pub use self::listing::{Synthetic, Thin};
pub use self::log::Request;
pub use self::multipart::Upload;
pub use self::notify::sqs_event;
pub use self::object::{Content, Properties, Stored, Written};
pub use self::sqs::{Message, MoveTask};
pub use self::state::Store;
pub use self::states::{Execution, States};

use self::http::World;
use crate::server::Server;

/// The account that owns every bucket and queue.
pub const ACCOUNT: &str = "123456789012";

/// The region of every bucket and queue.
pub const REGION: &str = "us-east-1";

/// A client of the named crate on an endpoint; the SDK's crates share no type for that.
macro_rules! client {
    ($service:ident, $endpoint:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .endpoint_url($endpoint)
                .region(Region::new(REGION))
                .credentials_provider(credentials())
                .retry_config(retries())
                .http_client(plain_http())
                .build(),
        )
    };
}

/// A running fake; it stops when it is dropped.
#[derive(Debug)]
pub struct FakeAws {
    world: World,
    server: Server,
}

impl Default for FakeAws {
    fn default() -> Self {
        Self::start()
    }
}

impl FakeAws {
    /// Starts an empty one on a free port of 127.0.0.1.
    #[must_use]
    pub fn start() -> Self {
        let world = World::default();
        let serving = world.clone();
        let server = Server::start("fake-aws", move |request, flushes| {
            serving.clone().serve(request, flushes)
        });
        Self { world, server }
    }

    /// What `AWS_ENDPOINT_URL` must say.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Creates a bucket.
    pub fn bucket(&self, name: &str, versioned: bool) {
        self.world.lock().store.bucket(name, versioned);
    }

    /// Creates a bucket whose keys can be listed and nothing else: a million of them cost nothing. A delay of every
    /// page is `Fault::on(Operation::ListObjectsV2).forever().delay(…)`.
    pub fn synthetic_bucket(&self, name: &str, synthetic: Synthetic) {
        self.world.lock().store.synthetic(name, synthetic);
    }

    /// From now on the listing of a bucket falls short so.
    pub fn thin_pages(&self, bucket: &str, thin: Thin) {
        self.world.lock().store.thin_pages(bucket, thin);
    }

    /// Reads or changes the tables of `DynamoDB`.
    pub fn tables<T>(&self, look: impl FnOnce(&mut Tables) -> T) -> T {
        look(&mut self.world.lock().store.tables)
    }

    /// Reads or changes state machines and their executions.
    pub fn states<T>(&self, look: impl FnOnce(&mut States) -> T) -> T {
        look(&mut self.world.lock().store.states)
    }

    /// Keeps no request any more, only how many there were: for loads that would fill the memory.
    pub fn keep_no_requests(&self) {
        self.world.lock().log.keep_no_requests();
    }

    /// Creates a queue if need be, and says its URL.
    #[must_use]
    pub fn queue_url(&self, name: &str) -> String {
        self.world
            .lock()
            .store
            .queues
            .entry(name.to_owned())
            .or_default();
        format!("{}/{ACCOUNT}/{name}", self.endpoint())
    }

    /// Stores an object without any condition.
    pub fn put(&self, bucket: &str, key: &str, content: impl Into<Content>) -> Written {
        self.world.lock().store.put(bucket, key, content)
    }

    /// An object with headers or metadata, to be finished by [`Seed::put`].
    #[must_use]
    pub fn seed<'a>(&'a self, bucket: &'a str, key: &'a str) -> Seed<'a> {
        Seed {
            fake: self,
            bucket,
            key,
            properties: Properties::default(),
        }
    }

    /// Deletes an object without any condition: a delete marker in a versioned bucket.
    pub fn delete(&self, bucket: &str, key: &str) {
        self.world.lock().store.delete(bucket, key);
    }

    /// Reads or changes the file systems and what surrounds them.
    pub fn account<T>(&self, look: impl FnOnce(&mut Account) -> T) -> T {
        look(&mut self.world.lock().store.account)
    }

    /// Scripts a fault.
    pub fn fault(&self, fault: Fault) {
        self.world.lock().faults.push(fault);
    }

    /// Takes every scripted fault back, so that a replay meets none.
    pub fn clear_faults(&self) {
        self.world.lock().faults.clear();
    }

    /// Every request that arrived whole, in that order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.world.lock().log.requests().to_vec()
    }

    /// How often an operation was asked for.
    #[must_use]
    pub fn count(&self, operation: Operation) -> usize {
        self.world.lock().log.count(operation)
    }

    /// How many requests of an operation have been in flight at once, at most.
    #[must_use]
    pub fn peak(&self, operation: Operation) -> usize {
        self.world.lock().log.peak(operation)
    }

    /// Waits until an operation was asked for so often; whether it was within the time.
    #[must_use]
    pub fn wait_for(&self, operation: Operation, requests: usize, timeout: Duration) -> bool {
        self.world
            .wait_until(timeout, |log| log.count(operation) >= requests)
    }

    /// The current version of a key; a delete marker or an unknown key is `None`.
    #[must_use]
    pub fn object(&self, bucket: &str, key: &str) -> Option<Stored> {
        self.world.lock().store.object(bucket, key).cloned()
    }

    /// Every version of a key that is an object, oldest first.
    #[must_use]
    pub fn versions(&self, bucket: &str, key: &str) -> Vec<Stored> {
        self.world.lock().store.versions(bucket, key)
    }

    /// The keys that a listing shows, in its order.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.world.lock().store.keys(bucket)
    }

    /// The uploads that were neither completed nor aborted.
    #[must_use]
    pub fn open_uploads(&self, bucket: &str) -> Vec<Upload> {
        self.world.lock().store.open_uploads(bucket)
    }

    /// The notification for the current version of a key.
    #[must_use]
    pub fn s3_notification(&self, bucket: &str, key: &str) -> Value {
        let stored = self.object(bucket, key);
        let stored = stored.unwrap_or_else(|| panic!("no object at s3://{bucket}/{key}"));
        stored.written(state::Target { bucket, key }).notification()
    }

    /// The real S3 client on this endpoint, with standard retries and no wait before them.
    #[must_use]
    pub fn s3_client(&self) -> aws_sdk_s3::Client {
        client!(aws_sdk_s3, self.endpoint())
    }

    /// The real `DynamoDB` client on this endpoint, with standard retries and no wait before them.
    #[must_use]
    pub fn dynamodb_client(&self) -> aws_sdk_dynamodb::Client {
        client!(aws_sdk_dynamodb, self.endpoint())
    }

    /// The real SQS client on this endpoint, with standard retries and no wait before them.
    #[must_use]
    pub fn sqs_client(&self) -> aws_sdk_sqs::Client {
        client!(aws_sdk_sqs, self.endpoint())
    }
}

/// An object about to be stored with headers or metadata.
#[derive(Debug)]
pub struct Seed<'a> {
    fake: &'a FakeAws,
    bucket: &'a str,
    key: &'a str,
    properties: Properties,
}

impl Seed<'_> {
    /// A header that S3 keeps, by its HTTP name, such as `Cache-Control`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.properties
            .headers
            .insert(name.to_ascii_lowercase(), value.to_owned());
        self
    }

    /// User metadata, without `x-amz-meta-`.
    #[must_use]
    pub fn metadata(mut self, name: &str, value: &str) -> Self {
        self.properties
            .metadata
            .insert(name.to_ascii_lowercase(), value.to_owned());
        self
    }

    /// When it is said to have been written.
    #[must_use]
    pub fn modified(mut self, at: SystemTime) -> Self {
        self.properties.modified = Some(at);
        self
    }

    /// Stores it.
    pub fn put(self, content: impl Into<Content>) -> Written {
        let mut inner = self.fake.world.lock();
        inner
            .store
            .put_with(self.bucket, self.key, content, self.properties)
    }
}

/// What AWS sets for a function besides its own settings, and the tests for their clients.
pub(crate) fn credential_variables() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        (
            "AWS_SECRET_ACCESS_KEY",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        ),
        ("AWS_SESSION_TOKEN", "session-token"),
    ])
}

fn credentials() -> Credentials {
    let variables = credential_variables();
    let text = |name| variables[name].to_owned();
    let token = Some(text("AWS_SESSION_TOKEN"));
    Credentials::new(
        text("AWS_ACCESS_KEY_ID"),
        text("AWS_SECRET_ACCESS_KEY"),
        token,
        None,
        "tests",
    )
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_initial_backoff(Duration::from_millis(1))
}

fn plain_http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}
