//! Expressions: read with a real parser; what is not modelled is refused.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use serde_json::Value;

use super::Refused;
use super::condition::{Comparison, Condition, Operand};
use super::update::{Sum, Term, Update};
use super::value::Attribute;

/// Words that may be in an expression only behind a `#name`. Source: `DynamoDB` developer guide, "Reserved words".
const RESERVED: &str = include_str!("reserved_words.txt");

/// What `#names` and `:values` stand for, and which of them an expression has used.
pub(super) struct Placeholders<'a> {
    request: &'a Value,
    used: RefCell<BTreeSet<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A word: a keyword, a function, an attribute, a `#name` or a `:value`.
    Word(String),
    /// Punctuation.
    Sign(String),
}

/// One expression, being read.
struct Parser<'a> {
    tokens: VecDeque<Token>,
    placeholders: &'a Placeholders<'a>,
}

impl<'a> Placeholders<'a> {
    /// Those of a request, or of one write of a transaction.
    pub(super) fn of(request: &'a Value) -> Self {
        Self {
            request,
            used: RefCell::default(),
        }
    }

    /// The condition of that member of the request, if it has one.
    pub(super) fn condition(&self, member: &str) -> Result<Option<Condition>, Refused> {
        let Some(mut parser) = self.parser(member)? else {
            return Ok(None);
        };
        let condition = parser.any_of()?;
        parser.end()?;
        Ok(Some(condition))
    }

    /// The request's update.
    pub(super) fn update(&self) -> Result<Update, Refused> {
        let Some(mut parser) = self.parser("UpdateExpression")? else {
            return Ok(Update::default());
        };
        let update = parser.update()?;
        parser.end()?;
        update.check()?;
        Ok(update)
    }

    /// The names that an answer is cut down to.
    pub(super) fn projection(&self) -> Result<Option<Vec<String>>, Refused> {
        let Some(mut parser) = self.parser("ProjectionExpression")? else {
            return Ok(None);
        };
        let names = parser.list(Parser::path)?;
        parser.end()?;
        Ok(Some(names))
    }

    /// The service takes no placeholder that is not used.
    pub(super) fn all_used(&self) -> Result<(), Refused> {
        for member in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
            let given = self.request[member].as_object();
            for name in given.into_iter().flat_map(|given| given.keys()) {
                if !self.used.borrow().contains(name) {
                    return Err(Refused::validation(format!(
                        "{member} unused in expressions: {{{name}}}"
                    )));
                }
            }
        }
        Ok(())
    }

    fn parser(&'a self, member: &str) -> Result<Option<Parser<'a>>, Refused> {
        let text = match &self.request[member] {
            Value::Null => return Ok(None),
            Value::String(text) if !text.is_empty() => text,
            _ => {
                return Err(Refused::validation(format!(
                    "Invalid {member}: The expression can not be empty;"
                )));
            }
        };
        Ok(Some(Parser {
            tokens: tokens(text)?,
            placeholders: self,
        }))
    }

    fn name(&self, word: &str) -> Result<String, Refused> {
        if !word.starts_with('#') {
            let upper = word.to_ascii_uppercase();
            if RESERVED
                .split_whitespace()
                .any(|reserved| reserved == upper)
            {
                return Err(Refused::validation(format!(
                    "Invalid expression: Attribute name is a reserved keyword; reserved keyword: {word}"
                )));
            }
            return Ok(word.to_owned());
        }
        self.used.borrow_mut().insert(word.to_owned());
        let name = self.request["ExpressionAttributeNames"][word].as_str();
        let name = name.ok_or_else(|| undefined("name", word))?;
        Ok(name.to_owned())
    }

    fn value(&self, word: &str) -> Result<Attribute, Refused> {
        self.used.borrow_mut().insert(word.to_owned());
        match &self.request["ExpressionAttributeValues"][word] {
            Value::Null => Err(undefined("value", word)),
            value => Attribute::read(value),
        }
    }
}

impl Parser<'_> {
    fn any_of(&mut self) -> Result<Condition, Refused> {
        let mut all = self.all_of()?;
        while self.takes_keyword("OR") {
            all = Condition::Or(Box::new(all), Box::new(self.all_of()?));
        }
        Ok(all)
    }

    fn all_of(&mut self) -> Result<Condition, Refused> {
        let mut all = self.one()?;
        while self.takes_keyword("AND") {
            all = Condition::And(Box::new(all), Box::new(self.one()?));
        }
        Ok(all)
    }

    fn one(&mut self) -> Result<Condition, Refused> {
        if self.takes_keyword("NOT") {
            return Ok(Condition::Not(Box::new(self.one()?)));
        }
        if self.takes_sign("(") {
            let inner = self.any_of()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if let Some(function) = self.function() {
            let condition = match function.as_str() {
                "attribute_exists" => Condition::Exists(self.path()?),
                "attribute_not_exists" => Condition::NotExists(self.path()?),
                "begins_with" => {
                    let path = self.path()?;
                    self.expect(",")?;
                    Condition::BeginsWith(path, self.operand()?)
                }
                other => return Err(Refused::unknown(format!("function {other}"))),
            };
            self.expect(")")?;
            return Ok(condition);
        }
        let left = self.operand()?;
        let sign = match self.tokens.pop_front() {
            Some(Token::Sign(sign)) => sign,
            Some(Token::Word(word)) => {
                return Err(Refused::unknown(format!("{word} in a condition")));
            }
            None => return Err(syntax("<EOF>")),
        };
        let comparison = Comparison::read(&sign).ok_or_else(|| syntax(&sign))?;
        Ok(Condition::Compare(left, comparison, self.operand()?))
    }

    fn update(&mut self) -> Result<Update, Refused> {
        let mut update = Update::default();
        let mut seen = BTreeSet::new();
        while let Some(word) = self.word() {
            let clause = word.to_ascii_uppercase();
            match clause.as_str() {
                "SET" => update.set = self.list(Self::assignment)?,
                "ADD" => update.add = self.list(Self::addition)?,
                "REMOVE" => update.remove = self.list(Self::path)?,
                "DELETE" => return Err(Refused::unknown("DELETE, for sets")),
                _ => return Err(syntax(&word)),
            }
            if !seen.insert(clause) {
                return Err(Refused::validation(format!(
                    "The \"{word}\" section can only be used once"
                )));
            }
        }
        Ok(update)
    }

    fn list<T>(
        &mut self,
        one: impl Fn(&mut Self) -> Result<T, Refused>,
    ) -> Result<Vec<T>, Refused> {
        let mut all = vec![one(self)?];
        while self.takes_sign(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn assignment(&mut self) -> Result<(String, Sum), Refused> {
        let path = self.path()?;
        self.expect("=")?;
        let first = self.term()?;
        let rest = match self.tokens.front() {
            Some(Token::Sign(sign)) if sign == "+" || sign == "-" => {
                let minus = sign == "-";
                self.tokens.pop_front();
                Some((minus, self.term()?))
            }
            _ => None,
        };
        Ok((path, Sum { first, rest }))
    }

    fn addition(&mut self) -> Result<(String, Attribute), Refused> {
        let path = self.path()?;
        match self.operand()? {
            Operand::Value(value @ Attribute::N(_)) => Ok((path, value)),
            Operand::Value(_) => Err(Refused::unknown("ADD of what is no number")),
            Operand::Path(other) => Err(syntax(&other)),
        }
    }

    fn term(&mut self) -> Result<Term, Refused> {
        match self.function() {
            Some(function) if function == "if_not_exists" => {
                let path = self.path()?;
                self.expect(",")?;
                let otherwise = Box::new(self.term()?);
                self.expect(")")?;
                Ok(Term::IfNotExists(path, otherwise))
            }
            Some(other) => Err(Refused::unknown(format!("function {other}"))),
            None => self.operand().map(Term::Operand),
        }
    }

    fn operand(&mut self) -> Result<Operand, Refused> {
        match self.tokens.front() {
            Some(Token::Word(word)) if word.starts_with(':') => {
                let value = self.placeholders.value(word)?;
                self.tokens.pop_front();
                Ok(Operand::Value(value))
            }
            _ => self.path().map(Operand::Path),
        }
    }

    fn path(&mut self) -> Result<String, Refused> {
        match self.word() {
            Some(word) if !word.starts_with(':') => self.placeholders.name(&word),
            Some(word) => Err(syntax(&word)),
            None => Err(syntax("no name")),
        }
    }

    /// The name of a function whose bracket has been taken too.
    fn function(&mut self) -> Option<String> {
        let (Some(Token::Word(word)), Some(Token::Sign(sign))) =
            (self.tokens.front(), self.tokens.get(1))
        else {
            return None;
        };
        if sign != "(" {
            return None;
        }
        let word = word.clone();
        self.tokens.drain(..2);
        Some(word)
    }

    fn word(&mut self) -> Option<String> {
        match self.tokens.front()? {
            Token::Word(word) => {
                let word = word.clone();
                self.tokens.pop_front();
                Some(word)
            }
            Token::Sign(_) => None,
        }
    }

    fn takes_keyword(&mut self, keyword: &str) -> bool {
        let next = matches!(self.tokens.front(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        if next {
            self.tokens.pop_front();
        }
        next
    }

    fn takes_sign(&mut self, wanted: &str) -> bool {
        let next = matches!(self.tokens.front(), Some(Token::Sign(sign)) if sign == wanted);
        if next {
            self.tokens.pop_front();
        }
        next
    }

    fn expect(&mut self, sign: &str) -> Result<(), Refused> {
        if self.takes_sign(sign) {
            Ok(())
        } else {
            Err(syntax(&format!("no {sign}")))
        }
    }

    fn end(&self) -> Result<(), Refused> {
        match self.tokens.front() {
            None => Ok(()),
            Some(Token::Word(text) | Token::Sign(text)) => Err(syntax(text)),
        }
    }
}

fn tokens(text: &str) -> Result<VecDeque<Token>, Refused> {
    let mut tokens = VecDeque::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_of_a_word(first) || first == '#' || first == ':' {
            1 + rest[1..]
                .find(|char| !is_of_a_word(char))
                .unwrap_or(rest.len() - 1)
        } else if ["<>", "<=", ">="].iter().any(|sign| rest.starts_with(sign)) {
            2
        } else if "()=<>,+-".contains(first) {
            1
        } else if ".[]".contains(first) {
            return Err(Refused::unknown("paths into lists and maps"));
        } else {
            return Err(syntax(rest));
        };
        let (token, after) = rest.split_at(length);
        let is_word = is_of_a_word(first) || first == '#' || first == ':';
        let token = token.to_owned();
        tokens.push_back(if is_word {
            Token::Word(token)
        } else {
            Token::Sign(token)
        });
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn is_of_a_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

fn undefined(what: &str, word: &str) -> Refused {
    Refused::validation(format!(
        "An expression attribute {what} used in expression is not defined; attribute {what}: {word}"
    ))
}

fn syntax(at: &str) -> Refused {
    Refused::validation(format!("Invalid expression: Syntax error; token: \"{at}\""))
}
