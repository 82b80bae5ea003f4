//! A person's own password, replaced by whoever knows the one until now. A wrong one counts as a guess at the account.

use super::passwords::{self, Judged, NewPassword, Sessions, WeakPasswords};
use super::{departure, devices};
use crate::credential::{self, Verdict};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider, guess};
use crate::model::{Actor, Id, PasswordSetter, Secret, User};

/// Why a password was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum NotReplaced {
    /// The old one is not the person's.
    #[error("the old password is wrong")]
    Wrong,
    /// The new one is the old one.
    #[error("the new password is the old one")]
    Same,
    /// The new one can't be taken.
    #[error("the new password can't be taken")]
    Weak(Vec<FieldError>),
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Replaces a person's password, shown the one until now, and tells the person by mail.
///
/// # Errors
/// [`NotReplaced`]: the password is what it was.
pub async fn change_own_password(
    provider: &Provider,
    call: &Call,
    id: Id<User>,
    passwords: (Secret, Secret),
    sessions: Sessions,
) -> Result<(), NotReplaced> {
    let user = super::get_user(provider, id).await?;
    replace(provider, call, &user, passwords, (sessions, "own")).await
}

/// The same for a person that was read, for a reason.
pub(super) async fn replace(
    provider: &Provider,
    call: &Call,
    user: &User,
    (old, new): (Secret, Secret),
    (sessions, because): (Sessions, &'static str),
) -> Result<(), NotReplaced> {
    if !user.is_active(call.now) {
        return Err(Error::NotFound.into());
    }
    let call = &call.by(Actor::User(user.id));
    prove(provider, call, user, &old).await?;
    if new.matches(&old) {
        return Err(NotReplaced::Same);
    }
    let password = (NewPassword::Given(new), WeakPasswords::Refuse);
    let judged = match Judged::of(provider, call, user, password, PasswordSetter::Person).await {
        Ok(judged) => judged,
        Err(Error::Invalid(fields)) => return Err(NotReplaced::Weak(fields)),
        Err(error) => return Err(error.into()),
    };
    let judged = &judged;
    let ended = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            tx.hold_user(user.id).await?;
            let now = tx.find_user(user.id).await?.ok_or(Error::NotFound)?;
            // what was shown to be right is somebody's old password by now
            if now.password_changed_at != user.password_changed_at || !now.is_active(call.now) {
                return Err(Error::Stale);
            }
            passwords::set_own_in(&mut tx, call, (user, judged), sessions, because).await
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    if sessions == Sessions::EndAll {
        departure::end_browsers(provider, call, user.id).await;
    }
    devices::end_browsers(provider, user.id, ended).await;
    Ok(())
}

async fn prove(provider: &Provider, call: &Call, user: &User, old: &Secret) -> Result<(), NotReplaced> {
    let name = user.id.to_string();
    let account = guess::Account::User(&name);
    guess::look(provider, call, account).await?;
    match is_right(provider, user, old).await {
        Ok(true) => Ok(guess::right(provider, call, account).await?),
        Ok(false) => {
            guess::wrong(provider, call, account).await?;
            Err(NotReplaced::Wrong)
        }
        Err(error) => {
            guess::unjudged(provider, call, account).await?;
            Err(error.into())
        }
    }
}

async fn is_right(provider: &Provider, user: &User, password: &Secret) -> Result<bool, Error> {
    let stored = match &user.password {
        Some(hash) => Some(credential::PasswordHash::parse(hash.expose())?),
        None => None,
    };
    let verdict = provider.passwords.verify(password.clone(), stored).await?;
    Ok(matches!(verdict, Verdict::Right { .. }))
}

/// Judges the password that a person sets because they have to, on the way in: they have just proved the one until now.
///
/// # Errors
/// [`NotReplaced`], but for a wrong one.
pub(in crate::flow) async fn judge_required_password(
    provider: &Provider,
    call: &Call,
    user: &User,
    new: Secret,
) -> Result<Judged, NotReplaced> {
    if is_right(provider, user, &new).await? {
        return Err(NotReplaced::Same);
    }
    match Judged::of(
        provider,
        call,
        user,
        (NewPassword::Given(new), WeakPasswords::Refuse),
        PasswordSetter::Person,
    )
    .await
    {
        Ok(judged) => Ok(judged),
        Err(Error::Invalid(fields)) => Err(NotReplaced::Weak(fields)),
        Err(error) => Err(error.into()),
    }
}

/// Sets it, if the account still is what it was: every session and grant ends, and the person is told by mail.
///
/// # Errors
/// [`Error::Stale`] if the account has changed.
pub(in crate::flow) async fn set_required_password(
    provider: &Provider,
    call: &Call,
    user: &User,
    judged: &Judged,
) -> Result<(), Error> {
    let by = &call.by(Actor::User(user.id));
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if !tx.hold_user_as(user).await? {
                return Err(Error::Stale);
            }
            passwords::set_own_in(&mut tx, by, (user, judged), Sessions::EndAll, "required").await
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    departure::end_browsers(provider, call, user.id).await;
    Ok(())
}
