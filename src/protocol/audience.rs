//! Whom an access token is for, and what it may say there (RFC 8707, RFC 9068 section 3).

use std::time::Duration;

use super::oauth_error::{ErrorCode, OAuthError};
use crate::model::scope::STANDARD;
use crate::model::{AccessTokenFormat, Client, Resource, Scopes};

/// Whom a token is for, what it allows there, and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The `aud` values.
    pub audience: Vec<String>,
    /// What it allows.
    pub scope: Scopes,
    /// How it looks.
    pub format: AccessTokenFormat,
    /// How long it is good for at most, where one of its resources says so.
    pub lifetime: Option<Duration>,
}

/// What the decision rests on beside the request.
pub struct Surroundings<'a> {
    /// The issuer: the audience of tokens for userinfo alone.
    pub issuer: &'a str,
    /// The identifier of the administration API.
    pub api: &'a str,
    /// Every resource there is.
    pub resources: &'a [Resource],
}

/// Whether a scope belongs to the administration API or the person's own part of it.
pub fn is_api_scope(scope: &str) -> bool {
    matches!(scope, "admin" | "account" | "account.read" | "scim" | "scim.read") || scope.starts_with("admin:")
}

/// The scopes a client may have at all: those it registered that exist.
pub fn grantable(client: &Client, surroundings: &Surroundings<'_>) -> Scopes {
    client.metadata.scope.filter(|scope| {
        STANDARD.contains(&scope)
            || is_api_scope(scope)
            || surroundings
                .resources
                .iter()
                .any(|resource| is_available(client, resource) && resource.scopes.contains(scope))
    })
}

/// Whether a client may ask for a resource: one of its list; any, if the list is empty.
fn is_available(client: &Client, resource: &Resource) -> bool {
    client.policy.resources.is_empty() || client.policy.resources.contains(&resource.identifier)
}

/// Settles whom the token is for. `requested` are the `resource` parameters; none: what the scopes imply.
pub fn settle(
    client: &Client,
    scope: &Scopes,
    requested: &[String],
    surroundings: &Surroundings<'_>,
) -> Result<Target, OAuthError> {
    let mut audience = if requested.is_empty() {
        implied(client, scope, surroundings)
    } else {
        requested.to_vec()
    };
    let issuer = surroundings.issuer.to_owned();
    if (scope.contains("openid") || audience.is_empty()) && !audience.contains(&issuer) {
        // userinfo is asked with the same token
        audience.push(issuer);
    }
    for identifier in &audience {
        if !is_known(client, identifier, surroundings) {
            // RFC 8707 section 2
            return Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "audience.unknown",
                "the resource is unknown or not available to this client",
            ));
        }
    }
    let scope = scope.filter(|token| fits(token, &audience, surroundings));
    let format = audience
        .iter()
        .filter_map(|identifier| {
            surroundings
                .resources
                .iter()
                .find(|resource| resource.identifier == *identifier)
        })
        .find_map(|resource| resource.access_token_format)
        .unwrap_or(client.policy.access_token_format);
    let lifetime = surroundings
        .resources
        .iter()
        .filter(|resource| audience.contains(&resource.identifier))
        .filter_map(|resource| resource.access_token_lifetime)
        .min();
    Ok(Target {
        audience,
        scope,
        format,
        lifetime,
    })
}

fn is_known(client: &Client, identifier: &str, surroundings: &Surroundings<'_>) -> bool {
    let own = |resource: &&Resource| resource.identifier == identifier && is_available(client, resource);
    identifier == surroundings.issuer
        || (identifier == surroundings.api && client.metadata.scope.iter().any(is_api_scope))
        || surroundings.resources.iter().any(|resource| own(&resource))
}

/// The resources whose scopes are among those asked for; the API if there are none and a scope is its own.
fn implied(client: &Client, scope: &Scopes, surroundings: &Surroundings<'_>) -> Vec<String> {
    let mut audience: Vec<String> = surroundings
        .resources
        .iter()
        .filter(|resource| is_available(client, resource) && resource.scopes.iter().any(|known| scope.contains(known)))
        .map(|resource| resource.identifier.clone())
        .collect();
    if scope.iter().any(is_api_scope) && audience.is_empty() {
        audience.push(surroundings.api.to_owned());
    }
    audience
}

/// A scope stays in a token only where somebody of the audience knows it.
fn fits(scope: &str, audience: &[String], surroundings: &Surroundings<'_>) -> bool {
    if is_api_scope(scope) {
        return audience.iter().any(|identifier| identifier == surroundings.api);
    }
    if STANDARD.contains(&scope) {
        return true;
    }
    let knows = |resource: &&Resource| audience.contains(&resource.identifier) && resource.scopes.contains(scope);
    surroundings.resources.iter().any(|resource| knows(&resource))
}
