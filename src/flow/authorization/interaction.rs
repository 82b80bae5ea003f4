//! An authorization request while people are asked. Server-side state, bound to the browser that began, short-lived.
//!
//! Every answer ends in [`advance`], which asks the same list of questions again; no page knows what comes after it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{challenge, refuse};
use crate::ephemeral::Kind;
use crate::flow::session::{Account, Browser};
use crate::flow::token::authorization_code;
use crate::flow::{Call, Error, Provider};
use crate::model::setting;
use crate::model::{Actor, Client, Consent, ConsentMode, Digest, EventKind, Fact, GrantTerms, Id, Secret, User};
use crate::protocol::authorization_request::{Answerable, AuthorizationRequest};
use crate::protocol::authorization_response::AuthorizationResponse;
use crate::protocol::code_exchange::CodePayload;
use crate::protocol::prompt::{self, Answers, Decision};
use crate::protocol::{ErrorCode, OAuthError, subject};
use crate::random;

/// How long people may take.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How long a finished one is kept, so that a second click gets the same answer.
const AFTERGLOW: Duration = Duration::from_secs(60);
/// What it is sealed for.
const SEALED_FOR: &str = "interaction";

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
    browser: [u8; 32],
    finished: Option<Finished>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    request: AuthorizationRequest,
    account: Option<Id<User>>,
    answers: Answers,
    browser: [u8; 32],
    finished: Option<Finished>,
}

/// The answer that was given: repeated for a second click.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Finished {
    parameters: Vec<(String, String)>,
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum Next {
    /// Ask who they are.
    Login(String),
    /// Ask the known person to prove it once more.
    Reauthenticate(String),
    /// Ask which account.
    SelectAccount(String),
    /// Ask whether they allow it.
    Consent(String),
    /// Back to the client.
    Respond(AuthorizationResponse),
}

/// What a person says about a client's wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consenting {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// What a person is asked about a client's wishes.
#[derive(Clone, Debug)]
pub struct ConsentQuestion {
    /// Who is asked.
    pub user: User,
    /// Which scopes the client wants.
    pub scopes: Vec<String>,
    /// Those of them that were allowed before.
    pub known_scopes: Vec<String>,
    /// Which single claims it wants.
    pub claims: Vec<String>,
    /// The resources that the scopes belong to: identifier and name.
    pub resources: Vec<(String, Option<String>)>,
}

impl Interaction {
    /// A request that has just come.
    pub(super) fn new(browser: &Browser, client: Arc<Client>, request: AuthorizationRequest) -> Self {
        Self {
            id: random::token(),
            request,
            client,
            account: None,
            answers: Answers::default(),
            browser: *browser.key.digest().as_bytes(),
            finished: None,
        }
    }

    /// Settles the account. What somebody else answered before does not count for this one.
    fn go_on_with(&mut self, user: Id<User>) {
        if self.account != Some(user) {
            self.answers = Answers::default();
        }
        self.account = Some(user);
        self.answers.account_chosen = true;
    }

    async fn keep(&self, provider: &Provider, call: &Call, lifetime: Duration) -> Result<(), Error> {
        let stored = Stored {
            request: self.request.clone(),
            account: self.account,
            answers: self.answers.clone(),
            browser: self.browser,
            finished: self.finished.clone(),
        };
        let plain = serde_json::to_vec(&stored).map_err(|error| Error::Failed(Box::new(error)))?;
        // it holds what people typed, and once finished a code: nothing for whoever reads the ephemeral store
        let sealed = provider.master.seal(SEALED_FOR, &plain);
        let expires = call.now.after(lifetime);
        provider
            .ephemeral
            .put(Kind::Interaction, &self.id, &sealed, expires, call.now)
            .await?;
        Ok(())
    }

    /// The answer that was given already.
    fn finished_response(&self) -> Option<AuthorizationResponse> {
        const NAMES: [&str; 5] = ["code", "error", "error_description", "state", "iss"];
        let finished = self.finished.as_ref()?;
        let known = |(name, value): &(String, String)| {
            NAMES
                .iter()
                .find(|known| *known == name)
                .map(|name| (*name, value.clone()))
        };
        let parameters = finished.parameters.iter().filter_map(known).collect();
        Some(AuthorizationResponse {
            client: self.client.name().to_owned(),
            answerable: self.request.answerable.clone(),
            parameters,
        })
    }
}

/// Opens a pending request in the browser that began it.
///
/// # Errors
/// [`Error::NotFound`] if it has ended, never was, or belongs to another browser.
pub async fn load(provider: &Provider, call: &Call, browser: &Browser, id: &str) -> Result<Interaction, Error> {
    let sealed = provider
        .ephemeral
        .get(Kind::Interaction, id, call.now)
        .await?
        .ok_or(Error::NotFound)?;
    let plain = provider.master.open(SEALED_FOR, &sealed).map_err(|_| Error::NotFound)?;
    let stored: Stored = serde_json::from_slice(&plain).map_err(|_| Error::NotFound)?;
    if !crate::crypto::equal(&stored.browser, browser.key.digest().as_bytes()) {
        return Err(Error::NotFound);
    }
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
        browser: stored.browser,
        finished: stored.finished,
    })
}

/// Somebody has signed in for this request. The browser holds the account already.
pub async fn signed_in(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    mut interaction: Interaction,
    account: &Account,
) -> Result<Next, Error> {
    interaction.go_on_with(account.user.id);
    interaction.answers.signed_in_at = Some(account.facts.auth_time);
    advance(provider, call, browser, interaction).await
}

/// One of the browser's accounts was chosen.
pub async fn choose_account(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    mut interaction: Interaction,
    user: Id<User>,
) -> Result<Next, Error> {
    if !browser.accounts.iter().any(|account| account.user.id == user) {
        return Ok(Next::Login(interaction.id));
    }
    interaction.go_on_with(user);
    advance(provider, call, browser, interaction).await
}

/// The person has allowed it, or not.
pub async fn consent(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    mut interaction: Interaction,
    consenting: Consenting,
) -> Result<Next, Error> {
    if let Some(response) = interaction.finished_response() {
        return Ok(Next::Respond(response));
    }
    let Some(account) = account_of(provider, browser, &interaction) else {
        return advance(provider, call, browser, interaction).await;
    };
    let call = &call.by(Actor::User(account.user.id));
    if consenting == Consenting::Deny {
        return deny(
            provider,
            call,
            interaction,
            "consent.denied",
            "the person did not allow it",
        )
        .await;
    }
    // only what decide would ask now may be answered: never a consent for an account that has to prove itself first
    let account_facts = facts_of(provider, &interaction, account);
    let before = load_consent(provider, &interaction, account).await?;
    let decision = prompt::decide(
        &interaction.request,
        &interaction.client,
        Some(&account_facts),
        browser.accounts.len() > 1,
        before.as_ref(),
        &interaction.answers,
        call.now,
    );
    if matches!(decision, Decision::Consent(_)) {
        give(provider, call, &interaction, account, before).await?;
        interaction.answers.consented = true;
        interaction.account = Some(account.user.id);
    }
    advance(provider, call, browser, interaction).await
}

/// The person goes back to the application without signing in.
pub async fn cancel(provider: &Provider, call: &Call, _: &Browser, interaction: Interaction) -> Result<Next, Error> {
    if let Some(response) = interaction.finished_response() {
        return Ok(Next::Respond(response));
    }
    deny(
        provider,
        call,
        interaction,
        "login.cancelled",
        "the person did not sign in",
    )
    .await
}

/// What the consent page asks.
pub async fn consent_question(
    provider: &Provider,
    _: &Call,
    browser: &Browser,
    interaction: &Interaction,
) -> Result<ConsentQuestion, Error> {
    let account = account_of(provider, browser, interaction).ok_or(Error::NotFound)?;
    let before = load_consent(provider, interaction, account).await?;
    let known = before.map(|consent| consent.scope).unwrap_or_default();
    let request = &interaction.request;
    let mut claims: Vec<String> = prompt::claim_names(request).map(str::to_owned).collect();
    claims.sort();
    claims.dedup();
    let resources = provider.resources().await?;
    let concerned = resources
        .iter()
        .filter(|resource| resource.scopes.iter().any(|scope| request.scope.contains(scope)));
    Ok(ConsentQuestion {
        user: account.user.clone(),
        scopes: request.scope.iter().map(str::to_owned).collect(),
        known_scopes: request.scope.within(&known).iter().map(str::to_owned).collect(),
        claims,
        resources: concerned
            .map(|resource| (resource.identifier.clone(), resource.name.clone()))
            .collect(),
    })
}

/// Asks the list of questions, and does what it says.
pub(super) async fn advance(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    interaction: Interaction,
) -> Result<Next, Error> {
    if let Some(response) = interaction.finished_response() {
        return Ok(Next::Respond(response));
    }
    let account = account_of(provider, browser, &interaction);
    let facts = account.map(|account| facts_of(provider, &interaction, account));
    let before = match account {
        Some(account) if interaction.client.policy.consent == ConsentMode::Ask => {
            load_consent(provider, &interaction, account).await?
        }
        _ => None,
    };
    let decision = prompt::decide(
        &interaction.request,
        &interaction.client,
        facts.as_ref(),
        browser.accounts.len() > 1,
        before.as_ref(),
        &interaction.answers,
        call.now,
    );
    let ask = match decision {
        Decision::Login(_) => Next::Login,
        Decision::Reauthenticate(_) => Next::Reauthenticate,
        Decision::SelectAccount(_) => Next::SelectAccount,
        Decision::Consent(_) => Next::Consent,
        Decision::Refuse(error) => {
            let answerable = interaction.request.answerable.clone();
            return Ok(refuse(provider, call, &interaction.client, answerable, &error).await);
        }
        Decision::Issue => {
            let account = account.ok_or_else(|| Error::defect("issue without an account"))?;
            return issue_code(provider, call, &interaction, account)
                .await
                .map(Next::Respond);
        }
    };
    let interaction = Interaction {
        account: account.map(|account| account.user.id),
        ..interaction
    };
    interaction.keep(provider, call, LIFETIME).await?;
    Ok(ask(interaction.id))
}

/// The account to go on with: the settled one, else the hinted one, else the one used last.
pub fn account_of<'a>(provider: &Provider, browser: &'a Browser, interaction: &Interaction) -> Option<&'a Account> {
    if let Some(user) = interaction.account {
        // signed out meanwhile: nobody else in this browser steps in unasked
        return browser.accounts.iter().find(|account| account.user.id == user);
    }
    if let Some(hinted) = &interaction.request.hinted_subject {
        let key = provider.pairwise_key();
        let is_hinted = |account: &&Account| subject::of(&account.user, &interaction.client, &key) == *hinted;
        if let Some(account) = browser.accounts.iter().find(is_hinted) {
            return Some(account);
        }
    }
    browser.accounts.first()
}

fn facts_of(provider: &Provider, interaction: &Interaction, account: &Account) -> prompt::Account {
    prompt::Account {
        subject: subject::of(&account.user, &interaction.client, &provider.pairwise_key()),
        auth_time: account.facts.auth_time,
        acr: account.facts.acr.clone(),
    }
}

async fn load_consent(
    provider: &Provider,
    interaction: &Interaction,
    account: &Account,
) -> Result<Option<Consent>, Error> {
    Ok(provider
        .store
        .read()
        .await?
        .find_consent(account.user.id, interaction.client.id)
        .await?)
}

async fn give(
    provider: &Provider,
    call: &Call,
    interaction: &Interaction,
    account: &Account,
    before: Option<Consent>,
) -> Result<(), Error> {
    let mut claims: Vec<String> = prompt::claim_names(&interaction.request).map(str::to_owned).collect();
    let mut scope = interaction.request.scope.clone();
    if let Some(before) = before {
        scope = before.scope.union(&scope);
        claims.extend(before.claims);
    }
    claims.sort();
    claims.dedup();
    let consent = Consent {
        user: account.user.id,
        client: interaction.client.id,
        scope,
        claims,
        given_at: call.now,
    };
    let event = call
        .event(EventKind::Consent)
        .user(account.user.id)
        .client(interaction.client.id);
    let mut store = provider.store.write().await?;
    store.give_consent(&consent).await?;
    store.add_event(&event).await?;
    store.commit().await?;
    Ok(())
}

async fn deny(
    provider: &Provider,
    call: &Call,
    mut interaction: Interaction,
    rule: &'static str,
    description: &'static str,
) -> Result<Next, Error> {
    let error = OAuthError::new(ErrorCode::AccessDenied, rule, description);
    let next = refuse(
        provider,
        call,
        &interaction.client,
        interaction.request.answerable.clone(),
        &error,
    )
    .await;
    if let Next::Respond(response) = &next {
        finish(provider, call, &mut interaction, response).await?;
    }
    Ok(next)
}

/// Makes the code. What it stands for waits in the ephemeral store; redeeming it is one durable write.
async fn issue_code(
    provider: &Provider,
    call: &Call,
    interaction: &Interaction,
    account: &Account,
) -> Result<AuthorizationResponse, Error> {
    let request = &interaction.request;
    let code = Secret::generate();
    let expires_at = call
        .now
        .after(provider.settings().await?.duration(setting::CODE_LIFETIME));
    let payload = CodePayload {
        client: interaction.client.id,
        user: account.user.id,
        session: account.session.id,
        redirect_uri: request.answerable.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        expires_at,
        epoch: provider.ephemeral.epoch(),
        terms: GrantTerms {
            scope: request.scope.clone(),
            resources: request.resources.clone(),
            claims: request.claims.clone(),
            nonce: request.nonce.clone(),
            auth_time: account.facts.auth_time,
            acr: account.facts.acr.clone(),
            amr: account.facts.amr.clone(),
        },
    };
    let plain = serde_json::to_vec(&payload).map_err(|error| Error::Failed(Box::new(error)))?;
    let digest: Digest = code.digest();
    provider
        .ephemeral
        .put(
            Kind::CodePayload,
            &authorization_code::key_of(&digest),
            &plain,
            expires_at,
            call.now,
        )
        .await?;
    let mut event = call
        .by(Actor::User(account.user.id))
        .event(EventKind::Authorization)
        .user(account.user.id)
        .client(interaction.client.id)
        .fact("session", Fact::Id(account.session.id.uuid()));
    if let Some(challenge) = &request.code_challenge
        && challenge::is_repeated(provider, call, &interaction.client, challenge).await?
    {
        // noticed, not refused: a client that sends constants has to be found before it can be forbidden
        event = event.because("pkce.challenge_repeated");
    }
    provider.note(event).await;
    let answerable: Answerable = request.answerable.clone();
    let response = AuthorizationResponse::code(&interaction.client, answerable, provider.issuer.as_str(), &code);
    if interaction.account.is_some() {
        // people were asked: the second click on the last page gets the same answer
        finish(provider, call, &mut interaction.clone(), &response).await?;
    }
    Ok(response)
}

async fn finish(
    provider: &Provider,
    call: &Call,
    interaction: &mut Interaction,
    response: &AuthorizationResponse,
) -> Result<(), Error> {
    let parameters = response
        .parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    interaction.finished = Some(Finished { parameters });
    interaction.keep(provider, call, AFTERGLOW).await
}
