//! What a password has to be, seen from outside: by page, interface, command and file; for everyone, groups and people.

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::routing::get;
use ostiary::crypto;
use ostiary::flow::operations::{apply, settings};
use ostiary::flow::people;
use ostiary::model::{LayerOwner, Secret};
use serde_json::{Value, json};

use super::recovery::{links, mails};
use super::{MINUTE, is_signed_in, sign_in, sign_in_with};
use crate::api::conversation::{Caller, client_token, service};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::server::{Server, TestUser, each_backend};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const GOOD: &str = "an otter under the old bridge";

async fn administrator(server: &Server) -> Caller<'_> {
    let client = service(server, "admin").await;
    Caller::with_token(server, &client_token(server, &client).await).await
}

async fn change(server: &Server, browser: &Browser, old: &str, new: &str) -> Page {
    let page = browser.get(&server.url("/account/password")).await;
    let fields = [("old_password", old), ("password", new), ("password_again", new)];
    browser.submit(&page, page.form_with("old_password"), &fields).await
}

async fn say(server: &Server, owner: LayerOwner, table: Value) {
    use ostiary::flow::operations::layers;
    use ostiary::flow::people::ChangeSource;
    let table = table.as_object().unwrap();
    layers::change(server.provider(), &server.call(), &ChangeSource::Command, owner, table)
        .await
        .unwrap();
}

/// SEC-212: a password that few guesses find is refused with a sentence that helps, in the page's language, and the person's own data are
/// among what is guessed.
#[tokio::test]
async fn a_password_that_is_easy_to_guess_is_refused_in_words_that_help() {
    let server = Server::start().await;
    server.settings(json!({"password": {"minimum_strength": 3}})).await;
    let ada = server
        .user_with("ada", |profile| {
            profile.email = Some("ada@analytical-engines.example".to_owned())
        })
        .await;
    let browser = Browser::new();
    sign_in(&server, &browser, &ada).await;
    for (new, told) in [
        ("19.12.1815", "made around a date or a year"),
        ("wilhelmina", "made around a name"),
        ("umbrella77", "made around a single word"),
        ("xcvbnm,./;", "neighbouring keys"),
    ] {
        let refused = change(&server, &browser, &ada.password, new).await;
        assert_eq!(refused.status, 422, "{new}");
        assert!(unescape(&refused.body).contains(told), "{new}");
    }
    let caller = administrator(&server).await;
    let path = format!("/users/{}/reset-password", ada.id);
    let refused = caller.post(&path, json!({"password": "umbrella77"})).await;
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["errors"][0]["code"], "guessable_word");
    assert_eq!(change(&server, &browser, &ada.password, GOOD).await.status, 303);
    server.stop().await;
}

/// Of several groups the strictest counts, whichever is the primary one, and who says what stands in the person's record.
#[tokio::test]
async fn every_rule_can_be_said_for_a_group_and_the_strictest_counts() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let loose = server.group("loose", &[], &[&ada]).await;
        let strict = server.group("strict", &[], &[&ada]).await;
        let said = json!({
            "minimum_length": 20, "maximum_length": 100, "minimum_strength": 4, "history": 5, "expires_after": "30d",
            "initial_expires_after": "1d", "expiry_warning": "10d", "replace_initial": true, "generated_only": true,
        });
        let laxer = json!({
            "minimum_length": 9, "maximum_length": 1000, "minimum_strength": 0, "history": 0, "expires_after": "0s",
            "initial_expires_after": "10d", "expiry_warning": "0s", "replace_initial": false, "generated_only": false,
        });
        say(server, LayerOwner::Group(loose), json!({"password": laxer})).await;
        say(server, LayerOwner::Group(strict), json!({"password": said})).await;
        let caller = administrator(server).await;
        let effective = caller
            .get(&format!("/users/{}/effective-settings", ada.id))
            .await
            .json();
        let items = effective["items"].as_array().unwrap();
        for (name, value) in said.as_object().unwrap() {
            let key = format!("password.{name}");
            let item = items
                .iter()
                .find(|item| item["key"] == key.as_str())
                .unwrap_or_else(|| panic!("{key}"));
            assert_eq!(item["value"], *value, "{key}");
            assert_eq!(item["source"], "group strict", "{key}");
        }
        // every setting about passwords is among them, but for those that are everyone's
        for declared in ostiary::model::setting::DECLARED {
            let of_everyone = [
                "password.breach_url",
                "password.link_lifetime",
                "password.admin_minimum_length",
            ];
            let is_said = items.iter().any(|item| item["key"] == declared.key);
            if declared.key.starts_with("password.") {
                assert_eq!(is_said, !of_everyone.contains(&declared.key), "{}", declared.key);
            }
        }
    })
    .await;
}

/// SEC-229: `admin_reset_no_knowledge`. Who administers starts a reset: the old password lets nobody in, sessions end, and the link alone
/// leads to a new one, once.
#[tokio::test]
async fn admin_reset_no_knowledge() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        // what somebody who administers sends works although people may not help themselves
        server.settings(json!({"recovery": {"enabled": false}})).await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let caller = administrator(server).await;
        let path = format!("/users/{}/reset-password", ada.id);
        let both = caller.post(&path, json!({"password": GOOD, "send_link": true})).await;
        assert_eq!(both.status, 422);
        let reset = caller.post(&path, json!({"send_link": true})).await;
        assert_eq!(reset.status, 200, "{:?}", reset.body);
        assert_eq!(reset.json(), json!({}), "nobody is told a password");
        assert!(!is_signed_in(server, &browser).await);
        let old = sign_in(server, &Browser::new(), &ada).await;
        assert_ne!(old.status, 303, "the old password lets nobody in");
        let [link] = links(server, &ada).await.try_into().unwrap();
        set(&link, GOOD).await;
        assert_eq!(Browser::new().get(&link).await.status, 404, "it works once");
        assert_eq!(sign_in_with(server, &Browser::new(), "ada", GOOD).await.status, 303);

        // a newer one voids it, and so does its time
        for expected in [200, 404] {
            caller.post(&path, json!({"send_link": true})).await;
            if expected == 404 {
                server.advance(DAY * 3 + MINUTE);
            }
            let link = links(server, &ada).await.remove(0);
            assert_eq!(Browser::new().get(&link).await.status, expected);
        }

        // an initial secret can't stay, where that is the rule
        server.settings(json!({"password": {"replace_initial": true}})).await;
        let caller = administrator(server).await;
        caller
            .post(&path, json!({"password": "a first one of somebody else"}))
            .await;
        let asked = sign_in_with(server, &Browser::new(), "ada", "a first one of somebody else").await;
        assert!(
            asked.header("location").contains("/login/action"),
            "{}",
            asked.header("location")
        );
    })
    .await;
}

async fn set(link: &str, new: &str) {
    let mailbox = Browser::new();
    let page = mailbox.get(link).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let fields = [("password", new), ("password_again", new)];
    let done = mailbox.submit(&page, page.form_with("password_again"), &fields).await;
    assert_eq!(done.status, 303, "{}", done.body);
}

/// In the generated-only mode nobody sets or sees a password for somebody else, on any path.
#[tokio::test]
async fn nobody_sets_a_password_for_somebody_else_where_that_is_the_rule() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let caller = administrator(server).await;
        server.settings(json!({"password": {"generated_only": true}})).await;
        let path = format!("/users/{}/reset-password", ada.id);
        let given = caller.post(&path, json!({"password": GOOD})).await;
        assert_eq!(
            (given.status.as_u16(), &given.json()["errors"][0]["code"]),
            (422, &json!("generated_only"))
        );
        let hash = server.account(&ada).await.password.unwrap().expose().to_owned();
        for body in [
            json!({"username": "grace", "password": GOOD}),
            json!({"username": "grace", "password_hash": hash}),
            json!({"username": "grace", "generate_password": true}),
        ] {
            let refused = caller.post("/users", body.clone()).await;
            assert_eq!(refused.status, 422, "{body}: {:?}", refused.body);
        }
        // what would be made up is mailed
        let generated = caller.post(&path, json!({})).await;
        assert_eq!((generated.status.as_u16(), generated.json()), (200, json!({})));
        assert_eq!(links(server, &ada).await.len(), 1);
        let body =
            json!({"username": "grace", "email": "grace@example.com", "generate_password": true, "send_welcome": true});
        let made = caller.post("/users", body).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        assert!(made.json().get("password").is_none() && made.json()["has_password"] == false);
        let to_grace: Vec<_> = mails(server)
            .await
            .into_iter()
            .filter(|(to, _)| to == "grace@example.com")
            .collect();
        assert_eq!(to_grace.len(), 1, "one mail says it all");
        let link = to_grace[0]
            .1
            .split_whitespace()
            .find(|word| word.contains("/login/recover?token="))
            .unwrap();
        set(link, GOOD).await;
        assert_eq!(sign_in_with(server, &Browser::new(), "grace", GOOD).await.status, 303);

        // a file
        let file = |user: Value| json!({"version": 1, "users": [user]});
        for user in [
            json!({"username": "edsger", "password": GOOD}),
            json!({"username": "edsger", "password": "short", "accept_weak": true}),
            json!({"username": "edsger", "password_hash": hash}),
        ] {
            let document = apply::Document::read(&file(user.clone()), None).unwrap();
            for refused in [
                apply::difference(server.provider(), &server.call(), &document, apply::PruneUsers::No)
                    .await
                    .err(),
                apply::apply(server.provider(), &server.call(), &document, apply::PruneUsers::No)
                    .await
                    .err(),
            ] {
                assert!(format!("{refused:?}").contains("generated_only"), "{user}: {refused:?}");
            }
        }
        let sent = json!({"username": "edsger", "email": "edsger@example.com", "send_password_link": true});
        let document = apply::Document::read(&file(sent), None).unwrap();
        apply::apply(server.provider(), &server.call(), &document, apply::PruneUsers::No)
            .await
            .unwrap();
        assert!(
            mails(server)
                .await
                .iter()
                .any(|(to, text)| to == "edsger@example.com" && text.contains("/login/recover?token="))
        );

        // a command's flow
        let call = server.call();
        let command = people::set_password(
            server.provider(),
            &call,
            &people::ChangeSource::Command,
            ada.id,
            people::NewPassword::Given(Secret::new(GOOD)),
            people::WeakPasswords::Accept,
        );
        assert!(format!("{:?}", command.await).contains("generated_only"));
        // and the person does as before
        let link = links(server, &ada).await.remove(0);
        set(&link, GOOD).await;
        let browser = Browser::new();
        sign_in_with(server, &browser, "ada", GOOD).await;
        assert_eq!(
            change(server, &browser, GOOD, "a heron by the new canal").await.status,
            303
        );
    })
    .await;
}

/// The group alone may have the rule.
#[tokio::test]
async fn a_group_may_have_the_rule_alone() {
    each_backend(async |server| {
        let (ada, grace) = (server.user("ada").await, server.user("grace").await);
        let staff = server.group("staff", &[], &[&ada]).await;
        say(
            server,
            LayerOwner::Group(staff),
            json!({"password": {"generated_only": true}}),
        )
        .await;
        let caller = administrator(server).await;
        let reset = async |user: &TestUser| {
            let path = format!("/users/{}/reset-password", user.id);
            caller.post(&path, json!({"password": GOOD})).await.status.as_u16()
        };
        assert_eq!((reset(&ada).await, reset(&grace).await), (422, 200));
    })
    .await;
}

/// SEC-223: `no_rotation_no_hints`. Passwords do not age unless that is said, and then the person is told once, in time.
#[tokio::test]
async fn no_rotation_no_hints() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let warn = async || people::warn_of_expiry(server.provider(), &server.call()).await.unwrap();
        server.advance(DAY * 800);
        assert_eq!(warn().await, 0);
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
        let builtin = settings::history(server.provider()).await.unwrap();
        assert!(builtin.is_empty());
        // what Web Authentication calls a hint tells nothing of a password
        let of_passwords = |key: &str| key != "passkey.hints";
        for declared in ostiary::model::setting::DECLARED
            .iter()
            .filter(|declared| of_passwords(declared.key))
        {
            assert!(
                !declared.key.contains("hint") && !declared.key.contains("question"),
                "{}",
                declared.key
            );
        }

        let grace = server.user("grace").await;
        let staff = server.group("staff", &[], &[&grace]).await;
        say(
            server,
            LayerOwner::Group(staff),
            json!({"password": {"expires_after": "90d", "expiry_warning": "14d"}}),
        )
        .await;
        assert_eq!(warn().await, 0);
        server.advance(DAY * 75);
        assert_eq!(warn().await, 0);
        server.advance(DAY * 2);
        // of two nodes that look at once one tells
        let (one, other) = tokio::join!(warn(), warn());
        assert_eq!(one + other, 1);
        assert_eq!(warn().await, 0, "once");
        let told: Vec<_> = mails(server)
            .await
            .into_iter()
            .filter(|(_, text)| text.contains("replaced soon"))
            .collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, grace.email);
        assert!(told[0].1.contains("/account/password"));
        // a new one has its own time
        let browser = Browser::new();
        sign_in(server, &browser, &grace).await;
        assert_eq!(change(server, &browser, &grace.password, GOOD).await.status, 303);
        assert_eq!(warn().await, 0);
        server.advance(DAY * 80);
        assert_eq!(warn().await, 1);
    })
    .await;
}

/// The service for breached passwords sees five digits, padded, and its silence is no refusal.
#[tokio::test]
async fn the_service_for_breached_passwords_sees_five_digits() {
    const STOLEN: &str = "a purple elephant sings";
    let server = Server::start().await;
    let digits = crypto::hex(&crypto::sha1(STOLEN.as_bytes())).to_uppercase();
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = asked.clone();
    let rest = digits[5..].to_owned();
    let app = Router::new().route(
        "/range/{prefix}",
        get(move |Path(prefix): Path<String>, headers: HeaderMap| async move {
            seen.lock().unwrap().push((prefix, headers.get("add-padding").cloned()));
            format!("{rest}:0\r\n{}:12\r\n{rest}:4\r\n", "0".repeat(35))
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/range/", listener.local_addr().unwrap());
    let service = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let ada = server.user("ada").await;
    let browser = Browser::new();
    sign_in(&server, &browser, &ada).await;
    server.settings(json!({"password": {"breach_url": base}})).await;
    let refused = change(&server, &browser, &ada.password, STOLEN).await;
    assert_eq!(refused.status, 422);
    assert!(
        unescape(&refused.body).contains("stolen somewhere else"),
        "{}",
        refused.body
    );
    assert_eq!(change(&server, &browser, &ada.password, GOOD).await.status, 303);
    {
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].0, digits[..5]);
        assert_eq!(asked[0].1.as_ref().unwrap(), "true");
    }
    service.abort();
    drop(service.await);
    // nobody answers there any more
    assert_eq!(change(&server, &browser, GOOD, STOLEN).await.status, 303);
    server.stop().await;
}
