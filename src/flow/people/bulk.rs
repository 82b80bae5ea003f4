//! The same thing done with many users: with each of them by itself, as one by one, so that nothing is ever half done and a refusal of one
//! holds up no other. What is written down of each ([`Noted`]) is written in the transaction that does it.

use serde::{Deserialize, Serialize};

use super::departure;
use super::invitation;
use super::password_link::{self, PreparedLink};
use super::user_change::change_in;
use super::{
    ChangeSource, GroupRules, OfflineGrants, UserChange, bin, members, reach, server_account, sessions, standing,
};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider, guess};
use crate::model::user::comparison_key;
use crate::model::{
    Digest, EventKind, Group, Id, ItemOutcome, Job, JobItem, RequiredAction, Timestamp, User, UserStatus,
};
use crate::store::Write;

/// What is done with many users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum BulkAction {
    /// They may not use their accounts any more.
    Deactivate,
    /// They may again.
    Reactivate,
    /// Into the bin.
    Delete,
    /// Out of it.
    Restore,
    /// Each is mailed a link to a new password, and the old one lets nobody in.
    ResetPassword,
    /// Each is mailed an invitation.
    SendInvitation,
    /// Those who have locked their account, or wait for wrong guesses, do so no more.
    Unlock,
    /// They are signed out everywhere.
    EndSessions,
    /// They have something to do at the next sign-in, beside what they have to do already.
    RequireAction {
        /// What.
        required_action: RequiredAction,
    },
    /// The same fields become the same.
    Set {
        /// Which, and what.
        fields: Box<UserChange>,
    },
    /// Into a group.
    AddToGroup {
        /// Which.
        group: Id<Group>,
    },
    /// Out of it.
    RemoveFromGroup {
        /// Which.
        group: Id<Group>,
    },
}

impl BulkAction {
    /// Its name.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Deactivate => "deactivate",
            Self::Reactivate => "reactivate",
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::ResetPassword => "reset-password",
            Self::SendInvitation => "send-invitation",
            Self::Unlock => "unlock",
            Self::EndSessions => "end-sessions",
            Self::RequireAction { .. } => "require-action",
            Self::Set { .. } => "set",
            Self::AddToGroup { .. } => "add-to-group",
            Self::RemoveFromGroup { .. } => "remove-from-group",
        }
    }

    /// What whoever does it has to hold over each of the people.
    pub const fn permission(&self) -> &'static str {
        match self {
            Self::EndSessions => "admin:sessions",
            Self::AddToGroup { .. } | Self::RemoveFromGroup { .. } => "admin:users.read",
            Self::Deactivate | Self::Reactivate => "admin:users.status",
            Self::ResetPassword => "admin:users.passwords",
            Self::SendInvitation => "admin:users.invitations",
            Self::Unlock => "admin:users.unlock",
            Self::Delete | Self::Restore | Self::RequireAction { .. } | Self::Set { .. } => "admin:users",
        }
    }

    /// The group that it is about, of whose members one has to be able to dispose.
    const fn group(&self) -> Option<Id<Group>> {
        match self {
            Self::AddToGroup { group } | Self::RemoveFromGroup { group } => Some(*group),
            _ => None,
        }
    }

    /// Refuses whoever can do it with nobody.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn must_be_held(&self, source: &ChangeSource) -> Result<(), Error> {
        source.must_hold(self.permission())?;
        match self.group() {
            Some(_) => source.must_hold(MEMBERS),
            None => Ok(()),
        }
    }

    /// Refuses whoever can't do it with one of them.
    async fn must_reach(
        &self,
        provider: &Provider,
        (source, now): (&ChangeSource, Timestamp),
        user: Id<User>,
    ) -> Result<(), Error> {
        let ChangeSource::Api(rights) = source else {
            return Ok(());
        };
        reach::must_reach_user(provider, (rights, now), self.permission(), user).await?;
        match self.group() {
            Some(group) => reach::must_reach_group(provider, rights, MEMBERS, group).await,
            None => Ok(()),
        }
    }

    /// Refuses what can be said of one alone.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn judge(&self) -> Result<(), Error> {
        let Self::Set { fields } = self else { return Ok(()) };
        let touched = fields.touched();
        if touched.is_empty() && fields.properties.is_none() {
            return Err(Error::field(
                "/fields",
                "required",
                "expected what is to become of which field",
            ));
        }
        let own = ["username", "email", "phone_number", "type"];
        match touched.into_iter().find(|name| own.contains(name)) {
            None => Ok(()),
            Some(name) => {
                let detail = "this is said of one person at a time";
                Err(Error::field(format!("/fields/{name}"), "unsupported", detail))
            }
        }
    }
}

/// What disposing of the members of a group takes.
const MEMBERS: &str = "admin:groups.members";

/// Where it is written down what became of each: a job, and who is at it.
#[derive(Clone, Copy)]
pub(in crate::flow) struct Noted<'a> {
    pub(in crate::flow) job: Id<Job>,
    pub(in crate::flow) lease: &'a Digest,
}

/// What stands in the way of a thing that was done before, or by somebody else: nothing of it is done.
pub(in crate::flow) const DONE_BEFORE: &str = "done_before";

impl Noted<'_> {
    /// Writes it down, in the transaction that does it.
    ///
    /// # Errors
    /// [`Error::Conflict`] [`DONE_BEFORE`].
    pub(in crate::flow) async fn write(&self, tx: &mut Write, item: &JobItem) -> Result<(), Error> {
        match tx.add_job_item(self.job, self.lease, item).await? {
            true => Ok(()),
            false => Err(Error::Conflict(DONE_BEFORE)),
        }
    }
}

/// Does it with one.
///
/// # Errors
/// Those of the same thing done with one user; then nothing has changed.
pub(in crate::flow) async fn act(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (action, id): (&BulkAction, Id<User>),
    noted: Option<Noted<'_>>,
) -> Result<(), Error> {
    action.must_reach(provider, (source, call.now), id).await?;
    let user = super::get_user(provider, id).await?;
    let link = prepare(provider, call, source, (action, &user)).await?;
    let settings = provider.settings().await?;
    let ready = Ready {
        link: link.as_ref(),
        kept_for: bin::kept_for(&settings),
        groups: GroupRules::of(&settings),
    };
    let changed = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let changed = act_in(&mut tx, call, source, (action, id), &ready).await?;
            if let Some(noted) = noted {
                let item = JobItem {
                    number: 0,
                    user: id,
                    outcome: ItemOutcome::Done,
                    code: None,
                    detail: None,
                    at: call.now,
                };
                noted.write(&mut tx, &item).await?;
            }
            Ok(changed)
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    afterwards(provider, call, (action, id), changed.as_ref()).await
}

/// What takes time, or is asked elsewhere, before the transaction.
struct Ready<'a> {
    link: Option<&'a PreparedLink>,
    kept_for: Option<std::time::Duration>,
    groups: GroupRules,
}

async fn prepare(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (action, user): (&BulkAction, &User),
) -> Result<Option<PreparedLink>, Error> {
    match action {
        BulkAction::SendInvitation => invitation::prepare(provider, call, source, user).await.map(Some),
        BulkAction::ResetPassword => {
            server_account::must_be_a_persons(user)?;
            let settings = provider.settings().await?;
            PreparedLink::of(provider, call, user, &settings).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// The thing itself, as a part of a transaction. Gives the user as they are then, where their account has changed its standing.
async fn act_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (action, id): (&BulkAction, Id<User>),
    ready: &Ready<'_>,
) -> Result<Option<User>, Error> {
    match action {
        BulkAction::Deactivate => standing::deactivate_in(tx, call, source, id, None).await.map(Some),
        BulkAction::Reactivate => standing::reactivate_in(tx, call, source, id, None).await.map(Some),
        BulkAction::Delete => bin::bin_in(tx, call, source, (id, None), ready.kept_for)
            .await
            .map(Some),
        BulkAction::Restore => bin::restore_in(tx, call, source, id, None).await.map(Some),
        BulkAction::ResetPassword => {
            let link = ready.link.ok_or(Error::NotFound)?;
            standing::load(tx, source, id, None).await?;
            password_link::mail_in(tx, call, source, (id, link))
                .await
                .map(|()| None)
        }
        BulkAction::SendInvitation => {
            let link = ready.link.ok_or(Error::NotFound)?;
            invitation::send_in(tx, call, source, (id, None), link).await.map(Some)
        }
        BulkAction::Unlock => unlock_in(tx, call, source, id).await.map(|()| None),
        BulkAction::EndSessions => sessions::end_all_in(tx, call, source, id, OfflineGrants::Stay)
            .await
            .map(|_| None),
        BulkAction::RequireAction { required_action } => {
            let user = standing::load(tx, source, id, None).await?;
            let mut actions = user.required_actions;
            actions.push(*required_action);
            let change = UserChange::requiring(actions);
            change_in(tx, call, source, id, None, change).await.map(|_| None)
        }
        BulkAction::Set { fields } => change_in(tx, call, source, id, None, UserChange::clone(fields))
            .await
            .map(Some),
        BulkAction::AddToGroup { group } => {
            standing::load(tx, source, id, None).await?;
            members::add_in(tx, call, source, *group, id).await.map(|_| None)
        }
        BulkAction::RemoveFromGroup { group } => {
            standing::load(tx, source, id, None).await?;
            leave_in(tx, call, source, (*group, id), &ready.groups)
                .await
                .map(|()| None)
        }
    }
}

/// Who is not in a group is out of it.
async fn leave_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (group, id): (Id<Group>, Id<User>),
    rules: &GroupRules,
) -> Result<(), Error> {
    let name = tx.find_group(group).await?.ok_or(Error::NotFound)?.name;
    let key = comparison_key(&name);
    let names = tx.list_group_names_of(id).await?;
    if !names.iter().any(|name| comparison_key(name) == key) {
        return Ok(());
    }
    members::remove_in(tx, call, source, (group, None), id, rules).await
}

async fn unlock_in(tx: &mut Write, call: &Call, source: &ChangeSource, id: Id<User>) -> Result<(), Error> {
    standing::load(tx, source, id, None).await?;
    standing::unlock_in(tx, call, source, id).await?;
    let event = call.event(EventKind::WaitEnded).user(id);
    Ok(tx.add_event(&event.fact("source", source.fact())).await?)
}

/// What lies beside the store follows the commit; should it fail, what was done is done all the same.
async fn afterwards(
    provider: &Provider,
    call: &Call,
    (action, id): (&BulkAction, Id<User>),
    changed: Option<&User>,
) -> Result<(), Error> {
    let is_out = changed.is_some_and(|user| user.status != UserStatus::Active || !user.is_active(call.now));
    if is_out || matches!(action, BulkAction::EndSessions | BulkAction::ResetPassword) {
        departure::end_browsers(provider, call, id).await;
    }
    if let Some(user) = changed {
        server_account::settled(provider, call, user).await;
    }
    if matches!(action, BulkAction::Unlock)
        && let Err(error) = guess::forgive(provider, call, &id.to_string()).await
    {
        tracing::warn!(user = %id, %error, "whoever was unlocked may have to wait for wrong guesses yet");
    }
    Ok(())
}

/// Why one was refused: a word and a sentence. None: it was not, but could not be done now.
pub(in crate::flow) fn refusal(error: &Error) -> Option<(String, String)> {
    let told = |code: &str, detail: String| Some((code.to_owned(), detail));
    match error {
        Error::Invalid(fields) => {
            let first = fields.first()?;
            told(first.code, format!("{}: {}", first.pointer, first.detail))
        }
        Error::NotFound => told("not_found", "there is no such user, or group".to_owned()),
        Error::Stale => told("stale", "somebody else has just changed it".to_owned()),
        Error::Conflict(what) => told(what, "it contradicts what is there".to_owned()),
        Error::Forbidden(permission) => told("forbidden", format!("it takes the permission {permission}")),
        Error::Throttled { .. } => told("throttled", "too much of this kind was done".to_owned()),
        Error::OAuth(_) | Error::Busy { .. } | Error::Unavailable(_) | Error::Contended | Error::Failed(_) => None,
    }
}
