//! Users: people's accounts. Fields use the names of OpenID Connect's standard claims (Core section 5.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::named::named;
use super::{Channel, Client, Id, Timestamp};

/// A person's account.
#[derive(Clone, Debug)]
pub struct User {
    /// The row; never told to clients.
    pub id: Id<User>,
    /// What clients know the person by: random, unique, never given to anyone else.
    pub subject: String,
    /// What the person signs in with. Unique without regard to case.
    pub username: String,
    /// What the account is for.
    pub kind: UserKind,
    /// The client of a server's account: it may be used while the account may.
    pub client: Option<Id<Client>>,
    /// Raised with every change: the ETag.
    pub version: i64,
    /// Whether the account may be used.
    pub status: UserStatus,
    /// Everything that is told about the person.
    pub profile: Profile,
    /// The password's hash (PHC string), if there is one.
    pub password: Option<PasswordHash>,
    /// When the password was last set.
    pub password_changed_at: Option<Timestamp>,
    /// Since when the password is not enough to sign in, because it has to be replaced.
    pub password_expired_at: Option<Timestamp>,
    /// Whether somebody else than the person has set it.
    pub password_initial: bool,
    /// What the person has to do at the next sign-in before they are in, in the order of [`RequiredAction`].
    pub required_actions: Vec<RequiredAction>,
    /// When the account is gone, if its owner wants that and has not taken it back ([`UserStatus::Leaving`]), or it is in the bin.
    pub deletion_at: Option<Timestamp>,
    /// What it was before it came into the bin.
    pub status_before: Option<UserStatus>,
    /// From when on the account may be used; from the beginning if unset.
    pub starts_at: Option<Timestamp>,
    /// From when on it may not be used any more; it may for ever if unset.
    pub expires_at: Option<Timestamp>,
    /// When its owner was last invited to it, if they were.
    pub invited_at: Option<Timestamp>,
    /// When its owner last signed in; no part of what the version counts.
    pub signed_in_at: Option<Timestamp>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it last changed: the claim `updated_at`.
    pub updated_at: Timestamp,
}

named! {
    /// What an account is for. None of them gives a right: rights come from groups.
    UserKind {
        /// A person.
        Default = "default",
        /// A person who administers: what is asked of administrators' passwords and sessions is asked of theirs, whatever they may do today.
        Admin = "admin",
        /// A server: nobody signs in to it, it has no password and no mail, but a client of its own.
        Server = "server",
    }
}

named! {
    /// Whether an account may be used.
    UserStatus {
        /// It may.
        Active = "active",
        /// It was made for somebody who was invited to it and has not signed in: it becomes active when they do.
        Invited = "invited",
        /// An administrator has deactivated it.
        Inactive = "inactive",
        /// Its owner has locked it, because something was wrong.
        Locked = "locked",
        /// Its owner has deleted it, and can take that back until it is gone.
        Leaving = "leaving",
        /// An administrator has deleted it, and it is in the bin until it is gone.
        Deleted = "deleted",
    }
}

named! {
    /// How an account stands at a moment: what was decided about it, and whether its time has come or is over.
    AccountState {
        /// It may be used.
        Active = "active",
        /// It becomes active when its owner, who was invited, signs in for the first time.
        Invited = "invited",
        /// An administrator has deactivated it.
        Inactive = "inactive",
        /// Its owner has locked it.
        Locked = "locked",
        /// Its owner has deleted it, and can take that back.
        Leaving = "leaving",
        /// It is in the bin.
        Deleted = "deleted",
        /// Its time has not come yet.
        NotStarted = "not_started",
        /// Its time is over.
        Expired = "expired",
    }
}

named! {
    /// What somebody may have to do at a sign-in, in the order in which it is asked.
    RequiredAction {
        /// Set another password.
        ChangePassword = "change_password",
        /// Set up a second factor, if there is none.
        EnrolFactor = "enrol_factor",
        /// Confirm the mail address.
        VerifyEmail = "verify_email",
        /// Complete what is told about them.
        UpdateProfile = "update_profile",
        /// Accept the terms of use that count, those among them that were accepted before.
        AcceptTerms = "accept_terms",
    }
}

/// What is told about a person: the standard claims.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Full name, if it is not just given and family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Middle name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    /// Nickname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// Profile page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Website.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// Mail address. Unique without regard to case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether the person has shown that the address is theirs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub email_verified: bool,
    /// Gender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// Birthday, `YYYY-MM-DD` or `YYYY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<String>,
    /// Time zone, `Europe/Paris`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zoneinfo: Option<String>,
    /// Language, `en-US`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Phone number, E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Whether the person has shown that the number is theirs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub phone_number_verified: bool,
    /// Postal address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The company that the person works for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// What an administrator has defined beside, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Value>,
}

/// A postal address (Core section 5.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// The whole, as on a letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    /// Street, house number, post box.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// State, province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// Who has set a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordSetter {
    /// The person.
    Person,
    /// Somebody else, who may know it.
    Other,
}

/// A password's hash as a PHC string. Prints as `***`.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a PHC string.
    pub fn new(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }

    /// The PHC string: for storage, verification and `export --with-secrets`.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

impl User {
    /// The name to show: the full one, else given and family name, else the username.
    pub fn display_name(&self) -> String {
        self.full_name().unwrap_or_else(|| self.username.clone())
    }

    /// The claim `name`: as set, else made of given and family name.
    pub fn full_name(&self) -> Option<String> {
        if let Some(name) = &self.profile.name {
            return Some(name.clone());
        }
        match (&self.profile.given_name, &self.profile.family_name) {
            (Some(given), Some(family)) => Some(format!("{given} {family}")),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        }
    }

    /// The mail address or number that the person has shown to be theirs.
    pub fn confirmed(&self, channel: Channel) -> Option<&str> {
        let profile = &self.profile;
        match channel {
            Channel::Mail => profile.email.as_deref().filter(|_| profile.email_verified),
            Channel::Sms => profile
                .phone_number
                .as_deref()
                .filter(|_| profile.phone_number_verified),
        }
    }

    /// How the account stands. What a person has decided comes first: it is told as such.
    pub fn state(&self, now: Timestamp) -> AccountState {
        match self.status {
            UserStatus::Inactive => AccountState::Inactive,
            UserStatus::Locked => AccountState::Locked,
            UserStatus::Deleted => AccountState::Deleted,
            _ if self.expires_at.is_some_and(|end| now >= end) => AccountState::Expired,
            _ if self.starts_at.is_some_and(|start| now < start) => AccountState::NotStarted,
            UserStatus::Leaving => AccountState::Leaving,
            UserStatus::Invited => AccountState::Invited,
            UserStatus::Active => AccountState::Active,
        }
    }

    /// Whether the account may be used. One whose owner was invited may, by whoever proves to be them: with the session that begins
    /// then it is active, and there is none of it before.
    pub fn is_active(&self, now: Timestamp) -> bool {
        matches!(self.state(now), AccountState::Active | AccountState::Invited)
    }

    /// Whether somebody may still prove that it is theirs: to use it, or to take its deletion back.
    pub fn may_be_entered(&self, now: Timestamp) -> bool {
        self.is_active(now) || self.state(now) == AccountState::Leaving
    }

    /// Whether its owner may make it ready for the day on which it begins, or use it: set a password, confirm an address.
    pub fn may_be_prepared(&self, now: Timestamp) -> bool {
        self.is_active(now) || self.state(now) == AccountState::NotStarted
    }
}

/// The form in which usernames, mail addresses and group names are compared: without regard to case, and to the ways in which Unicode
/// can write the same (compatibility, UAX #15: wide letters, ligatures, letters with their accents apart).
pub fn comparison_key(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // the sigma at a word's end is one, too
    let lower = text.nfkc().flat_map(char::to_lowercase);
    let lower: String = lower.map(|letter| if letter == 'ς' { 'σ' } else { letter }).collect();
    // once more: lower case can take apart what was put together, and a sign can become one after a blank
    let key: String = lower.nfkc().collect();
    key.trim().to_owned()
}
