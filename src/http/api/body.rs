//! Bodies: strict JSON (SEC-110). A name that occurs twice, at any depth, is refused, and so is a member that nobody knows:
//! what is silently left out would be believed to be done.

use std::fmt;

use axum::http::{HeaderMap, header};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Problem;
use super::route::Method;
use crate::flow::{Error, FieldError};
use crate::http::Refusal;

const DEEPEST: u8 = 16;

/// The members of a body.
///
/// # Errors
/// 415 for another type than JSON, 400 for what is no strict JSON object.
pub(super) fn members(method: Method, headers: &HeaderMap, bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|content_type| content_type.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_taken =
        media_type == "application/json" || (method == Method::Patch && media_type == "application/merge-patch+json");
    if !is_taken {
        return Err(Refusal::media_type().into());
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { deeper: DEEPEST }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| Problem::malformed_body(format!("the body is no JSON that is taken here: {error}")))?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(Problem::malformed_body("the body has to be a JSON object")),
    }
}

/// Members as a `T`, whose every member has a default and which knows no others.
///
/// # Errors
/// 422 naming every member that can't be taken.
pub(super) fn read<T: DeserializeOwned>(members: &Map<String, Value>) -> Result<T, Problem> {
    let whole = serde_json::from_value(Value::Object(members.clone()));
    let fault = match whole {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    // one member at a time, so that each error has its name
    let mut errors: Vec<FieldError> = Vec::new();
    for (name, value) in members {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        if let Err(error) = serde_json::from_value::<T>(Value::Object(alone)) {
            let sentence = error.to_string();
            errors.push(FieldError {
                pointer: pointer(name),
                code: if sentence.starts_with("unknown field") {
                    "unknown"
                } else {
                    "type"
                },
                detail: sentence,
            });
        }
    }
    if errors.is_empty() {
        errors.push(FieldError {
            pointer: String::new(),
            code: "type",
            detail: fault.to_string(),
        });
    }
    Err(Error::Invalid(errors).into())
}

/// The JSON pointer of a member (RFC 6901 section 3).
pub(super) fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// For members of a merge patch: absent stays, `null` clears.
pub(super) fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: Deserializer<'de>,
{
    serde::Deserialize::deserialize(deserializer).map(Some)
}

struct Strict {
    deeper: u8,
}

impl Strict {
    fn inside<E: serde::de::Error>(&self) -> Result<u8, E> {
        self.deeper.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let deeper = self.inside()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Strict { deeper })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let deeper = self.inside()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Strict { deeper })?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Value::Object(object))
    }
}
