//! From an invocation to its action, and from its outcome to an answer.

use std::time::{Duration, SystemTime};

use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::Value;
use shared::Retryable;
use shared::deadline::Deadline;
use shared::telemetry::{Metric, Telemetry, error_chain};
use tokio::time::Instant;

use crate::config::Config;
use crate::context::{Context, Services};
use crate::ending;
use crate::enqueue::enqueue;
use crate::error::BackfillError;
use crate::failure::fail;
use crate::job::Tally;
use crate::request::Request;
use crate::send::Queue;
use crate::start::start;
use crate::table::Table;
use crate::verify::verify;

/// Least and most time kept back before the deadline, in which work is put down and the answer is given.
const MARGIN_MIN: Duration = Duration::from_secs(1);
const MARGIN_MAX: Duration = Duration::from_secs(20);

/// Everything that lives as long as the process.
pub struct App {
    services: Services,
    config: Config,
    telemetry: Telemetry,
}

/// What an invocation did, for its summary line and its metrics.
#[derive(Default)]
struct Report {
    job_id: String,
    enqueued: Tally,
    verified: u64,
}

impl From<BackfillError> for Diagnostic {
    fn from(error: BackfillError) -> Self {
        Self {
            error_type: error.label().to_owned(),
            error_message: error_chain(&error),
        }
    }
}

impl App {
    /// One per process.
    #[must_use]
    pub fn new(
        s3: aws_sdk_s3::Client,
        sqs: aws_sdk_sqs::Client,
        dynamodb: aws_sdk_dynamodb::Client,
        config: Config,
        telemetry: Telemetry,
    ) -> Self {
        let services = Services {
            s3,
            table: Table::new(dynamodb, &config.jobs_table),
            queue: Queue::new(sqs, &config.queue_url, config.enqueue_concurrency),
        };
        Self {
            services,
            config,
            telemetry,
        }
    }

    /// Handles one invocation.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, BackfillError> {
        let LambdaEvent { payload, context } = event;
        let invocation = self
            .telemetry
            .invocation(&context.request_id, context.xray_trace_id.as_deref());
        // What all the calls keep on the stack is better kept on the heap.
        Box::pin(invocation.run(self.answer(payload, &context))).await
    }

    async fn answer(
        &self,
        payload: Value,
        lambda: &lambda_runtime::Context,
    ) -> Result<Value, BackfillError> {
        let (began, now) = (Instant::now(), SystemTime::now());
        let deadline = Deadline::from_epoch_ms(lambda.deadline);
        let context = Context {
            services: &self.services,
            config: &self.config,
            request_id: &lambda.request_id,
            stop_at: began + time_to_work(deadline.remaining(now)),
        };
        let mut report = Report::default();
        let action = act(context, payload, now, &mut report);
        // A service that hangs is found out here, and not by Lambda.
        let answered = tokio::time::timeout(deadline.patience(now), action).await;
        let answered = answered.unwrap_or(Err(BackfillError::TimeUp));
        if let Err(error) = &answered {
            let retryable = error.is_retryable();
            let (job_id, error) = (&report.job_id, error_chain(error));
            tracing::error!(job_id, error, retryable, "invocation failed");
        }
        report.write(&self.telemetry, &answered, began.elapsed());
        answered
    }
}

async fn act(
    context: Context<'_>,
    payload: Value,
    now: SystemTime,
    report: &mut Report,
) -> Result<Value, BackfillError> {
    let request = Request::parse(payload)?;
    request.job_id().clone_into(&mut report.job_id);
    match &request {
        Request::Start(request) => start(context, request, now).await,
        Request::Enqueue(shares) => enqueue(context, shares, &mut report.enqueued).await,
        Request::Listed(asking, timing) => ending::listed(context, asking, *timing, now).await,
        Request::Progress(job_id, timing, seen) => {
            ending::progress(context, job_id, *timing, *seen, now).await
        }
        Request::VerifyStart {
            asking,
            round,
            workers,
        } => ending::verify_start(context, (asking, round), *workers, now).await,
        Request::Verify(shares) => verify(context, shares, now, &mut report.verified).await,
        Request::Conclude {
            asking,
            round,
            is_last,
        } => ending::conclude(context, (asking, round), *is_last, now).await,
        Request::Fail { asking, failure } => fail(context, asking, failure, now).await,
    }
}

impl Report {
    fn write(
        &self,
        telemetry: &Telemetry,
        answered: &Result<Value, BackfillError>,
        took: Duration,
    ) {
        let outcome = match answered {
            Ok(answer) => answer["status"].as_str().unwrap_or("complete"),
            Err(error) => error.label(),
        };
        let Tally {
            listed,
            enqueued,
            left_out,
            archived,
            bytes_listed,
        } = self.enqueued;
        let (job_id, verified) = (&self.job_id, self.verified);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            job_id,
            outcome,
            listed,
            enqueued,
            left_out,
            archived,
            bytes_listed,
            verified,
            duration_ms,
            "invocation"
        );
        telemetry.metrics(&[
            Metric::count("BackfillListed", listed),
            Metric::count("BackfillEnqueued", enqueued),
            Metric::count("BackfillLeftOut", left_out + archived),
            Metric::count("BackfillVerified", verified),
        ]);
        if let Ok(answer) = answered {
            let left = |name: &'static str, field: &str| {
                let number = answer[field].as_u64();
                number.map(|number| Metric::count(name, number))
            };
            let left = [
                left("BackfillRemaining", "remaining"),
                left("BackfillMissingOutputs", "missing_outputs"),
            ];
            telemetry.metrics(&left.into_iter().flatten().collect::<Vec<_>>());
        }
    }
}

/// From now to the point at which everything must be put down: what remains less a tenth, within the margins.
fn time_to_work(remaining: Duration) -> Duration {
    remaining.saturating_sub((remaining / 10).clamp(MARGIN_MIN, MARGIN_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_time_is_kept_back_within_bounds() {
        let work = |seconds| time_to_work(Duration::from_secs(seconds)).as_secs();
        assert_eq!([0, 1, 5, 100, 900].map(work), [0, 0, 4, 90, 880]);
    }
}
