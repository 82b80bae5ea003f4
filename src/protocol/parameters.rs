//! Request parameters as `application/x-www-form-urlencoded` (RFC 6749 sections 3.1, 3.2 and appendix B).

use std::collections::{BTreeMap, BTreeSet};

use super::oauth_error::{ErrorCode, OAuthError};

/// The most bytes a query or form may have.
pub const MOST_BYTES: usize = 32 * 1024;
/// The most parameters a request may have.
const MOST_PARAMETERS: usize = 200;

/// The parameters of a request. One that came without a value counts as not sent (RFC 6749 section 3.1).
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Parameters {
    values: BTreeMap<String, String>,
    resources: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    repeated: BTreeSet<String>,
}

impl Parameters {
    /// Reads query and form together: a parameter that stands in both is repeated.
    ///
    /// # Errors
    /// Invalid UTF-8, NUL, CR or LF, too many or too large.
    pub fn parse(parts: &[&[u8]]) -> Result<Self, OAuthError> {
        if parts.iter().map(|part| part.len()).sum::<usize>() > MOST_BYTES {
            return Err(malformed("parameters.size", "the request is too large"));
        }
        let mut parameters = Self::default();
        for part in parts {
            for pair in part.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
                parameters.add(pair)?;
            }
        }
        Ok(parameters)
    }

    fn add(&mut self, pair: &[u8]) -> Result<(), OAuthError> {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (
                pair.get(..at).unwrap_or_default(),
                pair.get(at + 1..).unwrap_or_default(),
            ),
            None => (pair, &b""[..]),
        };
        let name = decode(name)?;
        let value = decode(value)?;
        if self.values.len() + self.resources.len() >= MOST_PARAMETERS {
            return Err(malformed("parameters.count", "the request has too many parameters"));
        }
        if value.is_empty() {
            return Ok(());
        }
        if name == "resource" {
            // the one parameter that may repeat: RFC 8707 section 2
            self.resources.push(value);
            return Ok(());
        }
        if self.values.insert(name.clone(), value).is_some() {
            self.repeated.insert(name);
        }
        Ok(())
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Whether a parameter came more than once.
    pub fn is_repeated(&self, name: &str) -> bool {
        self.repeated.contains(name)
    }

    /// Refuses repeated parameters (RFC 6749 sections 3.1 and 3.2).
    pub fn refuse_repeated(&self) -> Result<(), OAuthError> {
        match self.repeated.first() {
            None => Ok(()),
            Some(name) => Err(OAuthError::named(
                ErrorCode::InvalidRequest,
                "parameters.repeated",
                &format!("the parameter {name} is repeated"),
            )),
        }
    }

    /// The `resource` parameters (RFC 8707).
    pub fn resources(&self) -> &[String] {
        &self.resources
    }

    /// The words of a space-separated parameter.
    pub fn words(&self, name: &str) -> Vec<&str> {
        self.get(name)
            .map(|value| value.split(' ').filter(|word| !word.is_empty()).collect())
            .unwrap_or_default()
    }

    /// All as pairs: to carry a request over to another one of our own.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let resources = self.resources.iter().map(|value| ("resource", value.as_str()));
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain(resources)
    }

    /// Puts a parameter in place of what came.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    /// Takes a parameter away.
    pub fn remove(&mut self, name: &str) {
        self.values.remove(name);
    }
}

/// Decodes one name or value: `+` is a blank, `%XX` a byte, the whole UTF-8 without control characters that split lines.
fn decode(encoded: &[u8]) -> Result<String, OAuthError> {
    let plain: Vec<u8> = encoded
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let bytes: Vec<u8> = percent_encoding::percent_decode(&plain).collect();
    let text = String::from_utf8(bytes).map_err(|_| malformed("parameters.utf8", "the request is not valid UTF-8"))?;
    if text.bytes().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        return Err(malformed("parameters.control", "the request holds control characters"));
    }
    Ok(text)
}

fn malformed(rule: &'static str, description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, rule, description)
}
