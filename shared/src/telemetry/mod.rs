//! Log lines and metrics: one JSON object per line, sampled per invocation, complete when something fails.
//!
//! An invocation that is sampled writes from DEBUG on. One that is not writes warnings and errors, and keeps the rest
//! back in a ring of 20,480 bytes: its first error brings that out, and from then on every line is written. All of this
//! lives in the invocation's span, so invocations may overlap; a thread or a spawned task belongs to the invocation if
//! it carries the span (`tracing::Instrument`, `Span::in_scope`). What is not caught: an invocation that runs into its
//! timeout takes its ring with it.

use std::any::Any;
use std::error::Error;
use std::io::Write;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use futures_util::FutureExt;
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Instrument, Level, Span, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use self::layer::{Lines, Output};
use self::metric::{Origin, documents};
use crate::batch::panic_message;
use crate::env::{EnvError, Vars};

mod layer;
mod line;
mod metric;
mod ring;
mod sampling;
mod settings;
#[cfg(test)]
mod tests;

pub use self::line::error_chain;
pub use self::metric::Metric;
pub use self::settings::Settings;

const TARGET: &str = "shared::telemetry";
const INVOCATION_SPAN: &str = "invocation";

/// Writes metrics and opens invocations; cheap to clone.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    settings: Settings,
    output: Arc<Output>,
    cold: AtomicBool,
}

impl Telemetry {
    /// Sends the process's log lines to standard output; once per process.
    pub fn install(settings: Settings) -> Result<Self, SetGlobalDefaultError> {
        let (telemetry, subscriber) = Self::new(settings, std::io::stdout());
        tracing::subscriber::set_global_default(subscriber)?;
        Ok(telemetry)
    }

    /// The same over any writer; the lines are those of the code that the returned subscriber is the default of.
    pub fn new(
        settings: Settings,
        writer: impl Write + Send + 'static,
    ) -> (Self, impl Subscriber + Send + Sync + 'static) {
        let output = Arc::new(Output::new(writer));
        let level = if settings.sample_all {
            settings.level.max(Level::DEBUG)
        } else {
            settings.level
        };
        let lines = Lines {
            service: settings.service.clone(),
            level,
            output: Arc::clone(&output),
        };
        let inner = Inner {
            settings,
            output,
            cold: AtomicBool::new(true),
        };
        (Self(Arc::new(inner)), Registry::default().with(lines))
    }

    /// Opens the invocation `request_id`; the first one of the process is a cold start and counts as such.
    #[must_use]
    pub fn invocation(&self, request_id: &str, xray_trace_id: Option<&str>) -> Invocation {
        let cold_start = self.0.cold.swap(false, Ordering::Relaxed);
        if cold_start {
            self.metrics(&[Metric::count("ColdStart", 1)]);
        }
        let settings = &self.0.settings;
        let sampled = settings.sample_all || sampling::is_sampled(request_id, settings.sample_rate);
        // At the level that no filter turns off: without the span there is no invocation.
        let span = tracing::span!(
            target: TARGET,
            parent: None,
            Level::ERROR,
            INVOCATION_SPAN,
            function_request_id = request_id,
            cold_start,
            sampled,
            xray_trace_id,
        );
        Invocation { span }
    }

    /// Writes `metrics`, normally as one line; nothing when there are none.
    pub fn metrics(&self, metrics: &[Metric]) {
        let Settings {
            service,
            namespace,
            level,
            ..
        } = &self.0.settings;
        let origin = Origin {
            namespace,
            service,
            floor: *level,
        };
        for document in documents(metrics, &origin, SystemTime::now()) {
            self.0.output.write(&line::render(&document));
        }
    }
}

/// Says why a process ends that cannot go on, and is its exit code.
#[must_use]
pub fn failure(message: &'static str, error: &(dyn Error + 'static)) -> ExitCode {
    tracing::error!(error = error_chain(error), "{message}");
    ExitCode::FAILURE
}

/// The same for a process that does not start, with its logs as they are by default: its own settings are the mistake.
#[must_use]
pub fn refusal_to_start(service: &str, mistakes: &EnvError) -> ExitCode {
    let defaults = Settings::read(&mut Vars::new(|_: &str| None), service);
    match Telemetry::install(defaults) {
        Ok(_) => failure("bad configuration", mistakes),
        Err(error) => failure("logs", &error),
    }
}

/// One invocation, from its request to its answer.
pub struct Invocation {
    span: Span,
}

impl Invocation {
    /// Runs `future` as this invocation: every line from inside carries its fields.
    ///
    /// A panic is an error line, with everything kept back before it, and goes on to the runtime.
    pub async fn run<F: Future>(self, future: F) -> F::Output {
        let caught = AssertUnwindSafe(future).catch_unwind();
        let output = caught.instrument(self.span.clone()).await;
        output.unwrap_or_else(|payload| self.fail(payload))
    }

    fn fail<T>(&self, payload: Box<dyn Any + Send>) -> T {
        let panic = panic_message(payload.as_ref());
        self.span
            .in_scope(|| tracing::error!(error = panic, "the invocation panicked"));
        resume_unwind(payload)
    }
}
