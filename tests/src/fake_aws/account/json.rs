//! SSM, ECS and Lambda, which speak JSON. Sources: their API references.

use serde_json::{Value, json};

use super::{Account, Counting, Refused};
use crate::fake_aws::reply::Answer;

/// Longest value of a standard parameter, bytes. Source: Systems Manager API reference, "`PutParameter`".
const PARAMETER_BYTES_MAX: usize = 4_096;

/// What a JSON request is about: a parameter, a service.
pub(in crate::fake_aws) fn name_of(body: &[u8]) -> String {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let name = [&asked["Name"], &asked["service"], &asked["services"][0]];
    let mut names = name.into_iter().filter_map(Value::as_str);
    names.next().unwrap_or_default().to_owned()
}

fn only(asked: &Value, known: &[&str]) -> Result<(), Refused> {
    let fields = asked.as_object().expect("a JSON object");
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        Some(field) => Err(Refused(501, "NotImplemented", format!("field {field}"))),
        None => Ok(()),
    }
}

pub(super) fn get_parameter(account: &Account, body: &[u8]) -> Result<Answer, Refused> {
    let asked: Value = serde_json::from_slice(body).unwrap();
    only(&asked, &["Name"])?;
    let name = name_of(body);
    let value = account.parameters.get(&name);
    let value = value.ok_or_else(|| Refused(400, "ParameterNotFound", name.clone()))?;
    let parameter = json!({"Name": name, "Type": "String", "Value": value, "Version": 1});
    Ok(Answer::json(200, &json!({"Parameter": parameter})))
}

pub(super) fn put_parameter(account: &mut Account, body: &[u8]) -> Result<Answer, Refused> {
    let asked: Value = serde_json::from_slice(body).unwrap();
    only(&asked, &["Name", "Value", "Type", "Overwrite"])?;
    let name = name_of(body);
    let value = asked["Value"].as_str().unwrap_or_default().to_owned();
    if value.is_empty() || value.len() > PARAMETER_BYTES_MAX || asked["Type"] != "String" {
        return Err(Refused(400, "ValidationException", name));
    }
    if account.parameters.contains_key(&name) && asked["Overwrite"] != true {
        return Err(Refused(400, "ParameterAlreadyExists", name));
    }
    account.parameters.insert(name, value);
    Ok(Answer::json(
        200,
        &json!({"Version": 1, "Tier": "Standard"}),
    ))
}

pub(super) fn describe_services(account: &Account, body: &[u8]) -> Result<Answer, Refused> {
    let asked: Value = serde_json::from_slice(body).unwrap();
    only(&asked, &["cluster", "services"])?;
    let name = name_of(body);
    let answer = match account.services.get(&name) {
        Some((status, _)) => {
            json!({"services": [{"serviceName": name, "status": status}], "failures": []})
        }
        None => json!({"services": [], "failures": [{"arn": name, "reason": "MISSING"}]}),
    };
    Ok(Answer::json(200, &answer))
}

pub(super) fn update_service(account: &mut Account, body: &[u8]) -> Result<Answer, Refused> {
    let asked: Value = serde_json::from_slice(body).unwrap();
    only(&asked, &["cluster", "service", "forceNewDeployment"])?;
    let name = name_of(body);
    let service = account.services.get_mut(&name);
    let (status, deployments) =
        service.ok_or_else(|| Refused(400, "ServiceNotFoundException", name.clone()))?;
    if status != "ACTIVE" {
        return Err(Refused(400, "ServiceNotActiveException", name));
    }
    if asked["forceNewDeployment"] == true {
        *deployments += 1;
    }
    Ok(Answer::json(
        200,
        &json!({"service": {"serviceName": name, "status": status}}),
    ))
}

pub(super) fn invoke(account: &mut Account, body: &[u8]) -> Result<Answer, Refused> {
    account
        .asked_counts
        .push(serde_json::from_slice(body).unwrap());
    let counting = if account.counts.len() > 1 {
        account.counts.pop_front()
    } else {
        account.counts.front().cloned()
    };
    match counting {
        Some(Counting::Answer(answer)) => Ok(Answer::json(200, &answer)),
        Some(Counting::Error(error_type)) => {
            let body = json!({"errorType": error_type, "errorMessage": "scripted"});
            Ok(Answer::json(200, &body).header("x-amz-function-error", "Unhandled"))
        }
        None => {
            let message = "no function".to_owned();
            Err(Refused(404, "ResourceNotFoundException", message))
        }
    }
}
