//! How flows end when they don't succeed. The edges turn this into JSON for clients, a page for people, a problem for API users.

use std::time::Duration;

use super::people::permissions;
use crate::model::{Fact, Reason};
use crate::protocol::OAuthError;
use crate::{credential, egress, ephemeral, jose, sessions, store, vault};

/// More fields that can't be taken are not named in a trace.
const MOST_FIELDS: usize = 8;

/// Why a flow did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The protocol's rules refuse it.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// Fields are missing or wrong; nothing was changed.
    #[error("{} field(s) can't be taken", .0.len())]
    Invalid(Vec<FieldError>),
    /// There is no such thing (or the caller may not know of it).
    #[error("not found")]
    NotFound,
    /// The thing changed since the caller read it.
    #[error("changed meanwhile")]
    Stale,
    /// It contradicts what is there; the word says what.
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// The caller does not hold the permission that is named.
    #[error("needs the permission {0}")]
    Forbidden(String),
    /// Too many wrong guesses.
    #[error("too many attempts")]
    Throttled {
        /// When the next is counted again.
        retry_after: Duration,
        /// The budget that is used up: the rule's name.
        rule: &'static str,
    },
    /// More work than the machine can do in time.
    #[error("busy")]
    Busy {
        /// When to come again.
        retry_after: Duration,
    },
    /// The database or session store can't be reached: nothing was changed, or it is not known.
    #[error("a store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Others were changing the same things, again and again: nothing was changed.
    #[error("contended")]
    Contended,
    /// A defect.
    #[error("internal failure")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An error with everything below it, for operators and the log; what an error repeats of its cause is said once.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let text = cause.to_string();
        if !said.ends_with(&text) {
            said = format!("{said}: {text}");
        }
        below = cause.source();
    }
    said
}

/// A field that can't be taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where: a JSON pointer (`/redirect_uris/0`) or a form field's name.
    pub pointer: String,
    /// What: a stable word.
    pub code: &'static str,
    /// A sentence.
    pub detail: String,
}

impl Error {
    /// One field that can't be taken.
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        }])
    }

    /// It rested on this, too. Only refusals of the protocol carry what they rest on.
    #[must_use]
    pub fn fact(self, name: &'static str, fact: Fact) -> Self {
        match self {
            Self::OAuth(error) => Self::OAuth(error.fact(name, fact)),
            other => other,
        }
    }

    /// The rule that refused it, with what that rests on.
    pub fn reason(&self) -> Reason {
        match self {
            Self::OAuth(error) => error.reason(),
            Self::Invalid(fields) => {
                let facts = fields
                    .iter()
                    .take(MOST_FIELDS)
                    .map(|field| ("code", Fact::Word(field.code)));
                Reason {
                    rule: "request.invalid",
                    facts: facts.collect(),
                }
            }
            Self::NotFound => Reason::new("request.nothing_there"),
            Self::Stale => Reason::new("request.stale"),
            Self::Conflict(what) => Reason::new("request.conflict").fact("what", Fact::Word(what)),
            Self::Forbidden(permission) => match permissions::find(permission) {
                Some(permission) => Reason::new("api.permission").fact("permission", Fact::Word(permission)),
                None => Reason::new("api.permission"),
            },
            Self::Throttled { rule, .. } => Reason::new(rule),
            Self::Busy { .. } => Reason::new("server.busy"),
            Self::Unavailable(_) => Reason::new("server.unavailable"),
            Self::Contended => Reason::new("server.contended"),
            Self::Failed(_) => Reason::new("server.failed"),
        }
    }

    /// A defect without a cause to name.
    pub fn defect(what: &'static str) -> Self {
        Self::Failed(what.into())
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) => Self::Unavailable(Box::new(error)),
            store::Error::Contention(_) => Self::Contended,
            other => Self::Failed(Box::new(other)),
        }
    }
}

impl From<ephemeral::Error> for Error {
    fn from(error: ephemeral::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<sessions::Error> for Error {
    fn from(error: sessions::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<vault::Error> for Error {
    fn from(error: vault::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<jose::Error> for Error {
    fn from(error: jose::Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<egress::Error> for Error {
    fn from(error: egress::Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<credential::Error> for Error {
    fn from(error: credential::Error) -> Self {
        match error {
            credential::Error::Busy { retry_after } => Self::Busy { retry_after },
            other => Self::Failed(Box::new(other)),
        }
    }
}
