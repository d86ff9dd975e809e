//! `shared::idempotency` over S3 conditional writes: one holder at a time, whatever S3 answers.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use shared::Retryable;
use shared::deadline::Deadline;
use shared::idempotency::{Begin, Idempotency, IdempotencyError, S3Store};
use tests::compressor::BUCKET;
use tests::fake_aws::{FakeAws, Fault, Operation};

const DAY: Duration = Duration::from_hours(24);

fn bucket() -> FakeAws {
    let fake = FakeAws::start();
    fake.bucket(BUCKET, false);
    fake
}

/// A process of its own: nothing is cached in common.
fn process(fake: &FakeAws) -> Idempotency<S3Store> {
    Idempotency::new(
        S3Store::new(fake.s3_client(), BUCKET, "leases/"),
        "purge",
        DAY,
    )
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

fn deadline(after: Duration) -> Deadline {
    let epoch = (now() + after).duration_since(UNIX_EPOCH).unwrap();
    Deadline::from_epoch_ms(u64::try_from(epoch.as_millis()).unwrap())
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_result_is_replayed_by_another_process() {
    let fake = bucket();
    let one = process(&fake);
    let Begin::Run(lease) = one
        .begin("sweep", "payload", deadline(MINUTE), now())
        .await
        .unwrap()
    else {
        panic!("nobody ran before")
    };
    lease.complete(json!({"files": 7}), now()).await.unwrap();
    let two = process(&fake);
    let again = two
        .begin("sweep", "payload", deadline(MINUTE), now() + MINUTE)
        .await
        .unwrap();
    assert!(matches!(again, Begin::Replay(result) if result == json!({"files": 7})));
    let other = two
        .begin("sweep", "other payload", deadline(MINUTE), now())
        .await;
    assert!(matches!(
        other,
        Err(IdempotencyError::PayloadMismatch { .. })
    ));
}

#[tokio::test]
async fn of_many_takers_one_runs() {
    let fake = bucket();
    let processes: Vec<_> = (0..8).map(|_| process(&fake)).collect();
    let takers = processes
        .iter()
        .map(|process| process.begin("sweep", "payload", deadline(MINUTE), now()));
    let results = futures_util::future::join_all(takers).await;
    let running = results
        .iter()
        .filter(|result| matches!(result, Ok(Begin::Run(_))))
        .count();
    assert_eq!(running, 1);
    let refused = results.iter().filter_map(|result| result.as_ref().err());
    assert!(refused.clone().all(Retryable::is_retryable));
    assert_eq!(refused.count(), 7);
}

#[tokio::test]
async fn a_holder_that_died_is_followed_after_its_deadline_and_not_before() {
    let fake = bucket();
    let one = process(&fake);
    let dead = one
        .begin("sweep", "payload", deadline(MINUTE), now())
        .await
        .unwrap();
    let two = process(&fake);
    let early = two
        .begin("sweep", "payload", deadline(MINUTE * 2), now() + MINUTE / 2)
        .await;
    assert!(matches!(
        early,
        Err(IdempotencyError::AlreadyInProgress { .. })
    ));
    let late = now() + MINUTE + Duration::from_secs(1);
    let next = two
        .begin("sweep", "payload", deadline(MINUTE * 3), late)
        .await
        .unwrap();
    let (Begin::Run(dead), Begin::Run(next)) = (dead, next) else {
        panic!("both hold a lease")
    };
    assert!(matches!(
        dead.complete(json!(1), late).await,
        Err(IdempotencyError::LeaseLost { .. })
    ));
    next.complete(json!(2), late).await.unwrap();
}

#[tokio::test]
async fn a_release_lets_the_next_one_run_at_once() {
    let fake = bucket();
    let one = process(&fake);
    let Begin::Run(lease) = one
        .begin("sweep", "payload", deadline(MINUTE), now())
        .await
        .unwrap()
    else {
        panic!("nobody ran before")
    };
    lease.release(now()).await.unwrap();
    let next = process(&fake);
    let begun = next
        .begin("sweep", "payload", deadline(MINUTE), now())
        .await
        .unwrap();
    assert!(matches!(begun, Begin::Run(_)));
}

#[tokio::test]
async fn a_lease_whose_answer_was_lost_is_still_one_lease() {
    for fault in [
        Fault::on(Operation::PutObject).answer_after_effect(500, "InternalError"),
        Fault::on(Operation::PutObject).answer(409, "ConditionalRequestConflict"),
    ] {
        let fake = bucket();
        fake.fault(fault);
        let (one, two) = (process(&fake), process(&fake));
        let results = [
            one.begin("sweep", "payload", deadline(MINUTE), now()).await,
            two.begin("sweep", "payload", deadline(MINUTE), now()).await,
        ];
        let running = results
            .iter()
            .filter(|result| matches!(result, Ok(Begin::Run(_))))
            .count();
        assert!(running <= 1, "{running} run at once");
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_gives_no_lease() {
    let fake = bucket();
    fake.fault(
        Fault::on(Operation::GetObject)
            .forever()
            .answer(503, "SlowDown"),
    );
    fake.fault(
        Fault::on(Operation::PutObject)
            .forever()
            .answer(503, "SlowDown"),
    );
    let process = process(&fake);
    let result = process
        .begin("sweep", "payload", deadline(MINUTE), now())
        .await;
    assert!(matches!(result, Err(error @ IdempotencyError::Store { .. }) if error.is_retryable()));
}
