//! Client metadata: RFC 7591 section 2 and OpenID Connect Dynamic Client Registration section 2.
//!
//! One door for everyone who describes a client: dynamic registration, API, command line, `apply` and import read the same
//! JSON object with the same rules.

mod answer;
mod judge;
mod policy;
mod read;

pub use answer::{Answered, answer};
pub use judge::judge;
pub use policy::{POLICY_MEMBERS, judge_policy, privileged, read_policy};
pub use read::{METADATA_MEMBERS, read_metadata};

use super::{ErrorCode, OAuthError};

/// A member that can't be taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberError {
    /// Where: a JSON pointer, `/redirect_uris/0`.
    pub pointer: String,
    /// What: a stable word.
    pub code: &'static str,
    /// A sentence.
    pub detail: String,
}

impl MemberError {
    /// The member can't be taken because of this; the detail continues the member's name: "must be ...".
    pub fn new(member: &str, code: &'static str, detail: &str) -> Self {
        Self {
            pointer: format!("/{member}"),
            code,
            detail: format!("{member} {detail}"),
        }
    }

    /// The same for an item of a list.
    pub fn item(member: &str, index: usize, code: &'static str, detail: &str) -> Self {
        Self {
            pointer: format!("/{member}/{index}"),
            code,
            detail: format!("{member} {detail}"),
        }
    }
}

/// The answer to a registration that can't be taken (RFC 7591 section 3.2.2): the first error speaks.
pub fn refusal(errors: &[MemberError]) -> OAuthError {
    let Some(first) = errors.first() else {
        return OAuthError::new(
            ErrorCode::InvalidClientMetadata,
            "client_registration.metadata",
            "the metadata can not be taken",
        );
    };
    let code = if first.pointer.starts_with("/redirect_uris") {
        ErrorCode::InvalidRedirectUri
    } else {
        ErrorCode::InvalidClientMetadata
    };
    OAuthError::named(code, "client_registration.metadata", &first.detail)
}
