//! The frame that pages of applications ask whether anything has changed (OpenID Connect Session Management 1.0 section 3.2): one
//! script, nothing to see.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::crypto;

const SCRIPT: &str = include_str!("../../templates/frame/check-session.js");

/// The frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckSession {
    /// The document.
    pub document: String,
    /// What a Content-Security-Policy names its script by: `sha256-...`.
    pub script: String,
}

impl CheckSession {
    /// The frame, whose script reads this cookie.
    pub fn reading(cookie: &str) -> Self {
        // the name is one of ours: letters, hyphens and underscores
        let document =
            format!("<!doctype html>\n<title>Ostiary</title>\n<script data-cookie=\"{cookie}\">{SCRIPT}</script>\n");
        Self {
            document,
            script: format!("sha256-{}", STANDARD.encode(crypto::sha256(SCRIPT.as_bytes()))),
        }
    }
}
