//! Answers on their way out: headers, and a body that may be sparse, held or cut off.

use std::collections::VecDeque;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use bytes::Bytes;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use serde_json::Value;

use super::error::S3Error;
use super::faults::BodyStep;
use super::object::Content;
use super::state::Target;
use super::xml;
use crate::server::{Dropped, Flushes};

/// Largest frame of a body, bytes.
const FRAME_BYTES_MAX: u64 = 256 * 1024;

/// An answer before it is put on the wire.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) content: Content,
    /// For `HEAD`: the length is told, the body is not sent.
    pub(super) headers_only: bool,
}

impl Answer {
    pub(super) fn empty(status: u16) -> Self {
        let content = Content::Bytes(Bytes::new());
        Self {
            status,
            headers: Vec::new(),
            content,
            headers_only: false,
        }
    }

    pub(super) fn xml(status: u16, text: String) -> Self {
        let content = Content::Bytes(text.into());
        Self {
            content,
            ..Self::empty(status)
        }
        .header("content-type", "application/xml")
    }

    pub(super) fn json(status: u16, value: &Value) -> Self {
        let content = Content::Bytes(value.to_string().into());
        Self {
            content,
            ..Self::empty(status)
        }
        .header("content-type", "application/x-amz-json-1.0")
    }

    pub(super) fn refusal(refused: &S3Error, at: Target<'_>) -> Self {
        let text = xml::error(&refused.code, at, "fake");
        let answer = Self::xml(refused.status, text);
        refused
            .headers
            .iter()
            .fold(answer, |answer, (name, value)| answer.header(name, value))
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn header_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    pub(super) fn respond(self, steps: &[BodyStep], flushes: Flushes) -> Response<ReplyBody> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(name, value.as_bytes());
        }
        // 204 has no body, hence no length. Source: RFC 9110, section 8.6.
        if self.status != 204 {
            response = response.header("content-length", self.content.len());
        }
        let content = if self.headers_only {
            Content::Bytes(Bytes::new())
        } else {
            self.content
        };
        let body = ReplyBody::new(content, steps, flushes);
        response
            .body(body)
            .expect("headers that came from a request or from the fake")
    }
}

/// The body of an answer.
pub(super) struct ReplyBody {
    content: Content,
    sent: u64,
    pauses: VecDeque<Pause>,
    cut: Option<u64>,
    flushes: Flushes,
    /// At the cut: how many flushes there had been when it was reached.
    flushes_before_cut: Option<u64>,
}

struct Pause {
    at: u64,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl ReplyBody {
    fn new(content: Content, steps: &[BodyStep], flushes: Flushes) -> Self {
        let mut body = Self {
            content,
            sent: 0,
            pauses: VecDeque::new(),
            cut: None,
            flushes,
            flushes_before_cut: None,
        };
        for step in steps {
            match step.clone() {
                BodyStep::Cut { after_bytes } => body.cut = Some(after_bytes),
                BodyStep::Hold { after_bytes, gate } => {
                    body.pauses.push_back(Pause {
                        at: after_bytes,
                        over: Box::pin(gate.pass()),
                    });
                }
            }
        }
        body.pauses.make_contiguous().sort_by_key(|pause| pause.at);
        body
    }

    /// The bytes to send next: up to the frame limit and the next thing that is to happen.
    fn next_range(&self) -> Range<u64> {
        let stops = [self.cut, self.pauses.front().map(|pause| pause.at)];
        let end = stops
            .into_iter()
            .flatten()
            .fold(self.content.len(), u64::min);
        self.sent..end.min(self.sent + FRAME_BYTES_MAX)
    }

    fn poll_cut(&mut self, cx: &Context<'_>) -> Poll<Dropped> {
        let now = self.flushes.count();
        if *self.flushes_before_cut.get_or_insert(now) < now {
            return Poll::Ready(Dropped);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        let sent = self.sent;
        while let Some(pause) = self.pauses.front_mut().filter(|pause| pause.at <= sent) {
            ready!(pause.over.as_mut().poll(cx));
            self.pauses.pop_front();
        }
        if self.cut.is_some_and(|at| at <= self.sent) {
            return self.poll_cut(cx).map(|dropped| Some(Err(dropped)));
        }
        let range = self.next_range();
        if range.is_empty() {
            return Poll::Ready(None);
        }
        self.sent = range.end;
        Poll::Ready(Some(Ok(Frame::data(self.content.slice(range).bytes()))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent == self.content.len() && self.pauses.is_empty() && self.cut.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.len() - self.sent)
    }
}

pub(super) fn http_time(time: SystemTime) -> String {
    let time = DateTime::from(time);
    time.fmt(DateTimeFormat::HttpDate).expect("a time of today")
}

pub(super) fn iso_time(time: SystemTime) -> String {
    let time = DateTime::from(time);
    time.fmt(DateTimeFormat::DateTime).expect("a time of today")
}
