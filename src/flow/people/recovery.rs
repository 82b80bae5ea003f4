//! A forgotten password: what the mailed link does.
//!
//! Whoever holds the link can read the person's mail. That is enough to set a new password, once, and no more: nobody is signed in by
//! it, so whatever a sign-in asks for besides (a second factor, a known device) is asked for afterwards.

use super::departure;
use super::passwords::{self, Judged, NewPassword, Sessions, WeakPasswords};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider, guess};
use crate::model::{Actor, EventKind, Fact, PasswordSetter, RequiredAction, Secret, User};
use crate::store::{ActionLinkKind, Write};

/// Looks at a link. It changes nothing: programs that look at mails follow links. Secrets that lead nowhere are counted as guesses.
///
/// # Errors
/// [`Error::NotFound`] if it is unknown, used, void or too old, or people may not help themselves; [`Error::Throttled`].
pub async fn look_at_recovery(provider: &Provider, call: &Call, token: &Secret) -> Result<User, Error> {
    look(provider, call, token).await.map(|(user, _)| user)
}

async fn look(provider: &Provider, call: &Call, token: &Secret) -> Result<(User, ActionLinkKind), Error> {
    let may_recover = super::is_recovery_enabled(provider).await?;
    guess::look(provider, call, guess::Account::RecoveryLink).await?;
    let found = {
        let mut store = provider.store.read().await?;
        let link = store
            .find_action_link(ActionLinkKind::Recovery, &token.digest(), call.now)
            .await?;
        // what somebody who administers has sent leads on where people may not help themselves
        let link = link.filter(|link| may_recover || link.kind != ActionLinkKind::Recovery);
        match link.and_then(|link| Some((link.user?, link.kind))) {
            Some((user, kind)) => store.find_user(user).await?.map(|user| (user, kind)),
            None => None,
        }
    };
    let Some(found) = found else {
        guess::wrong(provider, call, guess::Account::RecoveryLink).await?;
        return Err(Error::NotFound);
    };
    guess::right(provider, call, guess::Account::RecoveryLink).await?;
    Ok(found)
}

/// Sets a new password by a link, which counts no more from then on. Every session and grant of the person ends, and they are told by
/// mail.
///
/// # Errors
/// As [`look_at_recovery`]; [`Error::Invalid`] for a password that can't be taken, [`Error::Busy`]: the link still counts then.
pub async fn recover(provider: &Provider, call: &Call, token: &Secret, new: Secret) -> Result<(), Error> {
    let (user, kind) = look(provider, call, token).await?;
    let call = &call.by(Actor::User(user.id));
    // what takes time is done before the link is used; of two who follow it at once, one is turned away
    let password = (NewPassword::Given(new), WeakPasswords::Refuse);
    let judged = Judged::of(provider, call, &user, password, PasswordSetter::Person).await?;
    let (digest, by) = (token.digest(), &judged);
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if !tx.use_action_link(ActionLinkKind::Recovery, &digest, call.now).await? {
                return Err(Error::NotFound);
            }
            if kind == ActionLinkKind::Invitation {
                confirm_in(&mut tx, call, &user).await?;
            }
            passwords::set_own_in(&mut tx, call, (&user, by), Sessions::EndAll, "recovery").await
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    departure::end_browsers(provider, call, user.id).await;
    Ok(())
}

/// Whoever follows an invitation reads the mail of the address that it went to, which is the account's: the link counts for no other.
async fn confirm_in(tx: &mut Write, call: &Call, user: &User) -> Result<(), Error> {
    let mut user = tx.find_user(user.id).await?.ok_or(Error::NotFound)?;
    if user.profile.email_verified {
        return Ok(());
    }
    user.profile.email_verified = true;
    user.updated_at = call.now;
    if !tx.change_user(&user).await? {
        return Err(Error::Stale);
    }
    tx.complete_action(user.id, RequiredAction::VerifyEmail).await?;
    let event = call.event(EventKind::EmailConfirmed).user(user.id);
    Ok(tx.add_event(&event.fact("changed", Fact::Bool(false))).await?)
}
