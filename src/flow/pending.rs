//! What waits for people: sealed, bound to a browser, kept for a while, and never so much from one network that it fills the
//! store (SEC-066).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::crypto;
use crate::ephemeral::{Kind, Owner};
use crate::flow::session::Browser;
use crate::flow::{Call, Error, Provider};
use crate::model::Timestamp;
use crate::random;

/// How much of one kind may wait from one network. Past it, what ends soonest is forgotten: whoever floods pushes out the own
/// requests first of all, and nobody is locked out.
pub const MOST_PER_NETWORK: u32 = 1000;
/// What the key is derived for by which networks are told apart.
const PURPOSE: &str = "pending by network";

/// A kind of what waits, and what it is sealed for.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Its kind in the store.
    pub kind: Kind,
    /// What it is sealed for.
    pub sealed_for: &'static str,
}

/// How it is found again: by a handle that nobody guesses, in the browser that it belongs to.
#[derive(Clone, Debug)]
pub struct Handle {
    /// What stands in our pages' addresses; worth nothing in another browser.
    pub id: String,
    browser: [u8; 32],
    owner: Owner,
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    browser: [u8; 32],
    owner: [u8; 32],
    content: T,
}

impl Handle {
    /// The place beside it: for what comes of what waited.
    pub fn beside(&self) -> Self {
        Self {
            id: beside(&self.id),
            ..self.clone()
        }
    }

    /// A new one, for this browser and the network that the call comes from.
    pub fn new(provider: &Provider, call: &Call, browser: &Browser) -> Self {
        let owner = owner(provider, call);
        Self {
            id: owner.key(&random::token()),
            browser: *browser.key.digest().as_bytes(),
            owner,
        }
    }
}

/// Whose entries those of a call's network are counted as.
pub fn owner(provider: &Provider, call: &Call) -> Owner {
    let key = provider.master.derive(PURPOSE);
    Owner::new(crypto::mac(&key, &[&call.origin.network()]))
}

/// The handle of the place beside this one.
pub fn beside(id: &str) -> String {
    format!("{id}.")
}

/// Keeps something that waits, in the place of what it was before.
pub async fn keep<T: Serialize>(
    provider: &Provider,
    call: &Call,
    waiting: Waiting,
    handle: &Handle,
    content: T,
    expires: Timestamp,
) -> Result<(), Error> {
    let envelope = Envelope {
        browser: handle.browser,
        owner: *handle.owner.as_bytes(),
        content,
    };
    let plain = serde_json::to_vec(&envelope).map_err(|error| Error::Failed(Box::new(error)))?;
    // it holds what people typed, and once finished a code: nothing for whoever reads the store
    let sealed = provider.master.seal(waiting.sealed_for, &plain);
    let within = (&handle.owner, MOST_PER_NETWORK);
    Ok(provider
        .ephemeral
        .put_within(waiting.kind, within, &handle.id, &sealed, expires, call.now)
        .await?)
}

/// Finds what waits in the browser that it belongs to.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, never was, or belongs to another browser.
pub async fn get<T: DeserializeOwned>(
    provider: &Provider,
    call: &Call,
    waiting: Waiting,
    browser: &Browser,
    id: &str,
) -> Result<(T, Handle), Error> {
    let sealed = provider.ephemeral.get(waiting.kind, id, call.now).await?;
    let sealed = sealed.ok_or(Error::NotFound)?;
    let plain = provider.master.open(waiting.sealed_for, &sealed);
    let plain = plain.map_err(|_| Error::NotFound)?;
    let envelope: Envelope<T> = serde_json::from_slice(&plain).map_err(|_| Error::NotFound)?;
    if !crypto::equal(&envelope.browser, browser.key.digest().as_bytes()) {
        return Err(Error::NotFound);
    }
    let handle = Handle {
        id: id.to_owned(),
        browser: envelope.browser,
        owner: Owner::new(envelope.owner),
    };
    Ok((envelope.content, handle))
}
