//! Bodies: strict JSON (SEC-110). A name that occurs twice, at any depth, is refused, and so is a member that nobody knows:
//! what is silently left out would be believed to be done.

use axum::http::{HeaderMap, header};
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::{Map, Value};

use super::Problem;
use super::route::Method;
use crate::flow::{Error, FieldError};
use crate::http::Refusal;
use crate::model::strict_json::{self, NotTaken};

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
    strict_json::object(bytes).map_err(|error| match error {
        NotTaken::Malformed(error) => {
            Problem::malformed_body(format!("the body is no JSON that is taken here: {error}"))
        }
        NotTaken::NoObject => Problem::malformed_body("the body has to be a JSON object"),
    })
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
