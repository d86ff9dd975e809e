//! The Lambda function `purge`: reads the environment, serves.

use std::process::ExitCode;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use purge::{App, Config};
use serde_json::Value;
use shared::env::Vars;
use shared::telemetry::{Settings, Telemetry, error_chain};

// One thread talks to Lambda; the walk has its own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let config = match Config::parse(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => {
            let defaults = Settings::read(&mut Vars::new(|_: &str| None), "purge");
            return match Telemetry::install(defaults) {
                Ok(_) => fail("bad configuration", &error),
                Err(_) => ExitCode::FAILURE,
            };
        }
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
        Err(error) => fail("runtime", &*error),
    }
}

fn fail(message: &'static str, error: &(dyn std::error::Error + 'static)) -> ExitCode {
    tracing::error!(error = error_chain(error), "{message}");
    ExitCode::FAILURE
}
