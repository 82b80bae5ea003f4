//! What the providers that are known by name have in common.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::{Url, form_urlencoded};

use crate::egress::Outgoing;
use crate::model::Secret;

/// An account at one of them.
#[derive(Clone)]
pub(super) struct Preset {
    pub(super) url: Url,
    pub(super) account: String,
    pub(super) secret: Option<Secret>,
    pub(super) sender: String,
}

impl Preset {
    /// A form, posted under the account's name and secret (RFC 7617).
    pub(super) fn form(&self, fields: &[(&str, &str)]) -> Outgoing {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let secret = self.secret.as_ref().map_or("", Secret::expose);
        let credentials = STANDARD.encode(format!("{}:{secret}", self.account));
        let header = |name: &str, value: String| (name.to_owned(), Secret::new(value));
        Outgoing {
            method: "POST",
            headers: vec![
                header("Authorization", format!("Basic {credentials}")),
                header("Content-Type", "application/x-www-form-urlencoded".to_owned()),
                header("Accept", "application/json".to_owned()),
            ],
            body: Some(Secret::new(body)),
        }
    }
}
