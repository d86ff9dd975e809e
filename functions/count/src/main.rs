//! The Lambda function `count`: reads the environment, serves.

use std::process::ExitCode;

use count::{App, Config};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use shared::telemetry::{Telemetry, failure, refusal_to_start};

// One thread talks to Lambda; the walk has its own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let config = match Config::parse(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(mistakes) => return refusal_to_start("count", &mistakes),
    };
    let Ok(telemetry) = Telemetry::install(config.telemetry.clone()) else {
        return ExitCode::FAILURE;
    };
    let app = App::new(config, telemetry);
    let app = &app;
    let handle = |event: LambdaEvent<Value>| async move {
        app.handle(event).await.map_err(Diagnostic::from)
    };
    match lambda_runtime::run(service_fn(handle)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure("runtime", &*error),
    }
}
