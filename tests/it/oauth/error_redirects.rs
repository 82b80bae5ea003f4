//! Errors on their way to clients that nobody vouches for: RFC 9700 section 4.11.2.

use ostiary::flow::clients::{self, Authority, ClientChange};
use ostiary::model::Client;
use reqwest::StatusCode;
use serde_json::json;

use super::steps::{enter, outcome, press, refused};
use crate::explain::{explained, shown_id};
use crate::support::browser::{Browser, Page};
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestClient, each_backend};

const ELSEWHERE: &str = "https://elsewhere.example/callback";

/// A client that registered itself while anyone could.
async fn stranger(server: &Server) -> TestClient {
    server.settings(json!({"client_registration": {"mode": "open"}})).await;
    let metadata = json!({
        "redirect_uris": [ELSEWHERE],
        "client_name": "Nobody's application",
        "response_types": ["code"],
    });
    let http = plain_http().build().unwrap();
    let response = http
        .post(server.url("/oauth2/register"))
        .header("content-type", "application/json")
        .body(metadata.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let answer: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let client_id = answer["client_id"].as_str().unwrap().to_owned();
    let client = server.provider().client(&client_id).await.unwrap().unwrap();
    assert!(!client.trusted);
    TestClient {
        id: client.id,
        redirect_uri: ELSEWHERE.to_owned(),
        secret: answer["client_secret"].as_str().unwrap().to_owned(),
        client: (*client).clone(),
        client_id,
    }
}

/// The page in between, as a person sees it: who asks, where it leads, both ways on.
fn assert_asks(page: &Page) {
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert_eq!(page.url.path(), "/login/leave");
    assert!(page.body.contains("elsewhere.example"), "{}", page.body);
    assert!(page.body.contains("Nobody&#x27;s application"), "{}", page.body);
    assert!(page.location().is_none());
    assert!(!page.body.to_lowercase().contains("http-equiv=\"refresh\""));
    let form = page.form_with_button("decision", "go");
    assert!(form.has_button("decision", "stay"));
    assert!(form.action.starts_with('/'), "{}", form.action);
}

/// SEC-031: bad scope and denied consent lead to a page first, which can be left; `prompt=none` is answered at once.
#[tokio::test(flavor = "multi_thread")]
async fn authz_untrusted_interstitial() {
    each_backend(async |server| {
        let client = stranger(server).await;
        let party = RelyingParty::new(server, &client);
        bad_requests(&party).await;
        denied_consent(server, &party).await;
        silence(&party).await;
    })
    .await;
}

async fn bad_requests(party: &RelyingParty<'_>) {
    let wrong: [&[(&str, &str)]; 4] = [
        &[("scope", "nothing.known")],
        &[("response_type", "token")],
        &[("request", "e30.e30.")],
        &[("scope", "nothing.known"), ("response_mode", "form_post")],
    ];
    for change in wrong {
        let browser = Browser::new();
        let page = browser.open(&party.authorization_url_with(change)).await;
        assert_asks(&page);
        // staying forgets it, and the page does not come back
        let stayed = press(&browser, &page, "decision", "stay").await;
        assert_eq!(stayed.location().unwrap().path(), "/");
        assert_eq!(browser.get(page.url.as_str()).await.status, StatusCode::NOT_FOUND);

        let page = browser.open(&party.authorization_url_with(change)).await;
        // in another browser it is nothing
        assert_eq!(
            Browser::new().get(page.url.as_str()).await.status,
            StatusCode::NOT_FOUND
        );
        // an old form is shown again and says so; nobody goes anywhere
        let mut stale = page.form_with_button("decision", "go");
        stale = stale.filled(&[("csrf", "b2xk")]);
        let again = browser.submit(&page, stale, &[("decision", "go")]).await;
        assert_eq!((again.status, again.location()), (StatusCode::FORBIDDEN, None));
        assert!(again.body.contains("open for too long"), "{}", again.body);
        let gone = press(&browser, &page, "decision", "go").await;
        let arrived = super::steps::arrival(&gone).unwrap();
        assert!(arrived.url.as_str().starts_with(ELSEWHERE));
        assert!(!arrived.get("error").is_empty());
        assert_eq!((arrived.get("state"), arrived.get("code")), (party.state.as_str(), ""));
        assert_eq!(arrived.get("iss"), page.url.origin().ascii_serialization());
        // a second click gets the same
        let twice = press(&browser, &page, "decision", "go").await;
        assert_eq!(super::steps::arrival(&twice).unwrap().parameters, arrived.parameters);
    }
}

async fn denied_consent(server: &Server, party: &RelyingParty<'_>) {
    let user = server.user(&format!("person-{}", ostiary::random::hex_id())).await;
    let browser = Browser::new();
    let login = browser.open(&party.authorization_url()).await;
    let page = enter(&browser, &login, &user).await;
    let consent = browser.follow(page).await;
    let denied = press(&browser, &consent, "decision", "deny").await;
    let page = browser.follow(denied).await;
    assert_asks(&page);
    // the same button once more leads to the same page
    let again = press(&browser, &consent, "decision", "deny").await;
    assert_eq!(again.location().as_ref(), Some(&page.url));
    let gone = press(&browser, &page, "decision", "go").await;
    assert_eq!(outcome(&gone), "access_denied");
    // who does not sign in at all is asked, too
    let browser = Browser::new();
    let login = browser.open(&party.authorization_url()).await;
    let left = press(&browser, &login, "intent", "cancel").await;
    assert_asks(&browser.follow(left).await);
    // what succeeds is no error, and leads there at once
    let browser = Browser::new();
    assert!(
        !browser
            .sign_in(&party.authorization_url(), &user)
            .await
            .code()
            .is_empty()
    );
}

async fn silence(party: &RelyingParty<'_>) {
    let browser = Browser::new();
    let ask = |change: &'static [(&'static str, &'static str)]| party.authorization_url_with(change);
    let answer = refused(&browser, &ask(&[("prompt", "none")])).await;
    assert_eq!(answer["error"], "login_required");
    let answer = refused(&browser, &ask(&[("prompt", "none"), ("scope", "nothing.known")])).await;
    assert_eq!(answer["error"], "invalid_scope");
    let answer = refused(&browser, &ask(&[("prompt", "none login")])).await;
    assert_eq!(answer["error"], "invalid_request");
}

/// SEC-031: whom an administrator vouches for, and whoever came another way, is answered at once; so is everybody where the
/// setting says so.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_leads_to_a_client_at_once_that_somebody_vouches_for() {
    let server = Server::start().await;
    let own = server.client(|_| ()).await;
    let url = RelyingParty::new(&server, &own).authorization_url_with(&[("scope", "nothing.known")]);
    assert_eq!(refused(&Browser::new(), &url).await["error"], "invalid_scope");

    let client = stranger(&server).await;
    let url = RelyingParty::new(&server, &client).authorization_url_with(&[("scope", "nothing.known")]);
    let leads_to = async || outcome(&Browser::new().get(&url).await);
    assert_eq!(leads_to().await, "/login/leave");
    vouch(&server, &client.client, true).await;
    assert_eq!(leads_to().await, "invalid_scope");
    vouch(&server, &client.client, false).await;
    assert_eq!(leads_to().await, "/login/leave");
    server
        .settings(json!({"client_registration": {"confirm_error_redirects": false}}))
        .await;
    assert_eq!(leads_to().await, "invalid_scope");
    server.stop().await;
}

async fn vouch(server: &Server, client: &Client, trusted: bool) {
    let change = ClientChange {
        metadata: None,
        policy: None,
        trusted: Some(trusted),
        expected_version: None,
        authority: Authority::Operator,
    };
    let changed = clients::change(server.provider(), &server.call(), client.id, change)
        .await
        .unwrap();
    assert_eq!(changed.client.trusted, trusted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_in_between_names_the_trace_of_what_was_refused() {
    each_backend(async |server| {
        let client = stranger(server).await;
        let party = RelyingParty::new(server, &client);
        let url = party.authorization_url_with(&[("scope", "nothing.known")]);
        let page = Browser::new().open(&url).await;
        assert_asks(&page);
        let told = explained(server, &shown_id(&page.body)).await;
        assert_eq!(told["rule"], "authorization.scope", "{told}");
        assert_eq!(told["client"]["id"], client.id.to_string());
        // and of what was refused later, too
        let user = server.user("grace").await;
        let browser = Browser::new();
        let login = browser.open(&party.authorization_url()).await;
        let consent = enter(&browser, &login, &user).await;
        let consent = browser.follow(consent).await;
        let denied = press(&browser, &consent, "decision", "deny").await;
        let page = browser.follow(denied).await;
        assert_asks(&page);
        let told = explained(server, &shown_id(&page.body)).await;
        assert_eq!(told["verdict"], "refused", "{told}");
        assert_eq!(told["rule"], "consent.denied", "{told}");
    })
    .await;
}
