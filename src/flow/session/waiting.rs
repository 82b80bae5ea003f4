//! A person has proved who they are, and is asked something before a session begins: the proof waits meanwhile.
//!
//! Nothing is given for the proof until then. It is bound to the browser, counts once, and does not outlive a new password. The
//! same form sent twice leads to one session: of two clicks the browser sees the answer to the second alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::begin::{Entry, NotBegun, enter};
use super::landing::{AFTERGLOW, GAPS, PAUSE, ROUNDS, land, token_of_form};
use super::state::BrowserMark;
use super::{Account, Browser, Proof, SecondProof, SessionToken, Task};
use crate::clock;
use crate::ephemeral::Kind;
use crate::flow::pending::{self, Handle, Waiting};
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Session, Timestamp, TraceId, User};
use crate::sessions::Login;

/// How long people may take.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// What the person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Which login ends.
    Choice,
    /// The second factor.
    Factor,
    /// Something that is required of them.
    Action,
}

impl Question {
    const fn waiting(self) -> Waiting {
        match self {
            Self::Choice => Waiting {
                kind: Kind::LoginChoice,
                sealed_for: "login choice",
            },
            Self::Factor => Waiting {
                kind: Kind::LoginFactor,
                sealed_for: "login factor",
            },
            Self::Action => Waiting {
                kind: Kind::LoginAction,
                sealed_for: "login action",
            },
        }
    }
}

/// What somebody signs in for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Purpose {
    /// The pending authorization request.
    pub interaction: Option<String>,
    /// Where to go afterwards when there is no such request.
    pub return_to: Option<String>,
    /// The client of that request, by `client_id`.
    #[serde(default)]
    pub client: Option<String>,
}

/// What has come of a proof: kept beside it, which can be taken once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Came {
    /// The person has answered, and is about to be signed in.
    Enters,
    /// The session of the proof's token, on this device: what the browser was told.
    In { device: Option<String> },
    /// The proof waits until the person says which login ends, under this handle.
    Asked { choice: String },
    /// The proof waits for something else that is required of them, under this handle.
    Required { action: String },
}

/// What is kept of a proof.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    user: Id<User>,
    pub(super) proof: Proof,
    /// When the person proved it first.
    pub(super) proved_at: Timestamp,
    /// The moment since which the account must not have changed: that, or when the person set another password on the way.
    #[serde(default)]
    pub(super) as_of: Option<Timestamp>,
    expires: Timestamp,
    pub(super) purpose: Purpose,
    /// How many logins there may be, where it is asked which one ends.
    pub(super) max: u32,
    journey: Option<TraceId>,
    /// The second factor, once it was proved and nothing came of it.
    #[serde(default)]
    pub(super) second: Option<SecondProof>,
    /// What is required of the person, where that is asked.
    #[serde(default)]
    pub(super) task: Option<Task>,
    /// The session that the proof is of, where it goes on with more: no other begins by it.
    #[serde(default)]
    pub(super) session: Option<Id<Session>>,
}

/// A proof that waits.
#[derive(Clone, Debug)]
pub(super) struct WaitingProof {
    /// Its handle in our pages' addresses: random, worth nothing in another browser.
    pub(super) id: String,
    /// Who has proved it.
    pub(super) user: User,
    pub(super) stored: Stored,
    question: Question,
    handle: Handle,
    came: Option<Came>,
}

/// What is to wait.
pub(super) struct Kept {
    pub(super) user: Id<User>,
    pub(super) proof: Proof,
    pub(super) proved_at: Timestamp,
    pub(super) as_of: Option<Timestamp>,
    pub(super) purpose: Purpose,
    pub(super) max: u32,
    pub(super) task: Option<Task>,
    pub(super) session: Option<Id<Session>>,
}

/// What has come of a form that was sent before.
pub(super) enum Before {
    /// The session that it has begun.
    In(Box<Account>),
    /// The person is asked which login ends, under this handle.
    Asked(String),
    /// Something else is required of the person, under this handle.
    Required(String),
}

/// Keeps a proof until the person has answered. Gives its handle.
pub(super) async fn wait(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    question: Question,
    kept: Kept,
) -> Result<String, Error> {
    let handle = Handle::new(provider, call, browser);
    let expires = call.now.after(LIFETIME);
    let stored = Stored {
        user: kept.user,
        proof: kept.proof,
        proved_at: kept.proved_at,
        as_of: kept.as_of,
        expires,
        purpose: kept.purpose,
        max: kept.max,
        journey: call.journey,
        second: None,
        task: kept.task,
        session: kept.session,
    };
    pending::keep(provider, call, question.waiting(), &handle, stored, expires).await?;
    Ok(handle.id)
}

/// Opens a proof in the browser that it was given in.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, was used, belongs to another browser, or the account has changed since.
pub(super) async fn load(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    question: Question,
    id: &str,
) -> Result<WaitingProof, Error> {
    let (stored, handle, came) = find(provider, call, browser, question, id).await?;
    // what was proved counts only as long as it could be proved again
    let user = provider.store.read().await?.find_user(stored.user).await?;
    let as_of = stored.as_of.unwrap_or(stored.proved_at);
    let user = user
        .filter(|user| user.may_be_entered(call.now))
        .filter(|user| user.password_changed_at.is_none_or(|at| at <= as_of))
        .filter(|user| user.password_expired_at.is_none())
        .ok_or(Error::NotFound)?;
    Ok(WaitingProof {
        id: id.to_owned(),
        user,
        stored,
        question,
        handle,
        came,
    })
}

/// What waits, or what has come of it: waited for while somebody else's request is about to tell.
async fn find(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    question: Question,
    id: &str,
) -> Result<(Stored, Handle, Option<Came>), Error> {
    let mut gaps = 0;
    for _ in 0..ROUNDS {
        match pending::get(provider, call, question.waiting(), browser, id).await {
            Ok((stored, handle)) => return Ok((stored, handle, None)),
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
        let told: Result<((Stored, Came), Handle), Error> =
            pending::get(provider, call, question.waiting(), browser, &pending::beside(id)).await;
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

impl WaitingProof {
    /// The call that the journey began with.
    pub(super) const fn journey(&self) -> Option<TraceId> {
        self.stored.journey
    }

    /// Whether the person has answered, and something has come of it.
    pub(super) const fn is_over(&self) -> bool {
        self.came.is_some()
    }

    /// Takes it: nobody else does. False if somebody was faster.
    pub(super) async fn take(&self, provider: &Provider, call: &Call) -> Result<bool, Error> {
        let kind = self.question.waiting().kind;
        if provider.ephemeral.take(kind, &self.id, call.now).await?.is_none() {
            return Ok(false);
        }
        self.tell(provider, call, Came::Enters, self.stored.expires).await?;
        Ok(true)
    }

    /// Nothing came of it: it may be tried again, with what is proved by now.
    pub(super) async fn put_back(
        &self,
        provider: &Provider,
        call: &Call,
        second: Option<SecondProof>,
    ) -> Result<(), Error> {
        let stored = Stored {
            second,
            ..self.stored.clone()
        };
        pending::keep(
            provider,
            call,
            self.question.waiting(),
            &self.handle,
            stored,
            self.stored.expires,
        )
        .await?;
        self.tell_nothing(provider).await
    }

    /// The account has changed by what its owner did on the way.
    pub(super) async fn read_again(&mut self, provider: &Provider, call: &Call) -> Result<(), Error> {
        let user = provider.store.read().await?.find_user(self.user.id).await?;
        self.user = user.filter(|user| user.is_active(call.now)).ok_or(Error::NotFound)?;
        Ok(())
    }

    /// Begins the session, now that it is taken.
    pub(super) async fn enter(
        &self,
        provider: &Provider,
        call: &Call,
        browser: &mut Browser,
        proof: Proof,
        first: &[Login],
    ) -> Result<Account, NotBegun> {
        let entry = Entry {
            proof,
            proved_at: self.stored.proved_at,
            first,
            token: self.token(provider, browser),
            browser: BrowserMark::of(provider, browser, self.user.id),
            client: self.stored.purpose.client.as_deref(),
            session: self.stored.session,
        };
        let account = enter(provider, call, browser, &self.user, entry).await?;
        let device = browser.device.as_ref().map(|device| device.expose().to_owned());
        self.say(provider, call, Came::In { device }).await;
        Ok(account)
    }

    /// The person is asked which login ends.
    pub(super) async fn asked(&self, provider: &Provider, call: &Call, choice: &str) {
        let choice = choice.to_owned();
        self.say(provider, call, Came::Asked { choice }).await;
    }

    /// Something else is required of the person.
    pub(super) async fn required(&self, provider: &Provider, call: &Call, action: &str) {
        let action = action.to_owned();
        self.say(provider, call, Came::Required { action }).await;
    }

    /// What the same form has brought about a moment ago, once it was taken by somebody faster.
    pub(super) async fn again(&self, provider: &Provider, call: &Call, browser: &mut Browser) -> Result<Before, Error> {
        // whoever was faster says so in a moment
        clock::sleep(PAUSE).await;
        let other = load(provider, call, browser, self.question, &self.id).await?;
        other.before(provider, call, browser).await
    }

    /// What the same form has brought about a moment ago.
    ///
    /// # Errors
    /// [`Error::NotFound`] if that is nothing, or has ended.
    pub(super) async fn before(
        &self,
        provider: &Provider,
        call: &Call,
        browser: &mut Browser,
    ) -> Result<Before, Error> {
        let device = match &self.came {
            Some(Came::In { device }) => device,
            Some(Came::Asked { choice }) => return Ok(Before::Asked(choice.clone())),
            Some(Came::Required { action }) => return Ok(Before::Required(action.clone())),
            Some(Came::Enters) | None => return Err(Error::NotFound),
        };
        if let Some(account) = browser.account(self.user.id) {
            return Ok(Before::In(Box::new(account.clone())));
        }
        let token = self.token(provider, browser);
        let account = land(provider, call, browser, token, device.as_deref()).await?;
        Ok(Before::In(Box::new(account)))
    }

    /// The person does not want to sign in after all, or may not.
    pub(super) async fn forget(&self, provider: &Provider) -> Result<(), Error> {
        provider
            .ephemeral
            .forget(self.question.waiting().kind, &self.id)
            .await?;
        self.tell_nothing(provider).await
    }

    /// What the browser gets, whichever of its forms enters.
    fn token(&self, provider: &Provider, browser: &Browser) -> SessionToken {
        token_of_form(provider, browser, self.user.id, &self.id)
    }

    async fn say(&self, provider: &Provider, call: &Call, came: Came) {
        if let Err(error) = self.tell(provider, call, came, call.now.after(AFTERGLOW)).await {
            tracing::warn!(%error, "the same form sent twice leads nowhere the second time");
        }
    }

    /// Tells the same form, sent once more, what has come of it.
    async fn tell(&self, provider: &Provider, call: &Call, came: Came, until: Timestamp) -> Result<(), Error> {
        let told = (self.stored.clone(), came);
        pending::keep(
            provider,
            call,
            self.question.waiting(),
            &self.handle.beside(),
            told,
            until,
        )
        .await
    }

    async fn tell_nothing(&self, provider: &Provider) -> Result<(), Error> {
        let beside = self.handle.beside();
        Ok(provider
            .ephemeral
            .forget(self.question.waiting().kind, &beside.id)
            .await?)
    }
}
