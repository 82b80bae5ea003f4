//! Refreshing (RFC 6749 section 6, RFC 9700 section 4.14): rotation, the retry window, and what a replay means.

use std::time::Duration;

use super::oauth_error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use crate::model::{Client, Grant, RefreshToken, Scopes, Timestamp};

/// What to do with a presented refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Exchange it for its successor.
    Rotate,
    /// Its answer was lost: give the very same successor again.
    Repeat,
    /// It was used and so was its successor, within the window: refuse, but leave the family alone.
    RefuseOnly,
    /// It was used before, outside the window: somebody else has it. End the family.
    Replay,
}

/// Judges a refresh token. `successor` is what stands in the store for it, if it was spent.
pub fn judge(
    token: &RefreshToken,
    grant: &Grant,
    client: &Client,
    successor: Option<&RefreshToken>,
    window: Duration,
    now: Timestamp,
) -> Result<Verdict, OAuthError> {
    if grant.client != client.id {
        return Err(refused(
            "refresh.client",
            "the refresh token was made for another client",
        ));
    }
    if grant.ended_at.is_some() {
        return Err(refused("refresh.ended", "the refresh token has been revoked"));
    }
    if grant.expires_at <= now {
        return Err(refused("refresh.expired", "the refresh token has expired"));
    }
    let Some(spent_at) = token.spent_at else {
        return if token.expires_at <= now {
            Err(refused(
                "refresh.idle",
                "the refresh token has not been used for too long",
            ))
        } else {
            Ok(Verdict::Rotate)
        };
    };
    if now.since(spent_at) > window {
        return Ok(Verdict::Replay);
    }
    match successor {
        Some(successor) if successor.spent_at.is_none() => Ok(Verdict::Repeat),
        _ => Ok(Verdict::RefuseOnly),
    }
}

/// The scopes of the new access token: those asked for, never more than were granted (RFC 6749 section 6).
pub fn narrow(parameters: &Parameters, granted: &Scopes) -> Result<Scopes, OAuthError> {
    let Some(asked) = parameters.get("scope") else {
        return Ok(granted.clone());
    };
    let asked = Scopes::parse(asked)
        .ok()
        .filter(|asked| !asked.is_empty() && asked.is_within(granted))
        .ok_or(OAuthError::new(
            ErrorCode::InvalidScope,
            "refresh.scope",
            "scope goes beyond what was granted",
        ))?;
    Ok(asked)
}

/// The resources of the new access token: those asked for, never more than were agreed (RFC 8707 section 2.2). Where the request
/// for the grant named none, `agreed` is what its scopes imply.
pub fn narrow_resources(parameters: &Parameters, agreed: &[String]) -> Result<Vec<String>, OAuthError> {
    let asked = parameters.resources();
    if asked.is_empty() {
        return Ok(agreed.to_vec());
    }
    if !asked.iter().all(|resource| agreed.contains(resource)) {
        return Err(OAuthError::new(
            ErrorCode::InvalidTarget,
            "refresh.resource",
            "resource goes beyond what was agreed",
        ));
    }
    Ok(asked.to_vec())
}

fn refused(rule: &'static str, description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, rule, description)
}
