//! Users: made, found, listed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::default_group::GroupRules;
use serde_json::Map;

use super::password_link::PreparedLink;
use super::passwords::{self, prepare};
use super::property_values;
use super::term::check_term;
use super::{
    ChangeSource, NewPassword, PasswordRules, ServerClient, WeakPasswords, Welcome, fields, members, reach,
    server_account, user_change, welcome,
};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::flow::{clients, terms};
use crate::model::group::ADMIN;
use crate::model::setting::Settings;
use crate::model::user::comparison_key;
use crate::model::{
    Digest, EventKind, Fact, Id, Profile, RequiredAction, Secret, Terms, TermsOccasion, Timestamp, User, UserKind,
    UserStatus,
};
use crate::random;
use crate::store::{self, ActionLinkKind, OutboxMail, Write};

/// A user to make.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What the person signs in with.
    pub username: String,
    /// What the account is for.
    pub kind: UserKind,
    /// The client of a server's account; one without scopes is made if none is said.
    pub server: Option<ServerClient>,
    /// What is told about the person.
    pub profile: Profile,
    /// Whether the account may be used.
    pub status: UserStatus,
    /// From when on; from the beginning if unset.
    pub starts_at: Option<Timestamp>,
    /// Until when; for ever if unset.
    pub expires_at: Option<Timestamp>,
    /// The password.
    pub password: NewPassword,
    /// Whether it may be weak.
    pub weak: WeakPasswords,
    /// Names of the groups to be in; the first becomes the primary one.
    pub groups: Vec<String>,
    /// The primary group, if it is not the first.
    pub primary_group: Option<String>,
    /// What clients know the person by, brought along from elsewhere; a new random one if unset.
    pub subject: Option<String>,
    /// Whether the person is told.
    pub welcome: Welcome,
    /// What the person has to do at the first sign-in.
    pub required_actions: Vec<RequiredAction>,
    /// The link that is used up by making this user, in the same transaction.
    pub link: Option<FirstLink>,
    /// The terms of use that the person has accepted with it.
    pub accepted_terms: Vec<Id<Terms>>,
}

/// A link that lets its holder make themselves an account, by the digest of its secret.
#[derive(Clone, Debug)]
pub enum FirstLink {
    /// The installation's first administrator.
    Setup(Digest),
    /// An account of one's own, mailed to its address.
    Registration(Digest),
}

impl NewUser {
    /// An active user of this name, without password, groups or mail.
    pub fn named(username: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            kind: UserKind::Default,
            server: None,
            profile: Profile::default(),
            status: UserStatus::Active,
            starts_at: None,
            expires_at: None,
            password: NewPassword::None,
            weak: WeakPasswords::Refuse,
            groups: Vec::new(),
            primary_group: None,
            subject: None,
            welcome: Welcome::Silent,
            required_actions: Vec::new(),
            link: None,
            accepted_terms: Vec::new(),
        }
    }
}

/// A user that was made.
#[derive(Clone, Debug)]
pub struct CreatedUser {
    /// The user.
    pub user: User,
    /// The generated password, to be told once.
    pub password: Option<Secret>,
    /// The client that was made with a server's account: its `client_id` and its secret, to be told once.
    pub client: Option<(String, Secret)>,
}

/// Makes a user.
///
/// # Errors
/// [`Error::Invalid`] naming every field that can't be taken, [`Error::Forbidden`] if a group carries a permission that is
/// not the caller's to confer, [`Error::Busy`].
pub async fn create_user(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    new: NewUser,
) -> Result<CreatedUser, Error> {
    let settings = provider.settings().await?;
    judge_user(provider, &settings, &new)?;
    let ready = make_ready(provider, call, &settings, &new).await?;
    let mut tx = provider.store.write().await?;
    let done = add_in(&mut tx, call, source, &ready).await;
    let user = settle(tx, done).await?;
    server_account::settled(provider, call, &user).await;
    let client = ready
        .client
        .and_then(|made| made.secret.map(|secret| (made.client.client_id, secret)));
    Ok(CreatedUser {
        user,
        password: ready.told,
        client,
    })
}

/// A user that was judged and has a hash, a subject and a mail: nothing is left to do but to store it.
pub(in crate::flow) struct ReadyUser {
    user: User,
    /// The generated password.
    told: Option<Secret>,
    /// The way to a password of their own.
    mailed_link: Option<PreparedLink>,
    /// The client of a server, made with it.
    client: Option<clients::Created>,
    /// The one that is there.
    server: Option<ServerClient>,
    link: Option<FirstLink>,
    groups: Vec<String>,
    primary_group: Option<String>,
    group_rules: GroupRules,
    mail: Option<OutboxMail>,
    accepted_terms: Vec<Id<Terms>>,
}

/// Does beforehand what takes time, hashing above all: while a transaction is open nothing is waited for.
///
/// # Errors
/// As [`create_user`], but for what only the store can tell.
pub(in crate::flow) async fn make_ready(
    provider: &Provider,
    call: &Call,
    settings: &Settings,
    new: &NewUser,
) -> Result<ReadyUser, Error> {
    let group_rules = GroupRules::of(settings);
    let groups = group_rules.or_default(&new.groups);
    let groups = (groups.as_slice(), new.primary_group.as_deref());
    let rules = PasswordRules::of_groups(provider, settings, groups).await?;
    // whoever follows a link sets their own
    let admitted = match &new.link {
        None => rules.admit(new.password.clone())?,
        Some(_) => new.password.clone(),
    };
    let is_mailed = matches!(admitted, NewPassword::Mailed);
    let password = (admitted, new.weak);
    let for_now = passwords::is_for_now(provider, rules, new).then_some(RequiredAction::ChangePassword);
    let prepared = prepare(provider, rules, &new.username, &new.profile, password).await?;
    let user = User {
        id: Id::new(call.now),
        subject: new.subject.clone().unwrap_or_else(random::token),
        username: new.username.clone(),
        kind: new.kind,
        client: None,
        version: 1,
        status: new.status,
        profile: new.profile.clone(),
        password_changed_at: prepared.hash.as_ref().map(|_| call.now),
        password_expired_at: None,
        // whoever follows a link sets their own
        password_initial: prepared.hash.is_some() && new.link.is_none(),
        password: prepared.hash,
        required_actions: new
            .required_actions
            .iter()
            .copied()
            .chain(for_now)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        deletion_at: None,
        status_before: None,
        starts_at: new.starts_at,
        expires_at: new.expires_at,
        invited_at: (new.status == UserStatus::Invited).then_some(call.now),
        signed_in_at: None,
        created_at: call.now,
        updated_at: call.now,
    };
    let mailed_link = match is_mailed {
        true => Some(PreparedLink::of(provider, call, &user, settings).await?),
        false => None,
    };
    let mail = match new.welcome {
        // the mail with the link tells of the account too
        Welcome::Mail if mailed_link.is_none() => Some(welcome::write(provider, &user).await?),
        Welcome::Mail | Welcome::Silent => None,
    };
    Ok(ReadyUser {
        client: server_account::build(provider, call, new).await?,
        server: new.server.clone(),
        user,
        told: prepared.told,
        mailed_link,
        link: new.link.clone(),
        groups: new.groups.clone(),
        primary_group: new.primary_group.clone(),
        group_rules,
        mail,
        accepted_terms: new.accepted_terms.clone(),
    })
}

/// Stores a new user, as a part of a transaction: gives it as it is stored.
pub(in crate::flow) async fn add_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    ready: &ReadyUser,
) -> Result<User, Error> {
    let mut user = ready.user.clone();
    let client = (&mut user, ready.client.as_ref(), ready.server.as_ref());
    server_account::add_in(tx, call, source, client).await?;
    if user.kind == UserKind::Admin {
        source.must_cover([ADMIN])?;
    }
    reach::must_be_made_within(tx, source, &ready.groups).await?;
    let is_good = match &ready.link {
        None => true,
        Some(FirstLink::Setup(link)) => tx.use_setup_link(link, call.now).await?,
        Some(FirstLink::Registration(link)) => tx.use_action_link(ActionLinkKind::Registration, link, call.now).await?,
    };
    if !is_good {
        return Err(Error::NotFound);
    }
    if let Some(FirstLink::Setup(_)) = &ready.link {
        tx.add_event(&call.event(EventKind::Setup).because("link_used")).await?;
    }
    let properties = tx.list_properties().await?;
    let refused = property_values::judge(&properties, source, None, &mut user.profile);
    if !refused.is_empty() {
        return Err(Error::Invalid(refused));
    }
    let user = &user;
    must_be_free(tx, user).await?;
    if tx.is_subject_departed(&user.subject).await? {
        return Err(taken_field("/subject"));
    }
    tx.add_user(user).await.map_err(taken)?;
    server_account::follow_in(tx, call, source, user).await?;
    property_values::index_in(tx, user.id, &properties, (&Profile::default(), &user.profile)).await?;
    let groups = (ready.groups.as_slice(), ready.primary_group.as_deref());
    members::join(tx, call, source, user, groups, &ready.group_rules).await?;
    let event = call
        .event(EventKind::UserCreated)
        .user(user.id)
        .fact("source", source.fact())
        .fact("password", Fact::Bool(user.password.is_some()))
        .fact(
            "groups",
            Fact::Number(i64::try_from(ready.groups.len()).unwrap_or(i64::MAX)),
        )
        .changing(&Map::new(), &user_change::values_of(user));
    tx.add_event(&event).await?;
    if user.status == UserStatus::Invited {
        let event = call.event(EventKind::UserInvited).user(user.id);
        tx.add_event(&event.fact("source", source.fact())).await?;
    }
    let locale = user.profile.locale.as_deref().unwrap_or("en");
    let accepted = (ready.accepted_terms.as_slice(), locale);
    terms::accept_in(tx, call, user.id, accepted, TermsOccasion::Registration).await?;
    if let Some(mail) = &ready.mail {
        tx.add_mail(mail, call.now).await?;
    }
    if let Some(link) = &ready.mailed_link {
        link.add_in(tx, call, source, user.id).await?;
    }
    Ok(user.clone())
}

/// Refuses what can be seen to be wrong with a user to be before anything is changed: fields, groups, and the password under
/// these settings.
///
/// # Errors
/// [`Error::Invalid`] naming every field that can't be taken.
pub fn judge_user(provider: &Provider, settings: &Settings, new: &NewUser) -> Result<(), Error> {
    let mut errors = fields::check_user(&new.username, &new.profile);
    errors.extend(new.subject.as_deref().and_then(fields::check_subject));
    errors.extend(check_term(new.starts_at, new.expires_at));
    errors.extend(check_status(new));
    errors.extend(server_account::check(new));
    if let Some(primary) = &new.primary_group {
        let key = comparison_key(primary);
        if !new.groups.iter().any(|group| comparison_key(group) == key) {
            errors.push(FieldError {
                pointer: "/primary_group".to_owned(),
                code: "contradiction",
                detail: "the primary group is one of the groups".to_owned(),
            });
        }
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    passwords::judge_new(provider, settings, new)
}

/// Whoever is invited sets their own password, and a link leads nowhere while the account is inactive.
fn check_status(new: &NewUser) -> Option<FieldError> {
    let (pointer, detail) = match (new.status, &new.password) {
        (UserStatus::Invited, NewPassword::Mailed) if new.profile.email.is_none() => {
            ("/email", "an invitation needs an address to go to")
        }
        (UserStatus::Invited, NewPassword::Given(_) | NewPassword::Generated) => {
            ("/password", "whoever is invited chooses the password")
        }
        (UserStatus::Inactive, NewPassword::Mailed) => (
            "/status",
            "whoever is to choose a password by mail is not inactive: invite them later",
        ),
        (UserStatus::Active | UserStatus::Inactive | UserStatus::Invited, _) => return None,
        (UserStatus::Locked | UserStatus::Leaving | UserStatus::Deleted, _) => {
            ("/status", "expected active, inactive or invited")
        }
    };
    Some(FieldError {
        pointer: pointer.to_owned(),
        code: "contradiction",
        detail: detail.to_owned(),
    })
}

/// Refuses a username that is another person's mail address and the other way round: the same word would sign in either.
pub(super) async fn must_be_free(tx: &mut Write, user: &User) -> Result<(), Error> {
    let username = comparison_key(&user.username);
    let email = user.profile.email.as_deref().map(comparison_key);
    let keys: Vec<String> = email.iter().cloned().chain([username.clone()]).collect();
    // whom nobody sees yet has their names all the same
    for other in tx.list_users_named(&keys).await? {
        if other.user == user.id {
            continue;
        }
        if other.email.as_ref() == Some(&username) {
            return Err(taken_field("/username"));
        }
        if email.as_ref() == Some(&other.username) {
            return Err(taken_field("/email"));
        }
    }
    Ok(())
}

/// The constraints that a user may meet, as fields.
pub(super) fn taken(error: store::Error) -> Error {
    match error {
        store::Error::Taken(constraint) => match constraint.as_str() {
            "users_username_key" => taken_field("/username"),
            "users_email_key" => taken_field("/email"),
            "users_subject" => taken_field("/subject"),
            "users_client" => taken_field("/client_id"),
            _ => Error::Conflict("taken"),
        },
        other => other.into(),
    }
}

fn taken_field(pointer: &str) -> Error {
    Error::field(pointer, "taken", "somebody else has it")
}

/// What a user is looked up by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserKey {
    /// The row.
    Id(Id<User>),
    /// The username, without regard to case.
    Username(String),
    /// The mail address, without regard to case.
    Email(String),
    /// What clients know the person by.
    Subject(String),
    /// What the person signs in with: username or mail address.
    Identifier(String),
}

/// The user, if there is one.
///
/// # Errors
/// The store's.
pub async fn find_user(provider: &Provider, key: &UserKey) -> Result<Option<User>, Error> {
    let mut store = provider.store.read().await?;
    Ok(match key {
        UserKey::Id(id) => store.find_user(*id).await?,
        UserKey::Username(username) => store.find_user_by_username(username).await?,
        UserKey::Email(email) => store.find_user_by_email(email).await?,
        UserKey::Subject(subject) => store.find_user_by_subject(subject).await?,
        UserKey::Identifier(identifier) => store.find_user_by_identifier(identifier).await?,
    })
}

/// The user of this row.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_user(provider: &Provider, id: Id<User>) -> Result<User, Error> {
    let mut store = provider.store.read().await?;
    store.find_user(id).await?.ok_or(Error::NotFound)
}

/// Reads a position that is an id.
pub(in crate::flow) fn position<T>(after: Option<&str>) -> Result<Option<Id<T>>, Error> {
    after.map(str::parse).transpose().map_err(|_| wrong_position())
}

fn wrong_position() -> Error {
    Error::field("after", "malformed", "the cursor belongs to another list")
}
