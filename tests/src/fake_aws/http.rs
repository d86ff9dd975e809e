//! One request from the first byte to the last: read, struck by a fault or not, performed, answered.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};

use super::call::Call;
use super::error::S3Error;
use super::faults::{Fault, Outcome, Script, Step, script_for};
use super::log::Log;
use super::reply::{Answer, ReplyBody};
use super::state::Store;
use super::{ACCOUNT, account, dynamo, record, s3, sqs, states};
use crate::server::{Dropped, Flushes};

/// What the server and the test share.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    shared: Arc<(Mutex<Inner>, Condvar)>,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) faults: Vec<Fault>,
    pub(super) log: Log,
}

impl World {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.0.lock().expect("no test closure panicked")
    }

    /// Waits until `reached` holds of the requests so far; whether it did within the time.
    pub(super) fn wait_until(&self, timeout: Duration, reached: impl Fn(&Log) -> bool) -> bool {
        let waiting = self
            .shared
            .1
            .wait_timeout_while(self.lock(), timeout, |inner| !reached(&inner.log));
        let (inner, _) = waiting.expect("no test closure panicked");
        reached(&inner.log)
    }

    pub(super) async fn serve(
        self,
        request: Request<Incoming>,
        flushes: Flushes,
    ) -> Result<Response<ReplyBody>, Dropped> {
        let (head, body) = request.into_parts();
        // A client that went away while it sent has asked for nothing.
        let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        let call = Call::read(&head.method, &head.uri, &head.headers, body);
        record::operation(&call);
        let (number, script) = {
            let mut inner = self.lock();
            let number = inner.log.begin(&call);
            (
                number,
                script_for(&mut inner.faults, call.operation, &call.key),
            )
        };
        self.shared.1.notify_all();
        let body_steps = script.body.clone();
        // A task of its own: what has arrived takes effect even if the client does not live to see it.
        let playing = tokio::spawn(async move {
            let answer = self.play(&call, &script).await;
            self.lock().log.end(
                call.operation,
                number,
                answer.as_ref().map(|answer| answer.status),
            );
            self.shared.1.notify_all();
            answer
        });
        let answer = playing.await.ok().flatten().ok_or(Dropped)?;
        let answer = answer
            .header("x-amz-request-id", "fake")
            .header("x-amz-id-2", "fake");
        Ok(answer.respond(&body_steps, flushes))
    }

    /// The answer, or `None` for a connection to be dropped.
    async fn play(&self, call: &Call, script: &Script) -> Option<Answer> {
        self.take(&script.before_effect).await;
        let honest = (!script.without_effect).then(|| perform(&mut self.lock().store, call));
        self.take(&script.after_effect).await;
        match &script.outcome {
            Outcome::Honest => honest,
            Outcome::Answer { status, code } => Some(scripted(call, *status, code)),
            Outcome::Reset => None,
        }
    }

    async fn take(&self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Delay(duration) => tokio::time::sleep(*duration).await,
                Step::Run(change) => change(&mut self.lock().store),
                Step::Hold(gate) => gate.clone().pass().await,
            }
        }
    }
}

fn perform(store: &mut Store, call: &Call) -> Answer {
    if call.is_to_queue() {
        return sqs::perform(store, call);
    }
    if call.is_to_table() {
        return dynamo::perform(&mut store.tables, call);
    }
    if call.is_to_states() {
        return states::perform(&mut store.states, call);
    }
    if call.is_unknown_to_json() {
        return dynamo::error(501, "NotImplemented", "says the fake");
    }
    if call.is_to_account() {
        return account::perform(store, call);
    }
    match admitted(call) {
        Ok(()) => s3::perform(store, call),
        Err(refused) => s3::refusal(&refused, call),
    }
}

/// What S3 demands of every request.
fn admitted(call: &Call) -> Result<(), S3Error> {
    if !call.readable {
        return Err(S3Error::of("InvalidURI"));
    }
    let owner_matches = call
        .header("x-amz-expected-bucket-owner")
        .is_none_or(|id| id == ACCOUNT);
    let signed = call
        .header("authorization")
        .is_some_and(|text| text.starts_with("AWS4-HMAC-"));
    if signed && owner_matches {
        Ok(())
    } else {
        Err(S3Error::of("AccessDenied"))
    }
}

fn scripted(call: &Call, status: u16, code: &str) -> Answer {
    if call.is_to_queue() {
        return sqs::error(status, code, "scripted");
    }
    if call.is_to_table() {
        return dynamo::error(status, code, "scripted");
    }
    if call.is_to_states() {
        return states::error(status, code, "scripted");
    }
    if call.is_to_account() {
        return account::error(call.operation, status, code, "scripted");
    }
    let refused = S3Error {
        status,
        code: code.to_owned().into(),
        headers: Vec::new(),
    };
    s3::refusal(&refused, call)
}
