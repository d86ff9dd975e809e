//! `sluice dlq redrive`: SQS moves all of them; where it cannot, they are received and sent.

use std::time::Duration;

use aws_sdk_sqs::types::ListMessageMoveTasksResultEntry;
use serde::Serialize;

use crate::args::dlq::Redrive;
use crate::error::{End, Error, bare};
use crate::progress::Bar;
use crate::show::{Show, count, counted, note};

use super::Queues;
use super::replay::{Wanted, end, replay, words};

/// Between two looks at a task.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was done.
#[derive(Clone, Debug, Serialize)]
struct Redriven {
    /// `move_task`, or `receive_and_send` where the endpoint has no such tasks.
    method: &'static str,
    dry_run: bool,
    /// How it ended: `COMPLETED`, `INCOMPLETE` if something is left over after receiving and sending, or with `dry_run` nothing.
    status: Option<String>,
    /// About how many there were.
    messages: u64,
    /// How many were moved, as far as SQS counts.
    moved: u64,
    /// How many failed again meanwhile and were left, where they are received and sent.
    came_back: u64,
    /// Why it failed.
    reason: Option<String>,
}

/// Moves all of them.
pub(super) async fn run(queues: &Queues, show: Show, args: &Redrive) -> Result<End, Error> {
    if args.dry_run {
        let dry = Redriven {
            method: "move_task",
            dry_run: true,
            status: None,
            messages: queues.dead.messages,
            moved: 0,
            came_back: 0,
            reason: None,
        };
        show.document(&dry, || {
            format!("would move {}, about", counted(dry.messages, "message"))
        })?;
        return Ok(End::Done);
    }
    match start(queues, args.rate).await {
        Ok(()) => follow(queues, show).await,
        Err(error) if is_unknown(&error) => fall_back(queues, show, args.rate).await,
        Err(error) => Err(error),
    }
}

/// The destination is said: what the compressor sent there itself has no source that SQS knows.
async fn start(queues: &Queues, rate: Option<i32>) -> Result<(), Error> {
    let asked = queues
        .client
        .start_message_move_task()
        .source_arn(&queues.dead.arn)
        .destination_arn(&queues.source.arn)
        .set_max_number_of_messages_per_second(rate);
    let started = asked.send().await;
    let failed = |error| Error::service("StartMessageMoveTask", &queues.dead.name, &error);
    started.map(drop).map_err(failed)
}

/// Whether the endpoint does not know the action, in the words of AWS and of local clouds.
fn is_unknown(error: &Error) -> bool {
    let Error::Service { code, .. } = error else {
        return false;
    };
    matches!(
        bare(code),
        "InvalidAction"
            | "NotImplemented"
            | "UnknownOperation"
            | "UnsupportedOperation"
            | "UnrecognizedAction"
    )
}

async fn follow(queues: &Queues, show: Show) -> Result<End, Error> {
    let bar = Bar::new(show, "SQS moves the messages");
    let task = loop {
        let Some(task) = newest(queues).await? else {
            break None;
        };
        let moved = moved(&task);
        let all = task.approximate_number_of_messages_to_move.map_or(0, whole);
        bar.set(moved, all.max(moved), format!("{} moved", count(moved)));
        if !matches!(task.status.as_deref(), Some("RUNNING" | "CANCELLING")) {
            break Some(task);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    bar.end();
    let redriven = Redriven {
        method: "move_task",
        dry_run: false,
        status: task.as_ref().and_then(|task| task.status.clone()),
        messages: queues.dead.messages,
        moved: task.as_ref().map_or(0, moved),
        came_back: 0,
        reason: task.and_then(|task| task.failure_reason),
    };
    show.document(&redriven, || {
        let status = redriven.status.as_deref().unwrap_or("no longer known");
        format!(
            "{} moved, {}",
            counted(redriven.moved, "message"),
            status.to_lowercase()
        )
    })?;
    if let Some(reason) = &redriven.reason {
        note(reason);
    }
    match redriven.status.as_deref() {
        Some("COMPLETED") => Ok(End::Done),
        _ => Ok(End::NotCompleted),
    }
}

async fn newest(queues: &Queues) -> Result<Option<ListMessageMoveTasksResultEntry>, Error> {
    let asked = queues.client.list_message_move_tasks();
    let asked = asked.source_arn(&queues.dead.arn).max_results(1);
    let tasks = asked.send().await;
    let failed = |error| Error::service("ListMessageMoveTasks", &queues.dead.name, &error);
    Ok(tasks
        .map_err(failed)?
        .results
        .unwrap_or_default()
        .into_iter()
        .next())
}

fn moved(task: &ListMessageMoveTasksResultEntry) -> u64 {
    whole(task.approximate_number_of_messages_moved)
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

async fn fall_back(queues: &Queues, show: Show, rate: Option<i32>) -> Result<End, Error> {
    note("the endpoint has no move tasks: messages are received and sent");
    let wanted = Wanted {
        reason: None,
        limit: u64::MAX,
        dry_run: false,
        rate: rate.and_then(|rate| u32::try_from(rate).ok()),
    };
    let replayed = replay(queues, show, wanted).await?;
    let status = match end(&replayed) {
        End::Done => "COMPLETED",
        End::NotCompleted => "INCOMPLETE",
    };
    let redriven = Redriven {
        method: "receive_and_send",
        dry_run: false,
        status: Some(status.to_owned()),
        messages: queues.dead.messages,
        moved: replayed.sent,
        came_back: replayed.came_back,
        reason: None,
    };
    show.document(&redriven, || words(&replayed))?;
    Ok(end(&replayed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_does_not_know_is_no_failure() {
        let error = |code: &str| Error::Service {
            operation: "StartMessageMoveTask",
            subject: "q".to_owned(),
            code: code.to_owned(),
            detail: String::new(),
        };
        for code in [
            "AWS.SimpleQueueService.UnsupportedOperation",
            "com.amazonaws.sqs#UnsupportedOperation",
            "InvalidAction",
            "UnknownOperationException",
            "NotImplemented",
        ] {
            assert!(is_unknown(&error(code)), "{code}");
        }
        for code in ["AccessDenied", "ResourceNotFoundException", "NoAnswer"] {
            assert!(!is_unknown(&error(code)), "{code}");
        }
    }
}
