//! Metadata: OpenID Connect Discovery 1.0 section 3 and RFC 8414. Nothing is announced that does not work.

use serde_json::{Map, Value, json};

use super::claims;
use crate::model::{ClientSigningAlgorithm, GrantType, ResponseMode, SigningAlgorithm, TokenEndpointAuthMethod};

/// What varies between installations.
pub struct Surroundings<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// Whether clients may register themselves.
    pub registration_open: bool,
    /// The scopes that anyone may ask for, those of resources included.
    pub scopes: Vec<String>,
    /// The languages of the pages.
    pub ui_locales: Vec<&'static str>,
    /// The `acr` values that sign-ins reach.
    pub acr_values: Vec<&'a str>,
}

/// The document: the same at both addresses.
pub fn document(surroundings: &Surroundings<'_>) -> Value {
    let issuer = surroundings.issuer;
    let at = |path: &str| Value::from(format!("{issuer}{path}"));
    let own: Vec<&str> = SigningAlgorithm::ALL
        .iter()
        .map(|algorithm| algorithm.as_str())
        .collect();
    let clients: Vec<&str> = ClientSigningAlgorithm::ALL
        .iter()
        .map(|algorithm| algorithm.as_str())
        .collect();
    let methods: Vec<&str> = TokenEndpointAuthMethod::ALL
        .iter()
        .map(|method| method.as_str())
        .collect();
    // introspection answers to clients that prove who they are
    let proving: Vec<&str> = methods.iter().copied().filter(|method| *method != "none").collect();
    let grants: Vec<&str> = GrantType::ALL.iter().map(|grant| grant.as_str()).collect();
    let modes: Vec<&str> = ResponseMode::ALL.iter().map(|mode| mode.as_str()).collect();
    let mut told = vec![
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "acr",
        "amr",
        "azp",
        "nonce",
        "at_hash",
        "sid",
    ];
    told.extend(claims::TOLD);
    let mut document = Map::new();
    let mut put = |name: &str, value: Value| drop(document.insert(name.to_owned(), value));
    put("issuer", issuer.into());
    put("authorization_endpoint", at("/oauth2/authorize"));
    put("token_endpoint", at("/oauth2/token"));
    put("userinfo_endpoint", at("/oauth2/userinfo"));
    put("jwks_uri", at("/oauth2/jwks"));
    // OAuth 2.0 for First-Party Applications section 6.1
    put("authorization_challenge_endpoint", at("/oauth2/authorize_challenge"));
    put("introspection_endpoint", at("/oauth2/introspect"));
    put("revocation_endpoint", at("/oauth2/revoke"));
    put("end_session_endpoint", at("/oauth2/end_session"));
    // Session Management 1.0 section 3.3, Front-Channel Logout 1.0 section 3, Back-Channel Logout 1.0 section 2.1
    put("check_session_iframe", at("/oauth2/check_session"));
    put("frontchannel_logout_supported", true.into());
    put("frontchannel_logout_session_supported", true.into());
    put("backchannel_logout_supported", true.into());
    put("backchannel_logout_session_supported", true.into());
    if surroundings.registration_open {
        put("registration_endpoint", at("/oauth2/register"));
    }
    put("scopes_supported", json!(surroundings.scopes));
    put("response_types_supported", json!(["code"]));
    put("response_modes_supported", json!(modes));
    put("grant_types_supported", json!(grants));
    put("acr_values_supported", json!(surroundings.acr_values));
    put("subject_types_supported", json!(["public", "pairwise"]));
    put("id_token_signing_alg_values_supported", json!(own));
    put("userinfo_signing_alg_values_supported", json!(own));
    put("token_endpoint_auth_methods_supported", json!(methods));
    put("token_endpoint_auth_signing_alg_values_supported", json!(clients));
    put("introspection_endpoint_auth_methods_supported", json!(proving));
    put(
        "introspection_endpoint_auth_signing_alg_values_supported",
        json!(clients),
    );
    put("revocation_endpoint_auth_methods_supported", json!(methods));
    put("revocation_endpoint_auth_signing_alg_values_supported", json!(clients));
    put("code_challenge_methods_supported", json!(["S256"]));
    put(
        "prompt_values_supported",
        json!(["none", "login", "consent", "select_account"]),
    );
    put("display_values_supported", json!(["page"]));
    put("claim_types_supported", json!(["normal"]));
    put("claims_supported", json!(told));
    put("ui_locales_supported", json!(surroundings.ui_locales));
    put("claims_parameter_supported", true.into());
    // their defaults say otherwise or differ between the specifications, so all three are said
    put("request_parameter_supported", false.into());
    put("request_uri_parameter_supported", false.into());
    put("require_request_uri_registration", false.into());
    put("authorization_response_iss_parameter_supported", true.into());
    Value::Object(document)
}
