//! Properties that an administrator has defined, as forms ask for them and send them.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use crate::flow::FieldError;
use crate::model::property::in_language;
use crate::model::{Property, PropertyAccess, PropertyType};
use crate::view::{PropertyInput, PropertyInputKind, PropertyProblem};

const PREFIX: &str = "property_";

/// What is asked of somebody who makes themselves an account.
pub(super) fn of_registration(properties: &[Property], locale: &str) -> Vec<PropertyInput> {
    let asked = properties
        .iter()
        .filter(|property| property.has_values() && property.definition.registration);
    asked
        .filter_map(|property| input(property, property.definition.default.as_ref(), locale))
        .collect()
}

/// What a person may see of their own, and change as far as they may.
pub(super) fn of_person(properties: &[Property], values: &BTreeMap<String, Value>, locale: &str) -> Vec<PropertyInput> {
    let seen = properties
        .iter()
        .filter(|property| property.has_values() && property.definition.users != PropertyAccess::None);
    let inputs = seen.filter_map(|property| {
        let value = values.get(&property.name);
        let fixed = property.definition.users != PropertyAccess::Write;
        // what is not theirs to enter is shown where there is something to show
        let input = input(property, value, locale).filter(|_| !fixed || value.is_some())?;
        Some(PropertyInput { fixed, ..input })
    });
    inputs.collect()
}

fn input(property: &Property, value: Option<&Value>, locale: &str) -> Option<PropertyInput> {
    let definition = &property.definition;
    let kind = match definition.kind {
        PropertyType::Text => PropertyInputKind::Text,
        PropertyType::Number => PropertyInputKind::Number,
        PropertyType::Boolean => PropertyInputKind::Flag,
        PropertyType::Date => PropertyInputKind::Date,
        PropertyType::Choice => PropertyInputKind::Choice,
        PropertyType::List => PropertyInputKind::Lines,
        PropertyType::Email => PropertyInputKind::Email,
        PropertyType::Phone => PropertyInputKind::Tel,
        PropertyType::Url => PropertyInputKind::Url,
        // for programs
        PropertyType::Json => return None,
    };
    let options = definition.choices.iter().map(|choice| {
        let label = in_language(&choice.labels, locale).unwrap_or(&choice.value);
        (choice.value.clone(), label.to_owned())
    });
    Some(PropertyInput {
        name: format!("{PREFIX}{}", property.name),
        label: property.label(locale).to_owned(),
        kind,
        options: options.collect(),
        value: value.map(written).unwrap_or_default(),
        required: definition.required,
        fixed: false,
        problem: None,
    })
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(written).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

/// What was sent in the place of what is there.
pub(super) fn fill(inputs: &mut [PropertyInput], given: &BTreeMap<String, String>) {
    for input in inputs.iter_mut().filter(|input| !input.fixed) {
        if let Some(text) = given.get(&input.name) {
            input.value = text.trim().replace("\r\n", "\n");
        }
    }
}

/// What a form says, by the names of the properties; none where nothing stands.
pub(super) fn entered(inputs: &[PropertyInput]) -> BTreeMap<String, Option<Value>> {
    let said = inputs.iter().filter(|input| !input.fixed).filter_map(|input| {
        let name = input.name.strip_prefix(PREFIX)?;
        Some((name.to_owned(), value(input)))
    });
    said.collect()
}

fn value(input: &PropertyInput) -> Option<Value> {
    let text = input.value.as_str();
    if text.is_empty() {
        return None;
    }
    Some(match input.kind {
        // what is none of its kind goes on as it is, and is refused by the law of its property
        PropertyInputKind::Number => text.parse::<Number>().map_or_else(|_| text.into(), Value::Number),
        PropertyInputKind::Flag => text.parse::<bool>().map_or_else(|_| text.into(), Value::Bool),
        PropertyInputKind::Lines => text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .into(),
        _ => text.into(),
    })
}

/// Whether an error belongs to a property.
pub(super) fn is_of_property(error: &FieldError) -> bool {
    error.pointer.starts_with("/properties")
}

/// Puts each error beside its field.
pub(super) fn mark(inputs: &mut [PropertyInput], errors: &[FieldError]) {
    for error in errors {
        let Some(name) = error.pointer.strip_prefix("/properties/") else {
            continue;
        };
        let mut all = inputs.iter_mut();
        if let Some(input) = all.find(|input| input.name.strip_prefix(PREFIX) == Some(name)) {
            input.problem = Some(problem(error.code));
        }
    }
}

fn problem(code: &str) -> PropertyProblem {
    match code {
        "required" => PropertyProblem::Required,
        "too_long" | "too_many" => PropertyProblem::TooLong,
        "too_short" => PropertyProblem::TooShort,
        "out_of_range" => PropertyProblem::Range,
        "taken" => PropertyProblem::Taken,
        "unsupported" => PropertyProblem::Choice,
        "not_editable" => PropertyProblem::Fixed,
        _ => PropertyProblem::Form,
    }
}
