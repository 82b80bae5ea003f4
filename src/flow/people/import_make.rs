//! Making those whom a file names, many in one transaction, and changing those who are there, one by one; and taking either back.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::bulk::refusal;
use super::import_judge::{ImportJudge, NamedUsers, read_change};
use super::import_row::ImportedUser;
use super::user_change::change_in;
use super::users::{judge_user, taken};
use super::{ChangeSource, GroupRules, UserChange, invitation, members, property_values, standing, user_change};
use crate::flow::{Call, Error, Provider};
use crate::model::user::comparison_key;
use crate::model::{Event, EventKind, Fact, Group, Id, Import, ImportRow, PasswordHash, Profile, User, UserStatus};
use crate::random;
use crate::store::Write;

/// Those of some rows, ready to be stored.
pub(in crate::flow) struct ReadyUsers {
    users: Vec<User>,
    memberships: Vec<(Id<User>, Id<Group>, bool)>,
    keys: Vec<String>,
    events: Vec<Event>,
}

impl ImportJudge<'_> {
    /// Does beforehand what needs no transaction. What was judged when the file was read is judged again: rights, groups and properties may
    /// have changed since.
    ///
    /// # Errors
    /// The first refusal.
    pub(in crate::flow) async fn ready(&mut self, import: Id<Import>, rows: &[ImportRow]) -> Result<ReadyUsers, Error> {
        let mut ready = ReadyUsers {
            users: Vec::with_capacity(rows.len()),
            memberships: Vec::new(),
            keys: Vec::new(),
            events: Vec::with_capacity(rows.len()),
        };
        let mut store = self.provider.store.read().await?;
        for row in rows {
            let content = row.content.as_deref().ok_or(Error::NotFound)?;
            let imported: ImportedUser =
                serde_json::from_str(content).map_err(|error| Error::Failed(Box::new(error)))?;
            self.may_make(&imported.kind)?;
            judge_user(self.provider, &self.settings, &imported.as_new())?;
            if let Some(subject) = &imported.subject
                && store.is_subject_departed(subject).await?
            {
                return Err(Error::field("/subject", "taken", "somebody else had it"));
            }
            self.learn(&mut store, &imported.groups).await?;
            if let Some((_, detail)) = self.judge_groups(&imported.groups) {
                return Err(Error::field("/groups", "unsupported", detail));
            }
            self.add(&mut ready, (import, row), imported)?;
        }
        Ok(ready)
    }

    fn add(
        &self,
        ready: &mut ReadyUsers,
        (import, row): (Id<Import>, &ImportRow),
        imported: ImportedUser,
    ) -> Result<(), Error> {
        let now = self.call.now;
        let mut profile = imported.profile;
        let errors = property_values::judge(&self.properties, self.source, None, &mut profile);
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        let user = User {
            id: row.user.ok_or(Error::NotFound)?,
            subject: imported.subject.unwrap_or_else(random::token),
            username: imported.username,
            kind: imported.kind,
            client: None,
            version: 1,
            status: imported.status,
            profile,
            password_changed_at: imported.hash.as_ref().map(|_| now),
            password: imported.hash.map(PasswordHash::new),
            password_expired_at: None,
            // it is their own, from where they come from
            password_initial: false,
            required_actions: imported.required_actions,
            deletion_at: None,
            status_before: None,
            starts_at: imported.starts_at,
            expires_at: imported.expires_at,
            invited_at: (imported.status == UserStatus::Invited).then_some(now),
            signed_in_at: None,
            created_at: now,
            updated_at: now,
        };
        ready.keys.push(comparison_key(&user.username));
        ready.keys.extend(user.profile.email.as_deref().map(comparison_key));
        let primary = imported
            .primary_group
            .as_deref()
            .or(imported.groups.first().map(String::as_str));
        let primary = primary.and_then(|name| self.group(name)).map(|group| group.id);
        for name in &imported.groups {
            if let Some(group) = self.group(name) {
                ready.memberships.push((user.id, group.id, primary == Some(group.id)));
            }
        }
        if imported.groups.is_empty()
            && let Some(group) = self.default_group()
        {
            ready.memberships.push((user.id, group, true));
        }
        let event = self.call.event(EventKind::UserCreated).user(user.id);
        let event = event
            .fact("source", self.source.fact())
            .fact("import", Fact::Id(import.uuid()))
            .fact("password", Fact::Bool(user.password.is_some()))
            .fact("groups", Fact::count(imported.groups.len()))
            .changing(&Map::new(), &user_change::values_of(&user));
        ready.events.push(event);
        ready.users.push(user);
        Ok(())
    }

    /// Makes them, as a part of a transaction.
    ///
    /// # Errors
    /// [`Error::Invalid`] if somebody has a name of theirs by now.
    pub(in crate::flow) async fn make_in(
        &self,
        tx: &mut Write,
        import: Id<Import>,
        ready: &ReadyUsers,
    ) -> Result<(), Error> {
        let named = NamedUsers::of(tx.list_users_named(&ready.keys).await?);
        for user in &ready.users {
            if named.is_taken(&user.username)
                || user.profile.email.as_deref().is_some_and(|email| named.is_taken(email))
            {
                return Err(Error::field(
                    "/username",
                    "taken",
                    "somebody else has it, or the mail address",
                ));
            }
        }
        tx.add_imported_users(import, &ready.users).await.map_err(taken)?;
        tx.add_imported_members(&ready.memberships, self.call.now).await?;
        if self.properties.iter().any(|property| property.definition.is_keyed()) {
            for user in &ready.users {
                let profiles = (&Profile::default(), &user.profile);
                property_values::index_in(tx, user.id, &self.properties, profiles).await?;
            }
        }
        Ok(tx.add_events(&ready.events).await?)
    }

    /// Changes somebody to what a row says, as a part of a transaction. Gives what takes it back.
    ///
    /// # Errors
    /// As [`change_in`], and for groups.
    pub(in crate::flow) async fn change_in(&self, tx: &mut Write, row: &ImportRow) -> Result<Former, Error> {
        let id = row.user.ok_or(Error::NotFound)?;
        let imported = read_change(row.content.as_deref().ok_or(Error::NotFound)?)?;
        let before = tx.find_user(id).await?.ok_or(Error::NotFound)?;
        let after = change_in(tx, self.call, self.source, id, None, imported.change).await?;
        let mut joined = Vec::new();
        let was_in = tx.list_memberships_of(id).await?;
        for name in &imported.groups {
            let group = tx.find_group_by_name(name).await?.ok_or(Error::NotFound)?;
            if !was_in.iter().any(|membership| membership.group == group.id) {
                members::add_in(tx, self.call, self.source, group.id, id).await?;
                joined.push(group.id);
            }
        }
        Ok(Former {
            version: after.version,
            change: UserChange {
                kind: Some(before.kind),
                required_actions: Some(before.required_actions.clone()),
                starts_at: Some(before.starts_at),
                expires_at: Some(before.expires_at),
                ..UserChange::to(&before.username, &before.profile)
            },
            joined,
        })
    }
}

/// What takes a change back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::flow) struct Former {
    /// The version that the change made.
    version: i64,
    change: UserChange,
    joined: Vec<Id<Group>>,
}

/// Takes a change back, as a part of a transaction, unless somebody has changed the user since. Gives whether it was.
///
/// # Errors
/// As [`change_in`].
pub(in crate::flow) async fn take_back_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (id, former): (Id<User>, Former),
    rules: &GroupRules,
) -> Result<bool, Error> {
    let Some(user) = tx.find_user(id).await? else {
        return Ok(false);
    };
    if user.version != former.version {
        return Ok(false);
    }
    change_in(tx, call, source, id, Some(former.version), former.change).await?;
    for group in former.joined {
        match members::remove_in(tx, call, source, (group, None), id, rules).await {
            Ok(()) | Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Deletes somebody whom an import has made, as a part of a transaction: with everything that they have begun since.
///
/// # Errors
/// As [`standing::delete_in`].
pub(in crate::flow) async fn unmake_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (import, id): (Id<Import>, Id<User>),
) -> Result<bool, Error> {
    tx.show_imported_user(import, id).await?;
    match standing::delete_in(tx, call, source, id, None).await {
        Ok(_) => Ok(true),
        Err(Error::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Mails somebody whom an import has made their invitation.
///
/// # Errors
/// As [`super::send_invitation`].
pub(in crate::flow) async fn invite(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
) -> Result<(), Error> {
    let user = super::get_user(provider, id).await?;
    if user.status != UserStatus::Invited {
        return Ok(());
    }
    invitation::send_invitation(provider, call, source, id, None)
        .await
        .map(drop)
}

/// Why a row could not be done: a word and a sentence. None: it could not be now.
pub(in crate::flow) fn row_refusal(error: &Error) -> Option<(String, String)> {
    refusal(error)
}
