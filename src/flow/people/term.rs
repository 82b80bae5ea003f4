//! The time in which an account may be used. Before its beginning and from its end on it may not, whatever somebody proves; whoever
//! looks at it sees that by themselves, at the very moment. Here everything that hangs on an account which has come to its end is
//! ended on record, the applications with it, and its owner is reminded of the end beforehand.
//!
//! Both look at those whose time has come alone, by an index; of several nodes one does it.

use super::departure::{self, Departure, HadAdministrator};
use super::{ChangeSource, server_account};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider, letter};
use crate::model::setting::ACCOUNT_EXPIRY_REMINDERS;
use crate::model::{AccountState, EventKind, Id, Timestamp, User};
use crate::store::{NearEnd, Write};
use crate::view;
use std::time::Duration;

/// So many accounts come to their end in one turn of the job.
const BATCH: u32 = 50;
/// So many are looked at in one turn, whether their owners are to be reminded.
const LOOKED_AT: u32 = 200;
/// Whoever's end is near is looked at so often: reminders that are set later count too.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Judges from when until when an account is to count.
pub(super) fn check_term(starts_at: Option<Timestamp>, expires_at: Option<Timestamp>) -> Option<FieldError> {
    let is_never = starts_at.zip(expires_at).is_some_and(|(start, end)| end <= start);
    is_never.then(|| FieldError {
        pointer: "/expires_at".to_owned(),
        code: "contradiction",
        detail: "an account ends after it begins".to_owned(),
    })
}

/// What somebody who administers says of the term of an account, in the course of a transaction.
pub(super) struct TermChange {
    before: AccountState,
    administrator: HadAdministrator,
}

impl TermChange {
    /// Takes note of what is there, before the account is changed.
    pub(super) async fn begin(tx: &mut Write, call: &Call, before: &User) -> Result<Self, Error> {
        Ok(Self {
            before: before.state(call.now),
            administrator: HadAdministrator::ask(tx, call.now).await?,
        })
    }

    /// Ends what ends with it, once the account is changed.
    ///
    /// # Errors
    /// [`Error::Conflict`] if nobody could administer the installation then.
    pub(super) async fn finish(
        self,
        tx: &mut Write,
        call: &Call,
        source: &ChangeSource,
        user: &User,
    ) -> Result<(), Error> {
        self.administrator.must_stay_so(tx, call.now).await?;
        match user.state(call.now) {
            state if state == self.before => Ok(()),
            AccountState::NotStarted => departure::end_everything(tx, call, user.id, Departure::NotStarted)
                .await
                .map(drop),
            AccountState::Expired => expire_in(tx, call, user.id, Some(source)).await.map(drop),
            _ => Ok(()),
        }
    }
}

/// False if it has not come to its end, or if that was done before.
async fn expire_in(tx: &mut Write, call: &Call, id: Id<User>, source: Option<&ChangeSource>) -> Result<bool, Error> {
    if !tx.mark_user_expired(id, call.now).await? {
        return Ok(false);
    }
    departure::end_everything(tx, call, id, Departure::Expired).await?;
    let event = call.event(EventKind::UserExpired).user(id);
    let event = match source {
        Some(source) => event.fact("source", source.fact()),
        None => event,
    };
    tx.add_event(&event).await?;
    if let Some(user) = tx.find_user(id).await? {
        server_account::follow_in(tx, call, source.unwrap_or(&ChangeSource::Command), &user).await?;
    }
    Ok(true)
}

/// Ends everything of the accounts that have come to their end, a bounded number. Gives whether there may be more.
///
/// # Errors
/// [`Error`] if one could not be ended, after the others were; it is tried again, and may not be used meanwhile.
pub async fn end_expired(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let due = provider.store.read().await?.list_expired_users(call.now, BATCH).await?;
    let may_be_more = due.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
    let mut failed = None;
    for id in due {
        let ended = again(|| async {
            let mut tx = provider.store.write().await?;
            let done = expire_in(&mut tx, call, id, None).await;
            settle(tx, done).await
        })
        .await;
        match ended {
            Ok(true) => departure::end_browsers(provider, call, id).await,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(user = %id, %error, "what hangs on an account that has expired is not ended yet");
                failed = Some(error);
            }
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(may_be_more),
    }
}

/// Reminds those of the end of their account whose time has come, a bounded number. Gives whether there may be more.
///
/// # Errors
/// [`Error::Unavailable`]; whoever was reminded is not reminded again.
pub async fn remind_of_end(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let due = provider
        .store
        .read()
        .await?
        .list_users_near_end(call.now, LOOKED_AT)
        .await?;
    let may_be_more = due.len() >= usize::try_from(LOOKED_AT).unwrap_or(usize::MAX);
    for near in due {
        look(provider, call, near).await?;
    }
    Ok(may_be_more)
}

async fn look(provider: &Provider, call: &Call, near: NearEnd) -> Result<(), Error> {
    let Some(person) = provider.person(near.user, call.now).await? else {
        return Ok(());
    };
    let settings = provider.settings().await?;
    let lengths = person.layers(&settings, None).durations(ACCOUNT_EXPIRY_REMINDERS);
    let user = &person.user;
    let schedule = Schedule {
        end: near.expires_at,
        // what would have come before there was an account is not made up for
        since: near.reminded_at.unwrap_or(user.created_at),
        lengths: &lengths,
    };
    let is_told = schedule.is_due(call.now) && user.may_be_prepared(call.now);
    let recipient = user.profile.email.clone().filter(|_| is_told);
    let mail = match recipient {
        Some(recipient) => {
            let mail = view::Mail::AccountExpiry(view::AccountExpiry {
                name: user.full_name(),
                username: user.username.clone(),
                at: near.expires_at.micros(),
                unused: false,
                account: letter::link(provider, "/account")?,
            });
            Some(letter::to(provider, user, recipient, ("account_expiry", &mail))?)
        }
        None => None,
    };
    let (mail, next) = (mail.as_ref(), schedule.next_look(call.now));
    again(|| async {
        let mut tx = provider.store.write().await?;
        let reminded_at = if mail.is_some() {
            Some(call.now)
        } else {
            near.reminded_at
        };
        // of two nodes one reminds
        if !tx.look_at_end_again(near, reminded_at, next).await? {
            tx.abandon().await?;
            return Ok(());
        }
        if let Some(mail) = mail {
            tx.add_mail(mail, call.now).await?;
        }
        Ok(tx.commit().await?)
    })
    .await
}

/// When somebody is reminded of an end.
struct Schedule<'a> {
    end: Timestamp,
    /// What came until then is done with.
    since: Timestamp,
    /// So long before it.
    lengths: &'a [Duration],
}

impl Schedule<'_> {
    /// Whether a reminder has become due since. Of several that were missed one mail is made.
    fn is_due(&self, now: Timestamp) -> bool {
        let is_new = |at: Timestamp| at > self.since && at <= now;
        now < self.end && self.lengths.iter().any(|length| is_new(self.end.before(*length)))
    }

    /// When to look again; never after the end.
    fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        if now >= self.end {
            return None;
        }
        let moments = self.lengths.iter().map(|length| self.end.before(*length));
        let next = moments.filter(|at| *at > now).min();
        Some(next.unwrap_or(self.end).min(now.after(LOOK_EVERY)))
    }
}
