//! Our private keys: made, taken in, written out for sealing, and turned into signers.

use std::fmt;

use josekit::jwk::alg::ec::{EcCurve, EcKeyPair};
use josekit::jwk::alg::ed::{EdCurve, EdKeyPair};
use josekit::jwk::alg::rsa::RsaKeyPair;
use josekit::jwk::{Jwk, KeyPair};
use serde_json::{Map, Value};

use super::algorithm::{self, KeyKind};
use super::{Error, PublicKey, Signer, json};
use crate::crypto;
use crate::model::{Secret, SigningAlgorithm};

const MAX_IMPORT_BYTES: usize = 32 * 1024;

/// A private key with its public half. Every one was seen to sign and verify before it came out of here.
///
/// An RSA key serves RS256 and PS256 unless its JWK names one of them in `alg` or [`PrivateKey::for_algorithm`] chose
/// one; its public JWK names an `alg` only if there is one, so that no relying party is told half of the truth.
#[derive(Clone)]
pub struct PrivateKey {
    members: Secret,
    public: PublicKey,
}

impl PrivateKey {
    /// A new key that serves `algorithm`: RSA of 2048 bits, P-256 or Ed25519. RSA takes by far the longest, and longer still if
    /// josekit makes it, whence the other hand.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Self, Error> {
        let jwk = match KeyKind::of(algorithm) {
            KeyKind::Rsa => {
                let made = crypto::rsa_private_key().map_err(|_| Error::Signing)?;
                RsaKeyPair::from_der(&*made).map(|pair| pair.to_jwk_key_pair())
            }
            KeyKind::P256 => Jwk::generate_ec_key(EcCurve::P256),
            KeyKind::Ed25519 => Jwk::generate_ed_key(EdCurve::Ed25519),
        }
        .map_err(|_| Error::Signing)?;
        Self::from_members(jwk.as_ref())
    }

    /// Reads a private key in PEM: PKCS#8, PKCS#1 (RSA) or SEC 1 (EC). Text around the key's block is left aside.
    pub fn from_pem(pem: &str) -> Result<Self, Error> {
        if pem.len() > MAX_IMPORT_BYTES {
            return Err(Error::TooLarge);
        }
        let block = private_key_block(pem)?;
        if block.contains("ENCRYPTED") {
            return Err(Error::UnsupportedKey("an encrypted private key"));
        }
        let jwk = if let Ok(pair) = RsaKeyPair::from_pem(&block) {
            pair.to_jwk_key_pair()
        } else if let Ok(pair) = EcKeyPair::from_pem(&block, None) {
            if pair.curve() != EcCurve::P256 {
                return Err(Error::UnsupportedKey("another curve"));
            }
            pair.to_jwk_key_pair()
        } else if let Ok(pair) = EdKeyPair::from_pem(&block) {
            if pair.curve() != EdCurve::Ed25519 {
                return Err(Error::UnsupportedKey("another curve"));
            }
            pair.to_jwk_key_pair()
        } else {
            return Err(Error::RefusedKey("not an RSA, P-256 or Ed25519 private key"));
        };
        Self::from_members(jwk.as_ref())
    }

    /// Reads a private JWK: what [`PrivateKey::to_jwk`] wrote, or one from elsewhere. Its `kid` is not kept.
    pub fn from_jwk(jwk: &[u8]) -> Result<Self, Error> {
        if jwk.len() > MAX_IMPORT_BYTES {
            return Err(Error::TooLarge);
        }
        Self::from_members(&json::object(jwk)?)
    }

    /// Reads what [`PrivateKey::to_jwk`] wrote, from where nobody else can write: it was tried out before it was kept.
    pub fn from_kept_jwk(jwk: &[u8]) -> Result<Self, Error> {
        Self::read(&json::object(jwk)?)
    }

    fn from_members(jwk: &Map<String, Value>) -> Result<Self, Error> {
        let key = Self::read(jwk)?;
        key.try_out()?;
        Ok(key)
    }

    fn read(jwk: &Map<String, Value>) -> Result<Self, Error> {
        if jwk.get("use").is_some_and(|usage| usage != "sig") {
            return Err(Error::UnsupportedKey("another use"));
        }
        let private_names: &[&str] = match jwk.get("kty").and_then(Value::as_str) {
            Some("RSA") => &["d", "p", "q", "dp", "dq", "qi"],
            Some("EC" | "OKP") => &["d"],
            _ => return Err(Error::UnsupportedKey("another key type")),
        };
        let public_part: Map<String, Value> = jwk
            .iter()
            .filter(|(name, _)| ["kty", "crv", "n", "e", "x", "y", "alg"].contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let public = PublicKey::from_members(&public_part)?;
        let mut members = public.jwk();
        for name in private_names {
            let value = jwk
                .get(*name)
                .and_then(Value::as_str)
                .filter(|value| !value.is_empty())
                .ok_or(Error::RefusedKey("a private member is missing"))?;
            members.insert((*name).to_owned(), Value::String(value.to_owned()));
        }
        let text = serde_json::to_string(&members).map_err(|_| Error::Json)?;
        Ok(Self {
            members: Secret::new(text),
            public,
        })
    }

    /// Signs and verifies once with each algorithm: halves that do not belong together are found here and not by a
    /// relying party.
    fn try_out(&self) -> Result<(), Error> {
        const PROBE: &str = "a key is tried out before it is kept";
        let jwk = self.signing_jwk()?;
        for algorithm in self.algorithms() {
            let refused = Error::RefusedKey("the halves do not belong together");
            let signer = algorithm::signer(*algorithm, &jwk).map_err(|_| refused)?;
            let signature = signer.sign(PROBE.as_bytes()).map_err(|_| refused)?;
            self.public.verify(*algorithm, PROBE, &signature).map_err(|_| refused)?;
        }
        Ok(())
    }

    /// josekit's form, without `alg`: which algorithms the key serves is decided here.
    fn signing_jwk(&self) -> Result<Jwk, Error> {
        let mut members = json::object(self.members.expose().as_bytes())?;
        members.remove("alg");
        Jwk::from_map(members).map_err(|_| Error::RefusedKey("malformed"))
    }

    /// The same key for one algorithm alone, as RFC 8725 section 3.1 would have every key.
    pub fn for_algorithm(self, algorithm: SigningAlgorithm) -> Result<Self, Error> {
        let public = self.public.only_for(algorithm)?;
        let mut members = json::object(self.members.expose().as_bytes())?;
        members.insert("alg".to_owned(), Value::String(algorithm.as_str().to_owned()));
        let text = serde_json::to_string(&members).map_err(|_| Error::Json)?;
        Ok(Self {
            members: Secret::new(text),
            public,
        })
    }

    /// The key's name: its RFC 7638 thumbprint (SHA-256, base64url).
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The algorithms it signs with.
    pub fn algorithms(&self) -> &[SigningAlgorithm] {
        self.public.algorithms()
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The private JWK as JSON text: to be sealed at once.
    pub fn to_jwk(&self) -> Secret {
        self.members.clone()
    }

    /// A signer for one of the key's algorithms. It parses the key: make it once and keep it.
    pub fn signer(&self, algorithm: SigningAlgorithm) -> Result<Signer, Error> {
        if !self.public.serves(algorithm) {
            return Err(Error::AlgorithmNotTheKeys);
        }
        let signer = algorithm::signer(algorithm, &self.signing_jwk()?).map_err(|_| Error::Signing)?;
        Ok(Signer::new(algorithm, self.kid(), signer))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PrivateKey")
            .field("kid", &self.kid())
            .field("algorithms", &self.algorithms())
            .finish_non_exhaustive()
    }
}

/// The first block whose label ends in `PRIVATE KEY`: `openssl ecparam` writes the curve's parameters before it.
fn private_key_block(pem: &str) -> Result<String, Error> {
    let mut block: Vec<&str> = Vec::new();
    for line in pem.lines().map(str::trim) {
        if line.starts_with("-----BEGIN ") {
            block.clear();
            if line.ends_with("PRIVATE KEY-----") {
                block.push(line);
            }
        } else if !block.is_empty() && !line.is_empty() {
            block.push(line);
            if line.starts_with("-----END ") {
                return Ok(block.join("\n") + "\n");
            }
        }
    }
    Err(Error::RefusedKey("no private key in this PEM"))
}
