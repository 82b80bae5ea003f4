//! Judges a value by a schema of the OpenAPI document: as much of JSON Schema as the document uses, and nothing silently.

use serde_json::{Map, Value};

/// Everything that is wrong with a value. A member that the schema does not describe is wrong too.
pub fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    judge(document, schema, value, "", &mut faults);
    faults
}

const UNDERSTOOD: &[&str] = &[
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maximum",
    "maxLength",
    "minimum",
    "properties",
    "required",
    "title",
    "type",
];

fn judge(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let schema = match schema {
        Value::Bool(true) => return,
        Value::Object(schema) => schema,
        other => panic!("no schema: {other}"),
    };
    for keyword in schema.keys() {
        assert!(
            UNDERSTOOD.contains(&keyword.as_str()),
            "the judge does not know {keyword}"
        );
    }
    if let Some(reference) = schema.get("$ref") {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        let target = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("nothing at {reference}"));
        judge(document, target, value, at, faults);
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let fits = choices
            .iter()
            .any(|choice| self::faults(document, choice, value).is_empty());
        if !fits {
            faults.push(format!("{at}: fits none of the choices"));
        }
    }
    if let Some(kinds) = schema.get("type") {
        let kinds = match kinds {
            Value::Array(kinds) => kinds.clone(),
            one => vec![one.clone()],
        };
        if !kinds.iter().any(|kind| is_of(kind.as_str().unwrap(), value)) {
            faults.push(format!("{at}: {value} is none of {kinds:?}"));
        }
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array)
        && !values.contains(value)
    {
        faults.push(format!("{at}: {value} is none of {values:?}"));
    }
    if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
        for (place, value) in values.iter().enumerate() {
            judge(document, items, value, &format!("{at}/{place}"), faults);
        }
    }
    if let Value::Object(members) = value {
        judge_members(document, schema, members, at, faults);
    }
}

fn judge_members(
    document: &Value,
    schema: &Map<String, Value>,
    members: &Map<String, Value>,
    at: &str,
    faults: &mut Vec<String>,
) {
    let required = schema
        .get("required")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for name in required.iter().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            faults.push(format!("{at}/{name}: missing"));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, value) in members {
        let at = format!("{at}/{name}");
        match (
            properties.and_then(|properties| properties.get(name)),
            schema.get("additionalProperties"),
        ) {
            (Some(property), _) => judge(document, property, value, &at, faults),
            (None, Some(Value::Bool(true))) => (),
            (None, Some(each @ Value::Object(_))) => judge(document, each, value, &at, faults),
            (None, None) if properties.is_none() => (),
            (None, _) => faults.push(format!("{at}: not described")),
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type of JSON: {other}"),
    }
}
