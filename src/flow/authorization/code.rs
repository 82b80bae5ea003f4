//! The code: made once nothing is left to ask.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::interaction::Interaction;
use super::{Next, challenge};
use crate::crypto;
use crate::ephemeral::{Kind, Owner};
use crate::flow::session::{Account, Browser, session_state};
use crate::flow::token::authorization_code;
use crate::flow::{Call, Error, Provider};
use crate::model::setting;
use crate::model::{Actor, EventKind, Fact, GrantTerms, Secret, Timestamp};
use crate::protocol::acr;
use crate::protocol::authorization_request::Answerable;
use crate::protocol::authorization_response::AuthorizationResponse;
use crate::protocol::code_exchange::CodePayload;

/// How many codes of one person may wait at one client to be redeemed: past it the oldest is forgotten, so that storage stays
/// bounded (SEC-066).
const MOST_WAITING: u32 = 100;
/// What the key is derived for by which people's codes at clients are told apart.
const PURPOSE: &str = "codes by user and client";

/// Makes the code. What it stands for waits in the ephemeral store; redeeming it is one durable write.
pub(super) async fn issue(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    interaction: &Interaction,
    account: &Account,
) -> Result<Next, Error> {
    let request = &interaction.request;
    let owner = owner(provider, interaction, account);
    let code = code_of(provider, interaction, account);
    let expires_at = expiry(provider, call).await?;
    let acr_names = acr::Names::of(provider.settings().await?.names(setting::ACR_NAMES));
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
            acr: acr::told(request, &account.facts.acr, &acr_names).to_owned(),
            amr: account.facts.amr.clone(),
            journey: Some(interaction.trace),
        },
    };
    let plain = serde_json::to_vec(&payload).map_err(|error| Error::Failed(Box::new(error)))?;
    let key = authorization_code::key_of(&code);
    provider
        .ephemeral
        .put_within(
            Kind::CodePayload,
            (&owner, MOST_WAITING),
            &key,
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
    let client = &interaction.client;
    let session_state = session_state(provider, browser, client, &answerable.redirect_uri, code.expose());
    let response = AuthorizationResponse::code(client, answerable, provider.issuer.as_str(), &code)
        .with_session_state(session_state);
    let next = Next::Respond(response);
    if interaction.account.is_some() {
        // people were asked: the second click on the last page gets the same answer
        interaction.clone().finish(provider, call, &next).await?;
    }
    Ok(next)
}

/// 256 bits that nobody guesses, and after them the letter by which the store finds what belongs together.
pub(super) fn code_of(provider: &Provider, interaction: &Interaction, account: &Account) -> Secret {
    let owner = owner(provider, interaction, account);
    Secret::new(format!("{}{}", derive(provider, interaction, account), owner.mark()))
}

/// When a code that is made now expires.
pub(super) async fn expiry(provider: &Provider, call: &Call) -> Result<Timestamp, Error> {
    let settings = provider.settings().await?;
    Ok(call.now.after(settings.duration(setting::CODE_LIFETIME)))
}

/// Derived from the request's handle, which is random, and the session: a form that is sent twice at once gets the same code
/// twice.
fn derive(provider: &Provider, interaction: &Interaction, account: &Account) -> String {
    let key = provider.master.derive("authorization code");
    let session = account.session.id.uuid();
    let mac = crypto::mac(&key, &[interaction.id.as_bytes(), session.as_bytes()]);
    URL_SAFE_NO_PAD.encode(mac)
}

/// Whose codes are counted together.
fn owner(provider: &Provider, interaction: &Interaction, account: &Account) -> Owner {
    let key = provider.master.derive(PURPOSE);
    let parts = [account.user.id.uuid(), interaction.client.id.uuid()];
    let [user, client] = parts.each_ref().map(|id| id.as_bytes().as_slice());
    Owner::new(crypto::mac(&key, &[user, client]))
}
