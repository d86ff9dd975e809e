//! Where the keys below a prefix lie, found out by some pages of their listing. Pure: it says what to list, and is told
//! what was seen.
//!
//! A page that is not the last one breaks off within the keys that go on with some character. All that begins so is a place
//! of its own, perhaps a large one, and the listing goes on behind it: what is seen between two places is less than a
//! page. Then the places are looked at in the same way, level by level. Where everything goes on alike, as below
//! `year=2024/month=`, the level is as many characters as that. The ends of the places are where the keys are cut;
//! whatever they are, each key is in exactly one range.

use std::collections::VecDeque;

use crate::plan;
use crate::work::Work;

/// Pages that are listed side by side.
pub const SIDE_BY_SIDE: usize = 8;

/// Most pages that are listed, for 0.005 USD at 0.005 USD per 1,000 requests, as `prices.json` of `make cost` has it. Each
/// makes one range more at most.
const PAGES_MAX: usize = 1_000;

/// With so many places no other level is begun: as many as there are hash folders, 16 for each of the workers that there are
/// if nothing is said.
const PLACES_ENOUGH: usize = 256;

/// Longest key, bytes, and so the longest one to begin after. Source: S3 user guide, "Naming Amazon S3 objects".
const KEY_BYTES_MAX: usize = 1_024;

/// A page to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Of keys that begin so.
    pub prefix: String,
    /// And come after this, which may be no key; none: from the first one on.
    pub after: Option<String>,
}

/// What is to be known of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The first and the last key; none if there is no key.
    pub ends: Option<(String, String)>,
    /// Whether more may follow. Where there was no key either, nothing is known.
    pub is_truncated: bool,
}

/// The places that are known by now.
#[derive(Debug)]
pub struct Outline {
    /// Looked at, and not to be divided.
    whole: Vec<String>,
    /// To be looked at now.
    level: VecDeque<Place>,
    /// Within those of this level.
    next: Vec<Place>,
    pages: usize,
}

/// All keys that begin with `prefix`.
#[derive(Debug)]
struct Place {
    prefix: String,
    after: Option<String>,
    step: Step,
    /// Whether places are known within it.
    is_divided: bool,
}

/// What the next page of a place is to tell.
#[derive(Debug)]
enum Step {
    /// Whether there is more than a page.
    First,
    /// All of the first page begins with `common`, and so with `inner`, the prefix and a character: whether anything does
    /// not begin with `inner`.
    Alone { inner: String, common: String },
    /// Everything begins with `inner`: whether anything does not begin with `common`.
    Common { inner: String, common: String },
    /// What follows the places that are known within it.
    Next,
}

/// What becomes of a place after a page.
enum Rest {
    /// It is as good as the places within it.
    Divided,
    /// It stays as it is.
    Whole(String),
    /// Another page must be seen.
    More(Place),
}

impl Outline {
    /// Nothing is known yet of what begins with `prefix`.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self {
            whole: Vec::new(),
            level: VecDeque::from([Place::new(prefix.to_owned())]),
            next: Vec::new(),
            pages: 0,
        }
    }

    /// How many pages were seen.
    #[must_use]
    pub const fn pages(&self) -> usize {
        self.pages
    }

    /// The pages to list next, at most [`SIDE_BY_SIDE`]; none if that is all.
    #[must_use]
    pub fn asks(&self) -> Vec<Ask> {
        let pages = SIDE_BY_SIDE.min(PAGES_MAX.saturating_sub(self.pages));
        self.level.iter().take(pages).map(Place::ask).collect()
    }

    /// Takes what was seen on the pages of the last [`asks`](Self::asks), in their order.
    pub fn take(&mut self, seen: Vec<Seen>) {
        for seen in seen {
            let Some(place) = self.level.pop_front() else {
                return;
            };
            self.pages += 1;
            match place.look(seen, &mut self.next) {
                Rest::Divided => {}
                Rest::Whole(prefix) => self.whole.push(prefix),
                // Behind the others: when the pages are used up, each has had about as many.
                Rest::More(place) => self.level.push_back(place),
            }
        }
        if self.level.is_empty() && self.next.len() < PLACES_ENOUGH {
            self.level.extend(self.next.drain(..));
        }
    }

    /// The keys, cut at the end of each place.
    #[must_use]
    pub fn into_work(self) -> Vec<Work> {
        let begun = self.level.into_iter().chain(self.next);
        let begun = begun.map(|place| place.prefix);
        let places = self.whole.into_iter().chain(begun);
        let mut ends: Vec<_> = places.filter_map(|prefix| end(&prefix)).collect();
        ends.sort_unstable();
        ends.dedup();
        // Behind the last place is less than a page.
        ends.pop();
        plan::ranges(ends)
    }
}

impl Place {
    const fn new(prefix: String) -> Self {
        Self {
            prefix,
            after: None,
            step: Step::First,
            is_divided: false,
        }
    }

    /// The end of its pages: without a place within it, it is one itself.
    fn done(self) -> Rest {
        if self.is_divided {
            Rest::Divided
        } else {
            Rest::Whole(self.prefix)
        }
    }

    fn divide(&mut self, inner: String, within: &mut Vec<Self>) {
        self.is_divided = true;
        within.push(Self::new(inner));
    }

    fn ask(&self) -> Ask {
        Ask {
            prefix: self.prefix.clone(),
            after: self.after.clone(),
        }
    }

    fn more(self, after: String, step: Step) -> Rest {
        Rest::More(Self {
            after: Some(after),
            step,
            ..self
        })
    }

    /// What a page of it shows; places within it go to `within`.
    fn look(mut self, seen: Seen, within: &mut Vec<Self>) -> Rest {
        let Some((first, last)) = seen.ends else {
            return self.look_at_nothing(seen.is_truncated, within);
        };
        match std::mem::replace(&mut self.step, Step::Next) {
            Step::First if !seen.is_truncated => Rest::Whole(self.prefix),
            Step::First => {
                let common = common(&first, &last).to_owned();
                let inner = one_more(&self.prefix, &common).map(str::to_owned);
                let alone = inner.and_then(|inner| Some((end(&inner)?, inner)));
                match alone {
                    Some((after, inner)) => self.more(after, Step::Alone { inner, common }),
                    None => self.go_on(&last, true, within),
                }
            }
            Step::Alone { inner, .. } => {
                self.divide(inner, within);
                self.go_on(&last, seen.is_truncated, within)
            }
            Step::Common { inner, common: all } => {
                let common = common(&all, &last).to_owned();
                self.go_in(inner, common, within)
            }
            Step::Next => self.go_on(&last, seen.is_truncated, within),
        }
    }

    /// What a page without a key shows. If it is truncated all the same, the place is given up: as it is it will do.
    fn look_at_nothing(mut self, is_truncated: bool, within: &mut Vec<Self>) -> Rest {
        match std::mem::replace(&mut self.step, Step::Next) {
            Step::Next if !is_truncated => self.done(),
            Step::First | Step::Next => Rest::Whole(self.prefix),
            Step::Alone { inner, .. } if is_truncated => {
                within.push(Self::new(inner));
                Rest::Whole(self.prefix)
            }
            Step::Alone { inner, common } => self.go_in(inner, common, within),
            Step::Common { inner, common } => {
                within.push(Self::new(if is_truncated { inner } else { common }));
                Rest::Divided
            }
        }
    }

    /// Goes on behind all that begins as the last key of a page does, which the page may have broken off.
    fn go_on(mut self, last: &str, is_truncated: bool, within: &mut Vec<Self>) -> Rest {
        if !is_truncated {
            return self.done();
        }
        let Some(inner) = one_more(&self.prefix, last) else {
            // The only key is the prefix itself, as that of a folder may be.
            return self.more(last.to_owned(), Step::Next);
        };
        self.divide(inner.to_owned(), within);
        match end(inner) {
            Some(after) => self.more(after, Step::Next),
            None => Rest::Divided,
        }
    }

    /// Everything begins with `inner`, and perhaps with `common`: the more characters, the fewer levels.
    fn go_in(self, inner: String, common: String, within: &mut Vec<Self>) -> Rest {
        match end(&common) {
            Some(after) if common.len() > inner.len() => {
                self.more(after, Step::Common { inner, common })
            }
            _ => {
                within.push(Self::new(inner));
                Rest::Divided
            }
        }
    }
}

/// `prefix` and the character that follows it in `key`.
fn one_more<'a>(prefix: &str, key: &'a str) -> Option<&'a str> {
    let next = key.strip_prefix(prefix)?.chars().next()?;
    key.get(..prefix.len() + next.len_utf8())
}

/// What both begin with.
fn common<'a>(one: &'a str, other: &str) -> &'a str {
    let mut pairs = one.char_indices().zip(other.chars());
    let differs = pairs.find(|((_, one), other)| one != other);
    // Whichever is shorter, if the other goes on after it.
    let end = differs.map_or(one.len().min(other.len()), |((place, _), _)| place);
    &one[..end]
}

/// What follows all that begins with `prefix`: its last character, and the next one in its place, which is the next one of
/// the listing's order, too. None if there is nothing, or nothing that could be a key.
fn end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // A range of characters has no surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return (end.len() <= KEY_BYTES_MAX).then_some(end);
        }
    }
    None
}

#[cfg(test)]
#[path = "outline_tests.rs"]
mod tests;
