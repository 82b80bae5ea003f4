//! The provider: everything flows work with. Made once by `server`, passed to every flow beside the call.

use std::sync::Arc;

use url::Url;

use super::audit::EventQueue;
use super::clients::keys::RemoteKeysCache;
use super::counts::Counts;
use super::memory::Memory;
use super::people::Wishes;
use super::session::{Uses, Walk};
use super::trace::Traces;
use super::watch::Watch;
use crate::captcha::Captcha;
use crate::clock::Clock;
use crate::credential::{BreachedList, Passwords, TrustedAuthenticators};
use crate::egress::Egress;
use crate::ephemeral::Ephemeral;
use crate::geo::Geo;
use crate::model::setting::SettingValue;
use crate::sessions::Sessions;
use crate::store::Store;
use crate::vault::Vault;

/// Whether people can be sent text messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// Somebody takes them.
    Taken,
    /// There is nobody to take them.
    Nowhere,
}

/// Everything flows work with. Clones share it.
#[derive(Clone)]
pub struct Provider(Arc<Parts>);

/// What a provider is made of.
pub struct Parts {
    /// The time.
    pub clock: Clock,
    /// What must last.
    pub store: Store,
    /// What may vanish.
    pub ephemeral: Ephemeral,
    /// Who is signed in.
    pub sessions: Sessions,
    /// Password hashing, bounded.
    pub passwords: Passwords,
    /// Passwords that others have lost.
    pub breached: BreachedList,
    /// Authenticators that are taken where the setting says so.
    pub authenticators: TrustedAuthenticators,
    /// Requests to elsewhere, guarded.
    pub egress: Egress,
    /// Whether text messages leave, or are shown: without it nobody is offered one.
    pub texts: Texts,
    /// Tells people from programs, where the operator has named who does.
    pub captcha: Option<Captcha>,
    /// Roughly where network addresses are.
    pub geo: Geo,
    /// What seals secrets.
    pub master: Vault,
    /// The issuer and every public address.
    pub issuer: Issuer,
    /// Events that wait to be written.
    pub events: EventQueue,
    /// Traces that wait to be written.
    pub traces: Traces,
    /// Uses of kept sessions that wait to be written.
    pub uses: Uses,
    /// Where this node is with looking at every session, after limits have changed for many.
    pub walk: Walk,
    /// Wishes for a link to a new password that wait to be looked at.
    pub wishes: Wishes,
    /// What is remembered between requests, and forgotten in time.
    pub memory: Memory,
    /// The public keys of clients.
    pub remote_keys: RemoteKeysCache,
    /// What was done since the process started, in numbers.
    pub counts: Counts,
    /// What of the process stands still.
    pub watch: Watch,
    /// The operator file's settings: locked, on top of the store's.
    pub file_settings: std::collections::BTreeMap<&'static str, SettingValue>,
}

impl Provider {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for Provider {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The public address of the server; every public link is made from it, none from a request's Host header.
#[derive(Clone, Debug)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    /// From the configured public URL, which has no path.
    pub fn new(url: Url) -> Self {
        let text = url.as_str().trim_end_matches('/').to_owned();
        Self { text, url }
    }

    /// The issuer identifier, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As a URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The address of a path that begins with a slash.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// The audience of the administration API.
    pub fn api(&self) -> String {
        self.path("/api/v1")
    }

    /// Whether the address is https: cookies are then `__Host-` and Secure.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}
