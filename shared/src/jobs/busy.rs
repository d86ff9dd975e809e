//! A table that is busy is asked again, for as long as the caller has time.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use tokio::time::{Instant, sleep};

/// Longest wait before the second request; it doubles with each one, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(400);

/// Asks until the answer is another one than that the table is busy, or until the next request would be after `end`: then
/// the last refusal is the answer. `ask` must have changed nothing when it is refused so.
///
/// The SDK repeats a throttled request twice, and one that meets a transaction not at all. An answer that does not come is
/// waited for beyond `end`.
pub async fn ask_until<T, E, R, F>(end: Instant, ask: impl Fn() -> F) -> Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata,
    F: Future<Output = Result<T, SdkError<E, R>>>,
{
    let mut longest = FIRST;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let wait = jittered(longest);
        if !error.code().is_some_and(is_busy) || end <= Instant::now() + wait {
            return Err(error);
        }
        sleep(wait).await;
        longest = longest.saturating_mul(2).min(LONGEST);
    }
}

/// From half of `longest` to all of it, so that those who met do not meet again.
fn jittered(longest: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) & 0xffff;
    let share = u32::try_from(random).unwrap_or(0);
    longest / 2 + longest / 2 * share / 0xffff
}

/// Source: `DynamoDB` developer guide, "Error handling", and API reference, "`UpdateItem`".
pub(super) fn is_busy(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "TransactionConflictException"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_from_half_to_all() {
        let waits: Vec<_> = (0..50).map(|_| jittered(LONGEST)).collect();
        assert!(
            waits
                .iter()
                .all(|wait| (LONGEST / 2..=LONGEST).contains(wait)),
            "{waits:?}"
        );
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }

    #[test]
    fn a_refusal_for_good_is_not_busy() {
        for code in [
            "ConditionalCheckFailedException",
            "AccessDeniedException",
            "ValidationException",
        ] {
            assert!(!is_busy(code), "{code}");
        }
    }
}
