//! An authorization request while people are asked. Server-side state, bound to the browser that began, short-lived.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Next;
use crate::ephemeral::Kind;
use crate::flow::pending::{self, Handle, Waiting};
use crate::flow::session::{Account, Browser};
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, Id, TraceId, User};
use crate::protocol::authorization_request::AuthorizationRequest;
use crate::protocol::authorization_response::AuthorizationResponse;
use crate::protocol::prompt::Answers;
use crate::protocol::subject;

/// How long people may take.
/// How long a pending request waits.
pub const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How long a finished one is kept, so that a second click gets the same answer.
const AFTERGLOW: Duration = Duration::from_secs(60);
const WAITING: Waiting = Waiting {
    kind: Kind::Interaction,
    sealed_for: "interaction",
};

/// An authorization request while people are asked.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// Its handle in our pages' addresses: random, worth nothing in another browser.
    pub id: String,
    /// What was asked for; it does not change any more.
    pub request: AuthorizationRequest,
    /// Who asked.
    pub client: Arc<Client>,
    /// The account to go on with, once that is settled.
    pub account: Option<Id<User>>,
    /// What has been answered.
    pub answers: Answers,
    /// The request that it came with.
    pub trace: TraceId,
    handle: Handle,
    finished: Option<Finished>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    request: AuthorizationRequest,
    account: Option<Id<User>>,
    answers: Answers,
    trace: TraceId,
    finished: Option<Finished>,
}

/// The answer that was given: repeated for a second click.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Finished {
    parameters: Vec<(String, String)>,
    /// Where it waits until the person goes along, if it does.
    waits: Option<String>,
}

impl Interaction {
    /// A request that has just come.
    pub(super) fn new(
        provider: &Provider,
        call: &Call,
        browser: &Browser,
        client: Arc<Client>,
        request: AuthorizationRequest,
    ) -> Self {
        let handle = Handle::new(provider, call, browser);
        Self {
            id: handle.id.clone(),
            request,
            client,
            account: None,
            answers: Answers::default(),
            trace: call.trace,
            handle,
            finished: None,
        }
    }

    /// Settles the account. What somebody else answered before does not count for this one.
    pub(super) fn go_on_with(&mut self, user: Id<User>) {
        if self.account != Some(user) {
            self.answers = Answers::default();
        }
        self.account = Some(user);
        self.answers.account_chosen = true;
    }

    pub(super) async fn keep(&self, provider: &Provider, call: &Call, lifetime: Duration) -> Result<(), Error> {
        let stored = Stored {
            request: self.request.clone(),
            account: self.account,
            answers: self.answers.clone(),
            trace: self.trace,
            finished: self.finished.clone(),
        };
        pending::keep(provider, call, WAITING, &self.handle, stored, call.now.after(lifetime)).await
    }

    /// What came of it, if it is over.
    pub(super) fn finished(&self) -> Option<Next> {
        let finished = self.finished.as_ref()?;
        if let Some(id) = &finished.waits {
            return Some(Next::ConfirmError(id.clone()));
        }
        let answerable = self.request.answerable.clone();
        Some(Next::Respond(AuthorizationResponse::again(
            &self.client,
            answerable,
            &finished.parameters,
        )))
    }

    /// Remembers for a moment what came of it.
    pub(super) async fn finish(&mut self, provider: &Provider, call: &Call, next: &Next) -> Result<(), Error> {
        self.finished = Some(match next {
            Next::Respond(response) => Finished {
                parameters: response.kept(),
                waits: None,
            },
            Next::ConfirmError(id) => Finished {
                parameters: Vec::new(),
                waits: Some(id.clone()),
            },
            _ => return Ok(()),
        });
        self.keep(provider, call, AFTERGLOW).await
    }
}

/// Opens a pending request in the browser that began it.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, never was, or belongs to another browser.
pub async fn load(provider: &Provider, call: &Call, browser: &Browser, id: &str) -> Result<Interaction, Error> {
    let (stored, handle): (Stored, Handle) = pending::get(provider, call, WAITING, browser, id).await?;
    let client = provider
        .client(&stored.request.client_id)
        .await?
        .filter(|client| client.disabled_at.is_none());
    Ok(Interaction {
        id: id.to_owned(),
        client: client.ok_or(Error::NotFound)?,
        request: stored.request,
        account: stored.account,
        answers: stored.answers,
        trace: stored.trace,
        handle,
        finished: stored.finished,
    })
}

/// The account to go on with: the settled one, else the hinted one, else the one used last.
pub fn account_of<'a>(provider: &Provider, browser: &'a Browser, interaction: &Interaction) -> Option<&'a Account> {
    if let Some(user) = interaction.account {
        // signed out meanwhile: nobody else in this browser steps in unasked
        return browser.accounts.iter().find(|account| account.user.id == user);
    }
    let request = &interaction.request;
    if request.expects_somebody() {
        let key = provider.pairwise_key();
        let is_expected =
            |account: &&Account| request.may_be_for(&subject::of(&account.user, &interaction.client, &key));
        if let Some(account) = browser.accounts.iter().find(is_expected) {
            return Some(account);
        }
    }
    browser.accounts.first()
}
