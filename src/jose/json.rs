//! Strict JSON for whatever is signed or published as a key.

use serde_json::{Map, Value};

use super::Error;
use crate::model::strict_json;

/// Reads exactly one JSON object.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    strict_json::object(bytes).map_err(|_| Error::Json)
}
