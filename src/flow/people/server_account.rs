//! The account of a server: nobody signs in to it, it has no password and no mail, but a client of its own, which gets tokens for itself
//! (`client_credentials`). The client may be used while the account may, and goes with it.

use super::{ChangeSource, NewPassword, NewUser, Rights, Welcome};
use crate::flow::clients::{self, Authority, Created, NewClient, create, end};
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::{
    AccountState, ClientMetadata, ClientPolicy, GrantType, Profile, Scopes, TokenEndpointAuthMethod, User, UserKind,
    UserStatus,
};
use crate::store::Write;

/// The client of a server's account to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerClient {
    /// One that is made with it, and may ask for this; its secret is told once.
    Made(Scopes),
    /// One that is there, by its `client_id`.
    Known(String),
}

/// Who makes clients beside whoever administers.
const CLIENTS: &str = "admin:clients";

/// What can't be of a server's account, or of anybody else's.
pub(super) fn check(new: &NewUser) -> Vec<FieldError> {
    let wrong = |pointer: &str, detail: &str| FieldError {
        pointer: pointer.to_owned(),
        code: "contradiction",
        detail: detail.to_owned(),
    };
    if new.kind != UserKind::Server {
        let is_stray = new.server.is_some();
        return is_stray
            .then(|| wrong("/type", "a server's account alone has a client"))
            .into_iter()
            .collect();
    }
    let mut errors = check_profile(&new.profile);
    if !matches!(new.password, NewPassword::None) {
        errors.push(wrong("/password", "nobody signs in to a server's account"));
    }
    if new.status == UserStatus::Invited || new.welcome == Welcome::Mail {
        errors.push(wrong("/status", "a server's account has no mail"));
    }
    if new.starts_at.is_some() {
        errors.push(wrong(
            "/starts_at",
            "a server's account begins at once: make it inactive for later",
        ));
    }
    if !new.required_actions.is_empty() {
        errors.push(wrong("/required_actions", "nobody signs in to a server's account"));
    }
    errors
}

/// Where a person would be reached is nothing of a server.
pub(super) fn check_profile(profile: &Profile) -> Vec<FieldError> {
    let fields = [("/email", &profile.email), ("/phone_number", &profile.phone_number)];
    let there = fields.into_iter().filter(|(_, value)| value.is_some());
    there
        .map(|(pointer, _)| FieldError {
            pointer: pointer.to_owned(),
            code: "contradiction",
            detail: "a server's account has no mail and no telephone".to_owned(),
        })
        .collect()
}

/// Refuses what is about signing in for the account of a server.
///
/// # Errors
/// [`Error::Conflict`] `server_account`.
pub(super) fn must_be_a_persons(user: &User) -> Result<(), Error> {
    match user.kind {
        UserKind::Server => Err(Error::Conflict("server_account")),
        UserKind::Default | UserKind::Admin => Ok(()),
    }
}

/// The client that is made with an account, judged; nothing is stored yet.
pub(super) async fn build(provider: &Provider, call: &Call, new: &NewUser) -> Result<Option<Created>, Error> {
    let scope = match (new.kind, &new.server) {
        (UserKind::Server, Some(ServerClient::Made(scope))) => scope.clone(),
        (UserKind::Server, None) => Scopes::default(),
        _ => return Ok(None),
    };
    let metadata = ClientMetadata {
        response_types: Vec::new(),
        grant_types: vec![GrantType::ClientCredentials],
        client_name: Some(new.username.clone()),
        token_endpoint_auth_method: TokenEndpointAuthMethod::ClientSecretBasic,
        scope,
        ..ClientMetadata::default()
    };
    let client = NewClient {
        metadata,
        policy: ClientPolicy::default(),
        client_id: None,
        secret: None,
        trusted: true,
        // what the caller may confer is judged with the account
        authority: Authority::Operator,
    };
    let mut created = create::build(provider, call, client, None).await?;
    if new.status != UserStatus::Active {
        created.client.disabled_at = Some(call.now);
    }
    Ok(Some(created))
}

/// Stores the client of an account that is being made, or finds the one that is to be its.
pub(super) async fn add_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (user, made, known): (&mut User, Option<&Created>, Option<&ServerClient>),
) -> Result<(), Error> {
    if let Some(made) = made {
        source.must_cover([CLIENTS])?;
        authority_of(source).require(&made.client.metadata)?;
        create::add(tx, call, &made.client).await?;
        user.client = Some(made.client.id);
    }
    if let Some(ServerClient::Known(client_id)) = known {
        source.must_cover([CLIENTS])?;
        let found = tx.find_client_by_client_id(client_id).await?;
        let found =
            found.ok_or_else(|| Error::field("/client_id", "unknown", "there is no client of this client_id"))?;
        authority_of(source).require(&found.metadata)?;
        user.client = Some(found.id);
    }
    Ok(())
}

/// Has the client be usable as the account is. Nothing for a person's.
///
/// # Errors
/// [`Error::Forbidden`] for scopes that the caller does not hold.
pub(super) async fn follow_in(tx: &mut Write, call: &Call, source: &ChangeSource, user: &User) -> Result<(), Error> {
    let Some(id) = user.client else { return Ok(()) };
    let Some(client) = tx.find_client(id).await? else {
        return Ok(());
    };
    authority_of(source).require(&client.metadata)?;
    match (user.state(call.now) == AccountState::Active, client.disabled_at) {
        (true, Some(_)) => end::enable_in(tx, call, client).await.map(drop),
        (false, None) => end::disable_in(tx, call, client).await.map(drop),
        _ => Ok(()),
    }
}

/// Deletes the client with its account.
pub(super) async fn delete_in(tx: &mut Write, call: &Call, user: &User) -> Result<(), Error> {
    let Some(id) = user.client else { return Ok(()) };
    match tx.find_client(id).await? {
        Some(client) => end::delete_in(tx, call, client).await,
        None => Ok(()),
    }
}

/// What follows the commit: this node knows of it at once.
pub(in crate::flow) async fn settled(provider: &Provider, call: &Call, user: &User) {
    let Some(id) = user.client else { return };
    clients::forget(provider).await;
    if user.state(call.now) != AccountState::Active {
        end::drop_tokens(provider, id).await;
    }
}

fn authority_of(source: &ChangeSource) -> Authority {
    match source {
        ChangeSource::Api(Rights::Held(held)) => Authority::Holder(held.clone()),
        _ => Authority::Operator,
    }
}
