//! Actions of one's own on users: an administrator names an address, and others have it called with users whom they choose. The call is signed
//! as deliveries of webhooks are, goes by the client that keeps inside addresses apart, and its answer is shown to whoever asked.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use crate::egress::{Limits, Outgoing};
use crate::flow::people::{self, ChangeSource};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider, signed};
use crate::model::{EventKind, Fact, Id, Secret, User, UserAction, UserStatus};
use crate::store;

/// What the secrets are sealed for.
pub(in crate::flow) const SEALED_FOR: &str = "user action secret";
/// So many actions there are at most.
pub const MOST: u32 = 100;
/// So many users one call is about.
pub const MOST_USERS: usize = 100;
const LONGEST_NAME: usize = 60;
const LONGEST_LABEL: usize = 100;
/// What a call may take, and how much of its answer is shown.
const LIMITS: Limits = Limits {
    bytes: 64 * 1024,
    time: Duration::from_secs(10),
};

/// An action to make, or what it becomes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ActionChange {
    /// What it is called by programs.
    pub name: Option<String>,
    /// What it is called by people.
    pub label: Option<String>,
    /// Where the call goes.
    pub url: Option<String>,
    /// Whether it may not be used for now.
    pub disabled: Option<bool>,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub struct Called {
    /// The status of the answer; none if there was no answer.
    pub status: Option<u16>,
    /// What it says.
    pub answer: String,
}

/// Every action, by name.
///
/// # Errors
/// The store's.
pub async fn list(provider: &Provider) -> Result<Vec<UserAction>, Error> {
    Ok(provider.store.read().await?.list_user_actions(MOST).await?)
}

/// An action.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, id: Id<UserAction>) -> Result<UserAction, Error> {
    let found = provider.store.read().await?.find_user_action(id).await?;
    found.ok_or(Error::NotFound)
}

/// Makes an action. Its secret is told this once.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Conflict`] if there are as many as there may be.
pub async fn create(provider: &Provider, call: &Call, new: ActionChange) -> Result<(UserAction, Secret), Error> {
    let action = UserAction {
        id: Id::new(call.now),
        name: new.name.unwrap_or_default(),
        label: new.label.unwrap_or_default(),
        url: new.url.unwrap_or_default(),
        disabled: new.disabled.unwrap_or(false),
        version: 1,
        created_at: call.now,
        updated_at: call.now,
    };
    judge(provider, &action)?;
    let secret = signed::new_secret();
    let sealed = provider.master.seal(SEALED_FOR, secret.expose().as_bytes());
    let mut tx = provider.store.write().await?;
    let done = async {
        if tx.list_user_actions(MOST).await?.len() >= usize::try_from(MOST).unwrap_or(usize::MAX) {
            return Err(Error::Conflict("there are as many actions as there may be"));
        }
        taken(tx.add_user_action(&action, sealed).await)?;
        Ok(tx.add_event(&changed(call, action.id, "created")).await?)
    }
    .await;
    settle(tx, done).await?;
    Ok((action, secret))
}

/// Changes an action, if its version still is the expected one.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Invalid`].
pub async fn change(
    provider: &Provider,
    call: &Call,
    (id, expected): (Id<UserAction>, Option<i64>),
    change: ActionChange,
) -> Result<UserAction, Error> {
    let mut action = load(provider, id, expected).await?;
    action.name = change.name.unwrap_or(action.name);
    action.label = change.label.unwrap_or(action.label);
    action.url = change.url.unwrap_or(action.url);
    action.disabled = change.disabled.unwrap_or(action.disabled);
    action.updated_at = call.now;
    judge(provider, &action)?;
    let mut tx = provider.store.write().await?;
    let done = async {
        if !taken(tx.change_user_action(&action).await)? {
            return Err(Error::Stale);
        }
        Ok(tx.add_event(&changed(call, id, "changed")).await?)
    }
    .await;
    settle(tx, done).await?;
    get(provider, id).await
}

/// Gives an action another secret, told this once. The one before counts no more.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`].
pub async fn rotate_secret(
    provider: &Provider,
    call: &Call,
    (id, expected): (Id<UserAction>, Option<i64>),
) -> Result<(UserAction, Secret), Error> {
    let action = load(provider, id, expected).await?;
    let secret = signed::new_secret();
    let sealed = provider.master.seal(SEALED_FOR, secret.expose().as_bytes());
    let mut tx = provider.store.write().await?;
    let done = async {
        if !tx.rotate_secret_of_user_action(&action, sealed).await? {
            return Err(Error::Stale);
        }
        Ok(tx.add_event(&changed(call, id, "secret_rotated")).await?)
    }
    .await;
    settle(tx, done).await?;
    Ok((get(provider, id).await?, secret))
}

/// Deletes an action.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`].
pub async fn delete(
    provider: &Provider,
    call: &Call,
    (id, expected): (Id<UserAction>, Option<i64>),
) -> Result<(), Error> {
    let action = load(provider, id, expected).await?;
    let mut tx = provider.store.write().await?;
    let done = async {
        if !tx.delete_user_action(&action).await? {
            return Err(Error::Stale);
        }
        Ok(tx.add_event(&changed(call, id, "deleted")).await?)
    }
    .await;
    settle(tx, done).await
}

/// Calls the address of an action with these users. That it was called is written down with each of them before it is.
///
/// # Errors
/// [`Error::NotFound`] for an action or a user that is not there; [`Error::Forbidden`] for somebody who holds rights of administration that
/// the caller lacks: then nothing is called; [`Error::Conflict`] `disabled`; [`Error::Invalid`] for none or too many.
pub async fn run(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (id, users): (Id<UserAction>, Vec<Id<User>>),
) -> Result<Called, Error> {
    let action = get(provider, id).await?;
    if action.disabled {
        return Err(Error::Conflict("the action is disabled"));
    }
    if users.is_empty() || users.len() > MOST_USERS {
        let detail = format!("expected 1 to {MOST_USERS} ids");
        return Err(Error::field("/ids", "out_of_range", detail));
    }
    let chosen = choose(provider, source, &users).await?;
    let secret = secret(provider, id).await?;
    let url = Url::parse(&action.url).map_err(|error| Error::Failed(Box::new(error)))?;
    let body = body(call, &action, &chosen).to_string();
    let mut tx = provider.store.write().await?;
    for user in &chosen {
        let event = call.event(EventKind::UserActionCalled).user(user.id);
        tx.add_event(&event.fact("action", Fact::Id(id.uuid()))).await?;
    }
    tx.commit().await?;
    let request = Outgoing {
        method: "POST",
        headers: signed::headers(&[secret], &format!("msg_{}", call.trace), call.now, &body),
        body: Some(Secret::new(body)),
    };
    let called = match provider.egress.exchange(&url, &request, LIMITS).await {
        Ok(answer) => Called {
            status: Some(answer.status),
            answer: String::from_utf8_lossy(&answer.bytes).into_owned(),
        },
        // why nobody was reached is not told: it would tell what is behind the address
        Err(error) => {
            tracing::warn!(action = %id, %error, "an action of one's own was not answered");
            Called {
                status: None,
                answer: String::new(),
            }
        }
    };
    let event = call
        .event(EventKind::UserActionAnswered)
        .fact("action", Fact::Id(id.uuid()))
        .fact("users", Fact::Number(i64::try_from(chosen.len()).unwrap_or(i64::MAX)))
        .fact("status", Fact::Number(called.status.map_or(0, i64::from)));
    provider.note(event).await;
    Ok(called)
}

/// The users, each of whom the caller may act on.
async fn choose(provider: &Provider, source: &ChangeSource, ids: &[Id<User>]) -> Result<Vec<User>, Error> {
    let mut chosen: Vec<User> = Vec::with_capacity(ids.len());
    for id in ids {
        if chosen.iter().any(|user| user.id == *id) {
            continue;
        }
        let user = people::get_user(provider, *id).await?;
        if user.status == UserStatus::Deleted {
            return Err(Error::NotFound);
        }
        source.must_outrank(&provider.store.read().await?.list_permissions_of(*id).await?)?;
        chosen.push(user);
    }
    Ok(chosen)
}

/// What is sent: who they are, and no more than that.
fn body(call: &Call, action: &UserAction, chosen: &[User]) -> Value {
    let users = chosen.iter().map(|user| {
        json!({
            "id": user.id.to_string(),
            "subject": user.subject,
            "username": user.username,
            "email": user.profile.email,
            "name": user.full_name(),
            "status": user.status.as_str(),
        })
    });
    json!({
        "type": "user_action",
        "action": action.name,
        "timestamp": call.now.rfc3339(),
        "by": {"kind": call.actor.kind(), "id": call.actor.id().map(|id| id.to_string())},
        "users": users.collect::<Vec<_>>(),
    })
}

async fn secret(provider: &Provider, id: Id<UserAction>) -> Result<Secret, Error> {
    let sealed = provider.store.read().await?.find_secret_of_user_action(id).await?;
    let sealed = sealed.ok_or(Error::NotFound)?;
    let clear = provider.master.open(SEALED_FOR, &sealed);
    let clear = clear.map_err(|error| Error::Failed(Box::new(error)))?;
    let text = std::str::from_utf8(&clear).map_err(|error| Error::Failed(Box::new(error)))?;
    Ok(Secret::new(text))
}

async fn load(provider: &Provider, id: Id<UserAction>, expected: Option<i64>) -> Result<UserAction, Error> {
    let action = get(provider, id).await?;
    match expected {
        Some(version) if version != action.version => Err(Error::Stale),
        _ => Ok(action),
    }
}

/// What can't be taken of an action, all of it.
fn judge(provider: &Provider, action: &UserAction) -> Result<(), Error> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, code, detail: String| {
        errors.push(FieldError {
            pointer: pointer.to_owned(),
            code,
            detail,
        });
    };
    let is_word = action
        .name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_word || !(1..=LONGEST_NAME).contains(&action.name.len()) {
        let detail = format!("expected 1 to {LONGEST_NAME} of a-z, 0-9 and -");
        wrong("/name", "malformed", detail);
    }
    let is_line = !action.label.chars().any(char::is_control);
    if !is_line || !(1..=LONGEST_LABEL).contains(&action.label.chars().count()) {
        wrong(
            "/label",
            "malformed",
            format!("expected a line of 1 to {LONGEST_LABEL} characters"),
        );
    }
    match Url::parse(&action.url) {
        Ok(url) if provider.egress.admits(&url) => {}
        _ => wrong(
            "/url",
            "refused",
            "expected an https address that this server may ask".to_owned(),
        ),
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(errors))
    }
}

fn taken<T>(stored: Result<T, store::Error>) -> Result<T, Error> {
    match stored {
        Err(store::Error::Taken(_)) => Err(Error::field("/name", "taken", "there is an action of this name")),
        stored => Ok(stored?),
    }
}

fn changed(call: &Call, id: Id<UserAction>, what: &'static str) -> crate::model::Event {
    let event = call
        .event(EventKind::UserActionChanged)
        .fact("action", Fact::Id(id.uuid()));
    event.fact("what", Fact::Word(what))
}
