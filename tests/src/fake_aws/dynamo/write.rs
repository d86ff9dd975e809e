//! Writes: one, many, and many as one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::condition::Condition;
use super::expression::Placeholders;
use super::table::{Key, Table, Tables, check_size};
use super::update::Update;
use super::value::{Item, read_item, write_item};
use super::{Refused, only};

/// Most writes of a `BatchWriteItem`, and of a transaction. Source: `DynamoDB` developer guide, "Quotas".
const BATCH_MAX: usize = 25;
const TRANSACTION_MAX: usize = 100;

const CONDITION: [&str; 5] = [
    "TableName",
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
];

struct Write {
    table: String,
    key: Key,
    condition: Option<Condition>,
    change: Change,
    tells_failed_item: bool,
}

enum Change {
    Check,
    Put(Item),
    Update(Update),
    Delete,
}

impl Write {
    fn read(tables: &Tables, request: &Value, change: &str) -> Result<Self, Refused> {
        let own = match change {
            "Put" => vec!["Item", "ReturnValues"],
            "Update" => vec!["Key", "UpdateExpression", "ReturnValues"],
            "Delete" | "ConditionCheck" => vec!["Key"],
            other => return Err(Refused::unknown(format!("{other} in a transaction"))),
        };
        only(request, &[&CONDITION[..], &own].concat())?;
        let table = tables.of(request)?;
        let placeholders = Placeholders::of(request);
        let condition = placeholders.condition("ConditionExpression")?;
        let (key, change) = match change {
            "Put" => {
                let item = read_item(&request["Item"])?;
                (table.key_in(&item)?, Change::Put(item))
            }
            "Update" => (
                table.key(&request["Key"])?,
                Change::Update(placeholders.update()?),
            ),
            "Delete" => (table.key(&request["Key"])?, Change::Delete),
            _ if condition.is_none() => {
                return Err(Refused::validation("ConditionExpression is required"));
            }
            _ => (table.key(&request["Key"])?, Change::Check),
        };
        placeholders.all_used()?;
        if let Change::Update(update) = &change
            && let Some(name) = update.touched().find(|name| table.is_key(name))
        {
            return Err(Refused::validation(format!(
                "Cannot update attribute {name}. This attribute is part of the key"
            )));
        }
        Ok(Self {
            table: request["TableName"].as_str().unwrap_or_default().to_owned(),
            key,
            condition,
            change,
            tells_failed_item: request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD",
        })
    }

    /// What the item will be; nothing is changed yet.
    fn outcome(&self, table: &Table) -> Result<Option<Item>, Refused> {
        let there = table.item(&self.key);
        let nothing = Item::new();
        let holds = self
            .condition
            .as_ref()
            .is_none_or(|condition| condition.holds(there.unwrap_or(&nothing)));
        if !holds {
            let refused = Refused::of(
                "ConditionalCheckFailedException",
                "The conditional request failed",
            );
            return Err(match there.filter(|_| self.tells_failed_item) {
                Some(item) => refused.with("Item", write_item(item)),
                None => refused,
            });
        }
        let after = match &self.change {
            Change::Check => return Ok(there.cloned()),
            Change::Delete => None,
            Change::Put(item) => Some(item.clone()),
            Change::Update(update) => {
                Some(update.apply(there.unwrap_or(&table.key_item(&self.key)))?)
            }
        };
        after.iter().try_for_each(check_size)?;
        Ok(after)
    }

    fn apply(&self, tables: &mut Tables) -> Result<(Option<Item>, Option<Item>), Refused> {
        let table = tables.named(&self.table)?;
        let before = table.item(&self.key).cloned();
        let after = self.outcome(table)?;
        table.set(self.key.clone(), after.clone());
        Ok((before, after))
    }
}

pub(super) fn put(tables: &mut Tables, request: &Value) -> Result<Value, Refused> {
    let (before, _) = Write::read(tables, request, "Put")?.apply(tables)?;
    match (request["ReturnValues"].as_str(), before) {
        (Some("ALL_OLD"), Some(before)) => Ok(json!({"Attributes": write_item(&before)})),
        (None | Some("NONE" | "ALL_OLD"), _) => Ok(json!({})),
        (Some(other), _) => Err(Refused::validation(format!("ReturnValues {other}"))),
    }
}

pub(super) fn update(tables: &mut Tables, request: &Value) -> Result<Value, Refused> {
    let write = Write::read(tables, request, "Update")?;
    let wanted = request["ReturnValues"].as_str().unwrap_or("NONE");
    if !["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"].contains(&wanted) {
        return Err(Refused::validation(format!("ReturnValues {wanted}")));
    }
    let (before, after) = write.apply(tables)?;
    let told = if wanted.ends_with("OLD") {
        before
    } else {
        after
    };
    let Some(mut told) = told.filter(|_| wanted != "NONE") else {
        return Ok(json!({}));
    };
    if let (Change::Update(update), true) = (&write.change, wanted.starts_with("UPDATED")) {
        told.retain(|name, _| update.touched().any(|touched| touched == name));
    }
    Ok(json!({"Attributes": write_item(&told)}))
}

pub(super) fn batch(tables: &mut Tables, request: &Value) -> Result<Value, Refused> {
    only(request, &["RequestItems"])?;
    let by_table = request["RequestItems"].as_object().into_iter().flatten();
    let entries: Vec<(&String, &Value)> = by_table
        .flat_map(|(table, entries)| {
            let entries = entries.as_array().into_iter().flatten();
            entries.map(move |entry| (table, entry))
        })
        .collect();
    check_count(entries.len(), BATCH_MAX)?;
    let writes = entries
        .iter()
        .map(|(table, entry)| of_batch(tables, table, entry));
    let writes = writes.collect::<Result<Vec<_>, _>>()?;
    check_distinct(&writes, "Provided list of item keys contains duplicates")?;
    writes.iter().try_for_each(check_change)?;
    let left = tables.unprocessed.pop_front().unwrap_or_default();
    let done = writes.len() - left.min(writes.len());
    for write in &writes[..done] {
        write.apply(tables)?;
    }
    let mut unprocessed = json!({});
    for (table, entry) in &entries[done..] {
        let of_table = &mut unprocessed[table.as_str()];
        if of_table.is_null() {
            *of_table = json!([]);
        }
        of_table.as_array_mut().unwrap().push((*entry).clone());
    }
    Ok(json!({"UnprocessedItems": unprocessed}))
}

fn of_batch(tables: &Tables, table: &str, entry: &Value) -> Result<Write, Refused> {
    let (change, mut write) = match (&entry["PutRequest"], &entry["DeleteRequest"]) {
        (put @ Value::Object(_), Value::Null) => ("Put", put.clone()),
        (Value::Null, delete @ Value::Object(_)) => ("Delete", delete.clone()),
        _ => {
            return Err(Refused::validation(
                "a write is a PutRequest or a DeleteRequest",
            ));
        }
    };
    write["TableName"] = json!(table);
    Write::read(tables, &write, change)
}

fn check_count(count: usize, most: usize) -> Result<(), Refused> {
    if count == 0 || count > most {
        return Err(Refused::validation(format!(
            "{count} writes, 1 to {most} allowed"
        )));
    }
    Ok(())
}

fn check_change(write: &Write) -> Result<(), Refused> {
    match &write.change {
        Change::Put(item) => check_size(item),
        _ => Ok(()),
    }
}

fn check_distinct(writes: &[Write], message: &str) -> Result<(), Refused> {
    let mut seen = BTreeSet::new();
    if writes
        .iter()
        .all(|write| seen.insert((&write.table, &write.key)))
    {
        return Ok(());
    }
    Err(Refused::validation(message))
}

pub(super) fn transact(tables: &mut Tables, request: &Value) -> Result<Value, Refused> {
    only(request, &["TransactItems", "ClientRequestToken"])?;
    let token = request["ClientRequestToken"].as_str().unwrap_or_default();
    if let Some(done) = tables.tokens.get(token) {
        if *done == request["TransactItems"] {
            return Ok(json!({}));
        }
        return Err(Refused::of(
            "IdempotentParameterMismatchException",
            "another request had this token",
        ));
    }
    let entries = request["TransactItems"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    check_count(entries.len(), TRANSACTION_MAX)?;
    let writes = entries.iter().map(|entry| {
        let mut members = entry.as_object().into_iter().flatten();
        match (members.next(), members.next()) {
            (Some((change, write)), None) => Write::read(tables, write, change),
            _ => Err(Refused::validation(
                "one of Put, Update, Delete, ConditionCheck",
            )),
        }
    });
    let writes = writes.collect::<Result<Vec<_>, _>>()?;
    check_distinct(
        &writes,
        "Transaction request cannot include multiple operations on one item",
    )?;
    let outcomes = outcomes(tables, &writes)?;
    for (write, after) in writes.iter().zip(outcomes) {
        tables.named(&write.table)?.set(write.key.clone(), after);
    }
    if !token.is_empty() {
        tables
            .tokens
            .insert(token.to_owned(), request["TransactItems"].clone());
    }
    Ok(json!({}))
}

/// What all items will be, or why the transaction is cancelled.
fn outcomes(tables: &mut Tables, writes: &[Write]) -> Result<Vec<Option<Item>>, Refused> {
    let conflict = tables.conflicts > 0;
    tables.conflicts -= usize::from(conflict);
    let mut outcomes = Vec::new();
    let mut reasons = Vec::new();
    for (index, write) in writes.iter().enumerate() {
        let table = tables.named(&write.table)?;
        reasons.push(match write.outcome(table) {
            _ if conflict && index + 1 == writes.len() => {
                json!({"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"})
            }
            Ok(after) => {
                outcomes.push(after);
                json!({"Code": "None"})
            }
            Err(refused) if refused.code == "ConditionalCheckFailedException" => {
                let mut reason = json!({"Code": "ConditionalCheckFailed", "Message": refused.message});
                for (name, value) in refused.besides {
                    reason[name] = value;
                }
                reason
            }
            Err(refused) if refused.code == "ValidationException" => {
                json!({"Code": "ValidationError", "Message": refused.message})
            }
            Err(refused) => return Err(refused),
        });
    }
    if outcomes.len() == writes.len() {
        return Ok(outcomes);
    }
    let codes: Vec<_> = reasons
        .iter()
        .filter_map(|reason| reason["Code"].as_str())
        .collect();
    let words = "Transaction cancelled, please refer cancellation reasons for specific reasons";
    let message = format!("{words} [{}]", codes.join(", "));
    Err(Refused::of("TransactionCanceledException", message)
        .with("CancellationReasons", json!(reasons)))
}
