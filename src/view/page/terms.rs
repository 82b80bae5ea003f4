//! Terms of use: to read, to accept, and what somebody has accepted.

use serde::{Deserialize, Serialize};

use super::RequiredBy;
use crate::view::{Account, Client, Link, OwnPath};

/// A document that somebody has to accept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsToAccept {
    /// Its id: `accept_` before it is the name of the input.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// Which one it is.
    pub version: String,
    /// Where it is read.
    pub address: TermsAddress,
    /// Whether the box was ticked.
    pub accepted: bool,
    /// Whether it has to be, and was not.
    pub missing: bool,
}

/// Where a document is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TermsAddress {
    /// Here.
    Own(OwnPath),
    /// Elsewhere.
    Elsewhere(Link),
}

/// A form that posts `accept_` and an id for each document, with `csrf`, to `action`; a quiet one posts `intent` = `cancel` there instead.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequiredTerms {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Who accepts.
    pub account: Account,
    /// Where the forms post to.
    pub action: OwnPath,
    /// Who requires it.
    pub because: RequiredBy,
    /// What has to be accepted.
    pub terms: Vec<TermsToAccept>,
    /// Whether the form had been open for too long.
    pub expired: bool,
}

/// What counts here, to choose from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TermsList {
    /// One after the other.
    pub documents: Vec<TermsLine>,
}

/// A document in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TermsLine {
    /// What it is called.
    pub title: String,
    /// Which one it is.
    pub version: String,
    /// From when it counts, in microseconds since 1970.
    pub effective: i64,
    /// Where it is read.
    pub address: TermsAddress,
}

/// A document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TermsPage {
    /// What it is called.
    pub title: String,
    /// Which one it is.
    pub version: String,
    /// From when it counts, in microseconds since 1970.
    pub effective: i64,
    /// Whether another version counts now, or none.
    pub superseded: bool,
    /// The language that it is written in, as a tag.
    pub language: String,
    /// What it says.
    pub blocks: Vec<TermsBlock>,
    /// Where else the words of it are, if they are not here.
    pub elsewhere: Option<Link>,
    /// The others.
    pub all: OwnPath,
}

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsBlock {
    /// Whether it is a heading.
    pub heading: bool,
    /// What it says.
    pub text: String,
}

/// What somebody has accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnTerms {
    /// Who.
    pub account: Account,
    /// The latest first.
    pub accepted: Vec<AcceptedTerms>,
    /// Back to the account.
    pub back: OwnPath,
}

/// What was accepted, and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AcceptedTerms {
    /// What it is called.
    pub title: String,
    /// Which one it was.
    pub version: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Where it is read.
    pub address: TermsAddress,
}

impl TermsBlock {
    /// The pieces of a text: paragraphs with an empty line between, headings after `# `.
    pub fn read(text: &str) -> Vec<Self> {
        let text = text.replace("\r\n", "\n");
        let parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| {
                let heading = part.strip_prefix("# ").filter(|rest| !rest.contains('\n'));
                Self {
                    heading: heading.is_some(),
                    text: heading.unwrap_or(part).to_owned(),
                }
            })
            .collect()
    }
}

impl TermsToAccept {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            id: "1".to_owned(),
            title: "Terms of use".to_owned(),
            version: "2026-11".to_owned(),
            address: TermsAddress::Own(OwnPath::or_home("/terms/terms")),
            accepted: false,
            missing: false,
        }
    }
}

impl RequiredTerms {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            account: Account::sample(),
            action: OwnPath::or_home("/login/action?proof=Zm9v"),
            because: RequiredBy::Policy,
            terms: vec![
                TermsToAccept {
                    missing: true,
                    ..TermsToAccept::sample()
                },
                TermsToAccept {
                    id: "2".to_owned(),
                    title: "Privacy".to_owned(),
                    address: TermsAddress::Elsewhere(Link::sample()),
                    accepted: true,
                    ..TermsToAccept::sample()
                },
            ],
            expired: false,
        }
    }
}

impl TermsList {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            documents: vec![TermsLine {
                title: "Terms of use".to_owned(),
                version: "2026-11".to_owned(),
                effective: 1_800_000_000_000_000,
                address: TermsAddress::Own(OwnPath::or_home("/terms/terms")),
            }],
        }
    }
}

impl TermsPage {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            title: "Terms of use".to_owned(),
            version: "2026-11".to_owned(),
            effective: 1_800_000_000_000_000,
            superseded: true,
            language: "en".to_owned(),
            blocks: TermsBlock::read("# What this is about\n\nWe keep the door.\n\nYou keep your key."),
            elsewhere: Some(Link::sample()),
            all: OwnPath::or_home("/terms"),
        }
    }
}

impl OwnTerms {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            account: Account::sample(),
            accepted: vec![AcceptedTerms {
                title: "Terms of use".to_owned(),
                version: "2026-11".to_owned(),
                at: 1_800_000_000_000_000,
                address: TermsAddress::Own(OwnPath::or_home("/terms/terms?version=2026-11")),
            }],
            back: OwnPath::or_home("/account"),
        }
    }
}
