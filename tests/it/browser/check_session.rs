//! Signing out as applications' own pages meet it in a browser: the frame of Session Management 1.0 and the frames of Front-Channel
//! Logout 1.0.

use serde_json::Value;

use super::client_site::ClientSite;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestClient, TestUser};
use crate::support::webdriver::{Chromium, wanted};

/// The site by the server's own host name: for a browser the same site at another origin, which is what a loopback server that
/// can't have `SameSite=None` cookies needs.
fn beside(site: &ClientSite) -> String {
    site.origin.replace("127.0.0.1", "localhost")
}

async fn client_of(server: &Server, origin: &str) -> TestClient {
    let callback = format!("{origin}/callback");
    let (front, bye) = (format!("{origin}/front-channel"), format!("{origin}/bye"));
    server
        .client(|client| {
            client.metadata.redirect_uris = vec![callback];
            client.metadata.frontchannel_logout_uri = Some(front);
            client.metadata.post_logout_redirect_uris = vec![bye];
        })
        .await
}

async fn sign_in(browser: &Chromium, server: &Server, user: &TestUser) {
    browser.arrives_at(&server.url("/login")).await;
    browser.type_into("#username", &user.username).await;
    browser.type_into("#password", &user.password).await;
    browser.click("button.primary").await;
    browser.arrives_at(&server.url("/login/consent")).await;
    browser.click("button[value=allow]").await;
}

/// A page that frames ours, and keeps what it says in its title.
fn asking_page(server: &Server) -> String {
    format!(
        "<iframe id=op src='{}'></iframe><script>\
         addEventListener('message', (event) => {{ if (event.origin === '{}') document.title = event.data; }});\
         function ask(text) {{ document.title = 'asked'; \
           document.getElementById('op').contentWindow.postMessage(text, '{}'); }}\
         </script>",
        server.url("/oauth2/check_session"),
        server.issuer(),
        server.issuer()
    )
}

/// What the frame answers.
async fn answer(browser: &Chromium, text: &str) -> String {
    let text = Value::from(text);
    for _ in 0..200 {
        // the frame may not have loaded when it is asked for the first time
        browser.execute(&format!("ask({text})")).await;
        for _ in 0..5 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            let title = browser.title().await;
            if title != "asked" {
                return title;
            }
        }
    }
    panic!("the frame does not answer");
}

/// SEC-033.
#[tokio::test(flavor = "multi_thread")]
async fn the_frame_tells_that_somebody_signed_out() {
    if !wanted() {
        return;
    }
    let server = Server::start().await;
    let site = ClientSite::start().await;
    let origin = beside(&site);
    let user = server.user("ada").await;
    let client = client_of(&server, &origin).await;
    let mut party = RelyingParty::new(&server, &client);
    party.scope = "openid".to_owned();
    let browser = Chromium::start().await;
    browser.open(&party.authorization_url()).await;
    sign_in(&browser, &server, &user).await;
    browser.arrives_at(&format!("{origin}/callback?")).await;
    let told = site.callbacks()[0].parameter("session_state").unwrap();
    let asked = format!("{} {told}", client.client_id);

    site.show(&asking_page(&server));
    browser.open(&format!("{origin}/page")).await;
    assert_eq!(answer(&browser, &asked).await, "unchanged");
    // somebody else's name, another origin's word, nonsense
    assert_eq!(answer(&browser, &format!("other {told}")).await, "changed");
    for nonsense in ["", "one", &client.client_id, &format!("{} nosalt", client.client_id)] {
        assert_eq!(answer(&browser, nonsense).await, "error", "{nonsense}");
    }
    // another origin asks with what this one was told
    let other = ClientSite::start().await;
    other.show(&asking_page(&server));
    browser.open(&format!("{}/page", beside(&other))).await;
    assert_eq!(answer(&browser, &asked).await, "changed");

    browser.open(&server.url("/logout")).await;
    browser.click("button[value=sign_out]").await;
    browser.arrives_at(&server.url("/logout")).await;
    browser.open(&format!("{origin}/page")).await;
    assert_eq!(answer(&browser, &asked).await, "changed");
    server.stop().await;
}

/// The page of the good-bye has the browser load the applications' addresses, and goes on by itself, with scripts and without.
#[tokio::test(flavor = "multi_thread")]
async fn the_browser_tells_applications_and_goes_on() {
    if !wanted() {
        return;
    }
    let server = Server::start().await;
    let site = ClientSite::start().await;
    let user = server.user("ada").await;
    let client = client_of(&server, &site.origin).await;
    let mut party = RelyingParty::new(&server, &client);
    party.scope = "openid".to_owned();
    let browser = Chromium::start().await;
    let told = |site: &ClientSite| -> Vec<_> {
        let all = site.received().into_iter();
        all.filter(|one| one.path == "/front-channel").collect()
    };
    browser.open(&party.authorization_url()).await;
    sign_in(&browser, &server, &user).await;
    for round in 1..=2 {
        browser.arrives_at(&format!("{}/callback?", site.origin)).await;
        let callbacks = site.callbacks();
        let answer = party
            .redeem(&callbacks[round - 1].parameter("code").unwrap())
            .await
            .ok();
        let id_token = answer.get("id_token");
        if round == 2 {
            browser.without_scripts().await;
        }
        let bye = format!("{}/bye", site.origin);
        let query = [
            ("id_token_hint", id_token.as_str()),
            ("post_logout_redirect_uri", &bye),
            ("state", "s"),
        ];
        let url = url::Url::parse_with_params(&server.url("/oauth2/end_session"), query).unwrap();
        browser.open(url.as_str()).await;
        browser.arrives_at(&format!("{bye}?state=s")).await;
        let told = told(&site);
        assert_eq!(told.len(), round);
        assert_eq!(told[round - 1].parameter("iss").unwrap(), server.issuer());
        let sid = crate::support::relying_party::claims(&id_token)["sid"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(told[round - 1].parameter("sid").unwrap(), sid);
        let violations = browser.console().await.into_iter();
        let violations: Vec<_> = violations
            .filter(|line| line.text.contains("Content Security Policy"))
            .collect();
        assert!(violations.is_empty(), "{violations:?}");
        if round == 1 {
            browser.open(&party.authorization_url()).await;
            browser.arrives_at(&server.url("/login")).await;
            browser.type_into("#username", &user.username).await;
            browser.type_into("#password", &user.password).await;
            browser.click("button.primary").await;
        }
    }
    server.stop().await;
}
