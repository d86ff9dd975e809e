//! The steps of a tick after it has seen everything, in an order that a crash between any two of them leaves mendable.
//!
//! A tick is asked what to call and told what came of it; it makes no call itself. What it rests on:
//!
//! - The state says when the last change began, and is written before the change: a crash costs a cool-down, never a
//!   second change within one.
//! - The state says for which list the service is yet to be redeployed, and is written before the list.
//! - Nothing waits. What takes time is in flight, and the next tick sees it.

use std::time::SystemTime;

use crate::class::Class;
use crate::decide::{Change, Decision, Hold, decide};
use crate::observed::{LifeCycle, MountTarget};
use crate::policy::{Mode, Policy};
use crate::state::{LastChange, State};
use crate::steps::{Call, Outcome, Problem, Published, Remembered, Reply, Seen};
use crate::targets::TargetList;

/// A tick under way.
#[derive(Clone, Debug)]
pub struct Tick {
    seen: Seen,
    decision: Decision,
    list: TargetList,
    now: SystemTime,
    stage: Stage,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Before a change: the state says that it begins.
    Announce { previous: Option<LastChange> },
    /// The change; subnets still to try.
    Change {
        previous: Option<LastChange>,
        subnet_ids: Vec<String>,
    },
    /// Someone was faster, or so it seems.
    LookAgain { previous: Option<LastChange> },
    /// There was no change: the state forgets it.
    Withdraw { previous: Option<LastChange> },
    /// Before the list: the state says that the service is to follow.
    Mark,
    /// The list.
    List,
    /// The service.
    Redeploy,
    /// The service has followed.
    Unmark,
    /// Nothing is left to do.
    End,
}

impl Tick {
    /// Decides, and stands before the first step.
    #[must_use]
    pub fn new(seen: Seen, policy: &Policy, now: SystemTime) -> Self {
        let decision = match &seen.state {
            Remembered::State(state) => {
                decide(&seen.observed, policy, state.last_change.as_ref(), now)
            }
            Remembered::Unreadable(reason) => Decision::Hold(Hold::LastChangeUnknown { reason }),
        };
        let is_ours = policy.mode == Mode::Apply;
        let mut tick = Self {
            list: TargetList::of(&seen.observed),
            seen,
            decision,
            now,
            stage: Stage::End,
            outcome: Outcome::default(),
        };
        tick.stage = match (&tick.decision, &tick.seen.state) {
            _ if !is_ours => Stage::End,
            (Decision::Change(_), Remembered::State(state)) => Stage::Announce {
                previous: state.last_change.clone(),
            },
            _ => tick.publication(),
        };
        tick
    }

    /// What was decided.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The mount targets as they are known by now.
    #[must_use]
    pub fn targets(&self) -> &[MountTarget] {
        &self.seen.observed.targets
    }

    /// What it came to so far.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What to call next; nothing when the tick is over.
    #[must_use]
    pub fn next(&self) -> Option<Call> {
        match &self.stage {
            Stage::Announce { .. } => {
                let last_change = self.change().map(|change| LastChange {
                    at: self.now,
                    kind: change.kind(),
                    zone_id: change.zone_id().to_owned(),
                });
                self.state(|state| state.last_change = last_change)
            }
            Stage::Change { subnet_ids, .. } => match self.change()? {
                Change::Create { .. } => {
                    let subnet_id = subnet_ids.first()?.clone();
                    Some(Call::Create { subnet_id })
                }
                Change::Remove { target_id, .. } => {
                    let target_id = target_id.clone();
                    Some(Call::Remove { target_id })
                }
            },
            Stage::LookAgain { .. } => Some(Call::LookAgain),
            Stage::Withdraw { previous } => {
                self.state(|state| state.last_change.clone_from(previous))
            }
            Stage::Mark => self.state(|state| state.redeploy_for = Some(self.list.names())),
            Stage::List => Some(Call::PutTargets(self.list.clone())),
            Stage::Redeploy => Some(Call::Redeploy),
            Stage::Unmark => self.state(|state| state.redeploy_for = None),
            Stage::End => None,
        }
    }

    /// What came of the call that [`Tick::next`] has named.
    pub fn reply(&mut self, reply: Reply) {
        let Some(call) = self.next() else { return };
        if let Reply::Failed { class, error } = &reply {
            self.outcome.problems.push(Problem {
                call: call.name(),
                class: *class,
                error: error.clone(),
                is_failure: call.must_succeed() || class.is_for_someone(),
            });
        } else if let Call::PutState(state) = &call {
            self.seen.state = Remembered::State(state.clone());
        }
        let stage = std::mem::replace(&mut self.stage, Stage::End);
        self.stage = match stage {
            Stage::Announce { previous } => self.announced(previous, &reply),
            Stage::Change {
                previous,
                subnet_ids,
            } => self.changed(previous, subnet_ids, reply),
            Stage::LookAgain { previous } => self.looked_again(previous, reply),
            Stage::Withdraw { .. } => self.publication(),
            // Without the mark a crash after the list would leave the service where it is, for good.
            Stage::Mark => on_success(&reply, Stage::List),
            Stage::List => self.listed(&reply),
            Stage::Redeploy => {
                self.outcome.redeployed = reply == Reply::Done;
                on_success(&reply, Stage::Unmark)
            }
            Stage::Unmark | Stage::End => Stage::End,
        };
    }

    fn announced(&mut self, previous: Option<LastChange>, reply: &Reply) -> Stage {
        if matches!(reply, Reply::Failed { .. }) {
            return self.publication();
        }
        let subnet_ids = match self.change() {
            Some(Change::Create { subnet_ids, .. }) => subnet_ids.clone(),
            _ => Vec::new(),
        };
        Stage::Change {
            previous,
            subnet_ids,
        }
    }

    fn changed(
        &mut self,
        previous: Option<LastChange>,
        mut subnet_ids: Vec<String>,
        reply: Reply,
    ) -> Stage {
        match reply {
            Reply::Created(target) => {
                self.seen.observed.targets.push(target.clone());
                self.outcome.created = Some(target);
                self.see_again()
            }
            Reply::Failed {
                class: Class::Conflict,
                ..
            } => Stage::LookAgain { previous },
            Reply::Failed {
                class: Class::NoAddress,
                ..
            } if subnet_ids.len() > 1 => {
                subnet_ids.remove(0);
                Stage::Change {
                    previous,
                    subnet_ids,
                }
            }
            Reply::Failed { class, .. } if class.is_without_effect() => {
                Stage::Withdraw { previous }
            }
            Reply::Failed { .. } => self.publication(),
            Reply::Done | Reply::Targets(_) => self.removed(),
        }
    }

    fn removed(&mut self) -> Stage {
        if let Some(Change::Remove { target_id, .. }) = self.change().cloned() {
            let mut targets = self.seen.observed.targets.iter_mut();
            if let Some(target) = targets.find(|target| target.id == target_id) {
                target.life_cycle = LifeCycle::Deleting;
            }
            self.outcome.removed = Some(target_id);
        }
        self.see_again()
    }

    /// A conflict is settled by what is there. A zone that is still without one can only be in another VPC than the
    /// rest: that is the only other rule behind this answer.
    fn looked_again(&mut self, previous: Option<LastChange>, reply: Reply) -> Stage {
        if let Reply::Targets(targets) = reply {
            self.seen.observed.targets = targets;
            self.list = TargetList::of(&self.seen.observed);
            let is_covered = |zone_id: &str| {
                let mut standing = self.seen.observed.standing();
                standing.any(|target| target.zone_id == zone_id)
            };
            if let Some(Change::Create { zone_id, .. }) = self.change()
                && !is_covered(zone_id)
            {
                let error = format!(
                    "zone {zone_id} has no mount target and yet a conflict: its subnet is in another VPC than those of the others"
                );
                self.outcome.problems.push(Problem {
                    call: "CreateMountTarget",
                    class: Class::Configuration,
                    error,
                    is_failure: true,
                });
            }
        }
        Stage::Withdraw { previous }
    }

    fn listed(&mut self, reply: &Reply) -> Stage {
        if matches!(reply, Reply::Failed { .. }) {
            return Stage::End;
        }
        self.outcome.published = true;
        if self.seen.has_service {
            Stage::Redeploy
        } else {
            Stage::End
        }
    }

    fn see_again(&mut self) -> Stage {
        self.list = TargetList::of(&self.seen.observed);
        self.publication()
    }

    /// Where publishing begins: with the mark, with the list, with what an earlier tick has left undone, or not at all.
    fn publication(&self) -> Stage {
        let Published::Text(published) = &self.seen.published else {
            return Stage::End;
        };
        let differs = !self.list.is(published.as_deref());
        match &self.seen.state {
            _ if !self.seen.has_service && differs => Stage::List,
            _ if !self.seen.has_service => Stage::End,
            Remembered::Unreadable(_) => Stage::End,
            Remembered::State(_) if differs => Stage::Mark,
            Remembered::State(state) => match &state.redeploy_for {
                // For this list, or for one that never came out: then the service may still have the one before this.
                Some(_) => Stage::Redeploy,
                None => Stage::End,
            },
        }
    }

    fn change(&self) -> Option<&Change> {
        match &self.decision {
            Decision::Change(change) => Some(change),
            Decision::Hold(_) | Decision::Recommend(_) => None,
        }
    }

    fn state(&self, change: impl FnOnce(&mut State)) -> Option<Call> {
        let Remembered::State(state) = &self.seen.state else {
            return None;
        };
        let mut state = state.clone();
        change(&mut state);
        Some(Call::PutState(state))
    }
}

fn on_success(reply: &Reply, next: Stage) -> Stage {
    match reply {
        Reply::Failed { .. } => Stage::End,
        Reply::Done | Reply::Created(_) | Reply::Targets(_) => next,
    }
}
