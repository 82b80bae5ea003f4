//! OpenID Connect Front-Channel Logout 1.0: the browser tells applications that the person signs out, and then goes on.

use std::time::Duration;

use url::Url;

use crate::support::browser::{Browser, Page};
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Server, TestClient, each_backend};

const TARGET: &str = "https://client.example/signed-out";

async fn listening(server: &Server, uri: &str) -> TestClient {
    server
        .client(|client| {
            client.metadata.frontchannel_logout_uri = Some(uri.to_owned());
            client.metadata.post_logout_redirect_uris = vec![TARGET.to_owned()];
        })
        .await
}

fn end_session(server: &Server, query: &[(&str, &str)]) -> String {
    let mut url = Url::parse(&server.url("/oauth2/end_session")).unwrap();
    url.query_pairs_mut().extend_pairs(query);
    url.into()
}

/// The addresses of the page's frames.
fn frames(page: &Page) -> Vec<Url> {
    let body = crate::support::html::unescape(&page.body);
    let after = body.split("<iframe src=\"").skip(1);
    after
        .map(|frame| Url::parse(frame.split('"').next().unwrap()).unwrap())
        .collect()
}

fn directive<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
    let policy = page.header("content-security-policy");
    let mut directives = policy.split(';').map(str::trim);
    directives.find_map(|directive| directive.strip_prefix(name)?.strip_prefix(' '))
}

/// Each application gets issuer and session beside what its address says already; the page frames these and nothing else, and
/// then goes on to whoever asked, with the state as it was.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_frames_what_applications_registered_and_goes_on() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let browser = Browser::new();
        let first = listening(server, "https://client.example/bye?from=id").await;
        let second = listening(server, "http://localhost:7000/bye").await;
        let other = listening(server, "https://other.example/bye").await;
        let silent = server.client(|_| ()).await;
        let mut hint = String::new();
        for client in [&second, &silent, &first] {
            let mut party = RelyingParty::new(server, client);
            party.scope = "openid".to_owned();
            let arrival = party.sign_in(&browser, &user).await;
            hint = party.redeem(arrival.code()).await.ok().get("id_token");
        }
        let session = claims(&hint)["sid"].as_str().unwrap().to_owned();
        let page = browser
            .get(&end_session(
                server,
                &[
                    ("id_token_hint", &hint),
                    ("post_logout_redirect_uri", TARGET),
                    ("state", "a&b<c>"),
                ],
            ))
            .await;
        assert_eq!((page.status.as_u16(), page.header("cache-control")), (200, "no-store"));
        let added = Url::parse_with_params(
            "https://client.example/x",
            [("iss", server.issuer()), ("sid", &session)],
        );
        let added = added.unwrap().query().unwrap().to_owned();
        assert_eq!(
            frames(&page).iter().map(Url::as_str).collect::<Vec<_>>(),
            [
                format!("http://localhost:7000/bye?{added}"),
                format!("https://client.example/bye?from=id&{added}")
            ]
        );
        assert_eq!(
            directive(&page, "frame-src"),
            Some("http://localhost:7000 https://client.example")
        );
        assert_eq!(directive(&page, "frame-ancestors"), Some("'none'"));
        assert!(!page.body.contains(&other.client_id) && !page.body.contains("signed-out"));
        // without scripts the browser goes on by itself after some seconds, and there is a link
        let refresh = page.header("refresh");
        let (seconds, onward) = refresh.split_once("; url=").unwrap();
        assert!((1..=10).contains(&seconds.parse::<u32>().unwrap()), "{refresh}");
        assert!(onward.starts_with("/logout/onward?flow="), "{refresh}");
        assert!(crate::support::html::unescape(&page.body).contains(&format!("href=\"{onward}\"")));
        // in this browser alone
        let stranger = Browser::new().get(&server.url(onward)).await;
        assert_eq!(stranger.location().unwrap().path(), "/logout/done");
        let gone = browser.get(&server.url(onward)).await;
        assert_eq!(gone.header("location"), format!("{TARGET}?state=a%26b%3Cc%3E"));
        assert!(!crate::login::is_signed_in(server, &browser).await);
    })
    .await;
}

/// Signing out on the server's own page tells the applications of everybody in this browser; and where nobody listens there is
/// no such page.
#[tokio::test(flavor = "multi_thread")]
async fn the_own_page_tells_too() {
    let server = Server::start().await;
    let client = listening(&server, "https://client.example/bye").await;
    let browser = Browser::new();
    let (ada, grace) = (server.user("ada").await, server.user("grace").await);
    let mut party = RelyingParty::new(&server, &client);
    party.scope = "openid".to_owned();
    let arrival = party.sign_in(&browser, &ada).await;
    party.redeem(arrival.code()).await.ok();
    crate::login::sign_in(&server, &browser, &grace).await;
    let chosen = browser.open(&party.authorization_url()).await;
    let form = chosen.form_with_button("account", &grace.id.to_string());
    let page = browser
        .submit(&chosen, form, &[("account", &grace.id.to_string())])
        .await;
    let arrival = browser.walk(page, &grace).await;
    party.redeem(arrival.code()).await.ok();
    let page = browser.get(&server.url("/logout")).await;
    let form = page.form_with_button("decision", "sign_out");
    let page = browser.submit(&page, form, &[("decision", "sign_out")]).await;
    assert_eq!(page.status.as_u16(), 200, "{}", page.body);
    let frames = frames(&page);
    assert_eq!(frames.len(), 2);
    let sid = |frame: &Url| {
        frame
            .query_pairs()
            .find(|(name, _)| name == "sid")
            .unwrap()
            .1
            .into_owned()
    };
    assert_ne!(sid(&frames[0]), sid(&frames[1]));
    assert!(page.header("refresh").ends_with("; url=/logout/done"));
    assert!(page.header("clear-site-data").contains("storage"));

    let silent = server.client(|_| ()).await;
    let user = server.user("mary").await;
    RelyingParty::new(&server, &silent).sign_in(&browser, &user).await;
    let page = browser.get(&server.url("/logout")).await;
    let form = page.form_with_button("decision", "sign_out");
    let gone = browser.submit(&page, form, &[("decision", "sign_out")]).await;
    assert_eq!(gone.location().unwrap().path(), "/logout/done");
    server.stop().await;
}

/// The way on waits no longer than the question would have.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_on_is_kept_for_a_while() {
    let server = Server::start().await;
    let client = listening(&server, "https://client.example/bye").await;
    let user = server.user("ada").await;
    let browser = Browser::new();
    let mut party = RelyingParty::new(&server, &client);
    party.scope = "openid".to_owned();
    let arrival = party.sign_in(&browser, &user).await;
    let hint = party.redeem(arrival.code()).await.ok().get("id_token");
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", TARGET)];
    let page = browser.get(&end_session(&server, &query)).await;
    let onward = page.header("refresh").split_once("url=").unwrap().1.to_owned();
    server.advance(Duration::from_secs(3600));
    let gone = browser.get(&server.url(&onward)).await;
    assert_eq!(gone.location().unwrap().path(), "/logout/done");
    server.stop().await;
}
