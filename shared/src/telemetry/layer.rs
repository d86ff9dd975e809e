//! From tracing's events to lines: which are written, which are kept back, and when those come out after all.

use std::fmt::Debug;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{self, Layer};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::line::{Context, Fields, Line, render};
use super::ring::Ring;

/// Crates whose lines count from DEBUG on; all others only speak up from WARN on.
const OWN_CRATES: [&str; 7] = [
    "archive", "backfill", "compress", "count", "monitor", "purge", "shared",
];

/// Where lines go, one whole line after the other.
pub(super) struct Output {
    writer: Mutex<Box<dyn Write + Send>>,
}

impl Output {
    pub(super) fn new(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Mutex::new(Box::new(writer)),
        }
    }

    /// Writes `lines` with nothing in between. A closed log has no place to say so: errors are dropped.
    pub(super) fn write(&self, lines: &str) {
        let mut writer = lock(&self.writer);
        let _ = writer
            .write_all(lines.as_bytes())
            .and_then(|()| writer.flush());
    }
}

/// A panic while a lock was held leaves whole lines behind, nothing worse.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of one invocation, kept in its span: several may run at once.
struct Invocation {
    context: Context,
    buffer: Mutex<Buffer>,
}

#[derive(Default)]
struct Buffer {
    ring: Ring,
    failed: bool,
}

/// Writes lines as the module describes.
pub(super) struct Lines {
    pub(super) service: String,
    /// Floor of what is written at once.
    pub(super) level: Level,
    pub(super) output: Arc<Output>,
}

impl Lines {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        let least = if OWN_CRATES.contains(&crate_name) {
            self.level.max(Level::DEBUG)
        } else {
            Level::WARN
        };
        *metadata.level() <= least
    }

    fn render(&self, level: Level, context: Option<&Context>, fields: &Fields) -> String {
        let time = SystemTime::now();
        render(&Line {
            time,
            level,
            service: &self.service,
            context,
            fields,
        })
    }

    fn write_outside(&self, level: Level, fields: &Fields) {
        if level <= self.level {
            self.output.write(&self.render(level, None, fields));
        }
    }

    /// The lock is held while writing, so that kept lines and those of other threads stay in order.
    fn write_inside(&self, invocation: &Invocation, level: Level, fields: &Fields) {
        let mut buffer = lock(&invocation.buffer);
        let line = self.render(level, Some(&invocation.context), fields);
        let failed_before = buffer.failed;
        buffer.failed |= level == Level::ERROR;
        let at_once =
            invocation.context.sampled || buffer.failed || level <= self.level.min(Level::WARN);
        if !at_once {
            buffer.ring.push(line);
        } else if buffer.failed && !failed_before {
            let kept = self.kept_lines(&mut buffer.ring, &invocation.context);
            self.output.write(&(kept + &line));
        } else {
            self.output.write(&line);
        }
    }

    fn kept_lines(&self, ring: &mut Ring, context: &Context) -> String {
        let kept = ring.take();
        let mut text = String::new();
        if kept.lost > 0 {
            let message = "older lines of this invocation did not fit into its buffer".to_owned();
            let mut fields = Fields {
                message,
                ..Fields::default()
            };
            fields.set("lost_lines", kept.lost.into());
            text = self.render(Level::WARN, Some(context), &fields);
        }
        text.extend(kept.lines);
        text
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: layer::Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level.max(Level::DEBUG).into())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: layer::Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let metadata = attributes.metadata();
        if metadata.name() == super::INVOCATION_SPAN && metadata.target() == super::TARGET {
            let mut seen = ContextVisitor::default();
            attributes.record(&mut seen);
            span.extensions_mut().insert(Invocation {
                context: seen.0,
                buffer: Mutex::default(),
            });
        } else {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: layer::Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: layer::Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = SpanRef::extensions(&span);
            if let Some(outer) = extensions.get::<Fields>() {
                fields.inherit(outer);
            }
            if let Some(invocation) = extensions.get::<Invocation>() {
                return self.write_inside(invocation, level, &fields);
            }
        }
        self.write_outside(level, &fields);
    }
}

/// Reads an invocation's own fields back out of its span.
#[derive(Default)]
struct ContextVisitor(Context);

impl Visit for ContextVisitor {
    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            "cold_start" => self.0.cold_start = value,
            "sampled" => self.0.sampled = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "function_request_id" => value.clone_into(&mut self.0.function_request_id),
            "xray_trace_id" => self.0.xray_trace_id = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
