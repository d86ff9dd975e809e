//! What was asked of the fake, in the order in which it was asked.

use std::collections::BTreeMap;
use std::time::Instant;

use super::call::{Call, Operation};

/// A request that arrived whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it asked for.
    pub operation: Operation,
    /// Empty for SQS.
    pub bucket: String,
    /// The key, decoded; for SQS the name of the queue; for `DynamoDB` tables and the texts of keys, with slashes between them.
    pub key: String,
    /// Decoded query parameters, such as `versionId`.
    pub query: BTreeMap<String, String>,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// Length of the body on the wire, bytes.
    pub body_bytes: u64,
    /// When it had arrived.
    pub arrived: Instant,
    /// `None` while there is no answer, and for a connection that was dropped.
    pub status: Option<u16>,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    requests: Vec<Request>,
    counts: BTreeMap<Operation, usize>,
    forgets: bool,
    in_flight: BTreeMap<Operation, usize>,
    peaks: BTreeMap<Operation, usize>,
}

impl Log {
    /// Its number, if it is kept.
    pub(super) fn begin(&mut self, call: &Call) -> Option<usize> {
        *self.counts.entry(call.operation).or_default() += 1;
        let in_flight = self.in_flight.entry(call.operation).or_default();
        *in_flight += 1;
        let peak = self.peaks.entry(call.operation).or_default();
        *peak = (*peak).max(*in_flight);
        if self.forgets {
            return None;
        }
        self.requests.push(Request {
            operation: call.operation,
            bucket: call.bucket.clone(),
            key: call.key.clone(),
            query: call.query.clone(),
            headers: call.headers.clone(),
            body_bytes: call.body.len() as u64,
            arrived: Instant::now(),
            status: None,
        });
        Some(self.requests.len() - 1)
    }

    pub(super) fn end(&mut self, operation: Operation, number: Option<usize>, status: Option<u16>) {
        if let Some(number) = number {
            self.requests[number].status = status;
        }
        if let Some(in_flight) = self.in_flight.get_mut(&operation) {
            *in_flight -= 1;
        }
    }

    pub(super) fn keep_no_requests(&mut self) {
        self.forgets = true;
    }

    pub(super) fn requests(&self) -> &[Request] {
        &self.requests
    }

    pub(super) fn count(&self, operation: Operation) -> usize {
        self.counts.get(&operation).copied().unwrap_or_default()
    }

    pub(super) fn peak(&self, operation: Operation) -> usize {
        self.peaks.get(&operation).copied().unwrap_or_default()
    }
}
