//! RFC 7644 section 3.4.2.2: the grammar of filters. What a filter compares, and with what, is for whoever asks; here is how it is written.

use serde_json::Value;

use crate::model::search::Operator;

/// No filter is longer.
pub const LONGEST: usize = 4_000;
/// No filter compares more.
pub const MOST_COMPARISONS: usize = 60;
/// Parentheses stand in each other no deeper.
const DEEPEST: usize = 20;

/// A filter, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Each of them.
    And(Vec<Filter>),
    /// One of them.
    Or(Vec<Filter>),
    /// What is not so.
    Not(Box<Filter>),
    /// There is a value (`pr`).
    Present(Path),
    /// A value compares so with another.
    Compare {
        /// Whose value.
        path: Path,
        /// How; none is `ne`.
        operator: Option<Operator>,
        /// With what.
        value: Value,
        /// Where that is written.
        at: usize,
    },
}

impl Filter {
    /// Whether it compares an attribute of this name.
    pub fn names(&self, attribute: &str) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.names(attribute)),
            Self::Not(part) => part.names(attribute),
            Self::Present(path) | Self::Compare { path, .. } => path.name == attribute,
        }
    }
}

/// The name of an attribute, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// As it was written, in small letters: names count without regard to case (RFC 7643 section 2.1).
    pub name: String,
    /// The number of its first character, from 1.
    pub at: usize,
}

/// Why a filter can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {detail}")]
pub struct FilterFault {
    /// The number of the character, from 1; behind the last where the end came too early.
    pub at: usize,
    /// A sentence.
    pub detail: String,
}

/// Reads a filter.
///
/// # Errors
/// The first place at which it is none.
pub fn read(text: &str) -> Result<Filter, FilterFault> {
    let mut reader = Reader {
        text,
        at: 0,
        comparisons: 0,
    };
    if text.chars().count() > LONGEST {
        return Err(reader.fault(format!("a filter has at most {LONGEST} characters")));
    }
    let filter = reader.either(0)?;
    reader.skip();
    match reader.rest().chars().next() {
        None => Ok(filter),
        Some(')') => Err(reader.fault("there is no parenthesis that this one would close")),
        Some(_) => Err(reader.fault("expected and, or, or the end")),
    }
}

struct Reader<'t> {
    text: &'t str,
    /// In bytes.
    at: usize,
    comparisons: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn place(&self) -> usize {
        self.text.get(..self.at).unwrap_or_default().chars().count() + 1
    }

    fn fault(&self, detail: impl Into<String>) -> FilterFault {
        FilterFault {
            at: self.place(),
            detail: detail.into(),
        }
    }

    fn skip(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// Whether this word comes next; then it is taken.
    fn takes_word(&mut self, word: &str) -> bool {
        self.skip();
        let next = self.word();
        let is_it = next.eq_ignore_ascii_case(word);
        if is_it {
            self.at += next.len();
        }
        is_it
    }

    /// The letters that come next.
    fn word(&self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|letter: char| !is_of_name(letter)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    fn takes(&mut self, sign: char) -> bool {
        self.skip();
        let is_it = self.rest().starts_with(sign);
        if is_it {
            self.at += sign.len_utf8();
        }
        is_it
    }

    /// `or` binds less than `and`.
    fn either(&mut self, depth: usize) -> Result<Filter, FilterFault> {
        let mut parts = vec![self.both(depth)?];
        while self.takes_word("or") {
            parts.push(self.both(depth)?);
        }
        Ok(one_or(parts, Filter::Or))
    }

    fn both(&mut self, depth: usize) -> Result<Filter, FilterFault> {
        let mut parts = vec![self.single(depth)?];
        while self.takes_word("and") {
            parts.push(self.single(depth)?);
        }
        Ok(one_or(parts, Filter::And))
    }

    fn single(&mut self, depth: usize) -> Result<Filter, FilterFault> {
        self.skip();
        if self.word().eq_ignore_ascii_case("not") {
            self.takes_word("not");
            self.skip();
            if !self.rest().starts_with('(') {
                return Err(self.fault("expected a parenthesis behind not"));
            }
            return Ok(Filter::Not(Box::new(self.enclosed(depth)?)));
        }
        if self.rest().starts_with('(') {
            return self.enclosed(depth);
        }
        self.comparison()
    }

    fn enclosed(&mut self, depth: usize) -> Result<Filter, FilterFault> {
        if depth >= DEEPEST {
            return Err(self.fault(format!("parentheses stand in each other at most {DEEPEST} times")));
        }
        self.takes('(');
        let inner = self.either(depth + 1)?;
        if !self.takes(')') {
            return Err(self.fault("expected a closing parenthesis, and, or or"));
        }
        Ok(inner)
    }

    fn comparison(&mut self) -> Result<Filter, FilterFault> {
        let path = self.path()?;
        self.comparisons += 1;
        if self.comparisons > MOST_COMPARISONS {
            return Err(FilterFault {
                at: path.at,
                detail: format!("a filter has at most {MOST_COMPARISONS} comparisons"),
            });
        }
        if self.rest().starts_with('[') {
            return Err(self.fault("what stands in brackets is not asked here: compare the attribute itself"));
        }
        self.skip();
        let word = self.word().to_ascii_lowercase();
        let operator = match word.as_str() {
            "pr" => None,
            "ne" => Some(None),
            known => match known.parse::<Operator>() {
                Ok(operator) => Some(Some(operator)),
                Err(_) => return Err(self.fault("expected one of eq, ne, co, sw, ew, pr, gt, ge, lt, le")),
            },
        };
        self.at += word.len();
        let Some(operator) = operator else {
            return Ok(Filter::Present(path));
        };
        self.skip();
        let at = self.place();
        let value = self.value()?;
        Ok(Filter::Compare {
            path,
            operator,
            value,
            at,
        })
    }

    fn path(&mut self) -> Result<Path, FilterFault> {
        let name = self.word();
        let begins = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic());
        if !begins {
            return Err(self.fault("expected the name of an attribute"));
        }
        let path = Path {
            name: name.to_ascii_lowercase(),
            at: self.place(),
        };
        self.at += name.len();
        Ok(path)
    }

    /// JSON: a text, a number, `true`, `false` or `null`.
    fn value(&mut self) -> Result<Value, FilterFault> {
        let rest = self.rest();
        let end = match rest.chars().next() {
            Some('"') => text_end(rest).ok_or_else(|| self.fault("the text has no end: expected \""))?,
            _ => rest
                .find(|letter: char| letter.is_ascii_whitespace() || matches!(letter, '(' | ')'))
                .unwrap_or(rest.len()),
        };
        let written = rest.get(..end).unwrap_or_default();
        let read: Option<Value> = serde_json::from_str(written).ok();
        match read.filter(|value| !value.is_array() && !value.is_object()) {
            Some(value) => {
                self.at += end;
                Ok(value)
            }
            None if written.starts_with('"') => Err(self.fault("the text is not written as JSON writes texts")),
            None => Err(self.fault("expected a text in quotation marks, a number, true, false or null")),
        }
    }
}

/// Names of attributes, their parts apart by dots.
fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':' | '$')
}

/// Behind the quotation mark that ends the text.
fn text_end(rest: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn one_or(mut parts: Vec<Filter>, several: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            several(parts)
        }
        None => several(parts),
    }
}
