//! What is there.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::types::{Dimension, MetricDataQuery, MetricDataResult, MetricStat};
use aws_sdk_efs::types::MountTargetDescription;
use scaling::advice::{Credits, Metrics};
use scaling::observed::FileSystem;
use scaling::{LifeCycle, MountTarget, Subnet};

use crate::clients::Clients;
use crate::config::{Config, Service};
use crate::ec2::{Asked, Described};
use crate::error::MonitorError;
use crate::refusal::Refusal;

/// Most pages of one listing; a file system has one mount target to a zone.
const PAGES_MAX: usize = 50;

/// How far back metrics go.
const WINDOW: Duration = Duration::from_mins(15);

/// Between two of them, seconds.
const PERIOD_SECONDS: i32 = 60;

/// Reads through the clients.
#[derive(Clone, Copy)]
pub struct Eyes<'a> {
    /// With these.
    pub clients: &'a Clients,
    /// What is looked for.
    pub config: &'a Config,
}

impl Eyes<'_> {
    /// The text of a parameter, if there is one.
    pub async fn parameter(&self, name: &str) -> Result<Option<String>, Refusal> {
        let asked = self.clients.ssm.get_parameter().name(name).send().await;
        match asked {
            Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
            Err(error) => match Refusal::new("GetParameter", error) {
                refusal if refusal.code() == "ParameterNotFound" => Ok(None),
                refusal => Err(refusal),
            },
        }
    }

    /// The file system.
    pub async fn file_system(&self) -> Result<FileSystem, MonitorError> {
        let id = &self.config.file_system_id;
        let asked = self.clients.efs.describe_file_systems().file_system_id(id);
        let answer = asked.send().await;
        let answer = answer.map_err(|error| Refusal::new("DescribeFileSystems", error))?;
        let found = answer.file_systems.unwrap_or_default().pop();
        let found = found.ok_or(MonitorError::Incomplete {
            call: "DescribeFileSystems",
            missing: "the file system",
        })?;
        Ok(FileSystem {
            life_cycle: LifeCycle::of(found.life_cycle_state.as_str()),
            one_zone: found.availability_zone_name,
        })
    }

    /// All mount targets of the file system, of all pages.
    pub async fn mount_targets(&self) -> Result<Vec<MountTarget>, MonitorError> {
        let id = &self.config.file_system_id;
        let (mut targets, mut marker) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let asked = self.clients.efs.describe_mount_targets().file_system_id(id);
            let answer = asked.set_marker(marker).send().await;
            let answer = answer.map_err(|error| Refusal::new("DescribeMountTargets", error))?;
            let page = answer.mount_targets.unwrap_or_default().into_iter();
            for described in page.map(mount_target) {
                targets.push(described?);
            }
            marker = answer.next_marker.filter(|next| !next.is_empty());
            if marker.is_none() {
                return Ok(targets);
            }
        }
        Err(MonitorError::Incomplete {
            call: "DescribeMountTargets",
            missing: "a last page",
        })
    }

    /// The configured subnets, in their order.
    pub async fn subnets(&self) -> Result<Vec<Subnet>, MonitorError> {
        let ids = &self.config.subnet_ids;
        let (mut subnets, mut token) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let asked = Asked {
                subnet_ids: ids.clone(),
                next_token: token,
            };
            let answer = self.clients.ec2.describe_subnets(asked).await;
            let answer = answer.map_err(|error| Refusal::new("DescribeSubnets", error))?;
            for described in answer.subnets {
                subnets.push(subnet(described)?);
            }
            token = answer.next_token;
            if token.is_none() {
                return in_order(subnets, ids);
            }
        }
        Err(MonitorError::Incomplete {
            call: "DescribeSubnets",
            missing: "a last page",
        })
    }

    /// Whether the service can be redeployed.
    pub async fn is_active(&self, service: &Service) -> Result<bool, Refusal> {
        let asked = self.clients.ecs.describe_services();
        let asked = asked.cluster(&service.cluster).services(&service.name);
        let answer = asked.send().await;
        let answer = answer.map_err(|error| Refusal::new("DescribeServices", error))?;
        let mut services = answer.services.unwrap_or_default().into_iter();
        Ok(services.any(|found| found.status.as_deref() == Some("ACTIVE")))
    }

    /// What CloudWatch says of the file system.
    pub async fn metrics(&self, now: SystemTime) -> Result<Metrics, Refusal> {
        let queries = [
            ("connections", "ClientConnections", "Sum"),
            ("limit", "PercentIOLimit", "Maximum"),
            ("credits", "BurstCreditBalance", "Minimum"),
            ("permitted", "PermittedThroughput", "Minimum"),
        ];
        let asked = self.clients.cloudwatch.get_metric_data();
        let asked = asked
            .start_time((now - WINDOW).into())
            .end_time(now.into())
            .scan_by(aws_sdk_cloudwatch::types::ScanBy::TimestampAscending)
            .set_metric_data_queries(Some(queries.map(|query| self.query(query)).to_vec()));
        let answer = asked.send().await;
        let answer = answer.map_err(|error| Refusal::new("GetMetricData", error))?;
        let results = answer.metric_data_results.unwrap_or_default();
        Ok(read(&results))
    }

    fn query(&self, (id, name, statistic): (&str, &str, &str)) -> MetricDataQuery {
        let dimension = Dimension::builder()
            .name("FileSystemId")
            .value(&self.config.file_system_id)
            .build();
        let metric = aws_sdk_cloudwatch::types::Metric::builder()
            .namespace("AWS/EFS")
            .metric_name(name)
            .dimensions(dimension)
            .build();
        let stat = MetricStat::builder()
            .metric(metric)
            .period(PERIOD_SECONDS)
            .stat(statistic)
            .build();
        MetricDataQuery::builder().id(id).metric_stat(stat).build()
    }
}

/// A mount target, as EFS describes it.
pub(crate) fn mount_target(it: MountTargetDescription) -> Result<MountTarget, MonitorError> {
    let zone_id = it.availability_zone_id.ok_or(MonitorError::Incomplete {
        call: "DescribeMountTargets",
        missing: "AvailabilityZoneId",
    })?;
    Ok(MountTarget {
        id: it.mount_target_id,
        life_cycle: LifeCycle::of(it.life_cycle_state.as_str()),
        zone: it.availability_zone_name.unwrap_or_else(|| zone_id.clone()),
        zone_id,
        subnet_id: it.subnet_id,
        ip_address: it.ip_address.unwrap_or_default(),
    })
}

fn subnet(it: Described) -> Result<Subnet, MonitorError> {
    let incomplete = |missing| MonitorError::Incomplete {
        call: "DescribeSubnets",
        missing,
    };
    let zone_id = it.zone_id.ok_or_else(|| incomplete("availabilityZoneId"))?;
    let free = it.free_addresses;
    Ok(Subnet {
        id: it.id.ok_or_else(|| incomplete("subnetId"))?,
        zone: it.zone.unwrap_or_else(|| zone_id.clone()),
        zone_id,
        free_addresses: free.ok_or_else(|| incomplete("availableIpAddressCount"))?,
    })
}

/// The first configured subnet is the first choice, whatever the order of the answer.
fn in_order(mut subnets: Vec<Subnet>, ids: &[String]) -> Result<Vec<Subnet>, MonitorError> {
    let place = |subnet: &Subnet| ids.iter().position(|id| *id == subnet.id);
    if subnets.len() != ids.len() {
        return Err(MonitorError::Incomplete {
            call: "DescribeSubnets",
            missing: "some of SUBNET_IDS",
        });
    }
    subnets.sort_by_key(place);
    Ok(subnets)
}

fn read(results: &[MetricDataResult]) -> Metrics {
    let values = |id: &str| {
        let found = results
            .iter()
            .find(|result| result.id.as_deref() == Some(id));
        found.map_or(&[][..], |result| result.values())
    };
    let times = |id: &str| {
        let found = results
            .iter()
            .find(|result| result.id.as_deref() == Some(id));
        found.map_or(&[][..], |result| result.timestamps())
    };
    let (credits, at) = (values("credits"), times("credits"));
    let burst_credits = match (credits, at) {
        ([first, .., last], [from, .., to]) => Some(Credits {
            first_bytes: *first,
            last_bytes: *last,
            hours: (to.as_secs_f64() - from.as_secs_f64()) / 3_600.0,
        }),
        _ => None,
    };
    Metrics {
        client_connections: values("connections").last().copied(),
        percent_io_limit: values("limit").iter().copied().reduce(f64::max),
        burst_credits,
        permitted_throughput: values("permitted").iter().copied().reduce(f64::min),
    }
}
