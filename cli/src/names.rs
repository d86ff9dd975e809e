//! What a stack's parts are called, and what names of ours may be. Pure.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};
use shared::s3_event::is_job_id;
use time::OffsetDateTime;

/// Longest name of an execution, characters. Source: Step Functions API reference, "`StartExecution`".
const EXECUTION_NAME_MAX: usize = 80;

/// What is in the name of one more execution, beside that of the job and why there is one more.
const OTHERS: &str = "--20261121T224500Z-5f1c09";

/// A stack; everything of it has its name in front.
#[derive(Clone, Debug)]
pub(crate) struct Stack(String);

impl From<String> for Stack {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Stack {
    fn part(&self, name: &str) -> String {
        format!("{}-{name}", self.0)
    }

    /// The queue of the compressor.
    pub(crate) fn queue(&self) -> String {
        self.part("compress")
    }

    /// Its dead-letter queue.
    pub(crate) fn dead_letters(&self) -> String {
        self.part("compress-dlq")
    }

    /// The function and the state machine that purge.
    pub(crate) fn purge(&self) -> String {
        self.part("purge")
    }

    /// The function that counts.
    pub(crate) fn count(&self) -> String {
        self.part("count")
    }

    /// The table and the state machine of back-fills.
    pub(crate) fn backfill(&self) -> String {
        self.part("backfill")
    }
}

/// The ARN of a state machine beside a queue: in its partition, region and account.
pub(crate) fn machine_arn(queue_arn: &str, machine: &str) -> Option<String> {
    let parts: Vec<_> = queue_arn.split(':').collect();
    let &["arn", partition, "sqs", region, account, _] = &parts[..] else {
        return None;
    };
    Some(format!(
        "arn:{partition}:states:{region}:{account}:stateMachine:{machine}"
    ))
}

/// The last part of an ARN.
pub(crate) fn last_part(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// The name of a job: `[A-Za-z0-9_-]{1,80}`, which is also a message group and the name of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobId(String);

impl FromStr for JobId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_job_id(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err("1 to 80 of A-Z a-z 0-9 _ -")
        }
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JobId {
    /// A new one, such as `backfill-20261121T2245Z-5f1c09`.
    pub(crate) fn new(now: OffsetDateTime, random: u64) -> Self {
        let minute = &stamp(now)[..13];
        Self(format!("backfill-{minute}Z-{:06x}", random & 0xff_ffff))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of one more execution for this job, such as `JOB-resume-20261121T224500Z-5f1c09`.
    pub(crate) fn another_execution(&self, why: &str, now: OffsetDateTime, random: u64) -> String {
        let suffix = format!("{}Z-{:06x}", stamp(now), random & 0xff_ffff);
        format!("{}{suffix}", self.executions(why))
    }

    /// What the names of such executions begin with.
    pub(crate) fn executions(&self, why: &str) -> String {
        let suffix_length = why.len() + OTHERS.len();
        let kept = self.0.len().min(EXECUTION_NAME_MAX - suffix_length);
        format!("{}-{why}-", &self.0[..kept])
    }

    /// Whether an execution is for this job, by its input; without a `job_id` there, its own name is the job's.
    pub(crate) fn is_of(&self, execution: &str, input: &str) -> bool {
        let input: Value = serde_json::from_str(input).unwrap_or_default();
        input["job_id"].as_str().unwrap_or(execution) == self.0
    }
}

/// `20261121T224500`.
pub(crate) fn stamp(now: OffsetDateTime) -> String {
    let (year, month, day) = (now.year(), u8::from(now.month()), now.day());
    let (hour, minute, second) = now.to_hms();
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}")
}

/// How a job is divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Partitions {
    /// The folders that are there.
    Discover,
    /// `00/` to `ff/`.
    Hash,
    /// These prefixes.
    Prefixes(Vec<String>),
}

impl FromStr for Partitions {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "discover" => Ok(Self::Discover),
            "hash" => Ok(Self::Hash),
            list if list.split(',').any(str::is_empty) => {
                Err("discover, hash, or prefixes with commas between them")
            }
            list => Ok(Self::Prefixes(list.split(',').map(str::to_owned).collect())),
        }
    }
}

impl Partitions {
    /// As a payload says it.
    pub(crate) fn payload(&self) -> Value {
        match self {
            Self::Discover => json!("discover"),
            Self::Hash => json!("hash"),
            Self::Prefixes(prefixes) => json!(prefixes),
        }
    }
}

/// `s3://bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectAt {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl FromStr for ObjectAt {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = text.strip_prefix("s3://").and_then(|at| at.split_once('/'));
        match at {
            Some((bucket, key)) if !bucket.is_empty() && key.ends_with("manifest.json") => {
                Ok(Self {
                    bucket: bucket.to_owned(),
                    key: key.to_owned(),
                })
            }
            _ => Err("s3://BUCKET/…/manifest.json"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_795_301_103).unwrap()
    }

    #[test]
    fn everything_has_the_stacks_name_in_front() {
        let stack = Stack::from("s".to_owned());
        assert_eq!(stack.queue(), "s-compress");
        assert_eq!(stack.dead_letters(), "s-compress-dlq");
        let others = [stack.purge(), stack.count(), stack.backfill()];
        assert_eq!(others, ["s-purge", "s-count", "s-backfill"]);
    }

    #[test]
    fn a_machine_is_where_the_queue_is() {
        assert_eq!(
            machine_arn(
                "arn:aws-cn:sqs:cn-north-1:123456789012:s-compress",
                "s-backfill"
            )
            .unwrap(),
            "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:s-backfill"
        );
        for bad in [
            "",
            "arn:aws:sns:r:1:q",
            "arn:aws:sqs:r:1",
            "arn:aws:sqs:r:1:q:x",
        ] {
            assert_eq!(machine_arn(bad, "m"), None, "{bad}");
        }
    }

    #[test]
    fn a_job_id_is_a_group_and_an_execution_name() {
        for good in ["a", "A-b_9", &"x".repeat(80)] {
            assert!(JobId::from_str(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", "a.b", &"x".repeat(81)] {
            assert!(JobId::from_str(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_new_job_says_when_it_was_made() {
        let job = JobId::new(now(), 0x1234_5f1c_09ab_cdef);
        assert_eq!(job.as_str(), "backfill-20261121T2245Z-abcdef");
        assert!(JobId::from_str(job.as_str()).is_ok());
    }

    #[test]
    fn the_longest_job_has_more_executions_too() {
        for length in [1, 79, 80] {
            let job = JobId::from_str(&"x".repeat(length)).unwrap();
            for why in ["resume", "verify"] {
                let name = job.another_execution(why, now(), 0xab_cdef);
                assert!(name.len() <= 80 && name != job.as_str(), "{name}");
                assert!(
                    name.ends_with(&format!("-{why}-20261121T224503Z-abcdef")),
                    "{name}"
                );
                assert!(name.starts_with(&job.executions(why)), "{name}");
                assert_ne!(name, job.another_execution(why, now(), 1));
            }
        }
    }

    #[test]
    fn an_execution_is_that_of_the_job_in_its_input() {
        let job = JobId::from_str("j").unwrap();
        assert!(job.is_of("j-resume-1", r#"{"job_id":"j"}"#));
        assert!(job.is_of("j", "{}") && job.is_of("j", ""));
        assert!(!job.is_of("j", r#"{"job_id":"other"}"#));
        assert!(!job.is_of("j-resume-1", "{}"));
    }

    #[test]
    fn partitions_are_a_word_or_prefixes() {
        assert_eq!("hash".parse(), Ok(Partitions::Hash));
        let prefixes = Partitions::Prefixes(vec!["a/".to_owned(), "b/".to_owned()]);
        assert_eq!("a/,b/".parse(), Ok(prefixes.clone()));
        assert_eq!(prefixes.payload(), json!(["a/", "b/"]));
        for bad in ["", "a/,", ",a/", "a/,,b/"] {
            assert!(Partitions::from_str(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_inventory_is_its_manifest() {
        let at = ObjectAt::from_str("s3://b/x/y/manifest.json").unwrap();
        assert_eq!(
            (at.bucket.as_str(), at.key.as_str()),
            ("b", "x/y/manifest.json")
        );
        for bad in [
            "b/manifest.json",
            "s3://b",
            "s3:///manifest.json",
            "s3://b/x.csv",
        ] {
            assert!(ObjectAt::from_str(bad).is_err(), "{bad}");
        }
    }
}
