//! Registration over HTTP, and sign-ons by clients that registered themselves: RFC 7591, RFC 7592, and the modules of the OpenID
//! Foundation's Dynamic plan about registration.

use ostiary::flow::clients::initial_access_token::{self, NewRegistrationToken};
use ostiary::jose::PrivateKey;
use ostiary::model::SigningAlgorithm;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::client_secrets::assertion_claims;
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::documents::Documents;
use crate::support::http::plain_http;
use crate::support::relying_party::{Answer, RelyingParty, claims};
use crate::support::server::{Server, TestClient};

const CALLBACK: &str = "https://client.example/callback";

async fn server(mode: &str) -> Server {
    let server = Server::start().await;
    server.settings(json!({"client_registration": {"mode": mode}})).await;
    server
}

async fn send(server: &Server, method: Method, path: &str, token: Option<&str>, body: Option<String>) -> Answer {
    let http = plain_http().build().unwrap();
    let url = if path.starts_with("http") {
        path.to_owned()
    } else {
        server.url(path)
    };
    let mut request = http.request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body);
    }
    let response = request.send().await.unwrap();
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

async fn register(server: &Server, body: &Value) -> Answer {
    send(server, Method::POST, "/oauth2/register", None, Some(body.to_string())).await
}

/// A client that registered itself with these members.
async fn registered(server: &Server, more: Value) -> TestClient {
    let mut body = json!({"redirect_uris": [CALLBACK], "client_name": "Shop", "grant_types": ["authorization_code", "refresh_token"]});
    for (member, value) in more.as_object().unwrap() {
        body[member] = value.clone();
    }
    let answer = register(server, &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let client = server
        .provider()
        .client(&answer.get("client_id"))
        .await
        .unwrap()
        .unwrap();
    TestClient {
        id: client.id,
        client_id: client.client_id.clone(),
        secret: answer.get("client_secret"),
        redirect_uri: client.metadata.redirect_uris[0].clone(),
        client: (*client).clone(),
    }
}

#[tokio::test]
async fn registration_speaks_http() {
    let server = server("open").await;
    let answer = register(&server, &json!({"redirect_uris": [CALLBACK]})).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let (uri, token) = (
        answer.get("registration_client_uri"),
        answer.get("registration_access_token"),
    );
    assert_eq!(
        uri,
        server.url(&format!("/oauth2/register/{}", answer.get("client_id")))
    );
    let read = send(&server, Method::GET, &uri, Some(&token), None).await;
    assert_eq!(read.status, StatusCode::OK);
    assert_eq!(read.get("client_id"), answer.get("client_id"));
    assert_eq!(read.header("cache-control"), "no-store");
    let body = json!({"client_id": answer.get("client_id"), "redirect_uris": [CALLBACK], "client_name": "New"});
    let replaced = send(&server, Method::PUT, &uri, Some(&token), Some(body.to_string())).await;
    assert_eq!(
        (replaced.status, replaced.get("client_name")),
        (StatusCode::OK, "New".to_owned())
    );
    for token in [None, Some("wrong"), Some(answer.get("client_secret").as_str())] {
        let refused = send(&server, Method::GET, &uri, token, None).await;
        assert_eq!(
            (refused.status, refused.error()),
            (StatusCode::UNAUTHORIZED, "invalid_token".to_owned())
        );
        assert!(refused.header("www-authenticate").starts_with("Bearer"), "{refused:?}");
    }
    let deleted = send(&server, Method::DELETE, &uri, Some(&token), None).await;
    assert_eq!((deleted.status, deleted.body.as_str()), (StatusCode::NO_CONTENT, ""));
    let gone = send(&server, Method::GET, &uri, Some(&token), None).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
    server.stop().await;
}

/// RFC 7592 section 2.2: whoever vouched for a client did so for the addresses that it had.
#[tokio::test]
async fn a_client_that_changes_its_redirect_uris_is_vouched_for_no_longer() {
    const OTHER: &str = "https://client.example/other";
    let server = server("open").await;
    let administrator = Caller::client(&server, "admin:clients").await;
    let registered = register(&server, &json!({"redirect_uris": [CALLBACK, OTHER]})).await;
    let (uri, token) = (
        registered.get("registration_client_uri"),
        registered.get("registration_access_token"),
    );
    let replace = async |name: &str, redirect_uris: &[&str]| {
        let client_id = registered.get("client_id");
        let body = json!({"client_id": client_id, "client_name": name, "redirect_uris": redirect_uris});
        let replaced = send(&server, Method::PUT, &uri, Some(&token), Some(body.to_string())).await;
        assert_eq!(replaced.status, StatusCode::OK, "{}", replaced.body);
    };
    let client = server.provider().client(&registered.get("client_id")).await.unwrap();
    let path = format!("/clients/{}", client.unwrap().id);
    let is_trusted = async || administrator.get(&path).await.ok().json()["trusted"].as_bool().unwrap();
    assert!(!is_trusted().await);
    for (redirect_uris, stays) in [
        (&[OTHER, CALLBACK][..], true),
        (&[CALLBACK, "https://elsewhere.example/callback"][..], false),
        (&[CALLBACK][..], false),
    ] {
        replace("Before", &[CALLBACK, OTHER]).await;
        administrator.patch(&path, json!({"trusted": true})).await.ok();
        replace("After", &[CALLBACK, OTHER]).await;
        assert!(is_trusted().await, "another name is no other place");
        replace("After", redirect_uris).await;
        assert_eq!(is_trusted().await, stays, "{redirect_uris:?}");
    }
    administrator.patch(&path, json!({"trusted": true})).await.ok();
    let elsewhere = json!({"redirect_uris": ["https://elsewhere.example/callback"]});
    administrator.patch(&path, elsewhere).await.ok();
    assert!(is_trusted().await, "whoever changed it vouches for it");
    server.stop().await;
}

#[tokio::test]
async fn registrations_that_can_not_be_read_are_refused() {
    let server = server("open").await;
    let large = json!({"redirect_uris": [CALLBACK], "note": "a".repeat(70_000)}).to_string();
    for body in [
        "",
        "{",
        "[]",
        "{\"client_name\":\"a\",\"client_name\":\"b\"}",
        "{}{}",
        large.as_str(),
    ] {
        let answer = send(&server, Method::POST, "/oauth2/register", None, Some(body.to_owned())).await;
        assert!(answer.status.is_client_error(), "{}", answer.body);
    }
    let http = plain_http().build().unwrap();
    for kind in ["application/x-www-form-urlencoded", "text/plain", "application/json5"] {
        let request = http.post(server.url("/oauth2/register")).header("content-type", kind);
        let response = request
            .body(json!({"redirect_uris": [CALLBACK]}).to_string())
            .send()
            .await
            .unwrap();
        assert!(response.status().is_client_error(), "{kind}");
    }
    let refused = register(&server, &json!({"redirect_uris": ["https://client.example/#a"]})).await;
    assert_eq!(
        (refused.status, refused.error()),
        (StatusCode::BAD_REQUEST, "invalid_redirect_uri".to_owned())
    );
    let refused = register(
        &server,
        &json!({"redirect_uris": [CALLBACK], "response_types": ["token"]}),
    )
    .await;
    assert_eq!(
        (refused.status, refused.error()),
        (StatusCode::BAD_REQUEST, "invalid_client_metadata".to_owned())
    );
    server.stop().await;
}

/// SEC-136: closed by default, then by token, then for all.
#[tokio::test]
async fn dcr_restricted_over_http() {
    let server = Server::start().await;
    let body = json!({"redirect_uris": [CALLBACK]});
    let closed = register(&server, &body).await;
    assert_eq!(
        (closed.status, closed.error()),
        (StatusCode::FORBIDDEN, "access_denied".to_owned())
    );
    server.settings(json!({"client_registration": {"mode": "token"}})).await;
    let refused = register(&server, &body).await;
    assert_eq!(
        (refused.status, refused.error()),
        (StatusCode::UNAUTHORIZED, "invalid_token".to_owned())
    );
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    let new = NewRegistrationToken {
        name: "partner".to_owned(),
        uses: Some(1),
        life: std::time::Duration::from_secs(60),
    };
    let (_, token) = initial_access_token::create(server.provider(), &server.call(), new)
        .await
        .unwrap();
    let by_token = async || {
        send(
            &server,
            Method::POST,
            "/oauth2/register",
            Some(token.expose()),
            Some(body.to_string()),
        )
        .await
        .status
    };
    assert_eq!(by_token().await, StatusCode::CREATED);
    assert_eq!(by_token().await, StatusCode::UNAUTHORIZED);
    server.settings(json!({"client_registration": {"mode": "open"}})).await;
    assert_eq!(register(&server, &body).await.status, StatusCode::CREATED);
    server.stop().await;
}

/// SEC-136: who registered itself asks every person, whatever it says.
#[tokio::test]
async fn dcr_restricted_to_asking() {
    let server = server("open").await;
    let client = registered(&server, json!({"consent": "skip", "scope": "openid email"})).await;
    let user = server.user("ada").await;
    let page = signed_in(&server, &client, &user).await;
    assert!(
        page.forms().iter().any(|form| form.has_button("decision", "allow")),
        "{}",
        page.body
    );
    server.stop().await;
}

/// The page after the password: consent.
async fn signed_in(server: &Server, client: &TestClient, user: &crate::support::server::TestUser) -> Page {
    let browser = Browser::new();
    let party = RelyingParty::new(server, client);
    let login = browser.open(&party.authorization_url()).await;
    let form = login.form_with("password");
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let page = browser.submit(&login, form, &values).await;
    browser.follow(page).await
}

#[tokio::test]
async fn oidcc_registration_jwks_uri() {
    let server = server("open").await;
    let documents = Documents::start().await;
    let key = PrivateKey::generate(SigningAlgorithm::Rs256).unwrap();
    documents.put("/jwks", &json!({"keys": [key.public().jwk()]}).to_string());
    let members = json!({"jwks_uri": documents.url("/jwks"), "token_endpoint_auth_method": "private_key_jwt"});
    let client = registered(&server, members).await;
    assert!(client.secret.is_empty());
    let user = server.user("ada").await;
    let party = RelyingParty::new(&server, &client);
    let arrival = party.sign_in(&Browser::new(), &user).await;
    let assertion = |jti: &str| {
        let mut claims = assertion_claims(&client.client_id, jti, &server.call());
        claims["aud"] = json!(server.url("/oauth2/token"));
        let signer = key.signer(SigningAlgorithm::Rs256).unwrap();
        signer.sign("JWT", claims.as_object().unwrap()).unwrap()
    };
    let with = async |assertion: &str, code: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", &party.code_verifier),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion),
        ];
        party.post_as("/oauth2/token", &form, &[]).await
    };
    let first = assertion("1");
    let tokens = with(&first, arrival.code()).await.ok();
    assert_eq!(claims(&tokens.get("id_token"))["aud"], client.client_id.as_str());
    assert_eq!(with(&first, arrival.code()).await.error(), "invalid_client");
    assert_eq!(documents.visits("/jwks"), 1);
    server.stop().await;
}

#[tokio::test]
async fn oidcc_registration_sector_uri() {
    let server = server("open").await;
    let documents = Documents::start().await;
    documents.put(
        "/sector",
        &json!([CALLBACK, "https://other.example/callback"]).to_string(),
    );
    let members = json!({"subject_type": "pairwise", "sector_identifier_uri": documents.url("/sector")});
    let client = registered(&server, members.clone()).await;
    let mut twin = members;
    twin["redirect_uris"] = json!(["https://other.example/callback"]);
    let twin = registered(&server, twin).await;
    let alone = registered(&server, json!({"subject_type": "pairwise"})).await;
    let user = server.user("ada").await;
    let mut subjects = Vec::new();
    for client in [&client, &twin, &alone] {
        let tokens = RelyingParty::new(&server, client).tokens(&user).await;
        subjects.push(claims(&tokens.get("id_token"))["sub"].clone());
    }
    assert_eq!(subjects[0], subjects[1], "one sector, one subject");
    assert_ne!(subjects[0], subjects[2]);
    assert_ne!(subjects[2], user.subject.as_str());
    server.stop().await;
}

#[tokio::test]
async fn oidcc_registration_sector_bad() {
    let server = server("open").await;
    let documents = Documents::start().await;
    documents.put("/sector", &json!(["https://other.example/callback"]).to_string());
    let body = json!({"redirect_uris": [CALLBACK], "sector_identifier_uri": documents.url("/sector")});
    let refused = register(&server, &body).await;
    assert_eq!(
        (refused.status, refused.error()),
        (StatusCode::BAD_REQUEST, "invalid_client_metadata".to_owned())
    );
    server.stop().await;
}

/// A registered link is honoured: people see it where they decide.
async fn shows(member: &str, link: &str) {
    let server = server("open").await;
    let client = registered(&server, json!({member: link})).await;
    let user = server.user("ada").await;
    let page = signed_in(&server, &client, &user).await;
    assert!(page.body.contains(link), "{member} is not on the page: {}", page.body);
    server.stop().await;
}

#[tokio::test]
async fn oidcc_registration_logo_uri() {
    shows("logo_uri", "https://client.example/logo.png").await;
}

#[tokio::test]
async fn oidcc_registration_policy_uri() {
    shows("policy_uri", "https://client.example/policy").await;
}

#[tokio::test]
async fn oidcc_registration_tos_uri() {
    shows("tos_uri", "https://client.example/terms").await;
}
