//! Attribute values: what they are, how large, and how numbers are added.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Refused;

/// Most significant digits of a number. Source: `DynamoDB` developer guide, "Supported data types".
const DIGITS_MAX: usize = 38;

/// The attributes of an item, by name.
pub(super) type Item = BTreeMap<String, Attribute>;

/// A value. Binaries and sets are not modelled.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Attribute {
    /// Text.
    S(String),
    /// A number.
    N(Number),
    /// True or false.
    Bool(bool),
    /// Nothing.
    Null,
    /// A list.
    L(Vec<Attribute>),
    /// A map.
    M(Item),
}

impl Attribute {
    /// Reads `{"S": "…"}` and its like.
    pub(super) fn read(value: &Value) -> Result<Self, Refused> {
        let malformed =
            || Refused::validation("Supplied AttributeValue is empty, or has more than one type");
        let members = value.as_object().ok_or_else(malformed)?;
        let (kind, value) = members.iter().next().ok_or_else(malformed)?;
        if members.len() != 1 {
            return Err(malformed());
        }
        let text = || value.as_str().map(str::to_owned).ok_or_else(malformed);
        Ok(match kind.as_str() {
            "S" => Self::S(text()?),
            "N" => Self::N(Number::parse(&text()?)?),
            "BOOL" => Self::Bool(value.as_bool().ok_or_else(malformed)?),
            "NULL" => Self::Null,
            "L" => {
                let values = value.as_array().ok_or_else(malformed)?;
                Self::L(values.iter().map(Self::read).collect::<Result<_, _>>()?)
            }
            "M" => Self::M(read_item(value)?),
            other => return Err(Refused::unknown(format!("attribute type {other}"))),
        })
    }

    /// As it is sent.
    pub(super) fn write(&self) -> Value {
        match self {
            Self::S(text) => json!({"S": text}),
            Self::N(number) => json!({"N": number.to_string()}),
            Self::Bool(flag) => json!({"BOOL": flag}),
            Self::Null => json!({"NULL": true}),
            Self::L(values) => json!({"L": values.iter().map(Self::write).collect::<Vec<_>>()}),
            Self::M(item) => json!({"M": write_item(item)}),
        }
    }

    /// As a test likes to read it.
    pub(super) fn plain(&self) -> Value {
        match self {
            Self::S(text) => json!(text),
            Self::N(number) => serde_json::from_str(&number.to_string()).unwrap(),
            Self::Bool(flag) => json!(flag),
            Self::Null => Value::Null,
            Self::L(values) => values.iter().map(Self::plain).collect(),
            Self::M(item) => plain_item(item),
        }
    }

    /// Bytes that count towards an item. Source: `DynamoDB` developer guide, "Item sizes and formats".
    fn size_bytes(&self) -> usize {
        match self {
            Self::S(text) => text.len(),
            Self::N(number) => number.digits().div_ceil(2) + 1,
            Self::Bool(_) | Self::Null => 1,
            Self::L(values) => {
                3 + values
                    .iter()
                    .map(|value| value.size_bytes() + 1)
                    .sum::<usize>()
            }
            Self::M(item) => 3 + size_bytes(item) + item.len(),
        }
    }

    /// Order of two values of one type that has an order; otherwise there is none.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::S(one), Self::S(other)) => Some(one.as_bytes().cmp(other.as_bytes())),
            (Self::N(one), Self::N(other)) => Some(one.order(*other)),
            _ => None,
        }
    }
}

/// Bytes of an item: names and values.
pub(super) fn size_bytes(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value.size_bytes())
        .sum()
}

pub(super) fn read_item(value: &Value) -> Result<Item, Refused> {
    let members = value
        .as_object()
        .ok_or_else(|| Refused::validation("an item is a map"))?;
    let read = members
        .iter()
        .map(|(name, value)| Ok((name.clone(), Attribute::read(value)?)));
    read.collect()
}

pub(super) fn write_item(item: &Item) -> Value {
    let written = item
        .iter()
        .map(|(name, value)| (name.clone(), value.write()));
    Value::Object(written.collect::<Map<_, _>>())
}

pub(super) fn plain_item(item: &Item) -> Value {
    let plain = item
        .iter()
        .map(|(name, value)| (name.clone(), value.plain()));
    Value::Object(plain.collect::<Map<_, _>>())
}

/// A number: exact, decimal, without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    mantissa: i128,
    exponent: i32,
}

impl Number {
    pub(super) fn parse(text: &str) -> Result<Self, Refused> {
        let wrong = || {
            let words = "The parameter cannot be converted to a numeric value";
            Refused::validation(format!("{words}: {text}"))
        };
        let (digits, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let power: i32 = power.parse().map_err(|_| wrong())?;
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{fraction}");
        let significant = all
            .trim_start_matches(['-', '+', '0'])
            .trim_end_matches('0');
        if significant.len() > DIGITS_MAX {
            return Err(Refused::validation(format!(
                "more than {DIGITS_MAX} significant digits: {text}"
            )));
        }
        let zeros = all.len() - all.trim_end_matches('0').len();
        let kept = all.trim_end_matches('0');
        let mantissa = match kept {
            "" | "-" | "+" if zeros == 0 => return Err(wrong()),
            "" | "-" | "+" => 0,
            kept => kept.parse().map_err(|_| wrong())?,
        };
        let exponent =
            power + i32::try_from(zeros).unwrap() - i32::try_from(fraction.len()).unwrap();
        Ok(Self::normal(mantissa, exponent))
    }

    fn normal(mut mantissa: i128, mut exponent: i32) -> Self {
        if mantissa == 0 {
            return Self {
                mantissa,
                exponent: 0,
            };
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        Self { mantissa, exponent }
    }

    /// Both mantissas at one exponent, if they fit.
    fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let exponent = self.exponent.min(other.exponent);
        let shifted = |number: Self| {
            let shift = u32::try_from(number.exponent - exponent).ok()?;
            number.mantissa.checked_mul(10_i128.checked_pow(shift)?)
        };
        Some((shifted(self)?, shifted(other)?, exponent))
    }

    pub(super) fn plus(self, other: Self) -> Result<Self, Refused> {
        let rounded = || Refused::unknown("a sum that must be rounded");
        let (one, other, exponent) = self.aligned(other).ok_or_else(rounded)?;
        Ok(Self::normal(
            one.checked_add(other).ok_or_else(rounded)?,
            exponent,
        ))
    }

    pub(super) const fn negated(self) -> Self {
        Self {
            mantissa: -self.mantissa,
            ..self
        }
    }

    fn order(self, other: Self) -> Ordering {
        match self.aligned(other) {
            Some((one, other, _)) => one.cmp(&other),
            // Too far apart for one exponent: the larger exponent has the say.
            None if self.exponent > other.exponent => self.mantissa.cmp(&0),
            None => 0.cmp(&other.mantissa),
        }
    }

    fn digits(self) -> usize {
        self.mantissa.unsigned_abs().to_string().len()
    }
}

impl std::fmt::Display for Number {
    /// Plain digits, as the service writes them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        if let Ok(zeros) = usize::try_from(self.exponent) {
            return write!(f, "{sign}{digits}{}", "0".repeat(zeros));
        }
        let places = usize::try_from(-self.exponent).unwrap();
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_it_says_without_needless_zeros() {
        for (text, written) in [
            ("0", "0"),
            ("007", "7"),
            ("-1.50", "-1.5"),
            ("0.05", "0.05"),
            ("12e3", "12000"),
            ("100", "100"),
            ("-0", "0"),
        ] {
            assert_eq!(Number::parse(text).unwrap().to_string(), written, "{text}");
        }
        for text in ["", "-", "abc", "1.2.3", "1e", &"1".repeat(39)] {
            assert!(Number::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sums_are_exact_and_orders_are_those_of_numbers() {
        let number = |text| Number::parse(text).unwrap();
        let sum = |one, other| number(one).plus(number(other)).unwrap().to_string();
        assert_eq!(sum("0.1", "0.2"), "0.3");
        assert_eq!(sum("99", "1"), "100");
        assert_eq!(sum("5", "-5"), "0");
        assert_eq!(sum("9007199254740993", "1"), "9007199254740994");
        assert_eq!(number("9").order(number("10")), Ordering::Less);
        assert_eq!(number("-1e120").order(number("1e-120")), Ordering::Less);
    }
}
