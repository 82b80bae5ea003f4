//! Accounts that nobody signs in to are deactivated after a while, where the settings say so: their owners are told by mail before, and
//! nobody's account goes without that who can be reached. The last one that administers the installation stays.
//!
//! Only those whose time to be looked at has come are, by an index; where nothing says that accounts end so, nobody is.

use std::time::Duration;

use super::departure;
use super::{ChangeSource, server_account, standing};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider, letter};
use crate::model::setting::{ACCOUNT_UNUSED_AFTER, ACCOUNT_UNUSED_REMINDERS};
use crate::model::{AccountState, Timestamp, User};
use crate::store::{IdleAccount, OutboxMail};
use crate::view;

/// So many are looked at in one turn.
const LOOKED_AT: u32 = 200;
/// Everybody is looked at so often: what is set later counts too.
const LOOK_EVERY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Tells those whose account is unused and will be deactivated, and deactivates those whose time is over; a bounded number. Gives whether
/// there may be more.
///
/// # Errors
/// [`Error`] if one could not be looked at, after the others were; it is tried again.
pub async fn end_unused(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let of_everyone = provider.settings().await?.duration(ACCOUNT_UNUSED_AFTER);
    if of_everyone.is_zero() && !provider.store.read().await?.do_any_end_unused().await? {
        return Ok(false);
    }
    let due = provider
        .store
        .read()
        .await?
        .list_idle_accounts(call.now, LOOKED_AT)
        .await?;
    let may_be_more = due.len() >= usize::try_from(LOOKED_AT).unwrap_or(usize::MAX);
    let mut failed = None;
    for seen in due {
        if let Err(error) = look(provider, call, seen).await {
            tracing::warn!(user = %seen.user, %error, "an unused account was not looked at");
            failed = Some(error);
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(may_be_more),
    }
}

async fn look(provider: &Provider, call: &Call, seen: IdleAccount) -> Result<(), Error> {
    // as the store has it by now: the last sign-in is no part of what is remembered
    let found = provider.store.read().await?.find_user(seen.user).await?;
    let Some((user, person)) = found.zip(provider.person(seen.user, call.now).await?) else {
        return Ok(());
    };
    let settings = provider.settings().await?;
    let layers = person.layers(&settings, None);
    let disuse = Disuse {
        from: last_use(&user, seen.from),
        length: layers.duration(ACCOUNT_UNUSED_AFTER),
        reminders: layers.durations(ACCOUNT_UNUSED_REMINDERS),
        told_at: seen.told_at,
        is_reached: user.profile.email.is_some(),
    };
    if user.state(call.now) != AccountState::Active || disuse.length.is_zero() {
        return look_again(provider, seen, (None, call.now.after(LOOK_EVERY)), None).await;
    }
    if disuse.is_over(call.now) {
        return end(provider, call, seen, &user).await;
    }
    let is_told = disuse.is_due(call.now);
    let disuse = Disuse {
        told_at: if is_told { Some(call.now) } else { disuse.told_at },
        ..disuse
    };
    let mail = match is_told {
        true => Some(write(provider, &user, disuse.end())?),
        false => None,
    };
    let next = (disuse.told_at, disuse.next_look(call.now));
    look_again(provider, seen, next, mail.map(|mail| (mail, call.now))).await
}

/// When somebody was last there, or was let in.
fn last_use(user: &User, from: Timestamp) -> Timestamp {
    let moments = [user.signed_in_at, user.starts_at];
    moments.into_iter().flatten().fold(from, Timestamp::max)
}

async fn look_again(
    provider: &Provider,
    seen: IdleAccount,
    next: (Option<Timestamp>, Timestamp),
    mail: Option<(OutboxMail, Timestamp)>,
) -> Result<(), Error> {
    let mail = mail.as_ref();
    again(|| async {
        let mut tx = provider.store.write().await?;
        // of two nodes one looks
        if !tx.look_at_idle_again(seen, next).await? {
            tx.abandon().await?;
            return Ok(());
        }
        if let Some((mail, now)) = mail {
            tx.add_mail(mail, *now).await?;
        }
        Ok(tx.commit().await?)
    })
    .await
}

/// Deactivates it, unless somebody has come in meanwhile, or nobody could administer the installation then.
async fn end(provider: &Provider, call: &Call, seen: IdleAccount, user: &User) -> Result<(), Error> {
    let ended = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let source = &ChangeSource::Command;
            let target = (user.id, Some(user.version));
            let ended = standing::stand_down_in(&mut tx, call, source, target, Some("unused")).await?;
            // whoever signs in waits from here on: who was first counts
            let now = tx.find_user(user.id).await?.ok_or(Error::NotFound)?;
            let is_unused = now.signed_in_at == user.signed_in_at;
            if !is_unused || !tx.look_at_idle_again(seen, (None, call.now.after(LOOK_EVERY))).await? {
                return Err(Error::Stale);
            }
            Ok(ended)
        }
        .await;
        settle(tx, done).await
    })
    .await;
    match ended {
        Ok(user) => {
            departure::end_browsers(provider, call, user.id).await;
            server_account::settled(provider, call, &user).await;
            Ok(())
        }
        Err(Error::Stale | Error::NotFound) => Ok(()),
        Err(Error::Conflict("last_administrator")) => {
            tracing::warn!(user = %user.id, "the last account that administers the installation is unused, and stays");
            look_again(provider, seen, (seen.told_at, call.now.after(LOOK_EVERY)), None).await
        }
        Err(error) => Err(error),
    }
}

fn write(provider: &Provider, user: &User, end: Timestamp) -> Result<OutboxMail, Error> {
    let recipient = user.profile.email.clone().unwrap_or_default();
    let mail = view::Mail::AccountExpiry(view::AccountExpiry {
        name: user.full_name(),
        username: user.username.clone(),
        at: end.micros(),
        unused: true,
        account: letter::link(provider, "/account")?,
    });
    letter::to(provider, user, recipient, ("account_expiry", &mail))
}

/// For how long nobody has signed in, and what follows.
struct Disuse {
    /// Since when.
    from: Timestamp,
    /// After so long it is deactivated; never if zero.
    length: Duration,
    /// So long before it its owner is told.
    reminders: Vec<Duration>,
    /// When they were last.
    told_at: Option<Timestamp>,
    /// Whether they can be.
    is_reached: bool,
}

impl Disuse {
    /// When they were told of this end last.
    fn told(&self) -> Option<Timestamp> {
        self.told_at.filter(|at| *at > self.from)
    }

    /// The last reminder; none if nobody is told.
    fn notice(&self) -> Option<Duration> {
        self.reminders.iter().min().copied().filter(|_| self.is_reached)
    }

    /// When it is deactivated, as far as that is known: never before its owner has had the last notice.
    fn end(&self) -> Timestamp {
        let end = self.from.after(self.length);
        match (self.notice(), self.told()) {
            (Some(notice), Some(told)) => end.max(told.after(notice)),
            _ => end,
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let is_told = self.notice().is_none() || self.told().is_some();
        is_told && now >= self.end()
    }

    /// Whether its owner is to be told now. Of several mails that were missed one is made.
    fn is_due(&self, now: Timestamp) -> bool {
        if self.notice().is_none() {
            return false;
        }
        let since = self.told().unwrap_or(self.from);
        let is_new = |at: Timestamp| at > since && at <= now;
        self.moments().into_iter().any(is_new) || (self.told().is_none() && now >= self.from.after(self.length))
    }

    /// When they are told.
    fn moments(&self) -> Vec<Timestamp> {
        let end = self.from.after(self.length);
        self.reminders.iter().map(|length| end.before(*length)).collect()
    }

    fn next_look(&self, now: Timestamp) -> Timestamp {
        let moments = self.moments().into_iter().chain([self.end()]);
        let next = moments.filter(|at| *at > now).min();
        next.unwrap_or(now)
            .min(now.after(LOOK_EVERY))
            .max(now.after(Duration::from_secs(1)))
    }
}
