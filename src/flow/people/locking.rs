//! "Lock my account now": every session, token and remembered device ends at once, and nobody gets in until the account is unlocked,
//! by the link in the mail that says so, or by an administrator.
//!
//! Whoever is signed in may do it, and whoever holds the link of a mail about a change: it only takes away. The link that unlocks is
//! worth as much as one to a new password, so it asks for one, and there is none where people may not help themselves.

use super::news::{self, News, WayBack};
use super::passwords::{self, Judged, NewPassword, Sessions, WeakPasswords};
use super::{ChangeSource, departure, is_recovery_enabled, standing};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider, guess};
use crate::model::user::comparison_key;
use crate::model::{Actor, EventKind, Id, PasswordSetter, Secret, User};
use crate::store::{ActionLinkKind, Write};
use crate::view::AccountChange;

/// Locks the account of whoever asks. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`] if it may not be used in any case.
pub async fn lock_own_account(provider: &Provider, call: &Call, id: Id<User>) -> Result<(), Error> {
    lock(provider, &call.by(Actor::User(id)), (id, "own"), &Held::Session).await
}

/// Locks the account that a mail about a new device told of ("this wasn't me").
///
/// # Errors
/// [`Error::NotFound`] if the link is unknown or has ended.
pub async fn lock_by_alert(provider: &Provider, call: &Call, token: &Secret) -> Result<(), Error> {
    let alert = super::look_at_alert(provider, call, token).await?;
    lock(provider, call, (alert.user.id, "not_me"), &Held::Session).await
}

/// Looks at the link of a mail about a change. It changes nothing: programs that look at mails follow links. Secrets that lead
/// nowhere are counted as guesses.
///
/// # Errors
/// [`Error::NotFound`] if it is unknown, used or too old, or the account may not be used in any case; [`Error::Throttled`].
pub async fn look_at_lock(provider: &Provider, call: &Call, token: &Secret) -> Result<User, Error> {
    look(provider, call, ActionLinkKind::Lock, token)
        .await
        .map(|(user, _)| user)
}

/// Locks the account by such a link.
///
/// # Errors
/// As [`look_at_lock`].
pub async fn lock_by_link(provider: &Provider, call: &Call, token: &Secret) -> Result<(), Error> {
    let (user, email_key) = look(provider, call, ActionLinkKind::Lock, token).await?;
    let held = Held::Link {
        token: token.clone(),
        email_key,
    };
    lock(provider, call, (user.id, "mailed_link"), &held).await
}

/// By what somebody locks an account.
enum Held {
    Session,
    Link { token: Secret, email_key: String },
}

async fn lock(
    provider: &Provider,
    call: &Call,
    (id, because): (Id<User>, &'static str),
    held: &Held,
) -> Result<(), Error> {
    let user = super::get_user(provider, id).await?;
    let news = match user.profile.email.clone() {
        Some(recipient) => {
            let is_of_this_mailbox = match held {
                Held::Session => true,
                // whoever took the account over may have given it another address: then that one is no way back
                Held::Link { email_key, .. } => *email_key == comparison_key(&recipient),
            };
            let way_back = match is_of_this_mailbox && is_recovery_enabled(provider).await? {
                true => WayBack::Mailed,
                false => WayBack::Administrator,
            };
            Some(news::locked(provider, call, &user, recipient, way_back)?)
        }
        None => None,
    };
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = lock_in(&mut tx, call, (id, because), held, news.as_ref()).await;
        settle(tx, done).await
    })
    .await?;
    departure::end_browsers(provider, call, id).await;
    Ok(())
}

async fn lock_in(
    tx: &mut Write,
    call: &Call,
    (id, because): (Id<User>, &'static str),
    held: &Held,
    news: Option<&News>,
) -> Result<(), Error> {
    if let Held::Link { token, .. } = held
        && !tx
            .use_action_link(ActionLinkKind::Lock, &token.digest(), call.now)
            .await?
    {
        return Err(Error::NotFound);
    }
    if !standing::lock_in(tx, call, id, because).await? {
        return Ok(());
    }
    match news {
        Some(news) => news.write(tx, call).await,
        None => Ok(()),
    }
}

async fn look(provider: &Provider, call: &Call, kind: ActionLinkKind, token: &Secret) -> Result<(User, String), Error> {
    guess::look(provider, call, guess::Account::RecoveryLink).await?;
    let found = {
        let mut store = provider.store.read().await?;
        let link = store.find_action_link(kind, &token.digest(), call.now).await?;
        match link.and_then(|link| Some((link.user?, link.email_key))) {
            Some((user, email_key)) => store.find_user(user).await?.map(|user| (user, email_key)),
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

/// Looks at a link that unlocks. It changes nothing.
///
/// # Errors
/// [`Error::NotFound`] if it is unknown, used, void or too old, the account is not locked any more, or people may not help
/// themselves; [`Error::Throttled`].
pub async fn look_at_unlock(provider: &Provider, call: &Call, token: &Secret) -> Result<User, Error> {
    if !is_recovery_enabled(provider).await? {
        return Err(Error::NotFound);
    }
    look(provider, call, ActionLinkKind::Unlock, token)
        .await
        .map(|(user, _)| user)
}

/// Unlocks an account by such a link, and sets a new password: whoever was the reason may know the old one. Who has none gets none.
///
/// # Errors
/// As [`look_at_unlock`]; [`Error::Invalid`] for a password that can't be taken, [`Error::Busy`]: the link still counts then.
pub async fn unlock_by_link(provider: &Provider, call: &Call, token: &Secret, new: Secret) -> Result<(), Error> {
    let user = look_at_unlock(provider, call, token).await?;
    let call = &call.by(Actor::User(user.id));
    // what takes time is done before the link is used
    let judged = match user.password {
        Some(_) => {
            let password = (NewPassword::Given(new), WeakPasswords::Refuse);
            Some(Judged::of(provider, call, &user, password, PasswordSetter::Person).await?)
        }
        None => None,
    };
    let news = unlocked_news(provider, call, &user)?;
    let (digest, judged, news) = (token.digest(), judged.as_ref(), news.as_ref());
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if !tx.use_action_link(ActionLinkKind::Unlock, &digest, call.now).await? {
                return Err(Error::NotFound);
            }
            standing::unlock_in(&mut tx, call, &ChangeSource::Person, user.id).await?;
            if let Some(judged) = judged {
                passwords::set_own_in(&mut tx, call, (&user, judged), Sessions::EndAll, "unlocked").await?;
            }
            match news {
                Some(news) => news.write(&mut tx, call).await,
                None => Ok(()),
            }
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// Unlocks somebody's account if its owner has locked it, and ends their wait after wrong guesses, for an administrator. Once more changes
/// nothing; an account that is deactivated or about to be deleted stays so.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] if the person holds rights of administration that the caller lacks.
pub async fn unlock_user(provider: &Provider, call: &Call, source: &ChangeSource, id: Id<User>) -> Result<(), Error> {
    let user = super::get_user(provider, id).await?;
    let news = unlocked_news(provider, call, &user)?;
    let news = news.as_ref();
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if standing::unlock_in(&mut tx, call, source, id).await?
                && let Some(news) = news
            {
                news.write(&mut tx, call).await?;
            }
            let event = call.event(EventKind::WaitEnded).user(id);
            Ok(tx.add_event(&event.fact("source", source.fact())).await?)
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    guess::forgive(provider, call, &id.to_string()).await
}

fn unlocked_news(provider: &Provider, call: &Call, user: &User) -> Result<Option<News>, Error> {
    match user.profile.email.clone() {
        Some(recipient) => news::told(provider, call, user, recipient, AccountChange::Unlocked).map(Some),
        None => Ok(None),
    }
}
