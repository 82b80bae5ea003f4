//! Metadata: OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2. Nothing is announced that does not work.

use ostiary::protocol::discovery::{Surroundings, document};
use serde_json::{Value, json};

fn announced(registration_open: bool) -> Value {
    document(&Surroundings {
        issuer: "https://login.example",
        registration_open,
        scopes: vec!["openid".to_owned(), "orders.read".to_owned()],
        ui_locales: vec!["en", "de"],
        acr_values: vec!["urn:example:pwd"],
    })
}

fn strings<'a>(document: &'a Value, name: &str) -> Vec<&'a str> {
    let list = document[name].as_array().unwrap_or_else(|| panic!("{name} is no list"));
    list.iter().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn required_members_are_there() {
    let document = announced(false);
    // Discovery section 3, RFC 8414 section 2, RFC 9207 section 3
    for name in [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
        "scopes_supported",
        "code_challenge_methods_supported",
        "authorization_response_iss_parameter_supported",
    ] {
        assert!(!document[name].is_null(), "{name}");
    }
    assert_eq!(document["issuer"], "https://login.example");
    // Discovery section 3: RS256 has to be among them
    assert!(strings(&document, "id_token_signing_alg_values_supported").contains(&"RS256"));
    assert_eq!(strings(&document, "scopes_supported"), ["openid", "orders.read"]);
    assert_eq!(strings(&document, "ui_locales_supported"), ["en", "de"]);
    assert_eq!(strings(&document, "acr_values_supported"), ["urn:example:pwd"]);
}

#[test]
fn every_address_is_below_the_issuer_and_has_no_query() {
    let document = announced(true);
    for (name, value) in document.as_object().unwrap() {
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            let address = value.as_str().unwrap();
            assert!(address.starts_with("https://login.example/oauth2/"), "{name}");
            assert!(!address.contains(['?', '#']), "{name}");
        }
    }
}

#[test]
fn registration_is_announced_only_where_it_is_open() {
    assert!(announced(false).get("registration_endpoint").is_none());
    assert_eq!(
        announced(true)["registration_endpoint"],
        "https://login.example/oauth2/register"
    );
}

/// SEC-007, SEC-009, SEC-056: what does not exist is not announced.
#[test]
fn nothing_insecure_is_announced() {
    let document = announced(true);
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    let grants = strings(&document, "grant_types_supported");
    assert!(!grants.contains(&"password") && !grants.contains(&"implicit"));
    for (name, value) in document.as_object().unwrap() {
        if name.contains("signing_alg_values") {
            let algorithms: Vec<&str> = value
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item.as_str().unwrap())
                .collect();
            assert!(!algorithms.contains(&"none") && !algorithms.is_empty(), "{name}");
        }
    }
    assert!(!strings(&document, "introspection_endpoint_auth_methods_supported").contains(&"none"));
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
}

#[test]
fn lists_are_never_empty_and_never_repeat() {
    for (name, value) in announced(true).as_object().unwrap() {
        let Some(list) = value.as_array() else { continue };
        // RFC 8414 section 3.2
        assert!(!list.is_empty(), "{name}");
        let unique: std::collections::BTreeSet<_> = list.iter().map(Value::to_string).collect();
        assert_eq!(unique.len(), list.len(), "{name}");
    }
}

#[test]
fn what_is_not_taken_is_said_where_the_default_says_otherwise() {
    let document = announced(false);
    assert_eq!(document["request_uri_parameter_supported"], false);
    assert_eq!(document["request_parameter_supported"], false);
    assert_eq!(document["claims_parameter_supported"], true);
}
