//! The records of one invocation side by side: bounded, in order, and none takes another one down.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};

/// Why one item of a batch has no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure<E> {
    /// The work said so.
    #[error(transparent)]
    Failed(E),
    /// The work panicked; the message is the panic's own.
    #[error("panicked: {0}")]
    Panicked(String),
}

/// Runs `work` over `items`, at most `concurrency` at once, and returns the results in the order of `items`.
///
/// The next item starts as soon as any one ends, not when the oldest does. A panic is caught and fails its own item
/// only (which needs `panic = "unwind"`). All items run on the calling task, so that the current span stays theirs
/// and dropping the future stops them all.
pub async fn process<T, R, E, F, Fut>(
    items: Vec<T>,
    concurrency: NonZeroUsize,
    work: F,
) -> Vec<Result<R, Failure<E>>>
where
    F: Fn(T) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    let mut done = Vec::with_capacity(items.len());
    let mut waiting = items.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < concurrency.get()
            && let Some((index, item)) = waiting.next()
        {
            running.push(run_one(index, &work, item));
        }
        match running.next().await {
            Some(result) => done.push(result),
            None => break,
        }
    }
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

async fn run_one<T, R, E, F, Fut>(index: usize, work: &F, item: T) -> (usize, Result<R, Failure<E>>)
where
    F: Fn(T) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    // Inside the caught block, so that a panic before the first await is caught too. What the item shares with its
    // batch-mates are SDK clients and counters, none left half-changed by an unwinding.
    let caught = AssertUnwindSafe(async move { work(item).await })
        .catch_unwind()
        .await;
    let result = match caught {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::Failed(error)),
        Err(payload) => Err(Failure::Panicked(panic_message(payload.as_ref()))),
    };
    (index, result)
}

/// What the panic said, if it said it in words.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

/// A failed record has no identifier to report it by.
///
/// Lambda reads a reported empty identifier as "all failed", an unreported record as done: the invocation itself
/// must fail, so that the queue delivers every record again.
#[derive(Debug, thiserror::Error)]
#[error(
    "record {index} of the batch failed and has no identifier: the whole batch must be delivered again"
)]
pub struct EmptyId {
    /// Position in the batch, from 0.
    pub index: usize,
}

/// The identifiers to report as failed, from (identifier, failed?) of every record.
pub fn failed_ids<'a>(
    records: impl IntoIterator<Item = (&'a str, bool)>,
) -> Result<Vec<String>, EmptyId> {
    let failed = records
        .into_iter()
        .enumerate()
        .filter(|(_, (_, failed))| *failed);
    failed
        .map(|(index, (id, _))| {
            if id.is_empty() {
                Err(EmptyId { index })
            } else {
                Ok(id.to_owned())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    fn at_once(concurrency: usize) -> NonZeroUsize {
        NonZeroUsize::new(concurrency).unwrap()
    }

    #[test]
    fn a_panic_fails_its_own_item_only() {
        let results = block_on(process(vec![1, 2, 3, 4], at_once(2), |n| {
            assert!(n != 1, "before the first await");
            async move {
                tokio::task::yield_now().await;
                assert!(n != 3, "item {n}");
                if n == 4 { Err("four") } else { Ok(n * 10) }
            }
        }));
        assert!(
            matches!(&results[0], Err(Failure::Panicked(message)) if message == "before the first await")
        );
        assert!(matches!(results[1], Ok(20)));
        assert!(matches!(&results[2], Err(Failure::Panicked(message)) if message == "item 3"));
        assert!(matches!(results[3], Err(Failure::Failed("four"))));
    }

    #[test]
    fn a_slow_first_item_does_not_hold_up_the_others() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let (tell, told) = (
            std::sync::Mutex::new(Some(tell)),
            tokio::sync::Mutex::new(told),
        );
        let results = block_on(process((0..10).collect(), at_once(2), async |n: u32| {
            if n == 0 {
                (&mut *told.lock().await).await.unwrap();
            } else if n == 9 {
                tell.lock().unwrap().take().unwrap().send(()).unwrap();
            }
            Ok::<_, Infallible>(n)
        }));
        assert_eq!(
            results.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
            (0..10).collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_future_can_be_sent_between_threads() {
        fn sent<T: Send>(value: T) -> T {
            value
        }
        let shared = String::from("client");
        let shared = &shared;
        let future = process(vec![String::from("a")], at_once(1), |item| async move {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(format!("{shared} {item}"))
        });
        assert_eq!(block_on(sent(future)).remove(0).unwrap(), "client a");
    }

    #[test]
    fn only_failed_records_are_reported() {
        let failed = failed_ids([("a", true), ("", false), ("b", false), ("c", true)]);
        assert_eq!(failed.unwrap(), ["a", "c"]);
    }

    #[test]
    fn an_empty_identifier_is_never_reported() {
        let error = failed_ids([("a", true), ("", true)]).unwrap_err();
        assert_eq!(error.index, 1);
    }

    proptest! {
        #[test]
        fn results_keep_the_order_and_no_more_than_the_limit_run(waits in proptest::collection::vec(1_u8..5, 0..30), limit in 1_usize..8) {
            let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let count = waits.len();
            let items: Vec<_> = waits.into_iter().enumerate().collect();
            let results = block_on(process(items, at_once(limit), async |(index, waits)| {
                most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                for _ in 0..waits {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::Relaxed);
                Ok::<_, Infallible>(index)
            }));
            prop_assert_eq!(results.into_iter().map(Result::unwrap).collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
            prop_assert_eq!(most.into_inner(), limit.min(count));
        }
    }
}
