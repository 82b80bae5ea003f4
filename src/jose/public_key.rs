//! Public keys: read from a JWK (RFC 7517, RFC 7518 section 6, RFC 8037), judged once, and kept ready to verify.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jwk::Jwk;
use josekit::jws::JwsVerifier;
use serde_json::{Map, Value};

use super::algorithm::{self, KeyKind};
use super::thumbprint::thumbprint;
use super::{Error, json};
use crate::model::SigningAlgorithm;

/// Names of members that only a private or symmetric key has (RFC 7518 sections 6.2.2, 6.3.2, 6.4).
pub(super) const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const MIN_RSA_BITS: usize = 2048;
/// Above it, verifying costs whoever verifies more than a token is worth.
const MAX_RSA_BITS: usize = 8192;
/// FIPS 186-5 appendix A.1.1: the public exponent exceeds 2^16.
const MIN_RSA_EXPONENT: u64 = 65_537;
const COORDINATE_BYTES: usize = 32;

/// A public key that is fit to verify signatures. Clones share what was parsed.
#[derive(Clone)]
pub struct PublicKey {
    thumbprint: String,
    kind: KeyKind,
    only: Option<SigningAlgorithm>,
    members: Arc<[(&'static str, String)]>,
    signature_bytes: usize,
    verifiers: Arc<[(SigningAlgorithm, Box<dyn JwsVerifier>)]>,
}

impl PublicKey {
    /// Reads a public JWK. Members that aren't the key's own (`kid`, certificates) are left aside; private members,
    /// weak and degenerate keys are refused.
    pub fn from_jwk(jwk: &[u8]) -> Result<Self, Error> {
        Self::from_members(&json::object(jwk)?)
    }

    pub(super) fn from_members(jwk: &Map<String, Value>) -> Result<Self, Error> {
        refuse_private_members(jwk)?;
        require_verification_use(jwk)?;
        let (kind, members, signature_bytes) = public_members(jwk)?;
        let only = match kind {
            KeyKind::Rsa => algorithm::restriction(jwk, kind)?,
            // a curve has one algorithm, whether the key says so or not
            KeyKind::P256 | KeyKind::Ed25519 => {
                algorithm::restriction(jwk, kind)?;
                kind.algorithms().first().copied()
            }
        };
        let parsed: Map<String, Value> = members
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::String(value.clone())))
            .collect();
        // without kid: josekit's verifier would then demand it of the header
        let parsed = Jwk::from_map(parsed).map_err(|_| Error::RefusedKey("malformed"))?;
        let verifiers = kind
            .algorithms()
            .iter()
            .map(|algorithm| {
                let verifier = algorithm::verifier(*algorithm, &parsed)
                    .map_err(|_| Error::RefusedKey("not a point of its curve, or not a key"))?;
                Ok((*algorithm, verifier))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let pairs: Vec<(&'static str, &str)> = members.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Ok(Self {
            thumbprint: thumbprint(&pairs),
            kind,
            only,
            members: members.into(),
            signature_bytes,
            verifiers: verifiers.into(),
        })
    }

    /// The key's name: its RFC 7638 thumbprint (SHA-256, base64url).
    pub fn kid(&self) -> &str {
        &self.thumbprint
    }

    /// The algorithms this key serves: one, or RS256 and PS256 for an RSA key without `alg`.
    pub fn algorithms(&self) -> &[SigningAlgorithm] {
        match &self.only {
            Some(algorithm) => std::slice::from_ref(algorithm),
            None => self.kind.algorithms(),
        }
    }

    /// Whether the key serves this algorithm.
    pub fn serves(&self, algorithm: SigningAlgorithm) -> bool {
        self.algorithms().contains(&algorithm)
    }

    /// The JWK as it is published: the public members, `kid`, `use` and, if the key serves a single one, `alg`.
    pub fn jwk(&self) -> Map<String, Value> {
        let mut jwk = Map::new();
        for (name, value) in self.members.iter() {
            jwk.insert((*name).to_owned(), Value::String(value.clone()));
        }
        jwk.insert("use".to_owned(), Value::String("sig".to_owned()));
        jwk.insert("kid".to_owned(), Value::String(self.thumbprint.clone()));
        if let Some(algorithm) = self.only {
            jwk.insert("alg".to_owned(), Value::String(algorithm.as_str().to_owned()));
        }
        jwk
    }

    /// The same key for one of the algorithms it serves.
    pub(super) fn only_for(&self, algorithm: SigningAlgorithm) -> Result<Self, Error> {
        if !self.serves(algorithm) {
            return Err(Error::AlgorithmNotTheKeys);
        }
        Ok(Self {
            only: Some(algorithm),
            ..self.clone()
        })
    }

    /// Whether this key made `signature` over `message` with `algorithm`.
    pub(super) fn verify(&self, algorithm: SigningAlgorithm, message: &str, signature: &[u8]) -> Result<(), Error> {
        if !self.serves(algorithm) {
            return Err(Error::AlgorithmNotTheKeys);
        }
        // RFC 8017 section 8 and RFC 7518 section 3.4: signatures have one length. The library would let an RSA
        // signature lose its leading zeros.
        if signature.len() != self.signature_bytes {
            return Err(Error::Signature);
        }
        let (_, verifier) = self
            .verifiers
            .iter()
            .find(|(served, _)| *served == algorithm)
            .ok_or(Error::AlgorithmNotTheKeys)?;
        verifier
            .verify(message.as_bytes(), signature)
            .map_err(|_| Error::Signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PublicKey")
            .field("kid", &self.thumbprint)
            .field("algorithms", &self.algorithms())
            .finish()
    }
}

pub(super) fn refuse_private_members(jwk: &Map<String, Value>) -> Result<(), Error> {
    match PRIVATE_MEMBERS.iter().find(|name| jwk.contains_key(**name)) {
        Some(name) => Err(Error::PrivateMember(name)),
        None => Ok(()),
    }
}

/// RFC 7517 sections 4.2 and 4.3.
fn require_verification_use(jwk: &Map<String, Value>) -> Result<(), Error> {
    match jwk.get("use") {
        None => {}
        Some(Value::String(usage)) if usage == "sig" => {}
        Some(Value::String(_)) => return Err(Error::UnsupportedKey("another use")),
        Some(_) => return Err(Error::RefusedKey("use is not a string")),
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(Error::UnsupportedKey("another use")),
        Some(_) => Err(Error::RefusedKey("key_ops is not a list")),
    }
}

type Members = Vec<(&'static str, String)>;

/// The kind of the key, its required members in their one canonical spelling, and the length of its signatures.
pub(super) fn public_members(jwk: &Map<String, Value>) -> Result<(KeyKind, Members, usize), Error> {
    match member(jwk, "kty")? {
        "RSA" => rsa(jwk),
        "EC" => match member(jwk, "crv")? {
            "P-256" => {
                let x = coordinate(jwk, "x")?;
                let y = coordinate(jwk, "y")?;
                let members = vec![
                    ("kty", "EC".to_owned()),
                    ("crv", "P-256".to_owned()),
                    ("x", URL_SAFE_NO_PAD.encode(x)),
                    ("y", URL_SAFE_NO_PAD.encode(y)),
                ];
                Ok((KeyKind::P256, members, 2 * COORDINATE_BYTES))
            }
            _ => Err(Error::UnsupportedKey("another curve")),
        },
        "OKP" => match member(jwk, "crv")? {
            "Ed25519" => {
                let x = coordinate(jwk, "x")?;
                refuse_degenerate_ed25519(&x)?;
                let members = vec![
                    ("kty", "OKP".to_owned()),
                    ("crv", "Ed25519".to_owned()),
                    ("x", URL_SAFE_NO_PAD.encode(x)),
                ];
                Ok((KeyKind::Ed25519, members, 64))
            }
            _ => Err(Error::UnsupportedKey("another curve")),
        },
        _ => Err(Error::UnsupportedKey("another key type")),
    }
}

/// RFC 8725 section 3.4 and RFC 7518 section 3.3: a modulus of 2048 bits or more and an exponent that isn't tiny.
fn rsa(jwk: &Map<String, Value>) -> Result<(KeyKind, Members, usize), Error> {
    let modulus = number(jwk, "n")?;
    let bits = modulus
        .first()
        .map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    if bits < MIN_RSA_BITS {
        return Err(Error::RefusedKey("an RSA modulus under 2048 bits"));
    }
    if bits > MAX_RSA_BITS {
        return Err(Error::RefusedKey("an RSA modulus over 8192 bits"));
    }
    if modulus.last().is_none_or(|last| last % 2 == 0) {
        return Err(Error::RefusedKey("an even RSA modulus"));
    }
    let exponent = number(jwk, "e")?;
    if exponent.len() > 4 {
        return Err(Error::RefusedKey("an RSA exponent over 32 bits"));
    }
    let value = exponent
        .iter()
        .fold(0u64, |value, byte| (value << 8) | u64::from(*byte));
    if value < MIN_RSA_EXPONENT || value % 2 == 0 {
        return Err(Error::RefusedKey("an RSA exponent that is tiny or even"));
    }
    let members = vec![
        ("kty", "RSA".to_owned()),
        ("n", URL_SAFE_NO_PAD.encode(&modulus)),
        ("e", URL_SAFE_NO_PAD.encode(&exponent)),
    ];
    Ok((KeyKind::Rsa, members, modulus.len()))
}

/// Points of order eight and below verify signatures that nobody made, and a y of 2^255-19 or more is a second
/// spelling of another (RFC 8032 section 5.1.3).
fn refuse_degenerate_ed25519(x: &[u8; COORDINATE_BYTES]) -> Result<(), Error> {
    let mut y = *x;
    if let Some(last) = y.last_mut() {
        // the highest bit is the sign of the other coordinate
        *last &= 0x7f;
    }
    // little-endian bytes compare as numbers when turned around
    let mut turned = y;
    turned.reverse();
    let low_order = SMALL_ORDER_Y.contains(&y);
    if low_order || turned >= FIELD_PRIME {
        return Err(Error::RefusedKey("a degenerate Ed25519 point"));
    }
    Ok(())
}

/// 2^255 - 19, most significant byte first.
const FIELD_PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0x7f;
    prime[31] = 0xed;
    prime
};

/// The y of all points of small order, little-endian: 0, 1, -1, and the two of order eight.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        minus_one
    },
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

fn member<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, Error> {
    jwk.get(name)
        .and_then(Value::as_str)
        .ok_or(Error::RefusedKey("a required member is missing or not a string"))
}

fn bytes(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD
        .decode(member(jwk, name)?)
        .map_err(|_| Error::RefusedKey("a member is not base64url"))
}

/// RFC 7518 section 6.2.1: a coordinate has the full length of its field.
fn coordinate(jwk: &Map<String, Value>, name: &'static str) -> Result<[u8; COORDINATE_BYTES], Error> {
    bytes(jwk, name)?
        .try_into()
        .map_err(|_| Error::RefusedKey("a coordinate of the wrong length"))
}

/// RFC 7518 section 2, Base64urlUInt; leading zeros, which some writers leave, are dropped.
fn number(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, Error> {
    let number = bytes(jwk, name)?;
    Ok(number.into_iter().skip_while(|byte| *byte == 0).collect())
}
