//! `oidcc-dynamic-certification-test-plan`: clients that register themselves and prove themselves by `private_key_jwt`.
//!
//! The plan also wants request objects by reference and the response types of the implicit flow. Neither is there; those tests
//! show that they are refused by name. `docs/conformance.md` says which modules that leaves open.

use std::time::Duration;

use ostiary::flow::operations::keys::{Rotation, rotate, step};
use ostiary::model::{ResponseMode, setting};
use serde_json::{Value, json};

use super::run::{REDIRECT_URI, Run, assert_told, open_server, post_registration, register};
use super::{assertion, config, module, published_keys};
use crate::support::documents::Documents;
use crate::support::html;
use crate::support::relying_party::jwt_header;

/// RS256 by name.
#[tokio::test]
async fn oidcc_idtoken_rs256() {
    let run = Run::registered(json!({"id_token_signed_response_alg": "RS256"})).await;
    let tokens = run.complete(&run.request()).await;
    assert_eq!(jwt_header(&tokens.id_token)["alg"], "RS256");
}

/// Unsigned ID tokens are not announced, and can't be registered for.
#[tokio::test]
async fn oidcc_idtoken_unsigned() {
    module::oidcc_idtoken_unsigned(ResponseMode::Query).await;
}

/// A signed userinfo answer names issuer and audience (Core section 5.3.2).
#[tokio::test]
async fn oidcc_userinfo_rs256() {
    let run = Run::registered(json!({"userinfo_signed_response_alg": "RS256"})).await;
    let tokens = run.complete(&run.request().with("scope", "openid email")).await;
    let answer = run.get_userinfo(&tokens.access_token).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "application/jwt")
    );
    assert_eq!(jwt_header(&answer.body)["alg"], "RS256");
    let told = published_keys::verified(&run.server, &answer.body).await;
    let expected = json!({
        "iss": run.server.issuer(),
        "aud": run.party.client.client_id,
        "sub": tokens.claim("sub"),
        "email": run.user.email,
        "email_verified": true,
    });
    assert_eq!(Value::Object(told), expected);
}

/// No redirect URI: the person is told, although only one is registered (Core section 3.1.2.1).
#[tokio::test]
async fn oidcc_ensure_redirect_uri_in_authorization_request() {
    let run = Run::registered(json!({})).await;
    assert_told(&run.browser.get(&run.url(&run.request().without("redirect_uri"))).await);
}

const WITH_QUERY: &str = "https://client.example/callback?dummy1=lorem&dummy2=ipsum";

/// A registered query comes back, with the answer added to it (RFC 6749 section 3.1.2).
#[tokio::test]
#[allow(non_snake_case)]
async fn oidcc_redirect_uri_query_OK() {
    let run = Run::registered(json!({"redirect_uris": [WITH_QUERY]})).await;
    let request = run.request();
    assert_eq!(request.get("redirect_uri"), WITH_QUERY);
    let arrival = run.sign_in(&request).await;
    assert_eq!((arrival.get("dummy1"), arrival.get("dummy2")), ("lorem", "ipsum"));
    run.redeem(&request, &arrival).await;
}

/// Another query than the registered one.
#[tokio::test]
async fn oidcc_redirect_uri_query_mismatch() {
    let run = Run::registered(json!({"redirect_uris": [WITH_QUERY]})).await;
    for other in [
        "https://client.example/callback?dummy1=lorem&dummy2=dolor",
        "https://client.example/callback?dummy2=ipsum&dummy1=lorem",
        REDIRECT_URI,
    ] {
        assert_told(
            &run.browser
                .get(&run.url(&run.request().with("redirect_uri", other)))
                .await,
        );
    }
}

/// A query where none is registered.
#[tokio::test]
async fn oidcc_redirect_uri_query_added() {
    let run = Run::registered(json!({})).await;
    let added = format!("{REDIRECT_URI}?dummy1=lorem&dummy2=ipsum");
    assert_told(
        &run.browser
            .get(&run.url(&run.request().with("redirect_uri", &added)))
            .await,
    );
}

/// A fragment can't be registered (RFC 6749 section 3.1.2).
#[tokio::test]
async fn oidcc_redirect_uri_regfrag() {
    let server = open_server().await;
    let metadata = json!({"redirect_uris": [format!("{REDIRECT_URI}#foobar")]});
    let answer = post_registration(&server, &metadata).await;
    assert_eq!(
        (answer.status.as_u16(), answer.error().as_str()),
        (400, "invalid_redirect_uri")
    );
}

/// The metadata of a server where clients register.
#[tokio::test]
async fn oidcc_discovery_endpoint_verification() {
    config::verify_dynamic().await;
}

/// A client registers, signs somebody in, and learns who it is.
#[tokio::test]
async fn oidcc_server() {
    let run = Run::registered(json!({})).await;
    let tokens = run.complete(&run.request().with("scope", "openid email")).await;
    let told = run.userinfo(&tokens.access_token).await;
    assert_eq!(told["sub"], tokens.claim("sub"));
    assert_eq!(told["email"], run.user.email);
}

/// What the sign-in page of a client shows.
async fn sign_in_page(members: Value) -> (Run, String) {
    let run = Run::registered(members).await;
    let request = run.request();
    let page = run.asked(&request).await;
    let body = html::unescape(&page.body);
    let policy = page.header("content-security-policy").to_owned();
    run.walk(&request, page).await;
    (run, format!("{policy}\n{body}"))
}

/// The logo is shown, and the page's own policy lets the browser load it.
#[tokio::test]
async fn oidcc_registration_logo_uri() {
    let (_run, page) = sign_in_page(json!({"logo_uri": "https://client.example/logo.png"})).await;
    assert!(page.contains("src=\"https://client.example/logo.png\""), "{page}");
    let policy = page.lines().next().unwrap();
    let images = policy
        .split(';')
        .map(str::trim)
        .find(|part| part.starts_with("img-src "))
        .unwrap();
    let allowed = images
        .split(' ')
        .any(|source| ["https:", "https://client.example"].contains(&source));
    assert!(allowed, "{images}");
}

/// The policy is linked.
#[tokio::test]
async fn oidcc_registration_policy_uri() {
    let (_run, page) = sign_in_page(json!({"policy_uri": "https://client.example/policy"})).await;
    assert!(page.contains("href=\"https://client.example/policy\""), "{page}");
}

/// The terms of service are linked.
#[tokio::test]
async fn oidcc_registration_tos_uri() {
    let (_run, page) = sign_in_page(json!({"tos_uri": "https://client.example/terms"})).await;
    assert!(page.contains("href=\"https://client.example/terms\""), "{page}");
}

/// SEC-139: what a client names as its logo or links is the browser's to fetch, as an image or behind a click; the server keeps no
/// copy and asks for none, and an address that is not a web address is refused.
#[tokio::test]
async fn client_logo_safe() {
    let documents = Documents::start().await;
    documents.put(
        "/logo.svg",
        "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    );
    let (_run, page) = sign_in_page(json!({
        "logo_uri": documents.url("/logo.svg"),
        "client_uri": documents.url("/home"),
        "policy_uri": documents.url("/policy"),
        "tos_uri": documents.url("/terms"),
    }))
    .await;
    for path in ["/logo.svg", "/home", "/policy", "/terms"] {
        assert_eq!(documents.visits(path), 0, "{path}");
    }
    // an image runs no script, whatever is in it
    assert!(
        page.contains(&format!("src=\"{}\"", documents.url("/logo.svg"))),
        "{page}"
    );
    assert!(
        !page.contains("<object") && !page.contains("<embed") && !page.contains("<iframe"),
        "{page}"
    );
    let server = open_server().await;
    for address in [
        "javascript:alert(1)",
        "data:image/svg+xml,<svg/>",
        "file:///etc/passwd",
        "http://10.0.0.1/logo.png",
    ] {
        for member in ["logo_uri", "policy_uri", "tos_uri", "client_uri"] {
            let answer = post_registration(&server, &json!({"redirect_uris": [REDIRECT_URI], member: address})).await;
            assert_eq!(answer.status.as_u16(), 400, "{member} {address}: {}", answer.body);
            assert!(answer.body.contains(member), "{}", answer.body);
        }
    }
}

/// A client whose keys stand behind this document, which holds the key of the returned party.
async fn published(documents: &Documents, members: Value) -> Run {
    let mut members = members;
    members["jwks_uri"] = json!(documents.url("/jwks"));
    let run = Run::registered(members).await;
    documents.put("/jwks", &assertion::jwks(run.party.key.as_ref().unwrap()).to_string());
    run
}

/// Keys by reference verify the client's assertions.
#[tokio::test]
async fn oidcc_registration_jwks_uri() {
    let documents = Documents::start().await;
    let mut run = published(&documents, json!({})).await;
    run.complete(&run.request()).await;
    assert_eq!(documents.visits("/jwks"), 1);
    // a key that is not published proves nothing
    run.party.key = Some(assertion::key());
    let request = run.request();
    let arrival = run.at_once(&request).await;
    let answer = run
        .exchange(&run.party, arrival.code(), request.get("redirect_uri"))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.error().as_str()),
        (401, "invalid_client")
    );
}

/// A sector document that lists the redirect URIs; clients of one sector know a person by one subject, others by another.
#[tokio::test]
async fn oidcc_registration_sector_uri() {
    let documents = Documents::start().await;
    let uris = json!([REDIRECT_URI, "https://other.example/callback"]);
    documents.put("/redirect_uris.json", &uris.to_string());
    let sector = json!({
        "redirect_uris": uris,
        "subject_type": "pairwise",
        "sector_identifier_uri": documents.url("/redirect_uris.json"),
    });
    let run = Run::registered(sector.clone()).await;
    assert_eq!(documents.visits("/redirect_uris.json"), 1);
    let first = run.complete(&run.request()).await;
    assert_ne!(first.claim("sub"), run.user.subject);
    assert_eq!(run.userinfo(&first.access_token).await["sub"], first.claim("sub"));
    let subject_for = async |members: Value| {
        let party = register(&run.server, members).await;
        let request = run.request_of(&party);
        let arrival = run.sign_in(&request).await;
        run.redeem_as(&party, &request, &arrival).await.claim("sub").to_owned()
    };
    assert_eq!(subject_for(sector).await, first.claim("sub"));
    let alone = subject_for(json!({"subject_type": "pairwise"})).await;
    assert_ne!(alone, first.claim("sub"));
    assert_ne!(alone, run.user.subject);
}

/// A sector document that does not list the redirect URI (Dynamic Registration section 5).
#[tokio::test]
async fn oidcc_registration_sector_bad() {
    let server = open_server().await;
    let documents = Documents::start().await;
    documents.put("/redirect_uris.json", r#"["https://client.example/another"]"#);
    let metadata = json!({
        "redirect_uris": [REDIRECT_URI],
        "subject_type": "pairwise",
        "sector_identifier_uri": documents.url("/redirect_uris.json"),
    });
    let answer = post_registration(&server, &metadata).await;
    assert_eq!(
        (answer.status.as_u16(), answer.error().as_str()),
        (400, "invalid_client_metadata")
    );
    assert_eq!(documents.visits("/redirect_uris.json"), 1);
    // the very same becomes good with the document
    documents.put("/redirect_uris.json", &json!([REDIRECT_URI]).to_string());
    assert_eq!(post_registration(&server, &metadata).await.status, 201);
}

/// New keys stand beside the old ones before they sign; tokens by the old ones still verify (Core section 10.1.1).
#[tokio::test]
async fn oidcc_server_rotate_keys() {
    let run = Run::registered(json!({})).await;
    let before = published_keys::kids(&run.server).await;
    let old = run.complete(&run.request()).await;
    rotate(run.server.provider(), &run.server.call(), Rotation::Announced)
        .await
        .unwrap();
    let after = published_keys::kids(&run.server).await;
    assert!(
        after.is_superset(&before) && after.len() > before.len(),
        "{before:?} {after:?}"
    );
    let kid = |token: &str| jwt_header(token)["kid"].as_str().unwrap().to_owned();
    let request = run.request();
    let meanwhile = run.redeem(&request, &run.at_once(&request).await).await;
    assert_eq!(kid(&meanwhile.id_token), kid(&old.id_token));

    let ahead = run
        .server
        .provider()
        .settings()
        .await
        .unwrap()
        .duration(setting::KEY_PUBLISH_AHEAD);
    run.server.advance(ahead);
    step(run.server.provider(), &run.server.call()).await.unwrap();
    let new = run.complete(&run.request()).await;
    assert!(!before.contains(&kid(&new.id_token)) && after.contains(&kid(&new.id_token)));
    published_keys::verified(&run.server, &old.id_token).await;
}

/// The client changes its key: a minute later the new one is found, and the old one is gone.
#[tokio::test]
async fn oidcc_refresh_token_rp_key_rotation() {
    let documents = Documents::start().await;
    let members = json!({"grant_types": ["authorization_code", "refresh_token"]});
    let mut run = published(&documents, members).await;
    let request = run
        .request()
        .with("scope", "openid offline_access")
        .with("prompt", "consent");
    let first = run.complete(&request).await;
    let new = assertion::key();
    documents.put("/jwks", &assertion::jwks(new).to_string());
    run.server.advance(Duration::from_secs(60));
    let old = run.party.key.replace(new);
    let answer = run.refresh(&run.party, &first.refresh_token).await;
    let refreshed = run.tokens(&run.party, answer, None).await;
    assert_eq!(refreshed.claim("sub"), first.claim("sub"));
    assert_eq!(run.userinfo(&refreshed.access_token).await["sub"], first.claim("sub"));
    run.party.key = old;
    let answer = run.refresh(&run.party, &refreshed.refresh_token).await;
    assert_eq!(
        (answer.status.as_u16(), answer.error().as_str()),
        (401, "invalid_client")
    );
}

/// A request object by reference is refused by name, and never fetched.
async fn request_uri_is_refused(object: &str) {
    let documents = Documents::start().await;
    documents.put_answer(
        "/request",
        "200 OK",
        "content-type: application/oauth-authz-req+jwt\r\n",
        object,
    );
    let run = Run::registered(json!({"request_uris": null})).await;
    let request = run.request().with("request_uri", &documents.url("/request"));
    let arrival = run.at_once(&request).await;
    assert_eq!(
        (arrival.get("error"), arrival.get("code")),
        ("request_uri_not_supported", "")
    );
    assert_eq!(documents.visits("/request"), 0);
}

/// By reference, unsigned: `request_uri_not_supported`.
#[tokio::test]
async fn oidcc_request_uri_unsigned() {
    request_uri_is_refused("eyJhbGciOiJub25lIn0.eyJzY29wZSI6Im9wZW5pZCJ9.").await;
}

/// By reference, signed: `request_uri_not_supported`.
#[tokio::test]
async fn oidcc_request_uri_signed_rs256() {
    let signed = assertion::assertion(assertion::key(), "client", "https://login.example", 1_800_000_000);
    request_uri_is_refused(&signed).await;
}

/// What stands in a request object is never believed.
#[tokio::test]
async fn oidcc_ensure_request_object_with_redirect_uri() {
    let run = Run::registered(json!({})).await;
    module::objects_are_never_believed(&run).await;
}

/// Refresh tokens of clients that registered themselves.
#[tokio::test]
async fn oidcc_refresh_token() {
    let members = json!({"grant_types": ["authorization_code", "refresh_token"]});
    let run = Run::registered(members.clone()).await;
    let second = register(&run.server, members).await;
    module::refresh_tokens(&run, &second).await;
}

/// An assertion for the issuer instead of the token endpoint; one for somebody else proves nothing.
#[tokio::test]
async fn oidcc_ensure_client_assertion_with_iss_aud_succeeds() {
    let run = Run::registered(json!({})).await;
    let request = run.request();
    let arrival = run.sign_in(&request).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", arrival.code()),
        ("redirect_uri", request.get("redirect_uri")),
    ];
    let refused = run.token_for(&run.party, "https://login.example", &form).await;
    assert_eq!(
        (refused.status.as_u16(), refused.error().as_str()),
        (401, "invalid_client")
    );
    let answer = run.token_for(&run.party, run.server.issuer(), &form).await;
    run.tokens(&run.party, answer, Some(request.get("nonce"))).await;
}
