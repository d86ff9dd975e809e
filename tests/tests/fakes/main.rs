//! The fakes themselves, driven by the real SDK clients and by clients that misbehave on purpose.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

mod conditions;
mod expressions;
mod faults;
mod function;
mod listings;
mod multipart;
mod queues;
mod runtime_api;
mod s3;
mod sqs;
mod tables;

use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;

/// Far beyond what any step here takes; only a failing test waits so long.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Code of a service error: what an operator would see first.
fn code<T, E: ProvideErrorMetadata, R>(answer: Result<T, SdkError<E, R>>) -> String {
    match answer {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}

/// Status of a service error, where the code got lost, as after a `HEAD`.
fn status<T, E>(
    answer: Result<T, SdkError<E, aws_sdk_s3::config::http::HttpResponse>>,
) -> Option<u16> {
    Some(answer.err()?.raw_response()?.status().as_u16())
}

async fn text(output: GetObjectOutput) -> String {
    String::from_utf8(output.body.collect().await.unwrap().to_vec()).unwrap()
}
