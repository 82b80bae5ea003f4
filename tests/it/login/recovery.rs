//! A forgotten password: the wish, the mail, the link, and what a new password ends.

use std::collections::BTreeSet;

use ostiary::flow::operations::outbox;
use ostiary::flow::people;
use ostiary::view::Views;
use serde_json::json;

use super::factor_scene::{answer, asked, enrolled, now};
use super::{MINUTE, is_signed_in, sign_in, sign_in_with};
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

const NEW: &str = "a long walk by the river at noon";

/// Every mail, the newest first: to whom, and what it says.
pub async fn mails(server: &Server) -> Vec<(String, String)> {
    people::answer_wishes(server.provider()).await.unwrap();
    let views = Views::new().unwrap();
    let all = outbox::list(server.provider(), &views, 200).await.unwrap();
    all.into_iter()
        .map(|mail| {
            (
                mail.recipient,
                format!("{}\n{}", mail.content.subject, mail.content.text),
            )
        })
        .collect()
}

/// The links to a new password that somebody was mailed, the newest first.
pub async fn links(server: &Server, user: &TestUser) -> Vec<String> {
    let own = mails(server).await.into_iter().filter(|(to, _)| *to == user.email);
    own.filter_map(|(_, text)| {
        let words = text.split_whitespace().map(str::to_owned);
        words.into_iter().find(|word| word.contains("/login/recover?token="))
    })
    .collect()
}

/// Asks for a link in the name of somebody, and gives the answer.
async fn ask(server: &Server, browser: &Browser, identifier: &str) -> Page {
    let page = browser.get(&server.url("/login/forgot")).await;
    let form = page.form_with("username");
    browser.submit(&page, form, &[("username", identifier)]).await
}

async fn set(browser: &Browser, page: &Page, new: &str) -> Page {
    let fields = [("password", new), ("password_again", new)];
    browser.submit(page, page.form_with("password_again"), &fields).await
}

/// What a reader sees of an answer, without what is drawn anew for each.
fn seen(page: &Page) -> (u16, BTreeSet<String>, String) {
    let names = page.headers.keys().map(ToString::to_string).collect();
    (page.status.as_u16(), names, page.header("location").to_owned())
}

/// SEC-290, SEC-294, SEC-295: the link goes to the stored address, is looked at without being spent, works once and for twenty
/// minutes, and ends every session and grant.
#[tokio::test]
async fn reset_token_rules() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid offline_access".to_owned();
        let (own, mailbox) = (Browser::new(), Browser::new());
        let arrival = party.sign_in(&own, &ada).await;
        let refresh = party.redeem(arrival.code()).await.ok().get("refresh_token");
        let login = own.get(&server.url("/login?again=1")).await;
        assert!(login.body.contains("/login/forgot"), "{}", login.body);

        let sent = ask(server, &mailbox, " ADA ").await;
        assert_eq!(sent.status, 303);
        let told = mailbox.follow(sent).await;
        assert!(
            unescape(&told.body).contains("If there is such an account"),
            "{}",
            told.body
        );
        assert!(unescape(&told.body).contains("20 minutes"));
        let [older] = links(server, &ada).await.try_into().unwrap();
        server.advance(MINUTE);
        ask(server, &mailbox, &ada.email).await;
        let newer = links(server, &ada).await.remove(0);
        assert_eq!(mailbox.get(&older).await.status, 404, "only the newest counts");

        // programs that look at mails follow links
        for _ in 0..3 {
            let page = Browser::new().get(&newer).await;
            assert_eq!(page.status, 200);
            assert_eq!(page.header("referrer-policy"), "no-referrer");
        }
        let page = mailbox.get(&newer).await;
        for (password, again) in [
            ("short", "short"),
            ("ada@example.com", "ada@example.com"),
            (NEW, "x"),
            ("", ""),
        ] {
            let fields = [("password", password), ("password_again", again)];
            let refused = mailbox.submit(&page, page.form_with("password"), &fields).await;
            assert_eq!(refused.status, 422, "{password}");
            assert!(!refused.body.contains(NEW));
        }
        let stranger = Browser::new();
        stranger.get(&server.url("/login")).await;
        let forged = stranger
            .submit(&page, page.form_with("password"), &[("password", NEW)])
            .await;
        assert_eq!(forged.status, 403, "another browser's form");

        let done = set(&mailbox, &page, NEW).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert_eq!(done.header("location"), "/login?replaced=1");
        assert!(!is_signed_in(server, &mailbox).await, "a link signs nobody in");
        assert!(!is_signed_in(server, &own).await);
        assert_eq!(party.refresh(&refresh).await.error(), "invalid_grant");
        assert_eq!(sign_in(server, &Browser::new(), &ada).await.status, 422);
        assert_eq!(sign_in_with(server, &Browser::new(), "ada", NEW).await.status, 303);
        assert_eq!(set(&mailbox, &page, "another long walk by the sea").await.status, 404);
        assert_eq!(sign_in_with(server, &Browser::new(), "ada", NEW).await.status, 303);
        let all = mails(server).await;
        assert!(all.iter().all(|(to, _)| *to == ada.email));
        assert!(all.iter().any(|(_, text)| text.contains("Your password was changed")));

        // too old
        ask(server, &mailbox, "ada").await;
        let late = links(server, &ada).await.remove(0);
        server.advance(20 * MINUTE);
        let dead = mailbox.get(&late).await;
        assert_eq!(dead.status, 404);
        assert!(dead.body.contains("does not work any more"), "{}", dead.body);

        server.provider().write_noted_events().await.unwrap();
        let events = Caller::client(server, "admin:events.read")
            .await
            .get("/events")
            .await
            .body;
        for kind in ["password.link_mailed", "password.changed"] {
            assert!(events.contains(kind), "{kind}");
        }
    })
    .await;
}

/// SEC-290, SEC-304: a new password, another address and the end of the account void a link; of two who follow one at once, one is
/// turned away.
#[tokio::test]
async fn what_changes_the_account_voids_its_links() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin:users").await;
        let mailbox = Browser::new();
        for (name, path, body) in [
            ("bea", "reset-password", json!({"password": NEW})),
            ("cleo", "deactivate", json!({})),
            ("dora", "", json!({"email": "elsewhere@example.com"})),
        ] {
            let user = server.user(name).await;
            ask(server, &mailbox, name).await;
            let link = links(server, &user).await.remove(0);
            assert_eq!(mailbox.get(&link).await.status, 200, "{name}");
            let path = format!("/users/{}/{path}", user.id);
            let answer = match name {
                "dora" => caller.patch(path.trim_end_matches('/'), body).await,
                _ => caller.post(&path, body).await,
            };
            assert!(answer.status.is_success(), "{name}: {}", answer.body);
            assert_eq!(mailbox.get(&link).await.status, 404, "{name}");
            match name {
                "cleo" => drop(caller.post(&format!("/users/{}/reactivate", user.id), json!({})).await),
                "dora" => drop(
                    caller
                        .patch(&format!("/users/{}", user.id), json!({"email": user.email}))
                        .await,
                ),
                _ => (),
            }
            assert_eq!(mailbox.get(&link).await.status, 404, "{name}: dead is dead");
        }
        let eve = server.user("eve").await;
        ask(server, &mailbox, "eve").await;
        let link = links(server, &eve).await.remove(0);
        let page = mailbox.get(&link).await;
        let words = ["a walk by the lake", "a walk in the wood", "a walk on the moon"];
        let answers = futures_util::future::join_all(words.map(|word| set(&mailbox, &page, word))).await;
        let won: Vec<usize> = (0..3).filter(|at| answers[*at].status == 303).collect();
        assert_eq!(
            won.len(),
            1,
            "{:?}",
            answers.iter().map(|a| a.status).collect::<Vec<_>>()
        );
        for (at, word) in words.iter().enumerate() {
            let is_it = sign_in_with(server, &Browser::new(), "eve", word).await.status == 303;
            assert_eq!(is_it, at == won[0], "{word}");
        }
    })
    .await;
}

/// SEC-221, SEC-294, SEC-301, for recovery: whoever is named, the answer is the same, and nothing is read or written before it that hangs on the
/// name.
#[tokio::test]
async fn the_answer_tells_nothing_of_the_account() {
    let server = Server::start().await;
    server.user("ada").await;
    server.user_with("mute", |profile| profile.email = None).await;
    let off = server.user("off").await;
    let caller = Caller::client(&server, "admin:users").await;
    caller.post(&format!("/users/{}/deactivate", off.id), json!({})).await;
    let long = "x".repeat(3_000);
    let odd = "ada@example.com,eve@example.com";
    let browser = Browser::new();
    let wanted = seen(&ask(&server, &browser, "ada").await);
    let before = mails(&server).await.len();
    for name in [
        "nobody",
        "mute",
        "off",
        odd,
        "ada@example.com\r\nbcc: eve@example.com",
        &long,
    ] {
        let answer = ask(&server, &browser, name).await;
        assert_eq!(seen(&answer), wanted, "{name}");
        let told = browser.follow(answer).await;
        assert!(told.body.contains("If there is such an account"), "{name}");
        assert!(!told.body.contains("eve@"));
    }
    assert_eq!(mails(&server).await.len(), before, "nobody else is mailed");
    // two of them
    let page = browser.get(&server.url("/login/forgot")).await;
    let csrf = page.form_with("username");
    let csrf = &csrf.inputs.iter().find(|(name, _)| name == "csrf").unwrap().1;
    let twice = [("csrf", csrf.as_str()), ("username", "ada"), ("username", "eve")];
    assert_eq!(browser.post(&server.url("/login/forgot"), &twice).await.status, 400);
    assert_eq!(
        browser
            .post(&server.url("/login/forgot"), &[("username", "ada")])
            .await
            .status,
        403
    );
    let empty = ask(&server, &browser, "  ").await;
    assert_eq!(empty.status, 422);
    server.stop().await;
}

#[tokio::test]
async fn mails_are_bounded_by_person_and_network_and_nobody_is_locked_out() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    server
        .settings(json!({"recovery.most_mails": 3, "guess.source_budget": 12}))
        .await;
    let stranger = Browser::new();
    for _ in 0..8 {
        assert_eq!(ask(&server, &stranger, "ada").await.status, 303);
    }
    let sent = links(&server, &ada).await;
    assert_eq!(sent.len(), 3);
    assert_eq!(stranger.get(&sent[0]).await.status, 200, "the last one works");
    assert_eq!(
        sign_in(&server, &Browser::new(), &ada).await.status,
        303,
        "so does the password"
    );
    for _ in 0..4 {
        assert_eq!(ask(&server, &stranger, "nobody").await.status, 303);
    }
    let refused = ask(&server, &stranger, "nobody").await;
    assert_eq!(refused.status, 429);
    assert!(!refused.header("retry-after").is_empty());
    server.advance(16 * MINUTE);
    assert_eq!(ask(&server, &stranger, "ada").await.status, 303);
    assert_eq!(links(&server, &ada).await.len(), 4);

    server.settings(json!({"recovery.enabled": false})).await;
    let link = links(&server, &ada).await.remove(0);
    for url in [server.url("/login/forgot"), link] {
        assert_eq!(stranger.get(&url).await.status, 404, "{url}");
    }
    let login = stranger.get(&server.url("/login")).await;
    assert!(!login.body.contains("/login/forgot"));
    server.stop().await;
}

/// SEC-291: the request that asked goes on in the browser that it came with, and nowhere else; the form to a new password is reached
/// with a link alone.
#[tokio::test]
async fn the_person_goes_on_to_the_application_in_the_browser_that_asked() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let asking = Browser::new();
        let login = asking.open(&party.authorization_url()).await;
        let at = login.body.find("/login/forgot?flow=").unwrap();
        let href = unescape(login.body[at..].split('"').next().unwrap());
        let page = asking.get(&server.url(&href)).await;
        let sent = asking
            .submit(&page, page.form_with("username"), &[("username", "ada")])
            .await;
        assert!(sent.header("location").contains("flow="), "{}", sent.header("location"));
        let link = links(server, &ada).await.remove(0);

        let elsewhere = Browser::new().get(&link).await;
        assert_eq!(elsewhere.status, 200, "a mail may be read on a telephone");
        let page = asking.get(&link).await;
        let done = set(&asking, &page, NEW).await;
        let login = asking.follow(done).await;
        assert!(
            unescape(&login.body).contains("Your new password is set."),
            "{}",
            login.body
        );
        let form = login.form_with("password");
        let fields = [("username", "ada"), ("password", NEW)];
        let answer = asking.submit(&login, form, &fields).await;
        let person = TestUser {
            password: NEW.to_owned(),
            ..ada.clone()
        };
        let page = asking.follow(answer).await;
        let arrival = asking.walk(page, &person).await;
        party.redeem(arrival.code()).await.ok();

        // asked in one browser, followed in another
        let (other, phone) = (Browser::new(), Browser::new());
        let login = other.open(&party.authorization_url()).await;
        let at = login.body.find("/login/forgot?flow=").unwrap();
        let href = unescape(login.body[at..].split('"').next().unwrap());
        let page = other.get(&server.url(&href)).await;
        other
            .submit(&page, page.form_with("username"), &[("username", "ada")])
            .await;
        let link = links(server, &ada).await.remove(0);
        let page = phone.get(&link).await;
        let done = set(&phone, &page, "another long walk by the sea").await;
        assert_eq!(done.header("location"), "/login?replaced=1");

        for path in ["/login/recover", "/login/recover?token=", "/login/recover?token=guess"] {
            assert_eq!(phone.get(&server.url(path)).await.status, 404, "{path}");
            let fields = [("password", NEW), ("password_again", NEW)];
            assert_eq!(phone.post(&server.url(path), &fields).await.status, 404, "{path}");
        }
    })
    .await;
}

/// SEC-293: links in mails come from the configured address, whatever a request claims.
#[tokio::test]
async fn mail_links_from_config() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let browser = Browser::new();
    let page = browser.get(&server.url("/login/forgot")).await;
    let form = page.form_with("username").filled(&[("username", "ada")]);
    let fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for headers in [
        [("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")],
        [("forwarded", "host=evil.example"), ("x-original-host", "evil.example")],
        [("x-host", "evil.example"), ("x-forwarded-server", "evil.example")],
    ] {
        browser.post_with(&server.url("/login/forgot"), &fields, &headers).await;
    }
    let own = server.url("/login/recover?token=");
    let all = links(&server, &ada).await;
    assert!(!all.is_empty());
    assert!(all.iter().all(|link| link.starts_with(&own)), "{all:?}");
    assert!(
        mails(&server)
            .await
            .iter()
            .all(|(_, text)| !text.contains("evil.example"))
    );
    server.stop().await;
}

/// SEC-292: whoever has a second factor is asked for it after a reset as before; neither the link nor the new password is one.
#[tokio::test]
async fn reset_keeps_mfa() {
    each_backend(async |server| {
        let mut ada = enrolled(server, "ada").await;
        let browser = Browser::new();
        ask(server, &browser, &ada.user.email).await;
        let link = links(server, &ada.user).await.remove(0);
        let page = browser.get(&link).await;
        assert_eq!(set(&browser, &page, NEW).await.status, 303);
        assert!(!is_signed_in(server, &browser).await);
        assert!(!is_signed_in(server, &ada.browser).await, "every session has ended");
        ada.user.password = NEW.to_owned();
        let page = asked(server, &browser, &ada.user).await;
        assert!(!is_signed_in(server, &browser).await);
        let done = answer(&browser, &page, &now(server, &ada.authenticator)).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
    })
    .await;
}

/// SEC-290, SEC-221, at the interface: a password is recovered there as at the pages, once, telling as little, within the same limits.
#[tokio::test]
async fn a_password_is_recovered_by_interface() {
    each_backend(async |server| {
        let nobody = Caller::with_token(server, "").await;
        let ada = enrolled(server, "ada").await;
        let (user, home) = (&ada.user, Browser::new());
        let page = asked(server, &home, user).await;
        answer(&home, &page, &now(server, &ada.authenticator)).await;
        assert!(is_signed_in(server, &home).await);
        for named in [user.username.as_str(), "nobody", "nobody@example.com"] {
            let sent = nobody.post("/recovery", json!({"identifier": named})).await;
            assert_eq!((sent.status.as_u16(), sent.body.as_str()), (204, ""), "{named}");
        }
        assert_eq!(nobody.post("/recovery", json!({"identifier": " "})).await.status, 422);
        let [link] = links(server, user).await.try_into().unwrap();
        let (_, token) = link.split_once("token=").unwrap();
        let set = async |token: &str, new: &str| {
            let body = json!({"token": token, "password": new});
            nobody.post("/recovery/password", body).await
        };
        let weak = set(token, "short").await;
        assert_eq!(weak.status, 422, "{}", weak.body);
        assert_eq!(set(&format!("{token}x"), NEW).await.status, 404);
        assert!(is_signed_in(server, &home).await);
        let done = set(token, NEW).await;
        assert_eq!((done.status.as_u16(), done.body.as_str()), (204, ""));
        assert_eq!(set(token, NEW).await.status, 404, "once");
        assert!(!is_signed_in(server, &home).await);
        // nobody is signed in by it: the second factor is asked for as ever
        let page = sign_in_with(server, &Browser::new(), &user.username, NEW).await;
        assert_eq!(page.location().unwrap().path(), "/login/factor");
        // within the limits of the pages, and not where people may not help themselves
        server.settings(json!({"guess.source_budget": 5})).await;
        let mut statuses = Vec::new();
        for _ in 0..6 {
            let answer = nobody.post("/recovery", json!({"identifier": "nobody"})).await;
            assert_eq!(answer.status == 429, !answer.header("retry-after").is_empty());
            statuses.push(answer.status.as_u16());
        }
        assert_eq!(*statuses.last().unwrap(), 429, "{statuses:?}");
        server.settings(json!({"recovery.enabled": false})).await;
        assert_eq!(nobody.post("/recovery", json!({"identifier": "ada"})).await.status, 404);
    })
    .await;
}
