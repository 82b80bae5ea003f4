//! A person's own data, to be looked at and changed; their picture; and what is missing of it at a sign-in.

use serde::{Deserialize, Serialize};

use super::{PropertyInput, RequiredBy};
use crate::view::{Account, Client, OwnPath};

/// A form that posts the fields by their names, with `csrf`; one with `enctype` `multipart/form-data` that posts `picture`, and one
/// that posts nothing else to have it removed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnProfile {
    /// Whose it is.
    pub account: Account,
    /// Where the form posts to.
    pub action: OwnPath,
    /// What can be changed, in this order.
    pub fields: Vec<ProfileField>,
    /// What an administrator has defined beside, to see or to change.
    pub properties: Vec<PropertyInput>,
    /// The languages there are, by tag and name.
    pub languages: Vec<(String, String)>,
    /// The picture, if people have one here.
    pub picture: Option<OwnPicture>,
    /// Whether nothing was done, because the form had been open for too long.
    pub expired: bool,
    /// What there is to say first.
    pub notice: Option<ProfileNotice>,
    /// Where to go back.
    pub back: OwnPath,
}

/// What is missing, as a step of the sign-in: a form that posts the fields by their names, with `csrf`, or `intent` = `cancel`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequiredProfile {
    /// The application that is signed in to, if one is.
    pub client: Option<Client>,
    /// Whose it is.
    pub account: Account,
    /// Where the form posts to.
    pub action: OwnPath,
    /// Who wants it.
    pub because: RequiredBy,
    /// What is to be entered, or looked over.
    pub fields: Vec<ProfileField>,
    /// What an administrator has defined beside.
    pub properties: Vec<PropertyInput>,
    /// The languages there are, by tag and name.
    pub languages: Vec<(String, String)>,
    /// Whether the form had been open for too long.
    pub expired: bool,
}

/// The picture.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnPicture {
    /// Where it is, if there is one.
    pub shown: Option<OwnPath>,
    /// Where a new one is posted to.
    pub action: OwnPath,
    /// Where it is removed.
    pub remove: OwnPath,
    /// Why the last file was not taken.
    pub problem: Option<PictureProblem>,
}

/// A field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfileField {
    /// Its name in the form.
    pub name: ProfileName,
    /// What stands in it.
    pub value: String,
    /// Whether it has to be entered.
    pub required: bool,
    /// Why it was not taken.
    pub problem: Option<ProfileProblem>,
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}
pub(super) use words;

words! {
    /// A field of somebody's own data.
    ProfileName {
        /// What they sign in with.
        Username = "username",
        /// Full name.
        Name = "name",
        /// Given name.
        GivenName = "given_name",
        /// Middle name.
        MiddleName = "middle_name",
        /// Family name.
        FamilyName = "family_name",
        /// Nickname.
        Nickname = "nickname",
        /// Language.
        Locale = "locale",
        /// Time zone.
        Zoneinfo = "zoneinfo",
        /// Birthday.
        Birthdate = "birthdate",
        /// Gender.
        Gender = "gender",
        /// Profile page.
        Profile = "profile",
        /// Website.
        Website = "website",
        /// The company that the person works for.
        Company = "company",
        /// Street, house number, post box.
        StreetAddress = "street_address",
        /// Postal code.
        PostalCode = "postal_code",
        /// City.
        Locality = "locality",
        /// State, province.
        Region = "region",
        /// Country.
        Country = "country",
    }
}

words! {
    /// What can be wrong with a field.
    ProfileProblem {
        /// Nothing stands there.
        Required = "required",
        /// Too much does.
        TooLong = "too_long",
        /// It has characters that nobody sees.
        Malformed = "malformed",
        /// Somebody else has it.
        Taken = "taken",
        /// It is no address of a page.
        Url = "url",
        /// It is no day.
        Day = "day",
        /// It is no time zone.
        Zone = "zone",
        /// It is no language.
        Language = "language",
        /// It is not changed here.
        Fixed = "fixed",
    }
}

words! {
    /// Why a picture was not taken.
    PictureProblem {
        /// No file was chosen.
        Missing = "missing",
        /// It is too long.
        TooLong = "too_long",
        /// Its sides are.
        TooLarge = "too_large",
        /// It is written in another way.
        Unknown = "unknown",
        /// It moves.
        Moving = "moving",
        /// It does not hold together.
        Damaged = "damaged",
    }
}

words! {
    /// What there is to say first.
    ProfileNotice {
        /// It is as it was entered.
        Saved = "saved",
        /// There is a new picture.
        Picture = "picture",
        /// There is none any more.
        NoPicture = "no_picture",
    }
}

impl OwnProfile {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            account: Account::sample(),
            action: OwnPath::or_home("/account/profile"),
            fields: fields(),
            properties: PropertyInput::samples(),
            languages: languages(),
            picture: Some(OwnPicture {
                shown: Some(OwnPath::or_home("/picture/Zm9v")),
                action: OwnPath::or_home("/account/picture"),
                remove: OwnPath::or_home("/account/picture/remove"),
                problem: Some(PictureProblem::TooLong),
            }),
            expired: false,
            notice: Some(ProfileNotice::Saved),
            back: OwnPath::or_home("/account"),
        }
    }
}

impl RequiredProfile {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            account: Account::sample(),
            action: OwnPath::or_home("/login/action"),
            because: RequiredBy::Policy,
            fields: fields(),
            properties: PropertyInput::samples(),
            languages: languages(),
            expired: false,
        }
    }
}

/// Each field, each with another problem, and one without.
fn fields() -> Vec<ProfileField> {
    let problems = ProfileProblem::ALL
        .iter()
        .copied()
        .map(Some)
        .chain(std::iter::repeat(None));
    let fields = ProfileName::ALL.iter().zip(problems);
    let fields = fields.map(|(name, problem)| ProfileField {
        name: *name,
        value: "de".to_owned(),
        required: true,
        problem,
    });
    fields.collect()
}

pub(super) fn languages() -> Vec<(String, String)> {
    vec![
        ("en".to_owned(), "English".to_owned()),
        ("de".to_owned(), "Deutsch".to_owned()),
    ]
}
