//! Who somebody says they are, on the way from the page that asks for it to the page that asks for a proof.
//!
//! It is sealed into the address of the second page, for the browser that said it: nothing is kept for strangers (SEC-066), and what a
//! browser remembers of its addresses names nobody. Nobody is looked up before there is a proof to judge, so neither the second page nor
//! its time tells whether there is such an account, or what it has (SEC-221).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::crypto;
use crate::flow::session::Browser;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{SIGN_IN_IDENTIFIER_FIRST, Settings};
use crate::model::{Client, Layer, Layers, Timestamp};

const SEALED_FOR: &str = "named to sign in";
/// As long as an authorization request waits for people.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Longer than any name is: what is cut off here is nobody's in any case.
const MOST_CHARACTERS: usize = 520;
/// None of ours is longer.
const LONGEST: usize = 8_192;

/// Who somebody says they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What they typed.
    pub identifier: String,
    /// Whether they want to stay signed in.
    pub remember: bool,
    /// The same for the address of a page: worth nothing in another browser.
    pub handle: String,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    browser: [u8; 32],
    identifier: String,
    remember: bool,
    expires: Timestamp,
}

/// Whether people are asked first who they are, for this application or for the server itself.
pub fn is_asked_first(settings: &Settings, client: Option<&Client>) -> bool {
    let layers = Layers {
        everyone: settings,
        user: &Layer::new(),
        groups: &[],
        client: client.map(|client| (client.client_id.as_str(), &client.settings)),
        administrator: false,
    };
    layers.flag(SIGN_IN_IDENTIFIER_FIRST)
}

/// Takes down who somebody says they are.
///
/// # Errors
/// [`Error::Failed`].
pub fn name(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    (identifier, remember): (&str, bool),
) -> Result<Named, Error> {
    let identifier: String = identifier.chars().take(MOST_CHARACTERS).collect();
    let stored = Stored {
        browser: *browser.key.digest().as_bytes(),
        identifier: identifier.clone(),
        remember,
        expires: call.now.after(LIFETIME),
    };
    let plain = serde_json::to_vec(&stored).map_err(|error| Error::Failed(Box::new(error)))?;
    Ok(Named {
        identifier,
        remember,
        handle: URL_SAFE_NO_PAD.encode(provider.master.seal(SEALED_FOR, &plain)),
    })
}

/// Who they said they are. None: it is none of ours, too old, or another browser's. Then they are asked once more.
pub fn read(provider: &Provider, call: &Call, browser: &Browser, handle: &str) -> Option<Named> {
    if handle.len() > LONGEST {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(handle).ok()?;
    let plain = provider.master.open(SEALED_FOR, &sealed).ok()?;
    let stored: Stored = serde_json::from_slice(&plain).ok()?;
    let is_here = crypto::equal(&stored.browser, browser.key.digest().as_bytes());
    (is_here && call.now < stored.expires).then(|| Named {
        identifier: stored.identifier,
        remember: stored.remember,
        handle: handle.to_owned(),
    })
}
