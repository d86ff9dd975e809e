//! Message move tasks, which are done as soon as they are begun; local clouds have none.

use serde_json::{Value, json};

use super::{Refused, invalid, not_modelled, only, refuse};
use crate::fake_aws::FakeAws;
use crate::fake_aws::call::Operation;
use crate::fake_aws::state::Store;

/// What has been moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveTask {
    /// ARN of the queue that was emptied.
    pub source: String,
    /// ARN of the queue that it went to.
    pub destination: String,
    /// Messages per second, as it was asked for.
    pub rate: Option<u64>,
    /// How many messages it were.
    pub moved: usize,
}

impl FakeAws {
    /// From now on there are move tasks.
    pub fn allow_move_tasks(&self) {
        let mut inner = self.world.lock();
        inner.store.move_tasks.get_or_insert_default();
    }

    /// The tasks that there were, oldest first.
    #[must_use]
    pub fn move_tasks(&self) -> Vec<MoveTask> {
        let inner = self.world.lock();
        inner.store.move_tasks.clone().unwrap_or_default()
    }
}

pub(super) fn perform(
    store: &mut Store,
    operation: Operation,
    request: &Value,
) -> Result<Value, Refused> {
    if store.move_tasks.is_none() {
        return Err(not_modelled("move tasks"));
    }
    if operation == Operation::StartMessageMoveTask {
        start(store, request)
    } else {
        list(store, request)
    }
}

fn start(store: &mut Store, request: &Value) -> Result<Value, Refused> {
    let known = [
        "SourceArn",
        "DestinationArn",
        "MaxNumberOfMessagesPerSecond",
    ];
    only(request, &known)?;
    let arn = |name: &str| request[name].as_str().map(str::to_owned);
    let (Some(source), Some(destination)) = (arn("SourceArn"), arn("DestinationArn")) else {
        return Err(not_modelled("a task without source or destination"));
    };
    let rate = request["MaxNumberOfMessagesPerSecond"].as_u64();
    if rate.is_some_and(|rate| !(1..=500).contains(&rate)) {
        return Err(invalid(
            "MaxNumberOfMessagesPerSecond must be between 1 and 500",
        ));
    }
    let name = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
    let missing = |arn: &str| refuse("ResourceNotFoundException", arn.to_owned());
    if !store.queues.contains_key(&name(&destination)) {
        return Err(missing(&destination));
    }
    let queue = store.queues.get_mut(&name(&source));
    let held = std::mem::take(&mut queue.ok_or_else(|| missing(&source))?.held);
    let task = MoveTask {
        source,
        destination,
        rate,
        moved: held.len(),
    };
    if let Some(queue) = store.queues.get_mut(&name(&task.destination)) {
        for held in held {
            queue.push(held.draft);
        }
    }
    store.move_tasks.get_or_insert_default().push(task);
    Ok(json!({"TaskHandle": "handle"}))
}

fn list(store: &Store, request: &Value) -> Result<Value, Refused> {
    only(request, &["SourceArn", "MaxResults"])?;
    let most = request["MaxResults"].as_u64().unwrap_or(1);
    let tasks = store.move_tasks.iter().flatten().rev();
    let tasks = tasks.filter(|task| request["SourceArn"] == task.source);
    let told = tasks.map(|task| {
        json!({
            "Status": "COMPLETED", "SourceArn": task.source, "DestinationArn": task.destination,
            "ApproximateNumberOfMessagesMoved": task.moved, "ApproximateNumberOfMessagesToMove": task.moved,
            "StartedTimestamp": 1,
        })
    });
    let told = told.take(usize::try_from(most).unwrap_or(1));
    Ok(json!({"Results": told.collect::<Vec<_>>()}))
}
