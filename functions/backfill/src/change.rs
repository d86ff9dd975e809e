//! A change of one item, as `DynamoDB`'s expressions say it. Pure.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Update};
use shared::jobs::{Item, key, number};

/// What to set, add and remove, and on what condition. Every name stands for itself behind a `#`: many words are reserved.
#[derive(Clone, Debug, Default)]
pub struct Change {
    sets: Vec<String>,
    adds: Vec<String>,
    removes: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: Item,
}

/// The parts of a request that make a change.
#[derive(Debug)]
pub struct Parts {
    /// `SET #a = :a, … ADD #b :b, … REMOVE #c, …`.
    pub update: String,
    /// `#a = :a_was AND …`; none without one.
    pub condition: Option<String>,
    /// `#a` → `a`.
    pub names: HashMap<String, String>,
    /// `:a` → its value.
    pub values: Item,
}

impl Change {
    /// `SET #name = :name`.
    #[must_use]
    pub fn set(mut self, name: &str, value: AttributeValue) -> Self {
        self.name(name);
        self.sets.push(format!("#{name} = :{name}"));
        self.values.insert(format!(":{name}"), value);
        self
    }

    /// `ADD #name :name`: an absent number is 0.
    #[must_use]
    pub fn add(mut self, name: &str, count: u64) -> Self {
        self.name(name);
        self.adds.push(format!("#{name} :{name}"));
        self.values.insert(format!(":{name}"), number(count));
        self
    }

    /// `REMOVE #name`.
    #[must_use]
    pub fn remove(mut self, name: &str) -> Self {
        self.name(name);
        self.removes.push(format!("#{name}"));
        self
    }

    /// Only if `#name = :name_was`.
    #[must_use]
    pub fn only_if(mut self, name: &str, value: AttributeValue) -> Self {
        self.name(name);
        self.conditions.push(format!("#{name} = :{name}_was"));
        self.values.insert(format!(":{name}_was"), value);
        self
    }

    /// Only if `#name <> :name_not_n`: absent counts as another value.
    #[must_use]
    pub fn only_unless(mut self, name: &str, value: AttributeValue) -> Self {
        self.name(name);
        let place = format!(":{name}_not_{}", self.conditions.len());
        self.conditions.push(format!("#{name} <> {place}"));
        self.values.insert(place, value);
        self
    }

    /// Only if it has no such attribute.
    #[must_use]
    pub fn only_if_absent(mut self, name: &str) -> Self {
        self.name(name);
        self.conditions
            .push(format!("attribute_not_exists(#{name})"));
        self
    }

    /// Only if the item is there.
    #[must_use]
    pub fn only_if_there(mut self) -> Self {
        self.name("job_id");
        self.conditions.push("attribute_exists(#job_id)".to_owned());
        self
    }

    /// As the parts of a request.
    #[must_use]
    pub fn parts(self) -> Parts {
        let clause = |word: &str, parts: &[String]| {
            (!parts.is_empty()).then(|| format!("{word} {}", parts.join(", ")))
        };
        let clauses = [
            clause("SET", &self.sets),
            clause("ADD", &self.adds),
            clause("REMOVE", &self.removes),
        ];
        let clauses: Vec<String> = clauses.into_iter().flatten().collect();
        Parts {
            update: clauses.join(" "),
            condition: (!self.conditions.is_empty()).then(|| self.conditions.join(" AND ")),
            names: self.names,
            values: self.values,
        }
    }

    /// As a part of a transaction.
    pub fn of_transaction(
        self,
        table: &str,
        job_id: &str,
        item: &str,
    ) -> Result<Update, aws_sdk_dynamodb::error::BuildError> {
        let parts = self.parts();
        Update::builder()
            .table_name(table)
            .set_key(Some(key(job_id, item)))
            .update_expression(parts.update)
            .set_condition_expression(parts.condition)
            .set_expression_attribute_names(Some(parts.names))
            .set_expression_attribute_values(Some(parts.values))
            .build()
    }

    fn name(&mut self, name: &str) {
        self.names.insert(format!("#{name}"), name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::jobs::text;

    #[test]
    fn a_change_is_said_in_one_expression_with_names_for_all_words() {
        let parts = Change::default()
            .set("state", text("listing"))
            .set("revision", number(8))
            .add("listed", 3)
            .remove("reason")
            .only_if("revision", number(7))
            .only_unless("state", text("aborted"))
            .only_unless("state", text("completed"))
            .only_if_there()
            .parts();
        assert_eq!(
            parts.update,
            "SET #state = :state, #revision = :revision ADD #listed :listed REMOVE #reason"
        );
        assert_eq!(
            parts.condition.unwrap(),
            "#revision = :revision_was AND #state <> :state_not_1 AND #state <> :state_not_2 \
             AND attribute_exists(#job_id)"
        );
        assert_eq!(parts.values.len(), 6);
        assert_eq!(parts.values[":revision_was"], number(7));
        assert_eq!(parts.names["#state"], "state");
        assert_eq!(parts.names.len(), 5);
    }

    #[test]
    fn a_change_without_a_condition_has_none() {
        assert_eq!(Change::default().add("listed", 1).parts().condition, None);
    }
}
