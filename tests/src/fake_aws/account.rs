//! Everything around a file system as data: mount targets, subnets, parameters, metrics, a service, a function.
//!
//! Only what `monitor` asks for is modelled, and what the model does not know it refuses.

mod ec2;
mod efs;
mod json;
mod metrics;

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::call::{Call, Operation};
use super::reply::Answer;
use super::state::Store;

pub(super) use self::ec2::subnet_of;
pub(super) use self::json::name_of;

/// A file system and what surrounds it.
#[derive(Debug)]
pub struct Account {
    /// `fs-…` and its zone's name, if it lives in one zone.
    pub file_systems: BTreeMap<String, Option<String>>,
    /// Subnets, all of one VPC unless they say otherwise.
    pub subnets: Vec<Subnet>,
    /// Mount targets.
    pub mount_targets: Vec<MountTarget>,
    /// What a new mount target is: `creating`, or for impatient tests `available`.
    pub new_state: &'static str,
    /// Most mount targets, or subnets, in one answer.
    pub page_size: usize,
    /// SSM parameters.
    pub parameters: BTreeMap<String, String>,
    /// `AWS/EFS` metrics by name, oldest value first.
    pub efs_metrics: BTreeMap<String, Vec<f64>>,
    /// What was written with `PutMetricData`.
    pub written_metrics: Vec<Datum>,
    /// ECS services by name: their status, and how often they were redeployed.
    pub services: BTreeMap<String, (String, usize)>,
    /// What the function that counts answers, one after the other; the last one stays.
    pub counts: VecDeque<Counting>,
    /// What it was asked.
    pub asked_counts: Vec<Value>,
    serial: u64,
}

/// A subnet.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// `subnet-…`
    pub id: String,
    /// Such as `use1-az1`.
    pub zone_id: String,
    /// Such as `us-east-1a`.
    pub zone: String,
    /// `vpc-…`
    pub vpc: String,
    /// Addresses left.
    pub free_addresses: u32,
}

/// A mount target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountTarget {
    /// `fsmt-…`
    pub id: String,
    /// `fs-…`
    pub file_system_id: String,
    /// `subnet-…`
    pub subnet_id: String,
    /// As EFS says it.
    pub state: String,
    /// Its address.
    pub ip_address: String,
    /// What it was created with.
    pub security_groups: Vec<String>,
}

/// A value written to CloudWatch.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// Of the request.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Its dimensions.
    pub dimensions: BTreeMap<String, String>,
}

/// What an invocation comes to.
#[derive(Clone, Debug)]
pub enum Counting {
    /// This answer.
    Answer(Value),
    /// A function error of this type.
    Error(&'static str),
}

impl Default for Account {
    fn default() -> Self {
        Self {
            file_systems: BTreeMap::new(),
            subnets: Vec::new(),
            mount_targets: Vec::new(),
            new_state: "creating",
            page_size: 100,
            parameters: BTreeMap::new(),
            efs_metrics: BTreeMap::new(),
            written_metrics: Vec::new(),
            services: BTreeMap::new(),
            counts: VecDeque::new(),
            asked_counts: Vec::new(),
            serial: 0,
        }
    }
}

/// A refusal: status, code, words.
#[derive(Debug)]
struct Refused(u16, &'static str, String);

impl Account {
    fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.id == id)
    }

    /// Adds a mount target in a subnet without asking any rule.
    pub fn add_target(&mut self, file_system_id: &str, subnet_id: &str, state: &str) -> String {
        self.serial += 1;
        let target = MountTarget {
            id: format!("fsmt-{:04x}", self.serial),
            file_system_id: file_system_id.to_owned(),
            subnet_id: subnet_id.to_owned(),
            state: state.to_owned(),
            ip_address: format!("10.0.0.{}", self.serial),
            security_groups: Vec::new(),
        };
        let id = target.id.clone();
        self.mount_targets.push(target);
        id
    }

    /// Ends whatever is under way.
    pub fn arrive(&mut self) {
        self.mount_targets
            .retain(|target| target.state != "deleting");
        for target in &mut self.mount_targets {
            if target.state == "creating" {
                "available".clone_into(&mut target.state);
            }
        }
    }
}

/// Which operation a request means, and its subject; `None` if it is none of these services'.
pub(super) fn operation(
    method: &str,
    path: &str,
    headers: &BTreeMap<String, String>,
) -> Option<Operation> {
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    let of_target = match header("x-amz-target") {
        "AmazonSSM.GetParameter" => Some(Operation::GetParameter),
        "AmazonSSM.PutParameter" => Some(Operation::PutParameter),
        "AmazonEC2ContainerServiceV20141113.DescribeServices" => Some(Operation::DescribeServices),
        "AmazonEC2ContainerServiceV20141113.UpdateService" => Some(Operation::UpdateService),
        _ => None,
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    of_target.or(match (method, &parts[..]) {
        ("GET", ["2015-02-01", "file-systems"]) => Some(Operation::DescribeFileSystems),
        ("GET", ["2015-02-01", "mount-targets"]) => Some(Operation::DescribeMountTargets),
        ("POST", ["2015-02-01", "mount-targets"]) => Some(Operation::CreateMountTarget),
        ("DELETE", ["2015-02-01", "mount-targets", _]) => Some(Operation::DeleteMountTarget),
        ("POST", ["2015-03-31", "functions", _, "invocations"]) => Some(Operation::Invoke),
        (
            "POST",
            [
                "service",
                "GraniteServiceVersion20100801",
                "operation",
                name,
            ],
        ) => match *name {
            "GetMetricData" => Some(Operation::GetMetricData),
            "PutMetricData" => Some(Operation::PutMetricData),
            _ => None,
        },
        ("POST", []) if header("content-type") == "application/x-www-form-urlencoded" => {
            Some(Operation::DescribeSubnets)
        }
        _ => None,
    })
}

/// What the last part of a path says.
pub(super) fn subject(path: &str) -> String {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    match (parts.next(), parts.next(), parts.next()) {
        (Some("2015-03-31" | "2015-02-01"), Some(_), Some(name)) => name.to_owned(),
        _ => String::new(),
    }
}

/// Performs one of the operations that [`operation`] knows.
pub(super) fn perform(store: &mut Store, call: &Call) -> Answer {
    let signed = call
        .header("authorization")
        .is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256 "));
    let performed = if signed {
        answer(&mut store.account, call)
    } else {
        Err(Refused(
            403,
            "MissingAuthenticationToken",
            "not signed".to_owned(),
        ))
    };
    performed.unwrap_or_else(|Refused(status, code, message)| {
        error(call.operation, status, code, &message)
    })
}

fn answer(account: &mut Account, call: &Call) -> Result<Answer, Refused> {
    match call.operation {
        Operation::GetParameter => json::get_parameter(account, &call.body),
        Operation::PutParameter => json::put_parameter(account, &call.body),
        Operation::DescribeServices => json::describe_services(account, &call.body),
        Operation::UpdateService => json::update_service(account, &call.body),
        Operation::Invoke => json::invoke(account, &call.body),
        Operation::DescribeFileSystems => efs::describe_file_systems(account, call),
        Operation::DescribeMountTargets => efs::describe_mount_targets(account, call),
        Operation::CreateMountTarget => efs::create(account, &call.body),
        Operation::DeleteMountTarget => efs::delete(account, &call.key),
        Operation::DescribeSubnets => ec2::describe_subnets(account, &call.body),
        Operation::GetMetricData => metrics::get(account, &call.body),
        Operation::PutMetricData => metrics::put(account, &call.body),
        other => Err(Refused(501, "NotImplemented", format!("{other:?}"))),
    }
}

/// An error as the operation's service says it.
pub(super) fn error(operation: Operation, status: u16, code: &str, message: &str) -> Answer {
    match operation {
        Operation::DescribeSubnets => ec2::error(status, code, message),
        Operation::GetMetricData | Operation::PutMetricData => metrics::error(status, code),
        Operation::GetParameter
        | Operation::PutParameter
        | Operation::DescribeServices
        | Operation::UpdateService => {
            Answer::json(status, &json!({"__type": code, "message": message}))
        }
        _ => {
            let body = json!({"ErrorCode": code, "Message": message});
            Answer::json(status, &body).header("x-amzn-errortype", code)
        }
    }
}
