//! A row of the table of routes.

use std::future::Future;
use std::pin::Pin;

use schemars::{Schema, SchemaGenerator};

use super::list::ListRule;
use super::within::Within;
use super::{Answer, Asked, Problem};

/// One method on one path.
#[derive(Clone, Copy)]
pub struct Route {
    /// How.
    pub method: Method,
    /// Where, below `/api/v1`, with parameters in braces.
    pub path: &'static str,
    /// Who may.
    pub permission: Permission,
    /// How far it goes for whoever holds its permission over something alone.
    pub within: Within,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// What its body holds; none: it has no body.
    pub takes: Option<SchemaOf>,
    /// Whether its body is bytes, as they are.
    pub raw: bool,
    /// The status of success, and what its body holds.
    pub gives: (u16, Option<SchemaOf>),
    /// What its body holds where the work goes on after the answer (202).
    pub later: Option<SchemaOf>,
    /// The media types that it answers in, one of them, piece by piece.
    pub streams: &'static [&'static str],
    /// What its query may say, if it is a list.
    pub list: Option<&'static ListRule>,
    /// What else its query may say: a name, and a sentence about it.
    pub asks: &'static [(&'static str, &'static str)],
    /// What it does.
    pub(super) handler: Handler,
}

/// The methods of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, or does something that has a name.
    Post,
    /// Puts something into its place.
    Put,
    /// Changes (RFC 7396).
    Patch,
    /// Ends.
    Delete,
}

impl Method {
    /// As requests spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Anyone: it tells nothing about this installation.
    Open,
    /// Whoever holds this.
    Held(&'static str),
}

/// Makes the schema of a body.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a route does.
pub(super) type Handler = fn(Asked) -> Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

/// The schema of a type.
pub(super) fn schema<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Route {
    pub(super) const fn new(
        method: Method,
        path: &'static str,
        permission: &'static str,
        summary: &'static str,
        handler: Handler,
    ) -> Self {
        Self {
            method,
            path,
            permission: Permission::Held(permission),
            within: Within::Nothing,
            summary,
            takes: None,
            raw: false,
            gives: (204, None),
            later: None,
            streams: &[],
            list: None,
            asks: &[],
            handler,
        }
    }

    /// Its body is a `T`.
    pub(super) fn takes<T: schemars::JsonSchema>(self) -> Self {
        Self {
            takes: Some(schema::<T>),
            ..self
        }
    }

    /// Its body is bytes, as they are.
    pub(super) const fn takes_bytes(self) -> Self {
        Self { raw: true, ..self }
    }

    /// It answers 200 with a `T`.
    pub(super) fn gives<T: schemars::JsonSchema>(self) -> Self {
        Self {
            gives: (200, Some(schema::<T>)),
            ..self
        }
    }

    /// It answers 201 with a `T`.
    pub(super) fn creates<T: schemars::JsonSchema>(self) -> Self {
        Self {
            gives: (201, Some(schema::<T>)),
            ..self
        }
    }

    /// It answers 200 with a file of one of these media types.
    pub(super) const fn streams(self, streams: &'static [&'static str]) -> Self {
        Self {
            gives: (200, None),
            streams,
            ..self
        }
    }

    /// It may answer 202 with a `T`, of what goes on.
    pub(super) fn or_later<T: schemars::JsonSchema>(self) -> Self {
        Self {
            later: Some(schema::<T>),
            ..self
        }
    }

    /// Its query may say this.
    pub(super) const fn asks(self, asks: &'static [(&'static str, &'static str)]) -> Self {
        Self { asks, ..self }
    }

    /// So far it goes for whoever holds its permission over something alone.
    pub(super) const fn within(self, within: Within) -> Self {
        Self { within, ..self }
    }

    /// It is a list by this rule.
    pub(super) const fn listed(self, rule: &'static ListRule) -> Self {
        Self {
            list: Some(rule),
            ..self
        }
    }
}

/// Makes a handler of an async function.
macro_rules! handler {
    ($function:expr) => {
        |asked| Box::pin($function(asked))
    };
}
pub(super) use handler;
