//! Who reads an answer.

use axum::http::{HeaderMap, header};

/// Who reads an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Somebody at a browser.
    Person,
    /// An application that speaks OAuth.
    Client,
    /// A program that administers.
    Administrator,
}

impl Audience {
    /// The path says it; where it does not, what the request accepts.
    pub fn of(path: &str, headers: &HeaderMap) -> Self {
        match path {
            "/oauth2/authorize" | "/oauth2/end_session" | "/oauth2/check_session" => Self::Person,
            _ if path.starts_with("/oauth2/") || path.starts_with("/.well-known/") => Self::Client,
            _ if path.starts_with("/api/v1") || path.starts_with("/scim/") => Self::Administrator,
            _ if wants_json(headers) => Self::Administrator,
            _ => Self::Person,
        }
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("json") && !accept.contains("text/html"))
}
