//! RFC 7515 section 7.1: the compact serialization, read strictly and within bounds.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Error, json};

/// The longest token that is read.
pub const MAX_COMPACT_BYTES: usize = 16 * 1024;

/// A key's name longer than this is not looked up.
const MAX_KID_BYTES: usize = 512;

/// The members of a protected header that are heeded. Everything else is ignored, above all `jku`, `x5u`, `jwk` and
/// `x5c`: a token does not say where its key comes from (RFC 8725 section 3.10).
pub(super) struct Header {
    pub(super) algorithm: String,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
}

/// A token taken apart; nothing of it is verified.
pub(super) struct Compact<'a> {
    pub(super) header: Header,
    pub(super) signing_input: &'a str,
    pub(super) signature: Vec<u8>,
    payload: &'a str,
}

impl<'a> Compact<'a> {
    pub(super) fn parse(compact: &'a str) -> Result<Self, Error> {
        if compact.len() > MAX_COMPACT_BYTES {
            return Err(Error::TooLarge);
        }
        match compact.bytes().filter(|byte| *byte == b'.').count() {
            2 => {}
            // RFC 7516 section 9: five segments are a JWE
            4 => return Err(Error::Encrypted),
            _ => return Err(Error::NotCompact),
        }
        let (signing_input, signature) = compact.rsplit_once('.').ok_or(Error::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Error::NotCompact)?;
        Ok(Self {
            header: Header::parse(&decode(header)?)?,
            signing_input,
            signature: decode(signature)?,
            payload,
        })
    }

    /// The payload as claims. Call it after the signature is verified, or say in your name that you did not.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, Error> {
        json::object(&decode(self.payload)?)
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let members = json::object(bytes)?;
        // RFC 7515 section 4.1.11: what is critical must be understood, and no extension is. RFC 7797's b64 changes
        // what is signed, zip and enc belong to JWE.
        for extension in ["crit", "b64", "zip", "enc"] {
            if members.contains_key(extension) {
                return Err(Error::Extension(extension));
            }
        }
        let kid = text(&members, "kid")?;
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err(Error::Header("kid"));
        }
        Ok(Self {
            algorithm: text(&members, "alg")?.ok_or(Error::Header("alg"))?,
            kid,
            typ: text(&members, "typ")?,
        })
    }
}

fn text(members: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Error> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::Header(name)),
    }
}

/// Base64url without padding, whitespace or stray trailing bits: one text for one value.
fn decode(segment: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Error::NotCompact)
}
