//! What fails opens nothing: whatever part of the store is away, whoever was not let in before is not let in.

use std::time::Duration;

use ostiary::flow::people::{ChangeSource, deactivate_user};
use ostiary::model::EventKind;
use serde_json::json;

use crate::api::conversation::{Caller, client_token, service};
use crate::bounds::census::tables;
use crate::login::remembered::sign_out;
use crate::login::{sign_in, sign_in_with};
use crate::oauth::scene::{Scene, active, service as machine};
use crate::support::browser::{Browser, Page};
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

/// What the server remembers is asked anew.
async fn forget(server: &Server) {
    server.advance(Duration::from_secs(2));
    drop(server.provider().refresh_memory().await);
}

/// Who has typed the right name and password, or not.
async fn try_password(server: &Server, name: &str, password: &str) -> (Browser, Option<Page>) {
    let browser = Browser::new();
    let page = browser.get(&server.url("/login")).await;
    let form = page.forms().into_iter().find(|form| form.has("password"));
    let Some(form) = form else { return (browser, None) };
    let answer = browser
        .submit(&page, form, &[("username", name), ("password", password)])
        .await;
    (browser, Some(answer))
}

/// Whether somebody sees an account in this browser.
async fn sees_an_account(server: &Server, browser: &Browser, person: &TestUser) -> bool {
    let page = browser.get(&server.url("/account")).await;
    page.status == 200 && page.body.contains(&person.email)
}

/// SEC-618: with any one table of the store away, a wrong password, a deactivated account, an ended session, a used code, revoked and used
/// tokens, a wrong client secret and a permission that is lacking open as little as before; and what was right is refused or works.
#[tokio::test(flavor = "multi_thread")]
async fn fail_closed_matrix() {
    each_backend(async |server| {
        let patient = json!({"guess.account_budget": 1000, "guess.source_budget": 1000});
        server.settings(patient).await;
        let scene = Scene::on(server).await;
        let party = scene.party();
        let used = scene.code(&party).await;
        party.redeem(&used).await.ok();
        let (revoked, spent) = (scene.tokens().await, scene.tokens().await);
        party.revoke(&revoked.refresh).await;
        party.refresh(&spent.refresh).await.ok();
        // past the time in which a lost answer is given again
        server.advance(Duration::from_secs(120));
        let gone = server.user("gone").await;
        let call = server.call();
        deactivate_user(server.provider(), &call, &ChangeSource::Command, gone.id, None)
            .await
            .unwrap();
        let ended = Browser::new();
        let ada = server.user("ada").await;
        sign_in(server, &ended, &ada).await;
        assert!(sees_an_account(server, &ended, &ada).await);
        let cookie = ended.cookie("ostiary_session").unwrap();
        sign_out(server, &ended).await;
        let url: url::Url = server.issuer().parse().unwrap();
        ended.set_cookie(url.host_str().unwrap(), "ostiary_session", &cookie);
        let reader = service(server, "admin:users.read").await;
        let reading = client_token(server, &reader).await;
        let mut wrong = server.client(machine("orders.read")).await;
        wrong.secret = "wrong".to_owned();
        let http = plain_http().build().unwrap();

        for table in tables() {
            server
                .behind(&format!("alter table {table} rename to {table}_that_is_away"))
                .await;
            forget(server).await;

            for (name, password) in [("ada", "wrong"), ("nobody", "wrong"), ("gone", gone.password.as_str())] {
                let (browser, answer) = try_password(server, name, password).await;
                if let Some(answer) = answer {
                    assert_ne!(answer.status, 303, "{table}: {name}");
                }
                assert!(!sees_an_account(server, &browser, &ada).await, "{table}: {name}");
                assert!(!sees_an_account(server, &browser, &gone).await, "{table}: {name}");
            }
            assert!(
                !sees_an_account(server, &ended, &ada).await,
                "{table}: a session that ended"
            );
            assert!(!party.redeem(&used).await.status.is_success(), "{table}: a used code");
            for token in [&revoked.refresh, &spent.refresh] {
                assert!(
                    !party.refresh(token).await.status.is_success(),
                    "{table}: a used refresh token"
                );
            }
            let told = party.introspect(&revoked.access).await;
            assert!(
                !told.status.is_success() || !active(&told),
                "{table}: a revoked token is active"
            );
            let userinfo = party.userinfo(&revoked.access).await;
            assert!(
                !userinfo.status.is_success(),
                "{table}: a revoked token tells of its person"
            );
            let client = RelyingParty::new(server, &wrong);
            let answer = client.token(&[("grant_type", "client_credentials")]).await;
            assert!(!answer.status.is_success(), "{table}: a wrong secret");
            let url = server.url(&format!("/api/v1/users/{}/deactivate", ada.id));
            let refused = http.post(url).bearer_auth(&reading).send().await.unwrap();
            assert!(!refused.status().is_success(), "{table}: a permission that is lacking");

            server
                .behind(&format!("alter table {table}_that_is_away rename to {table}"))
                .await;
            forget(server).await;
        }
        // everything is as it was, and nothing of it was let in
        assert!(server.account(&ada).await.is_active(server.call().now));
        let right = sign_in_with(server, &Browser::new(), "ada", &ada.password).await;
        assert_eq!(right.status, 303);
        scene.tokens().await;
    })
    .await;
}

/// SEC-623, REL-63: where no event can be written there is no change either, and nobody is signed in; what has only an answer to be told
/// of waits, and is written when it can be.
#[tokio::test(flavor = "multi_thread")]
async fn audit_write_failure() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let admin = Caller::client(server, "admin:users").await;
        let asks = service(server, "admin:users.read").await;
        let http = plain_http().build().unwrap();
        let kinds = async || {
            server.provider().write_noted_events().await.unwrap();
            let mut store = server.provider().store.read().await.unwrap();
            let events = store.list_events(None, 500).await.unwrap();
            events.into_iter().map(|event| event.kind).collect::<Vec<_>>()
        };
        let count = |kinds: &[String], kind: EventKind| kinds.iter().filter(|known| *known == kind.as_str()).count();
        let before = kinds().await;

        server.behind("alter table events rename to events_that_are_away").await;
        let url = server.url(&format!("/api/v1/users/{}", ada.id));
        let body = json!({"nickname": "changed"}).to_string();
        let changed = http
            .patch(url)
            .bearer_auth(&admin.token)
            .header("content-type", "application/merge-patch+json")
            .body(body)
            .send()
            .await
            .unwrap();
        assert!(changed.status().is_server_error(), "{}", changed.status());
        let (browser, answer) = try_password(server, "ada", &ada.password).await;
        let answer = answer.unwrap();
        assert!(answer.status.is_server_error(), "{}", answer.status);
        assert!(!sees_an_account(server, &browser, &ada).await);
        // a token of a client's own changes nothing here: its event waits
        client_token(server, &asks).await;
        assert!(server.provider().write_noted_events().await.is_err());
        assert!(server.provider().events.waiting().0 > 0);
        server.behind("alter table events_that_are_away rename to events").await;

        assert_eq!(server.account(&ada).await.profile.nickname, None);
        let after = kinds().await;
        assert_eq!(
            count(&after, EventKind::UserChanged),
            count(&before, EventKind::UserChanged)
        );
        assert_eq!(
            count(&after, EventKind::TokenIssued),
            count(&before, EventKind::TokenIssued) + 1
        );
        assert_eq!(
            sign_in_with(server, &Browser::new(), "ada", &ada.password).await.status,
            303
        );
    })
    .await;
}
