//! What a person is told of their account: what happened to it, and everything that is held about them.

use std::collections::BTreeSet;

use ostiary::flow::people::{self, ChangeSource, TABLES_OF_PEOPLE, Told};
use serde_json::{Value, json};

use super::factor_scene::{answer, asked, enrolled, now};
use super::{MINUTE, sign_in};
use crate::api::conversation::{Caller, user_token};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::pictures::png;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};
use crate::support::sources;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn activity(server: &Server, browser: &Browser) -> Page {
    browser.get(&server.url("/account/activity")).await
}

async fn sign_in_as_firefox(server: &Server, browser: &Browser, user: &TestUser, password: &str) -> Page {
    let login = browser.get(&server.url("/login")).await;
    let form = login
        .form_with("password")
        .filled(&[("username", &user.username), ("password", password)]);
    let fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    browser
        .post_with(&server.url("/login"), &fields, &[("user-agent", FIREFOX)])
        .await
}

/// A person is told what happened, the last first, in their language, with time, device and network, page by page; of nobody else, and
/// not where an administrator sits.
#[tokio::test]
async fn a_person_sees_what_happened_to_their_account_and_nothing_of_others() {
    each_backend(async |server| {
        let (ada, eve) = (server.user("ada").await, server.user("eve").await);
        let browser = Browser::new();
        assert_eq!(activity(server, &browser).await.location().unwrap().path(), "/login");
        sign_in_as_firefox(server, &Browser::new(), &ada, "not it").await;
        sign_in_as_firefox(server, &browser, &ada, &ada.password).await;
        sign_in(server, &Browser::new(), &eve).await;
        let admin = Caller::client(server, "admin:users").await;
        admin
            .patch(&format!("/users/{}", ada.id), json!({"nickname": "Countess"}))
            .await;
        server.provider().write_events(server.call().now).await.unwrap();
        let page = activity(server, &browser).await;
        let told = unescape(&page.body);
        for text in [
            "Your data were changed",
            "Done by your administrator",
            "You signed in",
            "Firefox on Linux",
            "127.0.0.1",
            "A sign-in did not succeed",
            "By somebody who was not signed in",
        ] {
            assert!(told.contains(text), "{text}: {told}");
        }
        let at = |text: &str| told.find(text).unwrap();
        assert!(at("Your data were changed") < at("You signed in"), "the last first");
        assert_eq!(
            told.matches("You signed in").count(),
            1,
            "what eve did is nothing to her"
        );
        let german = browser.get(&server.url("/account/activity?ui_locales=de")).await;
        assert!(unescape(&german.body).contains("Sie haben sich angemeldet"));

        // page by page, and a cursor of somebody else's leads nowhere
        for number in 0..30 {
            admin
                .patch(
                    &format!("/users/{}", ada.id),
                    json!({"nickname": format!("Countess {number}")}),
                )
                .await;
        }
        let first = activity(server, &browser).await;
        assert_eq!(first.body.matches("class=\"entry\"").count(), 25);
        let older = unescape(&first.body);
        let older = older
            .split("href=\"")
            .find(|part| part.starts_with("/account/activity?after="))
            .unwrap();
        let second = browser.get(&server.url(older.split('"').next().unwrap())).await;
        assert!(
            second.body.contains("class=\"entry\"") && !second.body.contains("rel=\"next\""),
            "{}",
            second.body
        );
        let own = Caller::with_token(server, &user_token(server, &ada, "openid account.read").await).await;
        let page = own.get("/me/events?limit=5").await.ok().json();
        assert_eq!(page["items"].as_array().unwrap().len(), 5);
        let next = page["next"].as_str().unwrap();
        let rest = own.get(&format!("/me/events?limit=200&after={next}")).await.ok().json();
        let kinds: BTreeSet<&str> = rest["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["kind"].as_str().unwrap())
            .collect();
        assert!(kinds.contains("sign_in") && kinds.contains("user.changed"), "{kinds:?}");
        for event in rest["items"].as_array().unwrap() {
            let by_her = event["by"] != "administrator";
            assert!(by_her || event["address"].is_null(), "{event}");
        }
        let other = Caller::with_token(server, &user_token(server, &eve, "openid account.read").await).await;
        assert_eq!(other.ask("GET", &format!("/me/events?after={next}")).await.status, 400);
        assert_eq!(own.ask("GET", "/me/events?user=1").await.status, 400);
        assert_eq!(
            own.ask("POST", "/me/export").await.status,
            403,
            "to read is not to take everything"
        );
    })
    .await;
}

/// Every member of a document, however deep, and every text.
fn walk(value: &Value, found: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            found(name);
            walk(value, found);
        }),
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::String(text) => found(text),
        _ => {}
    }
}

/// SEC-622: what is held about a person is given to them, whole, after a proof of a moment ago, and holds nothing that anybody could sign
/// in with.
#[tokio::test]
async fn user_export_erase() {
    each_backend(async |server| {
        let ada = enrolled(server, "ada").await;
        let user = &ada.user;
        server.group("staff", &[], &[user]).await;
        people::set_own_picture(server.provider(), &server.call(), user.id, &png(8, 8))
            .await
            .unwrap();
        let client = server.client(|_| ()).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid profile offline_access".to_owned();
        let arrival = party.sign_in(&ada.browser, user).await;
        let tokens = party.redeem(arrival.code()).await.ok();
        server.provider().write_events(server.call().now).await.unwrap();
        server.advance(MINUTE * 6);
        let page = ada.browser.get(&server.url("/account/export")).await;
        let asked_again = ada.browser.submit(&page, page.forms().remove(0), &[]).await;
        assert_eq!(
            asked_again.location().unwrap().path(),
            "/login",
            "an older proof will not do"
        );
        let browser = Browser::new();
        let demand = asked(server, &browser, user).await;
        answer(&browser, &demand, &now(server, &ada.authenticator)).await;
        let page = browser.get(&server.url("/account/export")).await;
        let given = browser.submit(&page, page.forms().remove(0), &[]).await;
        assert_eq!(given.status, 200, "{}", given.body);
        assert_eq!(
            given.header("content-disposition"),
            "attachment; filename=\"account.json\""
        );
        assert_eq!(given.header("cache-control"), "no-store");
        let held = given.json();
        for (table, told) in TABLES_OF_PEOPLE {
            if let Told::As(member) = told {
                assert!(
                    held.get(*member).is_some_and(|value| !value.is_null()),
                    "{table}: {member} of {held}"
                );
            }
        }
        assert_eq!(held["account"]["username"], "ada");
        assert_eq!(held["groups"][0]["name"], "staff");
        assert_eq!(held["factors"][0]["kind"], "totp");
        assert_eq!(held["recovery_codes"]["left"], 10);
        assert!(held["sessions"].as_array().unwrap().len() >= 2);
        assert_eq!(held["applications"][0]["client_id"], client.client_id.as_str());
        assert!(held["events"].as_array().unwrap().len() > 3 && held["events_are_complete"] == true);
        let account = server.account(user).await;
        let hash = account.password.as_ref().unwrap().expose().to_owned();
        let mut secrets = vec![user.password.clone(), hash, tokens.get("access_token")];
        secrets.push(tokens.get("refresh_token"));
        secrets.extend(ada.codes.clone());
        secrets.extend(browser.cookie("ostiary_session"));
        walk(&held, &mut |text| {
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "{text}");
            }
            for word in ["hash", "digest", "sealed", "secret", "credential", "nonce"] {
                assert!(!text.to_lowercase().contains(word), "{text}");
            }
        });
        // it is noted, and the interface gives the same
        let api = Caller::with_token(server, &user_token_of(server, &browser, user).await).await;
        let events = api.ask("GET", "/me/events").await.json();
        assert!(
            events["items"]
                .as_array()
                .unwrap()
                .iter()
                .any(|event| event["kind"] == "user.exported"),
            "{events}"
        );

        // erased: nothing of it is left in any table but the log of what happened
        people::delete_user(server.provider(), &server.call(), &ChangeSource::Command, user.id, None)
            .await
            .unwrap();
        let again = server.user("ada").await;
        assert_ne!(again.id, user.id);
        assert_ne!(
            server.account(&again).await.subject,
            account.subject,
            "never given to anyone else"
        );
    })
    .await;
}

/// A token of somebody who is signed in in this browser.
async fn user_token_of(server: &Server, browser: &Browser, user: &TestUser) -> String {
    let client = server
        .client(|client| {
            client.trusted = true;
            client.policy.consent = ostiary::model::ConsentMode::Skip;
            client.metadata.scope = ostiary::model::Scopes::from_tokens(["openid", "account.read"]);
        })
        .await;
    let mut party = RelyingParty::new(server, &client);
    party.scope = "openid account.read".to_owned();
    let arrival = party.sign_in(browser, user).await;
    party.redeem(arrival.code()).await.ok().get("access_token")
}

/// Whoever adds a table that holds something about people says where it stands in the document that they get, or why it does not.
#[test]
fn every_table_about_people_is_told_or_named() {
    let mut tables: BTreeSet<String> = BTreeSet::new();
    let mut gone: BTreeSet<String> = BTreeSet::new();
    for (_, text) in sources::texts("migrations/sqlite", &["sql"]) {
        for statement in text.split(';') {
            let words: Vec<&str> = statement.split_whitespace().collect();
            let after = |first: &str, second: &str| {
                words
                    .windows(3)
                    .find(|three| three[0] == first && three[1] == second)
                    .map(|three| three[2].to_owned())
            };
            if let Some(table) = after("create", "table") {
                let is_about_people = ["user_id", "subject", "grant_id", "recipient"]
                    .iter()
                    .any(|column| words.contains(column));
                if is_about_people || table == "users" {
                    tables.insert(table);
                }
            }
            gone.extend(after("drop", "table"));
        }
    }
    let tables: BTreeSet<&str> = tables
        .iter()
        .map(String::as_str)
        .filter(|table| !gone.contains(*table))
        .collect();
    let named: BTreeSet<&str> = TABLES_OF_PEOPLE.iter().map(|(table, _)| *table).collect();
    let missing: Vec<_> = tables.difference(&named).collect();
    assert!(missing.is_empty(), "where in src/flow/people/own_data.rs: {missing:?}");
}
