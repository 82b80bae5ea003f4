//! `/account`: where a person is signed in, and what they have allowed; seen and ended by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use ostiary::flow::people::{self, ChangeSource, DeviceAct, OfflineGrants};
use ostiary::model::Id;
use ostiary::store::SessionRow;
use reqwest::Method;
use serde_json::json;

use super::{is_signed_in, offers, sign_in};
use crate::support::browser::{Browser, Page};
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn account(server: &Server, browser: &Browser) -> Page {
    browser.get(&server.url("/account")).await
}

/// The sessions that a page offers to end.
fn others(page: &Page) -> Vec<String> {
    let buttons = page.forms().into_iter().flat_map(|form| form.buttons);
    buttons
        .filter(|(name, value)| name == "end" && value != "others")
        .map(|(_, value)| value)
        .collect()
}

async fn press(browser: &Browser, page: &Page, name: &str, value: &str) -> Page {
    let form = page.form_with_button(name, value);
    browser.submit(page, form, &[(name, value)]).await
}

/// Proves once more who somebody is, where the page before asked for it.
pub async fn prove(browser: &Browser, asked: &Page, user: &TestUser) -> Page {
    let login = browser.get(asked.location().unwrap().as_str()).await;
    let form = login.form_with("password");
    browser.submit(&login, form, &[("password", &user.password)]).await
}

#[tokio::test]
async fn a_person_sees_where_they_are_signed_in_and_ends_it() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let (here, there, elsewhere) = (Browser::new(), Browser::new(), Browser::new());
        let asked = account(server, &here).await;
        assert_eq!(asked.location().unwrap().query(), Some("return_to=%2Faccount"));
        sign_in(server, &here, &user).await;
        assert!(others(&account(server, &here).await).is_empty());
        let login = there.get(&server.url("/login")).await;
        let form = login
            .form_with("password")
            .filled(&[("username", &user.username), ("password", &user.password)]);
        let fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let entered = there
            .post_with(&server.url("/login"), &fields, &[("user-agent", FIREFOX)])
            .await;
        assert_eq!(entered.status, 303);
        sign_in(server, &elsewhere, &user).await;

        let page = account(server, &here).await;
        assert_eq!(others(&page).len(), 2);
        for told in ["Firefox on Linux", "This browser", "127.0.0.1", "8 hours", "1 day"] {
            assert!(page.body.contains(told), "{told}: {}", page.body);
        }
        let firefox = {
            let (_, after) = page.body.split_once("Firefox on Linux").unwrap();
            let (_, after) = after.split_once("name=\"end\" value=\"").unwrap();
            after.split_once('"').unwrap().0.to_owned()
        };
        let done = press(&here, &page, "end", &firefox).await;
        assert_eq!(done.location().unwrap().path(), "/account");
        assert!(!is_signed_in(server, &there).await, "ended");
        assert!(is_signed_in(server, &elsewhere).await, "not meant");
        // once more is as good as once
        assert_eq!(press(&here, &page, "end", &firefox).await.status, 303);
        sign_in(server, &there, &user).await;
        let page = account(server, &here).await;
        assert_eq!(press(&here, &page, "end", "others").await.status, 303);
        assert!(!is_signed_in(server, &there).await);
        assert!(!is_signed_in(server, &elsewhere).await);
        assert!(is_signed_in(server, &here).await, "whoever asks stays");
    })
    .await;
}

/// SEC-175: other sessions are ended by somebody who has proved within five minutes who they are, and by nobody else.
#[tokio::test]
async fn ending_other_sessions_needs_a_fresh_proof() {
    each_backend(async |server| {
        let (user, mallory) = (server.user("ada").await, server.user("mallory").await);
        let (here, there, foreign) = (Browser::new(), Browser::new(), Browser::new());
        sign_in(server, &here, &user).await;
        sign_in(server, &there, &user).await;
        sign_in(server, &foreign, &mallory).await;
        server.advance(Duration::from_secs(5 * 60));
        let page = account(server, &here).await;
        let session = others(&page).remove(0);
        for end in [session.as_str(), "others"] {
            let asked = press(&here, &page, "end", end).await;
            assert_eq!(asked.location().unwrap().path(), "/login", "{end}");
            assert!(is_signed_in(server, &there).await, "{end}: nothing is done yet");
        }
        let asked = press(&here, &page, "end", &session).await;
        let login = here.get(asked.location().unwrap().as_str()).await;
        let wrong = here
            .submit(&login, login.form_with("password"), &[("password", "wrong")])
            .await;
        assert_eq!(wrong.status, 422);
        let proved = prove(&here, &asked, &user).await;
        assert_eq!(proved.location().unwrap().path(), "/account");
        let page = here.follow(proved).await;
        assert!(page.body.contains("It is you."), "{}", page.body);
        assert_eq!(press(&here, &page, "end", &session).await.status, 303);
        assert!(!is_signed_in(server, &there).await);

        // somebody else's session, a form of somebody else's, none, and an old one
        let own = account(server, &here).await;
        let theirs = {
            let sessions = server
                .provider()
                .sessions
                .list(mallory.id, server.call().now)
                .await
                .unwrap();
            sessions[0].id.to_string()
        };
        sign_in(server, &there, &user).await;
        let form = account(server, &here).await.form_with_button("end", "others");
        assert_eq!(here.submit(&own, form.clone(), &[("end", &theirs)]).await.status, 303);
        assert!(is_signed_in(server, &foreign).await);
        let stolen = foreign.submit(&own, form.clone(), &[("end", "others")]).await;
        assert_eq!(stolen.status, 403);
        let cross = here
            .post_with(
                &server.url("/account"),
                &[("csrf", form.inputs[0].1.as_str()), ("end", "others")],
                &[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
            )
            .await;
        assert_eq!(cross.status, 403);
        assert!(is_signed_in(server, &there).await);
    })
    .await;
}

/// Rows of sessions that lapsed stay for a while: more of them than a list holds hide none that goes on.
#[tokio::test]
async fn a_session_is_ended_by_its_id_however_many_came_after_it() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let old = Browser::new();
        sign_in(server, &old, &user).await;
        let provider = server.provider();
        let first = provider.sessions.list(user.id, server.call().now).await.unwrap()[0].id;
        server.advance(Duration::from_secs(1));
        let here = Browser::new();
        sign_in(server, &here, &user).await;
        server.advance(Duration::from_secs(1));
        let now = server.call().now;
        let mut store = provider.store.write().await.unwrap();
        let row = store.find_session(first).await.unwrap().unwrap();
        for number in 0..201 {
            let later = SessionRow {
                id: Id::new(now),
                started_at: now.after(Duration::from_micros(number)),
                ..row.clone()
            };
            store.add_session(&later).await.unwrap();
        }
        store.commit().await.unwrap();
        server.advance(Duration::from_secs(1));
        let page = account(server, &here).await;
        assert_eq!(others(&page), [first.to_string()]);
        assert_eq!(press(&here, &page, "end", &first.to_string()).await.status, 303);
        assert!(!is_signed_in(server, &old).await, "ended");
        assert!(is_signed_in(server, &here).await);
        let left = provider.sessions.list(user.id, server.call().now).await.unwrap();
        assert_eq!(left.len(), 1, "and no other");
    })
    .await;
}

/// What a page offers to change, and each thing once.
fn changes(page: &Page) -> BTreeMap<String, String> {
    let buttons = page.forms().into_iter().flat_map(|form| form.buttons);
    buttons.filter(|(_, value)| value != "others").collect()
}

/// The answer to a change by script, with the session cookie.
async fn by_script(server: &Server, browser: &Browser, method: Method, path: &str) -> reqwest::Response {
    let cookies: Vec<String> = ["ostiary_session", "ostiary_browser"]
        .into_iter()
        .map(|name| format!("{name}={}", browser.cookie(name).unwrap()))
        .collect();
    let request = plain_http()
        .build()
        .unwrap()
        .request(method, server.url(&format!("/api/v1/me{path}")))
        .header("cookie", cookies.join("; "))
        .header("origin", server.issuer())
        .header("x-requested-with", "fetch");
    request.send().await.unwrap()
}

/// SEC-176: whatever the page and the API of one's own account can change takes a proof of the last five minutes; who has an older one is
/// asked for it, and nothing is changed. Devices stand for factors here: with known devices only, whoever lets one in lets somebody in.
#[tokio::test]
async fn sensitive_change_needs_recent_auth() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let (here, there, lost, new) = (Browser::new(), Browser::new(), Browser::new(), Browser::new());
        for browser in [&lost, &there, &here] {
            server.advance(Duration::from_secs(1));
            sign_in(server, browser, &user).await;
        }
        let devices = async || people::list_devices(server.provider(), user.id).await.unwrap();
        let known = devices().await;
        let first = known.iter().min_by_key(|device| device.first_at).unwrap().id;
        let act = DeviceAct::Block(OfflineGrants::End);
        people::change_device(
            server.provider(),
            &server.call(),
            &ChangeSource::Command,
            (user.id, first),
            act,
        )
        .await
        .unwrap();
        server.settings(json!({"session.known_devices_only": true})).await;
        assert_eq!(sign_in(server, &new, &user).await.status, 403, "it waits");
        let client = server.client(|_| ()).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid offline_access".to_owned();
        let arrival = party.sign_in(&here, &user).await;
        let refresh = party.redeem(arrival.code()).await.ok().get("refresh_token");

        server.advance(Duration::from_secs(5 * 60));
        let page = account(server, &here).await;
        let offered = changes(&page);
        let names: Vec<&str> = offered.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["admit", "block", "end", "narrow", "take_back", "unblock"],
            "every change there is"
        );
        let before = devices().await;
        let mut asked = None;
        for (name, value) in &offered {
            let answer = press(&here, &page, name, value).await;
            assert_eq!(answer.location().unwrap().path(), "/login", "{name}");
            asked = Some(answer);
        }
        let scripts = [
            (Method::DELETE, format!("/sessions/{}", offered["end"])),
            (Method::POST, format!("/devices/{}/block", offered["block"])),
            (Method::POST, format!("/devices/{}/unblock", offered["unblock"])),
            (Method::POST, format!("/devices/{}/admit", offered["admit"])),
        ];
        for (method, path) in &scripts {
            let answer = by_script(server, &here, method.clone(), path).await;
            assert_eq!(answer.status(), 401, "{path}");
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
            assert!(
                challenge.contains("insufficient_user_authentication"),
                "{path}: {challenge}"
            );
            assert!(challenge.contains("max_age=\"300\""), "{path}: {challenge}");
        }
        assert_eq!(devices().await, before, "nothing is changed yet");
        assert!(is_signed_in(server, &there).await);
        let refresh = party.refresh(&refresh).await.ok().get("refresh_token");

        // the proof is for this account alone, and then everything goes
        let proved = prove(&here, &asked.unwrap(), &user).await;
        let page = here.follow(proved).await;
        assert_eq!(changes(&page), offered);
        for (name, notice) in [
            ("admit", "admitted"),
            ("unblock", "unblocked"),
            ("take_back", "taken_back"),
            ("end", "ended"),
        ] {
            let done = press(&here, &page, name, &offered[name]).await;
            let to = done.location().unwrap();
            assert_eq!(
                (to.path(), to.query()),
                ("/account", Some(format!("notice={notice}").as_str()))
            );
        }
        assert_eq!(party.refresh(&refresh).await.error(), "invalid_grant");
        assert!(!is_signed_in(server, &there).await);
        assert_eq!(sign_in(server, &new, &user).await.status, 303, "it was let in");
        // five minutes to the second
        server.advance(Duration::from_secs(4 * 60 + 50));
        let (method, path) = &scripts[1];
        assert_eq!(by_script(server, &here, method.clone(), path).await.status(), 204);
        server.advance(Duration::from_secs(10));
        assert_eq!(by_script(server, &here, method.clone(), path).await.status(), 401);
    })
    .await;
}

#[tokio::test]
async fn what_was_allowed_is_taken_back() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let client = server
            .client(|client| client.metadata.client_name = Some("Shop".to_owned()))
            .await;
        let browser = Browser::new();
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid profile offline_access".to_owned();
        let arrival = party.sign_in(&browser, &user).await;
        let tokens = party.redeem(arrival.code()).await.ok();
        let page = account(server, &browser).await;
        for told in ["Shop", "Your profile", "Access also when you are not there"] {
            assert!(page.body.contains(told), "{told}: {}", page.body);
        }
        let done = press(&browser, &page, "take_back", &client.id.to_string()).await;
        assert_eq!(done.location().unwrap().path(), "/account");
        let page = browser.follow(done).await;
        assert!(page.body.contains("No application was allowed"), "{}", page.body);
        let refused = party.refresh(&tokens.get("refresh_token")).await;
        assert_eq!(refused.error(), "invalid_grant");
        let asked = browser.open(&party.authorization_url()).await;
        assert!(
            asked.url.path().ends_with("/consent"),
            "it is asked again: {}",
            asked.url
        );
    })
    .await;
}

/// SEC-182: whoever is signed in finds the way out on every page.
#[tokio::test]
async fn logout_link_present() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    server.group("administrators", &["admin"], &[&user]).await;
    let client = server.client(|_| ()).await;
    let browser = Browser::new();
    sign_in(&server, &browser, &user).await;
    let party = RelyingParty::new(&server, &client);
    let mut waiting: Vec<String> = ["/", "/account", "/login", "/console/doctor"]
        .into_iter()
        .map(|path| server.url(path))
        .collect();
    waiting.push(party.authorization_url());
    waiting.push(party.authorization_url_with(&[("prompt", "select_account")]));
    waiting.push(party.authorization_url_with(&[("prompt", "login")]));
    for address in waiting {
        let page = browser.open(&address).await;
        assert_eq!(page.status, 200, "{address}");
        assert!(offers(&page, "/logout"), "{address}: {}", page.body);
        assert!(offers(&page, "/account"), "{address}");
    }
    let nobody = Browser::new().get(&server.url("/login")).await;
    assert!(!offers(&nobody, "/logout"));
    server.stop().await;
}

/// How many statements are read for an answer: the fewest of several times, since timers read as well.
async fn statements(server: &Server, browser: &Browser, path: &str) -> u64 {
    let reads = || server.provider().store.database().measures().reads.count();
    let mut fewest = u64::MAX;
    for _ in 0..8 {
        let before = reads();
        assert_eq!(browser.get(&server.url(path)).await.status, 200);
        fewest = fewest.min(reads() - before);
    }
    fewest
}

/// However many applications a session serves: their names are read at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_reads_does_not_grow_with_the_applications() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let browser = Browser::new();
    let paths = ["/account", "/api/v1/me/sessions"];
    let serve = async |times: u32| {
        for _ in 0..times {
            let client = server.client(|_| ()).await;
            let party = RelyingParty::new(&server, &client);
            party.redeem(party.sign_in(&browser, &ada).await.code()).await.ok();
        }
    };
    serve(1).await;
    let mut few = Vec::new();
    for path in paths {
        few.push(statements(&server, &browser, path).await);
    }
    serve(6).await;
    for (path, few) in paths.into_iter().zip(few) {
        let many = statements(&server, &browser, path).await;
        assert!(many <= few, "{path}: {many} for seven applications, {few} for one");
    }
    let page = account(&server, &browser).await;
    assert!(others(&page).is_empty());
    server.stop().await;
}
