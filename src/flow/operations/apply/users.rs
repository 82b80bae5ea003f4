//! The section `users`: the standard claims, groups, and for moving in a password's hash.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::overlay;
use super::reader::{Mistakes, Reader};
use super::sealing::Opener;
use super::steps::Afterwards;
use super::{Act, Planned, layers, limited_roles, memberships};
use crate::clock;
use crate::flow::operations::inventory::{self, Membership};
use crate::flow::people::{
    self, ChangeSource, GroupRules, NewPassword, NewUser, ServerClient, UserChange, UserKey, WeakPasswords, Welcome,
};
use crate::flow::{Call, Error, Provider};
use crate::model::setting::Settings;
use crate::model::user::comparison_key;
use crate::model::{
    Id, PasswordHash, Profile, RequiredAction, Secret, Timestamp, UnknownName, User, UserKind, UserStatus,
};
use crate::store::Write;

pub(super) const SECTION: &str = "users";

/// How often a hash waits until the machine is less busy.
const MOST_TURNS: usize = 60;

/// The members of [`Profile`].
pub const PROFILE: &[&str] = &[
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "company",
    "properties",
];

/// An entry.
pub(super) struct Entry {
    pub(super) pointer: String,
    pub(super) username: String,
    subject: Option<String>,
    kind: Option<UserKind>,
    client_id: Option<String>,
    profile: Map<String, Value>,
    status: Option<UserStatus>,
    starts_at: Option<Option<Timestamp>>,
    expires_at: Option<Option<Timestamp>>,
    groups: Option<Vec<String>>,
    pub(super) roles: Option<Vec<String>>,
    pub(super) limited: limited_roles::Limited,
    pub(super) terms: memberships::Terms,
    primary_group: Option<String>,
    password: Option<Secret>,
    password_hash: Option<Secret>,
    accept_weak: bool,
    send_password_link: bool,
    required_actions: Vec<RequiredAction>,
    pub(super) settings: Map<String, Value>,
}

impl Entry {
    pub(super) fn read(mut reader: Reader<'_>, opener: &Opener, mistakes: &mut Mistakes) -> Option<Self> {
        let username = reader.required("username", mistakes);
        let subject = reader.text("subject", mistakes);
        let kind = reader.text("type", mistakes).and_then(|text| {
            let kind = text.parse().ok();
            if kind.is_none() {
                mistakes.add(&reader.at("type"), "invalid", "expected default, admin or server");
            }
            kind
        });
        let client_id = reader.text("client_id", mistakes);
        if client_id.is_some() != (kind == Some(UserKind::Server)) {
            let detail = "a server's account, and no other, names the client that is its own";
            mistakes.add(&reader.at("client_id"), "contradiction", detail);
        }
        let profile = reader.patch(PROFILE);
        for (name, value) in &profile {
            let mut one = Map::new();
            one.insert(name.clone(), value.clone());
            if let Err(error) = laid_over(&Profile::default(), &one) {
                mistakes.add(&reader.at(name), "invalid", format!("{name}: {error}"));
            }
        }
        let status = reader.text("status", mistakes).and_then(|text| {
            let status = text.parse().ok().filter(|status| is_of_a_file(*status));
            if status.is_none() {
                mistakes.add(&reader.at("status"), "invalid", "expected active, invited or inactive");
            }
            status
        });
        let starts_at = moment(&mut reader, "starts_at", mistakes);
        let expires_at = moment(&mut reader, "expires_at", mistakes);
        let groups = reader.texts("groups", mistakes);
        let roles = reader.texts("roles", mistakes);
        let limited = limited_roles::read_of_user(&mut reader, mistakes);
        let terms = memberships::read(&mut reader, mistakes);
        let primary_group = reader.text("primary_group", mistakes);
        let password = reader.secret("password", mistakes);
        let password_hash = reader
            .value("password_hash")
            .and_then(|value| opener.open(value, &reader, "password_hash", mistakes));
        if password.is_some() && password_hash.is_some() {
            mistakes.add(
                &reader.at("password"),
                "contradiction",
                "password and password_hash exclude each other",
            );
        }
        let accept_weak = reader.flag("accept_weak", mistakes).unwrap_or(false);
        let send_password_link = reader.flag("send_password_link", mistakes).unwrap_or(false);
        if send_password_link && (password.is_some() || password_hash.is_some()) {
            mistakes.add(
                &reader.at("send_password_link"),
                "contradiction",
                "a password and a link to one exclude each other",
            );
        }
        let words = reader.texts("required_actions", mistakes).unwrap_or_default();
        let mut required_actions = Vec::new();
        for word in words {
            match word.parse() {
                Ok(action) => required_actions.push(action),
                Err(error) => {
                    let error: UnknownName = error;
                    mistakes.add(&reader.at("required_actions"), "invalid", error.to_string());
                }
            }
        }
        let settings = layers::read(&mut reader, mistakes);
        let pointer = reader.pointer.clone();
        reader.finish(mistakes);
        Some(Self {
            pointer,
            username: username?,
            subject,
            kind,
            client_id,
            profile,
            status,
            starts_at,
            expires_at,
            groups,
            roles,
            limited,
            terms,
            primary_group,
            password,
            password_hash,
            accept_weak,
            send_password_link,
            required_actions,
            settings,
        })
    }

    /// What usernames are compared by.
    pub(super) fn key(&self) -> String {
        comparison_key(&self.username)
    }

    /// The groups it names, with pointers.
    pub(super) fn named_groups(&self) -> impl Iterator<Item = (String, &String)> {
        let groups = self.groups.iter().flatten().enumerate();
        groups.map(|(index, name)| (format!("{}/groups/{index}", self.pointer), name))
    }
}

/// A moment; `null` takes away what is there, what is absent stays.
fn moment<'a>(reader: &mut Reader<'a>, name: &'a str, mistakes: &mut Mistakes) -> Option<Option<Timestamp>> {
    let value = reader.value(name)?;
    let read = match value {
        Value::Null => Some(None),
        value => value.as_str().and_then(Timestamp::parse).map(Some),
    };
    if read.is_none() {
        let detail = "expected a moment like 2027-01-31T17:00:00Z (RFC 3339), or null";
        mistakes.add(&reader.at(name), "invalid", detail);
    }
    read
}

fn laid_over(base: &Profile, patch: &Map<String, Value>) -> Result<Profile, serde_json::Error> {
    let mut members = overlay::members(base, patch)?;
    if let (Some(Value::Object(changes)), Ok(Value::Object(mut properties))) =
        (patch.get("properties"), serde_json::to_value(&base.properties))
    {
        // one by one: what the file does not name stays
        for (name, value) in changes {
            match value {
                Value::Null => drop(properties.remove(name)),
                value => drop(properties.insert(name.clone(), value.clone())),
            }
        }
        members.insert("properties".to_owned(), properties.into());
    }
    // who proved to hold one address has proved nothing about another
    for (field, proof) in [("email", "email_verified"), ("phone_number", "phone_number_verified")] {
        let before = if field == "email" {
            &base.email
        } else {
            &base.phone_number
        };
        let changed = members.get(field).and_then(Value::as_str) != before.as_deref();
        if changed && !patch.contains_key(proof) {
            members.remove(proof);
        }
    }
    serde_json::from_value(Value::Object(members))
}

/// A user as the file has it, without secrets.
pub(in crate::flow::operations) fn to_json(user: &User, membership: &Membership) -> Map<String, Value> {
    let standing = (user.status, user.starts_at, user.expires_at);
    let entry = shown(&user.username, &user.subject, &user.profile, standing, membership);
    of_kind(entry, user.kind)
}

/// What most accounts are for is not said.
fn of_kind(mut entry: Map<String, Value>, kind: UserKind) -> Map<String, Value> {
    if kind != UserKind::Default {
        entry.insert("type".to_owned(), kind.as_str().into());
    }
    entry
}

fn shown(
    username: &str,
    subject: &str,
    profile: &Profile,
    (status, starts_at, expires_at): (UserStatus, Option<Timestamp>, Option<Timestamp>),
    membership: &Membership,
) -> Map<String, Value> {
    let mut entry = match serde_json::to_value(profile) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    };
    entry.insert("username".to_owned(), username.into());
    if !subject.is_empty() {
        entry.insert("subject".to_owned(), subject.into());
    }
    // what its owner has done with the account is between them and the server: in a file it is one that may not be used
    let status = if is_of_a_file(status) {
        status
    } else {
        UserStatus::Inactive
    };
    entry.insert("status".to_owned(), status.as_str().into());
    for (name, at) in [("starts_at", starts_at), ("expires_at", expires_at)] {
        if let Some(at) = at {
            entry.insert(name.to_owned(), at.rfc3339().into());
        }
    }
    let mut groups = membership.groups.clone();
    groups.sort_by_key(|group| comparison_key(group));
    entry.insert("groups".to_owned(), json!(groups));
    if let Some(primary) = &membership.primary {
        entry.insert("primary_group".to_owned(), primary.clone().into());
    }
    entry
}

/// What is done with a user.
pub(super) enum UserAct {
    Create(Box<NewUser>),
    Change(Box<ChangedUser>),
    Remove(Id<User>),
}

/// What changes about a user that is there.
pub(super) struct ChangedUser {
    pub(super) id: Id<User>,
    /// What the user will be called and what will be told about the person.
    pub(super) username: String,
    pub(super) profile: Profile,
    fields: Option<UserChange>,
    join: Vec<String>,
    leave: Vec<String>,
    primary: Option<String>,
    /// Whether it comes out of the bin.
    restore: bool,
    status: Option<UserStatus>,
}

pub(super) async fn plan(provider: &Provider, entries: &[Entry]) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for entry in entries {
        let key = UserKey::Username(entry.username.clone());
        let before = people::find_user(provider, &key).await?;
        planned.extend(match before {
            None => Some(creation(entry)?),
            Some(user) => {
                let membership = inventory::membership(provider, &user).await?;
                change(entry, &user, &membership)?
            }
        });
    }
    Ok(planned)
}

fn creation(entry: &Entry) -> Result<Planned, Error> {
    let failed = |error: serde_json::Error| Error::Failed(Box::new(error));
    let mut new = NewUser::named(entry.username.clone());
    new.profile = laid_over(&Profile::default(), &entry.profile).map_err(failed)?;
    new.status = entry.status.unwrap_or(UserStatus::Active);
    new.kind = entry.kind.unwrap_or(UserKind::Default);
    new.server = entry.client_id.clone().map(ServerClient::Known);
    new.starts_at = entry.starts_at.flatten();
    new.expires_at = entry.expires_at.flatten();
    new.groups = entry.groups.clone().unwrap_or_default();
    new.primary_group.clone_from(&entry.primary_group);
    new.subject.clone_from(&entry.subject);
    new.welcome = Welcome::Silent;
    new.required_actions.clone_from(&entry.required_actions);
    new.password = match (&entry.password, &entry.password_hash) {
        (Some(password), _) => NewPassword::Given(password.clone()),
        (None, Some(hash)) => NewPassword::Hash(PasswordHash::new(hash.expose())),
        (None, None) if entry.send_password_link || new.status == UserStatus::Invited => NewPassword::Mailed,
        (None, None) => NewPassword::None,
    };
    if entry.accept_weak {
        new.weak = WeakPasswords::AcceptForNow;
    }
    let membership = Membership {
        groups: new.groups.clone(),
        primary: new.primary_group.clone().or_else(|| new.groups.first().cloned()),
    };
    let subject = new.subject.clone().unwrap_or_default();
    let standing = (new.status, new.starts_at, new.expires_at);
    let after = shown(&new.username, &subject, &new.profile, standing, &membership);
    let mut after = of_kind(after, new.kind);
    if let Some(client_id) = &entry.client_id {
        after.insert("client_id".to_owned(), client_id.clone().into());
    }
    if !new.required_actions.is_empty() {
        after.insert("required_actions".to_owned(), json!(new.required_actions));
    }
    let mut fields = FieldChange::between(&Map::new(), &after);
    if entry.password.is_some() || entry.password_hash.is_some() {
        fields.push(FieldChange::secret("password"));
    }
    Ok(Planned {
        pointer: entry.pointer.clone(),
        change: Change {
            section: SECTION,
            name: entry.username.clone(),
            action: Action::Create,
            fields,
        },
        act: Act::User(UserAct::Create(Box::new(new))),
    })
}

fn change(entry: &Entry, user: &User, membership: &Membership) -> Result<Option<Planned>, Error> {
    if entry.subject.as_ref().is_some_and(|subject| *subject != user.subject) {
        let detail = "the subject of a user that is there never changes";
        return Err(Error::field(format!("{}/subject", entry.pointer), "immutable", detail));
    }
    let profile = laid_over(&user.profile, &entry.profile).map_err(|error| Error::Failed(Box::new(error)))?;
    let is_binned = user.status == UserStatus::Deleted;
    let status = match is_of_a_file(user.status) {
        false if is_binned => entry.status.unwrap_or(UserStatus::Active),
        true => beginning(entry.status.unwrap_or(user.status), user),
        false => user.status,
    };
    let mut wanted = membership.clone();
    if let Some(groups) = &entry.groups {
        wanted.groups.clone_from(groups);
        let kept = wanted.primary.clone().filter(|primary| wanted.contains(primary));
        wanted.primary = kept.or_else(|| wanted.groups.first().cloned());
    }
    if let Some(primary) = &entry.primary_group {
        wanted.primary = Some(primary.clone());
    }
    let mut before = to_json(user, membership);
    if is_binned {
        before.insert("status".to_owned(), user.status.as_str().into());
    }
    let term = (
        entry.starts_at.unwrap_or(user.starts_at),
        entry.expires_at.unwrap_or(user.expires_at),
    );
    let standing = (status, term.0, term.1);
    let kind = entry.kind.unwrap_or(user.kind);
    let after = shown(&entry.username, &user.subject, &profile, standing, &wanted);
    let after = of_kind(after, kind);
    let fields = FieldChange::between(&before, &after);
    if fields.is_empty() {
        return Ok(None);
    }
    let fields_change = profile != user.profile
        || entry.username != user.username
        || term != (user.starts_at, user.expires_at)
        || kind != user.kind;
    let missing = |from: &Membership, of: &Membership| -> Vec<String> {
        of.groups
            .iter()
            .filter(|group| !from.contains(group))
            .cloned()
            .collect()
    };
    let act = ChangedUser {
        id: user.id,
        username: entry.username.clone(),
        profile: profile.clone(),
        fields: fields_change.then(|| UserChange {
            kind: Some(kind),
            starts_at: Some(term.0),
            expires_at: Some(term.1),
            ..UserChange::to(&entry.username, &profile)
        }),
        join: missing(membership, &wanted),
        leave: missing(&wanted, membership),
        primary: (wanted.primary != membership.primary)
            .then_some(wanted.primary)
            .flatten(),
        restore: is_binned,
        status: (status != user.status).then_some(status),
    };
    Ok(Some(Planned {
        pointer: entry.pointer.clone(),
        change: Change {
            section: SECTION,
            name: entry.username.clone(),
            action: Action::Change,
            fields,
        },
        act: Act::User(UserAct::Change(Box::new(act))),
    }))
}

/// An act with everything done that takes time.
pub(super) enum ReadyUser {
    Add(Box<people::users::ReadyUser>),
    /// With what is said about having a group.
    Change(Box<ChangedUser>, GroupRules),
    /// For so long into the bin.
    Remove(Id<User>, Option<Duration>),
}

/// Makes hashes. Where the machine is busy with those who sign in, a file waits its turn.
pub(super) async fn prepare(
    provider: &Provider,
    call: &Call,
    settings: &Settings,
    act: UserAct,
) -> Result<ReadyUser, Error> {
    let new = match act {
        UserAct::Create(new) => new,
        UserAct::Change(changed) => return Ok(ReadyUser::Change(changed, GroupRules::of(settings))),
        UserAct::Remove(id) => return Ok(ReadyUser::Remove(id, people::bin::kept_for(settings))),
    };
    let add = |ready| ReadyUser::Add(Box::new(ready));
    for _ in 0..MOST_TURNS {
        match people::users::make_ready(provider, call, settings, &new).await {
            Err(Error::Busy { retry_after }) => clock::sleep(retry_after).await,
            ready => return ready.map(add),
        }
    }
    people::users::make_ready(provider, call, settings, &new).await.map(add)
}

pub(super) async fn write(
    tx: &mut Write,
    call: &Call,
    ready: &ReadyUser,
    afterwards: &mut Afterwards,
) -> Result<(), Error> {
    let source = &ChangeSource::Apply;
    match ready {
        ReadyUser::Add(ready) => {
            let user = people::users::add_in(tx, call, source, ready).await?;
            Ok(tx.mark_user_applied(user.id).await?)
        }
        ReadyUser::Change(changed, rules) => write_change(tx, call, (source, rules), changed, afterwards).await,
        ReadyUser::Remove(id, kept_for) => {
            let user = people::bin::bin_in(tx, call, source, (*id, None), *kept_for).await?;
            afterwards.departed.push(*id);
            afterwards.disabled.extend(user.client.filter(|_| kept_for.is_some()));
            Ok(())
        }
    }
}

async fn write_change(
    tx: &mut Write,
    call: &Call,
    (source, rules): (&ChangeSource, &GroupRules),
    changed: &ChangedUser,
    afterwards: &mut Afterwards,
) -> Result<(), Error> {
    let id = changed.id;
    if changed.restore {
        people::bin::restore_in(tx, call, source, id, None).await?;
    }
    if let Some(fields) = &changed.fields {
        let user = people::user_change::change_in(tx, call, source, id, None, fields.clone()).await?;
        if people::user_change::is_over(&user, call.now) {
            afterwards.departed.push(id);
        }
    }
    for name in &changed.join {
        let group = group(tx, name).await?;
        people::members::add_in(tx, call, source, group, id).await?;
    }
    if let Some(primary) = &changed.primary {
        let group = group(tx, primary).await?;
        people::members::make_primary_in(tx, call, source, group, id).await?;
    }
    for name in &changed.leave {
        let group = group(tx, name).await?;
        people::members::remove_in(tx, call, source, (group, None), id, rules).await?;
    }
    match changed.status {
        Some(UserStatus::Active | UserStatus::Invited) => {
            people::standing::reactivate_in(tx, call, source, id, None).await?;
        }
        Some(UserStatus::Inactive) => {
            let user = people::standing::deactivate_in(tx, call, source, id, None).await?;
            afterwards.departed.push(id);
            afterwards.disabled.extend(user.client);
        }
        Some(UserStatus::Locked | UserStatus::Leaving | UserStatus::Deleted) | None => (),
    }
    Ok(())
}

/// Whether a file says it: the others are the owner's own.
const fn is_of_a_file(status: UserStatus) -> bool {
    matches!(status, UserStatus::Active | UserStatus::Invited | UserStatus::Inactive)
}

/// What a file makes of somebody who is there: whether they have come in since they were invited is not for a file to say.
fn beginning(said: UserStatus, user: &User) -> UserStatus {
    match (said, user.status) {
        (UserStatus::Inactive, _) => said,
        (_, UserStatus::Inactive) if user.invited_at.is_some() && user.signed_in_at.is_none() => UserStatus::Invited,
        (_, UserStatus::Inactive) => UserStatus::Active,
        (_, status) => status,
    }
}

async fn group(tx: &mut Write, name: &str) -> Result<Id<crate::model::Group>, Error> {
    let found = tx.find_group_by_name(name).await?;
    found
        .map(|group| group.id)
        .ok_or_else(|| Error::field("/groups", "unknown", format!("there is no group {name}")))
}
