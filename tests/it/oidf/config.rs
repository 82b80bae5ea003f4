//! `oidcc-config-certification-test-plan`: the metadata (OpenID Connect Discovery 1.0 sections 3 and 4).

use std::collections::BTreeSet;

use ostiary::model::ResponseMode;
use serde_json::{Value, json};
use url::Url;

use super::published_keys;
use super::run::{Run, open_server};
use crate::support::browser::Browser;
use crate::support::server::Server;

/// The document says what it has to, every address in it is the issuer's and answers, and the keys are fit to be published.
#[tokio::test]
async fn oidcc_discovery_endpoint_verification() {
    let server = Server::start().await;
    let metadata = verified_metadata(&server).await;
    // closed until a setting opens it
    assert_eq!(metadata.get("registration_endpoint"), None);
    // OAuth's address tells the same (RFC 8414 section 3)
    let oauth = Browser::new()
        .get(&server.url("/.well-known/oauth-authorization-server"))
        .await;
    assert_eq!(oauth.json(), metadata);
    // what a token says about its issuer is what the document says
    let run = Run::start(ResponseMode::Query).await;
    let tokens = run.complete(&run.request()).await;
    let document = Browser::new()
        .get(&run.server.url("/.well-known/openid-configuration"))
        .await
        .json();
    assert_eq!(tokens.claims["iss"], document["issuer"]);
}

/// The same where clients register themselves, as the Dynamic plan runs it. The plan also wants the response types of the
/// implicit flow, which is not there.
pub async fn verify_dynamic() {
    let server = open_server().await;
    let metadata = verified_metadata(&server).await;
    assert_eq!(metadata["registration_endpoint"], server.url("/oauth2/register"));
}

/// The metadata document after its members were checked.
pub async fn verified_metadata(server: &Server) -> Value {
    let page = Browser::new()
        .get(&server.url("/.well-known/openid-configuration"))
        .await;
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (200, "application/json")
    );
    let metadata = page.json();
    let issuer = Url::parse(metadata["issuer"].as_str().unwrap()).unwrap();
    assert_eq!(metadata["issuer"], server.issuer());
    assert_eq!((issuer.query(), issuer.fragment()), (None, None));
    for (member, value) in metadata.as_object().unwrap() {
        if member.ends_with("_endpoint") || member == "jwks_uri" {
            let endpoint = Url::parse(value.as_str().unwrap()).unwrap();
            assert_eq!(endpoint.origin(), issuer.origin(), "{member}");
            assert_eq!(endpoint.fragment(), None, "{member}");
            let answer = Browser::new().get(endpoint.as_str()).await;
            assert_ne!(answer.status, 404, "{member}");
        }
    }
    for member in [
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "end_session_endpoint",
    ] {
        assert!(metadata[member].is_string(), "{member}");
    }
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert_eq!(
        set(&metadata, "response_modes_supported"),
        words(&["query", "form_post"])
    );
    let grants = set(&metadata, "grant_types_supported");
    assert!(grants.is_superset(&words(&["authorization_code", "refresh_token"])));
    assert!(grants.is_disjoint(&words(&["implicit", "password"])));
    assert_eq!(
        set(&metadata, "subject_types_supported"),
        words(&["public", "pairwise"])
    );
    // section 3: RS256 has to be there; none only where the code flow never gives it
    let algorithms = words(&["RS256", "PS256", "ES256", "EdDSA"]);
    assert_eq!(set(&metadata, "id_token_signing_alg_values_supported"), algorithms);
    assert_eq!(set(&metadata, "userinfo_signing_alg_values_supported"), algorithms);
    let scopes = set(&metadata, "scopes_supported");
    assert!(scopes.is_superset(&words(&[
        "openid",
        "profile",
        "email",
        "address",
        "phone",
        "offline_access"
    ])));
    let syntax = |scope: &String| {
        scope
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    };
    assert!(scopes.iter().all(syntax), "{scopes:?}");
    let claims = set(&metadata, "claims_supported");
    assert!(claims.is_superset(&words(&["sub", "iss", "auth_time", "acr", "name", "email", "address"])));
    assert_eq!(metadata["claims_parameter_supported"], true);
    for member in [
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "require_request_uri_registration",
    ] {
        // the default of one of them is true: all are said
        assert_eq!(metadata[member], false, "{member}");
    }
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    let locales = set(&metadata, "ui_locales_supported");
    assert_eq!(locales, words(&["en", "de", "fr"]));
    assert!(!published_keys::kids(server).await.is_empty());
    metadata
}

fn set(metadata: &Value, member: &str) -> BTreeSet<String> {
    let items = metadata[member].as_array().unwrap_or_else(|| panic!("{member}"));
    let set: BTreeSet<String> = items.iter().map(|item| item.as_str().unwrap().to_owned()).collect();
    assert_eq!(set.len(), items.len(), "{member} says something twice");
    set
}

fn words(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
