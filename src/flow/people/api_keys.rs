//! Keys of scripts to the administration API. A key acts as the person or client it was made for, and may do what both its scopes
//! and its owner's rights say, looked up at each request: whoever is deactivated, or loses a right, loses it in their keys too.

use std::time::Duration;

use super::rights::{Rights, both};
use super::{Page, permissions};
use crate::crypto;
use crate::flow::guess::{self, Account};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::{Actor, Client, Digest, EventKind, Fact, Id, Scopes, Secret, Timestamp};
pub use crate::store::{ApiKey, KeyOwner};
use crate::{model, store};

/// What every key begins with, so that whoever looks through files for secrets finds it.
const PREFIX: &str = "ostk_";
/// How many characters of a key are kept, to tell keys apart.
const BEGINNING: usize = PREFIX.len() + 6;
/// How many characters of a digest end it: what was mistyped or made up costs nobody a look.
const CHECK: usize = 6;
/// The longest name, in characters.
const LONGEST_NAME: usize = 200;
/// How long a key lives unless told.
pub const LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The longest that a key lives.
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// So many keys of one owner count at a time.
const MOST: i64 = 50;
/// How exact it is kept when one was used.
const USED_EVERY: Duration = Duration::from_secs(60 * 60);

/// A key to be.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// What it is for.
    pub name: String,
    /// As whom it acts.
    pub owner: KeyOwner,
    /// What it may do at most.
    pub scopes: Vec<String>,
    /// How long it lives, a year at most.
    pub life: Duration,
}

/// Who makes a key.
#[derive(Clone, Debug)]
pub struct Maker<'r> {
    /// What they may do.
    pub rights: &'r Rights,
    /// The key that they call with, if they do: what it makes does not outlive it.
    pub key: Option<Id<ApiKey>>,
}

/// A key that counts.
#[derive(Clone, Debug)]
pub struct VerifiedKey {
    /// Which.
    pub id: Id<ApiKey>,
    /// As whom it acts.
    pub owner: KeyOwner,
    /// What it may do now.
    pub permissions: Scopes,
}

/// Whether a bearer token is meant to be one of these.
pub fn is_api_key(token: &Secret) -> bool {
    token.expose().starts_with(PREFIX)
}

/// Makes a key, shown this once only. Nobody makes one that may do what they may not, nor one that acts as somebody who may do more
/// than they.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Forbidden`]; [`Error::Conflict`] if the owner has as many as there may be.
pub async fn create(
    provider: &Provider,
    call: &Call,
    maker: Maker<'_>,
    new: NewApiKey,
) -> Result<(ApiKey, Secret), Error> {
    let scopes = judge(&new)?;
    maker.rights.must_cover(scopes.iter())?;
    let secret = generate();
    let key = ApiKey {
        id: Id::new(call.now),
        digest: secret.digest(),
        beginning: secret.expose().chars().take(BEGINNING).collect(),
        name: new.name.trim().to_owned(),
        owner: new.owner,
        scopes,
        made_by_kind: call.actor.kind().to_owned(),
        made_by_id: call.actor.id(),
        created_at: call.now,
        expires_at: call.now.after(new.life),
        last_used_at: None,
        revoked_at: None,
    };
    let mut tx = provider.store.write().await?;
    let done = add(&mut tx, call, &maker, &key).await;
    settle(tx, done).await?;
    Ok((key, secret))
}

async fn add(tx: &mut store::Write, call: &Call, maker: &Maker<'_>, key: &ApiKey) -> Result<(), Error> {
    if call.actor != key.owner.actor() {
        maker
            .rights
            .must_cover(held_by(tx, key.owner).await?.iter().map(String::as_str))?;
    }
    if let Some(with) = maker.key {
        let ends = tx.find_api_key(with).await?.map(|with| with.expires_at);
        if ends.is_none_or(|ends| key.expires_at > ends) {
            return Err(Error::field("/life", "too_long", "a key makes none that outlives it"));
        }
    }
    if tx.count_api_keys_of(key.owner, call.now).await? >= MOST {
        return Err(Error::Conflict("there are as many keys as one owner may have"));
    }
    tx.add_api_key(key).await?;
    Ok(tx.add_event(&event(call, EventKind::ApiKeyCreated, key)).await?)
}

/// The rights of administration that an owner holds.
async fn held_by(tx: &mut store::Write, owner: KeyOwner) -> Result<Vec<String>, Error> {
    let held = match owner {
        KeyOwner::User(id) => {
            tx.find_user(id).await?.ok_or_else(|| nobody("/user"))?;
            tx.list_permissions_of(id).await?
        }
        KeyOwner::Client(id) => {
            let client = tx.find_client(id).await?.ok_or_else(|| nobody("/client"))?;
            scopes_of(&client)
        }
    };
    let of_administration = held.into_iter().filter(|held| permissions::is_of_administration(held));
    Ok(of_administration.collect())
}

fn nobody(pointer: &str) -> Error {
    Error::field(pointer, "unknown", "there is nobody of this id")
}

fn scopes_of(client: &Client) -> Vec<String> {
    client.metadata.scope.iter().map(str::to_owned).collect()
}

fn judge(new: &NewApiKey) -> Result<Scopes, Error> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: String, code, detail: &str| {
        errors.push(FieldError {
            pointer,
            code,
            detail: detail.to_owned(),
        });
    };
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        wrong(
            "/name".to_owned(),
            "invalid",
            "name must be a line of at most 200 characters",
        );
    }
    if new.life.is_zero() || new.life > LONGEST_LIFE {
        wrong(
            "/life".to_owned(),
            "invalid",
            "life must be more than nothing and at most a year",
        );
    }
    if new.scopes.is_empty() {
        wrong("/scopes".to_owned(), "required", "name what the key may do");
    }
    for (place, scope) in new.scopes.iter().enumerate() {
        if !permissions::is_known(scope) {
            wrong(
                format!("/scopes/{place}"),
                "unknown",
                "expected a permission of the administration API",
            );
        }
    }
    if errors.is_empty() {
        Ok(Scopes::from_tokens(new.scopes.iter().map(String::as_str)))
    } else {
        Err(Error::Invalid(errors))
    }
}

/// A page of keys, the newest first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list(provider: &Provider, after: Option<&str>, limit: u32) -> Result<Page<ApiKey>, Error> {
    let before: Option<Id<ApiKey>> = after
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::field("after", "malformed", "the cursor belongs to another list"))?;
    let mut store = provider.store.read().await?;
    let keys = store.list_api_keys(before, limit.saturating_add(1)).await?;
    Ok(Page::cut(keys, limit, |key| key.id.to_string()))
}

/// A key, without itself.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, id: Id<ApiKey>) -> Result<ApiKey, Error> {
    let found = provider.store.read().await?.find_api_key(id).await?;
    found.ok_or(Error::NotFound)
}

/// Revokes a key: from now on no node takes it.
///
/// # Errors
/// [`Error::NotFound`] if it is not there or was revoked before.
pub async fn revoke(provider: &Provider, call: &Call, id: Id<ApiKey>) -> Result<(), Error> {
    let key = get(provider, id).await?;
    let mut tx = provider.store.write().await?;
    if !tx.revoke_api_key(id, call.now).await? {
        tx.abandon().await?;
        return Err(Error::NotFound);
    }
    tx.add_event(&event(call, EventKind::ApiKeyRevoked, &key)).await?;
    Ok(tx.commit().await?)
}

/// The key of a request, if it counts: looked up in the store, so that one that was revoked counts at no node any more.
///
/// # Errors
/// [`Error::Throttled`] for whoever has shown too many that don't.
pub async fn verify(provider: &Provider, call: &Call, token: &Secret) -> Result<Option<VerifiedKey>, Error> {
    if is_well_formed(token) {
        let digest = token.digest();
        let found = provider.store.read().await?.find_api_key_by_digest(&digest).await?;
        let counting = found.filter(|key| key.revoked_at.is_none() && call.now < key.expires_at);
        if let Some(key) = counting
            && let Some(held) = held_now(provider, call, key.owner).await?
        {
            note_use(provider, call, &key).await?;
            return Ok(Some(VerifiedKey {
                id: key.id,
                owner: key.owner,
                permissions: confined(&key.scopes, &held),
            }));
        }
    }
    guess::look(provider, call, Account::ApiKey).await?;
    guess::wrong(provider, call, Account::ApiKey).await?;
    Ok(None)
}

/// What an owner may do at this moment; none of one that may not act at all.
async fn held_now(provider: &Provider, call: &Call, owner: KeyOwner) -> Result<Option<Vec<String>>, Error> {
    match owner {
        KeyOwner::User(id) => {
            let person = provider.person(id, call.now).await?;
            let person = person.filter(|person| person.user.is_active(call.now));
            let settings = provider.settings().await?;
            Ok(person.map(|person| person.rights(&settings)))
        }
        KeyOwner::Client(id) => {
            let client = provider.store.read().await?.find_client(id).await?;
            let client = client.filter(|client| client.disabled_at.is_none());
            Ok(client.map(|client| scopes_of(&client)))
        }
    }
}

/// What both say of administration.
fn confined(scopes: &Scopes, held: &[String]) -> Scopes {
    let held = held
        .iter()
        .map(String::as_str)
        .filter(|held| permissions::is_of_administration(held));
    both(scopes.iter(), held)
}

async fn note_use(provider: &Provider, call: &Call, key: &ApiKey) -> Result<(), Error> {
    if key.last_used_at.is_some_and(|used| call.now < used.after(USED_EVERY)) {
        return Ok(());
    }
    let mut tx = provider.store.write().await?;
    tx.use_api_key(key.id, call.now);
    Ok(tx.commit().await?)
}

fn generate() -> Secret {
    let secret = Secret::generate();
    let check = check_of(secret.expose());
    Secret::new(format!("{PREFIX}{}{check}", secret.expose()))
}

fn check_of(text: &str) -> String {
    crypto::hex(Digest::of(text.as_bytes()).as_bytes().iter().take(CHECK / 2))
}

/// Whether it could be one at all.
fn is_well_formed(token: &Secret) -> bool {
    let text = token.expose().strip_prefix(PREFIX).unwrap_or_default();
    let parts = text
        .len()
        .checked_sub(CHECK)
        .and_then(|place| text.split_at_checked(place));
    parts.is_some_and(|(text, check)| check_of(text) == check)
}

fn event(call: &Call, kind: EventKind, key: &ApiKey) -> model::Event {
    let event = call.event(kind).fact("api_key", Fact::Id(key.id.uuid()));
    match key.owner {
        KeyOwner::User(id) => event.user(id),
        KeyOwner::Client(id) => event.client(id),
    }
}

/// Whoever a call comes from, as owner of keys; none at a terminal.
pub fn owner_of(call: &Call) -> Option<KeyOwner> {
    match call.actor {
        Actor::User(id) => Some(KeyOwner::User(id)),
        Actor::Client(id) => Some(KeyOwner::Client(id)),
        Actor::Anonymous | Actor::Operator | Actor::System => None,
    }
}

/// Where a key is when it is asked for: counting, ended or revoked.
pub fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    match key.revoked_at {
        Some(_) => "revoked",
        None if now < key.expires_at => "active",
        None => "expired",
    }
}
