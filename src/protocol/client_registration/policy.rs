//! What only the operator decides about a client. Dynamic registration can't set any of it.

use serde_json::{Map, Value};

use super::MemberError;
use crate::model::ClientPolicy;

/// The members of a policy.
pub const POLICY_MEMBERS: &[&str] = &[
    "require_pkce",
    "consent",
    "access_token_format",
    "response_modes",
    "serves",
    "resources",
    "first_party",
    "users",
];

const MOST_ITEMS: usize = 100;

/// Reads and judges a policy out of the same object as the metadata; members that are absent or `null` take their default.
///
/// # Errors
/// Every member that can't be taken.
pub fn read_policy(request: &Map<String, Value>) -> Result<ClientPolicy, Vec<MemberError>> {
    let mut members = Map::new();
    let mut errors = Vec::new();
    for member in POLICY_MEMBERS {
        let Some(value) = request.get(*member).filter(|value| !value.is_null()) else {
            continue;
        };
        // one member at a time, so that each error has its name
        let alone = Map::from_iter([((*member).to_owned(), value.clone())]);
        match serde_json::from_value::<ClientPolicy>(Value::Object(alone)) {
            Ok(_) => drop(members.insert((*member).to_owned(), value.clone())),
            Err(error) => errors.push(MemberError::new(member, "invalid", &format!("can't be taken: {error}"))),
        }
    }
    let policy: ClientPolicy = serde_json::from_value(Value::Object(members)).unwrap_or_default();
    errors.extend(judge_policy(&policy));
    if errors.is_empty() { Ok(policy) } else { Err(errors) }
}

/// Every rule that a policy breaks.
pub fn judge_policy(policy: &ClientPolicy) -> Vec<MemberError> {
    let mut errors = Vec::new();
    if policy.response_modes.is_empty() {
        errors.push(MemberError::new(
            "response_modes",
            "required",
            "must hold at least one mode",
        ));
    }
    for (member, identifiers) in [("serves", &policy.serves), ("resources", &policy.resources)] {
        if identifiers.len() > MOST_ITEMS {
            errors.push(MemberError::new(
                member,
                "too_many",
                "must not hold more than 100 items",
            ));
        }
        for (index, identifier) in identifiers.iter().enumerate() {
            // RFC 8707 section 2: an absolute URI without a fragment
            if identifier.contains('#') || url::Url::parse(identifier).is_err() {
                let detail = "must hold absolute URIs without fragments";
                errors.push(MemberError::item(member, index, "invalid", detail));
            }
        }
    }
    errors
}

/// Whether a scope gives power over this server itself: such a scope is the operator's to give, never a client's to take.
pub fn privileged(scope: &str) -> bool {
    let family = scope.split([':', '.']).next().unwrap_or(scope);
    ["admin", "account", "scim"].contains(&family)
}
