//! Where each claim of a token comes from, and why a wanted one is not there. Run over the same pure functions that made the
//! token, with what holds now.

use serde_json::{Map, Value};

use super::token::{Absent, Claim};
use crate::model::setting::{ACCESS_TOKEN_LIFETIME, ID_TOKEN_LIFETIME, Settings};
use crate::model::{ClaimsRequest, Client, GrantTerms, Property, RequestedClaim, Scopes, SubjectType};
use crate::protocol::claims::{self, Person};

/// The scopes that ask for claims about a person.
const SCOPES: [&str; 5] = ["profile", "email", "phone", "address", "groups"];

/// What a token was made from.
pub(super) struct Origins<'a> {
    pub(super) client: Option<&'a Client>,
    pub(super) terms: Option<&'a GrantTerms>,
    pub(super) settings: &'a Settings,
    /// The scopes of the token itself; of an ID token those of its grant.
    pub(super) scope: &'a Scopes,
    pub(super) kind: Kind,
    /// What an administrator has defined that is told about people.
    pub(super) properties: &'a [Property],
}

impl<'a> Origins<'a> {
    /// The property that this claim carries.
    fn property(&self, claim: &str) -> Option<&'a Property> {
        let mut told = self.properties.iter().filter(|property| property.has_values());
        told.find(|property| property.definition.claim.as_deref() == Some(claim))
    }

    /// The scope that asks for a claim.
    fn scope_of(&self, claim: &str) -> Option<&'a str> {
        let of_property = self.property(claim).map(|property| property.definition.scope.as_str());
        of_property.or_else(|| scope_of(claim))
    }
}

/// What kind of token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Access,
    Id,
}

/// The claims that a token has, each with its source. `now` are those that would be put there now.
pub(super) fn of_token(origins: &Origins<'_>, set: &Map<String, Value>, now: &Map<String, Value>) -> Vec<Claim> {
    set.iter()
        .map(|(name, value)| Claim {
            name: name.clone(),
            value: value.clone(),
            source: source(origins, name),
            now: now.get(name).filter(|now| *now != value).cloned(),
        })
        .collect()
}

fn source(origins: &Origins<'_>, name: &str) -> String {
    let lifetime = |key: &'static str| {
        let setting = origins.settings.effective(key);
        setting.map_or_else(String::new, |setting| {
            format!(
                "iat and the setting {key}, now {} ({})",
                setting.value.to_json().as_str().unwrap_or_default(),
                setting.source.as_str()
            )
        })
    };
    let text: &str = match (name, origins.kind) {
        ("iss", _) => "the public URL of this server (OSTIARY_PUBLIC_URL)",
        ("sub", _) => match (origins.terms, origins.client) {
            (None, _) if origins.kind == Kind::Access => "the client itself: the token was got with client_credentials",
            (_, Some(client)) if client.metadata.subject_type == SubjectType::Pairwise => {
                "made from the account's subject for the client's sector (subject_type pairwise)"
            }
            _ => "the account's subject (subject_type public)",
        },
        ("aud" | "azp", Kind::Id) => "the client_id of the client that the token was made for",
        ("aud", Kind::Access) => return audience(origins),
        ("client_id", _) => "the client that got the token",
        ("exp", Kind::Id) => return lifetime(ID_TOKEN_LIFETIME),
        ("exp", Kind::Access) => return lifetime(ACCESS_TOKEN_LIFETIME),
        ("iat", _) => "when the token was made",
        ("jti", _) => "random, behind the id of the sign-in that it belongs to",
        ("scope", _) => "what was asked for, as far as the client may have it and the audience knows it",
        ("auth_time", _) => "when the person last proved who they are, before the sign-in was granted",
        ("acr", _) => "how the person proved who they are: with a password, or with a second factor besides",
        ("amr", _) => "by what the person proved who they are (RFC 8176)",
        ("sid", _) => "the session of the browser that the person was signed in with",
        ("nonce", _) => "echoed from the authorization request",
        ("at_hash", _) => "the left half of the access token's hash",
        ("c_hash", _) => "the left half of the code's hash",
        _ => return of_person(origins, name),
    };
    text.to_owned()
}

fn audience(origins: &Origins<'_>) -> String {
    let asked = origins.terms.is_some_and(|terms| !terms.resources.is_empty());
    let mut source = if asked {
        "the resources that were asked for".to_owned()
    } else {
        "the resources that the scopes imply".to_owned()
    };
    if origins.scope.contains("openid") {
        source.push_str(", and this server for userinfo, because openid was granted");
    } else if !asked {
        source.push_str("; this server if they imply none");
    }
    source
}

/// Of the account, because of a scope or because it was asked for by name.
fn of_person(origins: &Origins<'_>, name: &str) -> String {
    let place = match name {
        "name" => "the account's name, or given and family name together".to_owned(),
        "preferred_username" => "the account's username".to_owned(),
        "updated_at" => "when the account was last changed".to_owned(),
        "groups" => "the names of the account's groups".to_owned(),
        other => match origins.property(other) {
            Some(property) => format!("the account's property {}", property.name),
            None => format!("the account's {other}"),
        },
    };
    let by_name = origins.terms.is_some_and(|terms| {
        let requested = match origins.kind {
            Kind::Id => &terms.claims.id_token,
            Kind::Access => &terms.claims.userinfo,
        };
        requested.iter().any(|claim| claim.name == name)
    });
    let by_scope = origins
        .scope_of(name)
        .filter(|scope| origins.kind == Kind::Access && origins.scope.contains(scope));
    match (by_scope, by_name) {
        (Some(scope), _) => format!("{place}, because the scope {scope} was granted"),
        (None, true) => format!("{place}, because the application asked for it by name (parameter claims)"),
        (None, false) => place,
    }
}

/// The scope that asks for a claim.
pub(super) fn scope_of(name: &str) -> Option<&'static str> {
    SCOPES.into_iter().find(|scope| claims::of_scope(scope).contains(&name))
}

/// What userinfo would tell now, each with its source.
pub(super) fn of_userinfo(origins: &Origins<'_>, person: &Person<'_>, request: &ClaimsRequest) -> Vec<Claim> {
    claims::for_userinfo(person, origins.scope, request)
        .into_iter()
        .map(|(name, value)| Claim {
            source: of_person(origins, &name),
            name,
            value,
            now: None,
        })
        .collect()
}

/// The claims about the person that are not there although somebody may want them, each with the reason.
pub(super) fn absent(
    origins: &Origins<'_>,
    present: impl Fn(&str) -> bool,
    person: Option<&Person<'_>>,
    requested: &[RequestedClaim],
) -> Vec<Absent> {
    let by_name: Vec<&str> = requested.iter().map(|claim| claim.name.as_str()).collect();
    let is_known = |name: &str| claims::TOLD.contains(&name) || origins.property(name).is_some();
    let unknown = by_name.iter().filter(|name| !is_known(name)).copied();
    let defined = origins.properties.iter().filter(|property| property.has_values());
    let defined = defined.filter_map(|property| property.definition.claim.as_deref());
    claims::TOLD
        .iter()
        .copied()
        .chain(defined)
        .chain(unknown)
        .filter(|name| !present(name) && claims::may_be_missed(name))
        .map(|name| Absent {
            name: name.to_owned(),
            reason: why_absent(origins, person, name, by_name.contains(&name)),
        })
        .collect()
}

fn why_absent(origins: &Origins<'_>, person: Option<&Person<'_>>, name: &str, by_name: bool) -> String {
    let Some(person) = person else {
        return "there is no account (any more) that it could come from".to_owned();
    };
    let property = origins.property(name);
    if let (Some(property), Some(client)) = (property, origins.client) {
        let told = property.definition.clients.as_ref();
        if told.is_some_and(|clients| !clients.contains(&client.client_id)) {
            return format!(
                "the property {} is not told to this client (its member clients)",
                property.name
            );
        }
    }
    let has_value = match property {
        Some(property) => person.user.profile.properties.contains_key(&property.name),
        None => claims::value_of(person, name).is_some(),
    };
    if property.is_none() && !claims::TOLD.contains(&name) {
        return "this server knows no such claim".to_owned();
    }
    let scope = origins.scope_of(name).unwrap_or_default();
    let granted = origins.scope.contains(scope);
    if property.is_some() && !granted {
        return not_granted(origins, scope);
    }
    match (origins.kind, granted, by_name) {
        (_, _, true) | (Kind::Access, true, _) if !has_value => "the account has none".to_owned(),
        (_, _, true) | (Kind::Access, true, _) => {
            "the account had none when the token was made; it has one now".to_owned()
        }
        (Kind::Id, true, false) => {
            format!(
                "the scope {scope} puts it into the userinfo answer (OpenID Connect Core section 5.4); for the ID token the \
                 application asks by name (parameter claims)"
            )
        }
        (_, false, false) => not_granted(origins, scope),
    }
}

fn not_granted(origins: &Origins<'_>, scope: &str) -> String {
    let may = origins.client.map(|client| client.metadata.scope.contains(scope));
    let agreed = origins.terms.is_some_and(|terms| terms.scope.contains(scope));
    let why = match (may, agreed) {
        (Some(false), _) => "the client may not have it; add it to the client's scope",
        (_, true) => "the application left it out when it refreshed",
        (_, false) => "the application did not ask for it",
    };
    format!("the scope {scope} was not granted: {why}")
}

/// Why a claim of the protocol is not in an ID token.
pub(super) fn absent_of_id_token(set: &Map<String, Value>, terms: Option<&GrantTerms>) -> Vec<Absent> {
    let nonce = match terms.map(|terms| terms.nonce.is_some()) {
        Some(true) => "the token was made at a refresh, where the nonce is left out (OpenID Connect Core section 12.2)",
        Some(false) => "the authorization request had none",
        None => "the authorization request had none, or the token was made at a refresh",
    };
    (!set.contains_key("nonce"))
        .then(|| Absent {
            name: "nonce".to_owned(),
            reason: nonce.to_owned(),
        })
        .into_iter()
        .collect()
}
