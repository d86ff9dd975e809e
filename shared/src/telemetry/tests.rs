use std::future::poll_fn;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use serde_json::Value;
use tracing::subscriber::with_default;
use tracing::{Level, debug, debug_span, error, info, trace, warn};

use super::*;

/// A writer whose lines a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn settings(sample_rate: f64) -> Settings {
    Settings {
        service: "compress".to_owned(),
        level: Level::INFO,
        sample_rate,
        namespace: "Sluice".to_owned(),
        sample_all: false,
    }
}

/// The log lines of `work`, without metrics.
fn lines(settings: Settings, work: impl AsyncFnOnce(Telemetry)) -> Vec<Value> {
    let log = Log::default();
    let (telemetry, subscriber) = Telemetry::new(settings, log.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    with_default(subscriber, || runtime.block_on(work(telemetry)));
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get("_aws").is_none()).collect()
}

fn messages(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect()
}

async fn one_of_each(telemetry: Telemetry) {
    let work = async {
        trace!("t");
        debug!("d");
        info!("i");
        warn!("w");
    };
    telemetry.invocation("r1", None).run(work).await;
}

#[test]
fn an_unsampled_invocation_that_succeeds_writes_its_warnings_only() {
    assert_eq!(messages(&lines(settings(0.0), one_of_each)), ["w"]);
}

#[test]
fn a_sampled_invocation_writes_from_debug_on() {
    assert_eq!(
        messages(&lines(settings(1.0), one_of_each)),
        ["d", "i", "w"]
    );
    let all = Settings {
        sample_all: true,
        level: Level::ERROR,
        ..settings(0.0)
    };
    assert_eq!(messages(&lines(all, one_of_each)), ["d", "i", "w"]);
}

#[test]
fn the_floor_silences_warnings_but_never_errors() {
    let floor = Settings {
        level: Level::ERROR,
        ..settings(0.0)
    };
    assert!(lines(floor.clone(), one_of_each).is_empty());
    let failed = lines(floor, async |telemetry| {
        let work = async {
            warn!("w");
            error!("e");
        };
        telemetry.invocation("r1", None).run(work).await;
    });
    assert_eq!(messages(&failed), ["w", "e"]);
}

#[test]
fn outside_an_invocation_the_floor_alone_decides() {
    let init = async |_| {
        debug!("d");
        info!("i");
        error!("e");
    };
    let init_lines = lines(settings(0.0), init);
    assert_eq!(messages(&init_lines), ["i", "e"]);
    assert!(init_lines[0].get("function_request_id").is_none());
    assert_eq!(
        messages(&lines(
            Settings {
                sample_all: true,
                ..settings(0.0)
            },
            init
        )),
        ["d", "i", "e"]
    );
}

#[test]
fn the_first_error_brings_out_what_was_kept_and_all_that_follows() {
    let lines = lines(settings(0.0), async |telemetry| {
        let work = async {
            debug!("d");
            let written = SystemTime::now();
            while SystemTime::now()
                .duration_since(written)
                .unwrap()
                .as_millis()
                < 2
            {}
            error!("e");
            info!("summary");
        };
        telemetry.invocation("r1", None).run(work).await;
        telemetry
            .invocation("r2", None)
            .run(async { info!("another invocation") })
            .await;
    });
    assert_eq!(messages(&lines), ["d", "e", "summary"]);
    assert!(
        lines[0]["timestamp"].as_str() < lines[1]["timestamp"].as_str(),
        "{lines:?}"
    );
}

#[test]
fn a_full_ring_says_how_many_lines_it_lost() {
    let lines = lines(settings(0.0), async |telemetry| {
        let work = async {
            for number in 0..1_000 {
                debug!(number, "d");
            }
            error!("e");
        };
        telemetry.invocation("r1", None).run(work).await;
    });
    assert_eq!(lines[0]["lost_lines"], 1_002 - lines.len());
    assert_eq!(lines[lines.len() - 2]["number"], 999);
    assert_eq!(lines[1]["number"], lines[0]["lost_lines"]);
}

#[test]
fn a_panic_is_written_with_what_was_kept_and_goes_on() {
    let lines = lines(settings(0.0), async |telemetry| {
        let work = async {
            debug!("d");
            panic!("out of paper");
        };
        let run = AssertUnwindSafe(telemetry.invocation("r1", None).run(work))
            .catch_unwind()
            .await;
        assert_eq!(panic_message(run.unwrap_err().as_ref()), "out of paper");
    });
    assert_eq!(messages(&lines), ["d", "the invocation panicked"]);
    assert_eq!(lines[1]["error"], "out of paper");
}

#[test]
fn a_line_carries_its_invocation_its_spans_and_its_own_fields() {
    let lines = lines(settings(1.0), async |telemetry| {
        let work = async {
            let error: &dyn Error = &io::Error::other("reset");
            let span = debug_span!(
                "record",
                key = "a/b",
                size_bytes = 7,
                etag = tracing::field::Empty
            );
            span.record("etag", "e1");
            span.in_scope(|| info!(size_bytes = 8, error, ratio = f64::NAN, "done"));
        };
        telemetry.invocation("r1", Some("Root=1-2")).run(work).await;
        telemetry
            .invocation("r2", None)
            .run(async { info!("warm") })
            .await;
    });
    let (first, second) = (&lines[0], &lines[1]);
    assert_eq!(
        (&first["function_request_id"], &first["xray_trace_id"]),
        (&"r1".into(), &"Root=1-2".into())
    );
    assert_eq!(
        (&first["cold_start"], &first["sampled"]),
        (&true.into(), &true.into())
    );
    assert_eq!(
        (&first["key"], &first["size_bytes"], &first["etag"]),
        (&"a/b".into(), &8.into(), &"e1".into())
    );
    assert_eq!(
        (&first["error"], &first["ratio"]),
        (&"reset".into(), &"NaN".into())
    );
    assert_eq!(second["cold_start"], false);
    assert!(second.get("xray_trace_id").is_none());
}

#[test]
fn invocations_side_by_side_do_not_mix() {
    let lines = lines(settings(0.0), async |telemetry| {
        let invocation = |id: &'static str, fails: bool| {
            telemetry.invocation(id, None).run(async move {
                for round in 0..3 {
                    info!(own = id, round);
                    tokio::task::yield_now().await;
                }
                if fails {
                    error!(own = id, "e");
                }
            })
        };
        futures_util::future::join(invocation("good", false), invocation("bad", true)).await;
    });
    assert_eq!(lines.len(), 4);
    assert!(
        lines
            .iter()
            .all(|line| line["function_request_id"] == "bad" && line["own"] == "bad")
    );
}

#[test]
fn other_crates_speak_from_warn_on_and_cost_nothing_below() {
    let lines = lines(settings(1.0), async |telemetry| {
        let work = async {
            assert!(!tracing::enabled!(target: "aws_smithy_runtime::client", Level::INFO));
            assert!(!tracing::enabled!(target: "compressed", Level::INFO));
            assert!(tracing::enabled!(target: "compress::handler", Level::DEBUG));
            assert!(!tracing::enabled!(target: "compress::handler", Level::TRACE));
            info!(target: "hyper", "connected");
            warn!(target: "hyper", "slow");
        };
        telemetry.invocation("r1", None).run(work).await;
    });
    assert_eq!(messages(&lines), ["slow"]);
}

#[test]
fn the_cold_start_is_counted_once() {
    let log = Log::default();
    let (telemetry, _subscriber) = Telemetry::new(settings(0.0), log.clone());
    let _first = telemetry.invocation("r1", None);
    let _second = telemetry.invocation("r2", None);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&document["ColdStart"], &document["service"]),
        (&1.into(), &"compress".into())
    );
}

#[test]
fn an_invocation_can_be_sent_between_threads() {
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let (telemetry, _subscriber) = Telemetry::new(settings(0.0), io::sink());
    let mut polls = 0;
    let future = poll_fn(move |context| {
        polls += 1;
        context.waker().wake_by_ref();
        if polls == 2 {
            Poll::Ready(polls)
        } else {
            Poll::Pending
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert_eq!(
        runtime.block_on(sent(telemetry.invocation("r1", None).run(future))),
        2
    );
}
