//! Sessions of many people by the API: by person, client, address and group, and everything at once.

use ostiary::flow::session;
use serde_json::Value;

use super::conversation::{Caller, client_token, service, user_token};
use crate::support::backend::{Backend, backends};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

/// Signs somebody in in a new browser, by the page.
async fn enter(server: &Server, user: &TestUser) -> Browser {
    let browser = Browser::new();
    let page = browser.get(&server.url("/login")).await;
    let form = page.form_with("password");
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    assert_eq!(browser.submit(&page, form, &values).await.status, 303);
    browser
}

async fn is_signed_in(server: &Server, browser: &Browser) -> bool {
    browser.get(&server.url("/account")).await.status == 200
}

/// Whether a node knows who is signed in in a browser.
async fn is_known(node: &Server, browser: &Browser) -> bool {
    let tokens = browser.cookie("ostiary_session");
    let known = session::recognize(node.provider(), &node.call(), tokens.as_deref(), None).await;
    !known.unwrap().accounts.is_empty()
}

/// The path of a list with this filter.
fn filtered(member: &str, value: &str) -> String {
    let filter: String = url::form_urlencoded::byte_serialize(format!("{member} eq \"{value}\"").as_bytes()).collect();
    format!("/sessions?filter={filter}")
}

async fn ids(caller: &Caller<'_>, path: &str) -> Vec<String> {
    let page = caller.get(path).await.ok().json();
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// SEC-175, the administrator's part.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_and_ended_by_what_they_belong_to() {
    each_backend(async |server| {
        let (ada, bob, boss) = (
            server.user("ada").await,
            server.user("bob").await,
            server.user("boss").await,
        );
        let staff = server.group("staff", &[], &[&ada, &bob]).await.to_string();
        server.group("bosses", &["admin:users"], &[&boss]).await;
        let client = server.client(|_| ()).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid".to_owned();
        let browsers = [
            enter(server, &ada).await,
            enter(server, &ada).await,
            enter(server, &bob).await,
        ];
        let arrival = party.sign_in(&browsers[1], &ada).await;
        let tokens = party.redeem(arrival.code()).await.ok();
        let chief = enter(server, &boss).await;
        let caller = Caller::client(server, "admin:sessions").await;

        assert_eq!(ids(&caller, "/sessions").await.len(), 4);
        assert_eq!(ids(&caller, &filtered("user", &ada.id.to_string())).await.len(), 2);
        assert_eq!(ids(&caller, &filtered("address", "127.0.0.1")).await.len(), 4);
        assert_eq!(ids(&caller, &filtered("address", "192.0.2.1")).await.len(), 0);
        let of_client = filtered("client", &client.id.to_string());
        assert_eq!(ids(&caller, &of_client).await.len(), 1);
        let of_staff = ids(&caller, &filtered("group", &staff)).await;
        assert_eq!(of_staff.len(), 3);
        // page by page, the same
        for path in [
            "/sessions?".to_owned(),
            format!("{}&", filtered("group", &staff)),
            format!("{}&", filtered("address", "127.0.0.1")),
        ] {
            let whole = ids(&caller, path.trim_end_matches(['?', '&'])).await;
            let mut walked: Vec<String> = Vec::new();
            let mut next: Option<String> = None;
            loop {
                let after = next.map(|cursor| format!("&after={cursor}")).unwrap_or_default();
                let page = caller.get(&format!("{path}limit=1{after}")).await.ok().json();
                walked.extend(
                    page["items"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|item| item["id"].as_str().unwrap().to_owned()),
                );
                match page["next"].as_str() {
                    Some(cursor) => next = Some(cursor.to_owned()),
                    None => break,
                }
            }
            assert_eq!(walked, whole, "{path}");
        }

        assert_eq!(
            caller.delete("/sessions").await.status,
            400,
            "nobody ends everything by leaving something out"
        );
        assert_eq!(caller.delete("/sessions?everything=perhaps").await.status, 400);
        assert_eq!(
            caller.delete("/sessions?everything=true").await.status,
            403,
            "that needs more"
        );
        assert_eq!(caller.delete(&filtered("colour", "red")).await.status, 400);

        let ended = caller.delete(&of_client).await.ok().json();
        assert_eq!((&ended["ended"], &ended["kept"]), (&Value::from(1), &Value::from(0)));
        assert!(!is_signed_in(server, &browsers[1]).await);
        assert_eq!(party.userinfo(&tokens.get("access_token")).await.status, 401);
        let ended = caller.delete(&filtered("address", "127.0.0.1")).await.ok().json();
        assert_eq!((&ended["ended"], &ended["kept"]), (&Value::from(2), &Value::from(1)));
        assert!(
            is_signed_in(server, &chief).await,
            "who holds more than the caller stays"
        );
        for browser in &browsers {
            assert!(!is_signed_in(server, browser).await);
        }
    })
    .await;
}

/// SEC-175: one write ends every session on every node; what outlives its session goes on unless that is meant too.
#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_persons_sessions_end_without_the_connected_applications_unless_asked() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let mut party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    party.scope = "openid".to_owned();
    let plain = party.redeem(party.sign_in(&browser, &ada).await.code()).await.ok();
    party.scope = "openid offline_access".to_owned();
    let offline = party.redeem(party.sign_in(&browser, &ada).await.code()).await.ok();
    let caller = Caller::client(&server, "admin:sessions").await;
    let path = format!("/users/{}/sessions", ada.id);
    caller.delete(&path).await.ok();
    assert!(!is_signed_in(&server, &browser).await);
    let refused = party.refresh(&plain.get("refresh_token")).await;
    assert_eq!(refused.error(), "invalid_grant");
    let offline = party.refresh(&offline.get("refresh_token")).await.ok();
    assert_eq!(caller.delete(&format!("{path}?offline=perhaps")).await.status, 400);
    caller.delete(&format!("{path}?offline=true")).await.ok();
    let refused = party.refresh(&offline.get("refresh_token")).await;
    assert_eq!(refused.error(), "invalid_grant");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_ends_at_once_on_every_node() {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        let other = if backend == Backend::Embedded {
            None
        } else {
            Some(server.node().await)
        };
        let (ada, boss) = (server.user("ada").await, server.user("boss").await);
        server.group("administrators", &["admin"], &[&boss]).await;
        let client = server.client(|_| ()).await;
        let mut party = RelyingParty::new(&server, &client);
        party.scope = "openid".to_owned();
        let (browser, chief) = (Browser::new(), enter(&server, &boss).await);
        let plain = party.sign_in(&browser, &ada).await;
        let plain = party.redeem(plain.code()).await.ok();
        party.scope = "openid offline_access".to_owned();
        let offline = party.sign_in(&browser, &ada).await;
        let offline = party.redeem(offline.code()).await.ok();
        let by_person = user_token(&server, &boss, "openid admin").await;
        let caller = Caller::with_token(&server, &client_token(&server, &service(&server, "admin").await).await).await;
        if let Some(other) = &other {
            // what it remembers is what it has to forget
            assert!(is_known(other, &browser).await);
        }

        let ended = caller.delete("/sessions?everything=true").await.ok().json();
        assert_eq!(ended["ended"], Value::Null);
        for browser in [&browser, &chief] {
            assert!(!is_signed_in(&server, browser).await);
        }
        assert_eq!(party.userinfo(&plain.get("access_token")).await.status, 401);
        assert_eq!(
            Caller::with_token(&server, &by_person)
                .await
                .get("/sessions")
                .await
                .status,
            401
        );
        let offline = party.refresh(&offline.get("refresh_token")).await.ok();
        assert_eq!(ids(&caller, "/sessions").await.len(), 0);
        if let Some(other) = &other {
            let ended = tokio::time::timeout(std::time::Duration::from_secs(3), async {
                while is_known(other, &browser).await {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            });
            ended.await.expect("the other node knows within a second or so");
        }
        // and everybody comes in again, at once and for good
        let again = enter(&server, &ada).await;
        assert!(is_signed_in(&server, &again).await);
        assert_eq!(ids(&caller, "/sessions").await.len(), 1);

        caller.delete("/sessions?everything=true&offline=true").await.ok();
        assert!(!is_signed_in(&server, &again).await);
        assert_eq!(
            party.refresh(&offline.get("refresh_token")).await.error(),
            "invalid_grant"
        );
        server.provider().write_noted_events().await.unwrap();
        let events = caller.get("/events?limit=200").await.ok().json();
        let told = events["items"].as_array().unwrap().iter();
        let told = told.filter(|event| event["kind"] == "sign_out" && event["facts"]["everyone"] == true);
        assert_eq!(told.count(), 2);
        if let Some(other) = other {
            other.stop().await;
        }
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_takes_nobodys_place() {
    each_backend(async |server| {
        let limit = serde_json::json!({"session.max_concurrent": 1, "session.at_limit": "refuse"});
        server.settings(limit).await;
        let ada = server.user("ada").await;
        enter(server, &ada).await;
        let caller = Caller::client(server, "admin").await;
        caller.delete("/sessions?everything=true").await.ok();
        let again = enter(server, &ada).await;
        assert!(is_signed_in(server, &again).await);
    })
    .await;
}
