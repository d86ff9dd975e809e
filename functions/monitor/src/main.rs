//! The Lambda function `monitor`: reads the environment, builds the clients, serves.

// The future of a tick is nested deeper than the default of 128: six of the SDK's clients one in another.
#![recursion_limit = "256"]

use std::process::ExitCode;

use aws_config::BehaviorVersion;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use monitor::{App, Clients, Config};
use serde_json::Value;
use shared::telemetry::{Telemetry, failure, refusal_to_start};

// One thread: a tick waits, it does not work.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let config = match Config::parse(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(mistakes) => return refusal_to_start("monitor", &mistakes),
    };
    let Ok(telemetry) = Telemetry::install(config.telemetry.clone()) else {
        return ExitCode::FAILURE;
    };
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let aws = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .load()
        .await;
    let app = App::new(Clients::new(&aws), config, telemetry);
    let app = &app;
    let handle = |event: LambdaEvent<Value>| async move {
        app.handle(event).await.map_err(Diagnostic::from)
    };
    match lambda_runtime::run(service_fn(handle)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure("runtime", &*error),
    }
}
