//! Updates of an item. Every value is that of the item before the update.

use std::collections::BTreeSet;

use super::Refused;
use super::condition::Operand;
use super::value::{Attribute, Item, Number};

#[derive(Clone, Debug, Default)]
pub(super) struct Update {
    pub(super) set: Vec<(String, Sum)>,
    pub(super) add: Vec<(String, Attribute)>,
    pub(super) remove: Vec<String>,
}

/// One term, or two with a sign between them; true is minus.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    pub(super) first: Term,
    pub(super) rest: Option<(bool, Term)>,
}

#[derive(Clone, Debug)]
pub(super) enum Term {
    Operand(Operand),
    IfNotExists(String, Box<Term>),
}

impl Update {
    /// The attributes that it touches.
    pub(super) fn touched(&self) -> impl Iterator<Item = &String> {
        let set = self.set.iter().map(|(name, _)| name);
        set.chain(self.add.iter().map(|(name, _)| name))
            .chain(&self.remove)
    }

    pub(super) fn check(&self) -> Result<(), Refused> {
        let mut seen = BTreeSet::new();
        match self.touched().find(|name| !seen.insert(*name)) {
            None => Ok(()),
            Some(name) => Err(Refused::validation(format!(
                "Invalid UpdateExpression: Two document paths overlap with each other: {name}"
            ))),
        }
    }

    pub(super) fn apply(&self, before: &Item) -> Result<Item, Refused> {
        let mut after = before.clone();
        for (name, sum) in &self.set {
            after.insert(name.clone(), sum.value(before)?);
        }
        for (name, value) in &self.add {
            let sum = match before.get(name) {
                None => value.clone(),
                Some(there) => Attribute::N(number(there)?.plus(number(value)?)?),
            };
            after.insert(name.clone(), sum);
        }
        for name in &self.remove {
            after.remove(name);
        }
        Ok(after)
    }
}

impl Sum {
    fn value(&self, before: &Item) -> Result<Attribute, Refused> {
        let first = self.first.value(before)?;
        let Some((minus, second)) = &self.rest else {
            return Ok(first);
        };
        let second = number(&second.value(before)?)?;
        let second = if *minus { second.negated() } else { second };
        Ok(Attribute::N(number(&first)?.plus(second)?))
    }
}

impl Term {
    fn value(&self, before: &Item) -> Result<Attribute, Refused> {
        match self {
            Self::Operand(operand) => operand.of(before).cloned().ok_or_else(|| {
                Refused::validation("The provided expression refers to an attribute that does not exist in the item")
            }),
            Self::IfNotExists(name, otherwise) => match before.get(name) {
                Some(there) => Ok(there.clone()),
                None => otherwise.value(before),
            },
        }
    }
}

fn number(value: &Attribute) -> Result<Number, Refused> {
    match value {
        Attribute::N(number) => Ok(*number),
        _ => Err(Refused::validation(
            "An operand in the update expression has an incorrect data type",
        )),
    }
}
