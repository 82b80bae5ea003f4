//! Authentication context classes (OpenID Connect Core section 2, `acr`): how well somebody proved who they are. A stronger proof
//! meets what a weaker one meets, never the other way round.

use super::authorization_request::AuthorizationRequest;
use crate::model::RequestedClaim;

/// With a code that was sent to the person.
pub const CODE: &str = "urn:ostiary:code";
/// With a password.
pub const PASSWORD: &str = "urn:ostiary:password";
/// With a password and a second factor.
pub const MULTIPLE: &str = "urn:ostiary:mfa";
/// The weakest first.
const LEVELS: [&str; 3] = [CODE, PASSWORD, MULTIPLE];

/// What a request insists on, and how well that is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing, or it is met.
    Met,
    /// It is not met, and a stronger proof would.
    Stronger,
    /// It is not met by any way to sign in here.
    Unknown,
}

/// Core section 5.5.1.1: what a request insists on.
pub fn demand(request: &AuthorizationRequest, held: &str) -> Demand {
    let Some(wanted) = essential(request).filter(|wanted| !wanted.values.is_empty()) else {
        return Demand::Met;
    };
    let mut words = wanted.values.iter().filter_map(|value| value.as_str());
    if words.clone().any(|word| meets(held, word)) {
        Demand::Met
    } else if words.any(|word| LEVELS.contains(&word)) {
        Demand::Stronger
    } else {
        Demand::Unknown
    }
}

/// Whether a request wishes for more than this, without insisting on it (Core sections 3.1.2.1 and 5.5.1.1).
pub fn wishes_more(request: &AuthorizationRequest, held: &str) -> bool {
    let claims = request.claims.id_token.iter().filter(|claim| claim.name == "acr");
    let named = claims.flat_map(|claim| claim.values.iter().filter_map(|value| value.as_str()));
    let mut wished = request.acr_values.iter().map(String::as_str).chain(named);
    let mut is_more = false;
    // content with any of them
    !wished.any(|word| {
        is_more |= LEVELS.contains(&word);
        meets(held, word)
    }) && is_more
}

/// What a token says to this request: the proof's own class, but where the request insists on others, the strongest of those that
/// the proof meets (Core section 5.5.1.1).
pub fn told<'a>(request: &'a AuthorizationRequest, held: &'a str) -> &'a str {
    let Some(wanted) = essential(request) else { return held };
    let words = || wanted.values.iter().filter_map(|value| value.as_str());
    if words().any(|word| word == held) {
        return held;
    }
    let met = words().filter(|word| meets(held, word));
    met.max_by_key(|word| level(word)).unwrap_or(held)
}

fn meets(held: &str, wanted: &str) -> bool {
    held == wanted || matches!((level(held), level(wanted)), (Some(held), Some(wanted)) if held > wanted)
}

fn level(class: &str) -> Option<usize> {
    LEVELS.iter().position(|level| *level == class)
}

fn essential(request: &AuthorizationRequest) -> Option<&RequestedClaim> {
    let claims = &request.claims.id_token;
    claims.iter().find(|claim| claim.name == "acr" && claim.essential)
}
