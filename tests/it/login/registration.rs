//! An account of one's own: the wish, the mail, the link, the form behind it, and what a stranger can't find out or make the server keep.

use ostiary::flow::Error;
use ostiary::flow::people::{self, ChangeSource};
use ostiary::model::AccessRequestStatus;
use serde_json::json;
use std::collections::BTreeSet;

use super::recovery::mails;
use super::{MINUTE, sign_in_with};
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

pub const NEW: &str = "a long walk by the river at noon";

/// Asks for a link to an account of this address.
pub async fn ask(server: &Server, browser: &Browser, email: &str) -> Page {
    let page = browser.get(&server.url("/register")).await;
    browser
        .submit(&page, page.form_with("email"), &[("email", email)])
        .await
}

/// The links to a new account that an address was mailed, the newest first.
pub async fn links(server: &Server, email: &str) -> Vec<String> {
    let own = mails(server).await.into_iter().filter(|(to, _)| to == email);
    own.filter_map(|(_, text)| {
        let words = text.split_whitespace().map(str::to_owned);
        words.into_iter().find(|word| word.contains("/register/new?token="))
    })
    .collect()
}

pub async fn fill(browser: &Browser, page: &Page, fields: &[(&str, &str)]) -> Page {
    let password = [("password", NEW), ("password_again", NEW)];
    let all: Vec<(&str, &str)> = password
        .into_iter()
        .filter(|(name, _)| !fields.iter().any(|(other, _)| other == name))
        .chain(fields.iter().copied())
        .collect();
    browser.submit(page, page.form_with("password_again"), &all).await
}

/// What a reader sees of an answer, without what is drawn anew for each.
fn seen(page: &Page) -> (u16, BTreeSet<String>, String) {
    let names = page.headers.keys().map(ToString::to_string).collect();
    (page.status.as_u16(), names, page.header("location").to_owned())
}

#[tokio::test]
async fn nobody_registers_where_nobody_said_so() {
    each_backend(async |server| {
        let browser = Browser::new();
        let login = browser.get(&server.url("/login")).await;
        assert!(!login.body.contains("/register"), "{}", login.body);
        for path in ["/register", "/register/new?token=x"] {
            assert_eq!(browser.get(&server.url(path)).await.status, 404, "{path}");
        }
        server.settings(json!({"registration.mode": "invitation"})).await;
        assert_eq!(browser.get(&server.url("/register")).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_person_makes_an_account_on_the_way_to_an_application() {
    each_backend(async |server| {
        server.settings(json!({"registration.mode": "open"})).await;
        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let nobody = server.user("nobody").await;
        let browser = Browser::new();
        let login = browser.open(&party.authorization_url()).await;
        let html = unescape(&login.body);
        let (_, after) = html.split_once("href=\"/register").expect("a way to an account");
        let register = format!("/register{}", after.split_once('"').unwrap().0);
        let page = browser.get(&server.url(&register)).await;
        let sent = browser
            .submit(&page, page.form_with("email"), &[("email", " Grace@Example.com ")])
            .await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        let told = browser.follow(sent).await;
        assert!(unescape(&told.body).contains("A mail is on its way"), "{}", told.body);

        let [link] = links(server, "Grace@Example.com").await.try_into().unwrap();
        let form = browser.get(&link).await;
        assert!(form.body.contains("Grace@Example.com"));
        let names = [
            ("given_name", " Grace "),
            ("family_name", "Hopper"),
            ("username", "grace"),
        ];
        let done = fill(&browser, &form, &names).await;
        // signed in, and on to the application
        assert_eq!(done.status, 303, "{}", done.body);
        let arrival = browser.walk(done, &nobody).await;
        let tokens = party.redeem(arrival.code()).await.ok();
        let claims = party.userinfo(&tokens.get("access_token")).await.ok().json();
        assert_eq!(claims["email"], "Grace@Example.com");
        assert_eq!(claims["email_verified"], true);
        assert_eq!(claims["name"], "Grace Hopper");

        assert_eq!(browser.get(&link).await.status, 404, "once");
        for identifier in ["grace@example.com", "GRACE"] {
            let page = sign_in_with(server, &Browser::new(), identifier, NEW).await;
            assert_eq!(page.status, 303, "{identifier}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_taken_is_said_where_it_stands_and_the_link_still_works() {
    each_backend(async |server| {
        server.settings(json!({"registration.mode": "open"})).await;
        let ada = server.user("ada").await;
        let browser = Browser::new();
        for wrong in ["", "grace", "grace@", "a@b@example.com", "\u{430}da@example.com"] {
            assert_eq!(ask(server, &browser, wrong).await.status, 422, "{wrong}");
        }
        ask(server, &browser, "grace@example.com").await;
        let [link] = links(server, "grace@example.com").await.try_into().unwrap();
        let form = browser.get(&link).await;
        for (fields, said) in [
            (vec![("password", "short"), ("password_again", "short")], "at least"),
            (vec![("password_again", "another one")], "twice"),
            (vec![("username", ada.username.as_str())], "somebody else"),
            (vec![("username", ada.email.as_str())], "somebody else"),
            (vec![("given_name", "a\u{200b}b")], "150 characters"),
            (
                vec![
                    ("password", "grace@example.com"),
                    ("password_again", "grace@example.com"),
                ],
                "email",
            ),
        ] {
            let refused = fill(&browser, &form, &fields).await;
            assert_eq!(refused.status, 422, "{fields:?}");
            let text = unescape(&refused.body).to_lowercase();
            assert!(text.contains(said) || !said.is_ascii(), "{fields:?}: {text}");
            assert!(!refused.body.contains(NEW), "a password is not shown again");
        }
        // another browser's form is no form of this one
        let stranger = Browser::new();
        stranger.get(&server.url("/login")).await;
        assert_eq!(fill(&stranger, &form, &[]).await.status, 403);
        // of two clicks one makes the account
        let form = browser.get(&link).await;
        let (one, two) = tokio::join!(fill(&browser, &form, &[]), fill(&browser, &form, &[]));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert!(statuses[0] == 303, "{statuses:?}");
        let page = sign_in_with(server, &Browser::new(), "grace@example.com", NEW).await;
        assert_eq!(page.status, 303);
    })
    .await;
}

/// SEC-221, SEC-301: whoever asks in the name of somebody who has an account sees what everybody sees; the person is told by mail.
#[tokio::test]
async fn nobody_finds_out_who_has_an_account() {
    each_backend(async |server| {
        server.settings(json!({"registration.mode": "open"})).await;
        let ada = server.user("ada").await;
        let gone = server.user("gone").await;
        let account = server.account(&gone).await;
        people::deactivate_user(
            server.provider(),
            &server.call(),
            &ChangeSource::Command,
            account.id,
            None,
        )
        .await
        .unwrap();
        let mut answers = BTreeSet::new();
        for email in [
            ada.email.as_str(),
            gone.email.as_str(),
            "new@example.com",
            "ADA@EXAMPLE.COM",
        ] {
            let browser = Browser::new();
            let sent = ask(server, &browser, email).await;
            let answer = seen(&sent);
            let told = browser.follow(sent).await;
            answers.insert((answer, told.status.as_u16(), told.body.len()));
        }
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(links(server, &ada.email).await.is_empty());
        let all = mails(server).await;
        let to_ada: Vec<_> = all
            .iter()
            .filter(|(to, _)| to.eq_ignore_ascii_case(&ada.email))
            .collect();
        assert_eq!(to_ada.len(), 2);
        assert!(to_ada[0].1.contains("You have an account already"));
        assert!(!all.iter().any(|(to, _)| *to == gone.email));
    })
    .await;
}

/// SEC-297, SEC-305: a link works once, for its time, for its own purpose, the newest alone; an address is sent a few mails; only so
/// many links are open; addresses of the network have a budget.
#[tokio::test]
async fn registration_limits() {
    each_backend(async |server| {
        server
            .settings(
                json!({"registration.mode": "open", "registration.most_mails": 2, "registration.most_links": 10,
                "guess.source_budget": 30}),
            )
            .await;
        let browser = Browser::new();
        for _ in 0..3 {
            ask(server, &browser, "grace@example.com").await;
        }
        let [newer, older] = links(server, "grace@example.com").await.try_into().unwrap();
        assert_eq!(browser.get(&older).await.status, 404, "only the newest counts");
        assert_eq!(browser.get(&newer).await.status, 200);
        let other = newer.replace("/register/new", "/login/recover");
        assert_eq!(browser.get(&other).await.status, 404, "it is for nothing else");
        server.advance(24 * 60 * MINUTE);
        assert_eq!(browser.get(&newer).await.status, 404, "a day is over");

        for number in 0..12 {
            ask(server, &browser, &format!("somebody{number}@example.com")).await;
        }
        let open: usize = mails(server)
            .await
            .iter()
            .filter(|(to, _)| to.starts_with("somebody"))
            .count();
        assert_eq!(open, 10, "as many as may be open");
        // those that ended make room
        server.advance(24 * 60 * MINUTE);
        ask(server, &browser, "late@example.com").await;
        assert_eq!(links(server, "late@example.com").await.len(), 1);
        let mut refused = None;
        for number in 0..40 {
            let page = ask(server, &browser, &format!("more{number}@example.com")).await;
            if page.status == 429 {
                refused = Some(page);
                break;
            }
        }
        let refused = refused.expect("a budget for each network");
        assert!(refused.headers.contains_key("retry-after"));
    })
    .await;
}

#[tokio::test]
async fn an_invitation_lets_somebody_in_where_only_the_invited_may() {
    each_backend(async |server| {
        let api = Caller::client(server, "admin:users").await;
        let body = json!({"email": "grace@example.com", "locale": "de"});
        let off = api.post("/invitations", body.clone()).await;
        assert_eq!(off.status, 409, "{}", off.body);
        server.settings(json!({"registration.mode": "invitation"})).await;
        let ada = server.user("ada").await;
        let taken = api.post("/invitations", json!({"email": ada.email})).await;
        assert_eq!(taken.status, 422, "{}", taken.body);
        let done = api.post("/invitations", body.clone()).await;
        assert_eq!(done.status, 204, "{}", done.body);
        let (_, text) = mails(server).await.remove(0);
        assert!(text.contains("eingeladen"), "{text}");
        let [link] = links(server, "grace@example.com").await.try_into().unwrap();
        let browser = Browser::new();
        let form = browser.get(&link).await;
        assert_eq!(fill(&browser, &form, &[]).await.status, 303);
        let page = sign_in_with(server, &Browser::new(), "grace@example.com", NEW).await;
        assert_eq!(page.status, 303);
    })
    .await;
}

/// What counts when a link is followed decides, not what counted when it was mailed.
#[tokio::test]
async fn a_link_to_a_domain_that_was_denied_since_leads_nowhere() {
    each_backend(async |server| {
        server.settings(json!({"registration.mode": "open"})).await;
        let browser = Browser::new();
        ask(server, &browser, "grace@example.com").await;
        let link = links(server, "grace@example.com").await.remove(0);
        let page = browser.get(&link).await;
        assert_eq!(page.status, 200, "{}", page.body);
        server
            .settings(json!({"registration.denied_domains": "example.com"}))
            .await;
        assert_eq!(browser.get(&link).await.status, 404);
        let fields = [
            ("given_name", "Grace"),
            ("family_name", "Hopper"),
            ("username", "grace"),
        ];
        let refused = fill(&browser, &page, &fields).await;
        assert_eq!(refused.status, 404, "{}", refused.body);
        // an administrator's approval is no way around it either
        server
            .settings(json!({"registration.denied_domains": "", "registration.mode": "request"}))
            .await;
        let requested = browser.get(&server.url("/request-access")).await;
        let form = requested.form_with("email");
        browser.submit(&requested, form, &[("email", "eve@example.com")]).await;
        let all = mails(server).await;
        let mut words = all.iter().flat_map(|(_, text)| text.split_whitespace());
        let confirm = words.find(|word| word.contains("/request-access/new?token=")).unwrap();
        server
            .settings(json!({"registration.denied_domains": "example.com"}))
            .await;
        assert_eq!(browser.get(confirm).await.status, 404);
        server.settings(json!({"registration.denied_domains": ""})).await;
        let page = browser.get(confirm).await;
        let form = page.form_with("reason");
        let done = browser.submit(&page, form, &[("name", "Eve"), ("reason", "x")]).await;
        assert_eq!(done.status, 303, "{}", done.body);
        server
            .settings(json!({"registration.denied_domains": "example.com"}))
            .await;
        let call = server.call();
        let waiting = people::list_access_requests(server.provider(), AccessRequestStatus::Waiting, None, 10)
            .await
            .unwrap();
        let refused = people::approve_access(server.provider(), &call, waiting.items[0].id).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        server.settings(json!({"registration.denied_domains": ""})).await;
        let link = async || links(server, "grace@example.com").await.remove(0);
        assert_eq!(
            browser.get(&link().await).await.status,
            200,
            "and back, while the link lasts"
        );
    })
    .await;
}
