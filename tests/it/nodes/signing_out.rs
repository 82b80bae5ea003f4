//! Signing out at one node holds at all of them.

use ostiary::clock;
use ostiary::model::AccessTokenFormat;

use super::HOLDS_WITHIN;
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::html::unescape;
use crate::support::logout_receiver::LogoutReceiver;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Backend, Server};

/// Whether the holder of this session cookie is signed in at a node.
async fn knows(node: &Server, host: &str, cookie: &str) -> bool {
    let browser = Browser::new();
    let url = node.url("/");
    let at = url::Url::parse(&url).unwrap();
    browser.set_cookie(at.host_str().unwrap(), "ostiary_session", cookie);
    let page = browser.get_with(&url, &[("host", host)]).await;
    assert!(page.status.is_success(), "{} {}", page.status, page.body);
    unescape(&page.body).contains("href=\"/logout\"")
}

/// SEC-173: the cookie, and the access and refresh tokens that hang on the session, although every node had just found them good;
/// and the application is told, once.
#[tokio::test(flavor = "multi_thread")]
async fn logout_effective_all_nodes() {
    if quick() {
        return;
    }
    let first = Server::start_with(Backend::PostgresRedis).await;
    let others = [first.node().await, first.node().await];
    let nodes: Vec<&Server> = [&first].into_iter().chain(&others).collect();
    let host = first.host();
    let receiver = LogoutReceiver::start().await;
    for (round, format) in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque]
        .into_iter()
        .enumerate()
    {
        let client = first
            .client(|client| {
                client.policy.access_token_format = format;
                client.metadata.backchannel_logout_uri = Some(receiver.uri.clone());
            })
            .await;
        let user = first.user(&format!("person-{round}")).await;
        let browser = Browser::new();
        let mut party = RelyingParty::new(&first, &client);
        party.scope = "openid profile".to_owned();
        let arrival = party.sign_in(&browser, &user).await;
        let answer = party.redeem(arrival.code()).await.ok();
        let (access, refresh) = (answer.get("access_token"), answer.get("refresh_token"));
        let cookie = browser.cookie("ostiary_session").unwrap();
        let parties: Vec<RelyingParty<'_>> = nodes.iter().map(|node| RelyingParty::new(node, &client)).collect();
        for _ in 0..3 {
            for (node, party) in nodes.iter().zip(&parties) {
                party.userinfo(&access).await.ok();
                assert_eq!(party.introspect(&access).await.json()["active"], true);
                assert!(knows(node, &host, &cookie).await);
            }
        }
        let page = browser.get(&first.url("/logout")).await;
        let form = page.form_with_button("decision", "sign_out");
        let done = browser.submit(&page, form, &[("decision", "sign_out")]).await;
        assert_eq!(done.location().unwrap().path(), "/logout/done");
        let signed_out = clock::monotonic();
        for (node, party) in nodes.iter().zip(&parties) {
            while party.userinfo(&access).await.status.as_u16() != 401
                || party.introspect(&access).await.json()["active"] != false
                || knows(node, &host, &cookie).await
            {
                assert!(signed_out.elapsed() < HOLDS_WITHIN, "it still counts somewhere");
            }
        }
        println!("everywhere after {:?}", signed_out.elapsed());
        for (node, party) in nodes.iter().zip(&parties) {
            assert_eq!(party.refresh(&refresh).await.error(), "invalid_grant");
            // and nobody falls back
            assert_eq!(party.userinfo(&access).await.status.as_u16(), 401);
            assert!(!knows(node, &host, &cookie).await);
        }
        // whichever node told it
        receiver.told(round + 1).await;
    }
    for node in others {
        node.stop().await;
    }
    first.stop().await;
}
