//! Step Functions over awsJson 1.0: executions as data, whose ends a test decides. Source: its API reference.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::call::{Call, Operation};
use super::reply::Answer;
use super::{ACCOUNT, REGION};

/// Longest name of an execution. Source: Step Functions API reference, "`StartExecution`".
const NAME_MAX: usize = 80;

/// State machines and their executions.
#[derive(Debug, Default)]
pub struct States {
    machines: BTreeSet<String>,
    /// By ARN.
    executions: BTreeMap<String, Execution>,
}

/// An execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Its name.
    pub name: String,
    /// What it was started with.
    pub input: Value,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// What it came to.
    pub output: Option<Value>,
    /// Why it failed or was stopped: error and cause.
    pub failure: Option<(String, String)>,
}

impl Execution {
    fn new(name: &str, input: Value) -> Self {
        Self {
            name: name.to_owned(),
            input,
            status: "RUNNING".to_owned(),
            output: None,
            failure: None,
        }
    }
}

/// A refusal: status, code, words.
struct Refused(u16, &'static str, String);

impl States {
    /// Creates a state machine.
    pub fn create(&mut self, machine: &str) {
        self.machines.insert(machine_arn(machine));
    }

    /// Has an execution run that nobody asked for over HTTP.
    pub fn run(&mut self, machine: &str, name: &str, input: Value) {
        let arn = format!("{}:{name}", executions_of(&machine_arn(machine)));
        self.executions.insert(arn, Execution::new(name, input));
    }

    /// Every execution, by name.
    #[must_use]
    pub fn executions(&self) -> Vec<Execution> {
        self.executions.values().cloned().collect()
    }

    /// Has the execution that runs come to this end; there must be exactly one.
    pub fn succeed(&mut self, output: Value) {
        let execution = self.only_running();
        "SUCCEEDED".clone_into(&mut execution.status);
        execution.output = Some(output);
    }

    /// Has the execution that runs fail; there must be exactly one.
    pub fn fail(&mut self, error: &str, cause: &str) {
        let execution = self.only_running();
        "FAILED".clone_into(&mut execution.status);
        execution.failure = Some((error.to_owned(), cause.to_owned()));
    }

    fn only_running(&mut self) -> &mut Execution {
        let mut running = self.executions.values_mut();
        let mut running = running.by_ref().filter(|it| it.status == "RUNNING");
        let one = running.next().expect("an execution that runs");
        assert!(running.next().is_none(), "more than one execution runs");
        one
    }
}

fn machine_arn(machine: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine}")
}

/// What the ARNs of a machine's executions begin with.
fn executions_of(machine_arn: &str) -> String {
    machine_arn.replace(":stateMachine:", ":execution:")
}

/// Which operation a target means.
pub(super) fn operation(target: &str) -> Option<Operation> {
    Some(match target.strip_prefix("AWSStepFunctions.")? {
        "StartExecution" => Operation::StartExecution,
        "DescribeExecution" => Operation::DescribeExecution,
        "ListExecutions" => Operation::ListExecutions,
        "StopExecution" => Operation::StopExecution,
        _ => return None,
    })
}

/// What a request is about, for faults: the name of an execution or of a machine.
pub(super) fn subject(body: &[u8]) -> String {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let names = ["name", "executionArn", "stateMachineArn"];
    let mut names = names.iter().filter_map(|name| request[*name].as_str());
    let name = names.next().unwrap_or_default();
    name.rsplit(':').next().unwrap_or_default().to_owned()
}

pub(super) fn perform(states: &mut States, call: &Call) -> Answer {
    let signed = call.header("authorization");
    if !signed.is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256 ")) {
        return error(400, "MissingAuthenticationTokenException", "not signed");
    }
    let request: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let performed = match call.operation {
        Operation::StartExecution => start(states, &request),
        Operation::DescribeExecution => describe(states, &request),
        Operation::ListExecutions => list(states, &request),
        Operation::StopExecution => stop(states, &request),
        other => Err(Refused(501, "NotImplemented", format!("{other:?}"))),
    };
    match performed {
        Ok(body) => Answer::json(200, &body),
        Err(Refused(http, code, message)) => error(http, code, &message),
    }
}

/// An error answer.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"__type": code, "message": message}))
}

fn only(request: &Value, known: &[&str]) -> Result<(), Refused> {
    let members = request.as_object().into_iter().flatten();
    let mut members = members.map(|(name, _)| name.as_str());
    match members.find(|member| !known.contains(member)) {
        Some(member) => Err(Refused(501, "NotImplemented", format!("member {member}"))),
        None => Ok(()),
    }
}

fn text<'a>(request: &'a Value, name: &str) -> &'a str {
    request[name].as_str().unwrap_or_default()
}

fn machine<'a>(states: &States, request: &'a Value) -> Result<&'a str, Refused> {
    let arn = text(request, "stateMachineArn");
    if states.machines.contains(arn) {
        return Ok(arn);
    }
    let message = format!("State Machine Does Not Exist: '{arn}'");
    Err(Refused(400, "StateMachineDoesNotExist", message))
}

fn start(states: &mut States, request: &Value) -> Result<Value, Refused> {
    only(request, &["stateMachineArn", "name", "input"])?;
    let (machine, name) = (machine(states, request)?, text(request, "name"));
    let known = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(known) {
        return Err(Refused(
            400,
            "InvalidName",
            format!("Invalid Name: '{name}'"),
        ));
    }
    let input = serde_json::from_str(text(request, "input"))
        .map_err(|error| Refused(400, "InvalidExecutionInput", error.to_string()))?;
    let execution = Execution::new(name, input);
    let arn = format!("{}:{name}", executions_of(machine));
    let before = states
        .executions
        .entry(arn.clone())
        .or_insert(execution.clone());
    // The same again while it runs is answered as it was.
    if *before != execution {
        let message = format!("Execution Already Exists: '{arn}'");
        return Err(Refused(400, "ExecutionAlreadyExists", message));
    }
    Ok(json!({"executionArn": arn, "startDate": 1.0}))
}

fn found<'a>(
    states: &'a mut States,
    request: &Value,
) -> Result<(String, &'a mut Execution), Refused> {
    let arn = text(request, "executionArn").to_owned();
    if let Some(execution) = states.executions.get_mut(&arn) {
        return Ok((arn, execution));
    }
    let message = format!("Execution Does Not Exist: '{arn}'");
    Err(Refused(400, "ExecutionDoesNotExist", message))
}

fn describe(states: &mut States, request: &Value) -> Result<Value, Refused> {
    only(request, &["executionArn"])?;
    let (arn, execution) = found(states, request)?;
    let mut told = json!({
        "executionArn": arn, "stateMachineArn": "unknown", "name": execution.name, "status": execution.status,
        "startDate": 1.0, "input": execution.input.to_string(),
    });
    if let Some(output) = &execution.output {
        told["output"] = json!(output.to_string());
    }
    if let Some((error, cause)) = &execution.failure {
        told["error"] = json!(error);
        told["cause"] = json!(cause);
    }
    Ok(told)
}

/// One page: all of them, however many were asked for.
fn list(states: &States, request: &Value) -> Result<Value, Refused> {
    only(request, &["stateMachineArn", "statusFilter", "maxResults"])?;
    let machine = machine(states, request)?;
    let of_machine = format!("{}:", executions_of(machine));
    let wanted = request["statusFilter"].as_str();
    let executions = states.executions.iter().filter(|(arn, execution)| {
        arn.starts_with(&of_machine) && wanted.is_none_or(|wanted| wanted == execution.status)
    });
    let told = executions.map(|(arn, execution)| {
        json!({
            "executionArn": arn, "stateMachineArn": machine, "name": execution.name, "status": execution.status,
            "startDate": 1.0,
        })
    });
    Ok(json!({"executions": told.collect::<Vec<_>>()}))
}

/// One that has ended stays as it is.
fn stop(states: &mut States, request: &Value) -> Result<Value, Refused> {
    only(request, &["executionArn", "error", "cause"])?;
    let failure = (
        text(request, "error").to_owned(),
        text(request, "cause").to_owned(),
    );
    let (_, execution) = found(states, request)?;
    if execution.status == "RUNNING" {
        "ABORTED".clone_into(&mut execution.status);
        execution.failure = Some(failure);
    }
    Ok(json!({"stopDate": 1.0}))
}
