//! Settings from a lookup into typed values, with every mistake in one error.
//!
//! A variable that is set to the empty string counts as unset: templates cannot leave one out. Names and values go
//! into the error as they are, so no secret belongs into a setting read here.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Reads settings one by one and collects what is wrong with them; [`Vars::finish`] is the verdict.
///
/// A mistaken setting yields its default (a missing required one ""), so that reading can go on to the next; the
/// values are worth nothing unless `finish` says `Ok`.
pub struct Vars<L> {
    lookup: L,
    mistakes: Vec<Mistake>,
}

impl<L: Fn(&str) -> Option<String>> Vars<L> {
    /// Reads through `lookup`, in production the process environment.
    pub fn new(lookup: L) -> Self {
        Self {
            lookup,
            mistakes: Vec::new(),
        }
    }

    /// Any text, or `default` when unset.
    pub fn text(&self, name: &str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    /// Any text, or `None` when unset.
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// Any text; being unset is a mistake.
    pub fn required(&mut self, name: &str) -> String {
        let value = self.optional(name);
        if value.is_none() {
            self.mistake(name, "", "must be set");
        }
        value.unwrap_or_default()
    }

    /// A number within `range`; outside of it is a mistake, never clamped.
    pub fn ranged<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(value) = self.optional(name) else {
            return default;
        };
        match value.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.mistake(
                    name,
                    &value,
                    &format!("{} to {}", range.start(), range.end()),
                );
                default
            }
        }
    }

    /// `true`, `false`, `1` or `0`, in any case.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        self.one_of(
            name,
            default,
            &[("true", true), ("false", false), ("1", true), ("0", false)],
        )
    }

    /// One of the named choices, in any case.
    pub fn one_of<T: Copy>(&mut self, name: &str, default: T, choices: &[(&str, T)]) -> T {
        let Some(value) = self.optional(name) else {
            return default;
        };
        let chosen = choices
            .iter()
            .find(|(choice, _)| choice.eq_ignore_ascii_case(&value));
        if chosen.is_none() {
            let names: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
            self.mistake(name, &value, &names.join(", "));
        }
        chosen.map_or(default, |(_, choice)| *choice)
    }

    /// Adds a mistake that only the caller can see, such as two settings that exclude each other.
    pub fn mistake(&mut self, name: &str, value: &str, allowed: &str) {
        self.mistakes.push(Mistake {
            name: name.to_owned(),
            value: value.to_owned(),
            allowed: allowed.to_owned(),
        });
    }

    /// `Ok` when every setting read so far was right.
    pub fn finish(self) -> Result<(), EnvError> {
        if self.mistakes.is_empty() {
            Ok(())
        } else {
            Err(EnvError {
                mistakes: self.mistakes,
            })
        }
    }
}

/// Everything that is wrong with the configuration, in the order it was read; one line, so that it is one log line.
#[derive(Debug, thiserror::Error)]
pub struct EnvError {
    mistakes: Vec<Mistake>,
}

#[derive(Debug)]
struct Mistake {
    name: String,
    value: String,
    allowed: String,
}

impl Display for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad configuration: ")?;
        for (
            index,
            Mistake {
                name,
                value,
                allowed,
            },
        ) in self.mistakes.iter().enumerate()
        {
            if index > 0 {
                f.write_str("; ")?;
            }
            if value.is_empty() {
                write!(f, "{name} is unset (allowed: {allowed})")?;
            } else {
                write!(f, "{name}={value:?} (allowed: {allowed})")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn vars<'a>(pairs: &[(&str, &str)]) -> Vars<impl Fn(&str) -> Option<String> + use<'a>> {
        let map: HashMap<String, String> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Vars::new(move |name| map.get(name).cloned())
    }

    #[test]
    fn unset_and_empty_both_give_the_default() {
        let mut vars = vars(&[("EMPTY", "")]);
        for name in ["EMPTY", "ABSENT"] {
            assert_eq!(vars.text(name, "x"), "x");
            assert_eq!(vars.optional(name), None);
            assert_eq!(vars.ranged(name, 6, 0..=9), 6);
            assert!(vars.flag(name, true));
            assert_eq!(vars.one_of(name, 'd', &[("a", 'a')]), 'd');
        }
        assert!(vars.finish().is_ok());
    }

    #[test]
    fn a_range_includes_both_ends_and_nothing_beyond() {
        for (value, ok) in [
            ("-1", false),
            ("0", true),
            ("9", true),
            ("10", false),
            ("1.5", false),
            (" 5", false),
        ] {
            let mut vars = vars(&[("LEVEL", value)]);
            vars.ranged("LEVEL", 6, 0..=9);
            assert_eq!(vars.finish().is_ok(), ok, "{value}");
        }
    }

    #[test]
    fn not_a_number_is_not_within_any_range() {
        let mut vars = vars(&[("RATE", "NaN")]);
        vars.ranged("RATE", 0.01, 0.0..=1.0);
        assert!(vars.finish().is_err());
    }

    #[test]
    fn flags_and_choices_ignore_case() {
        let mut vars = vars(&[
            ("A", "TRUE"),
            ("B", "0"),
            ("C", "Zstd"),
            ("D", "1"),
            ("E", "False"),
        ]);
        assert!(
            vars.flag("A", false)
                && !vars.flag("B", true)
                && vars.flag("D", false)
                && !vars.flag("E", true)
        );
        assert_eq!(vars.one_of("C", 0, &[("zip", 0), ("zstd", 1)]), 1);
        assert!(vars.finish().is_ok());
    }

    #[test]
    fn the_error_names_variable_value_and_what_is_allowed() {
        let mut vars = vars(&[("FORMAT", "rar"), ("ON", "yes"), ("LEVEL", "12")]);
        vars.one_of("FORMAT", 0, &[("zip", 0), ("gzip", 1)]);
        vars.flag("ON", false);
        vars.ranged("LEVEL", 6, 0..=9);
        vars.required("ROOT");
        vars.mistake("OUT", "in/", "must not overlap IN");
        assert_eq!(
            vars.finish().unwrap_err().to_string(),
            "bad configuration: FORMAT=\"rar\" (allowed: zip, gzip); ON=\"yes\" (allowed: true, false, 1, 0); \
             LEVEL=\"12\" (allowed: 0 to 9); ROOT is unset (allowed: must be set); \
             OUT=\"in/\" (allowed: must not overlap IN)"
        );
    }

    proptest! {
        #[test]
        fn every_mistake_is_listed_and_nothing_else(wrong in proptest::collection::vec(any::<bool>(), 1..20)) {
            let values: HashMap<String, bool> = wrong.iter().enumerate().map(|(i, w)| (format!("VAR_{i}_"), *w)).collect();
            let mut vars = Vars::new(|name| values.get(name).map(|wrong| if *wrong { "11" } else { "7" }.to_owned()));
            for index in 0..wrong.len() {
                vars.ranged(&format!("VAR_{index}_"), 1_u8, 0..=10);
            }
            let message = vars.finish().err().map(|error| error.to_string()).unwrap_or_default();
            for (index, wrong) in wrong.iter().enumerate() {
                prop_assert_eq!(message.contains(&format!("VAR_{index}_=\"11\"")), *wrong);
            }
        }
    }
}
