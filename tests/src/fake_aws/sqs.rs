//! SQS over awsJson 1.0: standard queues, with the rules of what is put in and taken out.

mod moves;
mod receive;
mod send;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use self::moves::MoveTask;

use self::send::{Attribute, Draft, FailedEntries};
use super::FakeAws;
use super::call::{Call, Operation};
use super::reply::Answer;
use super::state::Store;

/// How long a received message stays hidden unless the receiver says otherwise.
const VISIBILITY: Duration = Duration::from_secs(30);

/// A message in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The body as it was sent.
    pub body: String,
    /// String values of its attributes.
    pub attributes: BTreeMap<String, String>,
    /// `MessageGroupId`, which makes a standard queue a fair one.
    pub group_id: Option<String>,
}

/// A standard queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    held: Vec<Held>,
    sent: u64,
    received: u64,
    failed_entries: VecDeque<FailedEntries>,
}

/// A message with what only the queue knows.
#[derive(Debug)]
struct Held {
    id: String,
    draft: Draft,
    receives: u64,
    /// Of the last receive.
    receipt: String,
    hidden_until: Option<Instant>,
}

/// A refused request: status, the error's short name, and what was wrong.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    status: u16,
    code: &'static str,
    message: String,
}

impl Queue {
    /// The identifier of the message that comes next.
    fn next_id(&self) -> String {
        format!("00000000-0000-4000-9000-{:012x}", self.sent + 1)
    }

    fn push(&mut self, draft: Draft) {
        let id = self.next_id();
        self.sent += 1;
        self.held.push(Held {
            id,
            draft,
            receives: 0,
            receipt: String::new(),
            hidden_until: None,
        });
    }

    fn messages(&self) -> Vec<Message> {
        let message = |held: &Held| {
            let attributes = held.draft.attributes.iter();
            Message {
                body: held.draft.body.clone(),
                attributes: attributes
                    .map(|(name, attribute)| (name.clone(), attribute.value.clone()))
                    .collect(),
                group_id: held.draft.group_id.clone(),
            }
        };
        self.held.iter().map(message).collect()
    }
}

impl FakeAws {
    /// The messages of a queue that nobody has deleted, oldest first.
    #[must_use]
    pub fn messages(&self, queue: &str) -> Vec<Message> {
        let inner = self.world.lock();
        let queue = inner.store.queues.get(queue);
        queue.map(Queue::messages).unwrap_or_default()
    }

    /// As [`FakeAws::messages`], and the queue is empty then.
    #[must_use]
    pub fn take_messages(&self, queue: &str) -> Vec<Message> {
        let mut inner = self.world.lock();
        let Some(queue) = inner.store.queues.get_mut(queue) else {
            return Vec::new();
        };
        let messages = queue.messages();
        queue.held.clear();
        messages
    }

    /// Puts a message in without any rule, as any other sender might have.
    pub fn put_message(&self, queue: &str, message: Message) {
        let mut inner = self.world.lock();
        let attribute = |(name, value)| {
            let data_type = "String".to_owned();
            (name, Attribute { data_type, value })
        };
        let draft = Draft {
            body: message.body,
            attributes: message.attributes.into_iter().map(attribute).collect(),
            group_id: message.group_id,
            size_bytes: 0,
        };
        let queue = inner.store.queues.get_mut(queue);
        queue.expect("a queue of that name").push(draft);
    }

    /// Has the entries at these positions, from 0, of the next `SendMessageBatch` fail, and the others be taken.
    /// Each call is for one more request.
    pub fn fail_entries(&self, queue: &str, positions: &[usize], code: &str, sender_fault: bool) {
        let mut inner = self.world.lock();
        let queue = inner.store.queues.get_mut(queue);
        let script = FailedEntries {
            positions: positions.to_vec(),
            code: code.to_owned(),
            sender_fault,
        };
        queue
            .expect("a queue of that name")
            .failed_entries
            .push_back(script);
    }
}

/// Which operation a target means.
pub(super) fn operation(target: &str) -> Option<Operation> {
    Some(match target.strip_prefix("AmazonSQS.")? {
        "SendMessage" => Operation::SendMessage,
        "SendMessageBatch" => Operation::SendMessageBatch,
        "ReceiveMessage" => Operation::ReceiveMessage,
        "DeleteMessage" => Operation::DeleteMessage,
        "DeleteMessageBatch" => Operation::DeleteMessageBatch,
        "ChangeMessageVisibility" => Operation::ChangeMessageVisibility,
        "ChangeMessageVisibilityBatch" => Operation::ChangeMessageVisibilityBatch,
        "StartMessageMoveTask" => Operation::StartMessageMoveTask,
        "ListMessageMoveTasks" => Operation::ListMessageMoveTasks,
        "GetQueueAttributes" => Operation::GetQueueAttributes,
        "GetQueueUrl" => Operation::GetQueueUrl,
        _ => return None,
    })
}

/// The queue that a request names, from its body.
pub(super) fn queue_of(body: &[u8]) -> Option<String> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let name = request.get("QueueUrl").or(request.get("QueueName"))?;
    Some(name.as_str()?.rsplit('/').next()?.to_owned())
}

pub(super) fn perform(store: &mut Store, call: &Call) -> Answer {
    match answer(store, call) {
        Ok(body) => Answer::json(200, &body),
        Err(refused) => error(refused.status, refused.code, &refused.message),
    }
}

/// An SQS error answer in the awsJson 1.0 form.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message});
    let query_code = match code {
        // The one whose name in the older query protocol is another; clients go by that name.
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        code => code,
    };
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    Answer::json(status, &body).header("x-amzn-query-error", &format!("{query_code};{fault}"))
}

fn answer(store: &mut Store, call: &Call) -> Result<Value, Refused> {
    let request: Value = serde_json::from_slice(&call.body)
        .map_err(|error| refuse("SerializationException", error.to_string()))?;
    if matches!(
        call.operation,
        Operation::StartMessageMoveTask | Operation::ListMessageMoveTasks
    ) {
        return moves::perform(store, call.operation, &request);
    }
    let name = &call.key;
    let Some(queue) = store.queues.get_mut(name) else {
        let message = format!("The queue {name} does not exist.");
        return Err(refuse("QueueDoesNotExist", message));
    };
    match call.operation {
        Operation::SendMessage => send::one(queue, &request),
        Operation::SendMessageBatch => send::batch(queue, &request),
        Operation::ReceiveMessage => receive::receive(queue, &request),
        Operation::DeleteMessage => receive::delete(queue, &request),
        Operation::DeleteMessageBatch => receive::delete_batch(queue, &request),
        Operation::ChangeMessageVisibility => receive::change_visibility(queue, &request),
        Operation::ChangeMessageVisibilityBatch => {
            receive::change_visibility_batch(queue, &request)
        }
        Operation::GetQueueAttributes => receive::attributes(queue, name, &request),
        Operation::GetQueueUrl => receive::url(name, call, &request),
        other => Err(not_modelled(&format!("{other:?}"))),
    }
}

/// Refuses members that would change what is done, in ways that are not modelled.
fn only(request: &Value, known: &[&str]) -> Result<(), Refused> {
    let mut members = request
        .as_object()
        .into_iter()
        .flat_map(|members| members.keys());
    match members.find(|member| !known.contains(&member.as_str())) {
        Some(member) => Err(not_modelled(&format!("member {member}"))),
        None => Ok(()),
    }
}

fn not_modelled(what: &str) -> Refused {
    Refused {
        status: 501,
        ..refuse("NotImplemented", what.to_owned())
    }
}

fn refuse(code: &'static str, message: String) -> Refused {
    Refused {
        status: 400,
        code,
        message,
    }
}

fn invalid(reason: &str) -> Refused {
    let message = format!("One or more parameters are invalid. Reason: {reason}");
    refuse("InvalidParameterValue", message)
}
