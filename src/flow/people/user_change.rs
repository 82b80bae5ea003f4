//! The one change of a user: a patch of fields. A field that is absent stays, `Some(None)` clears it.

use serde::{Deserialize, Deserializer, Serialize};

use serde_json::{Map, Value, json};

use super::departure::end_browsers;
use super::property_values::PropertiesChange;
use super::term::{TermChange, check_term};
use super::{ChangeSource, fields, property_values, server_account, standing, users};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::group::ADMIN;
use crate::model::{
    AccountState, Address, EventKind, Fact, Id, Profile, RequiredAction, Timestamp, User, UserKind, members_of,
};
use crate::store::Write;

/// A change of a user's fields. Names are those of the standard claims (OpenID Connect Core section 5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserChange {
    /// What the account is for: a person's, or one of a person who administers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<UserKind>,
    /// What the person signs in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Full name.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub name: Option<Option<String>>,
    /// Given name.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub given_name: Option<Option<String>>,
    /// Family name.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub family_name: Option<Option<String>>,
    /// Middle name.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<Option<String>>,
    /// Nickname.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub nickname: Option<Option<String>>,
    /// Profile page.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub profile: Option<Option<String>>,
    /// Picture.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub picture: Option<Option<String>>,
    /// Website.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub website: Option<Option<String>>,
    /// Mail address. A new one is not verified unless the change says so.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub email: Option<Option<String>>,
    /// Whether the mail address is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// Gender.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub gender: Option<Option<String>>,
    /// Birthday.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<Option<String>>,
    /// Time zone.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub zoneinfo: Option<Option<String>>,
    /// Language.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub locale: Option<Option<String>>,
    /// Phone number. A new one is not verified unless the change says so.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<Option<String>>,
    /// Whether the phone number is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number_verified: Option<bool>,
    /// Postal address, as a whole.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub address: Option<Option<Address>>,
    /// The company that the person works for.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub company: Option<Option<String>>,
    /// What an administrator has defined beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<PropertiesChange>,
    /// What the person has to do at the next sign-in, all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_actions: Option<Vec<RequiredAction>>,
    /// From when on the account may be used.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Option<Timestamp>>,
    /// Until when.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Option<Timestamp>>,
}

/// What is absent is not said; what is `null` is said to be nothing.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl UserChange {
    /// The change that makes a username and profile exactly these.
    pub fn to(username: &str, profile: &Profile) -> Self {
        let Profile {
            name,
            given_name,
            family_name,
            middle_name,
            nickname,
            profile,
            picture,
            website,
            email,
            email_verified,
            gender,
            birthdate,
            zoneinfo,
            locale,
            phone_number,
            phone_number_verified,
            address,
            company,
            properties,
        } = profile.clone();
        Self {
            kind: None,
            username: Some(username.to_owned()),
            name: Some(name),
            given_name: Some(given_name),
            family_name: Some(family_name),
            middle_name: Some(middle_name),
            nickname: Some(nickname),
            profile: Some(profile),
            picture: Some(picture),
            website: Some(website),
            email: Some(email),
            email_verified: Some(email_verified),
            gender: Some(gender),
            birthdate: Some(birthdate),
            zoneinfo: Some(zoneinfo),
            locale: Some(locale),
            phone_number: Some(phone_number),
            phone_number_verified: Some(phone_number_verified),
            address: Some(address),
            company: Some(company),
            properties: Some(PropertiesChange::Whole(properties)),
            required_actions: None,
            starts_at: None,
            expires_at: None,
        }
    }

    /// The change of what the person has to do at the next sign-in.
    pub fn requiring(actions: Vec<RequiredAction>) -> Self {
        Self {
            required_actions: Some(actions),
            ..Self::default()
        }
    }

    /// The same without what is as it says already.
    #[must_use]
    pub(super) fn without_what_stays(mut self, user: &User) -> Self {
        if self.username.as_deref() == Some(user.username.as_str()) {
            self.username = None;
        }
        let profile = &user.profile;
        let texts = [
            (&mut self.name, &profile.name),
            (&mut self.given_name, &profile.given_name),
            (&mut self.family_name, &profile.family_name),
            (&mut self.middle_name, &profile.middle_name),
            (&mut self.nickname, &profile.nickname),
            (&mut self.profile, &profile.profile),
            (&mut self.picture, &profile.picture),
            (&mut self.website, &profile.website),
            (&mut self.email, &profile.email),
            (&mut self.gender, &profile.gender),
            (&mut self.birthdate, &profile.birthdate),
            (&mut self.zoneinfo, &profile.zoneinfo),
            (&mut self.locale, &profile.locale),
            (&mut self.phone_number, &profile.phone_number),
            (&mut self.company, &profile.company),
        ];
        for (new, now) in texts {
            if new.as_ref() == Some(now) {
                *new = None;
            }
        }
        if self.address.as_ref() == Some(&profile.address) {
            self.address = None;
        }
        self
    }

    /// What it changes, by the names of the claims; properties that an administrator has defined have rights of their own.
    pub(super) fn touched(&self) -> Vec<&'static str> {
        let all = [
            ("type", self.kind.is_some()),
            ("username", self.username.is_some()),
            ("name", self.name.is_some()),
            ("given_name", self.given_name.is_some()),
            ("family_name", self.family_name.is_some()),
            ("middle_name", self.middle_name.is_some()),
            ("nickname", self.nickname.is_some()),
            ("profile", self.profile.is_some()),
            ("picture", self.picture.is_some()),
            ("website", self.website.is_some()),
            ("email", self.email.is_some()),
            ("email_verified", self.email_verified.is_some()),
            ("gender", self.gender.is_some()),
            ("birthdate", self.birthdate.is_some()),
            ("zoneinfo", self.zoneinfo.is_some()),
            ("locale", self.locale.is_some()),
            ("phone_number", self.phone_number.is_some()),
            ("phone_number_verified", self.phone_number_verified.is_some()),
            ("address", self.address.is_some()),
            ("company", self.company.is_some()),
            ("required_actions", self.required_actions.is_some()),
            ("starts_at", self.starts_at.is_some()),
            ("expires_at", self.expires_at.is_some()),
        ];
        all.into_iter()
            .filter(|(_, is_touched)| *is_touched)
            .map(|(name, _)| name)
            .collect()
    }

    /// What a user becomes.
    pub(super) fn make(self, user: &mut User) {
        if let Some(new) = self.kind {
            user.kind = new;
        }
        if let Some(new) = self.starts_at {
            user.starts_at = new;
        }
        if let Some(new) = self.expires_at {
            user.expires_at = new;
        }
        let (username, profile) = (&mut user.username, &mut user.profile);
        if let Some(new) = self.username {
            *username = new;
        }
        // who proved to hold one address has proved nothing about another
        if self.email.as_ref().is_some_and(|new| *new != profile.email) {
            profile.email_verified = false;
        }
        if self
            .phone_number
            .as_ref()
            .is_some_and(|new| *new != profile.phone_number)
        {
            profile.phone_number_verified = false;
        }
        let texts = [
            (&mut profile.name, self.name),
            (&mut profile.given_name, self.given_name),
            (&mut profile.family_name, self.family_name),
            (&mut profile.middle_name, self.middle_name),
            (&mut profile.nickname, self.nickname),
            (&mut profile.profile, self.profile),
            (&mut profile.picture, self.picture),
            (&mut profile.website, self.website),
            (&mut profile.email, self.email),
            (&mut profile.gender, self.gender),
            (&mut profile.birthdate, self.birthdate),
            (&mut profile.zoneinfo, self.zoneinfo),
            (&mut profile.locale, self.locale),
            (&mut profile.phone_number, self.phone_number),
            (&mut profile.company, self.company),
        ];
        for (field, new) in texts {
            if let Some(new) = new {
                *field = new;
            }
        }
        if let Some(verified) = self.email_verified {
            profile.email_verified = verified;
        }
        if let Some(verified) = self.phone_number_verified {
            profile.phone_number_verified = verified;
        }
        if let Some(address) = self.address {
            profile.address = address;
        }
        if let Some(properties) = self.properties {
            properties.make(&mut profile.properties);
        }
        if let Some(mut actions) = self.required_actions {
            actions.sort_unstable();
            actions.dedup();
            user.required_actions = actions;
        }
    }
}

/// Changes a user, if its version still is the expected one. A change that changes nothing leaves no trace.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Invalid`], [`Error::Forbidden`] if the user holds rights of
/// administration that the caller lacks.
pub async fn change_user(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
    change: UserChange,
) -> Result<User, Error> {
    let mut tx = provider.store.write().await?;
    let done = change_in(&mut tx, call, source, id, expected, change).await;
    let user = settle(tx, done).await?;
    if is_over(&user, call.now) {
        end_browsers(provider, call, id).await;
    }
    server_account::settled(provider, call, &user).await;
    Ok(user)
}

/// Whether the account may not be used for its term: then everything of it has ended, and the session store is cleared when the change has
/// committed ([`end_browsers`]).
pub(in crate::flow) fn is_over(user: &User, now: Timestamp) -> bool {
    matches!(user.state(now), AccountState::NotStarted | AccountState::Expired)
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn change_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
    change: UserChange,
) -> Result<User, Error> {
    let before = tx.find_user(id).await?.ok_or(Error::NotFound)?;
    if expected.is_some_and(|version| version != before.version) {
        return Err(Error::Stale);
    }
    source.must_outrank(&tx.list_permissions_of(id).await?)?;
    standing::must_not_be_binned(&before)?;
    let mut user = before.clone();
    change.make(&mut user);
    let is_required_the_same = user.required_actions == before.required_actions;
    let is_term_the_same = (user.starts_at, user.expires_at) == (before.starts_at, before.expires_at);
    let is_kind_the_same = user.kind == before.kind;
    let is_the_same = user.username == before.username && user.profile == before.profile && is_kind_the_same;
    if is_the_same && is_required_the_same && is_term_the_same {
        return Ok(before);
    }
    let properties = tx.list_properties().await?;
    let mut errors = fields::check_user(&user.username, &user.profile);
    errors.extend(property_values::judge(
        &properties,
        source,
        Some(&before.profile),
        &mut user.profile,
    ));
    errors.extend(check_term(user.starts_at, user.expires_at));
    errors.extend(check_kind(&before, &user));
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    if !is_kind_the_same && user.kind == UserKind::Admin {
        source.must_cover([ADMIN])?;
    }
    let term = match is_term_the_same {
        true => None,
        false => Some(TermChange::begin(tx, call, &before).await?),
    };
    users::must_be_free(tx, &user).await?;
    user.updated_at = call.now;
    if !tx.change_user(&user).await.map_err(users::taken)? {
        return Err(Error::Stale);
    }
    user.version = user.version.saturating_add(1);
    property_values::index_in(tx, id, &properties, (&before.profile, &user.profile)).await?;
    if user.profile.picture != before.profile.picture {
        // it is shown at its old address no longer
        tx.remove_picture_of(id).await?;
    }
    let event = call
        .event(EventKind::UserChanged)
        .user(id)
        .fact("source", source.fact())
        .fact("username", Fact::Bool(user.username != before.username))
        .fact("email", Fact::Bool(user.profile.email != before.profile.email))
        .fact("required_actions", Fact::Bool(!is_required_the_same))
        .fact("term", Fact::Bool(!is_term_the_same))
        .fact("version", Fact::Number(user.version))
        .changing(&values_of(&before), &values_of(&user));
    tx.add_event(&event).await?;
    if let Some(term) = term {
        term.finish(tx, call, source, &user).await?;
        server_account::follow_in(tx, call, source, &user).await?;
    }
    Ok(user)
}

/// A server's account stays one, and nobody else's becomes one.
fn check_kind(before: &User, user: &User) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if user.kind != before.kind && (user.kind == UserKind::Server || before.kind == UserKind::Server) {
        errors.push(FieldError {
            pointer: "/type".to_owned(),
            code: "immutable",
            detail: "a server's account is one from its making on, and stays one".to_owned(),
        });
    }
    if user.kind == UserKind::Server {
        errors.extend(server_account::check_profile(&user.profile));
        if user.starts_at.is_some() {
            errors.push(FieldError {
                pointer: "/starts_at".to_owned(),
                code: "contradiction",
                detail: "a server's account has no beginning but its making".to_owned(),
            });
        }
    }
    errors
}

/// What of an account the history tells, by field.
pub(super) fn values_of(user: &User) -> Map<String, Value> {
    let mut values = members_of(&user.profile);
    values.insert("username".to_owned(), user.username.clone().into());
    if !user.required_actions.is_empty() {
        values.insert("required_actions".to_owned(), json!(user.required_actions));
    }
    for (name, at) in [("starts_at", user.starts_at), ("expires_at", user.expires_at)] {
        if let Some(at) = at {
            values.insert(name.to_owned(), at.rfc3339().into());
        }
    }
    values
}
