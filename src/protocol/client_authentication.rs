//! How a client proves who it is: RFC 6749 section 2.3, OpenID Connect Core section 9, RFC 7523 section 3.
//!
//! What was presented is read here, and what an assertion claims is judged. Whether a secret or signature is right is not
//! this file's to say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{ErrorCode, OAuthError};
use crate::model::Secret;

/// RFC 7523 section 2.2.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The longest `client_id` that is looked up.
const MAX_CLIENT_ID_BYTES: usize = 512;
/// The longest `jti`.
const MAX_JTI_BYTES: usize = 512;

/// What a request brought to say who its client is. A parameter without a value counts as absent (RFC 6749 section 3.2).
#[derive(Clone, Debug, Default)]
pub struct Presented {
    /// The `Authorization` header as it came.
    pub authorization: Option<Secret>,
    /// The form's `client_id`.
    pub client_id: Option<String>,
    /// The form's `client_secret`.
    pub client_secret: Option<Secret>,
    /// The form's `client_assertion_type`.
    pub client_assertion_type: Option<String>,
    /// The form's `client_assertion`.
    pub client_assertion: Option<String>,
}

/// The one method that was used.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// `client_secret_basic`.
    Basic {
        /// Who it claims to be.
        client_id: String,
        /// The secret.
        secret: Secret,
    },
    /// `client_secret_post`.
    Post {
        /// Who it claims to be.
        client_id: String,
        /// The secret.
        secret: Secret,
    },
    /// `client_secret_jwt` or `private_key_jwt`; which one is the registration's to say.
    Assertion {
        /// The form's `client_id`, which may be left out (RFC 7521 section 4.2).
        client_id: Option<String>,
        /// The JWT.
        assertion: String,
    },
    /// `none`.
    Public {
        /// Who it claims to be.
        client_id: String,
    },
}

/// The refusal of every client that did not prove who it is, whatever the reason (RFC 6749 section 5.2).
pub const fn refusal(rule: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidClient, rule, "client authentication failed")
}

impl Presented {
    /// What the header and the form say. `parameter` gives the value of a form parameter.
    pub fn read(authorization: Option<&str>, parameter: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            authorization: authorization.map(Secret::new),
            client_id: parameter("client_id"),
            client_secret: parameter("client_secret").map(Secret::new),
            client_assertion_type: parameter("client_assertion_type"),
            client_assertion: parameter("client_assertion"),
        }
    }

    /// Whether nothing at all was presented.
    pub fn is_empty(&self) -> bool {
        self.authorization.is_none()
            && self.client_id.is_none()
            && self.client_secret.is_none()
            && self.client_assertion_type.is_none()
            && self.client_assertion.is_none()
    }

    /// The one method that was used.
    ///
    /// # Errors
    /// `invalid_request` for several methods at once or parts of one (RFC 6749 section 5.2); `invalid_client` for
    /// credentials that can't be read.
    pub fn credentials(self) -> Result<Credentials, OAuthError> {
        let client_id = self.client_id.filter(|text| !text.is_empty());
        let secret = self.client_secret.filter(|secret| !secret.expose().is_empty());
        let assertion = self.client_assertion.filter(|text| !text.is_empty());
        let assertion_type = self.client_assertion_type.filter(|text| !text.is_empty());
        let asserted = assertion.is_some() || assertion_type.is_some();
        let methods = [self.authorization.is_some(), secret.is_some(), asserted];
        if methods.into_iter().filter(|used| *used).count() > 1 {
            // RFC 6749 section 2.3: not more than one
            return Err(OAuthError::new(
                ErrorCode::InvalidRequest,
                "client_authentication_methods",
                "the client must authenticate by one method only",
            ));
        }
        if client_id.as_deref().is_some_and(|client_id| !is_client_id(client_id)) {
            return Err(refusal("client_id_spelling"));
        }
        if let Some(authorization) = self.authorization {
            let (named, secret) = read_basic(authorization.expose())?;
            // common clients repeat their id in the form: tolerated as long as it is the same
            if client_id.is_some_and(|client_id| client_id != named) {
                return Err(refusal("client_id_differs"));
            }
            return Ok(Credentials::Basic {
                client_id: named,
                secret,
            });
        }
        if asserted {
            return match (assertion, assertion_type.as_deref()) {
                (Some(assertion), Some(JWT_BEARER)) => Ok(Credentials::Assertion { client_id, assertion }),
                _ => Err(OAuthError::new(
                    ErrorCode::InvalidRequest,
                    "client_assertion_type",
                    "client_assertion comes with the client_assertion_type of RFC 7523",
                )),
            };
        }
        match (client_id, secret) {
            (Some(client_id), Some(secret)) => Ok(Credentials::Post { client_id, secret }),
            (Some(client_id), None) => Ok(Credentials::Public { client_id }),
            (None, _) => Err(refusal("client_id_missing")),
        }
    }
}

/// RFC 7617 section 2 with the encoding of RFC 6749 section 2.3.1: strict, and once.
fn read_basic(authorization: &str) -> Result<(String, Secret), OAuthError> {
    let malformed = || refusal("basic_malformed");
    let (scheme, credentials) = authorization.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refusal("authorization_scheme"));
    }
    let decoded = STANDARD
        .decode(credentials.trim_start_matches(' '))
        .map_err(|_| malformed())?;
    let decoded = zeroize::Zeroizing::new(decoded);
    let text = std::str::from_utf8(&decoded).map_err(|_| malformed())?;
    let (client_id, secret) = text.split_once(':').ok_or_else(malformed)?;
    let client_id = form_decode(client_id)
        .filter(|client_id| is_client_id(client_id))
        .ok_or_else(malformed)?;
    let secret = form_decode(secret).map(Secret::new).ok_or_else(malformed)?;
    Ok((client_id, secret))
}

/// `application/x-www-form-urlencoded`, strictly: every percent sign begins an encoding, and the result is UTF-8 without
/// control characters.
fn form_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                decoded.push(u8::try_from(high * 16 + low).ok()?);
            }
            other => decoded.push(other),
        }
    }
    String::from_utf8(decoded)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
}

/// RFC 6749 appendix A.1: visible ASCII.
fn is_client_id(text: &str) -> bool {
    (1..=MAX_CLIENT_ID_BYTES).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

/// Judges what a verified assertion claims, its times apart (RFC 7523 section 3); gives its `jti`, which may be used once.
///
/// `audiences` are the ways to name this server: the issuer, the token endpoint, the endpoint called. An array may hold
/// several of them and nothing else: an assertion made for others as well could be carried here by one of them.
///
/// # Errors
/// The name of the rule that is broken.
pub fn judge_assertion<'a>(
    claims: &'a Map<String, Value>,
    client_id: &str,
    audiences: &[&str],
) -> Result<&'a str, &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(client_id) {
        return Err("assertion_issuer");
    }
    if text("sub") != Some(client_id) {
        return Err("assertion_subject");
    }
    let ours = |value: &Value| value.as_str().is_some_and(|named| audiences.contains(&named));
    let addressed = match claims.get("aud") {
        Some(Value::Array(several)) => !several.is_empty() && several.iter().all(ours),
        Some(single) => ours(single),
        None => false,
    };
    if !addressed {
        return Err("assertion_audience");
    }
    text("jti")
        .filter(|jti| (1..=MAX_JTI_BYTES).contains(&jti.len()))
        .ok_or("assertion_jti")
}
