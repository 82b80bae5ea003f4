//! Whom and what most pages speak of: the application, the account, the hidden fields of a form.

use serde::{Deserialize, Serialize};

use super::{Link, Logo};

/// The application that a person signs in to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Client {
    /// `client_name`, or the `client_id` where there is none.
    pub name: String,
    /// `logo_uri`
    pub logo: Option<Logo>,
    /// `client_uri`
    pub website: Option<Link>,
    /// `policy_uri`
    pub policy: Option<Link>,
    /// `tos_uri`
    pub terms: Option<Link>,
    /// False where nobody here vouches for the application.
    pub verified: bool,
}

impl Client {
    /// An application with every field filled.
    pub fn sample() -> Self {
        Self {
            name: "Shop".to_owned(),
            logo: None,
            website: Link::parse("https://shop.example/"),
            policy: Link::parse("https://shop.example/privacy"),
            terms: Link::parse("https://shop.example/terms"),
            verified: true,
        }
    }
}

/// The account that is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// The person's name, where known.
    pub name: Option<String>,
    /// What the person signs in with and is recognised by: email address or username.
    pub identifier: String,
}

impl Account {
    /// An account with every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            identifier: "ada@example.com".to_owned(),
        }
    }
}

/// A hidden input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hidden {
    /// Its name.
    pub name: String,
    /// Its value, as it is to arrive.
    pub value: String,
}

impl Hidden {
    /// A hidden input of this name and value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}
