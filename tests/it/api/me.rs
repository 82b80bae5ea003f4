//! `/api/v1/me`: a person's own account and sessions, by token and by cookie.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::conversation::user_token;
use crate::support::browser::{Browser, Page};
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser};

const SHOP: &str = "https://shop.example.com";
const BY_SCRIPT: (&str, &str) = ("x-requested-with", "fetch");

/// A browser in which somebody is signed in to this server and to a trusted client with an origin of its own.
async fn at_the_shop(server: &Server, user: &TestUser) -> Browser {
    let client = server
        .client(|client| {
            client.trusted = true;
            client.metadata.allowed_cors_origins = vec![SHOP.to_owned()];
        })
        .await;
    let party = RelyingParty::new(server, &client);
    let browser = Browser::new();
    let arrival = party.sign_in(&browser, user).await;
    party.redeem(arrival.code()).await.ok();
    browser
}

/// Ends a session by cookie.
async fn delete(server: &Server, browser: &Browser, id: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let cookie = format!("ostiary_session={}", browser.cookie("ostiary_session").unwrap());
    let key = format!("ostiary_browser={}", browser.cookie("ostiary_browser").unwrap());
    let url = server.url(&format!("/api/v1/me/sessions/{id}"));
    let mut request = plain_http()
        .build()
        .unwrap()
        .request(Method::DELETE, url)
        .header("cookie", format!("{cookie}; {key}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn json(answer: reqwest::Response) -> Value {
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

async fn sessions(server: &Server, browser: &Browser) -> Page {
    browser.get(&server.url("/api/v1/me/sessions")).await
}

fn id_of(page: &Page, current: bool) -> String {
    let json = page.json();
    let items = json["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["current"] == current).unwrap();
    found["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_first_party_application_asks_with_the_cookie() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let browser = at_the_shop(&server, &user).await;
    let own = browser.get(&server.url("/api/v1/me")).await;
    assert_eq!(own.json()["username"], "ada");
    let headers = [("origin", SHOP), ("sec-fetch-site", "same-site")];
    let asked = browser.get_with(&server.url("/api/v1/me"), &headers).await;
    assert_eq!(asked.json()["email"], user.email.as_str());
    assert_eq!(asked.header("access-control-allow-origin"), SHOP);
    assert_eq!(asked.header("access-control-allow-credentials"), "true");

    for (name, headers) in [
        ("another site", vec![("origin", SHOP), ("sec-fetch-site", "cross-site")]),
        (
            "an origin nobody registered",
            vec![("origin", "https://evil.example.com")],
        ),
        ("an origin that hides", vec![("origin", "null")]),
        (
            "a page that does not name itself",
            vec![("sec-fetch-site", "same-site")],
        ),
    ] {
        let refused = browser.get_with(&server.url("/api/v1/me"), &headers).await;
        assert_eq!(refused.status, 403, "{name}");
        assert_eq!(refused.header("access-control-allow-origin"), "", "{name}");
        assert!(!refused.body.contains(&user.email), "{name}");
    }
    let stranger = Browser::new().get(&server.url("/api/v1/me")).await;
    assert_eq!(stranger.status, 401);
    server.stop().await;
}

/// SEC-175: with the cookie, from a page that may, by a script, and freshly proved.
#[tokio::test]
async fn a_session_is_ended_by_cookie_from_a_page_that_may() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let browser = at_the_shop(&server, &user).await;
    let there = at_the_shop(&server, &user).await;
    let listed = sessions(&server, &browser).await;
    let (own, other) = (id_of(&listed, true), id_of(&listed, false));
    let here = server.issuer().to_owned();
    for (name, headers) in [
        ("no origin", vec![BY_SCRIPT]),
        ("no script", vec![("origin", SHOP)]),
        (
            "a foreign page",
            vec![BY_SCRIPT, ("origin", "https://evil.example.com")],
        ),
        (
            "another site",
            vec![BY_SCRIPT, ("origin", SHOP), ("sec-fetch-site", "cross-site")],
        ),
    ] {
        assert_eq!(
            delete(&server, &browser, &other, &headers).await.status(),
            403,
            "{name}"
        );
    }
    let may = [BY_SCRIPT, ("origin", SHOP), ("sec-fetch-site", "same-site")];
    assert_eq!(
        delete(&server, &browser, &own, &may).await.status(),
        409,
        "that is signing out"
    );
    let unknown = "01890000-0000-7000-8000-000000000000";
    assert_eq!(delete(&server, &browser, unknown, &may).await.status(), 404);
    server.advance(Duration::from_secs(5 * 60));
    let late = delete(&server, &browser, &other, &may).await;
    assert_eq!(late.status(), 401);
    let challenge = late.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(
        challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=\"300\""),
        "{challenge}"
    );
    assert_eq!(sessions(&server, &there).await.status, 200, "nothing was ended");

    let login = browser.get(&server.url("/login?again=1")).await;
    browser
        .submit(&login, login.form_with("password"), &[("password", &user.password)])
        .await;
    let own_page = [BY_SCRIPT, ("origin", here.as_str())];
    assert_eq!(delete(&server, &browser, &other, &own_page).await.status(), 204);
    assert_eq!(sessions(&server, &there).await.status, 401);
    server.stop().await;
}

#[tokio::test]
async fn a_token_reads_with_one_scope_and_changes_with_the_other() {
    let server = Server::start().await;
    let (ada, bob) = (server.user("ada").await, server.user("bob").await);
    let reads = user_token(&server, &ada, "openid account.read").await;
    let changes = user_token(&server, &ada, "openid account").await;
    let unrelated = user_token(&server, &bob, "openid admin").await;
    let http = plain_http().build().unwrap();
    let send = async |method: Method, path: &str, token: &str| {
        let url = server.url(&format!("/api/v1/me{path}"));
        http.request(method, url).bearer_auth(token).send().await.unwrap()
    };
    for token in [&reads, &changes] {
        let answer = send(Method::GET, "", token).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(json(answer).await["username"], "ada");
    }
    assert_eq!(send(Method::GET, "", &unrelated).await.status(), 403);
    assert_eq!(send(Method::GET, "", "x.y.z").await.status(), 401);
    let listed = json(send(Method::GET, "/sessions", &changes).await).await;
    let other = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["current"] == false)
        .unwrap();
    let path = format!("/sessions/{}", other["id"].as_str().unwrap());
    assert_eq!(send(Method::DELETE, &path, &reads).await.status(), 403);
    let foreign = user_token(&server, &bob, "openid account").await;
    assert_eq!(
        send(Method::DELETE, &path, &foreign).await.status(),
        404,
        "nobody ends another's"
    );
    assert_eq!(send(Method::DELETE, &path, &changes).await.status(), 204);
    assert_eq!(
        send(Method::GET, "", &reads).await.status(),
        401,
        "it hung on that session"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_person_sees_and_changes_their_own_devices() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let (reads, changes) = (
        user_token(&server, &ada, "openid account.read").await,
        user_token(&server, &ada, "openid account").await,
    );
    let http = plain_http().build().unwrap();
    let send = async |method: Method, path: &str, token: &str| {
        let url = server.url(&format!("/api/v1/me/devices{path}"));
        http.request(method, url).bearer_auth(token).send().await.unwrap()
    };
    let listed = json(send(Method::GET, "", &changes).await).await;
    let items = listed["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 2, "{listed}");
    let id = |current: bool| {
        let found = items.iter().find(|item| item["current"] == current).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    let (own, other) = (id(true), id(false));
    let block = format!("/{other}/block");
    assert_eq!(send(Method::POST, &block, &reads).await.status(), 403);
    assert_eq!(
        send(Method::POST, &format!("/{own}/block"), &changes).await.status(),
        409
    );
    assert_eq!(
        send(Method::POST, &format!("/{other}/burn"), &changes).await.status(),
        404
    );
    assert_eq!(send(Method::POST, &block, &changes).await.status(), 204);
    assert_eq!(
        send(Method::GET, "", &reads).await.status(),
        401,
        "it hung on that device"
    );
    let listed = json(send(Method::GET, "", &changes).await).await;
    assert!(
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["state"] == "blocked")
    );
    let unblock = format!("/{other}/unblock");
    assert_eq!(send(Method::POST, &unblock, &changes).await.status(), 204);
    server.advance(std::time::Duration::from_secs(300));
    let late = send(Method::POST, &block, &changes).await;
    assert_eq!(late.status(), 401);
    let challenge = late.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    server.stop().await;
}

#[tokio::test]
async fn a_preflight_tells_what_may_be_asked() {
    let server = Server::start().await;
    let http = plain_http().build().unwrap();
    let url = server.url("/api/v1/me/sessions/01890000-0000-7000-8000-000000000000");
    let answer = http
        .request(Method::OPTIONS, url)
        .header("origin", SHOP)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 204);
    let headers = answer.headers();
    assert_eq!(headers["access-control-allow-origin"], SHOP);
    assert_eq!(headers["access-control-allow-credentials"], "true");
    assert!(
        headers["access-control-allow-methods"]
            .to_str()
            .unwrap()
            .contains("DELETE")
    );
    assert!(
        headers["access-control-allow-headers"]
            .to_str()
            .unwrap()
            .contains("x-requested-with")
    );
    server.stop().await;
}
