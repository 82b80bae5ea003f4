//! HMAC with a client secret (RFC 7518 section 3.2, RFC 8725 section 3.5).

use josekit::jws::{HS256, JwsSigner};

use super::Error;
use crate::crypto;

/// A key for HS256 has at least the length of the hash.
pub const MIN_SECRET_BYTES: usize = 32;

/// Refuses secrets that are too short for HS256 and those of one byte repeated. For use where a secret is configured
/// as well; verification asks again.
pub fn require_strong_secret(secret: &[u8]) -> Result<(), Error> {
    let first = secret.first();
    if secret.len() < MIN_SECRET_BYTES || secret.iter().all(|byte| Some(byte) == first) {
        return Err(Error::WeakSecret);
    }
    Ok(())
}

/// Whether `signature` is the HS256 of `message`.
pub(super) fn verify(secret: &[u8], message: &str, signature: &[u8]) -> Result<(), Error> {
    require_strong_secret(secret)?;
    let signer = HS256.signer_from_bytes(secret).map_err(|_| Error::WeakSecret)?;
    let expected = signer.sign(message.as_bytes()).map_err(|_| Error::Signing)?;
    // josekit's own verifier compares byte by byte until the first difference, which tells a forger how far he got
    if crypto::equal(&expected, signature) {
        Ok(())
    } else {
        Err(Error::Signature)
    }
}
