//! Conditions on an item.

use std::cmp::Ordering;

use super::value::{Attribute, Item};

/// What must hold of an item; one that is not there has no attribute.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Compare(Operand, Comparison, Operand),
    Exists(String),
    NotExists(String),
    BeginsWith(String, Operand),
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Path(String),
    Value(Attribute),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(super) fn read(sign: &str) -> Option<Self> {
        Some(match sign {
            "=" => Self::Equal,
            "<>" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    /// What is missing equals nothing, and has no order.
    pub(super) fn holds(self, left: Option<&Attribute>, right: Option<&Attribute>) -> bool {
        let equal = left.is_some() && left == right;
        let order = left.zip(right).and_then(|(left, right)| left.order(right));
        match self {
            Self::Equal => equal,
            Self::NotEqual => !equal,
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}

impl Operand {
    pub(super) fn of<'a>(&'a self, item: &'a Item) -> Option<&'a Attribute> {
        match self {
            Self::Path(name) => item.get(name),
            Self::Value(value) => Some(value),
        }
    }
}

impl Condition {
    pub(super) fn holds(&self, item: &Item) -> bool {
        match self {
            Self::And(one, other) => one.holds(item) && other.holds(item),
            Self::Or(one, other) => one.holds(item) || other.holds(item),
            Self::Not(inner) => !inner.holds(item),
            Self::Compare(left, comparison, right) => {
                comparison.holds(left.of(item), right.of(item))
            }
            Self::Exists(name) => item.contains_key(name),
            Self::NotExists(name) => !item.contains_key(name),
            Self::BeginsWith(name, start) => match (item.get(name), start.of(item)) {
                (Some(Attribute::S(text)), Some(Attribute::S(start))) => text.starts_with(start),
                _ => false,
            },
        }
    }

    /// The conditions that must all hold.
    pub(super) fn all(self) -> Vec<Self> {
        match self {
            Self::And(one, other) => [one.all(), other.all()].concat(),
            other => vec![other],
        }
    }
}
