//! The fields that a form asks of somebody who makes themselves an account, as an operator names them: `given_name`,
//! `family_name required`, `zoneinfo = Europe/Paris`. Each is a standard claim (OpenID Connect Core section 5.1), a part of the postal
//! address (section 5.1.1), or the username.

use super::named::named;
use super::{Address, Profile};

/// No default is longer.
const LONGEST_DEFAULT: usize = 200;

named! {
    /// What a form may ask beside the password.
    AskedField {
        /// What to sign in with besides the mail address.
        Username = "username",
        /// Full name.
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
        /// Street, house number.
        StreetAddress = "street_address",
        /// City.
        Locality = "locality",
        /// State, province.
        Region = "region",
        /// Postal code.
        PostalCode = "postal_code",
        /// Country.
        Country = "country",
        /// The company that the person works for.
        Company = "company",
    }
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormField {
    /// Which.
    pub field: AskedField,
    /// Whether nobody goes on without it.
    pub is_required: bool,
    /// What counts where nothing is entered.
    pub default: Option<String>,
}

impl FormField {
    /// Reads a name, followed by `required`, by `=` and a default, by both, or by nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let (named, default) = match text.split_once('=') {
            Some((named, default)) => (named, Some(default.trim().to_owned())),
            None => (text, None),
        };
        if default.as_ref().is_some_and(|default| {
            default.is_empty() || default.chars().count() > LONGEST_DEFAULT || default.chars().any(char::is_control)
        }) {
            return None;
        }
        let mut words = named.split_whitespace();
        let field: AskedField = words.next()?.parse().ok()?;
        let is_required = match words.next() {
            None => false,
            Some("required") => true,
            Some(_) => return None,
        };
        // one username for everybody is nobody's
        let fits = words.next().is_none() && (field != AskedField::Username || default.is_none());
        fits.then_some(Self {
            field,
            is_required,
            default,
        })
    }
}

impl std::fmt::Display for FormField {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.field.as_str())?;
        if self.is_required {
            formatter.write_str(" required")?;
        }
        match &self.default {
            Some(default) => write!(formatter, " = {default}"),
            None => Ok(()),
        }
    }
}

impl AskedField {
    /// Where it stands in what is told about a person, as a JSON pointer.
    pub fn pointer(self) -> String {
        if self.is_of_address() {
            format!("/address/{}", self.as_str())
        } else {
            format!("/{}", self.as_str())
        }
    }

    /// The field of this JSON pointer.
    pub fn at(pointer: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.pointer() == pointer)
    }

    const fn is_of_address(self) -> bool {
        matches!(
            self,
            Self::StreetAddress | Self::Locality | Self::Region | Self::PostalCode | Self::Country
        )
    }

    /// Its place in what is told about a person; none of the username.
    pub fn place(self, profile: &mut Profile) -> Option<&mut Option<String>> {
        if self.is_of_address() {
            let address: &mut Address = profile.address.get_or_insert_default();
            return Some(match self {
                Self::StreetAddress => &mut address.street_address,
                Self::Locality => &mut address.locality,
                Self::Region => &mut address.region,
                Self::PostalCode => &mut address.postal_code,
                _ => &mut address.country,
            });
        }
        Some(match self {
            Self::Name => &mut profile.name,
            Self::GivenName => &mut profile.given_name,
            Self::FamilyName => &mut profile.family_name,
            Self::MiddleName => &mut profile.middle_name,
            Self::Nickname => &mut profile.nickname,
            Self::Profile => &mut profile.profile,
            Self::Picture => &mut profile.picture,
            Self::Website => &mut profile.website,
            Self::Gender => &mut profile.gender,
            Self::Birthdate => &mut profile.birthdate,
            Self::Zoneinfo => &mut profile.zoneinfo,
            Self::Locale => &mut profile.locale,
            Self::PhoneNumber => &mut profile.phone_number,
            Self::Company => &mut profile.company,
            _ => return None,
        })
    }
}
