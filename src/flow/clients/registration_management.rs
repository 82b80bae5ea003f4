//! Managing a registration: RFC 7592. The registration access token says for which client, and whoever has another one is
//! told the same as for a client that does not exist.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::authority::Authority;
use super::change::{ClientChange, change};
use super::end;
use super::initial_access_token::refusal;
use super::registration::{in_registration, information, metadata, read};
use crate::ephemeral::{Counted, Counter, Spent};
use crate::flow::guess::{self, Account};
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, Client, ClientOrigin, Digest, EventKind, Secret};
use crate::protocol::client_registration::{MemberError, refusal as refuse_metadata};

/// How often a client may change its registration, and in which time.
const CHANGES: u32 = 60;
const CHANGES_PERIOD: Duration = Duration::from_secs(3600);

/// Reads a registration (section 2.1). Its secret is not told again.
pub async fn find(
    provider: &Provider,
    call: &Call,
    client_id: &str,
    token: Option<Secret>,
) -> Result<Map<String, Value>, Error> {
    let (client, token) = authorize(provider, call, client_id, token).await?;
    Ok(information(provider, &client, None, &token))
}

/// Replaces a registration (section 2.2): what the body leaves out takes its default.
pub async fn replace(
    provider: &Provider,
    call: &Call,
    client_id: &str,
    token: Option<Secret>,
    body: &[u8],
) -> Result<Map<String, Value>, Error> {
    let (client, token) = authorize(provider, call, client_id, token).await?;
    let call = call.by(Actor::Client(client.id));
    spend_change(provider, &call, &client).await?;
    let members = read(body)?;
    if members.get("client_id").and_then(Value::as_str) != Some(client_id) {
        return Err(refuse_metadata(&[MemberError::new(
            "client_id",
            "required",
            "must be that of the registration",
        )])
        .into());
    }
    let secret = members.get("client_secret").filter(|secret| !secret.is_null());
    if secret.is_some_and(|secret| !is_known(&client, secret, &call)) {
        // section 2.2: a client can't choose its own
        return Err(refuse_metadata(&[MemberError::new("client_secret", "invalid", "must be the present one")]).into());
    }
    let wanted = ClientChange {
        metadata: Some(metadata(&members)?),
        policy: None,
        trusted: None,
        expected_version: None,
        authority: Authority::Registration,
    };
    let changed = change(provider, &call, client.id, wanted)
        .await
        .map_err(in_registration)?;
    Ok(information(provider, &changed.client, changed.secret.as_ref(), &token))
}

/// Ends a registration (section 2.3).
pub async fn delete(provider: &Provider, call: &Call, client_id: &str, token: Option<Secret>) -> Result<(), Error> {
    let (client, _) = authorize(provider, call, client_id, token).await?;
    let call = call.by(Actor::Client(client.id));
    end::delete(provider, &call, &Authority::Registration, client.id, None)
        .await
        .map_err(in_registration)
}

/// Each change is a row of the audit log.
async fn spend_change(provider: &Provider, call: &Call, client: &Client) -> Result<(), Error> {
    let key = format!("change {}", client.id);
    let counter = Counter::new(Counted::Registration, &key);
    match provider
        .ephemeral
        .spend(counter, CHANGES, CHANGES_PERIOD, call.now)
        .await?
    {
        Spent::Allowed { .. } => Ok(()),
        Spent::Refused { retry_after } => Err(Error::Throttled {
            retry_after,
            rule: "client_registration.changes",
        }),
    }
}

async fn authorize(
    provider: &Provider,
    call: &Call,
    client_id: &str,
    token: Option<Secret>,
) -> Result<(Arc<Client>, Secret), Error> {
    let Some(token) = token else {
        return Err(refusal("registration_access_token_missing").into());
    };
    let account = Account::Client(client_id);
    guess::look(provider, call, account).await?;
    let client = provider.client(client_id).await?;
    let registered = client.as_deref().and_then(|client| client.registration_token);
    // nobody is compared with, too
    let known = registered.unwrap_or_else(|| Digest::of(b""));
    let matches = known.matches(&token.digest()) && registered.is_some();
    let may = |client: &Client| client.disabled_at.is_none() && client.origin == ClientOrigin::Registration;
    match client.filter(|client| matches && may(client)) {
        Some(client) => Ok((client, token)),
        None => {
            if guess::wrong(provider, call, account).await? {
                let rule = "registration_access_token_invalid";
                let event = call.event(EventKind::RegistrationToken).refused(rule);
                provider.note_strangers_refusal(call, event, rule).await;
            }
            Err(refusal("registration_access_token_invalid").into())
        }
    }
}

fn is_known(client: &Client, secret: &Value, call: &Call) -> bool {
    let Some(digest) = secret.as_str().map(|text| Digest::of(text.as_bytes())) else {
        return false;
    };
    client
        .secrets
        .iter()
        .filter(|known| known.expires_at.is_none_or(|end| call.now < end))
        .any(|known| known.digest.matches(&digest))
}
