//! A request to sign out by an application: RP-Initiated Logout 1.0. A token that we gave for this very session is proof
//! enough that its application may end it; everybody else has to have the person asked.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Account, Browser, end};
use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::authorization::hint::{self, Hint};
use crate::flow::{Call, Error, Provider};
use crate::model::Client;
use crate::protocol::logout::{self, ReturnAddress};
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError};
use crate::random;

/// How long people may take to answer.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How a request to sign out goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogoutStep {
    /// The person is asked, under this id.
    Ask(String),
    /// Nobody is signed in any more whom it was about. The browser goes there, if anywhere.
    Done(Option<ReturnAddress>),
}

/// A request that waits for the person's answer.
#[derive(Clone, Debug)]
pub struct LogoutRequest {
    /// Its handle in our pages' addresses: worth nothing in another browser.
    pub id: String,
    /// Who asked, if that is known.
    pub client: Option<Arc<Client>>,
    /// Where the browser goes afterwards.
    pub address: Option<ReturnAddress>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    client_id: Option<String>,
    address: Option<ReturnAddress>,
    browser: [u8; 32],
}

/// Takes a request to sign out (section 2).
///
/// # Errors
/// [`Error::OAuth`] if the request contradicts itself or wants to go where its client has registered nothing: told to the
/// person, never by a redirect.
pub async fn request(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    parameters: &Parameters,
) -> Result<LogoutStep, Error> {
    parameters.refuse_repeated()?;
    let hint = read_hint(provider, parameters).await?;
    let client_id = named_client(parameters, hint.as_ref())?;
    let client = match &client_id {
        Some(client_id) => provider.client(client_id).await?,
        None => None,
    };
    let address = logout::return_address(parameters, client.as_deref())?;
    if browser.accounts.is_empty() {
        return Ok(LogoutStep::Done(address));
    }
    if let Some(account) = hinted(browser, hint.as_ref()) {
        end(provider, call, browser, &account).await?;
        return Ok(LogoutStep::Done(address));
    }
    let stored = Stored {
        client_id: client.map(|client| client.client_id.clone()),
        address,
        browser: *browser.key.digest().as_bytes(),
    };
    let value = serde_json::to_vec(&stored).map_err(|error| Error::Failed(Box::new(error)))?;
    let id = random::token();
    let expires = call.now.after(LIFETIME);
    provider
        .ephemeral
        .put(Kind::Logout, &id, &value, expires, call.now)
        .await?;
    Ok(LogoutStep::Ask(id))
}

/// Opens a waiting request in the browser that brought it.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, never was, or belongs to another browser.
pub async fn load(provider: &Provider, call: &Call, browser: &Browser, id: &str) -> Result<LogoutRequest, Error> {
    let value = provider
        .ephemeral
        .get(Kind::Logout, id, call.now)
        .await?
        .ok_or(Error::NotFound)?;
    let stored: Stored = serde_json::from_slice(&value).map_err(|_| Error::NotFound)?;
    if !crypto::equal(&stored.browser, browser.key.digest().as_bytes()) {
        return Err(Error::NotFound);
    }
    let client = match &stored.client_id {
        Some(client_id) => provider.client(client_id).await?,
        None => None,
    };
    Ok(LogoutRequest {
        id: id.to_owned(),
        client: client.filter(|client| client.disabled_at.is_none()),
        address: stored.address,
    })
}

/// The person signs out: everybody in this browser, since the next one at it may be somebody else.
///
/// # Errors
/// [`Error::Unavailable`]: who was signed in still is.
pub async fn confirm(provider: &Provider, call: &Call, browser: &mut Browser) -> Result<(), Error> {
    for account in browser.accounts.clone() {
        end(provider, call, browser, &account).await?;
    }
    Ok(())
}

async fn read_hint(provider: &Provider, parameters: &Parameters) -> Result<Option<Hint>, Error> {
    let Some(token) = parameters.get("id_token_hint") else {
        return Ok(None);
    };
    match hint::read(provider, token).await? {
        Some(hint) => Ok(Some(hint)),
        None => Err(refused(
            "logout.id_token_hint",
            "id_token_hint is not an ID token of this server",
        )
        .into()),
    }
}

/// The client that asks. Section 2: named twice, it has to be the same one.
fn named_client(parameters: &Parameters, hint: Option<&Hint>) -> Result<Option<String>, OAuthError> {
    let named = parameters.get("client_id");
    let hinted = hint.map(|hint| hint.audience.as_str());
    match (named, hinted) {
        (Some(named), Some(hinted)) if named != hinted => Err(refused(
            "logout.client_id",
            "client_id is not the client that id_token_hint was made for",
        )),
        (named, hinted) => Ok(hinted.or(named).map(str::to_owned)),
    }
}

/// The account whose very session the hint was made in.
fn hinted(browser: &Browser, hint: Option<&Hint>) -> Option<Account> {
    let session = hint?.session.as_deref()?;
    let is_hinted = |account: &&Account| account.session.id.to_string() == session;
    browser.accounts.iter().find(is_hinted).cloned()
}

const fn refused(rule: &'static str, description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, rule, description)
}
