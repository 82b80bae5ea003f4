//! What is sent by mail.

use minijinja::Value;
use minijinja::value::Serde;
use serde::{Deserialize, Serialize};

use super::Link;

/// A mail to a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Mail {
    /// Somebody made an account for you.
    Welcome(Welcome),
}

impl Mail {
    /// One of each, with every field filled.
    pub fn samples() -> Vec<Self> {
        vec![Self::Welcome(Welcome::sample())]
    }

    /// Its two templates and their context.
    pub(super) fn drawing(&self) -> (&'static str, &'static str, Value) {
        match self {
            Self::Welcome(context) => ("mail/welcome.txt", "mail/welcome.html", Value::from(Serde(context))),
        }
    }
}

/// Says that an account exists, how it is called and where it is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// The person's name, where known.
    pub name: Option<String>,
    /// What to sign in with.
    pub username: String,
    /// The page to sign in on.
    pub sign_in: Link,
}

impl Welcome {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            username: "ada".to_owned(),
            sign_in: Link::sample(),
        }
    }
}

/// A mail as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedMail {
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML document, which loads nothing.
    pub html: String,
}
