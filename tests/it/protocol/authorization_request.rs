//! The authorization request: RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.

use ostiary::model::{ApplicationType, Client, GrantType, ResponseMode, Scopes, TokenEndpointAuthMethod, scope};
use ostiary::protocol::OAuthError;
use ostiary::protocol::authorization_request::{Answerable, AuthorizationRequest, Prompt, Untrusted, trust, validate};
use ostiary::protocol::authorization_response::AuthorizationResponse;
use ostiary::protocol::{ErrorCode, parameters::Parameters};

use super::{CHALLENGE, NOW, client, client_with, code, parameters, query};

const GOOD: [(&str, &str); 8] = [
    ("response_type", "code"),
    ("client_id", "shop"),
    ("redirect_uri", "https://shop.example/callback"),
    ("scope", "openid email"),
    ("state", "xyz"),
    ("nonce", "n-0S6"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

/// A good request with other parameters: one that is there is replaced, an empty value leaves it out.
fn with(changes: &[(&str, &str)]) -> Parameters {
    let mut pairs = GOOD.to_vec();
    for (name, value) in changes {
        pairs.retain(|(known, _)| known != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    parameters(&pairs)
}

fn judged_for(client: &Client, parameters: &Parameters) -> Result<AuthorizationRequest, OAuthError> {
    let answerable = trust(parameters, Some(client)).unwrap();
    let grantable = Scopes::from_tokens(scope::STANDARD.iter().copied());
    validate(parameters, client, answerable, &grantable)
}

fn judged(changes: &[(&str, &str)]) -> Result<AuthorizationRequest, OAuthError> {
    judged_for(&client(), &with(changes))
}

#[test]
fn a_good_request_is_read() {
    let request = judged(&[
        ("prompt", "login consent"),
        ("max_age", "300"),
        ("ui_locales", "de en"),
        ("login_hint", "ada@example.com"),
        ("acr_values", "b a"),
        ("unknown", "ignored"),
    ])
    .unwrap();
    assert_eq!(request.client_id, "shop");
    assert_eq!(request.scope.to_string(), "openid email");
    assert_eq!(request.nonce.as_deref(), Some("n-0S6"));
    assert_eq!(request.code_challenge.as_deref(), Some(CHALLENGE));
    assert_eq!(request.prompt, [Prompt::Login, Prompt::Consent]);
    assert_eq!(request.max_age, Some(300));
    assert_eq!(request.ui_locales, ["de", "en"]);
    assert_eq!(request.acr_values, ["b", "a"]);
    assert_eq!(request.login_hint.as_deref(), Some("ada@example.com"));
    assert_eq!(request.hinted_subject, None);
    assert_eq!(request.answerable.state.as_deref(), Some("xyz"));
    assert_eq!(request.answerable.response_mode, ResponseMode::Query);
}

/// SEC-003.
#[test]
fn authz_bad_client_no_redirect_in_the_rule() {
    let shop = client();
    let disabled = client_with(|client| client.disabled_at = Some(NOW));
    let untrusted = |parameters: &Parameters, client: Option<&Client>| trust(parameters, client).unwrap_err();
    assert_eq!(
        untrusted(&with(&[("client_id", "")]), Some(&shop)),
        Untrusted::ClientMissing
    );
    assert_eq!(untrusted(&with(&[]), None), Untrusted::ClientUnknown);
    assert_eq!(untrusted(&with(&[]), Some(&disabled)), Untrusted::ClientUnknown);
    assert_eq!(
        untrusted(&with(&[("redirect_uri", "")]), Some(&shop)),
        Untrusted::RedirectUriMissing
    );
    let elsewhere = with(&[("redirect_uri", "https://evil.example/callback")]);
    assert_eq!(untrusted(&elsewhere, Some(&shop)), Untrusted::RedirectUriUnregistered);
    let two_clients = query("client_id=shop&client_id=other&redirect_uri=https%3A%2F%2Fshop.example%2Fcallback");
    assert_eq!(untrusted(&two_clients, Some(&shop)), Untrusted::ClientMissing);
    let uri = "https%3A%2F%2Fshop.example%2Fcallback";
    let two_addresses = query(&format!("client_id=shop&redirect_uri={uri}&redirect_uri={uri}"));
    assert_eq!(untrusted(&two_addresses, Some(&shop)), Untrusted::RedirectUriMissing);
}

#[test]
fn an_answer_goes_where_the_request_says_byte_for_byte() {
    let native = client_with(|client| {
        client.metadata.application_type = ApplicationType::Native;
        client.metadata.redirect_uris = vec!["http://127.0.0.1/callback".to_owned()];
    });
    let asked = with(&[("redirect_uri", "http://127.0.0.1:49152/callback")]);
    assert_eq!(
        trust(&asked, Some(&native)).unwrap().redirect_uri,
        "http://127.0.0.1:49152/callback"
    );
}

#[test]
fn a_repeated_state_is_not_echoed() {
    let twice =
        query("client_id=shop&redirect_uri=https%3A%2F%2Fshop.example%2Fcallback&response_type=code&state=a&state=b");
    let answerable = trust(&twice, Some(&client())).unwrap();
    assert_eq!(answerable.state, None);
    assert_eq!(code(judged_for(&client(), &twice)), "invalid_request");
}

/// SEC-007.
#[test]
fn authz_no_token_response_type_in_the_rule() {
    for response_type in [
        "token",
        "id_token",
        "none",
        "code token",
        "token code",
        "code id_token",
        "id_token token",
        "code id_token token",
        "Code",
        "code code",
        " code",
        "code ",
    ] {
        assert_eq!(
            code(judged(&[("response_type", response_type)])),
            "unsupported_response_type",
            "{response_type}"
        );
    }
    assert_eq!(code(judged(&[("response_type", "")])), "invalid_request");
}

#[test]
fn a_client_without_the_grant_may_not_ask() {
    let service = client_with(|client| client.metadata.grant_types = vec![GrantType::ClientCredentials]);
    assert_eq!(code(judged_for(&service, &with(&[]))), "unauthorized_client");
}

/// SEC-008.
#[test]
fn authz_response_mode_limited_in_the_rule() {
    let request = judged(&[("response_mode", "form_post")]).unwrap();
    assert_eq!(request.answerable.response_mode, ResponseMode::FormPost);
    for mode in ["fragment", "jwt", "query.jwt", "web_message", "Query", "form_post "] {
        assert_eq!(code(judged(&[("response_mode", mode)])), "invalid_request", "{mode}");
    }
    let limited = client_with(|client| client.policy.response_modes = vec![ResponseMode::Query]);
    let asked = with(&[("response_mode", "form_post")]);
    // the refusal goes by a way that the client may use
    assert_eq!(
        trust(&asked, Some(&limited)).unwrap().response_mode,
        ResponseMode::Query
    );
    assert_eq!(code(judged_for(&limited, &asked)), "invalid_request");
}

/// SEC-009.
#[test]
fn a_challenge_is_demanded_of_public_clients_and_where_the_operator_says_so() {
    let without = with(&[("code_challenge", ""), ("code_challenge_method", "")]);
    assert_eq!(judged_for(&client(), &without).unwrap().code_challenge, None);
    let public = client_with(|client| client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::None);
    let strict = client_with(|client| client.policy.require_pkce = true);
    for client in [public, strict] {
        assert_eq!(code(judged_for(&client, &without)), "invalid_request");
        assert_eq!(
            code(judged_for(&client, &with(&[("code_challenge_method", "plain")]))),
            "invalid_request"
        );
        assert!(judged_for(&client, &with(&[])).is_ok());
    }
}

#[test]
fn what_is_not_taken_is_refused_by_name() {
    // Core sections 6.1, 6.2, 7.2.1
    for (name, refusal) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        assert_eq!(code(judged(&[(name, "https://shop.example/object")])), refusal);
    }
}

/// SEC-018: `none` stands alone, and words that are not known are refused.
#[test]
fn prompts_are_words_that_are_known() {
    assert_eq!(judged(&[("prompt", "none")]).unwrap().prompt, [Prompt::None]);
    assert_eq!(judged(&[]).unwrap().prompt, []);
    for prompt in [
        "none login",
        "login none",
        "none consent select_account",
        "create",
        "Login",
        "login,consent",
    ] {
        assert_eq!(code(judged(&[("prompt", prompt)])), "invalid_request", "{prompt}");
    }
}

/// SEC-022.
#[test]
fn scopes_are_cut_to_what_the_client_may_have() {
    let few = Scopes::from_tokens(["openid", "email"]);
    let cut = |asked: &str, grantable: &Scopes| {
        let parameters = with(&[("scope", asked)]);
        let answerable = trust(&parameters, Some(&client())).unwrap();
        validate(&parameters, &client(), answerable, grantable).map(|request| request.scope.to_string())
    };
    assert_eq!(cut("openid email profile admin", &few).unwrap(), "openid email");
    assert_eq!(cut("email openid email", &few).unwrap(), "email openid");
    assert_eq!(cut("", &few).unwrap(), "openid");
    assert_eq!(code(cut("profile admin", &few)), "invalid_scope");
    assert_eq!(
        code(cut("openid email", &Scopes::from_tokens(["email"]))),
        "invalid_scope"
    );
    assert_eq!(code(cut("", &Scopes::from_tokens(["email"]))), "invalid_scope");
    for bad in ["openid \"x\"", "openid é", "openid\\", "openid\ttab"] {
        assert_eq!(code(cut(bad, &few)), "invalid_scope", "{bad}");
    }
}

#[test]
fn offline_access_counts_only_with_a_refresh_token_to_give_and_beside_openid() {
    let asked = with(&[("scope", "openid offline_access")]);
    assert!(judged_for(&client(), &asked).unwrap().scope.contains("offline_access"));
    let without = client_with(|client| client.metadata.grant_types = vec![GrantType::AuthorizationCode]);
    assert!(!judged_for(&without, &asked).unwrap().scope.contains("offline_access"));
    let alone = with(&[("scope", "email offline_access")]);
    assert!(!judged_for(&client(), &alone).unwrap().scope.contains("offline_access"));
}

#[test]
fn ages_are_whole_numbers_of_seconds() {
    for age in ["-1", "1.5", "1e3", "ten", " 1", "18446744073709551616", "0x10"] {
        assert_eq!(code(judged(&[("max_age", age)])), "invalid_request", "{age}");
    }
    assert_eq!(judged(&[("max_age", "0")]).unwrap().max_age, Some(0));
    let strict = client_with(|client| client.metadata.default_max_age = Some(60));
    assert_eq!(judged_for(&strict, &with(&[])).unwrap().max_age, Some(60));
    assert_eq!(
        judged_for(&strict, &with(&[("max_age", "5")])).unwrap().max_age,
        Some(5)
    );
}

#[test]
fn resources_are_absolute_uris_without_a_fragment() {
    // RFC 8707 section 2
    let request = judged(&[("resource", "https://api.example/orders?x=1")]).unwrap();
    assert_eq!(request.resources, ["https://api.example/orders?x=1"]);
    for resource in [
        "orders",
        "/orders",
        "https://api.example/#x",
        "https://api.example#",
        "//api.example",
    ] {
        assert_eq!(code(judged(&[("resource", resource)])), "invalid_target", "{resource}");
    }
    let base = "client_id=shop&response_type=code&redirect_uri=https%3A%2F%2Fshop.example%2Fcallback";
    let twice = query(&format!(
        "{base}&resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fa.example"
    ));
    assert_eq!(judged_for(&client(), &twice).unwrap().resources.len(), 1);
}

/// SEC-026.
#[test]
fn authz_hint_params_bounded_in_requests() {
    let long = "a".repeat(513);
    for name in ["login_hint", "ui_locales", "claims_locales", "acr_values", "prompt"] {
        assert_eq!(code(judged(&[(name, &long)])), "invalid_request", "{name}");
    }
    let longer = "a".repeat(4097);
    for name in ["state", "nonce"] {
        assert_eq!(code(judged(&[(name, &longer)])), "invalid_request", "{name}");
        assert!(judged(&[(name, &longer[1..])]).is_ok(), "{name}");
    }
    let many = "de ".repeat(100);
    let request = judged(&[("ui_locales", &many), ("acr_values", &many)]).unwrap();
    assert!(request.ui_locales.len() <= 10 && request.acr_values.len() <= 10);
    let base = "client_id=shop&response_type=code&redirect_uri=https%3A%2F%2Fshop.example%2Fcallback";
    let resources: String = (0..11)
        .map(|index| format!("&resource=https%3A%2F%2Fr{index}.example"))
        .collect();
    assert_eq!(
        code(judged_for(&client(), &query(&format!("{base}{resources}")))),
        "invalid_target"
    );
    // what is kept while people are asked stays small, however large the request was
    let largest = judged(&[
        ("login_hint", &long[1..]),
        ("state", &longer[1..]),
        ("nonce", &longer[1..]),
        ("ui_locales", &many),
        ("prompt", &"login ".repeat(80)),
    ])
    .unwrap();
    assert!(serde_json::to_vec(&largest).unwrap().len() < 16 * 1024);
}

/// SEC-006, SEC-024.
#[test]
fn an_answer_carries_state_and_issuer_and_keeps_the_query_of_its_address() {
    let answerable = |redirect_uri: &str, state: Option<&str>| Answerable {
        redirect_uri: redirect_uri.to_owned(),
        response_mode: ResponseMode::Query,
        state: state.map(str::to_owned),
    };
    let error = OAuthError::new(ErrorCode::AccessDenied, "rule", "no");
    let located = |redirect_uri: &str, state: Option<&str>| {
        let answerable = answerable(redirect_uri, state);
        AuthorizationResponse::refusal(&client(), answerable, "https://login.example", &error).location()
    };
    let said = "error=access_denied&error_description=no";
    let iss = "iss=https%3A%2F%2Flogin.example";
    assert_eq!(
        located("https://a.example/", Some("x&y=#")),
        format!("https://a.example/?{said}&state=x%26y%3D%23&{iss}")
    );
    assert_eq!(
        located("https://a.example/?b=c", None),
        format!("https://a.example/?b=c&{said}&{iss}")
    );
    assert_eq!(
        located("https://a.example/?", None),
        format!("https://a.example/?{said}&{iss}")
    );
    assert_eq!(
        located("com.example.app:/cb", None),
        format!("com.example.app:/cb?{said}&{iss}")
    );
    let named = OAuthError::named(ErrorCode::InvalidRequest, "rule", "<script>\"\\\r\n\u{7f}é");
    assert!(
        named
            .description
            .bytes()
            .all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    );
}
