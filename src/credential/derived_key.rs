//! A key made of a passphrase (RFC 9106): for files that are sealed under one.

use zeroize::Zeroizing;

use super::password::Error;
use super::password_hash::Parameters;
use crate::model::Secret;

const KEY_BYTES: usize = 32;

/// The key that a passphrase gives with this salt. It computes for as long as the parameters say, on the caller's thread.
///
/// # Errors
/// [`Error::Length`] for an empty passphrase; [`Error::Parameters`] if they are out of bounds.
pub fn derive_key(passphrase: &Secret, salt: &[u8], parameters: Parameters) -> Result<[u8; KEY_BYTES], Error> {
    if passphrase.expose().is_empty() {
        return Err(Error::Length);
    }
    parameters.check_ceiling()?;
    let mut memory = Vec::new();
    let output: Zeroizing<Vec<u8>> =
        parameters.compute(passphrase.expose().as_bytes(), salt, KEY_BYTES, &mut memory)?;
    <[u8; KEY_BYTES]>::try_from(output.as_slice()).map_err(|_| Error::Malformed)
}
