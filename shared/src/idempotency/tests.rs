use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use serde_json::json;
use tempfile::TempDir;

use super::*;

const KEEP: Duration = Duration::from_hours(1);

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn until(second: u64) -> Deadline {
    Deadline::from_epoch_ms(second * 1_000)
}

/// What another environment of the same function would see: its own cache, the same records.
fn process(root: &TempDir) -> Idempotency<FileStore> {
    Idempotency::new(
        FileStore::new(root.path().join(".sluice/idempotency")),
        "purge",
        KEEP,
    )
}

async fn lease<S: Store>(
    work: &Idempotency<S>,
    deadline: Deadline,
    now: SystemTime,
) -> Lease<'_, S> {
    match work.begin("k", "h", deadline, now).await.unwrap() {
        Begin::Run(lease) => lease,
        Begin::Replay(result) => panic!("replayed {result}"),
    }
}

async fn replayed<S: Store>(work: &Idempotency<S>, now: SystemTime) -> Value {
    match work.begin("k", "h", until(0), now).await.unwrap() {
        Begin::Run(_) => panic!("ran again"),
        Begin::Replay(result) => result,
    }
}

async fn refused<S: Store>(work: &Idempotency<S>, hash: &str, now: SystemTime) -> IdempotencyError {
    work.begin("k", hash, until(100_000), now)
        .await
        .err()
        .unwrap()
}

#[test]
fn work_runs_once_and_every_duplicate_gets_its_result() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let (ours, other) = (process(&root), process(&root));
        let running = lease(&ours, until(900), at(0)).await;
        for work in [&ours, &other] {
            let error = refused(work, "h", at(899)).await;
            assert!(
                matches!(error, IdempotencyError::AlreadyInProgress { .. }) && error.is_retryable()
            );
        }
        running
            .complete(json!({"files_purged": 3}), at(899))
            .await
            .unwrap();
        for work in [&ours, &other, &process(&root)] {
            assert_eq!(replayed(work, at(901)).await, json!({"files_purged": 3}));
        }
    });
}

#[test]
fn of_two_that_begin_at_once_one_runs() {
    let root = tempfile::tempdir().unwrap();
    let (ours, other) = (process(&root), process(&root));
    let begin = |work| Idempotency::begin(work, "k", "h", until(900), at(0));
    let both = block_on(async { futures_util::future::join(begin(&ours), begin(&other)).await });
    assert_eq!(
        [&both.0, &both.1]
            .iter()
            .filter(|begun| matches!(begun, Ok(Begin::Run(_))))
            .count(),
        1
    );
}

#[test]
fn a_crashed_run_is_free_when_its_window_ends_and_cannot_end_afterwards() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let (crashed, other) = (process(&root), process(&root));
        let late = lease(&crashed, until(900), at(0)).await;
        let error = refused(&other, "h", at(899)).await;
        assert!(matches!(error, IdempotencyError::AlreadyInProgress { .. }));
        lease(&other, until(1_800), at(900))
            .await
            .complete(json!("other"), at(901))
            .await
            .unwrap();
        let error = late.complete(json!("late"), at(902)).await.unwrap_err();
        assert!(matches!(error, IdempotencyError::LeaseLost { .. }) && error.is_retryable());
        assert_eq!(replayed(&crashed, at(903)).await, json!("other"));
    });
}

#[test]
fn no_time_left_takes_no_lease_and_locks_nobody_out() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let work = process(&root);
        for deadline in [0, 99, 100] {
            let error = work
                .begin("k", "h", until(deadline), at(100))
                .await
                .err()
                .unwrap();
            assert!(matches!(error, IdempotencyError::NoTimeLeft { .. }) && error.is_retryable());
        }
        let _lease = lease(&work, until(101), at(100)).await;
    });
}

#[test]
fn released_work_is_free_at_once() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let work = process(&root);
        lease(&work, until(900), at(0))
            .await
            .release(at(1))
            .await
            .unwrap();
        let late = lease(&work, until(2), at(1)).await;
        let _next = lease(&work, until(900), at(2)).await;
        late.release(at(3)).await.unwrap();
        assert!(matches!(
            refused(&work, "h", at(4)).await,
            IdempotencyError::AlreadyInProgress { .. }
        ));
    });
}

#[test]
fn a_completed_key_with_another_payload_is_a_mistake_also_from_the_cache() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let work = process(&root);
        lease(&work, until(900), at(0))
            .await
            .complete(json!(1), at(1))
            .await
            .unwrap();
        for work in [&work, &process(&root)] {
            let error = refused(work, "other", at(2)).await;
            assert!(
                matches!(error, IdempotencyError::PayloadMismatch { .. }) && !error.is_retryable()
            );
        }
    });
}

#[test]
fn an_expired_result_is_not_replayed_also_from_the_cache() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let work = process(&root);
        lease(&work, until(900), at(0))
            .await
            .complete(json!(1), at(400))
            .await
            .unwrap();
        assert_eq!(replayed(&work, at(3_999)).await, json!(1));
        let _lease = lease(&work, until(5_000), at(4_000)).await;
    });
}

#[test]
fn the_cache_holds_completed_work_only_and_spares_the_store() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let (ours, other) = (process(&root), process(&root));
        lease(&ours, until(900), at(0))
            .await
            .complete(json!(1), at(1))
            .await
            .unwrap();
        assert_eq!(replayed(&other, at(2)).await, json!(1));
        std::fs::remove_dir_all(root.path().join(".sluice")).unwrap();
        for work in [&ours, &other] {
            assert_eq!(replayed(work, at(2)).await, json!(1));
        }
        let _lease = lease(&process(&root), until(900), at(2)).await;
        assert!(
            ours.completed()
                .iter()
                .all(|(_, record)| record.status == Status::Completed)
        );
    });
}

#[test]
fn two_functions_may_share_a_store() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let store = || FileStore::new(root.path());
        let (purge, monitor) = (
            Idempotency::new(store(), "purge", KEEP),
            Idempotency::new(store(), "monitor", KEEP),
        );
        let _purge = lease(&purge, until(900), at(0)).await;
        let _monitor = lease(&monitor, until(900), at(0)).await;
    });
}

#[test]
fn what_is_no_record_is_neither_free_nor_retried() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let _lease = lease(&process(&root), until(900), at(0)).await;
        let folder = root
            .path()
            .join(".sluice/idempotency")
            .join(hashed("purge#k"));
        std::fs::write(folder.join("1"), "{}").unwrap();
        let error = refused(&process(&root), "h", at(1)).await;
        assert!(matches!(error, IdempotencyError::Store { .. }) && !error.is_retryable());
    });
}

/// Declines writes nobody competes with, as S3 may (409), or accepts one and says it did not, as a lost answer does.
struct Moody {
    store: FileStore,
    declines: AtomicUsize,
    accepts: bool,
}

impl Store for Moody {
    type Version = <FileStore as Store>::Version;

    async fn load(&self, id: &str) -> Result<Option<(Record, Self::Version)>, StoreError> {
        self.store.load(id).await
    }

    async fn compare_and_set(
        &self,
        id: &str,
        expected: Option<&Self::Version>,
        record: &Record,
    ) -> Result<Option<Self::Version>, StoreError> {
        let declined = expected.is_some()
            && self
                .declines
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                })
                .is_ok();
        if declined && !self.accepts {
            return Ok(None);
        }
        let written = self.store.compare_and_set(id, expected, record).await?;
        Ok(written.filter(|_| !declined))
    }
}

#[test]
fn a_declined_end_is_written_again_and_one_that_arrived_is_believed() {
    for (declines, accepts, ends) in [(2, false, true), (3, false, false), (1, true, true)] {
        let root = tempfile::tempdir().unwrap();
        let store = Moody {
            store: FileStore::new(root.path()),
            declines: declines.into(),
            accepts,
        };
        let work = Idempotency::new(store, "purge", KEEP);
        block_on(async {
            let ended = lease(&work, until(900), at(0))
                .await
                .complete(json!(1), at(1))
                .await;
            assert_eq!(ended.is_ok(), ends, "{declines} {accepts}");
        });
    }
}

#[test]
fn beginning_and_ending_can_be_sent_between_threads() {
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let root = tempfile::tempdir().unwrap();
    let work = process(&root);
    block_on(async {
        let Begin::Run(lease) = sent(work.begin("k", "h", until(900), at(0))).await.unwrap() else {
            panic!("replayed")
        };
        sent(lease.complete(json!(1), at(1))).await.unwrap();
    });
}
