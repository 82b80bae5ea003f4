//! Limits that are tightened while people are signed in: whatever asks whether a session goes on gets the same answer.

use ostiary::flow::session;
use ostiary::model::LayerOwner;
use ostiary::model::setting::SettingValue;
use serde_json::{Value, json};

use super::{HOUR, MINUTE, is_signed_in, sign_in};
use crate::api::conversation::Caller;
use crate::oauth::steps::skips;
use crate::support::backend::{Backend, quick};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestClient, TestUser, each_backend};

/// Who says that sessions go on for a shorter time.
#[derive(Clone, Copy, Debug)]
enum Said {
    ForEveryone,
    ForTheGroup,
    ForTheUser,
    /// In a group that the person comes to be in.
    ByJoining,
    /// By a right of administration that the person comes to have.
    ByTheRight,
}

const SAID: [Said; 5] = [
    Said::ForEveryone,
    Said::ForTheGroup,
    Said::ForTheUser,
    Said::ByJoining,
    Said::ByTheRight,
];

/// A person with a session and a refresh token that hangs on it.
struct Scene<'a> {
    server: &'a Server,
    client: &'a TestClient,
    ada: TestUser,
    browser: Browser,
    access: String,
    refresh: String,
}

impl<'a> Scene<'a> {
    async fn set(server: &'a Server, client: &'a TestClient, name: &str) -> Self {
        let ada = server.user(name).await;
        let browser = Browser::new();
        let mut party = RelyingParty::new(server, client);
        party.scope = "openid".to_owned();
        let tokens = party.redeem(party.sign_in(&browser, &ada).await.code()).await.ok();
        Self {
            server,
            client,
            ada,
            browser,
            access: tokens.get("access_token"),
            refresh: tokens.get("refresh_token"),
        }
    }

    fn party(&self) -> RelyingParty<'_> {
        let mut party = RelyingParty::new(self.server, self.client);
        party.scope = "openid".to_owned();
        party
    }

    /// Says it: `key` is a setting of everyone's, and `admin` the same for administrators.
    async fn tighten(&self, said: Said, (key, admin): (&str, &str), value: &str) {
        let caller = Caller::client(self.server, "admin").await;
        let layer = json!({"session": {key: value}});
        let group = async |name: &str, members: &[&TestUser]| {
            self.server
                .group(&format!("{name}-{}", self.ada.username), &[], members)
                .await
        };
        match said {
            Said::ForEveryone => self.server.settings(json!({format!("session.{key}"): value})).await,
            Said::ForTheUser => {
                let path = format!("/users/{}/settings", self.ada.id);
                caller.patch(&path, layer).await.ok();
            }
            Said::ForTheGroup => {
                let id = group("staff", &[&self.ada]).await;
                caller.patch(&format!("/groups/{id}/settings"), layer).await.ok();
            }
            Said::ByJoining => {
                let id = group("club", &[]).await;
                caller.patch(&format!("/groups/{id}/settings"), layer).await.ok();
                self.join(&caller, &id.to_string()).await;
            }
            Said::ByTheRight => {
                self.server.settings(json!({format!("session.{admin}"): value})).await;
                let name = format!("admins-{}", self.ada.username);
                let id = self.server.group(&name, &["admin:users"], &[]).await;
                self.join(&caller, &id.to_string()).await;
            }
        }
    }

    async fn join(&self, caller: &Caller<'_>, group: &str) {
        let path = format!("/groups/{group}/members/{}", self.ada.id);
        caller.send("PUT", &path, None, &[]).await.ok();
    }

    async fn listed(&self) -> usize {
        let caller = Caller::client(self.server, "admin:sessions").await;
        let of_person = caller
            .get(&format!("/users/{}/sessions", self.ada.id))
            .await
            .ok()
            .json();
        let filter = format!("/sessions?filter=user%20eq%20%22{}%22", self.ada.id);
        let of_all = caller.get(&filter).await.ok().json();
        let count = |list: &Value| list["items"].as_array().unwrap().len();
        assert_eq!(count(&of_person), count(&of_all));
        count(&of_person)
    }

    async fn look(&self) {
        while session::end_lapsed(self.server.provider(), &self.server.call())
            .await
            .unwrap()
        {}
    }

    /// Everything back as it was, for the next one.
    async fn loosen(&self, (key, admin): (&str, &str)) {
        let settings = json!({format!("session.{key}"): null, format!("session.{admin}"): null, "session.max_concurrent": null, "session.at_limit": null});
        self.server.settings(settings).await;
    }
}

/// SEC-172: a lifetime that is tightened ends at once what hangs on the session, shows it nowhere, and frees its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_tightened_lifetime_is_judged_alike_everywhere() {
    each_backend(async |server| {
        let client = server.client(skips).await;
        let lifetime = ("lifetime", "admin_lifetime");
        for (round, said) in SAID.into_iter().enumerate() {
            let scene = Scene::set(server, &client, &format!("ada-{round}")).await;
            server.advance(3 * MINUTE);
            assert!(is_signed_in(server, &scene.browser).await);
            server.advance(3 * MINUTE);
            let party = scene.party();
            party.userinfo(&scene.access).await.ok();
            assert_eq!(scene.listed().await, 1);
            scene.tighten(said, lifetime, "5m").await;
            assert_eq!(scene.listed().await, 0, "{said:?}");
            assert_eq!(party.userinfo(&scene.access).await.status, 401, "{said:?}");
            for token in [&scene.access, &scene.refresh] {
                assert_eq!(party.introspect(token).await.ok().json()["active"], false, "{said:?}");
            }
            assert_eq!(party.refresh(&scene.refresh).await.error(), "invalid_grant", "{said:?}");
            assert!(!is_signed_in(server, &scene.browser).await, "{said:?}");
            scene.loosen(lifetime).await;
        }
    })
    .await;
}

/// SEC-172: the same for the rest that a session may have; what hangs on it hears of it when the jobs have their next turn, not hours
/// later.
#[tokio::test(flavor = "multi_thread")]
async fn a_tightened_idle_timeout_is_judged_alike_everywhere() {
    each_backend(async |server| {
        let client = server.client(skips).await;
        let idle = ("idle_timeout", "admin_idle_timeout");
        for (round, said) in SAID.into_iter().enumerate() {
            let scene = Scene::set(server, &client, &format!("ada-{round}")).await;
            server.advance(6 * MINUTE);
            // it has been looked at, and would not be again for hours
            scene.look().await;
            assert_eq!(scene.listed().await, 1);
            scene.tighten(said, idle, "5m").await;
            assert_eq!(scene.listed().await, 0, "{said:?}");
            scene.look().await;
            let party = scene.party();
            assert_eq!(party.userinfo(&scene.access).await.status, 401, "{said:?}");
            assert_eq!(party.introspect(&scene.refresh).await.ok().json()["active"], false);
            assert_eq!(party.refresh(&scene.refresh).await.error(), "invalid_grant", "{said:?}");
            assert!(!is_signed_in(server, &scene.browser).await, "{said:?}");
            scene.loosen(idle).await;
        }
    })
    .await;
}

/// A session that is over by now takes nobody's place, and nobody is pushed out for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_a_tightened_limit_has_ended_takes_no_place() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        for (at_limit, key) in [
            ("refuse", "idle_timeout"),
            ("refuse", "lifetime"),
            ("end_least_recent", "lifetime"),
        ] {
            let limits = json!({"session.max_concurrent": 2, "session.at_limit": at_limit});
            server.settings(limits).await;
            let (first, second, third) = (Browser::new(), Browser::new(), Browser::new());
            sign_in(server, &first, &ada).await;
            server.advance(6 * MINUTE);
            sign_in(server, &second, &ada).await;
            server.advance(MINUTE);
            if key == "lifetime" {
                // the one that is over by then is not the one that was not used for the longest time
                assert!(is_signed_in(server, &first).await);
            }
            server.settings(json!({format!("session.{key}"): "5m"})).await;
            assert_eq!(sign_in(server, &third, &ada).await.status, 303, "{at_limit}, {key}");
            for (browser, goes_on) in [(&first, false), (&second, true), (&third, true)] {
                assert_eq!(is_signed_in(server, browser).await, goes_on, "{at_limit}, {key}");
            }
            server.settings(json!({format!("session.{key}"): null})).await;
            let caller = Caller::client(server, "admin:sessions").await;
            caller.delete(&format!("/users/{}/sessions", ada.id)).await.ok();
        }
    })
    .await;
}

/// Said on one node, judged on the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_tightened_limit_is_judged_on_every_node() {
    if quick() {
        return;
    }
    let server = Server::start_with(Backend::PostgresRedis).await;
    let node = server.node().await;
    let client = server.client(skips).await;
    for (key, admin) in [("lifetime", "admin_lifetime"), ("idle_timeout", "admin_idle_timeout")] {
        let scene = Scene::set(&server, &client, &format!("ada-{key}")).await;
        let there = RelyingParty::at(&node.url(""), &server.host(), &client);
        node.provider().refresh_memory().await.unwrap();
        server.advance(6 * MINUTE);
        scene.look().await;
        there.userinfo(&scene.access).await.ok();
        scene.tighten(Said::ForEveryone, (key, admin), "5m").await;
        node.provider().refresh_memory().await.unwrap();
        while session::end_lapsed(node.provider(), &node.call()).await.unwrap() {}
        assert_eq!(there.userinfo(&scene.access).await.status, 401, "{key}");
        assert_eq!(there.refresh(&scene.refresh).await.error(), "invalid_grant", "{key}");
        scene.loosen((key, admin)).await;
    }
    node.stop().await;
    server.stop().await;
}

/// The session goes on for everybody else: a client that wants a fresh proof more often refuses the refresh token that rests on an
/// old one.
#[tokio::test(flavor = "multi_thread")]
async fn a_clients_own_lifetime_is_judged_at_refresh() {
    each_backend(async |server| {
        let [strict, other] = [server.client(skips).await, server.client(skips).await];
        let ada = server.user("ada").await;
        let browser = Browser::new();
        let party = |client| {
            let mut party = RelyingParty::new(server, client);
            party.scope = "openid".to_owned();
            party
        };
        let (at_strict, at_other) = (party(&strict), party(&other));
        let tokens =
            async |party: &RelyingParty<'_>| party.redeem(party.sign_in(&browser, &ada).await.code()).await.ok();
        let (first, second) = (tokens(&at_strict).await, tokens(&at_other).await);
        let mut connected = party(&strict);
        connected.scope = "openid offline_access".to_owned();
        let third = tokens(&connected).await;
        server.advance(6 * MINUTE);
        at_strict.userinfo(&first.get("access_token")).await.ok();
        let caller = Caller::client(server, "admin:clients").await;
        let path = format!("/clients/{}/settings", strict.client.id);
        caller.patch(&path, json!({"session": {"lifetime": "5m"}})).await.ok();
        let refused = at_strict.refresh(&first.get("refresh_token")).await;
        assert_eq!(refused.error(), "invalid_grant");
        for token in ["access_token", "refresh_token"] {
            let told = at_strict.introspect(&first.get(token)).await.ok().json();
            assert_eq!(told["active"], false, "{token}");
        }
        assert_eq!(at_strict.userinfo(&first.get("access_token")).await.status, 401);
        at_other.refresh(&second.get("refresh_token")).await.ok();
        // what stays connected outlives the session, and this end of it as well
        connected.refresh(&third.get("refresh_token")).await.ok();
        assert!(is_signed_in(server, &browser).await);
        // the person proves it once more, and the application has tokens that count again
        let login = browser.open(&at_strict.authorization_url()).await;
        let again = at_strict.redeem(browser.walk(login, &ada).await.code()).await.ok();
        at_strict.refresh(&again.get("refresh_token")).await.ok();
    })
    .await;
}

/// What is said about one person is looked at by the next turn of the jobs, and a limit that was loosened again ends nobody.
#[tokio::test]
async fn a_limit_that_is_loosened_in_time_ends_nobody() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let browser = Browser::new();
    sign_in(&server, &browser, &ada).await;
    server.advance(HOUR);
    let provider = server.provider();
    for key in ["session.idle_timeout", "session.lifetime"] {
        for minutes in [30, 180] {
            let layer = [(key, SettingValue::Duration(minutes * MINUTE))].into_iter().collect();
            let mut tx = provider.store.write().await.unwrap();
            tx.replace_layer(LayerOwner::User(ada.id), &layer).await.unwrap();
            tx.commit().await.unwrap();
        }
        while session::end_lapsed(provider, &server.call()).await.unwrap() {}
        assert!(is_signed_in(&server, &browser).await, "{key}");
    }
    server.stop().await;
}
