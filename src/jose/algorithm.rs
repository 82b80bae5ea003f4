//! What kind of key serves which algorithm, and the hash that goes with each.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jws::{ES256, EdDSA, JwsSigner, JwsVerifier, PS256, RS256};

use super::Error;
use crate::crypto;
use crate::model::SigningAlgorithm;

/// The kinds of key served here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Rsa,
    P256,
    Ed25519,
}

impl KeyKind {
    pub(super) fn of(algorithm: SigningAlgorithm) -> Self {
        match algorithm {
            SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 => Self::Rsa,
            SigningAlgorithm::Es256 => Self::P256,
            SigningAlgorithm::EdDsa => Self::Ed25519,
        }
    }

    /// The algorithms a key of this kind can serve.
    pub(super) fn algorithms(self) -> &'static [SigningAlgorithm] {
        match self {
            Self::Rsa => &[SigningAlgorithm::Rs256, SigningAlgorithm::Ps256],
            Self::P256 => &[SigningAlgorithm::Es256],
            Self::Ed25519 => &[SigningAlgorithm::EdDsa],
        }
    }
}

/// The object that signs with a private JWK. It names no `kid`: headers are ours.
pub(super) fn signer(
    algorithm: SigningAlgorithm,
    jwk: &josekit::jwk::Jwk,
) -> Result<Box<dyn JwsSigner>, josekit::JoseError> {
    Ok(match algorithm {
        SigningAlgorithm::Rs256 => Box::new(RS256.signer_from_jwk(jwk)?),
        SigningAlgorithm::Ps256 => Box::new(PS256.signer_from_jwk(jwk)?),
        SigningAlgorithm::Es256 => Box::new(ES256.signer_from_jwk(jwk)?),
        SigningAlgorithm::EdDsa => Box::new(EdDSA.signer_from_jwk(jwk)?),
    })
}

/// The object that verifies with a public JWK.
pub(super) fn verifier(
    algorithm: SigningAlgorithm,
    jwk: &josekit::jwk::Jwk,
) -> Result<Box<dyn JwsVerifier>, josekit::JoseError> {
    Ok(match algorithm {
        SigningAlgorithm::Rs256 => Box::new(RS256.verifier_from_jwk(jwk)?),
        SigningAlgorithm::Ps256 => Box::new(PS256.verifier_from_jwk(jwk)?),
        SigningAlgorithm::Es256 => Box::new(ES256.verifier_from_jwk(jwk)?),
        SigningAlgorithm::EdDsa => Box::new(EdDSA.verifier_from_jwk(jwk)?),
    })
}

/// The left half of the hash of `value`, in base64url: `at_hash`, `c_hash` and `s_hash` of an ID token signed with
/// `algorithm` (OpenID Connect Core section 3.1.3.6).
///
/// The hash is that of the algorithm: SHA-256 for RS256, PS256 and ES256; SHA-512 for EdDSA, which is what Ed25519
/// hashes with.
pub fn half_hash(algorithm: SigningAlgorithm, value: &str) -> String {
    match algorithm {
        SigningAlgorithm::Rs256 | SigningAlgorithm::Ps256 | SigningAlgorithm::Es256 => {
            left_half(&crypto::sha256(value.as_bytes()))
        }
        SigningAlgorithm::EdDsa => left_half(&crypto::sha512(value.as_bytes())),
    }
}

fn left_half(hash: &[u8]) -> String {
    let (left, _) = hash.split_at(hash.len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

/// Reads the `alg` of a JWK: `None` if the key names none.
pub(super) fn restriction(
    members: &serde_json::Map<String, serde_json::Value>,
    kind: KeyKind,
) -> Result<Option<SigningAlgorithm>, Error> {
    let Some(name) = members.get("alg") else {
        return Ok(None);
    };
    let name = name.as_str().ok_or(Error::RefusedKey("alg is not a string"))?;
    let algorithm: SigningAlgorithm = name.parse().map_err(|_| Error::UnsupportedKey("another algorithm"))?;
    if KeyKind::of(algorithm) != kind {
        return Err(Error::RefusedKey("alg does not belong to kty"));
    }
    Ok(Some(algorithm))
}
