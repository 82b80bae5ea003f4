//! Clients as the API spells them: the members of RFC 7591 and OpenID Connect Dynamic Client Registration, and beside them what
//! only the operator decides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Problem;
use super::body::pointer;
use crate::flow::clients::logouts::LogoutRow;
use crate::flow::{Error, FieldError};
use crate::model::{Client, ClientMetadata, ClientPolicy, ClientSecret, Secret};
use crate::protocol::client_registration::{
    Answered, METADATA_MEMBERS, MemberError, POLICY_MEMBERS, answer, read_metadata, read_policy,
};

/// What describes a client, and what the operator decides about it.
#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "ClientMembers")]
pub(super) struct ClientMembers {
    /// Where codes may be sent; compared byte for byte.
    redirect_uris: Option<Vec<String>>,
    /// `code`.
    response_types: Option<Vec<String>>,
    /// `authorization_code`, `refresh_token`, `client_credentials`.
    grant_types: Option<Vec<String>>,
    /// `web` or `native`.
    application_type: Option<String>,
    /// People responsible for it.
    contacts: Option<Vec<String>>,
    /// Its name, shown to people.
    client_name: Option<String>,
    /// Its logo, shown to people.
    logo_uri: Option<String>,
    /// Its home page.
    client_uri: Option<String>,
    /// How it uses data.
    policy_uri: Option<String>,
    /// Its terms of service.
    tos_uri: Option<String>,
    /// Where its keys are; never beside `jwks`.
    jwks_uri: Option<String>,
    /// Its keys by value: a JWK Set.
    jwks: Option<Value>,
    /// The document that lists the redirect URIs of its sector.
    sector_identifier_uri: Option<String>,
    /// `public` or `pairwise`.
    subject_type: Option<String>,
    /// What signs its ID tokens.
    id_token_signed_response_alg: Option<String>,
    /// What signs its userinfo answers; plain JSON if absent.
    userinfo_signed_response_alg: Option<String>,
    /// How it authenticates.
    token_endpoint_auth_method: Option<String>,
    /// What signs its assertions.
    token_endpoint_auth_signing_alg: Option<String>,
    /// `max_age` where a request names none, in seconds.
    default_max_age: Option<u32>,
    /// Whether `auth_time` is wanted in every ID token.
    require_auth_time: Option<bool>,
    /// `acr_values` where a request names none.
    default_acr_values: Option<Vec<String>>,
    /// Where a login may be started from our side.
    initiate_login_uri: Option<String>,
    /// Where people may be sent after signing out.
    post_logout_redirect_uris: Option<Vec<String>>,
    /// Where it is told, by a signed token from this server, that a session has ended.
    backchannel_logout_uri: Option<String>,
    /// Whether it needs the session's name there; it always gets it.
    backchannel_logout_session_required: Option<bool>,
    /// What the browser loads when the person signs out; scheme, host and port of one of the redirect URIs.
    frontchannel_logout_uri: Option<String>,
    /// Whether it needs the session's name there; it always gets it.
    frontchannel_logout_session_required: Option<bool>,
    /// The scopes it may ask for, with spaces between.
    scope: Option<String>,
    /// Browser origins that may call our endpoints for it.
    allowed_cors_origins: Option<Vec<String>>,
    /// Which software it is.
    software_id: Option<String>,
    /// And in which version.
    software_version: Option<String>,
    /// PKCE is demanded although the client is confidential.
    require_pkce: Option<bool>,
    /// `ask` or `skip`.
    consent: Option<String>,
    /// `jwt` or `opaque`.
    access_token_format: Option<String>,
    /// `query`, `form_post`.
    response_modes: Option<Vec<String>>,
    /// Identifiers of the resources it serves: it may introspect tokens for these.
    serves: Option<Vec<String>>,
    /// Identifiers of the resources it may ask tokens for; any if empty.
    resources: Option<Vec<String>>,
    /// Whether it may ask people for their passwords itself, at the authorization challenge endpoint.
    first_party: Option<bool>,
    /// Who may use it: `everybody`, or `assigned`: whom it is given to (`/clients/{id}/access`).
    users: Option<String>,
    /// Whether somebody vouches for it; not so for what registered itself while anyone could.
    trusted: Option<bool>,
}

/// The member that says whether somebody vouches for a client.
pub(super) const TRUSTED: &str = "trusted";

/// A client to make.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewClient")]
#[expect(
    dead_code,
    reason = "the members are read by the protocol's own reader; this is their description"
)]
pub(super) struct NewClientBody {
    /// What it calls itself; made up if absent.
    client_id: Option<String>,
    /// Its secret, of at least 32 characters; made up if absent.
    client_secret: Option<String>,
    #[serde(flatten)]
    members: ClientMembers,
}

/// A client.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Client")]
pub(super) struct ClientBody {
    /// The id of this API.
    id: String,
    /// What it calls itself.
    client_id: String,
    /// When it was made, in seconds since 1970 (RFC 7591 section 3.2.1).
    client_id_issued_at: i64,
    /// `active` or `disabled`.
    status: String,
    /// Who made it: `operator` or `registration`.
    origin: String,
    /// When it was made.
    created_at: String,
    /// When it last changed.
    updated_at: String,
    /// When it goes if nobody has signed in to it until then; absent for whatever stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    unused_until: Option<String>,
    /// The secret, where it was just made: told this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// 0: it does not expire by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<i64>,
    #[serde(flatten)]
    members: ClientMembers,
}

/// A secret, without itself (SEC-141).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ClientSecret")]
pub(super) struct SecretBody {
    /// Its id.
    id: String,
    /// When it was made.
    created_at: String,
    /// From when on it no longer counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// A secret that was just made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewClientSecret")]
pub(super) struct NewSecretBody {
    /// The secret: told this once.
    pub(super) client_secret: String,
}

/// Whether a client was told of the end of a session.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LogoutDelivery")]
pub(super) struct DeliveryBody {
    /// The session: the claim `sid`.
    session: String,
    /// When it ended.
    created_at: String,
    /// `waiting`, `delivered`, `refused` or `given_up`.
    outcome: String,
    /// How often it was tried.
    attempts: i64,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
    /// When the client was told, or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    /// Why the last attempt did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl DeliveryBody {
    pub(super) fn of(delivery: &LogoutRow) -> Self {
        Self {
            session: delivery.session.to_string(),
            created_at: delivery.created_at.rfc3339(),
            outcome: delivery.outcome.to_string(),
            attempts: delivery.attempts,
            next_at: delivery.next_at.map(|at| at.rfc3339()),
            finished_at: delivery.finished_at.map(|at| at.rfc3339()),
            error: delivery.error.clone(),
        }
    }
}

impl SecretBody {
    pub(super) fn of(secret: &ClientSecret) -> Self {
        Self {
            id: secret.id.to_string(),
            created_at: secret.created_at.rfc3339(),
            expires_at: secret.expires_at.map(|at| at.rfc3339()),
        }
    }
}

/// The client as the API tells of it, with a secret that was just made.
pub(super) fn told(client: &Client, secret: Option<&Secret>) -> Map<String, Value> {
    let mut members = answer(
        client,
        Answered {
            secret,
            management: None,
        },
    );
    if let Ok(Value::Object(policy)) = serde_json::to_value(&client.policy) {
        members.extend(policy);
    }
    let status = if client.disabled_at.is_some() {
        "disabled"
    } else {
        "active"
    };
    let more = [
        ("id", client.id.to_string()),
        ("status", status.to_owned()),
        ("origin", client.origin.to_string()),
        ("created_at", client.created_at.rfc3339()),
        ("updated_at", client.updated_at.rfc3339()),
    ];
    for (name, value) in more {
        members.insert(name.to_owned(), value.into());
    }
    members.insert(TRUSTED.to_owned(), client.trusted.into());
    if let Some(until) = client.unused_until {
        members.insert("unused_until".to_owned(), until.rfc3339().into());
    }
    members
}

/// What a body says a client is. `more` are the members that may stand beside.
///
/// # Errors
/// 422 naming every member that is unknown or can't be taken.
pub(super) fn read(members: &Map<String, Value>, more: &[&str]) -> Result<(ClientMetadata, ClientPolicy), Problem> {
    let is_known =
        |name: &str| METADATA_MEMBERS.contains(&name) || POLICY_MEMBERS.contains(&name) || more.contains(&name);
    let mut errors: Vec<FieldError> = members
        .keys()
        .filter(|name| !is_known(name))
        .map(|name| FieldError {
            pointer: pointer(name),
            code: "unknown",
            detail: "a client has no such member".to_owned(),
        })
        .collect();
    let metadata = read_metadata(members).map_err(|wrong| errors.extend(wrong.into_iter().map(field)));
    let policy = read_policy(members).map_err(|wrong| errors.extend(wrong.into_iter().map(field)));
    match (metadata, policy) {
        (Ok(metadata), Ok(policy)) if errors.is_empty() => Ok((metadata, policy)),
        _ => Err(Error::Invalid(errors).into()),
    }
}

/// What a merge patch makes of a client (RFC 7396): a member that is `null` goes back to what it is unless told.
///
/// # Errors
/// As [`read`].
pub(super) fn patched(client: &Client, patch: &Map<String, Value>) -> Result<(ClientMetadata, ClientPolicy), Problem> {
    let mut members = Map::new();
    for whole in [
        serde_json::to_value(&client.metadata),
        serde_json::to_value(&client.policy),
    ] {
        if let Ok(Value::Object(known)) = whole {
            members.extend(known);
        }
    }
    for (name, value) in patch.iter().filter(|(name, _)| *name != TRUSTED) {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    // what the patch names and nobody knows is refused, also where it would be removed
    if let Some((name, _)) = patch.iter().find(|(name, value)| {
        value.is_null() && !METADATA_MEMBERS.contains(&name.as_str()) && !POLICY_MEMBERS.contains(&name.as_str())
    }) {
        return Err(Error::field(pointer(name), "unknown", "a client has no such member").into());
    }
    read(&members, &[])
}

fn field(error: MemberError) -> FieldError {
    FieldError {
        pointer: error.pointer,
        code: error.code,
        detail: error.detail,
    }
}
