//! The Lambda function `compress`: reads the environment, builds the clients, serves.

use std::process::ExitCode;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use compress::{App, Config};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use shared::jobs::Jobs;
use shared::telemetry::{Telemetry, failure, refusal_to_start};

/// How long an answer may take to begin, once its request is on the way. The SDK's own default is for ever, and a
/// write without an answer is looked after only when it has none.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

// One thread runs all waiting; each object's codec has its own. Lambda gives such a function less than a core.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let config = match Config::parse(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(mistakes) => return refusal_to_start("compress", &mistakes),
    };
    let Ok(telemetry) = Telemetry::install(config.telemetry.clone()) else {
        return ExitCode::FAILURE;
    };
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let aws = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(TimeoutConfig::builder().read_timeout(READ_TIMEOUT).build())
        .load()
        .await;
    let (s3, sqs) = (
        aws_sdk_s3::Client::new(&aws),
        aws_sdk_sqs::Client::new(&aws),
    );
    let jobs = config
        .jobs_table
        .as_ref()
        .map(|table| Jobs::new(aws_sdk_dynamodb::Client::new(&aws), table));
    let app = App::new(s3, sqs, config, telemetry).with_jobs(jobs);
    let app = &app;
    let handle = |event: LambdaEvent<Value>| async move {
        app.handle(event).await.map_err(Diagnostic::from)
    };
    match lambda_runtime::run(service_fn(handle)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure("runtime", &*error),
    }
}
