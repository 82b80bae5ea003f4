//! Strict JSON: one reading of every text.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 let a reader take the last of two equal names; two readers that choose
//! differently see two documents (SEC-110). So equal names are refused, at any depth, and so are deep nesting, numbers that no
//! 64-bit type holds, bad UTF-8 and anything after the object.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects and arrays inside one another, the outermost counted.
const MAX_DEPTH: u8 = 16;

/// Why a text is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It is no strict JSON.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// It is, but no object.
    #[error("expected a JSON object")]
    NoObject,
}

/// Reads exactly one JSON object.
///
/// # Errors
/// [`NotTaken`].
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, NotTaken> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth_left: MAX_DEPTH }.deserialize(&mut reader)?;
    reader.end()?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(NotTaken::NoObject),
    }
}

struct Strict {
    depth_left: u8,
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<u8, E> {
        self.depth_left
            .checked_sub(1)
            .ok_or_else(|| E::custom("nested too deeply"))
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

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth_left = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Strict { depth_left })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let depth_left = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Strict { depth_left })?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Value::Object(object))
    }
}
