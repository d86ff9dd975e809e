//! The real binary of `compress` on a [`FakeAws`], called through a [`RuntimeApi`].

use std::time::Duration;

use serde_json::Value;

use crate::compressor::{BUCKET, DLQ};
use crate::fake_aws::FakeAws;
use crate::function::Function;
use crate::runtime_api::{Answer, RuntimeApi};

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running `compress`; when it is dropped, the Runtime API's rules must have been kept.
pub struct Running {
    /// What it works on.
    pub fake: FakeAws,
    /// Who calls it.
    pub api: RuntimeApi,
    /// The process.
    pub function: Function,
}

/// Starts it with these settings, an empty bucket and a dead-letter queue.
#[must_use]
pub fn start(settings: &[(&str, &str)]) -> Running {
    let (fake, api) = (FakeAws::start(), RuntimeApi::start());
    fake.bucket(BUCKET, true);
    let (endpoint, queue) = (fake.endpoint(), fake.queue_url(DLQ));
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("DLQ_URL", queue.as_str()),
    ];
    variables.extend(settings);
    let function = Function::spawn("compress", &variables, &api);
    Running {
        fake,
        api,
        function,
    }
}

impl Running {
    /// Invokes it, with half a minute to go.
    #[expect(
        clippy::must_use_candidate,
        reason = "some tests are about what is logged"
    )]
    pub fn invoke(&self, event: &Value) -> Answer {
        self.api.invoke(event, PATIENCE)
    }

    /// The lines of an invocation, from its first to its metrics, which come last.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        let metrics = |line: &Value| line.get("Compressed").is_some();
        self.function.wait_for_line(PATIENCE, metrics).unwrap();
        self.function.stdout()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.api.assert_rules_kept();
    }
}
