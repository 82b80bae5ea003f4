//! Changing what a client registered and what the operator decided about it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::authority::Authority;
use super::{forget, left, load, secret, sector_document, validation};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, ClientMetadata, ClientPolicy, EventKind, Id, Secret, TokenEndpointAuthMethod, members_of};
use crate::store::Write;

/// A change of a client; what is `None` stays.
#[derive(Clone, Debug)]
pub struct ClientChange {
    /// The whole metadata to be.
    pub metadata: Option<ClientMetadata>,
    /// The whole policy to be.
    pub policy: Option<ClientPolicy>,
    /// Whether somebody vouches for it. What is `None` stays here too, unless a client changes its own redirect URIs.
    pub trusted: Option<bool>,
    /// The version that the caller read, if it wants to be told of changes meanwhile.
    pub expected_version: Option<i64>,
    /// What whoever changes it may confer.
    pub authority: Authority,
}

/// A client that was changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The client as it is now.
    pub client: Client,
    /// A new secret, where the change needed one: shown this once only.
    pub secret: Option<Secret>,
}

/// Changes a client.
///
/// A client that comes to authenticate by secret gets one; one that no longer does loses them.
///
/// # Errors
/// As for making one; [`Error::Stale`] if somebody changed it meanwhile.
pub async fn change(provider: &Provider, call: &Call, id: Id<Client>, change: ClientChange) -> Result<Changed, Error> {
    let client = make_ready(provider, call, id, change).await?;
    let mut tx = provider.store.write().await?;
    let done = change_in(&mut tx, provider, call, &client).await;
    let changed = settle(tx, done).await?;
    forget(provider).await;
    Ok(changed)
}

/// The client that a change makes, judged, with the version that was judged. Its sector document may be fetched.
///
/// # Errors
/// As [`change`].
pub(in crate::flow) async fn make_ready(
    provider: &Provider,
    call: &Call,
    id: Id<Client>,
    change: ClientChange,
) -> Result<Client, Error> {
    let before = load(provider, id).await?;
    if change
        .expected_version
        .is_some_and(|expected| expected != before.version)
    {
        return Err(Error::Stale);
    }
    let mut client = before.clone();
    client.metadata = change.metadata.unwrap_or(client.metadata);
    client.policy = change.policy.unwrap_or(client.policy);
    client.trusted = change
        .trusted
        .unwrap_or(client.trusted && !outgrows_trust(&change.authority, &before.metadata, &client.metadata));
    validation::validate(&provider.egress, &client.metadata, &client.policy)?;
    change.authority.require(&before.metadata)?;
    change.authority.require(&client.metadata)?;
    if client.metadata.sector_identifier_uri != before.metadata.sector_identifier_uri
        || client.metadata.redirect_uris != before.metadata.redirect_uris
    {
        sector_document::judge(provider, &client.metadata).await?;
    }
    client.updated_at = call.now;
    Ok(client)
}

/// Stores a client that [`make_ready`] has given, as a part of a transaction.
pub(in crate::flow) async fn change_in(
    store: &mut Write,
    provider: &Provider,
    call: &Call,
    client: &Client,
) -> Result<Changed, Error> {
    let id = client.id;
    let secrets = Secrets::of(client);
    let before = store.find_client(id).await?.ok_or(Error::NotFound)?;
    if !store.change_client(client).await? {
        return Err(Error::Stale);
    }
    let mut secret = None;
    if secrets != Secrets::Kept {
        store.delete_client_secrets(id).await?;
    }
    if secrets == Secrets::New {
        let made = Secret::generate();
        let method = client.metadata.token_endpoint_auth_method;
        store
            .add_client_secret(id, &secret::store_form(provider, &made, method, call.now))
            .await?;
        secret = Some(made);
    }
    store
        .add_event(
            &call
                .event(EventKind::ClientChanged)
                .client(id)
                .changing(&values_of(&before), &values_of(client)),
        )
        .await?;
    store.raise_client_generation().await?;
    let client = left(store, id).await?;
    Ok(Changed { client, secret })
}

/// What of a client the history tells, by field.
pub(super) fn values_of(client: &Client) -> Map<String, Value> {
    let mut values = members_of(&client.metadata);
    values.extend(members_of(&client.policy));
    values.insert("trusted".to_owned(), client.trusted.into());
    values
}

/// Whether a client took itself elsewhere (RFC 7592 section 2.2): whoever vouched for it did so for the addresses that it had.
fn outgrows_trust(authority: &Authority, before: &ClientMetadata, after: &ClientMetadata) -> bool {
    let addresses = |metadata: &ClientMetadata| metadata.redirect_uris.iter().cloned().collect::<BTreeSet<_>>();
    matches!(authority, Authority::Registration) && addresses(before) != addresses(after)
}

/// What a change of the method does to the secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Kept,
    Gone,
    New,
}

impl Secrets {
    fn of(client: &Client) -> Self {
        let sealed = client.secrets.iter().any(|secret| secret.sealed.is_some());
        match client.metadata.token_endpoint_auth_method {
            TokenEndpointAuthMethod::None | TokenEndpointAuthMethod::PrivateKeyJwt if client.secrets.is_empty() => {
                Self::Kept
            }
            TokenEndpointAuthMethod::None | TokenEndpointAuthMethod::PrivateKeyJwt => Self::Gone,
            // a secret that was kept as a digest can't verify an HMAC
            TokenEndpointAuthMethod::ClientSecretJwt if !sealed => Self::New,
            _ if client.secrets.is_empty() => Self::New,
            _ => Self::Kept,
        }
    }
}
