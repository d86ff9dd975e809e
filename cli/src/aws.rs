//! What is called: one configuration, a client for each service, the queues of a stack.

use std::ffi::OsString;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sqs::config::SharedHttpClient;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use shared::jobs::Jobs;

use crate::error::Error;
use crate::names::{Stack, machine_arn};

/// How long an answer may take to begin, but for that of a function.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The SDK's settings.
pub(crate) struct Aws {
    config: SdkConfig,
}

/// Names a file of certificates to trust instead of the system's, as for the AWS CLI. The SDK for Rust does not read it.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// How each certificate in such a file begins.
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// A queue, as it answers for itself.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) arn: String,
    /// About how many messages could be received when it was asked.
    pub(crate) messages: u64,
}

const MESSAGES: QueueAttributeName = QueueAttributeName::ApproximateNumberOfMessages;

impl Queue {
    /// About how many messages can be received now.
    pub(crate) async fn messages_now(&self, client: &aws_sdk_sqs::Client) -> Result<u64, Error> {
        let asked = client.get_queue_attributes().queue_url(&self.url);
        let answer = asked.attribute_names(MESSAGES).send().await;
        let answer =
            answer.map_err(|error| Error::service("GetQueueAttributes", &self.name, &error))?;
        let count = answer
            .attributes
            .as_ref()
            .and_then(|all| all.get(&MESSAGES));
        let count = count.and_then(|text| text.parse().ok());
        count.ok_or_else(|| Error::NotUnderstood {
            what: format!("queue {}", self.name),
        })
    }
}

impl Aws {
    /// Reads environment, profiles and whatever else says who asks and where.
    pub(crate) async fn load() -> Result<Self, Error> {
        let http = http(std::env::var_os(CA_BUNDLE))?;
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .timeout_config(TimeoutConfig::builder().read_timeout(READ_TIMEOUT).build())
            .load()
            .await;
        if config.region().is_none() {
            let words = "no region: set AWS_REGION, or AWS_PROFILE to a profile that has one";
            return Err(Error::Usage(words.to_owned()));
        }
        Ok(Self { config })
    }

    /// The same error, if it is not that there is no such stack.
    pub(crate) fn in_stack(&self, stack: &Stack, error: Error) -> Error {
        let region = self
            .config
            .region()
            .map_or("none", |region| region.as_ref());
        error.in_stack(stack, region)
    }

    /// Queues.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// State machines.
    pub(crate) fn sfn(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.config)
    }

    /// Functions.
    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    /// The records of a stack's back-fills.
    pub(crate) fn jobs(&self, stack: &Stack) -> Jobs {
        let client = aws_sdk_dynamodb::Client::new(&self.config);
        Jobs::new(client, stack.backfill())
    }

    /// A queue by its name.
    pub(crate) async fn queue(&self, name: &str) -> Result<Queue, Error> {
        let sqs = self.sqs();
        let found = sqs.get_queue_url().queue_name(name).send().await;
        let found = found.map_err(|error| Error::service("GetQueueUrl", name, &error))?;
        let not_understood = || Error::NotUnderstood {
            what: format!("queue {name}"),
        };
        let url = found.queue_url.ok_or_else(not_understood)?;
        let (arn, messages) = (QueueAttributeName::QueueArn, MESSAGES);
        let asked = sqs
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(arn.clone())
            .attribute_names(messages.clone());
        let answer = asked.send().await;
        let answer = answer.map_err(|error| Error::service("GetQueueAttributes", name, &error))?;
        let mut attributes = answer.attributes.unwrap_or_default();
        let count = attributes.get(&messages).and_then(|text| text.parse().ok());
        Ok(Queue {
            name: name.to_owned(),
            url,
            arn: attributes.remove(&arn).ok_or_else(not_understood)?,
            messages: count.unwrap_or(0),
        })
    }

    /// The ARN of a state machine of the stack: it is where the stack's queue is.
    pub(crate) async fn machine(&self, stack: &Stack, machine: &str) -> Result<String, Error> {
        let queue = self.queue(&stack.queue()).await;
        let queue = queue.map_err(|error| self.in_stack(stack, error))?;
        machine_arn(&queue.arn, machine).ok_or_else(|| Error::NotUnderstood {
            what: format!("queue {}", queue.name),
        })
    }
}

/// HTTPS, trusting the system's certificates or those of `ca_bundle`.
fn http(ca_bundle: Option<OsString>) -> Result<SharedHttpClient, Error> {
    let https = aws_smithy_http_client::Builder::new();
    let https = https.tls_provider(Provider::Rustls(CryptoMode::Ring));
    let Some(path) = ca_bundle.filter(|path| !path.is_empty()) else {
        return Ok(https.build_https());
    };
    let shown = format!("{CA_BUNDLE} {}", path.display());
    let failed = |source| Error::Path {
        path: shown.clone(),
        source,
    };
    let bundle = std::fs::read(&path).map_err(failed)?;
    // The client does not say that it trusts nobody, it ends the process.
    if !bundle.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Err(Error::Usage(format!("{shown} has no certificate")));
    }
    let trusted = TrustStore::empty().with_pem_certificate(bundle);
    let context = TlsContext::builder().with_trust_store(trusted).build();
    let unusable = |error| failed(std::io::Error::other(error));
    Ok(https.tls_context(context.map_err(unusable)?).build_https())
}
