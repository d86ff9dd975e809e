//! The sensor: the function `count`, asked when the cache will not do.

use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use scaling::cache::{CachedCount, Whose};
use scaling::count::{Counted, RESUME_BYTES_MAX, Sensed};
use serde_json::json;
use shared::telemetry::error_chain;

use crate::clients::Clients;
use crate::config::Config;
use crate::refusal::{Refusal, class_of};

/// Most that is kept back of the tick's time for everything but the count; a third, if that is less.
const KEPT_BACK_MAX: Duration = Duration::from_secs(30);

/// How long a count may take, of what is left to the tick.
#[must_use]
pub fn time_for(remaining: Duration) -> Duration {
    remaining.saturating_sub(KEPT_BACK_MAX.min(remaining / 3))
}

/// What came of asking.
#[derive(Debug)]
pub enum Asked {
    /// A count, complete or not, and what is to be kept of it.
    Counted(Box<CachedCount>, Sensed),
    /// None, for a reason that may pass.
    Unknown(&'static str),
    /// None, and only someone can help.
    Refused(Refusal),
}

/// Whose count it is.
#[must_use]
pub fn whose(config: &Config) -> Whose<'_> {
    Whose {
        file_system_id: &config.file_system_id,
        count_function: &config.count_function,
    }
}

/// Asks for a count, or for the rest of one; an answer comes `within` this time or not at all.
///
/// It is asked once: a repeated call would start a second count next to the first.
pub async fn ask(
    clients: &Clients,
    config: &Config,
    before: Option<&CachedCount>,
    within: Duration,
    clock: impl Fn() -> SystemTime,
) -> Asked {
    if within.is_zero() {
        return Asked::Unknown("no time is left to count");
    }
    let resume = before.and_then(|before| before.resume.as_deref());
    let payload = match resume {
        Some(token) => json!({"resume_max_bytes": RESUME_BYTES_MAX, "resume": token}),
        None => json!({"resume_max_bytes": RESUME_BYTES_MAX}),
    };
    let patient = aws_sdk_lambda::config::Config::builder()
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().read_timeout(within).build());
    let asked = clients
        .lambda
        .invoke()
        .function_name(&config.count_function);
    let asked = asked.payload(Blob::new(payload.to_string()));
    match asked.customize().config_override(patient).send().await {
        Ok(answer) => match (answer.function_error, answer.payload) {
            (None, Some(payload)) => understood(payload.as_ref(), config, before, clock()),
            (None, None) => Asked::Unknown("the function that counts answered nothing"),
            (Some(_), payload) => failed(payload, before),
        },
        Err(error) => {
            let refusal = Refusal::new("Invoke", error);
            if class_of(&refusal).is_for_someone() {
                return Asked::Refused(refusal);
            }
            tracing::warn!(error = error_chain(&refusal), "not counted");
            Asked::Unknown("the function that counts did not answer")
        }
    }
}

fn understood(
    payload: &[u8],
    config: &Config,
    before: Option<&CachedCount>,
    now: SystemTime,
) -> Asked {
    match serde_json::from_slice::<Counted>(payload) {
        Ok(counted) => {
            let (cached, sensed) = counted.keep(&whose(config), before, now);
            Asked::Counted(Box::new(cached), sensed)
        }
        Err(error) => {
            tracing::warn!(error = %error, "the count is not understood");
            Asked::Unknown("the answer of the function that counts is not understood")
        }
    }
}

/// A token that was refused would be refused again: the count begins anew then, and only then.
fn failed(payload: Option<Blob>, before: Option<&CachedCount>) -> Asked {
    let payload = payload.map(Blob::into_inner).unwrap_or_default();
    let error: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
    let error_type = error["errorType"].as_str().unwrap_or_default();
    tracing::warn!(
        error_type,
        error = error["errorMessage"].as_str(),
        "the function that counts failed"
    );
    let reason = "the function that counts failed";
    match before {
        Some(before) if error_type == "BadToken" => {
            let forgotten = CachedCount {
                resume: None,
                ..before.clone()
            };
            Asked::Counted(Box::new(forgotten), Sensed::unknown(reason))
        }
        _ => Asked::Unknown(reason),
    }
}
