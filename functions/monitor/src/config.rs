//! Settings, from the environment.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use scaling::{Mode, Policy, Subnet};
use shared::env::{EnvError, Vars};
use shared::telemetry::Settings;

/// Most subnets that can be set: zones of a region times a few.
const SUBNETS_MAX: usize = 50;

/// Most security groups of a mount target. Source: EFS API reference, "`CreateMountTarget`".
const SECURITY_GROUPS_MAX: usize = 5;

/// Longest name of a parameter, characters. Source: Systems Manager API reference, "`PutParameter`".
const PARAMETER_NAME_MAX: usize = 1_011;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// `EFS_FILE_SYSTEM_ID`, required.
    pub file_system_id: String,
    /// `SUBNET_IDS`, required: the subnets that may carry a mount target, in order of preference.
    pub subnet_ids: Vec<String>,
    /// `SECURITY_GROUP_IDS`: of new mount targets; none = the VPC's default one.
    pub security_group_ids: Vec<String>,
    /// `COUNT_FUNCTION_NAME`, required: name or ARN.
    pub count_function: String,
    /// `CACHE_PARAMETER`, default `/sluice/file-count`.
    pub cache_parameter: String,
    /// `CACHE_TTL_SECONDS`, default 300.
    pub cache_ttl: Duration,
    /// `STATE_PARAMETER`, default `/sluice/monitor-state`.
    pub state_parameter: String,
    /// `STATE_BUCKET`: where the lease of a tick is kept; none = no lease.
    pub state_bucket: Option<String>,
    /// `TARGETS_PARAMETER`, default `/sluice/mount-targets`.
    pub targets_parameter: String,
    /// `ECS_CLUSTER_NAME` and `ECS_SERVICE_NAME`: what is redeployed after the list changed.
    pub service: Option<Service>,
    /// The Powertools names for logs and metrics.
    pub telemetry: Settings,
    wanted: Wanted,
}

/// A service of ECS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name or ARN.
    pub cluster: String,
    /// Name or ARN.
    pub name: String,
}

/// The policy, but for what only the subnets can say.
#[derive(Clone, Debug)]
struct Wanted {
    /// `FILE_COUNT_THRESHOLD` (100000), `MIN_MOUNT_TARGETS` (1), `COOLDOWN_SECONDS` (600), `SCALE_IN_COOLDOWN_SECONDS`
    /// (3600), `SCALE_IN` (false), `PROTECTED_ZONES` (none), `SCALING_MODE` (apply).
    policy: Policy,
    /// `MAX_MOUNT_TARGETS`: none = as many as the subnets have zones.
    targets_max: Option<u32>,
}

impl Config {
    /// Reads every setting and reports every mistake at once.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvError> {
        let mut vars = Vars::new(lookup);
        let config = Self {
            file_system_id: file_system_id(&mut vars),
            subnet_ids: subnet_ids(&mut vars),
            security_group_ids: security_group_ids(&mut vars),
            count_function: vars.required("COUNT_FUNCTION_NAME"),
            cache_parameter: parameter(&mut vars, "CACHE_PARAMETER", "/sluice/file-count"),
            cache_ttl: seconds(&mut vars, "CACHE_TTL_SECONDS", 300, 0..=DAY_SECONDS),
            state_parameter: parameter(&mut vars, "STATE_PARAMETER", "/sluice/monitor-state"),
            state_bucket: vars.optional("STATE_BUCKET"),
            targets_parameter: parameter(&mut vars, "TARGETS_PARAMETER", "/sluice/mount-targets"),
            service: service(&mut vars),
            telemetry: Settings::read(&mut vars, "monitor"),
            wanted: wanted(&mut vars),
        };
        config.cross_check(&mut vars);
        vars.finish()?;
        Ok(config)
    }

    /// What is wanted, given the subnets that there are.
    #[must_use]
    pub fn policy(&self, subnets: &[Subnet]) -> Policy {
        let zones: BTreeSet<&str> = subnets.iter().map(|it| it.zone_id.as_str()).collect();
        let zones = u32::try_from(zones.len()).unwrap_or(u32::MAX);
        Policy {
            targets_max: self.wanted.targets_max.unwrap_or(zones),
            is_max_set: self.wanted.targets_max.is_some(),
            ..self.wanted.policy.clone()
        }
    }

    /// `FILE_COUNT_THRESHOLD`.
    #[must_use]
    pub fn threshold(&self) -> u64 {
        self.wanted.policy.files_per_target
    }

    fn cross_check<L: Fn(&str) -> Option<String>>(&self, vars: &mut Vars<L>) {
        let min = self.wanted.policy.targets_min;
        if let Some(max) = self.wanted.targets_max.filter(|max| min > *max) {
            let allowed = format!("at most MAX_MOUNT_TARGETS {max}");
            vars.mistake("MIN_MOUNT_TARGETS", &min.to_string(), &allowed);
        }
        let parameters = [
            ("CACHE_PARAMETER", &self.cache_parameter),
            ("STATE_PARAMETER", &self.state_parameter),
            ("TARGETS_PARAMETER", &self.targets_parameter),
        ];
        for (index, (name, value)) in parameters.iter().enumerate() {
            let mut earlier = parameters[..index].iter();
            if let Some((other, _)) = earlier.find(|(_, other)| other == value) {
                vars.mistake(name, value, &format!("another one than {other}"));
            }
        }
    }
}

fn wanted<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>) -> Wanted {
    let modes = [("apply", Mode::Apply), ("recommend", Mode::Recommend)];
    let whole = |max: &u32| *max > 0;
    Wanted {
        policy: Policy {
            files_per_target: vars.ranged("FILE_COUNT_THRESHOLD", 100_000, 1..=u64::MAX),
            targets_min: vars.ranged("MIN_MOUNT_TARGETS", 1, 1..=100),
            targets_max: 0,
            is_max_set: false,
            cooldown: seconds(vars, "COOLDOWN_SECONDS", 600, 0..=30 * DAY_SECONDS),
            scale_in_cooldown: seconds(
                vars,
                "SCALE_IN_COOLDOWN_SECONDS",
                3_600,
                0..=30 * DAY_SECONDS,
            ),
            scale_in: vars.flag("SCALE_IN", false),
            protected_zones: list(vars, "PROTECTED_ZONES"),
            mode: vars.one_of("SCALING_MODE", Mode::Apply, &modes),
        },
        targets_max: vars
            .optional("MAX_MOUNT_TARGETS")
            .map(|_| vars.ranged("MAX_MOUNT_TARGETS", 1, 1..=100))
            .filter(whole),
    }
}

fn seconds<L: Fn(&str) -> Option<String>>(
    vars: &mut Vars<L>,
    name: &str,
    default: u64,
    range: RangeInclusive<u64>,
) -> Duration {
    Duration::from_secs(vars.ranged(name, default, range))
}

/// Comma-separated; spaces around the commas do not count.
fn list<L: Fn(&str) -> Option<String>>(vars: &Vars<L>, name: &str) -> Vec<String> {
    let text = vars.text(name, "");
    let parts = text.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Ids such as `subnet-0123abcd`.
fn is_id(id: &str, prefix: &str) -> bool {
    let rest = id.strip_prefix(prefix).unwrap_or_default();
    !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn file_system_id<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>) -> String {
    let id = vars.required("EFS_FILE_SYSTEM_ID");
    if !id.is_empty() && !is_id(&id, "fs-") {
        vars.mistake(
            "EFS_FILE_SYSTEM_ID",
            &id,
            "an id such as fs-0123456789abcdef0",
        );
    }
    id
}

fn subnet_ids<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>) -> Vec<String> {
    let text = vars.required("SUBNET_IDS");
    let ids = list(vars, "SUBNET_IDS");
    let distinct: BTreeSet<&String> = ids.iter().collect();
    let right = (1..=SUBNETS_MAX).contains(&ids.len())
        && distinct.len() == ids.len()
        && ids.iter().all(|id| is_id(id, "subnet-"));
    if !text.is_empty() && !right {
        let allowed = format!("1 to {SUBNETS_MAX} different ids of subnets, comma-separated");
        vars.mistake("SUBNET_IDS", &text, &allowed);
    }
    ids
}

fn security_group_ids<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>) -> Vec<String> {
    let ids = list(vars, "SECURITY_GROUP_IDS");
    if ids.len() > SECURITY_GROUPS_MAX || !ids.iter().all(|id| is_id(id, "sg-")) {
        let allowed =
            format!("up to {SECURITY_GROUPS_MAX} ids of security groups, comma-separated");
        vars.mistake("SECURITY_GROUP_IDS", &ids.join(","), &allowed);
    }
    ids
}

/// Source: Systems Manager user guide, "About requirements and constraints for parameter names".
fn parameter<L: Fn(&str) -> Option<String>>(
    vars: &mut Vars<L>,
    name: &str,
    default: &str,
) -> String {
    let value = vars.text(name, default);
    let first = value.trim_start_matches('/').to_ascii_lowercase();
    let right = value.len() <= PARAMETER_NAME_MAX
        && !first.is_empty()
        && !first.starts_with("aws")
        && !first.starts_with("ssm")
        && (value.starts_with('/') || !value.contains('/'))
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte));
    if !right {
        vars.mistake(
            name,
            &value,
            "the name of a parameter, such as /sluice/name",
        );
    }
    value
}

fn service<L: Fn(&str) -> Option<String>>(vars: &mut Vars<L>) -> Option<Service> {
    let (cluster, name) = (
        vars.optional("ECS_CLUSTER_NAME"),
        vars.optional("ECS_SERVICE_NAME"),
    );
    match (cluster, name) {
        (Some(cluster), Some(name)) => Some(Service { cluster, name }),
        (Some(_), None) => {
            vars.mistake("ECS_SERVICE_NAME", "", "set together with ECS_CLUSTER_NAME");
            None
        }
        (None, Some(_)) => {
            vars.mistake("ECS_CLUSTER_NAME", "", "set together with ECS_SERVICE_NAME");
            None
        }
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [(&str, &str); 3] = [
        ("EFS_FILE_SYSTEM_ID", "fs-0123456789abcdef0"),
        ("SUBNET_IDS", "subnet-0a, subnet-0b"),
        ("COUNT_FUNCTION_NAME", "count"),
    ];

    fn parse(pairs: &[(&str, &str)]) -> Result<Config, EnvError> {
        Config::parse(|name| {
            let mut all = pairs.iter().chain(&REQUIRED);
            let found = all.find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn subnet(id: &str, zone_id: &str) -> Subnet {
        Subnet {
            id: id.to_owned(),
            zone_id: zone_id.to_owned(),
            zone: zone_id.to_owned(),
            free_addresses: 1,
        }
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.subnet_ids, ["subnet-0a", "subnet-0b"]);
        assert_eq!(config.cache_parameter, "/sluice/file-count");
        assert_eq!(config.state_parameter, "/sluice/monitor-state");
        assert_eq!(config.targets_parameter, "/sluice/mount-targets");
        assert_eq!(config.cache_ttl, Duration::from_mins(5));
        assert_eq!(
            (config.state_bucket.clone(), config.service.clone()),
            (None, None)
        );
        let subnets = [subnet("1", "az1"), subnet("2", "az1"), subnet("3", "az2")];
        let policy = config.policy(&subnets);
        assert_eq!(
            policy,
            Policy {
                files_per_target: 100_000,
                targets_min: 1,
                targets_max: 2,
                is_max_set: false,
                cooldown: Duration::from_mins(10),
                scale_in_cooldown: Duration::from_hours(1),
                scale_in: false,
                protected_zones: Vec::new(),
                mode: Mode::Apply,
            }
        );
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let mistakes = [
            ("EFS_FILE_SYSTEM_ID", "files"),
            ("SUBNET_IDS", "subnet-0a,subnet-0a"),
            ("SECURITY_GROUP_IDS", "default"),
            ("FILE_COUNT_THRESHOLD", "0"),
            ("MIN_MOUNT_TARGETS", "0"),
            ("MAX_MOUNT_TARGETS", "many"),
            ("COOLDOWN_SECONDS", "-1"),
            ("SCALE_IN_COOLDOWN_SECONDS", "1h"),
            ("SCALE_IN", "perhaps"),
            ("SCALING_MODE", "dry"),
            ("CACHE_PARAMETER", "a b"),
            ("CACHE_TTL_SECONDS", "86401"),
            ("STATE_PARAMETER", "/aws/state"),
            ("POWERTOOLS_LOGGER_SAMPLE_RATE", "1.5"),
        ];
        let text = parse(&mistakes).unwrap_err().to_string();
        for (name, value) in mistakes {
            assert!(
                text.contains(&format!("{name}={value:?}")),
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn what_is_required_is_named_when_it_is_missing() {
        let text = Config::parse(|_| None).unwrap_err().to_string();
        for (name, _) in REQUIRED {
            assert!(text.contains(&format!("{name} is unset")), "{text}");
        }
    }

    #[test]
    fn settings_that_exclude_each_other_are_mistakes() {
        for (settings, name) in [
            (
                &[("MIN_MOUNT_TARGETS", "3"), ("MAX_MOUNT_TARGETS", "2")][..],
                "MIN_MOUNT_TARGETS",
            ),
            (&[("ECS_CLUSTER_NAME", "c")][..], "ECS_SERVICE_NAME"),
            (&[("ECS_SERVICE_NAME", "s")][..], "ECS_CLUSTER_NAME"),
            (
                &[("STATE_PARAMETER", "/x"), ("TARGETS_PARAMETER", "/x")][..],
                "TARGETS_PARAMETER",
            ),
        ] {
            let text = parse(settings).unwrap_err().to_string();
            assert!(text.contains(name), "{name}: {text}");
        }
        assert!(parse(&[("MIN_MOUNT_TARGETS", "2"), ("MAX_MOUNT_TARGETS", "2")]).is_ok());
    }
}
