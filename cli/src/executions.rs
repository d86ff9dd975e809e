//! Executions of a stack's state machines: started, looked at, found, stopped.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::Value;
use shared::payload::said;

use crate::aws::Aws;
use crate::error::Error;
use crate::names::{JobId, Stack, last_part};

/// Executions on a page, the newest first. Source: Step Functions API reference, "`ListExecutions`".
const LISTED_MAX: i32 = 1_000;

/// A state machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    client: Client,
    arn: String,
}

/// How an execution stands.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// It is under way.
    Running,
    /// It came to its end, with this output.
    Succeeded(Value),
    /// It came to another end.
    Ended {
        /// `FAILED`, `TIMED_OUT`, `ABORTED`.
        status: String,
        /// The error's name.
        error: String,
        /// Its cause.
        cause: String,
    },
}

impl Standing {
    /// The error of an execution that has no result.
    pub(crate) fn failure(&self, arn: &str) -> Option<Error> {
        let Self::Ended {
            status,
            error,
            cause,
        } = self
        else {
            return None;
        };
        Some(Error::Execution {
            name: last_part(arn).to_owned(),
            status: status.to_lowercase(),
            error: error.clone(),
            cause: said(cause),
        })
    }
}

impl Machine {
    /// One of the stack's.
    pub(crate) async fn of(aws: &Aws, stack: &Stack, name: &str) -> Result<Self, Error> {
        Ok(Self {
            client: aws.sfn(),
            arn: aws.machine(stack, name).await?,
        })
    }

    fn name(&self) -> &str {
        last_part(&self.arn)
    }

    /// Starts an execution; its ARN.
    pub(crate) async fn start(&self, name: &str, input: &Value) -> Result<String, Error> {
        let asked = self.client.start_execution().state_machine_arn(&self.arn);
        let started = asked.name(name).input(input.to_string()).send().await;
        let started = started.map_err(|error| Error::service("StartExecution", name, &error))?;
        Ok(started.execution_arn)
    }

    /// How an execution stands, and what it was started with.
    pub(crate) async fn look(&self, arn: &str) -> Result<(Standing, String), Error> {
        let asked = self.client.describe_execution().execution_arn(arn);
        let seen = asked
            .send()
            .await
            .map_err(|error| Error::service("DescribeExecution", last_part(arn), &error))?;
        let standing = match seen.status {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => Standing::Running,
            ExecutionStatus::Succeeded => {
                let output = seen.output.unwrap_or_default();
                Standing::Succeeded(serde_json::from_str(&output).unwrap_or_default())
            }
            status => Standing::Ended {
                status: status.as_str().to_owned(),
                error: seen.error.unwrap_or_else(|| "no error".to_owned()),
                cause: seen.cause.unwrap_or_else(|| "no cause is given".to_owned()),
            },
        };
        Ok((standing, seen.input.unwrap_or_default()))
    }

    /// The ARNs of those under way whose name and input are wanted. Children of a map are not among them.
    pub(crate) async fn running(
        &self,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> Result<Vec<String>, Error> {
        let asked = self
            .client
            .list_executions()
            .state_machine_arn(&self.arn)
            .status_filter(ExecutionStatus::Running);
        let mut pages = asked.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| Error::service("ListExecutions", self.name(), &error))?;
            for execution in page.executions {
                let (_, input) = self.look(&execution.execution_arn).await?;
                if wanted(&execution.name, &input) {
                    found.push(execution.execution_arn);
                }
            }
        }
        Ok(found)
    }

    /// The newest execution that was to begin a job, and how it stands: the one of its name, or one more after that has ended.
    pub(crate) async fn beginning(&self, job: &JobId) -> Result<Option<(String, Standing)>, Error> {
        let named = format!("{}:{job}", self.executions_arn());
        let standing = match self.look(&named).await {
            Ok((standing, _)) => standing,
            Err(error) if error.is_of("ExecutionDoesNotExist") => return Ok(None),
            Err(error) => return Err(error),
        };
        if matches!(standing, Standing::Running) {
            return Ok(Some((named, standing)));
        }
        let asked = self.client.list_executions().state_machine_arn(&self.arn);
        let listed = asked.max_results(LISTED_MAX).send().await;
        let listed =
            listed.map_err(|error| Error::service("ListExecutions", self.name(), &error))?;
        let prefix = job.executions("start");
        let others = listed.executions.into_iter();
        let mut others: Vec<_> = others.filter(|it| it.name.starts_with(&prefix)).collect();
        // By their names, which have the time.
        others.sort_by(|one, other| other.name.cmp(&one.name));
        for other in others {
            let (standing, input) = self.look(&other.execution_arn).await?;
            if job.is_of(&other.name, &input) {
                return Ok(Some((other.execution_arn, standing)));
            }
        }
        Ok(Some((named, standing)))
    }

    fn executions_arn(&self) -> String {
        self.arn.replace(":stateMachine:", ":execution:")
    }

    /// Stops one, and the map runs below it.
    pub(crate) async fn stop(&self, arn: &str, error: &str, cause: &str) -> Result<(), Error> {
        let asked = self.client.stop_execution().execution_arn(arn);
        let stopped = asked.error(error).cause(cause).send().await;
        let failed = |error| Error::service("StopExecution", last_part(arn), &error);
        stopped.map(drop).map_err(failed)
    }
}
