//! Tables as data.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::Refused;
use super::value::{Attribute, Item, plain_item, read_item, size_bytes};

/// Largest item, bytes. Source: `DynamoDB` developer guide, "Quotas".
const ITEM_BYTES_MAX: usize = 400 * 1024;

/// All tables, and what a test has them do.
#[derive(Debug, Default)]
pub struct Tables {
    by_name: BTreeMap<String, Table>,
    /// How many writes each coming `BatchWriteItem` leaves unprocessed, from its end.
    pub unprocessed: VecDeque<usize>,
    /// So many coming transactions are cancelled by a `TransactionConflict` over their last item.
    pub conflicts: usize,
    /// Most items that a `Query` looks at; unset, only the service's 1 MB ends a page.
    pub page_items_max: Option<usize>,
    /// The transactions that were done, by their token.
    pub(super) tokens: BTreeMap<String, Value>,
}

/// The texts of an item's partition and sort key.
pub(super) type Key = (String, String);

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) partition_key: String,
    pub(super) sort_key: String,
    items: BTreeMap<Key, Item>,
}

impl Tables {
    /// Creates a table with these keys, both texts, or changes nothing when it exists.
    pub fn create(&mut self, name: &str, partition_key: &str, sort_key: &str) {
        let table = Table {
            partition_key: partition_key.to_owned(),
            sort_key: sort_key.to_owned(),
            items: BTreeMap::new(),
        };
        self.by_name.entry(name.to_owned()).or_insert(table);
    }

    /// An item as plain JSON.
    #[must_use]
    pub fn item(&self, table: &str, partition: &str, sort: &str) -> Option<Value> {
        let table = self.by_name.get(table)?;
        Some(plain_item(
            table.item(&(partition.to_owned(), sort.to_owned()))?,
        ))
    }

    /// The items of a partition as plain JSON, in the order of their sort keys.
    #[must_use]
    pub fn items(&self, table: &str, partition: &str) -> Vec<Value> {
        let table = self.by_name.get(table);
        let items = table
            .into_iter()
            .flat_map(|table| table.partition(partition));
        items.map(|(_, item)| plain_item(item)).collect()
    }

    /// Stores an item in the service's own JSON, such as `{"n": {"N": "1"}}`, without any condition.
    pub fn put(&mut self, table: &str, item: &Value) {
        let item = read_item(item).unwrap();
        let table = self.by_name.get_mut(table).unwrap();
        let key = table.key_in(&item).unwrap();
        table.set(key, Some(item));
    }

    /// Sets attributes of an item that is there, in the service's own JSON.
    pub fn set(&mut self, table: &str, (partition, sort): (&str, &str), attributes: &Value) {
        let table = self.by_name.get_mut(table).unwrap();
        let key = (partition.to_owned(), sort.to_owned());
        let mut item = table.item(&key).expect("an item of that key").clone();
        item.extend(read_item(attributes).unwrap());
        table.set(key, Some(item));
    }

    /// Removes an item without any condition.
    pub fn remove(&mut self, table: &str, partition: &str, sort: &str) {
        let table = self.by_name.get_mut(table).unwrap();
        table.set((partition.to_owned(), sort.to_owned()), None);
    }

    pub(super) fn of(&self, request: &Value) -> Result<&Table, Refused> {
        let name = request["TableName"].as_str().unwrap_or_default();
        self.by_name.get(name).ok_or_else(missing)
    }

    pub(super) fn named(&mut self, name: &str) -> Result<&mut Table, Refused> {
        self.by_name.get_mut(name).ok_or_else(missing)
    }
}

impl Table {
    pub(super) fn item(&self, key: &Key) -> Option<&Item> {
        self.items.get(key)
    }

    pub(super) fn set(&mut self, key: Key, item: Option<Item>) {
        match item {
            Some(item) => self.items.insert(key, item),
            None => self.items.remove(&key),
        };
    }

    pub(super) fn partition<'a>(
        &'a self,
        partition: &'a str,
    ) -> impl DoubleEndedIterator<Item = (&'a Key, &'a Item)> {
        let from = (partition.to_owned(), String::new());
        let items = self.items.range(from..);
        // Collected, because `take_while` knows no end to begin at.
        let items: Vec<_> = items.take_while(|((of, _), _)| of == partition).collect();
        items.into_iter()
    }

    /// The key that a request gives: exactly the two attributes.
    pub(super) fn key(&self, given: &Value) -> Result<Key, Refused> {
        let given = read_item(given)?;
        if given.len() != 2 {
            return Err(Refused::validation(
                "The provided key element does not match the schema",
            ));
        }
        self.key_in(&given)
    }

    /// The key in an item.
    pub(super) fn key_in(&self, item: &Item) -> Result<Key, Refused> {
        let text = |name: &str| match item.get(name) {
            Some(Attribute::S(text)) if !text.is_empty() => Ok(text.clone()),
            Some(Attribute::S(_)) => Err(Refused::validation(format!(
                "empty string value, key: {name}"
            ))),
            _ => Err(Refused::validation(format!(
                "One or more parameter values were invalid: Missing the key {name} in the item, or of another type"
            ))),
        };
        Ok((text(&self.partition_key)?, text(&self.sort_key)?))
    }

    pub(super) fn key_item(&self, key: &Key) -> Item {
        let text = |text: &String| Attribute::S(text.clone());
        [
            (self.partition_key.clone(), text(&key.0)),
            (self.sort_key.clone(), text(&key.1)),
        ]
        .into()
    }

    pub(super) fn is_key(&self, name: &str) -> bool {
        name == self.partition_key || name == self.sort_key
    }
}

pub(super) fn check_size(item: &Item) -> Result<(), Refused> {
    if size_bytes(item) > ITEM_BYTES_MAX {
        return Err(Refused::validation(
            "Item size has exceeded the maximum allowed size",
        ));
    }
    Ok(())
}

fn missing() -> Refused {
    Refused::of("ResourceNotFoundException", "Requested resource not found")
}
