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
pub const LEVELS: [&str; 3] = [CODE, PASSWORD, MULTIPLE];

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

/// Names of an installation's own for the classes: a request may ask by them, and tokens say them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<(String, &'static str)>);

impl Names {
    /// Of a setting: each name with the class that it stands for.
    pub fn of(named: &[(String, &'static str)]) -> Self {
        Self(named.to_vec())
    }

    /// Every name.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The class that a word stands for: its own, if it is no name.
    fn class<'a>(&self, word: &'a str) -> &'a str {
        let named = self.0.iter().find(|(name, _)| name == word);
        named.map_or(word, |(_, class)| class)
    }

    /// The first name of a class.
    fn name<'a>(&'a self, class: &'a str) -> &'a str {
        let named = self.0.iter().find(|(_, named)| *named == class);
        named.map_or(class, |(name, _)| name)
    }

    fn meets(&self, held: &str, wanted: &str) -> bool {
        let wanted = self.class(wanted);
        held == wanted || matches!((level(held), level(wanted)), (Some(held), Some(wanted)) if held > wanted)
    }

    fn level(&self, word: &str) -> Option<usize> {
        level(self.class(word))
    }
}

/// Core section 5.5.1.1: what a request insists on.
pub fn demand(request: &AuthorizationRequest, held: &str, names: &Names) -> Demand {
    let Some(wanted) = essential(request).filter(|wanted| !wanted.values.is_empty()) else {
        return Demand::Met;
    };
    let mut words = wanted.values.iter().filter_map(|value| value.as_str());
    if words.clone().any(|word| names.meets(held, word)) {
        Demand::Met
    } else if words.any(|word| names.level(word).is_some()) {
        Demand::Stronger
    } else {
        Demand::Unknown
    }
}

/// Whether a request wishes for more than this, without insisting on it (Core sections 3.1.2.1 and 5.5.1.1).
pub fn wishes_more(request: &AuthorizationRequest, held: &str, names: &Names) -> bool {
    let mut is_more = false;
    // content with any of them
    !wished(request).any(|word| {
        is_more |= names.level(word).is_some();
        names.meets(held, word)
    }) && is_more
}

/// What a token says to this request: the proof's own class, by the name that the request has for it, or else by the first that it has
/// here; but where the request insists on others, the strongest of those that the proof meets (Core section 5.5.1.1).
pub fn told<'a>(request: &'a AuthorizationRequest, held: &'a str, names: &'a Names) -> &'a str {
    let insisted = || {
        let wanted = essential(request).into_iter();
        wanted.flat_map(|wanted| wanted.values.iter().filter_map(|value| value.as_str()))
    };
    if let Some(word) = insisted().chain(wished(request)).find(|word| names.class(word) == held) {
        return word;
    }
    let met = insisted().filter(|word| names.meets(held, word));
    met.max_by_key(|word| names.level(word))
        .unwrap_or_else(|| names.name(held))
}

fn wished(request: &AuthorizationRequest) -> impl Iterator<Item = &str> {
    let claims = request.claims.id_token.iter().filter(|claim| claim.name == "acr");
    let named = claims.flat_map(|claim| claim.values.iter().filter_map(|value| value.as_str()));
    request.acr_values.iter().map(String::as_str).chain(named)
}

fn level(class: &str) -> Option<usize> {
    LEVELS.iter().position(|level| *level == class)
}

fn essential(request: &AuthorizationRequest) -> Option<&RequestedClaim> {
    let claims = &request.claims.id_token;
    claims.iter().find(|claim| claim.name == "acr" && claim.essential)
}
