//! Laying what a file says of a thing over what it is.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A value with a patch over it, member by member; `null` takes a member back to its default.
pub(super) fn laid_over<T: Serialize + DeserializeOwned>(
    base: &T,
    patch: &Map<String, Value>,
) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::Object(members(base, patch)?))
}

/// The same before it is read again.
pub(super) fn members(
    base: &impl Serialize,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, serde_json::Error> {
    let mut members = match serde_json::to_value(base)? {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    Ok(members)
}
