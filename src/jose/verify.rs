//! Tokens that clients sign: assertions (RFC 7523) and request objects (RFC 9101).

use serde_json::{Map, Value};

use super::compact::Compact;
use super::{Error, RemoteKeys, secret_key};
use crate::model::ClientSigningAlgorithm;

/// What a client's signature is verified with: fixed by its registration, never by the token.
#[derive(Clone, Copy)]
pub enum AssertionKeys<'a> {
    /// The client secret: HMAC only.
    Secret(&'a [u8]),
    /// The client's public keys: never HMAC.
    Keys(&'a RemoteKeys),
}

/// A token whose signature is right. Its times, issuer and audience are still to be judged.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What it was signed with.
    pub algorithm: ClientSigningAlgorithm,
    /// The header's `typ` as written.
    pub typ: Option<String>,
    /// The payload.
    pub claims: Map<String, Value>,
}

impl Verified {
    /// Whether the header's `typ` is this media type, with or without `application/`, in any case (RFC 7515 section
    /// 4.1.9).
    pub fn is_typ(&self, expected: &str) -> bool {
        let Some(typ) = self.typ.as_deref() else {
            return false;
        };
        short(typ).eq_ignore_ascii_case(short(expected))
    }
}

fn short(typ: &str) -> &str {
    match typ.split_at_checked("application/".len()) {
        Some((tree, rest)) if tree.eq_ignore_ascii_case("application/") => rest,
        _ => typ,
    }
}

/// Verifies a token that a client signed.
///
/// `allowed` are the algorithms of this client and context. HMAC is refused where public keys are given and the other
/// way round, whatever `allowed` says: a public key must never serve as a secret (RFC 8725 sections 2.1 and 3.1).
/// [`Error::UnknownKey`] says that fetching the keys again may help.
pub fn verify_assertion(
    compact: &str,
    source: AssertionKeys<'_>,
    allowed: &[ClientSigningAlgorithm],
) -> Result<Verified, Error> {
    let token = Compact::parse(compact)?;
    let algorithm: ClientSigningAlgorithm = token.header.algorithm.parse().map_err(|_| Error::AlgorithmNotAllowed)?;
    if !allowed.contains(&algorithm) {
        return Err(Error::AlgorithmNotAllowed);
    }
    match (source, algorithm.asymmetric()) {
        (AssertionKeys::Secret(secret), None) => secret_key::verify(secret, token.signing_input, &token.signature)?,
        (AssertionKeys::Keys(keys), Some(asymmetric)) => keys.verify(&token, asymmetric)?,
        (AssertionKeys::Secret(_), Some(_)) | (AssertionKeys::Keys(_), None) => {
            return Err(Error::AlgorithmNotAllowed);
        }
    }
    Ok(Verified {
        algorithm,
        claims: token.claims()?,
        typ: token.header.typ,
    })
}

/// Who an assertion says it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedClient {
    /// `iss`, if it is a string.
    pub issuer: Option<String>,
    /// `sub`, if it is a string.
    pub subject: Option<String>,
}

/// Reads `iss` and `sub` of an assertion **without verifying it**, to look up the client whose keys will.
///
/// The request may leave `client_id` out (RFC 7521 section 4.2), so this is the one thing read before the signature.
/// Nothing of it may decide anything: what is used later comes from [`verify_assertion`].
pub fn peek_unverified_issuer(compact: &str) -> Result<ClaimedClient, Error> {
    let claims = Compact::parse(compact)?.claims()?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(ClaimedClient {
        issuer: text("iss"),
        subject: text("sub"),
    })
}
