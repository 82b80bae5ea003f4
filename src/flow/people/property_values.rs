//! Values of properties: what they may be, who may set them, and what people are found by.

use std::collections::{BTreeMap, BTreeSet};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Date, Month};

use super::{ChangeSource, fields};
use crate::flow::{Error, FieldError};
use crate::model::{
    Id, Profile, Property, PropertyAccess, PropertyDefinition, PropertyFormat, PropertyState, PropertyType, User,
};
use crate::store::{self, Write};

/// No text is longer.
pub(super) const LONGEST_TEXT: usize = 4_000;
/// What people are found by is not longer.
pub(super) const LONGEST_KEY: usize = 255;
/// No list has more.
const MOST_ITEMS: usize = 100;
/// No value is longer as JSON.
const LONGEST_JSON: usize = 8 * 1024;
/// All values of a person together are not longer as JSON.
const LONGEST_WHOLE: usize = 64 * 1024;
/// Beyond that, programs disagree which number it is (RFC 8259 section 6).
const GREATEST_NUMBER: f64 = 9_007_199_254_740_991.0;
/// What a regular expression takes of memory at most, compiled.
const LARGEST_PATTERN: usize = 256 * 1024;

/// A change of somebody's properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertiesChange {
    /// These, by name; none clears, and what is not named stays.
    Patch(BTreeMap<String, Option<Value>>),
    /// All of them.
    Whole(BTreeMap<String, Value>),
}

impl PropertiesChange {
    pub(super) fn make(self, properties: &mut BTreeMap<String, Value>) {
        match self {
            Self::Whole(all) => *properties = all,
            Self::Patch(changes) => {
                for (name, value) in changes {
                    match value {
                        Some(value) => drop(properties.insert(name, value)),
                        None => drop(properties.remove(&name)),
                    }
                }
            }
        }
    }
}

/// Why a value is not taken: a code and a sentence.
pub(super) type Wrong = (&'static str, String);

fn wrong(code: &'static str, detail: impl Into<String>) -> Wrong {
    (code, detail.into())
}

/// Judges what is told about somebody who is new, or has changed, and fills in what a new account has where nothing was said.
pub(super) fn judge(
    properties: &[Property],
    source: &ChangeSource,
    before: Option<&Profile>,
    profile: &mut Profile,
) -> Vec<FieldError> {
    let nothing = BTreeMap::new();
    let had = before.map_or(&nothing, |before| &before.properties);
    let mut errors = Vec::new();
    let known = |name: &str| properties.iter().find(|known| known.name == name && known.has_values());
    // what nobody knows any more is not carried on
    profile
        .properties
        .retain(|name, value| known(name).is_some() || had.get(name) != Some(value));
    let names: BTreeSet<String> = profile.properties.keys().chain(had.keys()).cloned().collect();
    for name in names {
        let after = profile.properties.get(&name);
        if after == had.get(&name) {
            continue;
        }
        let judged = match (known(&name), after) {
            (None, Some(_)) => Err(wrong("unknown", "there is no property of this name")),
            (None, None) => continue,
            (Some(property), after) => change_of_one(property, source, before.is_none(), after),
        };
        match judged {
            Ok(Some(value)) => drop(profile.properties.insert(name, value)),
            Ok(None) => (),
            Err(refused) => errors.push(at(&name, refused)),
        }
    }
    if before.is_none() {
        errors.extend(complete(properties, source, profile));
    }
    errors.extend(judge_built_in(properties, before, profile));
    if serde_json::to_string(&profile.properties).map_or(0, |json| json.len()) > LONGEST_WHOLE {
        errors.push(at(
            "",
            wrong("too_long", "all properties of a user have 64 KiB together"),
        ));
    }
    errors
}

fn change_of_one(
    property: &Property,
    source: &ChangeSource,
    is_new: bool,
    after: Option<&Value>,
) -> Result<Option<Value>, Wrong> {
    let definition = &property.definition;
    let may = match source {
        ChangeSource::Person => definition.users == PropertyAccess::Write || is_new && definition.registration,
        ChangeSource::Api(_) => definition.administrators == PropertyAccess::Write,
        ChangeSource::Apply | ChangeSource::Command | ChangeSource::Setup | ChangeSource::Term => true,
    };
    if !may {
        return Err(wrong("not_editable", "this is not changed here"));
    }
    match after {
        Some(value) => judge_value(definition, value).map(Some),
        None if definition.required && is_entered_by(definition, source) => {
            Err(wrong("required", "this has to be there"))
        }
        None => Ok(None),
    }
}

/// Whether it is for this one to enter what is required: the person where they may, else whoever administers.
fn is_entered_by(definition: &PropertyDefinition, source: &ChangeSource) -> bool {
    match source {
        ChangeSource::Person => definition.users == PropertyAccess::Write,
        ChangeSource::Api(_) | ChangeSource::Command => definition.users != PropertyAccess::Write,
        ChangeSource::Apply | ChangeSource::Setup | ChangeSource::Term => false,
    }
}

/// What a new account has where nothing was said, and what is missing of it.
fn complete(properties: &[Property], source: &ChangeSource, profile: &mut Profile) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for property in properties.iter().filter(|property| property.has_values()) {
        let definition = &property.definition;
        if profile.properties.contains_key(&property.name) {
            continue;
        }
        if let Some(default) = &definition.default {
            profile.properties.insert(property.name.clone(), default.clone());
        } else if definition.required {
            let is_missing = match source {
                ChangeSource::Person => definition.registration,
                other => is_entered_by(definition, other),
            };
            if is_missing {
                errors.push(at(&property.name, wrong("required", "this has to be there")));
            }
        }
    }
    errors
}

/// The standard fields, by what was added to their own law.
fn judge_built_in(properties: &[Property], before: Option<&Profile>, profile: &Profile) -> Vec<FieldError> {
    let extensions: Vec<&Property> = properties.iter().filter(|property| property.is_built_in()).collect();
    if extensions.is_empty() {
        return Vec::new();
    }
    let members = |profile: &Profile| serde_json::to_value(profile).unwrap_or_default();
    let (now, then) = (members(profile), before.map(members).unwrap_or_default());
    let judged = extensions.into_iter().filter_map(|property| {
        let value = now
            .get(&property.name)
            .filter(|value| then.get(&property.name) != Some(value))?;
        let (code, detail) = judge_text(&property.definition, value.as_str()?).err()?;
        Some(FieldError {
            pointer: format!("/{}", property.name),
            code,
            detail,
        })
    });
    judged.collect()
}

fn at(name: &str, (code, detail): Wrong) -> FieldError {
    let pointer = match name {
        "" => "/properties".to_owned(),
        name => format!("/properties/{}", name.replace('~', "~0").replace('/', "~1")),
    };
    FieldError { pointer, code, detail }
}

/// Judges a value: gives it as it is kept.
pub(super) fn judge_value(definition: &PropertyDefinition, value: &Value) -> Result<Value, Wrong> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        _ => Err(wrong("type", "expected a text")),
    };
    match definition.kind {
        PropertyType::Boolean => match value {
            Value::Bool(_) => Ok(value.clone()),
            _ => Err(wrong("type", "expected true or false")),
        },
        PropertyType::Number => judge_number(definition, value).map(|()| value.clone()),
        PropertyType::Json => match serde_json::to_string(value) {
            Ok(json) if json.len() <= LONGEST_JSON => Ok(value.clone()),
            _ => Err(wrong("too_long", "a value has at most 8 KiB as JSON")),
        },
        PropertyType::List => judge_list(definition, value),
        PropertyType::Date => {
            let day = text(value)?;
            judge_day(definition, &day)?;
            Ok(day.into())
        }
        PropertyType::Choice => {
            let word = text(value)?;
            judge_choice(definition, &word)?;
            Ok(word.into())
        }
        PropertyType::Phone => {
            let number = fields::typed_phone_number(&text(value)?);
            judge_text(definition, &number)?;
            Ok(number.into())
        }
        PropertyType::Text | PropertyType::Email | PropertyType::Url => {
            let text = text(value)?;
            judge_text(definition, &text)?;
            Ok(text.into())
        }
    }
}

fn judge_number(definition: &PropertyDefinition, value: &Value) -> Result<(), Wrong> {
    let Some(number) = value.as_f64() else {
        return Err(wrong("type", "expected a number"));
    };
    if number.abs() > GREATEST_NUMBER {
        return Err(wrong("out_of_range", "a number is no greater than 9007199254740991"));
    }
    let bound = |bound: &Option<Value>| bound.as_ref().and_then(Value::as_f64);
    let is_below = bound(&definition.minimum).is_some_and(|least| number < least);
    let is_above = bound(&definition.maximum).is_some_and(|most| number > most);
    if is_below || is_above {
        return Err(out_of_range(definition));
    }
    Ok(())
}

fn judge_day(definition: &PropertyDefinition, day: &str) -> Result<(), Wrong> {
    if !is_day(day) {
        return Err(wrong("malformed", "expected a day like 2026-11-23"));
    }
    let bound = |bound: &Option<Value>| bound.as_ref().and_then(Value::as_str).map(str::to_owned);
    let is_before = bound(&definition.minimum).is_some_and(|first| day < first.as_str());
    let is_after = bound(&definition.maximum).is_some_and(|last| day > last.as_str());
    if is_before || is_after {
        return Err(out_of_range(definition));
    }
    Ok(())
}

fn out_of_range(definition: &PropertyDefinition) -> Wrong {
    let told = |bound: &Option<Value>| bound.as_ref().map_or("any".to_owned(), Value::to_string);
    let (least, most) = (told(&definition.minimum), told(&definition.maximum));
    wrong("out_of_range", format!("expected a value from {least} to {most}"))
}

/// `YYYY-MM-DD`.
pub(super) fn is_day(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut number = |digits: usize| -> Option<u16> {
        let part = parts.next()?;
        let fits = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.parse().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(4), number(2), number(2)) else {
        return false;
    };
    let (Ok(month), Ok(day)) = (u8::try_from(month), u8::try_from(day)) else {
        return false;
    };
    let is_there = Month::try_from(month).is_ok_and(|month| Date::from_calendar_date(year.into(), month, day).is_ok());
    is_there && parts.next().is_none()
}

fn judge_choice(definition: &PropertyDefinition, word: &str) -> Result<(), Wrong> {
    if definition.choices.iter().any(|choice| choice.value == word) {
        return Ok(());
    }
    let words: Vec<&str> = definition
        .choices
        .iter()
        .map(|choice| choice.value.as_str())
        .take(20)
        .collect();
    Err(wrong("unsupported", format!("expected one of: {}", words.join(", "))))
}

fn judge_list(definition: &PropertyDefinition, value: &Value) -> Result<Value, Wrong> {
    let Value::Array(items) = value else {
        return Err(wrong("type", "expected a list of texts"));
    };
    if items.len() > MOST_ITEMS {
        return Err(wrong("too_many", "a list has at most 100 items"));
    }
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        let Value::String(text) = item else {
            return Err(wrong("type", "expected a list of texts"));
        };
        let text = text.trim();
        match definition.choices.is_empty() {
            true => judge_text(definition, text)?,
            false => judge_choice(definition, text)?,
        }
        if !kept.iter().any(|known| known.as_str() == Some(text)) {
            kept.push(text.into());
        }
    }
    if kept.is_empty() {
        return Err(wrong(
            "required",
            "leave the property out instead of sending an empty list",
        ));
    }
    Ok(kept.into())
}

/// Judges a text, by its type and by its validators.
pub(super) fn judge_text(definition: &PropertyDefinition, text: &str) -> Result<(), Wrong> {
    let longest = if definition.is_keyed() {
        LONGEST_KEY
    } else {
        LONGEST_TEXT
    };
    if let Some((code, detail)) = fields::check_text(text, longest) {
        return Err(wrong(code, detail));
    }
    let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    if let Some(least) = definition.min_length.filter(|least| length < *least) {
        return Err(wrong("too_short", format!("expected at least {least} characters")));
    }
    if let Some(most) = definition.max_length.filter(|most| length > *most) {
        return Err(wrong("too_long", format!("expected at most {most} characters")));
    }
    let format = match definition.kind {
        PropertyType::Email => Some(PropertyFormat::Email),
        PropertyType::Phone => Some(PropertyFormat::Phone),
        PropertyType::Url => Some(PropertyFormat::Url),
        _ => None,
    };
    for format in format.into_iter().chain(definition.format) {
        judge_format(format, text)?;
    }
    if let Some(pattern) = &definition.pattern {
        let is_match = compile(pattern).is_ok_and(|pattern| pattern.is_match(text));
        if !is_match {
            return Err(wrong("pattern", "the text does not look as it has to"));
        }
    }
    Ok(())
}

fn judge_format(format: PropertyFormat, text: &str) -> Result<(), Wrong> {
    let told = |error: FieldError| wrong(error.code, error.detail);
    let refused = match format {
        PropertyFormat::Email => fields::check_email(text).map(told),
        PropertyFormat::Phone => fields::check_phone_number(text).map(told),
        PropertyFormat::Url => fields::check_url(text).map(|(code, detail)| wrong(code, detail)),
        PropertyFormat::CardNumber => {
            let detail = "expected 12 to 19 digits whose last one checks the others";
            (!is_card_number(text)).then(|| wrong("malformed", detail))
        }
    };
    refused.map_or(Ok(()), Err)
}

/// ISO/IEC 7812-1, annex B: every second digit from the right counts double.
fn is_card_number(text: &str) -> bool {
    let plain: Vec<u32> = match text
        .chars()
        .filter(|letter| !matches!(letter, ' ' | '-'))
        .map(|letter| letter.to_digit(10))
        .collect()
    {
        Some(digits) => digits,
        None => return false,
    };
    let sum: u32 = plain
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => *digit,
            _ if *digit > 4 => 2 * digit - 9,
            _ => 2 * digit,
        })
        .sum();
    (12..=19).contains(&plain.len()) && sum.is_multiple_of(10)
}

/// A regular expression that the whole text has to match. It is looked for in time linear in the text (the package has neither
/// look-around nor references back), and is bounded in size.
///
/// # Errors
/// What is wrong with it.
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    let bounded = |text: &str| {
        RegexBuilder::new(text)
            .size_limit(LARGEST_PATTERN)
            .dfa_size_limit(LARGEST_PATTERN)
            .nest_limit(30)
            .build()
    };
    // one that is none alone could be one between the parentheses
    bounded(pattern)?;
    bounded(&format!(r"\A(?:{pattern})\z"))
}

/// Says by what somebody is found from now on.
///
/// # Errors
/// [`Error::Invalid`] if somebody else has a value of which there may be one.
pub(super) async fn index_in(
    tx: &mut Write,
    user: Id<User>,
    properties: &[Property],
    (before, after): (&Profile, &Profile),
) -> Result<(), Error> {
    let keyed = properties
        .iter()
        .filter(|property| property.has_values() && property.definition.is_keyed());
    for property in keyed {
        let (had, has) = (
            before.properties.get(&property.name),
            after.properties.get(&property.name),
        );
        if had == has && property.state == PropertyState::Ready {
            continue;
        }
        if had.is_none() && has.is_none() {
            continue;
        }
        let keys = has.map(|value| property.definition.keys(value)).unwrap_or_default();
        match tx.set_property_keys(user, property, &keys).await {
            Err(store::Error::Taken(_)) => {
                let taken = wrong("taken", "somebody else has it");
                return Err(Error::Invalid(vec![at(&property.name, taken)]));
            }
            set => set?,
        }
    }
    Ok(())
}

/// What is required of somebody, theirs to enter, and not there.
pub(in crate::flow) fn lacking<'a>(properties: &'a [Property], user: &User) -> Vec<&'a Property> {
    let asked = properties.iter().filter(|property| {
        let definition = &property.definition;
        property.has_values() && definition.required && definition.users == PropertyAccess::Write
    });
    asked
        .filter(|property| !user.profile.properties.contains_key(&property.name))
        .collect()
}

/// What administrators see of somebody's properties.
pub fn seen_by_administrators(properties: &[Property], profile: &Profile) -> BTreeMap<String, Value> {
    seen(properties, profile, |definition| definition.administrators)
}

/// What a person sees of their own.
pub fn seen_by_the_person(properties: &[Property], profile: &Profile) -> BTreeMap<String, Value> {
    seen(properties, profile, |definition| definition.users)
}

fn seen(
    properties: &[Property],
    profile: &Profile,
    access: fn(&PropertyDefinition) -> PropertyAccess,
) -> BTreeMap<String, Value> {
    let visible = properties
        .iter()
        .filter(|property| property.has_values() && access(&property.definition) != PropertyAccess::None);
    visible
        .filter_map(|property| {
            let value = profile.properties.get(&property.name)?;
            Some((property.name.clone(), value.clone()))
        })
        .collect()
}
