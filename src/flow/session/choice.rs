//! A person has proved who they are and has as many logins as they may have: the proof waits until they say which one ends.
//!
//! Nothing is given for the proof meanwhile. It is bound to the browser, counts once, and does not outlive a new password. The
//! same form sent twice leads to one session: of two clicks the browser sees the answer to the second alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::begin::{Entry, Full, NotBegun, enter};
use super::browser::{self, Seen};
use super::logins::{self, KnownLogin};
use super::state::BrowserMark;
use super::{Account, Browser, DeviceRefused, Proof, SessionToken};
use crate::clock;
use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::pending::{self, Handle, Waiting};
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Secret, Timestamp, TraceId, User};

/// How long people may take.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long the same form leads to the session that it has begun.
const AFTERGLOW: Duration = Duration::from_secs(60);
/// How often the second form looks whether the first has come to its end, and after which pause each.
const ROUNDS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);
/// How often it looks although there is nothing.
const GAPS: u32 = 4;
const WAITING: Waiting = Waiting {
    kind: Kind::LoginChoice,
    sealed_for: "login choice",
};

/// What somebody signs in for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Purpose {
    /// The pending authorization request.
    pub interaction: Option<String>,
    /// Where to go afterwards when there is no such request.
    pub return_to: Option<String>,
}

/// What has come of a proof: kept beside it, which can be taken once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Came {
    /// The person has chosen, and is about to be signed in.
    Enters,
    /// The session of the proof's token, on this device: what the browser was told.
    In { device: Option<String> },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    user: Id<User>,
    proof: Proof,
    proved_at: Timestamp,
    expires: Timestamp,
    purpose: Purpose,
    max: u32,
    journey: Option<TraceId>,
}

/// A proof that waits.
#[derive(Debug)]
pub struct Choice {
    /// Its handle in our pages' addresses: random, worth nothing in another browser.
    pub id: String,
    /// Who has proved it.
    pub user: User,
    /// What for.
    pub purpose: Purpose,
    /// How many logins there may be.
    pub max: u32,
    /// The call that the journey began with.
    pub journey: Option<TraceId>,
    stored: Stored,
    handle: Handle,
    came: Option<Came>,
}

/// What became of a choice.
#[derive(Debug)]
pub enum Chosen {
    /// The person is signed in.
    SignedIn(Box<Account>),
    /// Others came in between: there is still no room, nothing was ended, and the person is asked again.
    StillFull,
    /// The device may not be signed in with any more. The proof is spent.
    Refused(DeviceRefused),
}

/// Keeps a proof until the person has chosen. Gives its handle.
pub(in crate::flow) async fn wait(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    user: Id<User>,
    proof: Proof,
    (purpose, full): (Purpose, Full),
) -> Result<String, Error> {
    let handle = Handle::new(provider, call, browser);
    let expires = call.now.after(LIFETIME);
    let stored = Stored {
        user,
        proof,
        proved_at: call.now,
        expires,
        purpose,
        max: full.max,
        journey: call.journey,
    };
    pending::keep(provider, call, WAITING, &handle, stored, expires).await?;
    Ok(handle.id)
}

/// Opens a proof in the browser that it was given in.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, was used, belongs to another browser, or the account has changed since.
pub async fn load(provider: &Provider, call: &Call, browser: &Browser, id: &str) -> Result<Choice, Error> {
    let (stored, handle, came) = find(provider, call, browser, id).await?;
    // what was proved counts only as long as it could be proved again
    let user = provider.store.read().await?.find_user(stored.user).await?;
    let user = user
        .filter(User::is_active)
        .filter(|user| user.password_changed_at.is_none_or(|at| at <= stored.proved_at))
        .filter(|user| user.password_expired_at.is_none())
        .ok_or(Error::NotFound)?;
    Ok(Choice {
        id: id.to_owned(),
        user,
        purpose: stored.purpose.clone(),
        max: stored.max,
        journey: stored.journey,
        stored,
        handle,
        came,
    })
}

/// What waits, or what has come of it: waited for while somebody else's request is about to tell.
async fn find(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    id: &str,
) -> Result<(Stored, Handle, Option<Came>), Error> {
    let mut gaps = 0;
    for _ in 0..ROUNDS {
        match pending::get(provider, call, WAITING, browser, id).await {
            Ok((stored, handle)) => return Ok((stored, handle, None)),
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
        let told: Result<((Stored, Came), Handle), Error> =
            pending::get(provider, call, WAITING, browser, &pending::beside(id)).await;
        match told {
            Ok(((_, Came::Enters), _)) => {}
            Ok(((stored, came), handle)) => return Ok((stored, handle, Some(came))),
            // it may have been taken this moment, and whoever did has not said so yet
            Err(Error::NotFound) if gaps < GAPS => gaps += 1,
            Err(error) => return Err(error),
        }
        clock::sleep(PAUSE).await;
    }
    Err(Error::NotFound)
}

impl Choice {
    /// What the person can choose from, the last used first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn logins(&self, provider: &Provider, call: &Call) -> Result<Vec<KnownLogin>, Error> {
        logins::list(provider, call, self.user.id).await
    }

    /// Ends what the person has chosen, by the keys of the logins, and signs them in, both or neither.
    ///
    /// # Errors
    /// [`Error::NotFound`] if somebody was faster with the same proof, [`Error::Unavailable`]: the person is not signed in.
    pub async fn end_and_enter(
        &self,
        provider: &Provider,
        call: &Call,
        browser: &mut Browser,
        keys: &[String],
    ) -> Result<Chosen, Error> {
        let chosen = logins::chosen(&self.logins(provider, call).await?, keys);
        let taken = provider.ephemeral.take(WAITING.kind, &self.id, call.now).await?;
        if taken.is_none() {
            // whoever was faster says so in a moment
            clock::sleep(PAUSE).await;
            let other = load(provider, call, browser, &self.id).await?;
            return other.enter_again(provider, call, browser).await;
        }
        self.tell(provider, call, Came::Enters, self.stored.expires).await?;
        let entry = Entry {
            proof: self.stored.proof.clone(),
            proved_at: self.stored.proved_at,
            first: &chosen,
            token: self.token(provider, browser),
            browser: BrowserMark::of(provider, browser, self.user.id),
        };
        match enter(provider, call, browser, &self.user, entry).await {
            Ok(account) => {
                let came = Came::In {
                    device: browser.device.as_ref().map(|device| device.expose().to_owned()),
                };
                if let Err(error) = self.tell(provider, call, came, call.now.after(AFTERGLOW)).await {
                    tracing::warn!(%error, "the same form sent twice leads nowhere the second time");
                }
                Ok(Chosen::SignedIn(Box::new(account)))
            }
            Err(NotBegun::Changed) => {
                provider.ephemeral.forget(WAITING.kind, &self.id).await?;
                Err(Error::NotFound)
            }
            Err(NotBegun::Device(refused)) => {
                self.tell_nothing(provider).await?;
                Ok(Chosen::Refused(refused))
            }
            Err(not_begun) => {
                // nothing came of it: it may be tried again
                let (expires, stored) = (self.stored.expires, self.stored.clone());
                pending::keep(provider, call, WAITING, &self.handle, stored, expires).await?;
                self.tell_nothing(provider).await?;
                match not_begun {
                    NotBegun::Full(_) | NotBegun::Device(_) | NotBegun::Changed => Ok(Chosen::StillFull),
                    NotBegun::Failed(error) => Err(error),
                }
            }
        }
    }

    /// Whether the person is signed in by it already.
    pub const fn is_over(&self) -> bool {
        matches!(self.came, Some(Came::In { .. }))
    }

    /// The session that the same form has begun a moment ago.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none, or it has ended.
    pub async fn enter_again(&self, provider: &Provider, call: &Call, browser: &mut Browser) -> Result<Chosen, Error> {
        let Some(Came::In { device }) = &self.came else {
            return Err(Error::NotFound);
        };
        if let Some(account) = browser.account(self.user.id) {
            return Ok(Chosen::SignedIn(Box::new(account.clone())));
        }
        let token = self.token(provider, browser);
        let found = browser::account(provider, call, token, Seen::Used).await?;
        let account = found.map_err(|_| Error::NotFound)?;
        browser.accounts.insert(0, account.clone());
        browser.is_changed = true;
        browser.device = device.as_deref().map(Secret::new);
        browser.is_device_told = browser.device.is_some();
        Ok(Chosen::SignedIn(Box::new(account)))
    }

    /// What the browser gets, whichever of its forms enters: derived, so that nobody has to keep it.
    fn token(&self, provider: &Provider, browser: &Browser) -> SessionToken {
        let key = provider.master.derive("chosen login");
        let parts = [self.id.as_bytes(), browser.key.expose().as_bytes()];
        SessionToken::of(self.user.id, &crypto::mac(&key, &parts))
    }

    /// Tells the same form, sent once more, what has come of it.
    async fn tell(&self, provider: &Provider, call: &Call, came: Came, until: Timestamp) -> Result<(), Error> {
        let told = (self.stored.clone(), came);
        pending::keep(provider, call, WAITING, &self.handle.beside(), told, until).await
    }

    async fn tell_nothing(&self, provider: &Provider) -> Result<(), Error> {
        let beside = self.handle.beside();
        Ok(provider.ephemeral.forget(WAITING.kind, &beside.id).await?)
    }

    /// The person does not want to sign in after all.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn give_up(self, provider: &Provider) -> Result<Purpose, Error> {
        provider.ephemeral.forget(WAITING.kind, &self.id).await?;
        Ok(self.purpose)
    }
}
