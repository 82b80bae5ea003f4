//! What ends with an account or its password: the sessions, and the grants with all their tokens.
//!
//! SQL ends them in the change's own transaction, and what SQL says has ended is over whatever the session store still
//! holds; the session store is cleared after the commit.

use crate::flow::session::remains;
use crate::flow::{Call, Error, Provider};
use crate::model::group::ADMIN;
use crate::model::{Id, Session, Timestamp, User};
use crate::store::{ActionLinkKind, Tenure, Write};

/// More logins nobody has (`session.max_concurrent`).
const MOST: u32 = 1_000;

/// Why everything of a user ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// The account was deactivated.
    Deactivated,
    /// The account was deleted.
    Deleted,
    /// Its owner has locked it.
    Locked,
    /// Its owner has deleted it, and can still take that back.
    Leaving,
    /// It has come to its end.
    Expired,
    /// It begins later.
    NotStarted,
    /// Its owner is invited to it.
    Invited,
    /// The password was set.
    PasswordChanged,
}

impl Departure {
    const fn word(self) -> &'static str {
        match self {
            Self::Deactivated => "user_deactivated",
            Self::Deleted => "user_deleted",
            Self::Locked => "user_locked",
            Self::Leaving => "user_leaving",
            Self::Expired => "user_expired",
            Self::NotStarted => "user_not_started",
            Self::Invited => "user_invited",
            Self::PasswordChanged => "password_changed",
        }
    }
}

/// Ends every session and grant of a user. Gives how many sessions.
pub(super) async fn end_everything(tx: &mut Write, call: &Call, id: Id<User>, why: Departure) -> Result<u64, Error> {
    let sessions = tx.end_sessions_of_user(id, call.now, why.word()).await?;
    tx.end_grants_of_user(id, call.now, why.word()).await?;
    // an account that comes back has no link from before
    tx.void_action_links(ActionLinkKind::Recovery, id, call.now).await?;
    if why != Departure::PasswordChanged {
        tx.void_action_links(ActionLinkKind::NewAddress, id, call.now).await?;
        tx.void_action_links(ActionLinkKind::Lock, id, call.now).await?;
        tx.forget_remembered_devices_of(id).await?;
    }
    Ok(sessions)
}

/// Ends every session of a user but this one, and every grant. Gives which sessions, to be cleared.
pub(super) async fn end_all_but(
    tx: &mut Write,
    call: &Call,
    id: Id<User>,
    session: Id<Session>,
) -> Result<Vec<Id<Session>>, Error> {
    let why = Departure::PasswordChanged.word();
    let mut ended = Vec::new();
    for row in tx.list_live_sessions_of(id, call.now, MOST).await? {
        if row.id != session && tx.end_session(row.id, call.now, why).await? {
            ended.push(row.id);
        }
    }
    tx.end_grants_of_user(id, call.now, why).await?;
    Ok(ended)
}

/// Clears the session store of what SQL has ended of a user: whatever has begun since stays. If it does not answer they are over
/// all the same.
pub(in crate::flow) async fn end_browsers(provider: &Provider, call: &Call, id: Id<User>) {
    if let Err(error) = remains::forget(provider, call, id).await {
        tracing::warn!(user = %id, %error, "ended sessions stay in the session store until they expire");
    }
}

/// Whether there was an administrator before a change: one whose account has no end, or at least one whose account has.
#[derive(Clone, Copy, Debug)]
pub(super) struct HadAdministrator(Option<Tenure>);

impl HadAdministrator {
    /// Asks, and holds the groups that decide it, so that two changes at once can't each rely on the other's administrator.
    pub(super) async fn ask(tx: &mut Write, now: Timestamp) -> Result<Self, Error> {
        tx.hold_groups_with_permission(ADMIN).await?;
        Ok(Self(tx.find_longest_tenure(ADMIN, now).await?))
    }

    /// Refuses a change after which nobody could administer the installation any more.
    ///
    /// # Errors
    /// [`Error::Conflict`]: `last_administrator`.
    pub(super) async fn must_stay_so(self, tx: &mut Write, now: Timestamp) -> Result<(), Error> {
        if self.0.is_some() && tx.find_longest_tenure(ADMIN, now).await? < self.0 {
            return Err(Error::Conflict("last_administrator"));
        }
        Ok(())
    }
}
