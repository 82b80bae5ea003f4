//! Lists: what they may be asked, and how a page of one looks. Whatever can't be answered in bounded time is refused by name.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, Asked, Problem, cursor};
use crate::flow::people::{Page, Search};

/// Items on a page unless told.
const LIMIT: u32 = 50;
/// Items on a page at most.
const GREATEST_LIMIT: u32 = 200;
/// A list whose filter has this takes several comparisons: one of a member, and from when until when.
const WITH_TIMES: &str = "at gt";
/// So many a filter says at most.
const MOST_COMPARISONS: usize = 3;
/// People are sorted by so many fields at most.
const MOST_SORTS: usize = 5;

/// What a list may be asked beside `limit` and `after`.
#[derive(Debug, PartialEq, Eq)]
pub struct ListRule {
    /// Its orders; the first unless told.
    pub sorts: &'static [&'static str],
    /// What it may be filtered by: a `member` that is `eq` to a value, or a `member gt` that is greater than one.
    pub filters: &'static [&'static str],
    /// Whether it takes words to search for.
    pub words: Words,
    /// Whether it tells how many there are.
    pub count: Count,
}

/// Whether a list takes words to search for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// In `q`: the beginnings that this sentence names.
    Beginning(&'static str),
    /// It finds people: words in `q`, in `filter` the whole grammar of RFC 7644 section 3.4.2.2, in `sort` several fields with commas
    /// between, and `inactive`.
    People,
    /// No.
    Refused,
}

/// Whether a list tells how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// If asked by `count=true`.
    IfAsked,
    /// No.
    Refused,
}

impl ListRule {
    /// A list that has one order and takes nothing else.
    pub const fn plain() -> Self {
        Self {
            sorts: &[],
            filters: &[],
            words: Words::Refused,
            count: Count::Refused,
        }
    }
}

/// What a list is asked.
pub(super) struct Listed {
    pub(super) limit: u32,
    /// The position after which the page begins.
    pub(super) after: Option<String>,
    /// One of the rule's orders; empty if it has none.
    pub(super) sort: &'static str,
    pub(super) words: Option<String>,
    pub(super) filter: Option<(&'static str, String)>,
    /// What else the filter says, behind `and`.
    pub(super) also: Vec<(&'static str, String)>,
    pub(super) count: bool,
    /// What is asked of people, in a list that finds them.
    pub(super) search: Search,
    /// The list with all that it was asked: what cursors are bound to.
    place: String,
}

/// A page of a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(super) struct PageBody<T> {
    /// What is on it.
    items: Vec<T>,
    /// The cursor of the next page, for `after`; none on the last.
    next: Option<String>,
    /// How many there are, where it was asked; no further than 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<i64>,
    /// There are so many, and perhaps more: nobody looked further.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    count_at_least: bool,
}

impl Listed {
    /// Reads the query of a list.
    ///
    /// # Errors
    /// 400 for whatever this list can't be asked.
    pub(super) fn read(asked: &Asked) -> Result<Self, Problem> {
        const PLAIN: &ListRule = &ListRule::plain();
        let rule = asked.rule.unwrap_or(PLAIN);
        let mut listed = Self {
            limit: LIMIT,
            after: None,
            sort: rule.sorts.first().copied().unwrap_or_default(),
            words: None,
            filter: None,
            also: Vec::new(),
            count: false,
            search: Search::default(),
            place: String::new(),
        };
        let mut cursor = None;
        for (name, value) in &asked.query {
            match name.as_str() {
                "limit" => listed.limit = limit(value)?,
                "after" => cursor = Some(value.as_str()),
                "sort" if rule.words == Words::People => listed.search.sort = sorts(value)?,
                "filter" if rule.words == Words::People => listed.search.filter = Some(value.clone()),
                "inactive" if rule.words == Words::People => listed.search.inactive = flag("inactive", value)?,
                "q" if rule.words == Words::People => listed.search.words = Some(words(value)?),
                "sort" => listed.sort = one_of(rule.sorts, value)?,
                "q" if rule.words != Words::Refused => listed.words = Some(words(value)?),
                "filter" if rule.filters.contains(&WITH_TIMES) => {
                    let mut said = conjunction(rule.filters, value)?;
                    listed.filter = Some(said.remove(0));
                    listed.also = said;
                }
                "filter" => listed.filter = Some(filter(rule.filters, value)?),
                "count" if rule.count == Count::IfAsked => listed.count = flag("count", value)?,
                other => {
                    return Err(Problem::unsupported(
                        other,
                        format!("this list has no parameter {other}"),
                    ));
                }
            }
        }
        if listed.words.is_some() && listed.filter.is_some() {
            return Err(Problem::unsupported(
                "filter",
                "q and filter don't go together".to_owned(),
            ));
        }
        let path: Vec<&str> = asked.path.iter().map(|(_, value)| value.as_str()).collect();
        listed.place = format!(
            "{}|{path:?}|{}|{:?}|{:?}{:?}|{:?}",
            asked.template, listed.sort, listed.words, listed.filter, listed.also, listed.search
        );
        listed.after = cursor
            .map(|cursor| cursor::read(asked.provider(), asked.call(), &listed.place, cursor))
            .transpose()?;
        Ok(listed)
    }

    /// The answer with a page.
    pub(super) fn answer<T, B: Serialize>(
        &self,
        asked: &Asked,
        page: Page<T>,
        count: Option<i64>,
        body: impl Fn(T) -> B,
    ) -> Result<Answer, Problem> {
        self.answer_counted(asked, page, count.map(|count| (count, false)), body)
    }

    /// The same, where a count may be one that nobody went beyond.
    pub(super) fn answer_counted<T, B: Serialize>(
        &self,
        asked: &Asked,
        page: Page<T>,
        count: Option<(i64, bool)>,
        body: impl Fn(T) -> B,
    ) -> Result<Answer, Problem> {
        let next = page
            .next
            .map(|position| cursor::write(asked.provider(), asked.call(), &self.place, &position));
        Answer::of(&PageBody {
            items: page.items.into_iter().map(body).collect(),
            next,
            count: count.map(|(count, _)| count),
            count_at_least: count.is_some_and(|(_, at_least)| at_least),
        })
    }
}

fn limit(value: &str) -> Result<u32, Problem> {
    value
        .parse()
        .ok()
        .filter(|limit| (1..=GREATEST_LIMIT).contains(limit))
        .ok_or_else(|| Problem::bad_request("limit", "expected a number from 1 to 200"))
}

fn flag(name: &str, value: &str) -> Result<bool, Problem> {
    value
        .parse()
        .map_err(|_| Problem::bad_request(name, "expected true or false"))
}

fn sorts(value: &str) -> Result<Vec<String>, Problem> {
    let sorts: Vec<String> = value.split(',').map(|sort| sort.trim().to_owned()).collect();
    if sorts.len() > MOST_SORTS {
        return Err(Problem::bad_request("sort", "expected at most 5 fields"));
    }
    Ok(sorts)
}

fn one_of(sorts: &'static [&'static str], value: &str) -> Result<&'static str, Problem> {
    sorts.iter().find(|sort| **sort == value).copied().ok_or_else(|| {
        let known = if sorts.is_empty() {
            "this list has one order".to_owned()
        } else {
            format!("expected one of: {}", sorts.join(", "))
        };
        Problem::unsupported("sort", known)
    })
}

fn words(value: &str) -> Result<String, Problem> {
    let words = value.trim();
    if words.is_empty() || words.chars().count() > 150 {
        return Err(Problem::bad_request("q", "expected 1 to 150 characters"));
    }
    Ok(words.to_owned())
}

/// What a filter of this list says.
///
/// # Errors
/// 400 for a member or an operator that the list does not know.
pub(super) fn filtered(rule: &ListRule, value: &str) -> Result<(&'static str, String), Problem> {
    filter(rule.filters, value)
}

/// The comparisons of a filter that says several, with `and` between; never none.
fn conjunction(known: &'static [&'static str], value: &str) -> Result<Vec<(&'static str, String)>, Problem> {
    let mut parts: Vec<String> = Vec::new();
    let mut quoted = false;
    let mut part = String::new();
    for word in value.split(' ') {
        if !quoted && word.eq_ignore_ascii_case("and") {
            parts.push(std::mem::take(&mut part));
            continue;
        }
        quoted ^= word.matches('"').count() % 2 == 1;
        part.push_str(word);
        part.push(' ');
    }
    parts.push(part);
    if parts.len() > MOST_COMPARISONS {
        return Err(Problem::unsupported(
            "filter",
            format!("expected at most {MOST_COMPARISONS} comparisons"),
        ));
    }
    parts.iter().map(|part| filter(known, part)).collect()
}

/// `member eq "value"`, of the grammar of RFC 7644 section 3.4.2.2 the part that an index answers.
fn filter(known: &'static [&'static str], value: &str) -> Result<(&'static str, String), Problem> {
    let supported = || {
        let supported = match known {
            [] => "this list can't be filtered".to_owned(),
            known => {
                let forms = known.iter().map(|form| {
                    let (member, operator) = comparison(form);
                    format!("{member} {operator} \"...\"")
                });
                format!("expected {}", forms.collect::<Vec<String>>().join(" or "))
            }
        };
        Problem::unsupported("filter", supported)
    };
    let (member, rest) = value.trim().split_once(' ').ok_or_else(supported)?;
    let (operator, text) = rest.trim_start().split_once(' ').ok_or_else(supported)?;
    let is_meant = |form: &&&'static str| {
        let (known_member, known_operator) = comparison(form);
        known_member == member && operator.eq_ignore_ascii_case(known_operator)
    };
    let member = known.iter().find(is_meant).ok_or_else(supported)?;
    let text = serde_json::from_str(text.trim()).map_err(|_| supported())?;
    Ok((member, text))
}

/// The member and the operator of what a list may be filtered by.
fn comparison(form: &'static str) -> (&'static str, &'static str) {
    form.split_once(' ').unwrap_or((form, "eq"))
}
