//! Looking after second factors: by the person at `/account/factors` and `/api/v1/me/factors`, and by an administrator where a device
//! is lost.

use std::time::Duration;

use ostiary::flow::factor::Typed;
use ostiary::flow::operations::outbox;
use ostiary::flow::session::OnDevice;
use ostiary::flow::sign_in::factor::{self, NotProved};
use ostiary::model::Secret;
use ostiary::view::Views;
use reqwest::Method;
use serde_json::{Value, json};

use super::factor_scene::{
    Enrolled, answer, asked, begin, codes, confirm, enrolled, factors, now, press, prove_again, recover, shown, wrong,
};
use super::{is_signed_in, sign_in};
use crate::api::conversation::Caller;
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::html::unescape;
use crate::support::http::plain_http;
use crate::support::otp::Authenticator;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Backend, Server, TestUser, each_backend};

const STEP: Duration = Duration::from_secs(30);

/// The texts of the mails to somebody, the newest first.
pub async fn mails(server: &Server, user: &TestUser) -> Vec<String> {
    let views = Views::new().unwrap();
    let all = outbox::list(server.provider(), &views, 100).await.unwrap();
    let own = all.into_iter().filter(|mail| mail.recipient == user.email);
    own.map(|mail| format!("{}\n{}", mail.content.subject, mail.content.text))
        .collect()
}

/// Their kinds, but for those about new devices.
pub async fn kinds(server: &Server, user: &TestUser) -> Vec<String> {
    let mut store = server.provider().store.read().await.unwrap();
    let all = store.list_outbox(100).await.unwrap();
    let own = all.into_iter().filter(|mail| mail.recipient == user.email);
    own.map(|mail| mail.kind).filter(|kind| kind != "new_device").collect()
}

/// The events about somebody's factors, the newest first.
async fn events(server: &Server, user: &TestUser) -> Vec<String> {
    server.provider().write_noted_events().await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let all = store.list_events(None, 500).await.unwrap();
    let own = all.into_iter().filter(|event| event.user == Some(user.id.uuid()));
    own.map(|event| event.kind)
        .filter(|kind| kind.contains("factor") || kind.contains("recovery"))
        .collect()
}

/// Asks `/api/v1/me` with the cookies of a browser.
pub async fn own(
    server: &Server,
    browser: &Browser,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, String, Value) {
    let cookie = format!("ostiary_session={}", browser.cookie("ostiary_session").unwrap());
    let key = format!("ostiary_browser={}", browser.cookie("ostiary_browser").unwrap());
    let mut request = plain_http()
        .build()
        .unwrap()
        .request(method, server.url(&format!("/api/v1/me/factors{path}")))
        .header("cookie", format!("{cookie}; {key}"))
        .header("origin", server.issuer())
        .header("x-requested-with", "fetch");
    if let Some(body) = body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let challenge = answer.headers().get("www-authenticate");
    let challenge = challenge.map_or(String::new(), |value| value.to_str().unwrap().to_owned());
    let text = answer.text().await.unwrap();
    (status, challenge, serde_json::from_str(&text).unwrap_or(Value::Null))
}

#[tokio::test]
async fn an_authenticator_counts_when_it_is_confirmed_and_not_before() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let setting_up = begin(server, &browser, "My phone").await;
        let authenticator = shown(&setting_up);
        // it is asked for nowhere yet
        let other = Browser::new();
        assert_eq!(sign_in(server, &other, &ada).await.location().unwrap().path(), "/");
        let missed = confirm(&browser, &setting_up, &wrong(server, &authenticator)).await;
        assert_eq!(missed.status, 422);
        assert_eq!(shown(&missed).secret, authenticator.secret, "the same one");
        assert!(factors(server, &browser).await.is_empty());
        // the form sent twice at once: the codes are seen by whoever sees the second answer alone
        let code = now(server, &authenticator);
        let (one, two) = tokio::join!(
            confirm(&browser, &setting_up, &code),
            confirm(&browser, &setting_up, &code)
        );
        for done in [&one, &two] {
            assert_eq!(
                done.location().unwrap().path(),
                "/account/factors/codes",
                "{}",
                done.status
            );
        }
        let page = browser.get(&server.url("/account/factors/codes")).await;
        assert_eq!(codes(&page).len(), 10);
        let elsewhere = other.get(&server.url("/account/factors/codes")).await;
        assert_eq!(elsewhere.status, 303, "they are of the browser that made them");
        let list = browser.get(&server.url("/account/factors")).await;
        assert!(list.body.contains("My phone"), "{}", list.body);
        assert!(unescape(&list.body).contains("<strong>10</strong>"));
        // the code that confirmed it lets nobody in
        let page = asked(server, &Browser::new(), &ada).await;
        assert_eq!(page.status, 200);
        let third = Browser::new();
        let page = asked(server, &third, &ada).await;
        assert_eq!(answer(&third, &page, &code).await.status, 422);
        server.advance(STEP);
        assert_eq!(answer(&third, &page, &now(server, &authenticator)).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn what_was_begun_ends_with_time_or_with_another_beginning() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let first = begin(server, &browser, "One").await;
        let second = begin(server, &browser, "Two").await;
        let over = confirm(&browser, &first, &now(server, &shown(&first))).await;
        assert_eq!(over.location().unwrap().query(), Some("notice=over"));
        // the proof was fresh when it was begun: there is time to set it up
        server.advance(Duration::from_secs(8 * 60));
        let code = now(server, &shown(&second));
        assert_eq!(browser.get(second.url.as_str()).await.status, 200);
        assert_eq!(
            press(server, &browser, ("begin", "totp"), &[("name", "Three")])
                .await
                .location()
                .unwrap()
                .path(),
            "/login"
        );
        server.advance(Duration::from_secs(8 * 60));
        let over = confirm(&browser, &second, &code).await;
        assert_eq!(over.location().unwrap().query(), Some("notice=over"));
        assert!(factors(server, &browser).await.is_empty());
        let nameless = {
            let again = sign_in(server, &browser, &ada).await;
            assert_eq!(again.status, 303);
            press(server, &browser, ("begin", "totp"), &[("name", " ")]).await
        };
        assert_eq!(nameless.location().unwrap().query(), Some("notice=name"));
        // a form that was open for too long, and one of nobody
        let page = browser.get(&server.url("/account/factors")).await;
        let form = page.form_with_button("begin", "totp");
        let stale = browser
            .submit(&page, form, &[("begin", "totp"), ("csrf", "old"), ("name", "x")])
            .await;
        assert_eq!(stale.status, 403);
        let nobody = Browser::new().get(&server.url("/account/factors")).await;
        assert_eq!(
            nobody.location().unwrap().query(),
            Some("return_to=%2Faccount%2Ffactors")
        );
    })
    .await;
}

/// SEC-256: once there is a factor, whoever changes one has proved it in this session, and a moment ago.
#[tokio::test]
async fn factor_change_needs_strength() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let id = factors(server, &ada.browser).await.remove(0);
        // fresh, but by a password alone: the session that set it up began before
        let acts = |id: &str| {
            [
                ("begin", "totp".to_owned(), "Another"),
                ("rename", id.to_owned(), "Mine"),
                ("remove", id.to_owned(), ""),
                ("codes", "new".to_owned(), ""),
            ]
        };
        for (name, value, field) in acts(&id) {
            let refused = press(server, &ada.browser, (name, &value), &[("name", field)]).await;
            assert_eq!(refused.location().unwrap().path(), "/login", "{name}");
        }
        let (status, challenge, _) = own(server, &ada.browser, Method::DELETE, &format!("/{id}"), None).await;
        assert_eq!(status, 401);
        assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
        assert!(challenge.contains("acr_values=\"urn:ostiary:mfa\""), "{challenge}");
        assert_eq!(factors(server, &ada.browser).await, [id.as_str()]);
        // strong, but long ago
        prove_again(server, &ada).await;
        server.advance(Duration::from_secs(5 * 60));
        for (name, value, field) in acts(&id) {
            let refused = press(server, &ada.browser, (name, &value), &[("name", field)]).await;
            assert_eq!(refused.location().unwrap().path(), "/login", "{name}");
        }
        let (status, challenge, _) = own(server, &ada.browser, Method::POST, "/recovery-codes", None).await;
        assert_eq!(status, 401);
        assert!(challenge.contains("max_age=\"300\""), "{challenge}");
        // somebody else's is not there
        let bob = enrolled(server, "bob").await;
        prove_again(server, &bob).await;
        let (status, ..) = own(server, &bob.browser, Method::DELETE, &format!("/{id}"), None).await;
        assert_eq!(status, 404);
        // strong and fresh
        prove_again(server, &ada).await;
        let renamed = press(server, &ada.browser, ("rename", &id), &[("name", "Mine <b>")]).await;
        assert_eq!(renamed.location().unwrap().query(), Some("notice=renamed"));
        let list = ada.browser.get(&server.url("/account/factors")).await;
        assert!(unescape(&list.body).contains("Mine <b>"), "{}", list.body);
        assert!(!list.body.contains("<b>"));
        let removed = press(server, &ada.browser, ("remove", &id), &[]).await;
        assert_eq!(removed.location().unwrap().query(), Some("notice=removed"));
        assert!(factors(server, &ada.browser).await.is_empty());
        let browser = Browser::new();
        assert_eq!(
            sign_in(server, &browser, &ada.user).await.location().unwrap().path(),
            "/"
        );
    })
    .await;
}

/// SEC-258: a factor is taken away by its owner or an administrator, at once on every node, with a mail and an event each.
#[tokio::test]
async fn factor_revocation() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        assert_eq!(kinds(server, &ada.user).await, ["factor_added"]);
        let caller = Caller::client(server, "admin:users").await;
        let path = format!("/users/{}/factors", ada.user.id);
        let listed = caller.get(&path).await;
        let items = listed.json()["items"].as_array().unwrap().clone();
        assert_eq!((items.len(), items[0]["name"].as_str()), (1, Some("Phone")));
        assert!(!listed.body.contains("sealed") && !listed.body.contains("secret"));
        let id = items[0]["id"].as_str().unwrap().to_owned();

        // a sign-in that waits for it ends with it, at another node too
        let other = if server.provider().store.is_embedded() {
            None
        } else {
            Some(server.node().await)
        };
        let node = other.as_ref().unwrap_or(server);
        let (mut there, demand) = super::factors::waiting(node, &ada.user).await;
        let browser = Browser::new();
        let waiting = asked(server, &browser, &ada.user).await;
        assert_eq!(caller.delete(&format!("{path}/{id}")).await.status, 204);
        assert_eq!(caller.delete(&format!("{path}/{id}")).await.status, 404);
        let code = now(server, &ada.authenticator);
        assert_ne!(answer(&browser, &waiting, &code).await.status, 303);
        assert_ne!(
            recover(&browser, &waiting, &ada.codes[0]).await.status,
            303,
            "they go with the last"
        );
        assert!(!is_signed_in(server, &browser).await);
        let typed = Typed::Code(Secret::new(code));
        let answered = factor::answer(
            node.provider(),
            &node.call(),
            &mut there,
            &demand,
            (&typed, OnDevice::Nothing),
        )
        .await;
        assert!(matches!(answered, Err(NotProved::Wrong)), "{answered:?}");
        if let Some(other) = other {
            other.stop().await;
        }
        assert_eq!(kinds(server, &ada.user).await, ["factor_removed", "factor_added"]);
        let texts = mails(server, &ada.user).await;
        assert!(
            texts
                .iter()
                .any(|text| text.contains("administrator") && text.contains("Phone")),
            "{texts:?}"
        );
        assert_eq!(events(server, &ada.user).await, ["factor.removed", "factor.added"]);
        // the person begins anew with the password alone
        assert_eq!(
            sign_in(server, &browser, &ada.user).await.location().unwrap().path(),
            "/"
        );

        // one recovery code used is told, too
        let bob = enrolled(server, "bob").await;
        let page = asked(server, &browser, &bob.user).await;
        assert_eq!(recover(&browser, &page, &bob.codes[3]).await.status, 303);
        assert_eq!(kinds(server, &bob.user).await, ["recovery_code_used", "factor_added"]);
        let texts = mails(server, &bob.user).await;
        assert!(
            texts.iter().any(|text| text.contains("Recovery codes left: 9")),
            "{texts:?}"
        );
        assert_eq!(events(server, &bob.user).await, ["recovery_code.used", "factor.added"]);
        // all at once
        assert_eq!(
            caller.delete(&format!("/users/{}/factors", bob.user.id)).await.status,
            204
        );
        assert!(factors(server, &bob.browser).await.is_empty());
        let weaker = Caller::client(server, "admin:users.read").await;
        assert_eq!(weaker.delete(&path).await.status, 403);
        assert_eq!(weaker.get(&path).await.status, 200);
        // nobody disarms an administrator who is not one
        let root = enrolled(server, "root").await;
        server
            .group("administrators of keys", &["admin:keys"], &[&root.user])
            .await;
        assert_eq!(
            caller.delete(&format!("/users/{}/factors", root.user.id)).await.status,
            403
        );
        assert_eq!(factors(server, &root.browser).await.len(), 1);
        // deleted with the person
        assert_eq!(caller.delete(&format!("/users/{}", bob.user.id)).await.status, 204);
    })
    .await;
}

/// SEC-270: the secret rests sealed, is shown until it is confirmed and never again, and its picture is drawn by this server.
#[tokio::test]
async fn totp_seed_protection() {
    let server = Server::start_with(Backend::Embedded).await;
    let ada = server.user("ada").await;
    let browser = Browser::new();
    sign_in(&server, &browser, &ada).await;
    let page = begin(&server, &browser, "Phone").await;
    let authenticator: Authenticator = shown(&page);
    assert!(page.body.contains("<svg viewBox=\"0 0 "), "drawn in the page");
    assert!(!page.body.contains("otpauth:"), "the picture holds it");
    for outside in ["<img", "src=\"http", "url("] {
        assert!(!page.body.contains(outside), "{outside}");
    }
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    let base32 = unescape(&page.body)
        .split_once("<code class=\"secret\">")
        .unwrap()
        .1
        .split_once('<')
        .unwrap()
        .0
        .replace(' ', "");
    let done = confirm(&browser, &page, &now(&server, &authenticator)).await;
    assert_eq!(done.status, 303);
    let codes = codes(&browser.get(&server.url("/account/factors/codes")).await);
    for path in [
        page.url.as_str().to_owned(),
        server.url("/account/factors"),
        server.url("/account"),
    ] {
        let page = browser.get(&path).await;
        assert!(
            !page.body.contains(&base32[..8]) && !page.body.contains("secret\""),
            "{path}"
        );
    }
    // nothing of it on disk: not plain, not in base32, not in hex
    server.advance(STEP);
    let folder = server.folder().to_owned();
    let hex: String = authenticator.secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut needles: Vec<Vec<u8>> = vec![authenticator.secret.clone(), base32.into_bytes(), hex.into_bytes()];
    needles.extend(codes.iter().map(|code| code.clone().into_bytes()));
    needles.extend(codes.iter().map(|code| code.replace('-', "").into_bytes()));
    let mut looked_at = 0;
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(bytes) = std::fs::read(&path) else { continue };
            looked_at += bytes.len();
            for needle in &needles {
                let is_there = bytes.windows(needle.len()).any(|window| window == needle.as_slice());
                assert!(!is_there, "{}", path.display());
            }
        }
    }
    assert!(looked_at > 100_000, "{looked_at}");
}

#[tokio::test]
async fn the_account_api_does_what_the_pages_do() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let ask = async |method, path: &str, body| own(server, &browser, method, path, body).await;
        let (status, _, body) = ask(Method::GET, "", None).await;
        assert_eq!(
            (status, body),
            (200, json!({"items": [], "recovery_codes": 0, "phone_wanted": false}))
        );
        let (status, _, refused) = ask(Method::POST, "", Some(json!({"name": "x", "digits": 9}))).await;
        assert_eq!(
            (status, refused["errors"][0]["pointer"].as_str()),
            (422, Some("/digits"))
        );
        let (status, _, refused) = ask(Method::POST, "", Some(json!({"name": "x", "algorithm": "MD5"}))).await;
        assert_eq!(
            (status, refused["errors"][0]["pointer"].as_str()),
            (422, Some("/algorithm"))
        );
        let (status, ..) = ask(Method::POST, "", Some(json!({"name": "x", "secret": "mine"}))).await;
        assert_eq!(status, 422, "the secret is the server's");
        let wish = json!({"name": "Token", "algorithm": "SHA256", "digits": 8, "period": 60});
        let (status, _, begun) = ask(Method::POST, "", Some(wish)).await;
        assert_eq!(status, 201, "{begun}");
        let authenticator = Authenticator {
            algorithm: aws_lc_rs::hmac::HMAC_SHA256,
            digits: 8,
            period: 60,
            ..Authenticator::of(begun["secret"].as_str().unwrap())
        };
        assert!(begun["address"].as_str().unwrap().starts_with("otpauth://totp/"));
        let id = begun["id"].as_str().unwrap();
        let (status, _, refused) = ask(
            Method::POST,
            &format!("/{id}/confirm"),
            Some(json!({"code": "00000000 "})),
        )
        .await;
        assert_eq!((status, refused["errors"][0]["code"].as_str()), (422, Some("wrong")));
        let code = json!({"code": now(server, &authenticator)});
        let (status, _, confirmed) = ask(Method::POST, &format!("/{id}/confirm"), Some(code)).await;
        assert_eq!(
            (status, confirmed["recovery_codes"].as_array().map(Vec::len)),
            (200, Some(10))
        );
        let (_, _, listed) = ask(Method::GET, "", None).await;
        assert_eq!(listed["items"][0]["algorithm"], "SHA256");
        assert_eq!(listed["recovery_codes"], 10);
        assert!(listed["items"][0].get("secret").is_none());

        // in at once, and from then on with the strength of it
        server.advance(Duration::from_secs(120));
        let page = asked(server, &browser, &ada).await;
        assert_eq!(answer(&browser, &page, &now(server, &authenticator)).await.status, 303);
        let (status, ..) = ask(Method::PATCH, &format!("/{id}"), Some(json!({"name": "Key"}))).await;
        assert_eq!(status, 204);
        let (status, _, codes) = ask(Method::POST, "/recovery-codes", None).await;
        assert_eq!(
            (status, codes["recovery_codes"].as_array().map(Vec::len)),
            (200, Some(10))
        );
        let (_, _, listed) = ask(Method::GET, "", None).await;
        assert_eq!(listed["items"][0]["name"], "Key");
        let (status, ..) = ask(Method::DELETE, &format!("/{id}"), None).await;
        assert_eq!(status, 204);
        let (_, _, listed) = ask(Method::GET, "", None).await;
        assert_eq!(listed, json!({"items": [], "recovery_codes": 0, "phone_wanted": false}));
        assert_eq!(
            events(server, &ada).await,
            [
                "factor.removed",
                "recovery_codes.renewed",
                "factor.renamed",
                "factor.added"
            ]
        );
        assert_eq!(
            kinds(server, &ada).await,
            ["factor_removed", "recovery_codes_renewed", "factor_added"]
        );
    })
    .await;
}

#[tokio::test]
async fn an_administrator_brings_an_authenticator_along_once() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let caller = Caller::client(server, "admin:users").await;
        let path = format!("/users/{}/factors", ada.id);
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        for (body, pointer) in [
            (json!({"name": "Old", "secret": "?"}), "/secret"),
            (json!({"name": "Old"}), "/secret"),
            (json!({"secret": secret}), "/name"),
            (json!({"name": "Old", "secret": secret, "period": 5}), "/period"),
        ] {
            let refused = caller.post(&path, body).await;
            assert_eq!(refused.status, 422);
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
        }
        let made = caller
            .post(&path, json!({"name": "Old", "secret": secret.to_lowercase()}))
            .await;
        assert_eq!(made.status, 201);
        assert!(!made.body.to_uppercase().contains("GEZD"));
        let twice = caller.post(&path, json!({"name": "Again", "secret": secret})).await;
        assert_eq!(twice.status, 409, "its codes would count twice");
        let browser = Browser::new();
        let page = asked(server, &browser, &ada).await;
        let authenticator = Authenticator::of(secret);
        assert_eq!(answer(&browser, &page, &now(server, &authenticator)).await.status, 303);
        assert_eq!(kinds(server, &ada).await, ["factor_added"]);
    })
    .await;
}

/// What a person has set up is worth as much under another master key.
#[tokio::test]
async fn an_authenticator_outlives_the_master_key() {
    use ostiary::flow::operations::reseal::{self, Step};
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let (provider, call) = (server.provider(), server.call());
        reseal::prepare(provider, &call).await.unwrap();
        let before = provider.master.current();
        while let Step::Unfinished { .. } = reseal::step(provider, &server.call()).await.unwrap() {
            server.advance(Duration::from_secs(1));
        }
        let mut store = provider.store.read().await.unwrap();
        let column = ostiary::store::SealedColumn::Factors;
        assert_eq!(store.count_sealed_under(column, before).await.unwrap(), 0);
        assert_eq!(
            store
                .count_sealed_under(column, provider.master.current())
                .await
                .unwrap(),
            1
        );
        drop(store);
        server.advance(STEP);
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.user).await;
        assert_eq!(
            answer(&browser, &page, &now(server, &ada.authenticator)).await.status,
            303
        );
    })
    .await;
}

/// A consent that follows the second factor, and explain, which tells of both.
#[tokio::test]
async fn the_journey_to_an_application_goes_on_after_the_second_factor() {
    each_backend(async |server| {
        let ada: Enrolled = enrolled(server, "ada").await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let browser = Browser::new();
        let page = browser.get(&party.authorization_url()).await;
        let page = browser.follow(page).await;
        let form = page.form_with("password");
        let fields = [
            ("username", ada.user.username.as_str()),
            ("password", ada.user.password.as_str()),
        ];
        let page = browser.submit(&page, form, &fields).await;
        let page = browser.follow(page).await;
        // cancelled: back to the application with an error
        let form = page.form_with_button("intent", "cancel");
        let left = browser.submit(&page, form, &[("intent", "cancel")]).await;
        assert!(left.location().unwrap().as_str().contains("access_denied"));
        let page = browser.get(&party.authorization_url()).await;
        let page = browser.follow(page).await;
        let form = page.form_with("password");
        let page = browser.submit(&page, form, &fields).await;
        let page = browser.follow(page).await;
        let entered = answer(&browser, &page, &now(server, &ada.authenticator)).await;
        let arrival = browser.walk(entered, &ada.user).await;
        party.redeem(arrival.code()).await.ok();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_lists_and_takes_away() {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(Backend::Embedded, |_| (), commands).await;
    let ada = enrolled(&server, "ada").await;
    let terminal = Terminal::at(server.folder());
    let rows = terminal.run(&["users", "factors", "ada", "--json"]).await.json();
    assert_eq!(rows[0]["name"], "Phone");
    let done = terminal.run(&["users", "reset-factors", "ada"]).await.ok();
    assert!(done.contains('1'), "{done}");
    assert!(factors(&server, &ada.browser).await.is_empty());
}
