//! What people say to the questions of an authorization request. Every answer ends in [`advance`], which asks the same list of
//! questions again; no page knows what comes after it.

use super::error_redirect::{Refused, refuse};
use super::interaction::{Interaction, LIFETIME, account_of};
use super::{code, decisions, logins};
use crate::flow::clients::may_use;
use crate::flow::effective;
use crate::flow::session::{Account, Browser, Purpose, demand, is_multiple};
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{ACR_NAMES, MFA_REQUIRED, SettingValue};
use crate::model::{Actor, Consent, ConsentMode, EventKind, Id, User};
use crate::protocol::acr::{self, Demand};
use crate::protocol::authorization_response::AuthorizationResponse;
use crate::protocol::prompt::{self, Decision};
use crate::protocol::{ErrorCode, OAuthError, subject};

/// What comes next.
#[derive(Clone, Debug)]
pub enum Next {
    /// Ask who they are.
    Login(String),
    /// Ask the known person to prove it once more.
    Reauthenticate(String),
    /// Ask the known person for the second factor alone: the proof waits for it under this handle.
    StepUp(String),
    /// Ask which account.
    SelectAccount(String),
    /// Ask whether they allow it.
    Consent(String),
    /// Ask which login ends for this one, or say that there is no room.
    MakeRoom(String),
    /// Ask whether to go along with an error to a client that nobody vouches for.
    ConfirmError(String),
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
    if let Some(next) = interaction.finished() {
        return Ok(next);
    }
    let Some(account) = account_of(provider, browser, &interaction) else {
        return advance(provider, call, browser, interaction).await;
    };
    let call = &call.by(Actor::User(account.user.id));
    if consenting == Consenting::Deny {
        let why = ("consent.denied", "the person did not allow it");
        return deny(provider, call, browser, interaction, why).await;
    }
    // only what decide would ask now may be answered: never a consent for an account that has to prove itself first
    let account_facts = facts_of(provider, call, &interaction, account).await?;
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
pub async fn cancel(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    interaction: Interaction,
) -> Result<Next, Error> {
    if let Some(next) = interaction.finished() {
        return Ok(next);
    }
    let why = ("login.cancelled", "the person did not sign in");
    deny(provider, call, browser, interaction, why).await
}

/// The person goes back to the application because there is no room for one more login.
pub async fn leave_full(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    interaction: Interaction,
) -> Result<Next, Error> {
    if let Some(next) = interaction.finished() {
        return Ok(next);
    }
    let why = ("login.limit", "the person has as many logins as they may have");
    deny(provider, call, browser, interaction, why).await
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
    if let Some(next) = interaction.finished() {
        return Ok(next);
    }
    let account = account_of(provider, browser, &interaction);
    let facts = match account {
        Some(account) => Some(facts_of(provider, call, &interaction, account).await?),
        None => None,
    };
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
    let decision = match (decision, account) {
        (Decision::Issue, Some(account)) => logins::decide(provider, call, &interaction, account).await?,
        (decision, _) => decision,
    };
    let decision = match (decision, account) {
        // nobody is asked to allow what they may not use
        (Decision::Consent(_) | Decision::MakeRoom(_) | Decision::Issue, Some(account))
            if !may_use(provider, call, account.user.id, &interaction.client).await? =>
        {
            Decision::Refuse(not_given())
        }
        (decision, _) => decision,
    };
    let consent = before.as_ref();
    decisions::keep_decision(provider, call, browser, &interaction, account, consent, &decision).await;
    let ask = match &decision {
        Decision::Login(_) => Next::Login,
        Decision::Reauthenticate(_) => Next::Reauthenticate,
        Decision::StepUp(_) => Next::StepUp,
        Decision::SelectAccount(_) => Next::SelectAccount,
        Decision::Consent(_) => Next::Consent,
        Decision::MakeRoom(_) => Next::MakeRoom,
        Decision::Refuse(error) => {
            return refuse(provider, call, browser, Refused::of(&interaction), error).await;
        }
        Decision::Issue => {
            let account = account.ok_or_else(|| Error::defect("issue without an account"))?;
            return code::issue(provider, call, browser, &interaction, account).await;
        }
    };
    let mut interaction = interaction;
    // whoever it was settled on and is signed out stays the one it waits for: what they have answered counts for nobody else
    interaction.account = account.map(|account| account.user.id).or(interaction.account);
    interaction.keep(provider, call, LIFETIME).await?;
    let (Decision::StepUp(_), Some(account)) = (&decision, account) else {
        return Ok(ask(interaction.id));
    };
    let purpose = Purpose {
        client: Some(interaction.client.client_id.clone()),
        interaction: Some(interaction.id),
        return_to: None,
    };
    let handle = demand::wait_for_more(provider, call, browser, account, purpose).await?;
    Ok(ask(handle))
}

fn not_given() -> OAuthError {
    OAuthError::new(
        ErrorCode::AccessDenied,
        "authorization.not_given",
        "this application is not given to the account that is signed in",
    )
}

async fn facts_of(
    provider: &Provider,
    call: &Call,
    interaction: &Interaction,
    account: &Account,
) -> Result<prompt::Account, Error> {
    let (request, held) = (&interaction.request, &account.facts.acr);
    let lacks_factor = lacks_factor(provider, call, interaction, account).await?;
    let acr_names = acr::Names::of(provider.settings().await?.names(ACR_NAMES));
    // only where it decides something
    let wants_more = lacks_factor
        || acr::demand(request, held, &acr_names) == Demand::Stronger
        || acr::wishes_more(request, held, &acr_names);
    let can_prove_more = wants_more && {
        let mut store = provider.store.read().await?;
        !store.list_factors_of(account.user.id).await?.is_empty()
    };
    Ok(prompt::Account {
        can_prove_more,
        lacks_factor,
        subject: subject::of(&account.user, &interaction.client, &provider.pairwise_key()),
        auth_time: account.facts.auth_time,
        acr: account.facts.acr.clone(),
        acr_names,
        outlived: effective::outlived(&interaction.client, &account.facts, call.now),
    })
}

/// Whether the settings that count for the person at this client want a second factor, and the person is signed in without one.
async fn lacks_factor(
    provider: &Provider,
    call: &Call,
    interaction: &Interaction,
    account: &Account,
) -> Result<bool, Error> {
    if is_multiple(&account.facts.amr) {
        return Ok(false);
    }
    let settings = provider.settings().await?;
    let person = provider
        .person(account.user.id, call.now)
        .await?
        .ok_or(Error::NotFound)?;
    // a device that is remembered does for everyone's wish, and for that of nobody who asks for more
    let wanted_by_client = interaction.client.settings.get(MFA_REQUIRED) == Some(&SettingValue::Flag(true));
    let is_excused = account.facts.on_remembered_device && !wanted_by_client;
    Ok(!is_excused && person.layers(&settings, Some(&interaction.client)).flag(MFA_REQUIRED))
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
    browser: &Browser,
    mut interaction: Interaction,
    (rule, description): (&'static str, &'static str),
) -> Result<Next, Error> {
    let error = OAuthError::new(ErrorCode::AccessDenied, rule, description);
    decisions::keep_denied(provider, call, &interaction, &error);
    let next = refuse(provider, call, browser, Refused::of(&interaction), &error).await?;
    interaction.finish(provider, call, &next).await?;
    Ok(next)
}
