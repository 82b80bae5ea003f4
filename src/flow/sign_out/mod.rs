//! Signing out: because the person wants it, or a client asks for it (RP-Initiated Logout 1.0).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::authorization::hint::{self, Hint};
use super::pending::{self, Handle, Waiting};
use super::session::{Account, Browser, end};
use super::trace::Kept;
use super::{Call, Error, Provider};
use crate::ephemeral::Kind;
use crate::model::{Client, Id, Part, Step, Trace, Verdict};
use crate::protocol::front_channel;
use crate::protocol::logout::{self, ReturnAddress};
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError, subject};

/// How long the person may think about it: as long as a form of ours may stay open.
const LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);
/// How long the way to the client waits while applications are told.
const ONWARD: Duration = Duration::from_secs(30 * 60);
/// So many applications of a session are told by the browser.
const MOST_TOLD: u32 = 50;
const WAITING: Waiting = Waiting {
    kind: Kind::Logout,
    sealed_for: "logout request",
};

/// How a request to sign out goes on.
pub enum LogoutStep {
    /// The person is asked; the request waits under this handle.
    Ask(String),
    /// Nobody is signed in (any more).
    Done(Farewell),
}

/// How it goes on once nobody is signed in any more.
#[derive(Clone, Debug, Default)]
pub struct Farewell {
    /// On to the client; else to our good-bye.
    pub return_address: Option<ReturnAddress>,
    /// What the browser loads before, so that applications know (Front-Channel Logout 1.0).
    pub told: Option<Told>,
}

/// Applications that the browser tells.
#[derive(Clone, Debug)]
pub struct Told {
    /// The addresses.
    pub addresses: Vec<String>,
    /// Under this handle the way to the client waits, if there is one.
    pub onward: Option<String>,
}

/// A request to sign out that waits for the person.
#[derive(Clone, Debug)]
pub struct LogoutRequest {
    /// The client's name, if it said who it is.
    pub client: Option<String>,
    /// Where to go afterwards.
    pub return_address: Option<ReturnAddress>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    client: Option<String>,
    return_address: Option<ReturnAddress>,
}

/// Takes a request to sign out. A hint that names a session of this browser is enough; else the person is asked.
pub async fn request(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    parameters: &Parameters,
) -> Result<LogoutStep, Error> {
    parameters.refuse_repeated()?;
    let hint = match parameters.get("id_token_hint") {
        None => None,
        Some(token) => Some(hint::read(provider, token).await?.ok_or_else(|| {
            OAuthError::new(
                ErrorCode::InvalidRequest,
                "logout.hint",
                "id_token_hint is not an ID token of this server",
            )
        })?),
    };
    let client = client_of(provider, hint.as_ref(), parameters).await?;
    let return_address = logout::return_address(parameters, client.as_deref())?;
    let hinted = hint
        .as_ref()
        .and_then(|hint| account_of(provider, browser, client.as_deref(), hint))
        .cloned();
    let client_id = client.as_ref().map(|client| client.id);
    if let Some(account) = hinted {
        keep(provider, call, client_id, Some(&account), Step::passed("logout.hinted"));
        let addresses = addresses_of(provider, &account).await?;
        end(provider, call, browser, &account).await?;
        let farewell = farewell(provider, call, browser, return_address, addresses).await;
        return Ok(LogoutStep::Done(farewell));
    }
    if browser.accounts.is_empty() {
        keep(provider, call, client_id, None, Step::passed("logout.nobody"));
        return Ok(LogoutStep::Done(Farewell {
            return_address,
            told: None,
        }));
    }
    keep(
        provider,
        call,
        client_id,
        browser.accounts.first(),
        Step::new("logout.asked", Verdict::Asked),
    );
    let stored = Stored {
        client: client.map(|client| client.name().to_owned()),
        return_address,
    };
    let handle = Handle::new(provider, call, browser);
    pending::keep(provider, call, WAITING, &handle, stored, call.now.after(LIFETIME)).await?;
    Ok(LogoutStep::Ask(handle.id))
}

/// What was decided, for whoever asks why.
fn keep(provider: &Provider, call: &Call, client: Option<Id<Client>>, account: Option<&Account>, step: Step) {
    provider.keep_trace(call, Kept::SignIn, || Trace {
        client,
        user: account.map(|account| account.user.id),
        ..call.trace(Part::SignOut).step(step)
    });
}

/// Opens a waiting request in the browser that it came from.
///
/// # Errors
/// [`Error::NotFound`] if it has ended or belongs to another browser.
pub async fn load(provider: &Provider, call: &Call, browser: &Browser, id: &str) -> Result<LogoutRequest, Error> {
    let (stored, _): (Stored, Handle) = pending::get(provider, call, WAITING, browser, id).await?;
    Ok(LogoutRequest {
        client: stored.client,
        return_address: stored.return_address,
    })
}

/// The person signs out: everybody in this browser, since the next one to use it may be somebody else.
///
/// # Errors
/// [`Error::Unavailable`]: who was not signed out yet is still signed in.
pub async fn confirm(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    return_address: Option<ReturnAddress>,
) -> Result<Farewell, Error> {
    let mut addresses = Vec::new();
    for account in browser.accounts.clone() {
        addresses.extend(addresses_of(provider, &account).await?);
        end(provider, call, browser, &account).await?;
    }
    Ok(farewell(provider, call, browser, return_address, addresses).await)
}

/// What the browser loads for the applications that a session serves.
async fn addresses_of(provider: &Provider, account: &Account) -> Result<Vec<String>, Error> {
    let session = account.session.id;
    let mut store = provider.store.read().await?;
    let served = store.list_clients_of_session(session, MOST_TOLD).await?;
    let issuer = provider.issuer.as_str();
    let addresses = served
        .iter()
        .filter_map(|client| front_channel::address(&client.metadata, issuer, &session.to_string()));
    Ok(addresses.collect())
}

/// The person is signed out already: what can't be kept on the way is left out.
async fn farewell(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    return_address: Option<ReturnAddress>,
    addresses: Vec<String>,
) -> Farewell {
    if addresses.is_empty() {
        return Farewell {
            return_address,
            told: None,
        };
    }
    let Some(address) = &return_address else {
        let told = Told {
            addresses,
            onward: None,
        };
        return Farewell {
            return_address,
            told: Some(told),
        };
    };
    let stored = Stored {
        client: None,
        return_address: Some(address.clone()),
    };
    let handle = Handle::new(provider, call, browser);
    let kept = pending::keep(provider, call, WAITING, &handle, stored, call.now.after(ONWARD)).await;
    if let Err(error) = &kept {
        tracing::warn!(trace = %call.trace, %error, "applications are not told by the browser");
    }
    Farewell {
        return_address,
        told: kept.ok().map(|()| Told {
            addresses,
            onward: Some(handle.id),
        }),
    }
}

/// The client that asks: by its hint, by name, or both, which then have to agree (section 2).
async fn client_of(
    provider: &Provider,
    hint: Option<&Hint>,
    parameters: &Parameters,
) -> Result<Option<Arc<Client>>, Error> {
    let named = parameters.get("client_id");
    let hinted = hint.map(|hint| hint.audience.as_str());
    if let (Some(named), Some(hinted)) = (named, hinted)
        && named != hinted
    {
        let error = "client_id is not the one that id_token_hint was made for";
        return Err(OAuthError::new(ErrorCode::InvalidRequest, "logout.client", error).into());
    }
    match named.or(hinted) {
        Some(client_id) => provider.client(client_id).await,
        None => Ok(None),
    }
}

/// The account of this browser that a hint names: by session, else by subject.
fn account_of<'a>(
    provider: &Provider,
    browser: &'a Browser,
    client: Option<&Client>,
    hint: &Hint,
) -> Option<&'a Account> {
    let by_session = |account: &&Account| hint.session.as_deref() == Some(account.session.id.to_string().as_str());
    if let Some(account) = browser.accounts.iter().find(by_session) {
        return Some(account);
    }
    let client = client?;
    let key = provider.pairwise_key();
    browser
        .accounts
        .iter()
        .find(|account| subject::of(&account.user, client, &key) == hint.subject)
}
