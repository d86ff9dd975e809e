//! `DynamoDB` over awsJson 1.0: tables whose partition and sort keys are texts. Source: its API reference.

mod condition;
mod expression;
mod query;
mod table;
mod update;
mod value;
mod write;

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub use self::table::Tables;

use self::expression::Placeholders;
use super::call::{Call, Operation};
use super::reply::Answer;

/// A refusal: status, code, words, and what else its body says.
#[derive(Clone, Debug)]
struct Refused {
    status: u16,
    code: &'static str,
    message: String,
    besides: Vec<(&'static str, Value)>,
}

impl Refused {
    fn of(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
            besides: Vec::new(),
        }
    }

    fn validation(message: impl Into<String>) -> Self {
        Self::of("ValidationException", message)
    }

    /// What the model does not know.
    fn unknown(what: impl Into<String>) -> Self {
        Self {
            status: 501,
            ..Self::of("NotImplemented", what)
        }
    }

    fn with(mut self, name: &'static str, value: Value) -> Self {
        self.besides.push((name, value));
        self
    }
}

/// Which operation a target means.
pub(super) fn operation(target: &str) -> Option<Operation> {
    Some(match target.strip_prefix("DynamoDB_20120810.")? {
        "GetItem" => Operation::GetItem,
        "PutItem" => Operation::PutItem,
        "UpdateItem" => Operation::UpdateItem,
        "BatchWriteItem" => Operation::BatchWriteItem,
        "TransactWriteItems" => Operation::TransactWriteItems,
        "Query" => Operation::Query,
        _ => Operation::Unknown,
    })
}

/// What a request is about, for faults: the table, and each text of each key that it names.
pub(super) fn subject(body: &[u8]) -> String {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut names = Vec::new();
    let one = |request: &Value, names: &mut Vec<String>| {
        let keys = [&request["Key"], &request["Item"]];
        let members = keys.into_iter().filter_map(Value::as_object);
        let keys = members.flat_map(|members| ["job_id", "item"].map(|name| members.get(name)));
        let texts = keys.flatten().filter_map(|value| value["S"].as_str());
        names.extend(request["TableName"].as_str().map(str::to_owned));
        names.extend(texts.map(str::to_owned));
    };
    one(&request, &mut names);
    for entry in request["TransactItems"].as_array().into_iter().flatten() {
        let writes = entry
            .as_object()
            .into_iter()
            .flat_map(|entry| entry.values());
        writes.for_each(|write| one(write, &mut names));
    }
    for (table, entries) in request["RequestItems"].as_object().into_iter().flatten() {
        names.push(table.clone());
        let entries = entries.as_array().into_iter().flatten();
        entries.for_each(|entry| one(&entry["PutRequest"], &mut names));
    }
    names.join("/")
}

/// The operations that the writes of a transaction would be by themselves.
pub(super) fn writes_of(body: &[u8]) -> BTreeSet<String> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let entries = request["TransactItems"].as_array().into_iter().flatten();
    let kinds = entries
        .filter_map(Value::as_object)
        .flat_map(|entry| entry.keys());
    kinds.map(|kind| format!("{kind}Item")).collect()
}

pub(super) fn perform(tables: &mut Tables, call: &Call) -> Answer {
    let signed = call.header("authorization");
    let signed = signed.is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256 "));
    let performed = if signed {
        answer(tables, call)
    } else {
        Err(Refused::of(
            "MissingAuthenticationTokenException",
            "not signed",
        ))
    };
    match performed {
        Ok(body) => Answer::json(200, &body),
        Err(refused) => refusal(refused),
    }
}

/// An error as the service says it.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
    Answer::json(status, &json!({"__type": kind, "message": message}))
}

fn refusal(refused: Refused) -> Answer {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{}", refused.code);
    let mut body = json!({"__type": kind, "message": refused.message});
    // The API reference spells it so for this one.
    if refused.code == "TransactionCanceledException" {
        body["Message"] = body["message"].take();
    }
    for (name, value) in refused.besides {
        body[name] = value;
    }
    Answer::json(refused.status, &body)
}

fn answer(tables: &mut Tables, call: &Call) -> Result<Value, Refused> {
    let request: Value = serde_json::from_slice(&call.body)
        .map_err(|error| Refused::of("SerializationException", error.to_string()))?;
    match call.operation {
        Operation::GetItem => get(tables, &request),
        Operation::PutItem => write::put(tables, &request),
        Operation::UpdateItem => write::update(tables, &request),
        Operation::BatchWriteItem => write::batch(tables, &request),
        Operation::TransactWriteItems => write::transact(tables, &request),
        Operation::Query => query::query(tables, &request),
        other => Err(Refused::unknown(format!("{other:?}"))),
    }
}

fn get(tables: &Tables, request: &Value) -> Result<Value, Refused> {
    only(
        request,
        &[
            "TableName",
            "Key",
            "ConsistentRead",
            "ProjectionExpression",
            "ExpressionAttributeNames",
        ],
    )?;
    let table = tables.of(request)?;
    let item = table.item(&table.key(&request["Key"])?);
    let placeholders = Placeholders::of(request);
    let names = placeholders.projection()?;
    placeholders.all_used()?;
    Ok(item.map_or_else(
        || json!({}),
        |item| json!({"Item": value::write_item(&projected(item, names.as_deref()))}),
    ))
}

fn projected(item: &value::Item, names: Option<&[String]>) -> value::Item {
    let wanted = |name: &String| names.is_none_or(|names| names.contains(name));
    let kept = item.iter().filter(|(name, _)| wanted(name));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Refuses members that would change what is done, in ways that are not modelled.
fn only(request: &Value, known: &[&str]) -> Result<(), Refused> {
    let members = request
        .as_object()
        .ok_or_else(|| Refused::validation("not an object"))?;
    match members
        .keys()
        .find(|member| !known.contains(&member.as_str()))
    {
        Some(member) => Err(Refused::unknown(format!("member {member}"))),
        None => Ok(()),
    }
}
