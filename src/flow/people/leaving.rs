//! A person deletes their own account: not at once, so that whoever sits at an open session, or thinks better of it, has not done what
//! nobody can undo. Until the time is over the account may not be used, and its owner, and nobody else, takes it back by proving who
//! they are at the sign-in. Afterwards it goes as an administrator would delete it.

use super::news::{self, News};
use super::{ChangeSource, departure, standing};
use crate::flow::again::again;
use crate::flow::session::{self, Asker};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{ACCOUNT_DELETION, ACCOUNT_DELETION_GRACE};
use crate::model::{Actor, Id, Timestamp, User, UserStatus};
use crate::view::AccountChange;

/// So many accounts go in one turn of the job.
const BATCH: u32 = 50;

/// Why an account is not deleted.
#[derive(Debug, thiserror::Error)]
pub enum NotLeaving {
    /// The person has to prove once more who they are.
    #[error("the person has to prove once more who they are")]
    ProofTooOld,
    /// People do not delete their own accounts here.
    #[error("people do not delete their own accounts here")]
    NotOffered,
    /// Nobody else could administer the installation then.
    #[error("it is the last account that administers the installation")]
    LastAdministrator,
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// How long a person could take a deletion back; none if people do not delete their own accounts.
///
/// # Errors
/// [`Error::NotFound`]
pub async fn deletion_grace(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
) -> Result<Option<std::time::Duration>, Error> {
    let settings = provider.settings().await?;
    let person = provider.person(user, call.now).await?.ok_or(Error::NotFound)?;
    let layers = person.layers(&settings, None);
    Ok(layers
        .flag(ACCOUNT_DELETION)
        .then(|| layers.duration(ACCOUNT_DELETION_GRACE)))
}

/// Deletes the account of whoever asks, when the grace is over. Every session, token and remembered device ends at once. Gives when.
///
/// # Errors
/// [`NotLeaving`]: nothing has changed.
pub async fn delete_own_account(provider: &Provider, call: &Call, asker: Asker) -> Result<Timestamp, NotLeaving> {
    let grace = deletion_grace(provider, call, asker.user).await?;
    let grace = grace.ok_or(NotLeaving::NotOffered)?;
    if !session::is_freshly_proved(provider, call, asker).await? {
        return Err(NotLeaving::ProofTooOld);
    }
    let call = &call.by(Actor::User(asker.user));
    let at = call.now.after(grace);
    let mut user = super::get_user(provider, asker.user).await?;
    user.deletion_at = Some(at);
    let news = news_of(provider, call, &user, AccountChange::Leaving)?;
    let news = news.as_ref();
    let left = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            standing::leave_in(&mut tx, call, asker.user, at).await?;
            match news {
                Some(news) => news.write(&mut tx, call).await,
                None => Ok(()),
            }
        }
        .await;
        settle(tx, done).await
    })
    .await;
    match left {
        Ok(()) => {
            departure::end_browsers(provider, call, asker.user).await;
            Ok(at)
        }
        Err(Error::Conflict("last_administrator")) => Err(NotLeaving::LastAdministrator),
        Err(error) => Err(error.into()),
    }
}

/// Takes a deletion back, for whoever has just proved that the account is theirs. Gives the account as it is now.
///
/// # Errors
/// [`Error::NotFound`] if it is gone, or there is nothing to take back.
pub(in crate::flow) async fn stay(provider: &Provider, call: &Call, user: &User) -> Result<(), Error> {
    let call = &call.by(Actor::User(user.id));
    let mut back = user.clone();
    back.deletion_at = None;
    let news = news_of(provider, call, &back, AccountChange::Stayed)?;
    let news = news.as_ref();
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            standing::stay_in(&mut tx, call, user.id).await?;
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

/// Deletes the accounts whose grace is over, and those that have been in the bin for long enough; a bounded number. Gives whether there may be more.
///
/// # Errors
/// [`Error`] if one could not be deleted, after the others were; it is tried again.
pub async fn delete_those_who_are_due(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let due = provider
        .store
        .read()
        .await?
        .list_users_who_left(call.now, BATCH)
        .await?;
    let may_be_more = due.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
    let mut failed = None;
    for id in due {
        if let Err(error) = delete_one(provider, call, id).await {
            tracing::warn!(user = %id, %error, "an account that was deleted is still there");
            failed = Some(error);
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(may_be_more),
    }
}

async fn delete_one(provider: &Provider, call: &Call, id: Id<User>) -> Result<(), Error> {
    let found = provider.store.read().await?.find_user(id).await?;
    let Some(user) = found else { return Ok(()) };
    let (source, news) = match user.status {
        UserStatus::Deleted => (ChangeSource::Command, None),
        _ => (
            ChangeSource::Person,
            news_of(provider, call, &user, AccountChange::Deleted)?,
        ),
    };
    let (status, source, news) = (user.status, &source, news.as_ref());
    let is_gone = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            // whoever takes it back this moment comes before or after, never between
            if !tx.hold_user(id).await? {
                return Ok(false);
            }
            let user = tx.find_user(id).await?.ok_or(Error::NotFound)?;
            let may_go = matches!(status, UserStatus::Leaving | UserStatus::Deleted) && user.status == status;
            if !may_go || user.deletion_at.is_none_or(|at| at > call.now) {
                return Ok(false);
            }
            standing::delete_in(&mut tx, call, source, id, None).await?;
            if let Some(news) = news {
                news.write(&mut tx, call).await?;
            }
            Ok(true)
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    if is_gone {
        departure::end_browsers(provider, call, id).await;
    }
    Ok(())
}

fn news_of(provider: &Provider, call: &Call, user: &User, change: AccountChange) -> Result<Option<News>, Error> {
    match user.profile.email.clone() {
        Some(recipient) => news::told(provider, call, user, recipient, change).map(Some),
        None => Ok(None),
    }
}
