//! Making a client.

use serde_json::Map;

use super::authority::Authority;
use super::secret::{self, Given};
use super::{change, forget, sector_document, validation};
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, ClientMetadata, ClientOrigin, ClientPolicy, Digest, EventKind, Id, Layer, Secret};
use crate::random;
use crate::store::{self, Write};

/// The longest `client_id`.
const LONGEST_CLIENT_ID: usize = 200;

/// A client to be.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// What describes it.
    pub metadata: ClientMetadata,
    /// What the operator decided.
    pub policy: ClientPolicy,
    /// Its `client_id`; made up if nobody says.
    pub client_id: Option<String>,
    /// Its secret, where somebody brings one.
    pub secret: Option<Given>,
    /// Whether somebody vouches for it.
    pub trusted: bool,
    /// What whoever makes it may confer.
    pub authority: Authority,
}

/// A client that was made.
#[derive(Clone, Debug)]
pub struct Created {
    /// The client.
    pub client: Client,
    /// Its secret, if it has one: shown this once only.
    pub secret: Option<Secret>,
}

/// Makes a client.
///
/// # Errors
/// [`Error::Invalid`] with every field that can't be taken; [`Error::Conflict`] if the `client_id` is taken;
/// [`Error::Forbidden`] for scopes that go beyond the authority.
pub async fn create(provider: &Provider, call: &Call, new: NewClient) -> Result<Created, Error> {
    let created = build(provider, call, new, None).await?;
    let mut store = provider.store.write().await?;
    add(&mut store, call, &created.client).await?;
    store.commit().await?;
    forget(provider).await;
    Ok(created)
}

/// Refuses what can be seen to be wrong with a client to be before anything is changed.
///
/// # Errors
/// As [`create`], but for a `client_id` that is taken.
pub async fn judge(provider: &Provider, call: &Call, new: NewClient) -> Result<(), Error> {
    build(provider, call, new, None).await.map(drop)
}

/// Judges a client to be and puts it together; nothing is stored yet. One with a registration token registered itself.
pub(in crate::flow) async fn build(
    provider: &Provider,
    call: &Call,
    new: NewClient,
    registration_token: Option<Digest>,
) -> Result<Created, Error> {
    validation::validate(&provider.egress, &new.metadata, &new.policy)?;
    new.authority.require(&new.metadata)?;
    let client_id = match new.client_id {
        Some(client_id) => spelled(client_id)?,
        None => random::hex_id(),
    };
    let method = new.metadata.token_endpoint_auth_method;
    if new.secret.is_some() && !method.uses_secret() {
        let detail = "client_secret must not be there for a client that authenticates without one";
        return Err(Error::field("/client_secret", "contradiction", detail));
    }
    let secret = if method.uses_secret() {
        Some(secret::take(new.secret, method)?)
    } else {
        None
    };
    sector_document::judge(provider, &new.metadata).await?;
    let secrets = secret
        .iter()
        .map(|secret| secret::store_form(provider, secret, method, call.now))
        .collect();
    let client = Client {
        id: Id::new(call.now),
        client_id,
        version: 1,
        created_at: call.now,
        updated_at: call.now,
        disabled_at: None,
        origin: match registration_token {
            Some(_) => ClientOrigin::Registration,
            None => ClientOrigin::Operator,
        },
        trusted: new.trusted,
        metadata: new.metadata,
        policy: new.policy,
        settings: Layer::new(),
        secrets,
        registration_token,
        unused_until: None,
    };
    Ok(Created { client, secret })
}

/// Stores a client with its event, as a part of a transaction.
pub(in crate::flow) async fn add(store: &mut Write, call: &Call, client: &Client) -> Result<(), Error> {
    match store.add_client(client).await {
        Err(store::Error::Taken(_)) => return Err(Error::Conflict("the client_id is taken")),
        stored => stored?,
    }
    store
        .add_event(
            &call
                .event(EventKind::ClientCreated)
                .client(client.id)
                .changing(&Map::new(), &change::values_of(client)),
        )
        .await?;
    Ok(store.raise_client_generation().await?)
}

/// RFC 6749 appendix A.1, without the blank, which no URL and no log keeps well.
fn spelled(client_id: String) -> Result<String, Error> {
    let visible = client_id.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && (1..=LONGEST_CLIENT_ID).contains(&client_id.len()) {
        Ok(client_id)
    } else {
        let detail = "client_id must be visible ASCII of at most 200 characters";
        Err(Error::field("/client_id", "invalid", detail))
    }
}
