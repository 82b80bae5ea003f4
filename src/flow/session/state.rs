//! What is told of a browser in a word: to its pages that its signed-in state has changed (OpenID Connect Session Management 1.0),
//! and to us that it is the same one.

use serde::{Deserialize, Serialize};

use super::Browser;
use crate::crypto;
use crate::flow::Provider;
use crate::model::{Client, Id, User};
use crate::protocol::session_state;

/// So many hex digits are enough to tell two states apart.
const DIGITS: usize = 32;

/// By what a session tells which browser it belongs to, for one person: two people's sessions don't say that they share one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BrowserMark(String);

impl BrowserMark {
    /// Of this browser.
    pub(super) fn of(provider: &Provider, browser: &Browser, user: Id<User>) -> Self {
        let key = provider.master.derive("browser of a session");
        Self(digits(&crypto::mac(
            &key,
            &[browser.key.expose().as_bytes(), user.uuid().as_bytes()],
        )))
    }
}

/// A word that changes with who is signed in, and says nothing about them. Scripts of our own frame read it.
pub fn browser_state(provider: &Provider, browser: &Browser) -> String {
    let mut sessions: Vec<[u8; 16]> = browser
        .accounts
        .iter()
        .map(|account| *account.session.id.uuid().as_bytes())
        .collect();
    sessions.sort_unstable();
    let parts = std::iter::once(browser.key.expose().as_bytes()).chain(sessions.iter().map(<[u8; 16]>::as_slice));
    let key = provider.master.derive("browser state");
    digits(&crypto::mac(&key, &parts.collect::<Vec<_>>()))
}

/// The `session_state` of an authorization response that carries this code: the same for the same answer, however often it is
/// given.
pub fn session_state(
    provider: &Provider,
    browser: &Browser,
    client: &Client,
    redirect_uri: &str,
    code: &str,
) -> Option<String> {
    let key = provider.master.derive("session state salt");
    let salt = digits(&crypto::mac(&key, &[code.as_bytes()]));
    session_state::value(
        &client.client_id,
        redirect_uri,
        &browser_state(provider, browser),
        &salt,
    )
}

fn digits(mac: &[u8]) -> String {
    mac.iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .chars()
        .take(DIGITS)
        .collect()
}
