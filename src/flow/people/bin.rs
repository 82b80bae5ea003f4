//! The bin: whoever administers deletes an account, and for a while can take that back. Everything that lets anybody in ends at once, as
//! with any account that may not be used; what the account is (memberships, second factors, consents, data, its names) stays, and comes
//! back with it. When the time is over it goes for good.

use std::time::Duration;

use super::departure::{Departure, HadAdministrator, end_browsers, end_everything};
use super::{ChangeSource, server_account, standing};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{ACCOUNT_BIN, Settings};
use crate::model::{EventKind, Fact, Id, User, UserStatus};
use crate::store::Write;

/// How long accounts stay in the bin; they never come into it if not at all.
pub(in crate::flow) fn kept_for(settings: &Settings) -> Option<Duration> {
    Some(settings.duration(ACCOUNT_BIN)).filter(|length| !length.is_zero())
}

/// Puts a user into the bin; where there is none, deletes them for good. Gives the user as it is there.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Forbidden`], [`Error::Conflict`] for the last administrator; `in_bin` if it is there.
pub async fn bin_user(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<(), Error> {
    let kept_for = kept_for(&*provider.settings().await?);
    let mut tx = provider.store.write().await?;
    let done = bin_in(&mut tx, call, source, (id, expected), kept_for).await;
    let user = settle(tx, done).await?;
    end_browsers(provider, call, id).await;
    server_account::settled(provider, call, &user).await;
    Ok(())
}

/// The same as a part of a transaction; the session store is cleared when it has committed ([`end_browsers`]).
pub(in crate::flow) async fn bin_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<User>, Option<i64>),
    kept_for: Option<Duration>,
) -> Result<User, Error> {
    let Some(kept_for) = kept_for else {
        return standing::delete_in(tx, call, source, id, expected).await;
    };
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    let mut user = standing::load(tx, source, id, expected).await?;
    let at = call.now.after(kept_for);
    user.status_before = Some(user.status);
    user.deletion_at = Some(at);
    let user = standing::move_to(tx, call, user, UserStatus::Deleted).await?;
    administrator.must_stay_so(tx, call.now).await?;
    end_everything(tx, call, id, Departure::Deleted).await?;
    server_account::follow_in(tx, call, source, &user).await?;
    let event = call.event(EventKind::UserBinned).user(id).fact("at", Fact::Time(at));
    tx.add_event(&event.fact("source", source.fact())).await?;
    Ok(user)
}

/// Takes a user out of the bin, as they were. Whoever had deleted the account themselves has it back.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Forbidden`]; [`Error::Conflict`] `not_in_bin`.
pub async fn restore_user(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<User, Error> {
    let mut tx = provider.store.write().await?;
    let done = restore_in(&mut tx, call, source, id, expected).await;
    let user = settle(tx, done).await?;
    server_account::settled(provider, call, &user).await;
    Ok(user)
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn restore_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<User, Error> {
    // of a restoration and the end of its time one comes first, and the other finds what it left
    if !tx.hold_user(id).await? {
        return Err(Error::NotFound);
    }
    let mut user = standing::load_any(tx, source, id, expected).await?;
    if user.status != UserStatus::Deleted {
        return Err(Error::Conflict("not_in_bin"));
    }
    // what is due is gone, whether or not somebody has come round to it
    if user.deletion_at.is_none_or(|at| at <= call.now) {
        return Err(Error::NotFound);
    }
    let status = match user.status_before.take() {
        None | Some(UserStatus::Leaving | UserStatus::Deleted) => UserStatus::Active,
        Some(before) => before,
    };
    let user = standing::move_to(tx, call, user, status).await?;
    server_account::follow_in(tx, call, source, &user).await?;
    let event = call.event(EventKind::UserRestored).user(id);
    tx.add_event(&event.fact("source", source.fact())).await?;
    Ok(user)
}
