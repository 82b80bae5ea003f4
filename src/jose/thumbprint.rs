//! RFC 7638: the name of a key that follows from the key itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::crypto;

/// The SHA-256 thumbprint, in base64url, of a key given by its required members.
///
/// The members come as name and value, both free of characters that JSON escapes, and are sorted here: a
/// `serde_json::Map` of this binary keeps the order of insertion.
pub(super) fn thumbprint(members: &[(&'static str, &str)]) -> String {
    let mut sorted = members.to_vec();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    let pairs: Vec<String> = sorted
        .iter()
        .map(|(name, value)| format!("\"{name}\":\"{value}\""))
        .collect();
    let canonical = format!("{{{}}}", pairs.join(","));
    URL_SAFE_NO_PAD.encode(crypto::sha256(canonical.as_bytes()))
}
