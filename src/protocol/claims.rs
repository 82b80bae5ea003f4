//! Which claims about a person go where (OpenID Connect Core sections 5.1, 5.4, 5.5).

use serde_json::{Map, Value, json};

use crate::model::{ClaimsRequest, Property, RequestedClaim, Scopes, User};

/// Claims that tokens set themselves: nobody may ask for or map them.
const RESERVED: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "azp",
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "typ",
    "client_id",
    "scope",
    "cnf",
    "act",
    "may_act",
    "events",
];

/// Claims about the sign-in, not the person.
const ABOUT_THE_SIGN_IN: &[&str] = &["acr", "amr", "auth_time"];

const PROFILE: &[&str] = &[
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "company",
    "updated_at",
];

/// Every claim about a person that this server can tell: `claims_supported` beside those of the tokens.
pub const TOLD: &[&str] = &[
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "company",
    "updated_at",
    "email",
    "email_verified",
    "phone_number",
    "phone_number_verified",
    "address",
    "groups",
];

/// A person, with what claims need beside the account.
#[derive(Clone, Debug)]
pub struct Person<'a> {
    /// The account.
    pub user: &'a User,
    /// The names of the person's groups.
    pub groups: &'a [String],
    /// What an administrator has defined beside, as far as the application may be told.
    pub properties: &'a [PropertyClaim],
}

/// A property that an administrator has defined, as an application is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyClaim {
    /// The claim.
    pub name: String,
    /// What the property is called.
    pub property: String,
    /// The scope that asks for it.
    pub scope: String,
    /// Its value.
    pub value: Value,
}

/// What a client may be told of somebody's properties, where a scope asks for it.
pub fn of_properties(properties: &[Property], client_id: &str, user: &User) -> Vec<PropertyClaim> {
    let told = properties.iter().filter(|property| {
        let clients = property.definition.clients.as_ref();
        property.has_values() && clients.is_none_or(|clients| clients.iter().any(|known| known == client_id))
    });
    told.filter_map(|property| {
        Some(PropertyClaim {
            name: property.definition.claim.clone()?,
            property: property.name.clone(),
            scope: property.definition.scope.clone(),
            value: user.profile.properties.get(&property.name)?.clone(),
        })
    })
    .collect()
}

/// Whether a claim tells something about the person, so that consent is asked for it. Nobody is asked for a claim that is not
/// understood (Core section 5.5): its name would be a sentence of the application's own on our page.
pub fn is_about_the_person(name: &str) -> bool {
    TOLD.contains(&name)
}

/// Whether a property that an administrator has defined may be told as a claim of this name: it has no meaning of its own yet.
pub fn may_be_of_a_property(name: &str) -> bool {
    may_be_missed(name) && !TOLD.contains(&name)
}

/// Whether an application may wonder where a claim is: those that tokens set themselves stand there in any case.
pub fn may_be_missed(name: &str) -> bool {
    !RESERVED.contains(&name) && !ABOUT_THE_SIGN_IN.contains(&name)
}

/// The claims that a scope asks for (Core section 5.4; `groups` is ours).
pub fn of_scope(scope: &str) -> &'static [&'static str] {
    match scope {
        "profile" => PROFILE,
        "email" => &["email", "email_verified"],
        "phone" => &["phone_number", "phone_number_verified"],
        "address" => &["address"],
        "groups" => &["groups"],
        _ => &[],
    }
}

/// The claims of the userinfo answer beside `sub`: those of the scopes and those asked for by name.
pub fn for_userinfo(person: &Person<'_>, scope: &Scopes, request: &ClaimsRequest) -> Map<String, Value> {
    let mut claims = Map::new();
    for name in scope.iter().flat_map(of_scope) {
        tell(&mut claims, person, name);
    }
    for property in person
        .properties
        .iter()
        .filter(|property| scope.contains(&property.scope))
    {
        claims.insert(property.name.clone(), property.value.clone());
    }
    tell_requested(&mut claims, person, &request.userinfo);
    claims
}

/// The claims about the person that go into the ID token: those asked for by name. Scopes ask for userinfo (Core section
/// 5.4), because an access token always comes along with the code. A property needs its scope too: that is what was agreed to.
pub fn for_id_token(person: &Person<'_>, scope: &Scopes, request: &ClaimsRequest) -> Map<String, Value> {
    let mut claims = Map::new();
    let is_asked = |property: &&PropertyClaim| {
        let mut requested = request.id_token.iter();
        scope.contains(&property.scope) && requested.any(|claim| claim.name == property.name)
    };
    for property in person.properties.iter().filter(is_asked) {
        claims.insert(property.name.clone(), property.value.clone());
    }
    tell_requested(&mut claims, person, &request.id_token);
    claims
}

fn tell_requested(claims: &mut Map<String, Value>, person: &Person<'_>, requested: &[RequestedClaim]) {
    for claim in requested.iter().filter(|claim| is_about_the_person(&claim.name)) {
        // a value that was asked for and does not fit is no reason to fail: Core section 5.5.1
        tell(claims, person, &claim.name);
    }
}

fn tell(claims: &mut Map<String, Value>, person: &Person<'_>, name: &str) {
    if let Some(value) = value_of(person, name) {
        claims.insert(name.to_owned(), value);
    }
}

/// The value of one claim; none if it is empty: a claim without a value is left out (Core section 5.3.2).
pub fn value_of(person: &Person<'_>, name: &str) -> Option<Value> {
    let user = person.user;
    let profile = &user.profile;
    let text = |value: &Option<String>| value.clone().map(Value::from);
    match name {
        "name" => user.full_name().map(Value::from),
        "given_name" => text(&profile.given_name),
        "family_name" => text(&profile.family_name),
        "middle_name" => text(&profile.middle_name),
        "nickname" => text(&profile.nickname),
        "preferred_username" => Some(user.username.clone().into()),
        "profile" => text(&profile.profile),
        "picture" => text(&profile.picture),
        "website" => text(&profile.website),
        "gender" => text(&profile.gender),
        "birthdate" => text(&profile.birthdate),
        "zoneinfo" => text(&profile.zoneinfo),
        "locale" => text(&profile.locale),
        "company" => text(&profile.company),
        "updated_at" => Some(user.updated_at.seconds().into()),
        "email" => text(&profile.email),
        "email_verified" => profile.email.as_ref().map(|_| profile.email_verified.into()),
        "phone_number" => text(&profile.phone_number),
        "phone_number_verified" => profile
            .phone_number
            .as_ref()
            .map(|_| profile.phone_number_verified.into()),
        "address" => profile
            .address
            .as_ref()
            .and_then(|address| serde_json::to_value(address).ok()),
        "groups" => Some(json!(person.groups)),
        _ => None,
    }
}
