//! SIGKILL of the real binary at 21 points of a multipart copy: the output is absent or byte-exact, the
//! source is there until the output is, and the redelivery converges.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

use std::time::Duration;

use serde_json::json;
use tests::compressor::{BUCKET, DLQ};
use tests::content::noise;
use tests::fake_aws::{FakeAws, Fault, Gate, Operation, sqs_event};
use tests::function::Function;
use tests::runtime_api::{Answer, Lost, RuntimeApi};
use tests::unpack;

const KEY: &str = "incoming/large";
const PATIENCE: Duration = Duration::from_mins(1);

/// 18 MB that do not shrink: three parts.
fn large() -> Vec<u8> {
    noise(18_000_000)
}

/// Where the process is killed.
#[derive(Clone, Copy, Debug)]
enum KillPoint {
    /// While it reads the source, after so many bytes of it.
    Body { after_bytes: u64 },
    /// At the request after `skip` others of its kind, before or after its effect.
    Request {
        operation: Operation,
        skip: u64,
        after_effect: bool,
    },
}

fn kill_points() -> Vec<KillPoint> {
    let requests = [
        (Operation::GetObject, 1),
        (Operation::CreateMultipartUpload, 1),
        (Operation::UploadPart, 3),
        (Operation::CompleteMultipartUpload, 1),
        (Operation::DeleteObject, 1),
    ];
    let bytes = [0, 1, 131_072, 8_388_607, 8_400_000, 17_000_000, 17_999_999];
    let mut points = bytes
        .map(|after_bytes| KillPoint::Body { after_bytes })
        .to_vec();
    for (operation, count) in requests {
        for skip in 0..count {
            let kill = |after_effect| KillPoint::Request {
                operation,
                skip,
                after_effect,
            };
            points.extend([false, true].map(kill));
        }
    }
    points
}

struct Environment {
    fake: FakeAws,
    queue: String,
}

impl Environment {
    fn spawn(&self, api: &RuntimeApi) -> Function {
        let endpoint = self.fake.endpoint();
        let variables = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("DLQ_URL", self.queue.as_str()),
        ];
        Function::spawn("compress", &variables, api)
    }

    fn output(&self) -> Option<Vec<u8>> {
        let keys = self.fake.keys(BUCKET);
        let key = keys.iter().find(|key| key.starts_with("processed/"))?;
        Some(unpack::zip(&self.fake.object(BUCKET, key).unwrap().content.bytes()).1)
    }
}

#[test]
fn a_crash_at_any_point_loses_nothing_and_the_redelivery_converges() {
    let content = large();
    for point in kill_points() {
        let fake = FakeAws::start();
        fake.bucket(BUCKET, true);
        let queue = fake.queue_url(DLQ);
        let environment = Environment { fake, queue };
        let written = environment.fake.put(BUCKET, KEY, content.clone());
        let event = sqs_event(&[("m", &written.notification().to_string())]);

        kill_at(&environment, point, &event);

        let output = environment.output();
        assert!(
            output.as_ref().is_none_or(|output| *output == content),
            "{point:?}: a torn output"
        );
        let source = environment.fake.object(BUCKET, KEY);
        assert!(
            source.is_some() || output.is_some(),
            "{point:?}: the source went before the output came"
        );

        let api = RuntimeApi::start();
        let _function = environment.spawn(&api);
        let answer = api.invoke(&event, PATIENCE);
        assert_eq!(
            answer,
            Answer::Response(json!({"batchItemFailures": []})),
            "{point:?}"
        );
        assert_eq!(environment.output(), Some(content.clone()), "{point:?}");
        assert!(environment.fake.object(BUCKET, KEY).is_none(), "{point:?}");
        assert!(environment.fake.messages(DLQ).is_empty(), "{point:?}");
        assert!(api.violations().is_empty(), "{:?}", api.violations());
    }
}

/// Starts the function on `event`, and kills it while the fake holds the request at `point`.
fn kill_at(environment: &Environment, point: KillPoint, event: &serde_json::Value) {
    let gate = Gate::new();
    environment.fake.fault(match point {
        KillPoint::Body { after_bytes } => {
            Fault::on(Operation::GetObject).hold_body(after_bytes, &gate)
        }
        KillPoint::Request {
            operation,
            skip,
            after_effect,
        } => {
            let fault = Fault::on(operation).skip(skip);
            if after_effect {
                fault.hold_after_effect(&gate)
            } else {
                fault.hold(&gate)
            }
        }
    });
    let api = RuntimeApi::start();
    let function = environment.spawn(&api);
    let answer = std::thread::scope(|scope| {
        let invocation = scope.spawn(|| api.invoke(event, PATIENCE));
        assert!(
            gate.wait_for_blocking(1, PATIENCE),
            "{point:?} was never reached"
        );
        function.kill();
        assert!(function.wait_exit(PATIENCE).is_some());
        gate.release();
        invocation.join().unwrap()
    });
    assert_eq!(answer, Answer::Lost(Lost::ProcessExited), "{point:?}");
    environment.fake.clear_faults();
}
