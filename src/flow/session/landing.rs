//! A form that signs somebody in, sent twice: of two clicks the browser sees the answer to the second alone, so both lead to one session.
//! What the browser gets is derived from the form, so that nobody has to keep it, and no two sessions begin by it.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::browser::{self, Seen};
use super::{Account, Browser, SessionToken};
use crate::clock;
use crate::crypto;
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Secret, User};

/// How long the same form leads to what has come of it.
pub(in crate::flow) const AFTERGLOW: Duration = Duration::from_secs(60);
/// How often the second form looks whether the first has come to its end, and after which pause each.
pub(super) const ROUNDS: u32 = 100;
pub(in crate::flow) const PAUSE: Duration = Duration::from_millis(50);
/// How often it looks although there is nothing.
pub(super) const GAPS: u32 = 4;

/// What has come of a form that was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::flow) enum Landed {
    /// The person is about to be signed in.
    Enters,
    /// The session of the form's token, on this device: what the browser was told.
    In { device: Option<String> },
    /// No session: the same form goes where it went.
    Elsewhere,
}

impl Landed {
    /// What came of it, by whether a session has begun in this browser.
    pub(in crate::flow) fn of(browser: &Browser, is_in: Option<&Account>) -> Self {
        match is_in {
            Some(_) => Self::In {
                device: browser.device.as_ref().map(|device| device.expose().to_owned()),
            },
            None => Self::Elsewhere,
        }
    }

    /// Waits until somebody's request has come to its end. `told`: what has been said of it until now. None if nothing is said.
    pub(in crate::flow) async fn wait<F>(told: impl Fn() -> F) -> Result<Option<Self>, Error>
    where
        F: Future<Output = Result<Option<Self>, Error>>,
    {
        for _ in 0..ROUNDS {
            match told().await? {
                Some(Self::Enters) => clock::sleep(PAUSE).await,
                landed => return Ok(landed),
            }
        }
        Ok(None)
    }
}

/// What this browser gets, whichever of the forms of this id enters.
pub(in crate::flow) fn token_of_form(provider: &Provider, browser: &Browser, user: Id<User>, id: &str) -> SessionToken {
    let key = provider.master.derive("chosen login");
    let parts = [id.as_bytes(), browser.key.expose().as_bytes()];
    SessionToken::of(user, &crypto::mac(&key, &parts))
}

/// Puts the session that a form has begun into the browser, whose second form found it. The account stands first there afterwards.
///
/// # Errors
/// [`Error::NotFound`] if it has ended.
pub(in crate::flow) async fn land(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    token: SessionToken,
    device: Option<&str>,
) -> Result<Account, Error> {
    // it may have been told of it meanwhile
    if let Some(account) = browser
        .account(token.user())
        .filter(|account| account.token.digest() == token.digest())
    {
        return Ok(account.clone());
    }
    let found = browser::account(provider, call, token, Seen::Used).await?;
    let account = found.map_err(|_| Error::NotFound)?;
    browser.accounts.retain(|other| other.user.id != account.user.id);
    browser.accounts.insert(0, account.clone());
    browser.is_changed = true;
    browser.device = device.map(Secret::new);
    browser.is_device_told = browser.device.is_some();
    Ok(account)
}
