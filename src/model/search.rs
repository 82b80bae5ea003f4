//! Finding people: what is asked of somebody's account, and whether it is so. What is asked of a text counts without regard to case and to
//! the ways in which Unicode writes the same, like usernames.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::named::named;
use super::user::comparison_key;
use super::{Group, Id, Profile, Property, PropertyType, Timestamp, User, UserStatus, words_of};

named! {
    /// How two values compare (RFC 7644 section 3.4.2.2).
    Operator {
        /// They are the same.
        Equal = "eq",
        /// One stands in the other.
        Contains = "co",
        /// The other begins with it.
        Begins = "sw",
        /// The other ends with it.
        Ends = "ew",
        /// The other is greater.
        Greater = "gt",
        /// The other is no less.
        GreaterOrEqual = "ge",
        /// The other is less.
        Less = "lt",
        /// The other is no greater.
        LessOrEqual = "le",
    }
}

named! {
    /// What every account has, or may have.
    Standard {
        /// The row.
        Id = "id",
        /// What clients know the person by.
        Subject = "subject",
        /// What the person signs in with.
        Username = "username",
        /// What the account is for.
        Type = "type",
        /// What was decided about it.
        Status = "status",
        /// How it stands now.
        State = "state",
        /// The name to show, as set or made of given and family name.
        Name = "name",
        /// Given name.
        GivenName = "given_name",
        /// Family name.
        FamilyName = "family_name",
        /// Middle name.
        MiddleName = "middle_name",
        /// Nickname.
        Nickname = "nickname",
        /// Profile page.
        Profile = "profile",
        /// Picture.
        Picture = "picture",
        /// Website.
        Website = "website",
        /// Mail address.
        Email = "email",
        /// Whether that was shown to be theirs.
        EmailVerified = "email_verified",
        /// Gender.
        Gender = "gender",
        /// Birthday.
        Birthdate = "birthdate",
        /// Time zone.
        Zoneinfo = "zoneinfo",
        /// Language.
        Locale = "locale",
        /// Phone number.
        PhoneNumber = "phone_number",
        /// Whether that was shown to be theirs.
        PhoneNumberVerified = "phone_number_verified",
        /// The company that the person works for.
        Company = "company",
        /// The whole address.
        AddressFormatted = "address.formatted",
        /// Street and house number.
        AddressStreet = "address.street_address",
        /// City.
        AddressLocality = "address.locality",
        /// State, province.
        AddressRegion = "address.region",
        /// Postal code.
        AddressPostalCode = "address.postal_code",
        /// Country.
        AddressCountry = "address.country",
        /// Whether there is a password.
        HasPassword = "has_password",
        /// When it was last set.
        PasswordChangedAt = "password_changed_at",
        /// What the person has to do at the next sign-in.
        RequiredActions = "required_actions",
        /// From when on the account may be used.
        StartsAt = "starts_at",
        /// Until when.
        ExpiresAt = "expires_at",
        /// When its owner was last invited.
        InvitedAt = "invited_at",
        /// When its owner last signed in.
        SignedInAt = "signed_in_at",
        /// When it is gone.
        DeletionAt = "deletion_at",
        /// When it was made.
        CreatedAt = "created_at",
        /// When it last changed.
        UpdatedAt = "updated_at",
    }
}

/// What kind of values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Texts, without regard to case.
    Text,
    /// Texts that are what they are: ids.
    Exact,
    /// Words of a closed set.
    Word(&'static [&'static str]),
    /// Moments.
    Time,
    /// Days.
    Day,
    /// Yes or no.
    Flag,
    /// Numbers.
    Number,
    /// Whatever it is, it can only be there or not.
    Opaque,
}

/// What is asked about.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// What every account has.
    Standard(Standard),
    /// What an administrator has defined.
    Property(PropertyField),
    /// The groups that somebody is in now, directly: whoever asks names those that stand in a group beside it.
    Groups,
    /// The primary one.
    PrimaryGroup,
}

/// A property that is asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyField {
    /// The row.
    pub id: Id<Property>,
    /// Its name.
    pub name: String,
    /// What kind of values it has.
    pub kind: PropertyType,
    /// Whether people are found by it.
    pub is_found_by: bool,
}

/// A value as it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchValue {
    /// A text in the form in which it is compared.
    Text(String),
    /// A moment.
    Time(Timestamp),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}

/// What is asked of somebody.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Each of them; of none: everybody.
    All(Vec<Condition>),
    /// One of them; of none: nobody.
    Any(Vec<Condition>),
    /// What is not so.
    Not(Box<Condition>),
    /// There is a value.
    Present(Field),
    /// One of the values compares so.
    Compared(Field, Operator, SearchValue),
    /// Has a word, of their names, addresses and numbers, that begins like this.
    Word(String),
    /// Is in one of these groups.
    InGroups(Vec<Id<Group>>),
    /// Has one of these as the primary one.
    PrimaryIn(Vec<Id<Group>>),
}

/// Somebody, with what is asked about them beside the account.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The account.
    pub user: &'a User,
    /// The groups that they are in directly, now, and whether that is the primary one.
    pub groups: &'a [(Id<Group>, bool)],
    /// The moment at which it is asked.
    pub now: Timestamp,
}

/// An order: by this, and which way. Who has no value comes last.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// By what.
    pub field: Field,
    /// The greatest first.
    pub descending: bool,
}

impl Standard {
    /// What kind of values it has.
    pub const fn kind(self) -> ValueKind {
        match self {
            Self::Id | Self::Subject => ValueKind::Exact,
            Self::Type => ValueKind::Word(&["default", "admin", "server"]),
            Self::Status => ValueKind::Word(&["active", "invited", "inactive", "locked", "leaving", "deleted"]),
            Self::State => ValueKind::Word(&[
                "active",
                "invited",
                "inactive",
                "locked",
                "leaving",
                "deleted",
                "not_started",
                "expired",
            ]),
            Self::RequiredActions => ValueKind::Word(&[
                "change_password",
                "enrol_factor",
                "verify_email",
                "update_profile",
                "accept_terms",
            ]),
            Self::EmailVerified | Self::PhoneNumberVerified | Self::HasPassword => ValueKind::Flag,
            Self::Birthdate => ValueKind::Day,
            Self::PasswordChangedAt
            | Self::StartsAt
            | Self::ExpiresAt
            | Self::InvitedAt
            | Self::SignedInAt
            | Self::DeletionAt
            | Self::CreatedAt
            | Self::UpdatedAt => ValueKind::Time,
            _ => ValueKind::Text,
        }
    }

    fn values(self, user: &User, now: Timestamp) -> Vec<SearchValue> {
        let exact = |text: &str| vec![SearchValue::Text(text.to_owned())];
        let time = |at: Option<Timestamp>| at.map(SearchValue::Time).into_iter().collect();
        let flag = |flag: bool| vec![SearchValue::Flag(flag)];
        match self {
            Self::Id => exact(&user.id.to_string()),
            Self::Subject => exact(&user.subject),
            Self::Type => exact(user.kind.as_str()),
            Self::Status => exact(user.status.as_str()),
            Self::State => exact(user.state(now).as_str()),
            Self::EmailVerified => flag(user.profile.email_verified),
            Self::PhoneNumberVerified => flag(user.profile.phone_number_verified),
            Self::HasPassword => flag(user.password.is_some()),
            Self::RequiredActions => {
                let words = user.required_actions.iter();
                words
                    .map(|action| SearchValue::Text(action.as_str().to_owned()))
                    .collect()
            }
            Self::PasswordChangedAt => time(user.password_changed_at),
            Self::StartsAt => time(user.starts_at),
            Self::ExpiresAt => time(user.expires_at),
            Self::InvitedAt => time(user.invited_at),
            Self::SignedInAt => time(user.signed_in_at),
            Self::DeletionAt => time(user.deletion_at),
            Self::CreatedAt => time(Some(user.created_at)),
            Self::UpdatedAt => time(Some(user.updated_at)),
            Self::Username => vec![SearchValue::Text(comparison_key(&user.username))],
            Self::Name => {
                let name = user.full_name();
                name.map(|name| SearchValue::Text(comparison_key(&name)))
                    .into_iter()
                    .collect()
            }
            told => {
                let text = told.text(&user.profile);
                text.map(|text| SearchValue::Text(comparison_key(text)))
                    .into_iter()
                    .collect()
            }
        }
    }

    fn text(self, profile: &Profile) -> Option<&str> {
        let address = profile.address.as_ref();
        match self {
            Self::GivenName => profile.given_name.as_deref(),
            Self::FamilyName => profile.family_name.as_deref(),
            Self::MiddleName => profile.middle_name.as_deref(),
            Self::Nickname => profile.nickname.as_deref(),
            Self::Profile => profile.profile.as_deref(),
            Self::Picture => profile.picture.as_deref(),
            Self::Website => profile.website.as_deref(),
            Self::Email => profile.email.as_deref(),
            Self::Gender => profile.gender.as_deref(),
            Self::Birthdate => profile.birthdate.as_deref(),
            Self::Zoneinfo => profile.zoneinfo.as_deref(),
            Self::Locale => profile.locale.as_deref(),
            Self::PhoneNumber => profile.phone_number.as_deref(),
            Self::Company => profile.company.as_deref(),
            Self::AddressFormatted => address?.formatted.as_deref(),
            Self::AddressStreet => address?.street_address.as_deref(),
            Self::AddressLocality => address?.locality.as_deref(),
            Self::AddressRegion => address?.region.as_deref(),
            Self::AddressPostalCode => address?.postal_code.as_deref(),
            Self::AddressCountry => address?.country.as_deref(),
            _ => None,
        }
    }
}

impl PropertyField {
    const fn value_kind(&self) -> ValueKind {
        match self.kind {
            PropertyType::Number => ValueKind::Number,
            PropertyType::Boolean => ValueKind::Flag,
            PropertyType::Date => ValueKind::Day,
            PropertyType::Json => ValueKind::Opaque,
            _ => ValueKind::Text,
        }
    }

    fn values(&self, profile: &Profile) -> Vec<SearchValue> {
        let one = |value: &Value| match value {
            Value::String(text) => Some(SearchValue::Text(comparison_key(text))),
            Value::Bool(flag) => Some(SearchValue::Flag(*flag)),
            Value::Number(number) => number.as_f64().map(SearchValue::Number),
            _ => None,
        };
        match profile.properties.get(&self.name) {
            Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
            Some(value) => one(value).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

impl Field {
    /// What kind of values it has.
    pub const fn kind(&self) -> ValueKind {
        match self {
            Self::Standard(standard) => standard.kind(),
            Self::Property(property) => property.value_kind(),
            Self::Groups | Self::PrimaryGroup => ValueKind::Opaque,
        }
    }

    /// What somebody has there.
    fn values(&self, candidate: &Candidate<'_>) -> Vec<SearchValue> {
        match self {
            Self::Standard(standard) => standard.values(candidate.user, candidate.now),
            Self::Property(property) => property.values(&candidate.user.profile),
            Self::Groups | Self::PrimaryGroup => Vec::new(),
        }
    }

    fn is_present(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Self::Groups => !candidate.groups.is_empty(),
            Self::PrimaryGroup => candidate.groups.iter().any(|(_, is_primary)| *is_primary),
            Self::Property(property) => candidate.user.profile.properties.contains_key(&property.name),
            Self::Standard(_) => self
                .values(candidate)
                .iter()
                .any(|value| *value != SearchValue::Flag(false)),
        }
    }
}

impl SearchValue {
    fn compares(&self, operator: Operator, wanted: &Self) -> bool {
        match operator {
            Operator::Equal => self == wanted,
            Operator::Contains | Operator::Begins | Operator::Ends => match (self, wanted) {
                (Self::Text(held), Self::Text(wanted)) => match operator {
                    Operator::Begins => held.starts_with(wanted.as_str()),
                    Operator::Ends => held.ends_with(wanted.as_str()),
                    _ => held.contains(wanted.as_str()),
                },
                _ => false,
            },
            Operator::Greater => self.order(wanted).is_some_and(Ordering::is_gt),
            Operator::GreaterOrEqual => self.order(wanted).is_some_and(Ordering::is_ge),
            Operator::Less => self.order(wanted).is_some_and(Ordering::is_lt),
            Operator::LessOrEqual => self.order(wanted).is_some_and(Ordering::is_le),
        }
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(one), Self::Text(two)) => Some(one.cmp(two)),
            (Self::Time(one), Self::Time(two)) => Some(one.cmp(two)),
            (Self::Number(one), Self::Number(two)) => one.partial_cmp(two),
            (Self::Flag(one), Self::Flag(two)) => Some(one.cmp(two)),
            _ => None,
        }
    }
}

impl Condition {
    /// What holds for everybody.
    pub const fn everybody() -> Self {
        Self::All(Vec::new())
    }

    /// What holds for nobody.
    pub const fn nobody() -> Self {
        Self::Any(Vec::new())
    }

    /// A status of these.
    pub fn status_in(statuses: &[UserStatus]) -> Self {
        let one = |status: &UserStatus| {
            let wanted = SearchValue::Text(status.as_str().to_owned());
            Self::Compared(Field::Standard(Standard::Status), Operator::Equal, wanted)
        };
        Self::Any(statuses.iter().map(one).collect())
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut parts), Self::All(others)) => {
                parts.extend(others);
                Self::All(parts)
            }
            (Self::All(mut parts), other) | (other, Self::All(mut parts)) => {
                parts.push(other);
                Self::All(parts)
            }
            (one, other) => Self::All(vec![one, other]),
        }
    }

    /// Whether it is so of somebody.
    pub fn holds(&self, candidate: &Candidate<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(candidate)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(candidate)),
            Self::Not(part) => !part.holds(candidate),
            Self::Present(field) => field.is_present(candidate),
            Self::Compared(field, operator, wanted) => {
                let values = field.values(candidate);
                values.iter().any(|held| held.compares(*operator, wanted))
            }
            Self::Word(word) => words_of(candidate.user)
                .iter()
                .any(|held| held.starts_with(word.as_str())),
            Self::InGroups(groups) => candidate.groups.iter().any(|(group, _)| groups.contains(group)),
            Self::PrimaryIn(groups) => candidate
                .groups
                .iter()
                .any(|(group, is_primary)| *is_primary && groups.contains(group)),
        }
    }

    /// Whether it asks for groups.
    pub fn asks_for_groups(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::asks_for_groups),
            Self::Not(part) => part.asks_for_groups(),
            Self::Present(field) => matches!(field, Field::Groups | Field::PrimaryGroup),
            Self::Compared(..) | Self::Word(_) => false,
            Self::InGroups(_) | Self::PrimaryIn(_) => true,
        }
    }

    /// Whether it asks for what was decided about the account.
    pub fn asks_for_status(&self) -> bool {
        let is_asked = |field: &Field| matches!(field, Field::Standard(Standard::Status | Standard::State));
        self.asks(&|part| match part {
            Self::Present(field) | Self::Compared(field, ..) => is_asked(field),
            _ => false,
        })
    }

    /// Whether it names those in the bin.
    pub fn names_deleted(&self) -> bool {
        let deleted = UserStatus::Deleted.as_str();
        self.asks(&|part| match part {
            Self::Compared(Field::Standard(Standard::Status | Standard::State), Operator::Equal, wanted) => {
                *wanted == SearchValue::Text(deleted.to_owned())
            }
            _ => false,
        })
    }

    fn asks(&self, is_asked: &impl Fn(&Self) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.asks(is_asked)),
            Self::Not(part) => part.asks(is_asked),
            other => is_asked(other),
        }
    }
}

impl Sort {
    /// By the making of the accounts.
    pub const fn by_making() -> Self {
        Self {
            field: Field::Standard(Standard::CreatedAt),
            descending: false,
        }
    }

    /// What somebody is sorted by. The row tells when an account was made, and is there once.
    pub fn key(&self, candidate: &Candidate<'_>) -> Option<SearchValue> {
        match self.field {
            Field::Standard(Standard::CreatedAt | Standard::Id) => {
                Some(SearchValue::Text(candidate.user.id.to_string()))
            }
            _ => self.field.values(candidate).into_iter().next(),
        }
    }

    /// How two come after each other.
    pub fn compare(&self, one: Option<&SearchValue>, two: Option<&SearchValue>) -> Ordering {
        match (one, two) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(one), Some(two)) => {
                let order = one.order(two).unwrap_or(Ordering::Equal);
                if self.descending { order.reverse() } else { order }
            }
        }
    }
}

/// The statuses that are told unless a search asks for status.
pub const SHOWN: &[UserStatus] = &[
    UserStatus::Active,
    UserStatus::Invited,
    UserStatus::Locked,
    UserStatus::Leaving,
];

/// What is asked about people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Search {
    /// Words of their names, addresses and numbers, or how they begin.
    pub words: Option<String>,
    /// RFC 7644 section 3.4.2.2.
    pub filter: Option<String>,
    /// By what they are sorted, `-` before what goes the other way round; by their making unless told.
    pub sort: Vec<String>,
    /// Whether those that were deactivated are told although nobody asked for a status.
    pub inactive: bool,
}

impl Search {
    /// Everybody who is not in the bin.
    pub fn everybody() -> Self {
        Self {
            inactive: true,
            ..Self::default()
        }
    }

    /// Those of whom a filter holds.
    pub fn filtered(filter: impl Into<String>) -> Self {
        Self {
            filter: Some(filter.into()),
            ..Self::default()
        }
    }
}
