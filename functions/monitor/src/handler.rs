//! One tick: an invocation in, an answer out.

use std::time::SystemTime;

use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use scaling::advice::{Advice, Metrics, advise};
use scaling::cache::CachedCount;
use scaling::count::{Plan, Sensed, plan};
use scaling::state::State;
use scaling::steps::{Published, Remembered, Seen};
use scaling::{Observed, Subnet, Tick};
use serde_json::{Value, json};
use shared::deadline::Deadline;
use shared::payload::Fields;
use shared::telemetry::{Telemetry, error_chain};

use crate::act::Hands;
use crate::answer::{self, Answer};
use crate::clients::Clients;
use crate::config::Config;
use crate::count::{self, Asked};
use crate::error::MonitorError;
use crate::lease::{Leases, Turn};
use crate::observe::Eyes;
use crate::publish;
use crate::refusal::{Refusal, class_of};

/// Everything that lives as long as the process.
pub struct App {
    clients: Clients,
    config: Config,
    leases: Leases,
    telemetry: Telemetry,
}

/// What the tick has to fail for in the end, after everything else of it was done: the first of it.
#[derive(Default)]
struct Owed(Option<MonitorError>);

impl Owed {
    fn add(&mut self, error: MonitorError) {
        tracing::warn!(error = error_chain(&error), "owed");
        self.0.get_or_insert(error);
    }

    /// A refusal that the next tick would meet again is owed; others pass.
    fn refusal(&mut self, refusal: Refusal, so: &'static str) {
        if class_of(&refusal).is_for_someone() {
            return self.add(refusal.into());
        }
        tracing::warn!(error = error_chain(&refusal), "{so}");
    }
}

/// The documents of earlier ticks.
struct Documents {
    state: Remembered,
    published: Published,
    cache: Option<String>,
}

impl From<MonitorError> for Diagnostic {
    fn from(error: MonitorError) -> Self {
        Self {
            error_type: error.label().to_owned(),
            error_message: error_chain(&error),
        }
    }
}

impl App {
    /// One per process.
    #[must_use]
    pub fn new(clients: Clients, config: Config, telemetry: Telemetry) -> Self {
        Self {
            leases: Leases::new(&clients.s3, &config),
            clients,
            config,
            telemetry,
        }
    }

    /// Handles one invocation.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, MonitorError> {
        let LambdaEvent { payload, context } = event;
        let invocation = self
            .telemetry
            .invocation(&context.request_id, context.xray_trace_id.as_deref());
        // What all the calls of a tick keep on the stack is better kept on the heap.
        Box::pin(invocation.run(self.answer(payload, &context))).await
    }

    async fn answer(&self, payload: Value, context: &Context) -> Result<Value, MonitorError> {
        let patience = Deadline::from_epoch_ms(context.deadline).patience(SystemTime::now());
        let answered = tokio::time::timeout(patience, self.take_turn(payload, context)).await;
        let answered = answered.unwrap_or(Err(MonitorError::TimeUp));
        if let Err(error) = &answered {
            tracing::error!(error = error_chain(error), "invocation failed");
        }
        answered.map(|answer| json!(answer))
    }

    /// The tick, if it is this invocation's to make.
    async fn take_turn(&self, payload: Value, context: &Context) -> Result<Answer, MonitorError> {
        let mut fields = Fields::new(payload)?;
        let time = fields.text("time")?;
        fields.finish()?;
        let deadline = Deadline::from_epoch_ms(context.deadline);
        let now = SystemTime::now();
        let held = match self.leases.take(time.as_deref(), deadline, now).await? {
            Turn::Go(held) => held,
            Turn::Duplicate(reason) => {
                tracing::info!(decision = "hold", hold = "duplicate", reason, "invocation");
                return Ok(Answer::duplicate(reason, self.config.threshold(), now));
            }
        };
        let ticked = self.tick(deadline).await;
        // What is done is done: a lease that cannot be given back ends by itself.
        if let Err(error) = held.end(ticked.is_ok(), SystemTime::now()).await {
            tracing::warn!(error = error_chain(&error), "lease not given back");
        }
        ticked
    }

    async fn tick(&self, deadline: Deadline) -> Result<Answer, MonitorError> {
        let mut owed = Owed::default();
        let documents = self.documents(&mut owed).await;
        let cache = documents.cache.as_deref();
        let sensed = self.sense(cache, deadline, &mut owed).await;
        let eyes = self.eyes();
        let (file_system, targets, subnets) =
            tokio::join!(eyes.file_system(), eyes.mount_targets(), eyes.subnets());
        let are_subnets_known = subnets.is_ok();
        // Without them nothing is changed, and the list is put right all the same.
        let subnets = subnets.unwrap_or_else(|error| {
            owed.add(error);
            Vec::new()
        });
        let now = SystemTime::now();
        let (metrics, has_service) = tokio::join!(self.metrics(now), self.has_service());
        let seen = Seen {
            observed: Observed {
                file_system: file_system?,
                targets: targets?,
                subnets: subnets.clone(),
                are_subnets_known,
                count: sensed.count.clone(),
            },
            state: documents.state,
            published: documents.published,
            has_service,
        };
        let mut tick = Tick::new(seen, &self.config.policy(&subnets), now);
        self.act(&mut tick, &subnets).await;
        let numbers = answer::numbers(&tick, &sensed);
        let written = publish::metrics(&self.clients, &self.config, numbers, now).await;
        if let Err(refusal) = written {
            owed.refusal(refusal, "metrics not written");
        }
        let advice = advise(&metrics);
        report(&tick, &sensed, &metrics, &advice);
        let answer = Answer::of(&tick, &sensed, &advice, self.config.threshold(), now);
        verdict(&tick, owed).map(|()| answer)
    }

    fn eyes(&self) -> Eyes<'_> {
        Eyes {
            clients: &self.clients,
            config: &self.config,
        }
    }

    async fn documents(&self, owed: &mut Owed) -> Documents {
        let eyes = self.eyes();
        let (state, published, cache) = tokio::join!(
            eyes.parameter(&self.config.state_parameter),
            eyes.parameter(&self.config.targets_parameter),
            eyes.parameter(&self.config.cache_parameter),
        );
        Documents {
            state: self.remembered(state, owed),
            published: match published {
                Ok(text) => Published::Text(text),
                Err(refusal) => {
                    owed.refusal(refusal, "list not read, nor written");
                    Published::Unreadable
                }
            },
            // Counting anew is always right, only dearer.
            cache: cache.unwrap_or_else(|refusal| {
                owed.refusal(refusal, "cached count not read");
                None
            }),
        }
    }

    /// What cannot be read, or is not ours, may stand for a change of a moment ago.
    fn remembered(&self, read: Result<Option<String>, Refusal>, owed: &mut Owed) -> Remembered {
        let id = &self.config.file_system_id;
        let text = match read {
            Ok(Some(text)) => text,
            Ok(None) => return Remembered::State(State::new(id)),
            Err(refusal) => {
                let reason = class_of(&refusal).label();
                owed.refusal(refusal, "state not read: no change");
                return Remembered::Unreadable(reason);
            }
        };
        match State::read(&text, id, SystemTime::now()) {
            Ok(state) => Remembered::State(state),
            Err(unusable) => {
                let reason = unusable.label();
                owed.add(MonitorError::State { reason });
                Remembered::Unreadable(reason)
            }
        }
    }

    /// The number of files.
    async fn sense(&self, cache: Option<&str>, deadline: Deadline, owed: &mut Owed) -> Sensed {
        let now = SystemTime::now();
        let whose = count::whose(&self.config);
        let used = CachedCount::judge(cache, &whose, self.config.cache_ttl, now);
        let (before, because) = match plan(used, now) {
            Plan::Known(sensed) => return sensed,
            Plan::Ask { before, because } => (before, because),
        };
        tracing::info!(reason = because, "counting");
        let within = count::time_for(deadline.remaining(now));
        let asked = count::ask(
            &self.clients,
            &self.config,
            before.as_ref(),
            within,
            SystemTime::now,
        );
        match asked.await {
            Asked::Counted(cached, sensed) => {
                let name = &self.config.cache_parameter;
                let document = cached.document();
                let kept = publish::text_parameter(&self.clients, name, &document).await;
                if let Err(refusal) = kept {
                    owed.refusal(refusal, "count not cached");
                }
                sensed
            }
            Asked::Unknown(reason) => Sensed::unknown(reason),
            Asked::Refused(refusal) => {
                owed.add(refusal.into());
                Sensed::unknown("the function that counts cannot be invoked")
            }
        }
    }

    /// Of the file system; none where they cannot be read: they only make the advice.
    async fn metrics(&self, now: SystemTime) -> Metrics {
        self.eyes().metrics(now).await.unwrap_or_else(|refusal| {
            tracing::warn!(error = error_chain(&refusal), "no metrics, no advice");
            Metrics::default()
        })
    }

    /// Whether there is a service to redeploy. One that is gone is found out when it is to be redeployed.
    async fn has_service(&self) -> bool {
        let Some(service) = &self.config.service else {
            return false;
        };
        match self.eyes().is_active(service).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(service = service.name, "the service is not active"),
            Err(refusal) => {
                tracing::warn!(error = error_chain(&refusal), "service not looked at");
            }
        }
        true
    }

    async fn act(&self, tick: &mut Tick, subnets: &[Subnet]) {
        let hands = Hands {
            eyes: self.eyes(),
            subnets,
        };
        while let Some(call) = tick.next() {
            let name = call.name();
            let reply = hands.make(call).await;
            tracing::debug!(call = name, reply = ?reply, "call");
            tick.reply(reply);
        }
    }
}

fn report(tick: &Tick, sensed: &Sensed, metrics: &Metrics, advice: &[Advice]) {
    let outcome = tick.outcome();
    for problem in &outcome.problems {
        let (call, class) = (problem.call, problem.class.label());
        tracing::warn!(call, class, error = problem.error, "call did not succeed");
    }
    let hold = match tick.decision() {
        scaling::Decision::Hold(hold) => Some(hold.label()),
        _ => None,
    };
    tracing::info!(
        decision = tick.decision().label(),
        hold,
        reason = answer::reason(tick),
        file_count = answer::numbers(tick, sensed).count.map(|(files, _)| files),
        mount_targets = tick.targets().len(),
        new_mount_target_id = outcome.created.as_ref().map(|target| target.id.as_str()),
        removed_mount_target_id = outcome.removed,
        published = outcome.published,
        deployment_triggered = outcome.redeployed,
        advice = (!advice.is_empty()).then(|| advice
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")),
        client_connections = metrics.client_connections,
        percent_io_limit = metrics.percent_io_limit,
        burst_credit_balance = metrics.burst_credits.map(|credits| credits.last_bytes),
        permitted_throughput = metrics.permitted_throughput,
        "invocation"
    );
}

/// A tick that was made as far as it could be fails in the end if there is something that it owes.
fn verdict(tick: &Tick, owed: Owed) -> Result<(), MonitorError> {
    if let Some(error) = owed.0 {
        return Err(error);
    }
    let problems = &tick.outcome().problems;
    match problems.iter().find(|problem| problem.is_failure) {
        Some(problem) => Err(MonitorError::not_done(problem.clone())),
        None => Ok(()),
    }
}
