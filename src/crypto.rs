//! Digests, message authentication, key derivation, sealing and the making of RSA keys, on aws-lc-rs. JOSE lives in `jose`, password
//! hashes in `credential`.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa;
use aws_lc_rs::{digest, hkdf, hmac, pbkdf2};
use zeroize::Zeroizing;

use crate::random;

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0u8; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// SHA-1 of `data`, for comparing with lists that others publish. It protects nothing.
pub fn sha1(data: &[u8]) -> [u8; 20] {
    let mut out = [0u8; 20];
    out.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, data).as_ref());
    out
}

/// SHA-512 of `data`.
pub fn sha512(data: &[u8]) -> [u8; 64] {
    let mut out = [0u8; 64];
    out.copy_from_slice(digest::digest(&digest::SHA512, data).as_ref());
    out
}

/// The digests that passwords were hashed with elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sha {
    /// SHA-1, which protects nothing any more.
    One,
    /// SHA-256.
    Two256,
    /// SHA-512.
    Two512,
}

impl Sha {
    /// How long a digest is.
    pub const fn length(self) -> usize {
        match self {
            Self::One => 20,
            Self::Two256 => 32,
            Self::Two512 => 64,
        }
    }

    /// The digest of the parts, one after another.
    pub fn of(self, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        let mut context = digest::Context::new(match self {
            Self::One => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Two256 => &digest::SHA256,
            Self::Two512 => &digest::SHA512,
        });
        for part in parts {
            context.update(part);
        }
        Zeroizing::new(context.finish().as_ref().to_vec())
    }

    /// PBKDF2 (RFC 8018 section 5.2) with HMAC under this digest.
    pub fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: NonZeroU32, length: usize) -> Zeroizing<Vec<u8>> {
        let algorithm = match self {
            Self::One => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Two256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Two512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut out = Zeroizing::new(vec![0u8; length]);
        pbkdf2::derive(algorithm, iterations, salt, password, &mut out);
        out
    }
}

/// What AES-256 in counter mode, counting from zero, makes of so many zero bytes; none if it can't be computed.
pub fn counter_stream(key: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    let key = UnboundCipherKey::new(&AES_256, key).ok()?;
    let start = DecryptionContext::Iv128(FixedLength::from([0u8; 16]));
    let mut stream = Zeroizing::new(vec![0u8; length]);
    DecryptingKey::ctr(key).ok()?.decrypt(&mut stream, start).ok()?;
    Some(stream)
}

/// SHA-256 of what comes in pieces.
pub struct Sha256(digest::Context);

impl Sha256 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// The next piece.
    pub fn add(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest of all pieces, as of one.
    pub fn end(self) -> [u8; 32] {
        let mut out = [0u8; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// A new RSA private key of 2048 bits (FIPS 186-5 section A.1), as PKCS#8 in DER.
///
/// # Errors
/// [`NoKey`] if none could be made.
pub fn rsa_private_key() -> Result<Zeroizing<Vec<u8>>, NoKey> {
    let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| NoKey)?;
    let der = AsDer::<Pkcs8V1Der>::as_der(&key).map_err(|_| NoKey)?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

/// No key could be made.
#[derive(Debug, thiserror::Error)]
#[error("no key could be made")]
pub struct NoKey;

/// HMAC-SHA-256 of the parts, each preceded by its length, so that parts can't run into each other.
pub fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    let mut out = [0u8; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// HMAC-SHA-256 of what others verify too, under a key of whatever length that they were given.
pub fn signature(key: &[u8], data: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut out = [0u8; 32];
    out.copy_from_slice(hmac::sign(&key, data).as_ref());
    out
}

/// Bytes as digests and ids are shown: two lower-case hex digits each.
pub fn hex<'b>(bytes: impl IntoIterator<Item = &'b u8>) -> String {
    bytes.into_iter().fold(String::new(), |mut text, byte| {
        // writing to a string does not fail
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    bool::from(subtle::ConstantTimeEq::ct_eq(left, right))
}

/// Which master key something is sealed under: eight bytes that are derived from the key and tell nothing of it. Written
/// as 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; KEY_ID_BYTES]);

/// The master key of an installation: every other symmetric key is derived from it under a label of its purpose.
#[derive(Clone)]
pub struct MasterKey {
    bytes: Zeroizing<[u8; 32]>,
    id: KeyId,
}

/// Why something sealed does not open. One answer for every cause, so that nothing is learnt from it.
#[derive(Debug, thiserror::Error)]
#[error("the sealed value does not open with this key")]
pub struct DoesNotOpen;

/// Version, nonce, ciphertext: what does not say which key it is sealed under. Opened, never made.
const WITHOUT_KEY: u8 = 1;
/// Version, key, nonce, ciphertext.
const WITH_KEY: u8 = 2;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;

impl KeyId {
    /// What every value begins with that is sealed under this key.
    pub fn prefix(self) -> Vec<u8> {
        let mut prefix = vec![WITH_KEY];
        prefix.extend_from_slice(&self.0);
        prefix
    }

    /// The key that a sealed value names; none if it is of the version that names none.
    pub fn of(sealed: &[u8]) -> Option<Self> {
        let (version, rest) = sealed.split_first()?;
        let (id, _) = rest.split_first_chunk()?;
        (*version == WITH_KEY).then_some(Self(*id))
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

impl std::fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "KeyId({self})")
    }
}

/// Not the 16 hex digits of a [`KeyId`].
#[derive(Debug, thiserror::Error)]
#[error("16 hex digits name a master key")]
pub struct NotAKeyId;

impl std::str::FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        let plain = text.len() == 2 * KEY_ID_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).map_err(|_| NotAKeyId)?;
        if plain {
            Ok(Self(number.to_be_bytes()))
        } else {
            Err(NotAKeyId)
        }
    }
}

impl MasterKey {
    /// A key of 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        let mut key = Self {
            bytes: Zeroizing::new(bytes),
            id: KeyId([0; KEY_ID_BYTES]),
        };
        let digest = key.derive("key id");
        let (id, _) = digest.split_at(KEY_ID_BYTES);
        key.id.0.copy_from_slice(id);
        key
    }

    /// A new random key.
    pub fn generate() -> Self {
        Self::new(random::bytes())
    }

    /// The key's bytes: for the key file, and for sealing them under another key.
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// What the key is called.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// A key for one purpose (HKDF-SHA-256, RFC 5869, the purpose as info).
    pub fn derive(&self, purpose: &'static str) -> [u8; 32] {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"ostiary");
        let extracted = salt.extract(&self.bytes[..]);
        let mut out = [0u8; 32];
        let info = [purpose.as_bytes()];
        let filled = extracted
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|expanded| expanded.fill(&mut out));
        if filled.is_err() {
            // 32 bytes are always within HKDF's limit; a key of zeros must never come out of here
            std::process::abort();
        }
        out
    }

    /// Seals `plain` for one purpose (AES-256-GCM, random nonce): version, key, nonce, ciphertext with tag.
    pub fn seal(&self, purpose: &'static str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random::bytes();
        let mut sealed = plain.to_vec();
        let mut out = self.id.prefix();
        let aad = [&out, purpose.as_bytes()].concat();
        let done = self
            .aead(purpose)
            .and_then(|key| {
                key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
                    .ok()
            })
            .is_some();
        if !done {
            std::process::abort();
        }
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// Opens what [`MasterKey::seal`] made for the same purpose.
    pub fn open(&self, purpose: &'static str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let prefix = self.id.prefix();
        let (rest, aad) = match sealed.strip_prefix(prefix.as_slice()) {
            Some(rest) => (rest, [&prefix, purpose.as_bytes()].concat()),
            None => (sealed.strip_prefix(&[WITHOUT_KEY]).ok_or(DoesNotOpen)?, purpose.into()),
        };
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(DoesNotOpen)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| DoesNotOpen)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let key = self.aead(purpose).ok_or(DoesNotOpen)?;
        let length = key
            .open_in_place(nonce, Aad::from(aad), &mut buffer)
            .map_err(|_| DoesNotOpen)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    fn aead(&self, purpose: &'static str) -> Option<LessSafeKey> {
        let key = Zeroizing::new(self.derive(purpose));
        UnboundKey::new(&AES_256_GCM, &key[..]).ok().map(LessSafeKey::new)
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MasterKey(***)")
    }
}
