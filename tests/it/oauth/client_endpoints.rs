//! Client authentication as the endpoints answer it.

use std::collections::BTreeMap;

use ostiary::flow::clients::{Authority, disable, enable};
use ostiary::model::TokenEndpointAuthMethod;
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::relying_party::{Answer, RelyingParty, basic};
use crate::support::server::Server;

const ENDPOINTS: [&str; 3] = ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"];

/// What of an answer could tell one failure from another.
fn told(answer: &Answer) -> (StatusCode, BTreeMap<String, String>, Value) {
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id" | "x-trace-id" | "trace-id"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let mut body = answer.json();
    body["trace_id"] = Value::Null;
    (answer.status, headers, body)
}

/// SEC-131: at every endpoint one answer, whoever the client is or is not.
#[tokio::test]
async fn client_auth_uniform_failure_at_every_endpoint() {
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let by_post = server
        .client(|client| client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::ClientSecretPost)
        .await;
    let disabled = server.client(|_| ()).await;
    disable(
        server.provider(),
        &server.call(),
        &Authority::Operator,
        disabled.id,
        None,
    )
    .await
    .unwrap();
    let party = RelyingParty::new(&server, &client);
    let form = [("grant_type", "client_credentials"), ("token", "unknown")];
    for endpoint in ENDPOINTS {
        let mut answers = Vec::new();
        for (client_id, secret) in [
            ("nobody", "secret"),
            (&client.client_id, "wrong"),
            (&by_post.client_id, &by_post.secret),
            (&disabled.client_id, &disabled.secret),
        ] {
            let authorization = basic(client_id, secret);
            let answer = party
                .post_as(endpoint, &form, &[("authorization", &authorization)])
                .await;
            assert_eq!(
                (answer.status, answer.error()),
                (StatusCode::UNAUTHORIZED, "invalid_client".to_owned())
            );
            assert!(answer.header("www-authenticate").starts_with("Basic"));
            answers.push(told(&answer));
        }
        assert!(
            answers.windows(2).all(|pair| pair[0] == pair[1]),
            "{endpoint}: {answers:?}"
        );
    }
    server.stop().await;
}

/// SEC-131: and after too many, none.
#[tokio::test]
async fn client_auth_uniform_failure_is_rate_limited_at_the_endpoint() {
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let form = [("grant_type", "client_credentials")];
    let wrong = basic(&client.client_id, "wrong");
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(
            party
                .post_as("/oauth2/token", &form, &[("authorization", &wrong)])
                .await,
        );
    }
    assert_eq!(statuses.first().unwrap().status, StatusCode::UNAUTHORIZED);
    let last = statuses.last().unwrap();
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(last.header("retry-after").parse::<u64>().unwrap() > 0);
    server.stop().await;
}

/// SEC-132: two methods in one request are refused although each would do.
#[tokio::test]
async fn client_auth_single_method_at_every_endpoint() {
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let authorization = basic(&client.client_id, &client.secret);
    let with = [("authorization", authorization.as_str())];
    let assertion = [
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", "a.b.c"),
    ];
    let secret = [
        ("client_id", client.client_id.as_str()),
        ("client_secret", client.secret.as_str()),
    ];
    for endpoint in ENDPOINTS {
        let base = [("token", "unknown"), ("grant_type", "client_credentials")];
        for (headers, parts) in [
            (&with[..], vec![&secret[..]]),
            (&with[..], vec![&assertion[..]]),
            (&[][..], vec![&secret[..], &assertion[..]]),
            (&with[..], vec![&secret[..], &assertion[..]]),
        ] {
            let form: Vec<(&str, &str)> = base.iter().chain(parts.into_iter().flatten()).copied().collect();
            let answer = party.post_as(endpoint, &form, headers).await;
            assert_eq!(
                (answer.status, answer.error()),
                (StatusCode::BAD_REQUEST, "invalid_request".to_owned()),
                "{endpoint}"
            );
        }
        let several = [
            ("authorization", authorization.as_str()),
            ("authorization", authorization.as_str()),
        ];
        let answer = party.post_as(endpoint, &base, &several).await;
        assert!(!answer.status.is_success(), "{endpoint}: two headers");
        // its own id in the form beside Basic is tolerated
        let form = [base[0], secret[0]];
        let answer = party.post_as("/oauth2/introspect", &form, &with).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    server.stop().await;
}

/// SEC-138: every endpoint refuses a disabled client, and what it was given before counts no more.
#[tokio::test]
async fn client_disabled_everywhere() {
    let server = Server::start().await;
    let client = server.client(|_| ()).await;
    let resource_server = server.client(|_| ()).await;
    let user = server.user("ada").await;
    let party = RelyingParty::new(&server, &client);
    let other = RelyingParty::new(&server, &resource_server);
    let tokens = party.tokens(&user).await;
    let (access, refresh) = (tokens.get("access_token"), tokens.get("refresh_token"));
    assert_eq!(party.userinfo(&access).await.status, StatusCode::OK);
    let browser = Browser::new();
    let code = party.sign_in(&browser, &user).await.code().to_owned();

    disable(server.provider(), &server.call(), &Authority::Operator, client.id, None)
        .await
        .unwrap();
    assert_eq!(party.redeem(&code).await.error(), "invalid_client");
    assert_eq!(party.refresh(&refresh).await.error(), "invalid_client");
    assert_eq!(
        party.token(&[("grant_type", "client_credentials")]).await.error(),
        "invalid_client"
    );
    assert_eq!(party.introspect(&access).await.error(), "invalid_client");
    assert_eq!(party.revoke(&access).await.error(), "invalid_client");
    assert_eq!(party.userinfo(&access).await.status, StatusCode::UNAUTHORIZED);
    let page = browser.get(&party.authorization_url()).await;
    assert!(
        page.location().is_none() && page.status.is_client_error(),
        "{} {}",
        page.status,
        page.body
    );
    assert_eq!(other.introspect(&access).await.ok().json()["active"], false);

    // the refresh token was not used up by the refusal
    enable(server.provider(), &server.call(), &Authority::Operator, client.id, None)
        .await
        .unwrap();
    assert_eq!(party.refresh(&refresh).await.status, StatusCode::OK);
    server.stop().await;
}
