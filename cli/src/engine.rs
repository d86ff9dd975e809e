//! Who purges or counts: a function of the stack, or its engine in this process.

use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::Value;
use shared::deadline::epoch_ms;
use shared::telemetry::{Telemetry, error_chain};

use crate::aws::Aws;
use crate::error::Error;
use crate::show::Show;

/// How long a function may take at most, with a little for the way. Source: Lambda developer guide, "Quotas".
const ANSWER_WITHIN: Duration = Duration::from_secs(15 * 60 + 30);

/// For how long the engine works before it is asked to go on: as long as a function. A process that is ended keeps a root
/// for no longer.
const SLICE: Duration = Duration::from_mins(15);

/// What is said of the engine in this process.
const HERE: &str = "this process";

/// One who can be asked, again and again.
pub(crate) enum Engine {
    /// A function.
    Function {
        /// The service.
        client: Client,
        /// The function's name.
        name: String,
    },
    /// Purging here.
    Purge(Box<purge::App>),
    /// Counting here.
    Count(Box<count::App>),
}

impl Engine {
    /// A function of the stack.
    pub(crate) fn function(aws: &Aws, name: String) -> Self {
        let client = aws.lambda();
        Self::Function { client, name }
    }

    /// The engine of purge on a directory of this machine; `settings` beside the root.
    pub(crate) fn purge(
        root: &str,
        settings: &[(&str, String)],
        show: Show,
    ) -> Result<Self, Error> {
        let mut config = purge::Config::parse(|name| match name {
            "PURGE_ROOT" => Some(root.to_owned()),
            name => {
                let set = settings.iter().find(|(known, _)| *known == name);
                set.map(|(_, value)| value.clone())
            }
        })?;
        config.progress_every = show.progress_every();
        let (telemetry, _) = Telemetry::new(config.telemetry.clone(), std::io::sink());
        Ok(Self::Purge(Box::new(purge::App::new(config, telemetry))))
    }

    /// The engine of count on a directory of this machine.
    pub(crate) fn count(root: &str, show: Show) -> Result<Self, Error> {
        let lookup = |name: &str| (name == "COUNT_ROOT").then(|| root.to_owned());
        let mut config = count::Config::parse(lookup)?;
        config.progress_every = show.progress_every();
        let (telemetry, _) = Telemetry::new(config.telemetry.clone(), std::io::sink());
        Ok(Self::Count(Box::new(count::App::new(config, telemetry))))
    }

    /// Who it is, for messages.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Function { name, .. } => name,
            Self::Purge(_) | Self::Count(_) => HERE,
        }
    }

    /// Asks once.
    pub(crate) async fn ask(&self, payload: Value) -> Result<Value, Error> {
        match self {
            Self::Function { client, name } => invoke(client, name, &payload).await,
            Self::Purge(app) => {
                let answer = app.handle(event(payload)).await;
                answer.map_err(|error| failed(HERE, error.label(), error_chain(&error)))
            }
            Self::Count(app) => {
                let answer = app.handle(event(payload)).await;
                answer.map_err(|error| failed(HERE, error.label(), error_chain(&error)))
            }
        }
    }
}

/// A directory of this machine, with all links resolved: what is asked about is what is meant.
pub(crate) fn resolved(root: &Path) -> Result<String, Error> {
    let path = std::fs::canonicalize(root).map_err(|source| Error::Path {
        path: root.display().to_string(),
        source,
    })?;
    let is_text = path.to_str().map(str::to_owned);
    is_text.ok_or_else(|| Error::Usage(format!("{} is not UTF-8", path.display())))
}

fn failed(name: &str, label: &str, detail: String) -> Error {
    Error::Function {
        name: name.to_owned(),
        label: label.to_owned(),
        detail,
    }
}

/// As Lambda would hand it over.
fn event(payload: Value) -> LambdaEvent<Value> {
    let mut context = Context::default();
    context.request_id = format!("sluice-{}", std::process::id());
    context.deadline = epoch_ms(SystemTime::now() + SLICE);
    LambdaEvent::new(payload, context)
}

/// Asked once: a repeated call would start a second one beside the first.
async fn invoke(client: &Client, name: &str, payload: &Value) -> Result<Value, Error> {
    let timeouts = TimeoutConfig::builder().read_timeout(ANSWER_WITHIN).build();
    let patient = aws_sdk_lambda::config::Config::builder()
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    let asked = client
        .invoke()
        .function_name(name)
        .payload(Blob::new(payload.to_string()));
    let answer = asked.customize().config_override(patient).send().await;
    let answer = answer.map_err(|error| Error::service("Invoke", name, &error))?;
    let payload = answer.payload.unwrap_or_else(|| Blob::new(Vec::new()));
    let value: Option<Value> = serde_json::from_slice(payload.as_ref()).ok();
    match (answer.function_error, value) {
        (None, Some(value)) => Ok(value),
        (None, None) => Err(Error::NotUnderstood {
            what: format!("function {name}"),
        }),
        (Some(kind), value) => {
            let value = value.unwrap_or_default();
            let text = |field: &str| value[field].as_str().map(str::to_owned);
            Err(failed(
                name,
                &text("errorType").unwrap_or(kind),
                text("errorMessage").unwrap_or_else(|| "it says no more".to_owned()),
            ))
        }
    }
}
