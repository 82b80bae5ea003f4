//! Going through the values of every person when a definition has changed: they are made findable, or taken away. One bounded batch a
//! transaction, so that nobody waits, and so that a server that dies goes on where it was.

use std::time::Duration;

use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Id, Property, PropertyState, User};
use crate::store::Write;

/// People of one transaction.
const BATCH: u32 = 100;
/// Who was changing an account when the definition changed has finished by then.
const SETTLED_AFTER: Duration = Duration::from_secs(5);
/// An account that somebody else changes at the same time is read again so often.
const MOST_TURNS: usize = 5;

/// Goes through one batch. False if there is nothing (more) to do.
///
/// # Errors
/// [`Error::Unavailable`]; the next turn goes on.
pub async fn sweep_properties(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let waiting = provider.store.read().await?.find_property_sweep().await?;
    let is_due = |property: &Property| property.updated_at.after(SETTLED_AFTER) <= call.now;
    if !waiting.is_some_and(|sweep| is_due(&sweep.property)) {
        return Ok(false);
    }
    let mut tx = provider.store.write().await?;
    let done = step(&mut tx).await;
    settle(tx, done).await
}

async fn step(tx: &mut Write) -> Result<bool, Error> {
    let Some(sweep) = tx.find_property_sweep().await? else {
        return Ok(false);
    };
    let property = sweep.property;
    let users = tx.list_users(sweep.swept_to, BATCH).await?;
    let Some(last) = users.last().map(|user| user.id) else {
        if !tx.finish_property(&property).await? {
            return Err(Error::Stale);
        }
        return Ok(true);
    };
    let mut doubles = 0;
    for user in users {
        if user.profile.properties.contains_key(&property.name) && !treat(tx, &property, user).await? {
            doubles += 1;
        }
    }
    // somebody else has gone on, or the definition has changed again: nothing of this counts
    if !tx.advance_property(&property, last, doubles).await? {
        return Err(Error::Stale);
    }
    Ok(true)
}

/// Does it to one person. False if they have a value that another has, of which there may be one.
async fn treat(tx: &mut Write, property: &Property, mut user: User) -> Result<bool, Error> {
    for _ in 0..MOST_TURNS {
        // whoever changes the account waits for this transaction, or has been before it
        let is_held = if property.state == PropertyState::Clearing {
            user.profile.properties.remove(&property.name);
            tx.set_profile(&user).await?
        } else {
            tx.hold_user_version(&user).await?
        };
        if is_held {
            return index(tx, property, &user).await;
        }
        match tx.find_user(user.id).await? {
            Some(now) if now.profile.properties.contains_key(&property.name) => user = now,
            _ => return Ok(true),
        }
    }
    Err(Error::Stale)
}

async fn index(tx: &mut Write, property: &Property, user: &User) -> Result<bool, Error> {
    let id: Id<User> = user.id;
    let value = user.profile.properties.get(&property.name);
    let keys = match value.filter(|_| property.definition.is_keyed()) {
        Some(value) => property.definition.keys(value),
        None => Vec::new(),
    };
    Ok(tx.fill_property_keys(id, property, &keys).await?)
}
