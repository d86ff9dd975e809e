//! The function `compress` in this process, on a [`FakeAws`]: its real handler with the real SDK clients.

use std::io::sink;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use compress::handler::InvocationError;
use compress::{App, Config};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use shared::jobs::Jobs;
use shared::telemetry::Telemetry;

use crate::fake_aws::{Content, FakeAws, Stored, Written, sqs_event};

/// The bucket that every test uses, versioned as the template makes it.
pub const BUCKET: &str = "files";
/// The dead-letter queue that every test uses.
pub const DLQ: &str = "dead-letters";

/// `compress` on a fake of its own.
pub struct Compressor {
    /// What it works on.
    pub fake: FakeAws,
    app: App,
}

/// Panics on the way to an object whose key says so.
#[derive(Debug)]
pub struct PanicOnKey;

impl Intercept for PanicOnKey {
    fn name(&self) -> &'static str {
        "PanicOnKey"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        assert!(!context.request().uri().contains("panics"), "a bug");
        Ok(())
    }
}

impl Default for Compressor {
    fn default() -> Self {
        Self::with(&[])
    }
}

impl Compressor {
    /// With these settings over the defaults; one versioned bucket and a dead-letter queue are there.
    #[must_use]
    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::on(FakeAws::start(), settings, |config| config)
    }

    /// On `fake`, with an S3 client changed by `change`.
    pub fn on(
        fake: FakeAws,
        settings: &[(&str, &str)],
        change: impl FnOnce(aws_sdk_s3::config::Builder) -> aws_sdk_s3::config::Builder,
    ) -> Self {
        fake.bucket(BUCKET, true);
        let queue = fake.queue_url(DLQ);
        let lookup = |name: &str| {
            let set = settings.iter().find(|(known, _)| *known == name);
            let set = set.map(|(_, value)| (*value).to_owned());
            set.or_else(|| (name == "DLQ_URL").then(|| queue.clone()))
        };
        let config = Config::parse(lookup).unwrap();
        let (telemetry, _subscriber) = Telemetry::new(config.telemetry.clone(), sink());
        let s3 =
            aws_sdk_s3::Client::from_conf(change(fake.s3_client().config().to_builder()).build());
        let table = config.jobs_table.clone();
        let jobs = table.map(|table| Jobs::new(fake.dynamodb_client(), table));
        let app = App::new(s3, fake.sqs_client(), config, telemetry).with_jobs(jobs);
        Self { fake, app }
    }

    /// Puts a source and says its output's key.
    pub fn source(&self, key: &str, content: impl Into<Content>) -> Written {
        self.fake.put(BUCKET, key, content)
    }

    /// Invokes the handler with 60 seconds to go.
    pub async fn invoke(&self, payload: Value) -> Result<Value, InvocationError> {
        self.invoke_within(payload, Duration::from_mins(1)).await
    }

    /// Invokes the handler with so much time until the deadline.
    pub async fn invoke_within(
        &self,
        payload: Value,
        time: Duration,
    ) -> Result<Value, InvocationError> {
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
        let mut context = Context::default();
        "request-1".clone_into(&mut context.request_id);
        context.deadline = u64::try_from(deadline.as_millis()).unwrap();
        self.app.handle(LambdaEvent::new(payload, context)).await
    }

    /// Delivers queue messages `0`, `1`, … with these bodies and returns the identifiers that were reported.
    pub async fn deliver(&self, bodies: &[Value]) -> Vec<String> {
        let bodies: Vec<String> = bodies.iter().map(Value::to_string).collect();
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        self.deliver_text(&bodies).await
    }

    /// The same for bodies that need not be JSON.
    pub async fn deliver_text(&self, bodies: &[&str]) -> Vec<String> {
        let ids: Vec<String> = (0..bodies.len()).map(|number| number.to_string()).collect();
        let messages: Vec<(&str, &str)> = ids
            .iter()
            .map(String::as_str)
            .zip(bodies.iter().copied())
            .collect();
        failed_ids(&self.invoke(sqs_event(&messages)).await.unwrap())
    }

    /// Puts a source, delivers its notification, and expects that it was acknowledged.
    pub async fn compress(&self, key: &str, content: impl Into<Content>) -> Written {
        let written = self.source(key, content);
        assert_eq!(
            self.deliver(&[written.notification()]).await,
            [""; 0],
            "{key}"
        );
        written
    }

    /// The keys of all outputs.
    #[must_use]
    pub fn outputs(&self) -> Vec<String> {
        let mut keys = self.fake.keys(BUCKET);
        keys.retain(|key| key.starts_with("processed/"));
        keys
    }

    /// The only output.
    #[must_use]
    pub fn output(&self) -> Stored {
        let keys = self.outputs();
        assert_eq!(keys.len(), 1, "{keys:?}");
        self.fake.object(BUCKET, &keys[0]).unwrap()
    }

    /// Whether the source is there, as a current object.
    #[must_use]
    pub fn has_source(&self, key: &str) -> bool {
        self.fake.object(BUCKET, key).is_some()
    }

    /// The dead letters' `(reason, key)`.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<(String, Option<String>)> {
        let letters = self.fake.messages(DLQ).into_iter();
        letters
            .map(|letter| {
                (
                    letter.attributes["reason"].clone(),
                    letter.attributes.get("key").cloned(),
                )
            })
            .collect()
    }
}

/// The identifiers in a partial-batch response.
#[must_use]
pub fn failed_ids(response: &Value) -> Vec<String> {
    let failures = response["batchItemFailures"].as_array().unwrap();
    failures
        .iter()
        .map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned())
        .collect()
}

/// A direct payload for these objects.
#[must_use]
pub fn batch(items: &[(&str, &str)]) -> Value {
    let item = |(bucket, key): &(&str, &str)| json!({"bucket": bucket, "key": key});
    json!({"items": items.iter().map(item).collect::<Vec<_>>()})
}
