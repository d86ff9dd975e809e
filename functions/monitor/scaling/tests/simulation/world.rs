//! A small region: a file system, its mount targets, documents, a service. It obeys the rules of EFS and fails at random.

use scaling::class::Class;
use scaling::steps::{Call, Reply};
use scaling::targets::TargetList;
use scaling::{LifeCycle, MountTarget, Subnet};

/// `SplitMix64`: the same seed is the same day.
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// True in so many of a thousand cases.
    pub(crate) fn per_mille(&mut self, cases: u64) -> bool {
        self.roll(1_000) < cases
    }
}

/// A change that the controller has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub at_second: u64,
    pub is_removal: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) one_zone: bool,
    pub second: u64,
    pub subnets: Vec<Subnet>,
    pub targets: Vec<MountTarget>,
    /// When what is in flight arrives; `u64::MAX` hangs.
    pub arrives: Vec<(String, u64)>,
    pub state: Option<String>,
    pub list: Option<String>,
    pub cache: Option<String>,
    /// The list that the service runs with.
    pub deployed: Option<String>,
    pub deployments: usize,
    pub lists_written: usize,
    pub files: u64,
    pub made: Vec<Made>,
    /// Of a thousand calls, so many fail.
    pub faults: u64,
    pub next_id: u64,
}

/// What became of a call; the process may not live to hear it.
pub(crate) enum Heard {
    Reply(Reply),
    Crash,
}

const CLASSES: [Class; 7] = [
    Class::Conflict,
    Class::Later,
    Class::Unclear,
    Class::NoAddress,
    Class::Quota,
    Class::Configuration,
    Class::Denied,
];

impl World {
    /// Time passes: what is in flight arrives, and now and then someone else interferes.
    pub(crate) fn pass(&mut self, seconds: u64, dice: &mut Dice) {
        self.second += seconds;
        let now = self.second;
        let due = |id: &String, arrives: &[(String, u64)]| {
            arrives.iter().any(|(known, at)| known == id && *at <= now)
        };
        for target in &mut self.targets {
            if due(&target.id, &self.arrives) {
                target.life_cycle = match target.life_cycle {
                    LifeCycle::Creating | LifeCycle::Updating => LifeCycle::Available,
                    LifeCycle::Deleting => LifeCycle::Deleted,
                    other => other,
                };
            }
        }
        self.targets
            .retain(|target| target.life_cycle != LifeCycle::Deleted);
        if dice.per_mille(self.faults / 20) {
            self.interfere(dice);
        }
    }

    fn interfere(&mut self, dice: &mut Dice) {
        let count = self.targets.len() as u64;
        match dice.roll(4) {
            // One vanishes, or breaks, or comes from somewhere else.
            0 if count > 1 => {
                let index = usize::try_from(dice.roll(count)).unwrap();
                self.targets.remove(index);
            }
            1 if count > 1 => self.targets[0].life_cycle = LifeCycle::Error,
            2 => {
                let index = usize::try_from(dice.roll(self.subnets.len() as u64)).unwrap();
                let subnet = self.subnets[index].clone();
                // EFS lets nobody put one into another zone of such a file system.
                let is_possible = !self.one_zone || subnet.zone == "region-0";
                if is_possible && !self.is_covered(&subnet.zone_id) {
                    self.add(&subnet, self.second + 90);
                }
            }
            _ => {
                let index = usize::try_from(dice.roll(self.subnets.len() as u64)).unwrap();
                self.subnets[index].free_addresses = u32::try_from(dice.roll(3)).unwrap();
            }
        }
    }

    pub(crate) fn is_covered(&self, zone_id: &str) -> bool {
        self.targets.iter().any(|target| target.zone_id == zone_id)
    }

    pub(crate) fn available(&self) -> usize {
        let targets = self.targets.iter();
        targets
            .filter(|target| target.life_cycle == LifeCycle::Available)
            .count()
    }

    fn add(&mut self, subnet: &Subnet, arrives: u64) -> MountTarget {
        self.next_id += 1;
        let target = MountTarget {
            id: format!("fsmt-{}", self.next_id),
            life_cycle: LifeCycle::Creating,
            zone_id: subnet.zone_id.clone(),
            zone: subnet.zone.clone(),
            subnet_id: subnet.id.clone(),
            ip_address: format!("10.0.0.{}", self.next_id),
        };
        self.targets.push(target.clone());
        self.arrives.push((target.id.clone(), arrives));
        target
    }

    /// Makes a call, or fails, or both.
    pub(crate) fn make(&mut self, call: &Call, dice: &mut Dice) -> Heard {
        if dice.per_mille(self.faults / 4) {
            return Heard::Crash;
        }
        if dice.per_mille(self.faults) {
            let class = CLASSES[usize::try_from(dice.roll(CLASSES.len() as u64)).unwrap()];
            if class == Class::Unclear && dice.per_mille(500) {
                self.honest(call, dice);
            }
            return Heard::Reply(failed(class));
        }
        let reply = self.honest(call, dice);
        if dice.per_mille(self.faults / 4) {
            return Heard::Crash;
        }
        Heard::Reply(reply)
    }

    fn honest(&mut self, call: &Call, dice: &mut Dice) -> Reply {
        match call {
            Call::PutState(state) => self.state = Some(serde_json::to_string(state).unwrap()),
            Call::PutTargets(list) => {
                self.list = Some(serde_json::to_string(list).unwrap());
                self.lists_written += 1;
            }
            Call::Redeploy => {
                self.deployed.clone_from(&self.list);
                self.deployments += 1;
            }
            Call::LookAgain => return Reply::Targets(self.targets.clone()),
            Call::Create { subnet_id } => return self.create(subnet_id, dice),
            Call::Remove { target_id } => return self.remove(target_id),
        }
        Reply::Done
    }

    fn create(&mut self, subnet_id: &str, dice: &mut Dice) -> Reply {
        let subnet = self.subnets.iter().find(|it| it.id == subnet_id).cloned();
        let subnet = subnet.expect("a configured subnet");
        if self.is_covered(&subnet.zone_id) {
            return failed(Class::Conflict);
        }
        if subnet.free_addresses == 0 {
            return failed(Class::NoAddress);
        }
        let hangs = dice.per_mille(self.faults / 20);
        let arrives = if hangs {
            u64::MAX
        } else {
            self.second + 30 + dice.roll(900)
        };
        self.changed(false);
        Reply::Created(self.add(&subnet, arrives))
    }

    fn remove(&mut self, target_id: &str) -> Reply {
        let now = self.second;
        let target = self.targets.iter_mut().find(|it| it.id == target_id);
        let Some(target) = target else {
            return failed(Class::Conflict);
        };
        target.life_cycle = LifeCycle::Deleting;
        self.arrives.retain(|(id, _)| id != target_id);
        self.arrives.push((target_id.to_owned(), now + 60));
        self.changed(true);
        Reply::Done
    }

    fn changed(&mut self, is_removal: bool) {
        let at_second = self.second;
        self.made.push(Made {
            at_second,
            is_removal,
        });
    }

    /// The list as it should be read.
    pub(crate) fn true_list(&self, observed: &scaling::Observed) -> bool {
        TargetList::of(observed).is(self.list.as_deref())
    }
}

fn failed(class: Class) -> Reply {
    Reply::Failed {
        class,
        error: "scripted".to_owned(),
    }
}
