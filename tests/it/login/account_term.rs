//! From when until when an account may be used, seen from outside: no way in before and after, each refused after the proof with a
//! sentence that helps; everything ends at the very moment; and the person is told beforehand.

use std::time::Duration;

use ostiary::flow::Error;
use ostiary::flow::operations::apply::{Difference, Document, PruneUsers, apply};
use ostiary::flow::operations::export::{Secrets, export};
use ostiary::flow::people;
use ostiary::model::{ConsentMode, LayerOwner, Timestamp};
use serde_json::{Value, json};

use super::own_phone::code_of;
use super::passkey_scene;
use super::recovery::mails;
use super::{MINUTE, is_signed_in, sign_in, sign_in_with};
use crate::api::conversation::{Caller, client_token, service};
use crate::support::authenticator::Device;
use crate::support::browser::{Browser, Page};
use crate::support::cli::Terminal;
use crate::support::html::unescape;
use crate::support::relying_party::{RelyingParty, claims};
use crate::support::server::{Backend, Server, TestUser, each_backend};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MOMENT: Duration = Duration::from_secs(1);

async fn administrator(server: &Server) -> Caller<'_> {
    let client = service(server, "admin").await;
    Caller::with_token(server, &client_token(server, &client).await).await
}

/// Says from when until when, and gives the user as the interface tells of it.
async fn say(server: &Server, person: &TestUser, term: Value) -> Value {
    // a token of now: the time of these tests moves far
    let caller = administrator(server).await;
    let told = caller.patch(&format!("/users/{}", person.id), term).await;
    assert_eq!(told.status, 200, "{}", told.body);
    told.json()
}

fn after(server: &Server, length: Duration) -> Timestamp {
    server.call().now.after(length)
}

#[track_caller]
fn says(page: &Page, status: u16, sentence: &str) {
    assert_eq!(page.status, status, "{}", page.body);
    assert!(unescape(&page.body).contains(sentence), "{sentence}: {}", page.body);
}

/// The events of a person, by kind and reason.
async fn events(server: &Server, person: &TestUser) -> Vec<(String, Option<String>)> {
    server.provider().write_events(server.call().now).await.unwrap();
    let mut store = server.provider().store.read().await.unwrap();
    let rows = store.list_events_told_to(person.id, None, 100).await.unwrap();
    rows.into_iter().map(|row| (row.kind, row.reason)).collect()
}

/// SEC-051, SEC-045: at that moment, and not when somebody comes round to it, sessions, tokens, codes and refresh tokens count no more, and
/// none was given that would outlive the account.
#[tokio::test]
async fn an_account_that_expires_ends_everything_of_it_at_that_moment() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let client = server.client(|client| client.policy.consent = ConsentMode::Skip).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid offline_access".to_owned();
        let browser = Browser::new();
        let early = party.sign_in(&browser, &ada).await;
        let early = party.redeem(early.code()).await.ok();
        let end = after(server, MINUTE * 5);
        let told = say(server, &ada, json!({"expires_at": end.rfc3339()})).await;
        assert_eq!((&told["state"], &told["status"]), (&json!("active"), &json!("active")));
        assert_eq!(told["expires_at"], end.rfc3339());
        // it is told to the person, and goes on until then
        let page = browser.get(&server.url("/account")).await;
        says(&page, 200, "This account ends on");
        let own = browser.get(&server.url("/account/activity")).await;
        assert_eq!(own.status, 200);
        // what is given by now ends with the account
        let refreshed = party.refresh(&early.get("refresh_token")).await.ok();
        assert!(
            refreshed.json()["expires_in"].as_u64().unwrap() <= 300,
            "{}",
            refreshed.body
        );
        for token in ["access_token", "id_token"] {
            let exp = claims(&refreshed.get(token))["exp"].as_i64().unwrap();
            assert!(exp <= end.seconds(), "{token}");
        }
        let late = browser.open(&party.authorization_url()).await;
        let code = late.location().unwrap();
        let code = code
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned();
        assert_eq!(party.userinfo(&early.get("access_token")).await.status, 200);

        server.advance(MINUTE * 5 - MOMENT);
        assert!(is_signed_in(server, &browser).await);
        server.advance(MOMENT);
        // nobody has come round to it
        assert!(!is_signed_in(server, &browser).await);
        assert_eq!(party.userinfo(&early.get("access_token")).await.status, 401);
        assert_eq!(
            party.introspect(&early.get("access_token")).await.json()["active"],
            false
        );
        assert_eq!(
            party.introspect(&refreshed.get("refresh_token")).await.json()["active"],
            false
        );
        assert_eq!(
            party.refresh(&refreshed.get("refresh_token")).await.error(),
            "invalid_grant"
        );
        assert_eq!(party.redeem(&code).await.error(), "invalid_grant");
        let account = server.account(&ada).await;
        assert!(!account.is_active(server.call().now));

        // a little later everything is ended on record, once
        let call = server.call();
        while people::end_expired(server.provider(), &call).await.unwrap() {}
        let live = async || {
            let mut store = server.provider().store.read().await.unwrap();
            store.list_live_sessions_of(ada.id, call.now, 10).await.unwrap().len()
        };
        assert_eq!(live().await, 0);
        people::end_expired(server.provider(), &call).await.unwrap();
        let expired = events(server, &ada).await;
        assert_eq!(
            expired.iter().filter(|(kind, _)| kind == "user.expired").count(),
            1,
            "{expired:?}"
        );

        // let in again, it begins anew: what has ended stays ended
        let told = say(server, &ada, json!({"expires_at": null})).await;
        assert_eq!(told["state"], "active");
        assert!(told.get("expires_at").is_none());
        assert!(!is_signed_in(server, &browser).await);
        assert_eq!(
            party.refresh(&refreshed.get("refresh_token")).await.error(),
            "invalid_grant"
        );
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
    })
    .await;
}

/// SEC-221: whoever has not proved that the account is theirs is told what everybody is told; whoever has, by whatever way, is told why
/// not, and the log says the rule.
#[tokio::test]
async fn every_way_in_refuses_an_expired_account_after_the_proof() {
    each_backend(async |server| {
        let mail = json!({"sign_in.mail_codes": true, "sign_in.mail_links": true});
        server.settings(mail).await;
        let mut keyed = passkey_scene::keyed_with(server, "ada", Device::new(server.issuer())).await;
        let mut account = server.account(&keyed.user).await;
        account.profile.email_verified = true;
        let mut tx = server.provider().store.write().await.unwrap();
        assert!(tx.change_user(&account).await.unwrap());
        tx.commit().await.unwrap();
        let ada = keyed.user.clone();
        let end = after(server, MINUTE);
        say(server, &ada, json!({"expires_at": end.rfc3339()})).await;
        server.advance(MINUTE * 2);

        let wrong = sign_in_with(server, &Browser::new(), "ada", "not it").await;
        assert!(wrong.status == 422 && !wrong.body.contains("expired"), "{}", wrong.body);
        let sentence = "This account has expired";
        says(&sign_in(server, &Browser::new(), &ada).await, 403, sentence);
        let by_key = passkey_scene::enter(server, &Browser::new(), &mut keyed.device).await;
        says(&by_key, 403, sentence);
        // a code and a link are sent as to anybody
        let browser = Browser::new();
        let page = asked(server, &browser, &ada.username, "mail_code").await;
        let sent = mails(server).await;
        let (_, text) = sent.iter().find(|(_, text)| text.contains("Your code")).unwrap();
        let code = code_of(text);
        let answered = browser.submit(&page, page.form_with("code"), &[("code", &code)]).await;
        says(&answered, 403, sentence);
        let browser = Browser::new();
        asked(server, &browser, &ada.username, "mail_link").await;
        let sent = mails(server).await;
        let mut words = sent.iter().flat_map(|(_, text)| text.split_whitespace());
        let link = words.find(|word| word.contains("/login/link?token=")).unwrap();
        let page = browser.get(link).await;
        let followed = browser.submit(&page, page.form_with("csrf"), &[]).await;
        says(&followed, 403, sentence);
        // and an application's own screen says the same
        let client = server
            .public_client(|client| {
                client.policy.first_party = true;
                client.policy.consent = ConsentMode::Skip;
            })
            .await;
        let party = RelyingParty::new(server, &client);
        let challenge = party.code_challenge();
        let form = [
            ("scope", "openid"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("username", ada.username.as_str()),
            ("password", ada.password.as_str()),
        ];
        let denied = party.post("/oauth2/authorize_challenge", &form).await;
        assert_eq!(denied.status, 403, "{}", denied.body);
        assert!(denied.body.contains("account_expired"), "{}", denied.body);

        let told = events(server, &ada).await;
        let refused = told
            .iter()
            .filter(|(kind, reason)| kind == "sign_in" && reason.as_deref() == Some("sign_in.account_expired"));
        assert_eq!(refused.count(), 5, "{told:?}");
        // nobody helps themselves into it either
        server.settings(json!({"recovery.enabled": true})).await;
        people::ask_for_recovery(server.provider(), &server.call(), "ada".to_owned(), None)
            .await
            .unwrap();
        let after = mails(server).await;
        assert!(!after.iter().any(|(_, text)| text.contains("/login/recover?token=")));
    })
    .await;
}

async fn asked(server: &Server, browser: &Browser, identifier: &str, way: &str) -> Page {
    let login = browser.get(&server.url("/login")).await;
    let form = login.form_with("password");
    let begun = browser
        .submit(&login, form, &[("username", identifier), ("intent", way)])
        .await;
    assert_eq!(begun.status, 303, "{}", begun.body);
    browser.follow(begun).await
}

#[tokio::test]
async fn before_its_day_an_account_lets_nobody_in_and_says_so_in_three_languages() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let start = after(server, DAY * 3);
        let told = say(server, &ada, json!({"starts_at": start.rfc3339()})).await;
        assert_eq!(
            (&told["state"], &told["status"]),
            (&json!("not_started"), &json!("active"))
        );
        assert!(!is_signed_in(server, &browser).await, "what there was has ended");
        for (tag, sentence, advice) in [
            ("en", "This account can’t be used yet.", "It begins on "),
            ("de", "Dieses Konto kann noch nicht benutzt werden.", "Es beginnt am "),
            ("fr", "Ce compte ne peut pas encore être utilisé.", "Il commence le "),
        ] {
            let browser = Browser::new();
            let page = browser.get(&server.url(&format!("/login?ui_locales={tag}"))).await;
            let typed = [("username", ada.username.as_str()), ("password", ada.password.as_str())];
            let refused = browser.submit(&page, page.form_with("password"), &typed).await;
            says(&refused, 403, sentence);
            says(&refused, 403, advice);
        }
        let told = events(server, &ada).await;
        let rule = Some("sign_in.not_started".to_owned());
        assert!(told.contains(&("sign_in".to_owned(), rule)), "{told:?}");
        // its owner may make it ready: the way to a password is mailed before
        people::ask_for_recovery(server.provider(), &server.call(), "ada".to_owned(), None)
            .await
            .unwrap();
        let sent = mails(server).await;
        let mut words = sent.iter().flat_map(|(_, text)| text.split_whitespace());
        let link = words.find(|word| word.contains("/login/recover?token=")).unwrap();
        assert_eq!(Browser::new().get(link).await.status, 200);
        server.advance(DAY * 3);
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 303);
    })
    .await;
}

/// A reminder comes once, at its time, whichever of several nodes looks; what is said later counts too, and another end has reminders of
/// its own.
#[tokio::test]
async fn the_end_is_announced_by_mail_once_at_each_of_its_times() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let grace = server.user("grace").await;
        server.user("without-an-end").await;
        say(server, &ada, json!({"expires_at": after(server, DAY * 30).rfc3339()})).await;
        let staff = server.group("staff", &[], &[&grace]).await;
        let layer = json!({"account": {"expiry_reminders": "5d"}});
        ostiary::flow::operations::layers::change(
            server.provider(),
            &server.call(),
            &people::ChangeSource::Command,
            LayerOwner::Group(staff),
            layer.as_object().unwrap(),
        )
        .await
        .unwrap();
        say(server, &grace, json!({"expires_at": after(server, DAY * 30).rfc3339()})).await;
        let look = async || {
            let call = server.call();
            let (one, other) = tokio::join!(
                people::remind_of_end(server.provider(), &call),
                people::remind_of_end(server.provider(), &call)
            );
            one.unwrap();
            other.unwrap();
        };
        let told = async |person: &TestUser| {
            let all = mails(server).await;
            let own = all
                .iter()
                .filter(|(to, text)| *to == person.email && text.starts_with("Your account ends soon"));
            own.count()
        };
        look().await;
        assert_eq!(told(&ada).await, 0);
        server.advance(DAY * 16);
        look().await;
        look().await;
        assert_eq!((told(&ada).await, told(&grace).await), (1, 0));
        server.advance(DAY * 9);
        look().await;
        assert_eq!((told(&ada).await, told(&grace).await), (1, 1));
        server.advance(DAY * 2);
        look().await;
        look().await;
        assert_eq!((told(&ada).await, told(&grace).await), (2, 1));
        // whoever gets an earlier end is told of that
        say(server, &grace, json!({"expires_at": after(server, DAY * 2).rfc3339()})).await;
        look().await;
        assert_eq!(told(&grace).await, 2);
        // whoever is made for a short time knows that
        let caller = administrator(server).await;
        let end = after(server, DAY * 2).rfc3339();
        let made = json!({"username": "short", "email": "short@example.com", "expires_at": end});
        assert_eq!(caller.post("/users", made).await.status, 201);
        look().await;
        let all = mails(server).await;
        assert!(!all.iter().any(|(to, _)| to == "short@example.com"));
        // after the end nobody is looked at any more
        server.advance(DAY * 40);
        look().await;
        let mut store = server.provider().store.read().await.unwrap();
        assert!(
            store
                .list_users_near_end(server.call().now, 100)
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

/// However many accounts there are, those alone are read whose time has come.
#[tokio::test]
async fn nobody_is_looked_at_whose_end_is_far() {
    let server = Server::start().await;
    for number in 0..20 {
        let person = server.user(&format!("person-{number}")).await;
        say(
            &server,
            &person,
            json!({"expires_at": after(&server, DAY * 200).rfc3339()}),
        )
        .await;
    }
    let near = async || {
        let mut store = server.provider().store.read().await.unwrap();
        store.list_users_near_end(server.call().now, 100).await.unwrap().len()
    };
    assert_eq!(near().await, 0);
    server.advance(DAY * 111);
    assert_eq!(near().await, 20);
    assert!(!people::remind_of_end(server.provider(), &server.call()).await.unwrap());
    assert_eq!(near().await, 0, "until the next day");
    server.stop().await;
}

#[tokio::test]
async fn a_term_that_can_not_be_is_refused_and_the_last_administrator_stays() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let bob = server.user("bob").await;
        let group = server.group("administrators", &["admin"], &[&ada]).await;
        let caller = administrator(server).await;
        let path = format!("/users/{}", ada.id);
        for (body, pointer, code) in [
            (json!({"expires_at": "tomorrow"}), "/expires_at", "malformed"),
            (json!({"starts_at": "2027-01-31"}), "/starts_at", "malformed"),
            (
                json!({"starts_at": "2027-02-01T00:00:00Z", "expires_at": "2027-01-31T00:00:00Z"}),
                "/expires_at",
                "contradiction",
            ),
        ] {
            let refused = caller.patch(&path, body.clone()).await;
            assert_eq!(refused.status, 422, "{body}");
            let error = &refused.json()["errors"][0];
            assert_eq!(
                (&error["pointer"], &error["code"]),
                (&json!(pointer), &json!(code)),
                "{body}"
            );
            let mut new = body;
            new["username"] = json!("new");
            assert_eq!(caller.post("/users", new).await.status, 422);
        }
        // an end, however far, would leave the installation without anybody one day
        for term in [
            json!({"expires_at": after(server, DAY * 300).rfc3339()}),
            json!({"expires_at": "2020-01-01T00:00:00Z"}),
            json!({"starts_at": after(server, DAY).rfc3339()}),
        ] {
            let refused = caller.patch(&path, term.clone()).await;
            assert_eq!(refused.status, 409, "{term}");
        }
        let mut tx = server.provider().store.write().await.unwrap();
        tx.add_member(group, bob.id, server.call().now).await.unwrap();
        tx.commit().await.unwrap();
        let allowed = caller
            .patch(&path, json!({"expires_at": after(server, DAY * 300).rfc3339()}))
            .await;
        assert_eq!(allowed.status, 200, "{}", allowed.body);
        // who has an end is no successor of who has none
        let deactivated = caller.post(&format!("/users/{}/deactivate", bob.id), json!({})).await;
        assert_eq!(deactivated.status, 409, "{}", deactivated.body);
        // nobody extends their own account
        let own = Caller::with_token(
            server,
            &crate::api::conversation::user_token(server, &bob, "openid account").await,
        )
        .await;
        let refused = own.patch("/me", json!({"expires_at": null})).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
    })
    .await;
}

async fn run(server: &Server, file: &Value) -> Result<Difference, Error> {
    let document = Document::read(file, None)?;
    apply(server.provider(), &server.call(), &document, PruneUsers::No).await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_say_the_term_and_give_it_back() {
    each_backend(async |server| {
        let file = |term: Value| {
            let mut entry = json!({"username": "ada", "email": "ada@example.com"});
            for (name, value) in term.as_object().unwrap() {
                entry[name] = value.clone();
            }
            json!({"version": 1, "users": [entry]})
        };
        let both = file(json!({"starts_at": "2026-01-01T00:00:00Z", "expires_at": "2090-01-31T17:00:00+01:00"}));
        assert_eq!(run(server, &both).await.unwrap().changes.len(), 1);
        assert!(run(server, &both).await.unwrap().is_empty());
        let account = server.account_of("ada@example.com").await;
        assert_eq!(account.expires_at, Timestamp::parse("2090-01-31T16:00:00Z"));
        let export = export(server.provider(), Secrets::Omitted).await.unwrap();
        assert_eq!(export["users"][0]["expires_at"], "2090-01-31T16:00:00Z");
        assert_eq!(export["users"][0]["starts_at"], "2026-01-01T00:00:00Z");
        assert!(run(server, &export).await.unwrap().is_empty());
        // what is absent stays, null takes away
        assert!(run(server, &file(json!({}))).await.unwrap().is_empty());
        assert_eq!(
            run(server, &file(json!({"expires_at": null})))
                .await
                .unwrap()
                .changes
                .len(),
            1
        );
        assert_eq!(server.account_of("ada@example.com").await.expires_at, None);
        let Err(Error::Invalid(fields)) = run(server, &file(json!({"expires_at": "soon"}))).await else {
            panic!("a moment that is none");
        };
        assert_eq!(fields[0].pointer, "/users/0/expires_at");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_the_term() {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(Backend::Embedded, |_| (), commands).await;
    let terminal = Terminal::at(server.folder());
    let made = ["users", "create", "ada", "--expires-at", "2090-01-31", "--json"];
    assert_eq!(terminal.run(&made).await.json()["state"], "active");
    let shown = async || terminal.run(&["users", "show", "ada", "--json"]).await.json();
    assert_eq!(shown().await["expires_at"], "2090-01-31T00:00:00Z");
    let said = terminal
        .run(&[
            "users",
            "term",
            "ada",
            "--starts-at",
            "2080-01-01T08:00:00+01:00",
            "--expires-at",
            "none",
        ])
        .await
        .ok();
    assert!(said.contains("not_started"), "{said}");
    assert_eq!(shown().await["starts_at"], "2080-01-01T07:00:00Z");
    assert_eq!(shown().await["expires_at"], Value::Null);
    assert_eq!(terminal.run(&["users", "term", "ada"]).await.code, 2);
    assert_eq!(
        terminal
            .run(&["users", "term", "ada", "--expires-at", "soon"])
            .await
            .code,
        2
    );
    server.stop().await;
}
