//! OpenID Connect Session Management 1.0 section 2: `session_state`, by which a page of a client can ask the frame of ours whether
//! anything has changed.

use url::Url;

use crate::crypto;

/// The value for a client whose redirect URI this is; none where that has no origin (private-use schemes): no page of it could
/// ask. A change of `browser_state` changes it.
pub fn value(client_id: &str, redirect_uri: &str, browser_state: &str, salt: &str) -> Option<String> {
    let origin = Url::parse(redirect_uri).ok()?.origin();
    if !origin.is_tuple() {
        return None;
    }
    let origin = origin.ascii_serialization();
    let text = format!("{client_id} {origin} {browser_state} {salt}");
    let digest = crypto::sha256(text.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{hex}.{salt}"))
}
