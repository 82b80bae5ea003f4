//! Initial access tokens: who holds one may register clients (RFC 7591 section 3).

use std::time::Duration;

use crate::flow::guess::{self, Account};
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Fact, Id, Secret};
use crate::protocol::{ErrorCode, OAuthError};
use crate::store::RegistrationToken;

/// The most tokens that are listed.
const MOST_LISTED: u32 = 1000;
/// The longest name, in characters.
const LONGEST_NAME: usize = 200;
/// The longest that a token lives.
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);

/// An initial access token to be.
#[derive(Clone, Debug)]
pub struct NewRegistrationToken {
    /// What it is for.
    pub name: String,
    /// How many clients may be registered with it; none: any number.
    pub uses: Option<u32>,
    /// How long it lives, a year at most.
    pub life: Duration,
}

/// Makes an initial access token, shown this once only.
pub async fn create(
    provider: &Provider,
    call: &Call,
    new: NewRegistrationToken,
) -> Result<(RegistrationToken, Secret), Error> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Error::field(
            "/name",
            "invalid",
            "name must be a line of at most 200 characters",
        ));
    }
    if new.uses == Some(0) {
        return Err(Error::field("/uses", "invalid", "uses must be at least 1"));
    }
    if new.life.is_zero() || new.life > LONGEST_LIFE {
        return Err(Error::field(
            "/life",
            "invalid",
            "life must be more than nothing and at most a year",
        ));
    }
    let secret = Secret::generate();
    let token = RegistrationToken {
        id: Id::new(call.now),
        digest: secret.digest(),
        name: name.to_owned(),
        uses_left: new.uses.map(i64::from),
        created_at: call.now,
        expires_at: call.now.after(new.life),
        revoked_at: None,
    };
    let mut store = provider.store.write().await?;
    store.add_registration_token(&token).await?;
    let event = call.event(EventKind::RegistrationToken).because("created");
    store.add_event(&event.fact("token", Fact::Id(token.id.uuid()))).await?;
    store.commit().await?;
    Ok((token, secret))
}

/// The newest initial access tokens.
pub async fn list(provider: &Provider) -> Result<Vec<RegistrationToken>, Error> {
    Ok(provider
        .store
        .read()
        .await?
        .list_registration_tokens(MOST_LISTED)
        .await?)
}

/// Revokes an initial access token. Clients registered with it stay.
pub async fn revoke(provider: &Provider, call: &Call, id: Id<RegistrationToken>) -> Result<(), Error> {
    let mut store = provider.store.write().await?;
    if !store.revoke_registration_token(id, call.now).await? {
        store.abandon().await?;
        return Err(Error::NotFound);
    }
    let event = call.event(EventKind::RegistrationToken).because("revoked");
    store.add_event(&event.fact("token", Fact::Id(id.uuid()))).await?;
    Ok(store.commit().await?)
}

/// Refuses whoever does not hold a token that counts. Using it up is another matter, and the database's.
pub(super) async fn require(provider: &Provider, call: &Call, token: Option<&Secret>) -> Result<(), Error> {
    let Some(token) = token else {
        return Err(refusal("initial_access_token_missing").into());
    };
    let account = Account::RegistrationToken;
    guess::look(provider, call, account).await?;
    let found = provider
        .store
        .read()
        .await?
        .find_registration_token(&token.digest())
        .await?;
    let counts = found.is_some_and(|found| {
        found.revoked_at.is_none() && call.now < found.expires_at && found.uses_left.is_none_or(|left| left > 0)
    });
    if counts {
        return guess::right(provider, call, account).await;
    }
    if guess::wrong(provider, call, account).await? {
        let rule = "initial_access_token_invalid";
        let event = call.event(EventKind::RegistrationToken).refused(rule);
        provider.note_strangers_refusal(call, event, rule).await;
    }
    Err(refusal("initial_access_token_invalid").into())
}

/// RFC 6750 section 3.1, the same for every reason.
pub(super) const fn refusal(rule: &'static str) -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidToken,
        rule,
        "the access token is missing, unknown or no longer valid",
    )
}
