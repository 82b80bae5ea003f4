//! The files that pages load, all from this server: two stylesheets, eight scripts, the sign.

use std::collections::BTreeMap;

use crate::crypto;

/// A file of `templates/asset/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its content.
    pub bytes: &'static [u8],
    /// The value of Content-Type.
    pub content_type: &'static str,
    /// The value of ETag, quotes included: it changes with the content.
    pub etag: String,
}

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

const ASSETS: [(&str, &str, &[u8]); 11] = [
    ("tokens.css", STYLE, include_bytes!("../../templates/asset/tokens.css")),
    (
        "ostiary.css",
        STYLE,
        include_bytes!("../../templates/asset/ostiary.css"),
    ),
    (
        "show-password.js",
        SCRIPT,
        include_bytes!("../../templates/asset/show-password.js"),
    ),
    (
        "signing-out.js",
        SCRIPT,
        include_bytes!("../../templates/asset/signing-out.js"),
    ),
    (
        "session-ending.js",
        SCRIPT,
        include_bytes!("../../templates/asset/session-ending.js"),
    ),
    ("passkey.js", SCRIPT, include_bytes!("../../templates/asset/passkey.js")),
    (
        "proof-of-work.js",
        SCRIPT,
        include_bytes!("../../templates/asset/proof-of-work.js"),
    ),
    ("picture.js", SCRIPT, include_bytes!("../../templates/asset/picture.js")),
    ("submit.js", SCRIPT, include_bytes!("../../templates/asset/submit.js")),
    (
        "browser-clock.js",
        SCRIPT,
        include_bytes!("../../templates/asset/browser-clock.js"),
    ),
    ("mark.svg", IMAGE, include_bytes!("../../templates/asset/mark.svg")),
];

impl Asset {
    /// Every name below `/assets/`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ASSETS.iter().map(|(name, ..)| *name)
    }

    /// The file of this name (what follows `/assets/`).
    pub fn find(path: &str) -> Option<Self> {
        let (_, content_type, bytes) = ASSETS.iter().find(|(name, ..)| *name == path)?;
        Some(Self {
            bytes,
            content_type,
            etag: format!("\"{}\"", version(bytes)),
        })
    }

    /// The address of each name, with the version of its content, so that a browser may keep it for as long as it likes.
    pub(super) fn addresses() -> BTreeMap<&'static str, String> {
        let address =
            |(name, _, bytes): &(&'static str, _, &[u8])| (*name, format!("/assets/{name}?v={}", version(bytes)));
        ASSETS.iter().map(address).collect()
    }
}

/// Sixteen hex digits of the content's SHA-256.
fn version(bytes: &[u8]) -> String {
    crypto::hex(crypto::sha256(bytes).iter().take(8))
}
