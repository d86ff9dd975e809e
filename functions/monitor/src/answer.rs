//! What a tick says in the end: its answer, its summary line, its numbers.

use std::time::SystemTime;

use scaling::advice::Advice;
use scaling::count::{Sensed, Source};
use scaling::decide::{Change, Step};
use scaling::steps::Outcome;
use scaling::{Count, Decision, Hold, LifeCycle, MountTarget, Tick, when};
use serde::Serialize;

use crate::publish::Numbers;

/// The answer of an invocation.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// When it was decided.
    pub timestamp: String,
    /// Null if it is not known.
    pub file_count: Option<u64>,
    /// `cache`, `fresh`, or null.
    pub count_source: Option<&'static str>,
    /// Null if there is none.
    pub count_age_seconds: Option<u64>,
    /// Files per mount target.
    pub threshold: u64,
    /// Whether there are more files than one mount target is for; null if that is not known.
    pub threshold_exceeded: Option<bool>,
    /// `hold`, `create`, `remove`, `recommend`.
    pub decision: &'static str,
    /// Why, and what came of it.
    pub reason: String,
    /// Whether there is one more.
    pub new_mount_target_created: bool,
    /// Which.
    pub new_mount_target_id: Option<String>,
    /// All there are, as the tick leaves them; null of a tick that was left to another one.
    pub mount_targets: Option<Vec<Described>>,
    /// Whether the service was redeployed.
    pub deployment_triggered: bool,
    /// Where more mount targets would not help.
    pub advice: Vec<String>,
}

/// A mount target.
#[derive(Debug, Serialize)]
pub struct Described {
    mount_target_id: String,
    ip_address: String,
    availability_zone: String,
    subnet_id: String,
    life_cycle_state: &'static str,
}

impl Answer {
    /// Of a tick that was left to another one.
    #[must_use]
    pub fn duplicate(reason: &str, threshold: u64, now: SystemTime) -> Self {
        Self {
            timestamp: when::text(now),
            file_count: None,
            count_source: None,
            count_age_seconds: None,
            threshold,
            threshold_exceeded: None,
            decision: "hold",
            reason: format!("duplicate: {reason}"),
            new_mount_target_created: false,
            new_mount_target_id: None,
            mount_targets: None,
            deployment_triggered: false,
            advice: Vec::new(),
        }
    }

    /// Of a tick that is over.
    #[must_use]
    pub fn of(
        tick: &Tick,
        sensed: &Sensed,
        advice: &[Advice],
        threshold: u64,
        now: SystemTime,
    ) -> Self {
        let Outcome {
            created,
            redeployed,
            ..
        } = tick.outcome();
        let file_count = files(&sensed.count);
        Self {
            timestamp: when::text(now),
            file_count,
            count_source: sensed.source.map(Source::label),
            count_age_seconds: sensed.source.map(|_| sensed.age.as_secs()),
            threshold,
            threshold_exceeded: file_count.map(|files| files > threshold),
            decision: tick.decision().label(),
            reason: reason(tick),
            new_mount_target_created: created.is_some(),
            new_mount_target_id: created.as_ref().map(|target| target.id.clone()),
            mount_targets: Some(tick.targets().iter().map(Described::of).collect()),
            deployment_triggered: *redeployed,
            advice: advice.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Described {
    fn of(target: &MountTarget) -> Self {
        Self {
            mount_target_id: target.id.clone(),
            ip_address: target.ip_address.clone(),
            availability_zone: target.zone.clone(),
            subnet_id: target.subnet_id.clone(),
            life_cycle_state: target.life_cycle.label(),
        }
    }
}

/// The decision's reason, and what kept it from being carried out.
#[must_use]
pub fn reason(tick: &Tick) -> String {
    let mut reason = tick.decision().to_string();
    for problem in &tick.outcome().problems {
        reason.push_str("; ");
        reason.push_str(problem.call);
        reason.push_str(": ");
        reason.push_str(problem.class.label());
    }
    reason
}

/// The numbers of a tick.
#[must_use]
pub fn numbers(tick: &Tick, sensed: &Sensed) -> Numbers {
    let targets = tick.targets().iter();
    let usable = targets.filter(|target| target.life_cycle == LifeCycle::Available);
    let created = tick.outcome().created.is_some();
    Numbers {
        count: files(&sensed.count).map(|files| (files, sensed.age.as_secs_f64())),
        targets: usable.count(),
        created: created.into(),
        skipped: (is_wanted(tick.decision()) && !created).into(),
    }
}

fn files(count: &Count) -> Option<u64> {
    match count {
        Count::Known { files } => Some(*files),
        Count::Unknown { .. } => None,
    }
}

/// Whether there should be one more than there are.
fn is_wanted(decision: &Decision) -> bool {
    let short = |step: &Step| step.targets < step.desired;
    match decision {
        Decision::Change(change) | Decision::Recommend(change) => {
            matches!(change, Change::Create { .. })
        }
        Decision::Hold(hold) => match hold {
            Hold::AsDesired(step)
            | Hold::Hysteresis(step)
            | Hold::ScaleInOff(step)
            | Hold::Cooldown { step, .. }
            | Hold::OneZone(step)
            | Hold::NoZoneLeft(step)
            | Hold::NoFreeAddress { step, .. }
            | Hold::AllProtected(step) => short(step),
            Hold::CountUnknown { .. }
            | Hold::SubnetsUnknown
            | Hold::LastChangeUnknown { .. }
            | Hold::UnknownZone { .. }
            | Hold::FileSystem(_)
            | Hold::InFlight { .. } => false,
        },
    }
}
