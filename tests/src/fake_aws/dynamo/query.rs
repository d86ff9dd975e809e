//! `Query`: a partition in the order of its sort keys, in pages.

use serde_json::{Value, json};

use super::condition::{Comparison, Condition, Operand};
use super::expression::Placeholders;
use super::table::{Table, Tables};
use super::value::{Attribute, Item, size_bytes, write_item};
use super::{Refused, only, projected};

/// Most bytes of a page. Source: `DynamoDB` API reference, "`Query`".
const PAGE_BYTES_MAX: usize = 1024 * 1024;

const MEMBERS: [&str; 10] = [
    "TableName",
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ConsistentRead",
    "ScanIndexForward",
    "ExclusiveStartKey",
    "Limit",
];

pub(super) fn query(tables: &Tables, request: &Value) -> Result<Value, Refused> {
    only(request, &MEMBERS)?;
    let table = tables.of(request)?;
    let placeholders = Placeholders::of(request);
    let wanted = placeholders.condition("KeyConditionExpression")?;
    let filter = placeholders.condition("FilterExpression")?;
    let names = placeholders.projection()?;
    placeholders.all_used()?;
    let wanted = wanted.ok_or_else(|| Refused::validation("KeyConditionExpression is required"))?;
    let (partition, of_sort_key) = key_conditions(table, wanted)?;
    let limit = match &request["Limit"] {
        Value::Null => usize::MAX,
        limit => {
            let limit = limit.as_u64().filter(|limit| *limit > 0);
            let limit = limit.ok_or_else(|| Refused::validation("Limit must be at least 1"))?;
            usize::try_from(limit).unwrap()
        }
    };
    let page = page(
        table,
        &partition,
        of_sort_key.as_ref(),
        request,
        limit.min(tables.page_items_max.unwrap_or(limit)),
    )?;
    let found = page
        .items
        .iter()
        .filter(|item| filter.as_ref().is_none_or(|filter| filter.holds(item)));
    let found: Vec<_> = found
        .map(|item| write_item(&projected(item, names.as_deref())))
        .collect();
    let mut answer =
        json!({"Count": found.len(), "ScannedCount": page.items.len(), "Items": found});
    if let Some(last) = page.last {
        answer["LastEvaluatedKey"] = write_item(&last);
    }
    Ok(answer)
}

struct Page<'a> {
    items: Vec<&'a Item>,
    /// Set when a limit has ended it, also when nothing follows.
    last: Option<Item>,
}

fn page<'a>(
    table: &'a Table,
    partition: &'a str,
    of_sort_key: Option<&Condition>,
    request: &Value,
    limit: usize,
) -> Result<Page<'a>, Refused> {
    let start = match &request["ExclusiveStartKey"] {
        Value::Null => None,
        key => Some(table.key(key)?),
    };
    let forward = request["ScanIndexForward"] != false;
    let items = table.partition(partition);
    let items: Vec<_> = if forward {
        items.collect()
    } else {
        items.rev().collect()
    };
    let mut page = Page {
        items: Vec::new(),
        last: None,
    };
    let mut bytes = 0;
    for (key, item) in items {
        let passed = start
            .as_ref()
            .is_some_and(|start| if forward { key <= start } else { key >= start });
        if passed || of_sort_key.is_some_and(|condition| !condition.holds(item)) {
            continue;
        }
        page.items.push(item);
        bytes += size_bytes(item);
        if page.items.len() == limit || bytes >= PAGE_BYTES_MAX {
            page.last = Some(table.key_item(key));
            break;
        }
    }
    Ok(page)
}

/// The partition, and what is asked of the sort key.
fn key_conditions(
    table: &Table,
    wanted: Condition,
) -> Result<(String, Option<Condition>), Refused> {
    let unsupported = || Refused::validation("Query key condition not supported");
    let (mut partition, mut of_sort_key) = (None, None);
    for condition in wanted.all() {
        match &condition {
            Condition::Compare(
                Operand::Path(name),
                Comparison::Equal,
                Operand::Value(Attribute::S(text)),
            ) if *name == table.partition_key && partition.is_none() => {
                partition = Some(text.clone());
            }
            Condition::Compare(
                Operand::Path(name),
                comparison,
                Operand::Value(Attribute::S(_)),
            ) if *name == table.sort_key
                && *comparison != Comparison::NotEqual
                && of_sort_key.is_none() =>
            {
                of_sort_key = Some(condition);
            }
            Condition::BeginsWith(name, Operand::Value(Attribute::S(_)))
                if *name == table.sort_key && of_sort_key.is_none() =>
            {
                of_sort_key = Some(condition);
            }
            _ => return Err(unsupported()),
        }
    }
    Ok((partition.ok_or_else(unsupported)?, of_sort_key))
}
