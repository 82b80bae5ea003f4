//! Users as the API spells them: the standard claims of OpenID Connect Core section 5.1.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body::present;
use crate::flow::Error;
use crate::flow::people::{
    CreatedUser, NewPassword, NewUser, PropertiesChange, ServerClient, UserChange, WeakPasswords, Welcome,
};
use crate::model::{
    Address, PasswordHash, Profile, RequiredAction, Scopes, Secret, Timestamp, UnknownName, User, UserKind, UserStatus,
};

/// The bodies of a user have these texts in common.
macro_rules! user_bodies {
    ($($(#[doc = $doc:literal])+ $field:ident;)+) => {
        /// A user to make.
        #[derive(Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct NewUserBody {
            /// What the person signs in with: 1 to 150 characters, unique without regard to case.
            #[schemars(required)]
            username: String,
            /// What the account is for: `default`; `admin`, of whom is asked what is asked of administrators; or `server`, to which nobody
            /// signs in: a client is made with it, whose secret is told in the answer, once.
            #[serde(rename = "type")]
            kind: Option<String>,
            /// What the client of a server's account may ask for, separated by blanks.
            scope: Option<String>,
            /// The id of the group that the user is put into at once, as the primary one: callers whose rights count over groups alone
            /// name one of those, others need `admin:groups.members` for it.
            pub(super) group: Option<String>,
            $($(#[doc = $doc])+ $field: Option<String>,)+
            /// Whether the person has shown that the mail address is theirs.
            email_verified: bool,
            /// Whether the person has shown that the phone number is theirs.
            phone_number_verified: bool,
            /// Postal address.
            address: Option<AddressBody>,
            /// What an administrator has defined beside, by name (`/properties`).
            properties: BTreeMap<String, Value>,
            /// What clients know the person by, brought along from elsewhere: 1 to 255 ASCII characters, never anybody
            /// else's. A new random one if absent.
            subject: Option<String>,
            /// The password.
            #[schemars(with = "Option<String>")]
            password: Option<Secret>,
            /// A password's hash, also one of another system's making, for moving in; instead of a password.
            #[schemars(with = "Option<String>")]
            password_hash: Option<Secret>,
            /// Whether a password is made up here and told in the answer, once; under `password.generated_only` a link is mailed instead.
            generate_password: bool,
            /// Whether the person is mailed a link by which they set their password.
            send_password_link: bool,
            /// Whether the person is told of the account by mail.
            send_welcome: bool,
            /// `active` unless told; `invited`: the person is mailed a link by which they choose a password, and the account is active
            /// when they first sign in; `inactive`: it waits for somebody to reactivate it or to send an invitation.
            status: Option<String>,
            /// What the person has to do at the first sign-in before they are in: `change_password`, `enrol_factor`,
            /// `verify_email`, `update_profile`, `accept_terms`.
            required_actions: Vec<String>,
            /// From when on the account may be used (RFC 3339); at once if absent.
            starts_at: Option<String>,
            /// Until when (RFC 3339): everything of it ends at that moment. For ever if absent.
            expires_at: Option<String>,
        }

        /// A change of a user: what is absent stays, `null` clears.
        #[derive(Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct UserPatchBody {
            /// What the person signs in with.
            username: Option<String>,
            /// What the account is for: `default` or `admin`.
            #[serde(rename = "type")]
            kind: Option<String>,
            $($(#[doc = $doc])+ #[serde(deserialize_with = "present")] $field: Option<Option<String>>,)+
            /// Whether the person has shown that the mail address is theirs. No longer so with a new address, unless said
            /// with it.
            email_verified: Option<bool>,
            /// Whether the person has shown that the phone number is theirs. No longer so with a new number, unless said
            /// with it.
            phone_number_verified: Option<bool>,
            /// Postal address, as a whole.
            #[serde(deserialize_with = "present")]
            address: Option<Option<AddressBody>>,
            /// What an administrator has defined beside: what is not named stays, `null` clears.
            properties: BTreeMap<String, Option<Value>>,
            /// What the person has to do at the next sign-in before they are in, all of it: `change_password`,
            /// `enrol_factor`, `verify_email`, `update_profile`, `accept_terms`. Each goes when it is done.
            required_actions: Option<Vec<String>>,
            /// From when on the account may be used (RFC 3339). Everything of it ends if that is still to come.
            #[serde(deserialize_with = "present")]
            starts_at: Option<Option<String>>,
            /// Until when (RFC 3339): everything of it ends at that moment.
            #[serde(deserialize_with = "present")]
            expires_at: Option<Option<String>>,
        }

        /// A user.
        #[derive(Serialize, JsonSchema)]
        #[schemars(rename = "User")]
        pub(super) struct UserBody {
            /// The id of this API.
            id: String,
            /// What clients know the person by: the claim `sub`, unless pairwise.
            subject: String,
            /// What the person signs in with.
            username: String,
            /// What the account is for: `default`, `admin` or `server`.
            #[serde(rename = "type")]
            kind: String,
            /// The client of a server's account, by its id of this API.
            #[serde(skip_serializing_if = "Option::is_none")]
            client: Option<String>,
            /// `active`, `invited` until the person first signs in, `inactive`, `locked` by its owner, or `leaving`: deleted by its
            /// owner, who can take that back; `deleted`: in the bin.
            status: String,
            /// How the account stands now: `status`, but `not_started` before `starts_at`, and `expired` from `expires_at` on.
            state: String,
            /// From when on the account may be used.
            #[serde(skip_serializing_if = "Option::is_none")]
            starts_at: Option<String>,
            /// Until when.
            #[serde(skip_serializing_if = "Option::is_none")]
            expires_at: Option<String>,
            /// When it is gone, if its owner or an administrator has deleted it.
            #[serde(skip_serializing_if = "Option::is_none")]
            deletion_at: Option<String>,
            $($(#[doc = $doc])+ #[serde(skip_serializing_if = "Option::is_none")] $field: Option<String>,)+
            /// Whether the person has shown that the mail address is theirs.
            email_verified: bool,
            /// Whether the person has shown that the phone number is theirs.
            phone_number_verified: bool,
            /// Postal address.
            #[serde(skip_serializing_if = "Option::is_none")]
            address: Option<AddressBody>,
            /// What an administrator has defined beside, by name.
            properties: BTreeMap<String, Value>,
            /// Whether the person can sign in by password.
            has_password: bool,
            /// When the password was last set.
            #[serde(skip_serializing_if = "Option::is_none")]
            password_changed_at: Option<String>,
            /// Since when the password does not let anybody in, because it has to be replaced.
            #[serde(skip_serializing_if = "Option::is_none")]
            password_expired_at: Option<String>,
            /// What the person has to do at the next sign-in before they are in: `change_password`, `enrol_factor`,
            /// `verify_email`, `update_profile`, `accept_terms`.
            required_actions: Vec<String>,
            /// When the person was last invited to the account.
            #[serde(skip_serializing_if = "Option::is_none")]
            invited_at: Option<String>,
            /// When the person last signed in; no part of what the ETag says.
            #[serde(skip_serializing_if = "Option::is_none")]
            signed_in_at: Option<String>,
            /// When the account was made.
            created_at: String,
            /// When it last changed.
            updated_at: String,
            /// The generated password: told this once.
            #[serde(skip_serializing_if = "Option::is_none")]
            password: Option<String>,
            /// The `client_id` of a client that was just made for a server.
            #[serde(skip_serializing_if = "Option::is_none")]
            client_id: Option<String>,
            /// Its secret: told this once.
            #[serde(skip_serializing_if = "Option::is_none")]
            client_secret: Option<String>,
        }

        impl NewUserBody {
            /// The user to make.
            pub(super) fn into_new(self) -> Result<NewUser, Error> {
                let required_actions = actions(&self.required_actions)?;
                let status = status(self.status.as_deref())?;
                let password = match (self.password, self.password_hash) {
                    (Some(password), _) => NewPassword::Given(password),
                    (None, Some(hash)) => NewPassword::Hash(PasswordHash::new(hash.expose())),
                    (None, None) if self.generate_password => NewPassword::Generated,
                    (None, None) if self.send_password_link || status == UserStatus::Invited => NewPassword::Mailed,
                    (None, None) => NewPassword::None,
                };
                let kind = kind(self.kind.as_deref())?;
                Ok(NewUser {
                    username: self.username,
                    kind: kind.unwrap_or(UserKind::Default),
                    server: self.scope.as_deref().map(scope).transpose()?.map(ServerClient::Made),
                    profile: Profile {
                        $($field: self.$field,)+
                        email_verified: self.email_verified,
                        phone_number_verified: self.phone_number_verified,
                        address: self.address.map(Into::into),
                        properties: self.properties,
                    },
                    status,
                    starts_at: moment("/starts_at", self.starts_at.as_deref())?,
                    expires_at: moment("/expires_at", self.expires_at.as_deref())?,
                    password,
                    weak: WeakPasswords::Refuse,
                    groups: Vec::new(),
                    primary_group: None,
                    subject: self.subject,
                    welcome: if self.send_welcome { Welcome::Mail } else { Welcome::Silent },
                    required_actions,
                    link: None,
                    accepted_terms: Vec::new(),
                })
            }

            /// Whether it says in more than one way what the password is.
            pub(super) fn contradicts_itself(&self) -> bool {
                let ways = [
                    self.password.is_some(),
                    self.password_hash.is_some(),
                    self.generate_password,
                    self.send_password_link || self.status.as_deref() == Some("invited"),
                ];
                ways.into_iter().filter(|way| *way).count() > 1
            }
        }

        impl UserPatchBody {
            /// The change that it asks for.
            pub(super) fn into_change(self) -> Result<UserChange, Error> {
                let body = self;
                Ok(UserChange {
                    kind: kind(body.kind.as_deref())?,
                    username: body.username,
                    $($field: body.$field,)+
                    email_verified: body.email_verified,
                    phone_number_verified: body.phone_number_verified,
                    address: body.address.map(|address| address.map(Into::into)),
                    properties: (!body.properties.is_empty()).then(|| PropertiesChange::Patch(body.properties)),
                    required_actions: body.required_actions.as_deref().map(actions).transpose()?,
                    starts_at: changed_moment("/starts_at", body.starts_at)?,
                    expires_at: changed_moment("/expires_at", body.expires_at)?,
                })
            }
        }

        impl UserBody {
            /// A user that was just made, with what is told once.
            pub(super) fn made(made: CreatedUser, now: Timestamp) -> Self {
                let mut body = Self::of(made.user, now, made.password.as_ref());
                if let Some((client_id, secret)) = made.client {
                    body.client_id = Some(client_id);
                    body.client_secret = Some(secret.expose().to_owned());
                }
                body
            }

            /// The same with what an administrator may see of what was defined beside.
            pub(super) fn telling(self, properties: BTreeMap<String, Value>) -> Self {
                Self { properties, ..self }
            }

            /// The user as the API tells of it at this moment, with a generated password.
            pub(super) fn of(user: User, now: Timestamp, password: Option<&Secret>) -> Self {
                let state = user.state(now).to_string();
                let profile = user.profile;
                Self {
                    state,
                    starts_at: user.starts_at.map(|at| at.rfc3339()),
                    expires_at: user.expires_at.map(|at| at.rfc3339()),
                    id: user.id.to_string(),
                    subject: user.subject,
                    username: user.username,
                    kind: user.kind.to_string(),
                    client: user.client.map(|client| client.to_string()),
                    client_id: None,
                    client_secret: None,
                    status: user.status.to_string(),
                    deletion_at: user.deletion_at.map(|at| at.rfc3339()),
                    $($field: profile.$field,)+
                    email_verified: profile.email_verified,
                    phone_number_verified: profile.phone_number_verified,
                    address: profile.address.map(Into::into),
                    properties: BTreeMap::new(),
                    has_password: user.password.is_some(),
                    password_changed_at: user.password_changed_at.map(|at| at.rfc3339()),
                    password_expired_at: user.password_expired_at.map(|at| at.rfc3339()),
                    required_actions: user.required_actions.iter().map(ToString::to_string).collect(),
                    invited_at: user.invited_at.map(|at| at.rfc3339()),
                    signed_in_at: user.signed_in_at.map(|at| at.rfc3339()),
                    created_at: user.created_at.rfc3339(),
                    updated_at: user.updated_at.rfc3339(),
                    password: password.map(|password| password.expose().to_owned()),
                }
            }
        }
    };
}

user_bodies! {
    /// Full name, if it is not just given and family name.
    name;
    /// Given name.
    given_name;
    /// Family name.
    family_name;
    /// Middle name.
    middle_name;
    /// Nickname.
    nickname;
    /// Address of a profile page, https or http.
    profile;
    /// Address of a picture, https or http.
    picture;
    /// Address of a website, https or http.
    website;
    /// Mail address, unique without regard to case.
    email;
    /// Gender.
    gender;
    /// Birthday: `YYYY-MM-DD`, `0000-MM-DD` or `YYYY`.
    birthdate;
    /// Time zone: `Europe/Paris`.
    zoneinfo;
    /// Language: `en-US`.
    locale;
    /// Phone number in E.164: `+33123456789`.
    phone_number;
    /// The company that the person works for.
    company;
}

fn kind(word: Option<&str>) -> Result<Option<UserKind>, Error> {
    let read = |word: &str| {
        let unknown = |error: UnknownName| Error::field("/type", "unsupported", error.to_string());
        word.parse().map_err(unknown)
    };
    word.map(read).transpose()
}

fn scope(text: &str) -> Result<Scopes, Error> {
    Scopes::parse(text).map_err(|_| Error::field("/scope", "malformed", "expected scopes separated by blanks"))
}

fn status(word: Option<&str>) -> Result<UserStatus, Error> {
    match word {
        None | Some("active") => Ok(UserStatus::Active),
        Some("invited") => Ok(UserStatus::Invited),
        Some("inactive") => Ok(UserStatus::Inactive),
        Some(_) => {
            let detail = "expected active, invited or inactive";
            Err(Error::field("/status", "unsupported", detail))
        }
    }
}

pub(super) fn moment(pointer: &str, text: Option<&str>) -> Result<Option<Timestamp>, Error> {
    let read = |text| {
        Timestamp::parse(text).ok_or_else(|| {
            let detail = "expected a moment like 2027-01-31T17:00:00Z (RFC 3339)";
            Error::field(pointer, "malformed", detail)
        })
    };
    text.map(read).transpose()
}

fn changed_moment(pointer: &str, text: Option<Option<String>>) -> Result<Option<Option<Timestamp>>, Error> {
    text.map(|text| moment(pointer, text.as_deref())).transpose()
}

fn actions(words: &[String]) -> Result<Vec<RequiredAction>, Error> {
    let read = words.iter().enumerate().map(|(index, word)| {
        let unknown =
            |error: UnknownName| Error::field(format!("/required_actions/{index}"), "unsupported", error.to_string());
        word.parse().map_err(unknown)
    });
    read.collect()
}

/// A postal address (OpenID Connect Core section 5.1.1).
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Address")]
pub(super) struct AddressBody {
    /// The whole, as on a letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    formatted: Option<String>,
    /// Street, house number, post box.
    #[serde(skip_serializing_if = "Option::is_none")]
    street_address: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    locality: Option<String>,
    /// State, province.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
    /// Country.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
}

impl From<AddressBody> for Address {
    fn from(body: AddressBody) -> Self {
        let AddressBody {
            formatted,
            street_address,
            locality,
            region,
            postal_code,
            country,
        } = body;
        Self {
            formatted,
            street_address,
            locality,
            region,
            postal_code,
            country,
        }
    }
}

impl From<Address> for AddressBody {
    fn from(address: Address) -> Self {
        let Address {
            formatted,
            street_address,
            locality,
            region,
            postal_code,
            country,
        } = address;
        Self {
            formatted,
            street_address,
            locality,
            region,
            postal_code,
            country,
        }
    }
}

/// A password to set.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PasswordResetBody {
    /// The new password; one is made up and told in the answer if absent.
    #[schemars(with = "Option<String>")]
    pub(super) password: Option<Secret>,
    /// Whether the person is mailed a link by which they set it, and nobody is told one. It is so in any case under
    /// `password.generated_only`.
    pub(super) send_link: bool,
}

impl PasswordResetBody {
    /// What the password becomes.
    pub(super) fn into_new(self) -> Result<NewPassword, Error> {
        match (self.password, self.send_link) {
            (Some(_), true) => {
                let detail = "expected a password or send_link, not both";
                Err(Error::field("/password", "contradiction", detail))
            }
            (Some(password), false) => Ok(NewPassword::Given(password)),
            (None, true) => Ok(NewPassword::Mailed),
            (None, false) => Ok(NewPassword::Generated),
        }
    }
}

/// What became of a reset.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PasswordReset")]
pub(super) struct PasswordResetAnswer {
    /// The generated password: told this once. Absent where a link was mailed, or the password was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<String>,
}
