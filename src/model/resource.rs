//! Resources: APIs with an audience and scopes of their own (RFC 8707).

use std::time::Duration;

use super::{AccessTokenFormat, Id, Scopes, Timestamp};

/// An API that tokens are made for.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The row.
    pub id: Id<Resource>,
    /// Its identifier: an absolute URI, the `aud` of its tokens.
    pub identifier: String,
    /// A name to show.
    pub name: Option<String>,
    /// The scopes it knows.
    pub scopes: Scopes,
    /// The shape of its tokens; the client's if unset.
    pub access_token_format: Option<AccessTokenFormat>,
    /// How long its tokens are good for at most, in whole seconds; what the settings say if unset.
    pub access_token_lifetime: Option<Duration>,
    /// Raised with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
