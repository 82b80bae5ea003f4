//! RFC 7515: signing claims with one of our keys.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jws::JwsSigner;
use serde_json::{Map, Value};

use super::Error;
use crate::model::SigningAlgorithm;

/// A key and an algorithm, parsed once and ready to sign from any thread. Clones share it.
#[derive(Clone)]
pub struct Signer(Arc<Inner>);

struct Inner {
    algorithm: SigningAlgorithm,
    kid: String,
    /// The header's JSON up to the value of `typ`.
    header_start: String,
    signer: Box<dyn JwsSigner>,
}

impl Signer {
    pub(super) fn new(algorithm: SigningAlgorithm, kid: &str, signer: Box<dyn JwsSigner>) -> Self {
        Self(Arc::new(Inner {
            algorithm,
            kid: kid.to_owned(),
            header_start: format!(r#"{{"alg":"{algorithm}","kid":"{kid}","typ":""#),
            signer,
        }))
    }

    /// The algorithm it signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.0.algorithm
    }

    /// The name of its key.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The claims as a compact JWS with the header members `alg`, `kid` and `typ` (`JWT`, `at+jwt`, ...).
    ///
    /// Any length is signed; tokens over [`super::MAX_COMPACT_BYTES`] are not read back here.
    pub fn sign(&self, typ: &str, claims: &Map<String, Value>) -> Result<String, Error> {
        if !is_media_type(typ) {
            return Err(Error::Header("typ"));
        }
        let header = format!("{}{typ}\"}}", self.0.header_start);
        let payload = serde_json::to_vec(claims).map_err(|_| Error::Json)?;
        // 512: the signature of the largest key that is common, and the dots
        let mut token = String::with_capacity((header.len() + payload.len()) * 4 / 3 + 512);
        URL_SAFE_NO_PAD.encode_string(header, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.0.signer.sign(token.as_bytes()).map_err(|_| Error::Signing)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Signer")
            .field("kid", &self.0.kid)
            .field("algorithm", &self.0.algorithm)
            .finish_non_exhaustive()
    }
}

/// RFC 7515 section 4.1.9: a media type, here without parameters, so that it stands in JSON as it is.
fn is_media_type(typ: &str) -> bool {
    !typ.is_empty()
        && typ
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-./".contains(&byte))
}
