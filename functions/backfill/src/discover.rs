//! Cutting by what is there: the pages that an [`Outline`] asks for.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout_at};

use crate::context::Context;
use crate::error::BackfillError;
use crate::listing::Listing;
use crate::outline::{Ask, Outline, SIDE_BY_SIDE, Seen};
use crate::work::{Range, Work};

/// Looking takes an invocation's time by so much at most: the partitions are yet to be written.
const SHARE_OF_TIME: u32 = 4;

/// Most pages without a key in a row until a place is left as it is. A partition must go on through them; here it is
/// only about how equal partitions are.
const EMPTY_PAGES_MAX: u32 = 10;

/// The keys below `prefix`, in about equal ranges.
pub async fn discover(context: Context<'_>, prefix: &str) -> Result<Vec<Work>, BackfillError> {
    let now = Instant::now();
    let until = now + context.stop_at.saturating_duration_since(now) / SHARE_OF_TIME;
    let mut outline = Outline::new(prefix);
    let in_time = timeout_at(until, look(context, &mut outline)).await;
    let pages = outline.pages();
    match in_time {
        Ok(looked) => looked?,
        // What cannot be listed once is not handed to one child as a whole.
        Err(_) if pages == 0 => return Err(BackfillError::TimeUp),
        Err(_) => {
            tracing::warn!(pages, "no time to see more; some partitions may be large");
        }
    }
    let work = outline.into_work();
    tracing::debug!(pages, partitions = work.len(), "keys are cut");
    Ok(work)
}

async fn look(context: Context<'_>, outline: &mut Outline) -> Result<(), BackfillError> {
    loop {
        let asks = outline.asks();
        if asks.is_empty() {
            return Ok(());
        }
        let seen = stream::iter(asks).map(|ask| see(context, ask));
        outline.take(seen.buffered(SIDE_BY_SIDE).try_collect().await?);
    }
}

async fn see(context: Context<'_>, ask: Ask) -> Result<Seen, BackfillError> {
    let (s3, bucket) = (context.services.s3.clone(), &context.config.source_bucket);
    let range = Range {
        after: ask.after,
        until: None,
    };
    let mut listing =
        Listing::new(s3, bucket, &ask.prefix, range).with_empty_pages_max(EMPTY_PAGES_MAX);
    let mut found = match listing.next().await {
        Ok(page) => page.map_or_else(Vec::new, |page| page.found),
        // Whoever enqueues this place goes on through it, or says what is wrong.
        Err(BackfillError::BadListing { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let last = found.pop().map(|last| last.key);
    let first = found.into_iter().next().map(|first| first.key);
    Ok(Seen {
        ends: last.map(|last| (first.unwrap_or_else(|| last.clone()), last)),
        is_truncated: !listing.is_over(),
    })
}
