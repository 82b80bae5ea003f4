//! What a definition of a property may say.

use serde_json::{Map, Value};

use super::property_values::{self, LONGEST_KEY, LONGEST_TEXT, Wrong};
use crate::flow::FieldError;
use crate::model::property::{BUILT_IN, MEMBERS, MEMBERS_OF_BUILT_IN};
use crate::model::{PropertyAccess, PropertyDefinition, PropertyType, Scopes};
use crate::protocol::claims;

const LONGEST_NAME: usize = 60;
const LONGEST_LABEL: usize = 100;
const LONGEST_PATTERN: usize = 500;
const LONGEST_CLAIM: usize = 200;
const LONGEST_CLIENT: usize = 255;
const MOST_LANGUAGES: usize = 20;
const MOST_CHOICES: usize = 200;
const MOST_CLIENTS: usize = 100;

fn error(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> FieldError {
    FieldError {
        pointer: pointer.into(),
        code,
        detail: detail.into(),
    }
}

/// Reads what a definition says.
///
/// # Errors
/// Every member that can't be taken.
pub(super) fn read(name: &str, members: &Map<String, Value>) -> Result<PropertyDefinition, Vec<FieldError>> {
    let mut errors = Vec::new();
    let is_built_in = BUILT_IN.contains(&name);
    for (member, value) in members {
        let pointer = format!("/{}", member.replace('~', "~0").replace('/', "~1"));
        if !MEMBERS.contains(&member.as_str()) {
            errors.push(error(pointer, "unknown", "a definition has no such member"));
        } else if is_built_in && !MEMBERS_OF_BUILT_IN.contains(&member.as_str()) {
            let detail = "a standard field is what it is: it takes labels and further validators";
            errors.push(error(pointer, "built_in", detail));
        } else {
            let alone = Map::from_iter([(member.clone(), value.clone())]);
            if let Err(fault) = serde_json::from_value::<PropertyDefinition>(alone.into()) {
                errors.push(error(pointer, "type", fault.to_string()));
            }
        }
    }
    if !is_built_in && !members.contains_key("type") {
        errors.push(error("/type", "required", "say what kind of value it is"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let read: Result<PropertyDefinition, _> = serde_json::from_value(members.clone().into());
    let definition = read.map_err(|fault| vec![error("", "type", fault.to_string())])?;
    errors.extend(check_name(name));
    errors.extend(check(&definition));
    if errors.is_empty() { Ok(definition) } else { Err(errors) }
}

fn check_name(name: &str) -> Option<FieldError> {
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let detail = "expected up to 60 small letters, digits and underscores, a letter first";
    (!fits).then(|| error("/name", "malformed", detail))
}

/// Judges a definition.
fn check(definition: &PropertyDefinition) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check_labels("/labels", &definition.labels, &mut errors);
    check_choices(definition, &mut errors);
    check_validators(definition, &mut errors);
    check_keys(definition, &mut errors);
    check_claim(definition, &mut errors);
    if definition.required
        && definition.users != PropertyAccess::Write
        && definition.administrators != PropertyAccess::Write
        && !definition.registration
    {
        let detail = "it is required, and nobody may enter it";
        errors.push(error("/required", "contradiction", detail));
    }
    if definition.registration && definition.kind == PropertyType::Json {
        let detail = "a form can't ask for JSON";
        errors.push(error("/registration", "contradiction", detail));
    }
    if errors.is_empty()
        && let Some(default) = &definition.default
    {
        let judged = property_values::judge_value(definition, default);
        errors.extend(
            judged
                .err()
                .map(|(code, detail): Wrong| error("/default", code, detail)),
        );
        if definition.unique {
            let detail = "one default for everybody is nobody's own";
            errors.push(error("/default", "contradiction", detail));
        }
    }
    errors
}

fn check_labels(pointer: &str, labels: &std::collections::BTreeMap<String, String>, errors: &mut Vec<FieldError>) {
    if labels.len() > MOST_LANGUAGES {
        errors.push(error(pointer, "too_many", "expected labels in up to 20 languages"));
    }
    for (locale, label) in labels {
        let is_tag =
            (2..=35).contains(&locale.len()) && locale.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_tag {
            errors.push(error(pointer, "malformed", "expected language tags like en or pt-BR"));
        }
        let is_line = !label.trim().is_empty()
            && label.chars().count() <= LONGEST_LABEL
            && super::fields::check_text(label, LONGEST_LABEL).is_none()
            && !label.contains(['\n', '\r', '\t']);
        if !is_line {
            let detail = "a label has 1 to 100 characters on one line";
            errors.push(error(format!("{pointer}/{locale}"), "malformed", detail));
        }
    }
}

fn check_choices(definition: &PropertyDefinition, errors: &mut Vec<FieldError>) {
    let choices = &definition.choices;
    let may_have = matches!(definition.kind, PropertyType::Choice | PropertyType::List);
    if definition.kind == PropertyType::Choice && choices.is_empty() {
        errors.push(error("/choices", "required", "expected the words to choose from"));
    }
    if !may_have && !choices.is_empty() {
        errors.push(error(
            "/choices",
            "contradiction",
            "only a choice or a list has words to choose from",
        ));
    }
    if choices.len() > MOST_CHOICES {
        errors.push(error("/choices", "too_many", "expected up to 200 words"));
        return;
    }
    for (index, choice) in choices.iter().enumerate() {
        let value = &choice.value;
        let is_word = value.trim() == value
            && super::fields::check_text(value, LONGEST_LABEL).is_none()
            && !value.contains(['\n', '\r', '\t']);
        if !is_word {
            let detail = "a word has 1 to 100 characters on one line";
            errors.push(error(format!("/choices/{index}/value"), "malformed", detail));
        }
        if choices.iter().take(index).any(|other| other.value == *value) {
            errors.push(error(
                format!("/choices/{index}/value"),
                "twice",
                "this word is there twice",
            ));
        }
        check_labels(&format!("/choices/{index}/labels"), &choice.labels, errors);
    }
}

const fn is_text(kind: PropertyType) -> bool {
    matches!(
        kind,
        PropertyType::Text | PropertyType::Email | PropertyType::Phone | PropertyType::Url | PropertyType::List
    )
}

fn check_validators(definition: &PropertyDefinition, errors: &mut Vec<FieldError>) {
    let is_text = is_text(definition.kind);
    let mut only_for = |is_there: bool, fits: bool, member: &str, what: &str| {
        if is_there && !fits {
            let detail = format!("only {what} takes this");
            errors.push(error(format!("/{member}"), "contradiction", detail));
        }
    };
    only_for(definition.min_length.is_some(), is_text, "min_length", "a text");
    only_for(definition.max_length.is_some(), is_text, "max_length", "a text");
    only_for(definition.pattern.is_some(), is_text, "pattern", "a text");
    only_for(definition.format.is_some(), is_text, "format", "a text");
    let has_order = matches!(definition.kind, PropertyType::Number | PropertyType::Date);
    only_for(definition.minimum.is_some(), has_order, "minimum", "a number or a date");
    only_for(definition.maximum.is_some(), has_order, "maximum", "a number or a date");
    let longest = u32::try_from(LONGEST_TEXT).unwrap_or(u32::MAX);
    for (member, length) in [
        ("min_length", definition.min_length),
        ("max_length", definition.max_length),
    ] {
        if length.is_some_and(|length| length > longest || length == 0) {
            errors.push(error(format!("/{member}"), "out_of_range", "expected 1 to 4000"));
        }
    }
    if let (Some(least), Some(most)) = (definition.min_length, definition.max_length)
        && least > most
    {
        errors.push(error("/max_length", "contradiction", "it is less than min_length"));
    }
    check_range(definition, errors);
    if let Some(pattern) = &definition.pattern {
        if pattern.chars().count() > LONGEST_PATTERN {
            errors.push(error("/pattern", "too_long", "a pattern has at most 500 characters"));
        } else if let Err(fault) = property_values::compile(pattern) {
            let sentence = fault.to_string();
            let last = sentence.lines().last().unwrap_or("it can't be read").trim();
            let detail = format!("no regular expression that is taken here: {last}");
            errors.push(error("/pattern", "malformed", detail));
        }
    }
}

fn check_range(definition: &PropertyDefinition, errors: &mut Vec<FieldError>) {
    let fits = |bound: &Value| match definition.kind {
        PropertyType::Number => bound.is_number(),
        PropertyType::Date => bound.as_str().is_some_and(property_values::is_day),
        _ => true,
    };
    for (member, bound) in [("minimum", &definition.minimum), ("maximum", &definition.maximum)] {
        if bound.as_ref().is_some_and(|bound| !fits(bound)) {
            let detail = "expected a value of the property's type";
            errors.push(error(format!("/{member}"), "type", detail));
        }
    }
    let key = |bound: &Option<Value>| bound.as_ref().and_then(|bound| definition.key(bound));
    if let (Some(least), Some(most)) = (key(&definition.minimum), key(&definition.maximum))
        && least > most
    {
        errors.push(error("/maximum", "contradiction", "it is less than minimum"));
    }
}

fn check_keys(definition: &PropertyDefinition, errors: &mut Vec<FieldError>) {
    let kind = definition.kind;
    if definition.indexed && kind == PropertyType::Json {
        errors.push(error("/indexed", "contradiction", "people are not found by JSON"));
    }
    if definition.unique && matches!(kind, PropertyType::Json | PropertyType::Boolean | PropertyType::List) {
        let detail = "of such a value everybody may have the same";
        errors.push(error("/unique", "contradiction", detail));
    }
    let longest = u32::try_from(LONGEST_KEY).unwrap_or(u32::MAX);
    if definition.is_keyed() && definition.max_length.is_some_and(|most| most > longest) {
        let detail = "what people are found by has at most 255 characters";
        errors.push(error("/max_length", "out_of_range", detail));
    }
}

fn check_claim(definition: &PropertyDefinition, errors: &mut Vec<FieldError>) {
    if let Some(claim) = &definition.claim {
        let is_name = (1..=LONGEST_CLAIM).contains(&claim.len()) && claim.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_name {
            let detail = "a claim has up to 200 printable ASCII characters without spaces";
            errors.push(error("/claim", "malformed", detail));
        } else if !claims::may_be_of_a_property(claim) {
            let detail = "this claim has a meaning already";
            errors.push(error("/claim", "taken", detail));
        }
    }
    let scope = &definition.scope;
    let is_one = Scopes::parse(scope).is_ok_and(|scopes| scopes.iter().eq([scope.as_str()]));
    if !is_one || scope.len() > LONGEST_CLAIM || matches!(scope.as_str(), "openid" | "offline_access") {
        let detail = "expected one scope that asks for claims, profile for example";
        errors.push(error("/scope", "malformed", detail));
    }
    if let Some(clients) = &definition.clients {
        let is_id = |id: &String| (1..=LONGEST_CLIENT).contains(&id.len()) && !id.chars().any(char::is_control);
        if clients.len() > MOST_CLIENTS || !clients.iter().all(is_id) {
            let detail = "expected up to 100 ids of clients";
            errors.push(error("/clients", "malformed", detail));
        }
    }
}
