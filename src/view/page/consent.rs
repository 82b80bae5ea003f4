//! Asking a person what an application may have.

use serde::{Deserialize, Serialize};

use crate::view::{Account, Client, Hidden, OwnPath};

/// A form that posts `decision` = `allow` or `deny`, `csrf` and the hidden fields to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Consent {
    /// Who asks.
    pub client: Client,
    /// Whose data it is.
    pub account: Account,
    /// What is asked for, in the order it is shown.
    pub asked: Vec<Asked>,
    /// Where the form posts to.
    pub action: OwnPath,
    /// The interaction's id and the like.
    pub hidden: Vec<Hidden>,
    /// Whether the form that was sent had been open for too long.
    pub expired: bool,
}

/// One thing that is asked for: a scope with words of our own, or one of an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Asked {
    /// `openid`
    Openid,
    /// `profile`
    Profile,
    /// `email`
    Email,
    /// `phone`
    Phone,
    /// `address`
    Address,
    /// `groups`
    Groups,
    /// `offline_access`: shown as how long, not as what.
    OfflineAccess,
    /// A single claim of the profile.
    Claim {
        /// Which.
        claim: ProfileClaim,
    },
    /// A scope of an API.
    Custom {
        /// Its name.
        name: String,
        /// What its owner says it allows.
        description: Option<String>,
        /// The API it belongs to.
        resource: Option<String>,
    },
}

/// What a profile holds (OpenID Connect Core section 5.1), as far as it is asked for by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileClaim {
    /// The name, or a part of it.
    Name,
    /// The nickname.
    Nickname,
    /// The username.
    PreferredUsername,
    /// The address of a page about the person.
    Profile,
    /// A picture.
    Picture,
    /// A website.
    Website,
    /// The gender.
    Gender,
    /// The birthday.
    Birthdate,
    /// The time zone.
    Zoneinfo,
    /// The language.
    Locale,
    /// The company that the person works for.
    Company,
    /// When the profile changed.
    UpdatedAt,
}

impl Asked {
    /// What there are words for a claim of this name; none for one that this server does not know.
    pub fn claim(name: &str) -> Option<Self> {
        let claim = match name {
            "name" | "given_name" | "family_name" | "middle_name" => ProfileClaim::Name,
            "nickname" => ProfileClaim::Nickname,
            "preferred_username" => ProfileClaim::PreferredUsername,
            "profile" => ProfileClaim::Profile,
            "picture" => ProfileClaim::Picture,
            "website" => ProfileClaim::Website,
            "gender" => ProfileClaim::Gender,
            "birthdate" => ProfileClaim::Birthdate,
            "zoneinfo" => ProfileClaim::Zoneinfo,
            "locale" => ProfileClaim::Locale,
            "company" => ProfileClaim::Company,
            "updated_at" => ProfileClaim::UpdatedAt,
            "email" | "email_verified" => return Some(Self::Email),
            "phone_number" | "phone_number_verified" => return Some(Self::Phone),
            "address" => return Some(Self::Address),
            "groups" => return Some(Self::Groups),
            _ => return None,
        };
        Some(Self::Claim { claim })
    }

    /// The standard scope of this name (OpenID Connect Core sections 5.4 and 11, and `groups`), or `name` as it is.
    pub fn scope(name: &str) -> Self {
        match name {
            "openid" => Self::Openid,
            "profile" => Self::Profile,
            "email" => Self::Email,
            "phone" => Self::Phone,
            "address" => Self::Address,
            "groups" => Self::Groups,
            "offline_access" => Self::OfflineAccess,
            other => Self::Custom {
                name: other.to_owned(),
                description: None,
                resource: None,
            },
        }
    }
}

const CLAIMS: [&str; 12] = [
    "name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "company",
    "updated_at",
];

impl Consent {
    /// With every scope there are words for.
    pub fn sample() -> Self {
        let mut asked: Vec<_> = ["openid", "profile", "email", "phone", "address", "groups"]
            .into_iter()
            .map(Asked::scope)
            .collect();
        asked.push(Asked::Custom {
            name: "orders.read".to_owned(),
            description: Some("See your orders".to_owned()),
            resource: Some("https://api.shop.example".to_owned()),
        });
        asked.push(Asked::scope("orders.write"));
        asked.extend(CLAIMS.into_iter().filter_map(Asked::claim));
        asked.push(Asked::OfflineAccess);
        Self {
            client: Client {
                verified: false,
                ..Client::sample()
            },
            account: Account::sample(),
            asked,
            action: OwnPath::or_home("/consent"),
            hidden: vec![Hidden::new("interaction", "Zm9v")],
            expired: true,
        }
    }
}
