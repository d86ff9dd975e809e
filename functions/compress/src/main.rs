//! The Lambda function `compress`: reads the environment, builds the clients, serves.

use std::error::Error;

use aws_config::BehaviorVersion;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use compress::{App, Config};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use shared::telemetry::Telemetry;

// One thread runs all waiting; each object's codec has its own. Lambda gives such a function less than a core.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = Config::parse(|name| std::env::var(name).ok())?;
    let telemetry = Telemetry::install(config.telemetry.clone())?;
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let aws = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .load()
        .await;
    let app = App::new(
        aws_sdk_s3::Client::new(&aws),
        aws_sdk_sqs::Client::new(&aws),
        config,
        telemetry,
    );
    let app = &app;
    let handle = service_fn(|event: LambdaEvent<Value>| async move {
        app.handle(event).await.map_err(Diagnostic::from)
    });
    lambda_runtime::run(handle).await
}
