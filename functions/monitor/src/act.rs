//! The calls of a tick, made one by one. None is repeated here and nothing is waited for: the next tick looks.

use aws_config::retry::RetryConfig;
use scaling::class::Class;
use scaling::steps::{Call, Reply};
use scaling::{LifeCycle, MountTarget, Subnet};
use shared::telemetry::error_chain;

use crate::observe::Eyes;
use crate::publish;
use crate::refusal::{Refusal, class_of};

/// Makes the calls.
#[derive(Clone, Copy)]
pub struct Hands<'a> {
    /// What they see with, and work on.
    pub eyes: Eyes<'a>,
    /// The configured subnets, to know a new mount target's zone by.
    pub subnets: &'a [Subnet],
}

impl Hands<'_> {
    /// Makes one.
    pub async fn make(&self, call: Call) -> Reply {
        let Eyes { clients, config } = self.eyes;
        let done = match call {
            Call::Create { subnet_id } => return self.create(&subnet_id).await,
            Call::LookAgain => return self.look_again().await,
            Call::Remove { target_id } => self.remove(&target_id).await,
            Call::PutState(state) => {
                publish::parameter(clients, &config.state_parameter, &state).await
            }
            Call::PutTargets(list) => {
                publish::parameter(clients, &config.targets_parameter, &list).await
            }
            Call::Redeploy => match &config.service {
                Some(service) => publish::redeploy(clients, service).await,
                None => Ok(()),
            },
        };
        match done {
            Ok(()) => Reply::Done,
            Err(refusal) => failed(&refusal),
        }
    }

    /// Once: a second attempt after an answer that was lost would meet the first one's mount target.
    async fn create(&self, subnet_id: &str) -> Reply {
        let Eyes { clients, config } = self.eyes;
        let groups = Some(config.security_group_ids.clone()).filter(|groups| !groups.is_empty());
        let asked = clients
            .efs
            .create_mount_target()
            .file_system_id(&config.file_system_id)
            .subnet_id(subnet_id)
            .set_security_groups(groups);
        let once = aws_sdk_efs::config::Config::builder().retry_config(RetryConfig::disabled());
        match asked.customize().config_override(once).send().await {
            Ok(made) => Reply::Created(self.made(
                MountTarget {
                    id: made.mount_target_id,
                    life_cycle: LifeCycle::of(made.life_cycle_state.as_str()),
                    zone_id: made.availability_zone_id.unwrap_or_default(),
                    zone: made.availability_zone_name.unwrap_or_default(),
                    subnet_id: made.subnet_id,
                    ip_address: made.ip_address.unwrap_or_default(),
                },
                subnet_id,
            )),
            Err(error) => failed(&Refusal::new("CreateMountTarget", error)),
        }
    }

    /// What the answer does not say, the subnet does.
    fn made(&self, mut target: MountTarget, subnet_id: &str) -> MountTarget {
        if let Some(subnet) = self.subnets.iter().find(|it| it.id == subnet_id) {
            if target.zone_id.is_empty() {
                target.zone_id.clone_from(&subnet.zone_id);
            }
            if target.zone.is_empty() {
                target.zone.clone_from(&subnet.zone);
            }
        }
        target
    }

    async fn remove(&self, target_id: &str) -> Result<(), Refusal> {
        let asked = self.eyes.clients.efs.delete_mount_target();
        let once = aws_sdk_efs::config::Config::builder().retry_config(RetryConfig::disabled());
        let asked = asked.mount_target_id(target_id).customize();
        let answer = asked.config_override(once).send().await;
        let answer = answer.map_err(|error| Refusal::new("DeleteMountTarget", error));
        answer.map(|_| ())
    }

    async fn look_again(&self) -> Reply {
        match self.eyes.mount_targets().await {
            Ok(targets) => Reply::Targets(targets),
            Err(error) => Reply::Failed {
                class: Class::Unclear,
                error: error_chain(&error),
            },
        }
    }
}

fn failed(refusal: &Refusal) -> Reply {
    Reply::Failed {
        class: class_of(refusal),
        error: error_chain(refusal),
    }
}
