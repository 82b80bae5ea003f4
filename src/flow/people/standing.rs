//! Whether an account may be used, and its end.

use super::departure::{Departure, HadAdministrator, end_browsers, end_everything};
use super::{ChangeSource, server_account};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Fact, Id, Timestamp, User, UserStatus};
use crate::store::{ActionLinkKind, Write};

/// Deactivates a user and ends the user's sessions and grants. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Forbidden`], [`Error::Conflict`] for the last administrator.
pub async fn deactivate_user(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<User, Error> {
    let mut tx = provider.store.write().await?;
    let done = deactivate_in(&mut tx, call, source, id, expected).await;
    let user = settle(tx, done).await?;
    end_browsers(provider, call, id).await;
    server_account::settled(provider, call, &user).await;
    Ok(user)
}

/// The same as a part of a transaction; the session store is cleared when it has committed ([`end_browsers`]).
pub(in crate::flow) async fn deactivate_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<User, Error> {
    stand_down_in(tx, call, source, (id, expected), None).await
}

/// The same, and why: nobody has asked for it, if there is a reason.
pub(super) async fn stand_down_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<User>, Option<i64>),
    because: Option<&'static str>,
) -> Result<User, Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let user = load(tx, source, id, expected).await?;
    if user.status == UserStatus::Inactive {
        return Ok(user);
    }
    let user = move_to(tx, call, user, UserStatus::Inactive).await?;
    administrator.must_stay_so(tx, call.now).await?;
    end_everything(tx, call, id, Departure::Deactivated).await?;
    server_account::follow_in(tx, call, source, &user).await?;
    let event = call.event(EventKind::UserDeactivated).user(id);
    let event = match because {
        Some(reason) => event.because(reason),
        None => event.fact("source", source.fact()),
    };
    tx.add_event(&event).await?;
    Ok(user)
}

/// Reactivates a user; whoever was invited and never signed in is invited again, by the next mail. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Forbidden`].
pub async fn reactivate_user(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<User, Error> {
    let mut tx = provider.store.write().await?;
    let done = reactivate_in(&mut tx, call, source, id, expected).await;
    let user = settle(tx, done).await?;
    server_account::settled(provider, call, &user).await;
    Ok(user)
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn reactivate_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<User, Error> {
    let user = load(tx, source, id, expected).await?;
    if matches!(user.status, UserStatus::Active | UserStatus::Invited) {
        return Ok(user);
    }
    let never_came = user.invited_at.is_some() && user.signed_in_at.is_none();
    let status = if never_came {
        UserStatus::Invited
    } else {
        UserStatus::Active
    };
    let user = move_to(tx, call, user, status).await?;
    server_account::follow_in(tx, call, source, &user).await?;
    let event = call.event(EventKind::UserReactivated).user(id);
    tx.add_event(&event.fact("source", source.fact())).await?;
    Ok(user)
}

/// Locks an active account and ends everything of it, because its owner says so. False if it may not be used in any case.
pub(super) async fn lock_in(tx: &mut Write, call: &Call, id: Id<User>, because: &'static str) -> Result<bool, Error> {
    let user = tx.find_user(id).await?.ok_or(Error::NotFound)?;
    // whether or not its time has come, or is over
    if user.status != UserStatus::Active {
        return Ok(false);
    }
    move_to(tx, call, user, UserStatus::Locked).await?;
    end_everything(tx, call, id, Departure::Locked).await?;
    tx.add_event(&call.event(EventKind::UserLocked).because(because).user(id))
        .await?;
    Ok(true)
}

/// Unlocks it. False if it is not locked: then it stays as it is.
pub(super) async fn unlock_in(tx: &mut Write, call: &Call, source: &ChangeSource, id: Id<User>) -> Result<bool, Error> {
    let user = load(tx, source, id, None).await?;
    if user.status != UserStatus::Locked {
        return Ok(false);
    }
    move_to(tx, call, user, UserStatus::Active).await?;
    tx.void_action_links(ActionLinkKind::Lock, id, call.now).await?;
    let event = call.event(EventKind::UserUnlocked).user(id);
    tx.add_event(&event.fact("source", source.fact())).await?;
    Ok(true)
}

/// Lets an active account go at a time, because its owner says so, and ends everything of it.
pub(super) async fn leave_in(tx: &mut Write, call: &Call, id: Id<User>, at: Timestamp) -> Result<(), Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let user = tx.find_user(id).await?;
    let mut user = user.filter(|user| user.is_active(call.now)).ok_or(Error::NotFound)?;
    user.deletion_at = Some(at);
    move_to(tx, call, user, UserStatus::Leaving).await?;
    administrator.must_stay_so(tx, call.now).await?;
    end_everything(tx, call, id, Departure::Leaving).await?;
    let event = call.event(EventKind::UserLeaving).user(id);
    tx.add_event(&event.fact("at", Fact::Time(at))).await?;
    Ok(())
}

/// Its owner has thought better of it.
pub(super) async fn stay_in(tx: &mut Write, call: &Call, id: Id<User>) -> Result<(), Error> {
    let user = tx.find_user(id).await?.ok_or(Error::NotFound)?;
    // what is due is gone, whether or not somebody has come round to it
    if user.status != UserStatus::Leaving || user.deletion_at.is_none_or(|at| at <= call.now) {
        return Err(Error::NotFound);
    }
    move_to(tx, call, user, UserStatus::Active).await?;
    tx.add_event(&call.event(EventKind::UserStayed).user(id)).await?;
    Ok(())
}

/// Deletes a user with everything that hangs on it, at once and for good. The subject is never given to anyone else
/// (OpenID Connect Core section 2).
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Forbidden`], [`Error::Conflict`] for the last administrator.
pub async fn delete_user(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = delete_in(&mut tx, call, source, id, expected).await;
    let user = settle(tx, done).await?;
    end_browsers(provider, call, id).await;
    server_account::settled(provider, call, &user).await;
    Ok(())
}

/// The same as a part of a transaction; the session store is cleared when it has committed ([`end_browsers`]).
pub(in crate::flow) async fn delete_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<User, Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let user = load_any(tx, source, id, expected).await?;
    end_everything(tx, call, id, Departure::Deleted).await?;
    server_account::follow_in(tx, call, source, &stood_down(&user)).await?;
    server_account::delete_in(tx, call, &user).await?;
    tx.remember_departed_subject(&user.subject, call.now).await?;
    if !tx.delete_user(id).await? {
        return Err(Error::NotFound);
    }
    administrator.must_stay_so(tx, call.now).await?;
    let event = call.event(EventKind::UserDeleted).user(id);
    tx.add_event(&event.fact("source", source.fact())).await?;
    Ok(user)
}

/// The account as one that may not be used.
fn stood_down(user: &User) -> User {
    User {
        status: UserStatus::Inactive,
        ..user.clone()
    }
}

/// The user whose standing changes; what is in the bin is taken out of it first.
///
/// # Errors
/// [`Error::Conflict`] `in_bin`, beside those of [`load_any`].
pub(super) async fn load(
    tx: &mut Write,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<User, Error> {
    let user = load_any(tx, source, id, expected).await?;
    must_not_be_binned(&user)?;
    Ok(user)
}

/// Refuses to change what is in the bin.
///
/// # Errors
/// [`Error::Conflict`] `in_bin`.
pub(super) fn must_not_be_binned(user: &User) -> Result<(), Error> {
    match user.status {
        UserStatus::Deleted => Err(Error::Conflict("in_bin")),
        _ => Ok(()),
    }
}

/// The user whose standing changes, also one in the bin.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Forbidden`].
pub(super) async fn load_any(
    tx: &mut Write,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<User, Error> {
    let user = tx.find_user(id).await?.ok_or(Error::NotFound)?;
    if expected.is_some_and(|version| version != user.version) {
        return Err(Error::Stale);
    }
    source.must_outrank(&tx.list_permissions_of(id).await?)?;
    Ok(user)
}

/// Gives an account another status.
pub(super) async fn move_to(tx: &mut Write, call: &Call, mut user: User, status: UserStatus) -> Result<User, Error> {
    user.status = status;
    if !matches!(status, UserStatus::Leaving | UserStatus::Deleted) {
        user.deletion_at = None;
    }
    user.updated_at = call.now;
    if !tx.change_user(&user).await? {
        return Err(Error::Stale);
    }
    if status == UserStatus::Active {
        tx.begin_idle_anew(user.id, call.now).await?;
    }
    user.version = user.version.saturating_add(1);
    Ok(user)
}
