//! Dynamic registration: RFC 7591, OpenID Connect Dynamic Client Registration 1.0. Closed unless a setting opens it.

use std::time::Duration;

use serde_json::{Map, Value};

use super::authority::Authority;
use super::create::{self, NewClient};
use super::{forget, initial_access_token};
use crate::ephemeral::{Counted, Counter, Spent};
use crate::flow::{Call, Error, Provider};
use crate::model::strict_json;
use crate::model::{Client, ClientMetadata, ClientPolicy, Scopes, Secret, scope, setting};
use crate::protocol::client_registration::{self, Answered, MemberError, answer, privileged};
use crate::protocol::{ErrorCode, OAuthError};

/// Where clients register.
pub const PATH: &str = "/oauth2/register";

/// How many clients may be registered from one address where anyone may, and in which time.
const OPEN_BUDGET: u32 = 600;
const OPEN_PERIOD: Duration = Duration::from_secs(3600);

/// Registers a client: `body` is the JSON of its metadata, `token` the initial access token if one came. Gives the client
/// information response.
///
/// # Errors
/// `access_denied` while registration is closed, `invalid_token`, and those of RFC 7591 section 3.2.2.
pub async fn register(
    provider: &Provider,
    call: &Call,
    token: Option<Secret>,
    body: &[u8],
) -> Result<Map<String, Value>, Error> {
    let by_token = match provider.settings().await?.word(setting::CLIENT_REGISTRATION_MODE) {
        "token" => {
            initial_access_token::require(provider, call, token.as_ref()).await?;
            token
        }
        "open" => {
            spend_open(provider, call).await?;
            // asked before anything is fetched or made; it is decided when the client is added
            if provider.store.read().await?.open_clients().await? >= most_open(provider).await? {
                return Err(full());
            }
            None
        }
        _ => {
            return Err(OAuthError::new(
                ErrorCode::AccessDenied,
                "client_registration_closed",
                "this server does not let clients register themselves",
            )
            .into());
        }
    };
    let metadata = read(body).and_then(|members| metadata(&members))?;
    let management = Secret::generate();
    let new = NewClient {
        metadata,
        policy: ClientPolicy::default(),
        client_id: None,
        secret: None,
        // whoever holds an initial access token has it from the operator
        trusted: by_token.is_some(),
        authority: Authority::Registration,
    };
    let built = create::build(provider, call, new, Some(management.digest())).await;
    let mut created = built.map_err(in_registration)?;
    if by_token.is_none() {
        let kept = provider.settings().await?;
        let kept = kept.duration(setting::CLIENT_REGISTRATION_UNUSED_LIFETIME);
        created.client.unused_until = Some(call.now.after(kept));
    }
    let most = most_open(provider).await?;
    let mut store = provider.store.write().await?;
    if by_token.is_none() && !store.take_place_of_open_client(most).await? {
        store.abandon().await?;
        return Err(full());
    }
    if let Some(token) = &by_token
        && !store.use_registration_token(&token.digest(), call.now).await?
    {
        store.abandon().await?;
        return Err(initial_access_token::refusal("initial_access_token_used_up").into());
    }
    create::add(&mut store, call, &created.client).await?;
    store.commit().await?;
    forget(provider).await;
    Ok(information(
        provider,
        &created.client,
        created.secret.as_ref(),
        &management,
    ))
}

/// The client information response with what manages the registration (RFC 7592 section 3).
pub(super) fn information(
    provider: &Provider,
    client: &Client,
    secret: Option<&Secret>,
    management: &Secret,
) -> Map<String, Value> {
    let uri = provider.issuer.path(&format!("{PATH}/{}", client.client_id));
    answer(
        client,
        Answered {
            secret,
            management: Some((management, &uri)),
        },
    )
}

/// Reads the body: one strict JSON object.
pub(super) fn read(body: &[u8]) -> Result<Map<String, Value>, Error> {
    strict_json::object(body).map_err(|_| {
        OAuthError::new(
            ErrorCode::InvalidClientMetadata,
            "client_registration.json",
            "the request is not one JSON object",
        )
        .into()
    })
}

/// What a client may say about itself. Scopes that only the operator gives are refused by name; those nobody here knows are
/// left out, and the answer says what is left (RFC 7591 section 3.2.1).
pub(super) fn metadata(members: &Map<String, Value>) -> Result<ClientMetadata, Error> {
    if members
        .get("software_statement")
        .is_some_and(|statement| !statement.is_null())
    {
        return Err(OAuthError::new(
            ErrorCode::InvalidSoftwareStatement,
            "client_registration.software_statement",
            "software statements are not taken by this server",
        )
        .into());
    }
    let mut metadata =
        client_registration::read_metadata(members).map_err(|errors| client_registration::refusal(&errors))?;
    if metadata.scope.iter().any(privileged) {
        let error = MemberError::new("scope", "privileged", "holds a scope that only the operator can give");
        return Err(client_registration::refusal(&[error]).into());
    }
    metadata.scope = metadata
        .scope
        .within(&Scopes::from_tokens(scope::STANDARD.iter().copied()));
    Ok(metadata)
}

/// Refusals of the shared rules in the words of RFC 7591.
pub(super) fn in_registration(error: Error) -> Error {
    match error {
        Error::Invalid(fields) => {
            let member = |field: crate::flow::FieldError| MemberError {
                pointer: field.pointer,
                code: field.code,
                detail: field.detail,
            };
            client_registration::refusal(&fields.into_iter().map(member).collect::<Vec<_>>()).into()
        }
        Error::Forbidden(_) => OAuthError::new(
            ErrorCode::InvalidClientMetadata,
            "client_registration.authority",
            "the metadata asks for what only the operator can give",
        )
        .into(),
        other => other,
    }
}

async fn most_open(provider: &Provider) -> Result<i64, Error> {
    let most = provider.settings().await?.count(setting::CLIENT_REGISTRATION_MOST_OPEN);
    Ok(i64::try_from(most).unwrap_or(i64::MAX))
}

/// What strangers make the server keep is bounded (SEC-643).
fn full() -> Error {
    OAuthError::new(
        ErrorCode::TemporarilyUnavailable,
        "client_registration.full",
        "as many clients have registered themselves here as may; come again later, or ask the operator for an initial access token",
    )
    .into()
}

async fn spend_open(provider: &Provider, call: &Call) -> Result<(), Error> {
    let source = call
        .origin
        .address
        .map(|address| address.to_canonical().to_string())
        .unwrap_or_default();
    let key = format!("open {source}");
    let counter = Counter::new(Counted::Registration, &key);
    match provider
        .ephemeral
        .spend_of_stranger(counter, OPEN_BUDGET, OPEN_PERIOD, call.now)
        .await?
    {
        Spent::Allowed { .. } => Ok(()),
        Spent::Refused { retry_after } => Err(Error::Throttled {
            retry_after,
            rule: "client_registration.source",
        }),
    }
}
