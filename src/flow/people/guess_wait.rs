//! An account at which so much was guessed that new devices wait for up to a day: the person is told once, by a mail that ends the wait,
//! and whoever administers the account can end it too. The devices that the person knows never wait for it.

use super::ChangeSource;
use super::recovery_wish::mailed_link;
use super::wishes::Wish;
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider, guess, letter};
use crate::model::{Actor, EventKind, Id, Secret, User};
use crate::store::{ActionLinkKind, NewActionLink};
use crate::view;
use std::time::Duration;

/// No wait is longer, and the link does not work for longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Somebody who is to be told.
#[derive(Debug)]
pub(super) struct Lockout {
    user: Id<User>,
}

/// Takes note that guesses at a name were refused for the rest of a day. Whoever it is, the answer takes as long; the mail is written
/// afterwards.
///
/// # Errors
/// [`Error::Unavailable`].
pub(in crate::flow) async fn notice_wait(
    provider: &Provider,
    call: &Call,
    (name, user): (&str, Option<&User>),
) -> Result<(), Error> {
    let is_first = guess::is_first_of_day(provider, call, guess::Account::User(name)).await?;
    if let Some(user) = user.filter(|_| is_first) {
        let lockout = Wish::Lockout(Lockout { user: user.id });
        if let Err(error) = provider.wishes.put(call, lockout) {
            tracing::warn!(user = %user.id, %error, "a person is not told that new devices have to wait");
        }
    }
    Ok(())
}

/// Tells the person, with a link that ends the wait.
pub(super) async fn tell(provider: &Provider, call: &Call, lockout: &Lockout) -> Result<(), Error> {
    let Some(user) = provider.store.read().await?.find_user(lockout.user).await? else {
        return Ok(());
    };
    let event = call.event(EventKind::WaitBegan).user(user.id);
    let Some(recipient) = user.profile.email.clone().filter(|_| user.is_active(call.now)) else {
        provider.note(event).await;
        return Ok(());
    };
    let token = Secret::generate();
    let mail = view::Mail::Lockout(view::Lockout {
        name: user.full_name(),
        username: user.username.clone(),
        at: call.now.micros(),
        address: call.origin.address.map(|address| address.to_string()),
        seconds: LONGEST.as_secs(),
        unlock: mailed_link(provider, "/login/wait", (&token, None))?,
    });
    let mail = letter::to(provider, &user, recipient.clone(), ("lockout", &mail))?;
    let (id, recipient) = (user.id, &recipient);
    again(|| async {
        let mut tx = provider.store.write().await?;
        tx.add_action_link(NewActionLink {
            kind: ActionLinkKind::Wait,
            digest: &token.digest(),
            user: Some(id),
            email: recipient,
            term: (call.now, call.now.after(LONGEST)),
        })
        .await?;
        tx.add_mail(&mail, call.now).await?;
        tx.add_event(&event).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Looks at a link. It changes nothing: programs that look at mails follow links. Secrets that lead nowhere are counted as guesses.
///
/// # Errors
/// [`Error::NotFound`] if it is unknown, used or too old; [`Error::Throttled`].
pub async fn look_at_wait(provider: &Provider, call: &Call, token: &Secret) -> Result<User, Error> {
    guess::look(provider, call, guess::Account::RecoveryLink).await?;
    let found = {
        let mut store = provider.store.read().await?;
        let link = store
            .find_action_link(ActionLinkKind::Wait, &token.digest(), call.now)
            .await?;
        match link.and_then(|link| link.user) {
            Some(user) => store.find_user(user).await?,
            None => None,
        }
    };
    let Some(user) = found else {
        guess::wrong(provider, call, guess::Account::RecoveryLink).await?;
        return Err(Error::NotFound);
    };
    Ok(user)
}

/// Ends the wait by a link, which counts no more from then on.
///
/// # Errors
/// As [`look_at_wait`].
pub async fn end_wait_by_link(provider: &Provider, call: &Call, token: &Secret) -> Result<(), Error> {
    let user = look_at_wait(provider, call, token).await?;
    let call = &call.by(Actor::User(user.id));
    let digest = token.digest();
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if !tx.use_action_link(ActionLinkKind::Wait, &digest, call.now).await? {
                return Err(Error::NotFound);
            }
            let event = call.event(EventKind::WaitEnded).user(user.id);
            Ok(tx.add_event(&event.fact("source", ChangeSource::Person.fact())).await?)
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    guess::forgive(provider, call, &user.id.to_string()).await
}
