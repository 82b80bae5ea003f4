//! Terms of use: published in versions, accepted with the account or on the way in, by everyone or by groups, and kept.

use std::time::Duration;

use ostiary::flow::terms::{self, NewTerms};
use ostiary::model::{RequiredAction, Terms, TermsText};
use serde_json::json;

use super::registration::{ask, fill, links};
use super::required::{require, stopped};
use super::{is_signed_in, sign_in};
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestUser, each_backend};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn version(name: &str, version: &str) -> NewTerms {
    let text = |title: &str| TermsText {
        title: title.to_owned(),
        text: Some(format!(
            "# What {name} is about\n\nVersion {version} <b>of it</b>.\n\nAnd so on."
        )),
        url: None,
    };
    NewTerms {
        name: name.to_owned(),
        version: version.to_owned(),
        effective_at: None,
        groups: Vec::new(),
        texts: [("en", "Terms of use"), ("de", "Nutzungsbedingungen")]
            .map(|(locale, title)| (locale.to_owned(), text(title)))
            .into(),
    }
}

pub async fn publish(server: &Server, new: NewTerms) -> Terms {
    // no two at one moment
    server.advance(Duration::from_millis(1));
    terms::publish(server.provider(), &server.call(), new).await.unwrap()
}

pub async fn publish_simply(server: &Server, name: &str, number: &str) -> Terms {
    publish(server, version(name, number)).await
}

/// Sends the form of what is to be accepted, with these boxes ticked.
pub async fn accept(browser: &Browser, page: &Page, ticked: &[&Terms]) -> Page {
    let names: Vec<String> = ticked.iter().map(|terms| format!("accept_{}", terms.id)).collect();
    let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    browser.submit(page, page.form_with("csrf"), &fields).await
}

async fn accepted(server: &Server, user: &TestUser) -> Vec<(String, String)> {
    let all = terms::accepted_by(server.provider(), user.id).await.unwrap();
    all.into_iter().map(|one| (one.name, one.version)).collect()
}

#[tokio::test]
async fn who_makes_an_account_accepts_what_counts_for_everyone() {
    each_backend(async |server| {
        server.settings(json!({"registration.mode": "open"})).await;
        server.group("staff", &[], &[]).await;
        let use_of = publish_simply(server, "terms", "1").await;
        let privacy = publish_simply(server, "privacy", "7").await;
        let for_staff = NewTerms {
            groups: vec!["Staff".to_owned()],
            ..version("house", "1")
        };
        publish(server, for_staff).await;
        let browser = Browser::new();
        ask(server, &browser, "grace@example.com").await;
        let [link] = links(server, "grace@example.com").await.try_into().unwrap();
        let page = browser.get(&link).await;
        let form = page.form_with("password_again");
        let boxes = form.names.iter().filter(|name| name.starts_with("accept_")).count();
        assert_eq!(boxes, 2, "{}", page.body);
        let one = [(format!("accept_{}", use_of.id), "1")];
        let one: Vec<(&str, &str)> = one.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        for fields in [&[][..], &one] {
            let refused = fill(&browser, &page, fields).await;
            assert_eq!(refused.status, 422);
            assert!(
                unescape(&refused.body).contains("Tick the box to go on"),
                "{}",
                refused.body
            );
        }
        let names = [use_of.id, privacy.id].map(|id| format!("accept_{id}"));
        let both: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        let done = fill(&browser, &page, &both).await;
        assert_eq!(done.status, 303, "{}", done.body);
        // and is not asked for them once more
        assert!(is_signed_in(server, &browser).await);
        let grace = server.account_of("grace@example.com").await;
        let kept = terms::accepted_by(server.provider(), grace.id).await.unwrap();
        assert_eq!(kept.len(), 2);
        assert!(
            kept.iter()
                .all(|one| one.occasion.as_str() == "registration" && one.locale == "en")
        );

        // it is shown to the person, and to whoever administers people
        let own = browser.get(&server.url("/account/terms")).await;
        assert!(
            own.body.contains("Version 7") && own.body.contains("/terms/privacy?version=7"),
            "{}",
            own.body
        );
        let mine = browser.get(&server.url("/api/v1/me/terms")).await;
        assert_eq!(mine.json()["items"].as_array().unwrap().len(), 2);
        let api = Caller::client(server, "admin:users.read").await;
        let told = api.get(&format!("/users/{}/terms", grace.id)).await.ok().json();
        assert_eq!(told["items"][0]["occasion"], "registration");
    })
    .await;
}

#[tokio::test]
async fn a_newer_version_is_asked_for_at_the_next_sign_in() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let old = Browser::new();
        sign_in(server, &old, &ada).await;
        let first = publish_simply(server, "terms", "1").await;
        assert!(is_signed_in(server, &old).await, "who is in stays in");

        let client = server.client(|_| ()).await;
        let party = RelyingParty::new(server, &client);
        let browser = Browser::new();
        let page = browser.open(&party.authorization_url()).await;
        let fields = [("username", "ada"), ("password", ada.password.as_str())];
        let page = browser.submit(&page, page.form_with("password"), &fields).await;
        let page = browser.follow(page).await;
        assert_eq!(page.url.path(), "/login/action");
        assert!(unescape(&page.body).contains("I accept: Terms of use"), "{}", page.body);
        // nothing leads past it
        for ticked in [&[][..], &[&publish_simply(server, "other", "0").await][..]] {
            let refused = accept(&browser, &page, ticked).await;
            assert_eq!(refused.status, 422);
        }
        assert!(!is_signed_in(server, &browser).await);
        let silent = browser.get(&party.authorization_url_with(&[("prompt", "none")])).await;
        assert!(silent.location().unwrap().as_str().contains("login_required"));
        assert_eq!(
            Browser::new().get(page.url.as_str()).await.status,
            404,
            "another browser"
        );
        assert_eq!(accepted(server, &ada).await, []);

        // another one took effect meanwhile: both are asked for
        let other = terms::list(server.provider()).await.unwrap().remove(0);
        assert_eq!(other.name, "other");
        let done = accept(&browser, &page, &[&first, &other]).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert!(is_signed_in(server, &browser).await);
        assert_ne!(
            done.location().unwrap().path(),
            "/login/action",
            "on to the application"
        );
        assert_eq!(accepted(server, &ada).await.len(), 2);
        // the same form once more changes nothing
        assert_eq!(
            accept(&browser, &page, &[&first, &other]).await.location(),
            done.location()
        );
        assert_eq!(accepted(server, &ada).await.len(), 2);
        assert_eq!(
            sign_in(server, &Browser::new(), &ada).await.location().unwrap().path(),
            "/"
        );

        // a version to come counts when its day has come
        let mut second = version("terms", "2");
        second.effective_at = Some(server.call().now.after(DAY));
        let second = publish(server, second).await;
        assert_eq!(
            sign_in(server, &Browser::new(), &ada).await.location().unwrap().path(),
            "/"
        );
        server.advance(DAY);
        let browser = Browser::new();
        let page = stopped(server, &browser, &ada).await;
        let form = page.form_with("csrf");
        let boxes: Vec<&String> = form.names.iter().filter(|name| name.starts_with("accept_")).collect();
        assert_eq!(
            boxes,
            [&format!("accept_{}", second.id)],
            "what was accepted is not asked for"
        );
        assert_eq!(
            accept(&browser, &page, &[&first]).await.status,
            422,
            "the old one is not the new one"
        );
        assert_eq!(accept(&browser, &page, &[&second]).await.status, 303);
        assert!(is_signed_in(server, &browser).await);

        // one that is taken back is asked of nobody
        let third = publish_simply(server, "terms", "3").await;
        stopped(server, &Browser::new(), &ada).await;
        terms::withdraw(server.provider(), &server.call(), third.id)
            .await
            .unwrap();
        assert_eq!(
            sign_in(server, &Browser::new(), &ada).await.location().unwrap().path(),
            "/"
        );
    })
    .await;
}

#[tokio::test]
async fn terms_are_required_of_groups_and_by_administrators() {
    each_backend(async |server| {
        let (ada, eve) = (server.user("ada").await, server.user("eve").await);
        server.group("staff", &[], &[&ada]).await;
        let house = publish(
            server,
            NewTerms {
                groups: vec!["staff".to_owned()],
                ..version("house", "1")
            },
        )
        .await;
        assert_eq!(
            sign_in(server, &Browser::new(), &eve).await.location().unwrap().path(),
            "/"
        );
        let browser = Browser::new();
        let page = stopped(server, &browser, &ada).await;
        assert_eq!(accept(&browser, &page, &[&house]).await.status, 303);
        // once more, because somebody wants it so
        require(server, &ada, &[RequiredAction::AcceptTerms]).await;
        let browser = Browser::new();
        let page = stopped(server, &browser, &ada).await;
        assert!(
            unescape(&page.body).contains("Your administrator asks you"),
            "{}",
            page.body
        );
        server.advance(Duration::from_secs(1));
        assert_eq!(accept(&browser, &page, &[&house]).await.status, 303);
        assert_eq!(accepted(server, &ada).await.len(), 2, "each time is kept");
        assert_eq!(server.account(&ada).await.required_actions, []);
        // who has nothing to accept is not held up
        require(server, &eve, &[RequiredAction::AcceptTerms]).await;
        assert_eq!(
            sign_in(server, &Browser::new(), &eve).await.location().unwrap().path(),
            "/"
        );
    })
    .await;
}

#[tokio::test]
async fn a_document_is_read_by_anybody_in_their_language() {
    each_backend(async |server| {
        let browser = Browser::new();
        let none = browser.get(&server.url("/terms")).await;
        assert!(
            unescape(&none.body).contains("Nothing has been published"),
            "{}",
            none.body
        );
        publish_simply(server, "terms", "1").await;
        publish_simply(server, "Terms", "2").await;
        let list = browser.get(&server.url("/terms")).await;
        assert!(list.body.contains("/terms/terms?version=2"), "{}", list.body);
        assert!(!list.body.contains("version=1"));
        let page = browser.get(&server.url("/terms/terms")).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("<h2>What Terms is about</h2>"), "{}", page.body);
        assert!(page.body.contains("&lt;b&gt;of it"), "{}", page.body);
        let german = browser
            .get_with(&server.url("/terms/terms"), &[("accept-language", "de")])
            .await;
        assert!(german.body.contains("Nutzungsbedingungen"), "{}", german.body);
        let old = browser.get(&server.url("/terms/terms?version=1")).await;
        assert!(
            unescape(&old.body).contains("not the version that counts"),
            "{}",
            old.body
        );
        for nothing in ["/terms/nothing", "/terms/terms?version=9", "/terms/..%2F"] {
            assert_eq!(browser.get(&server.url(nothing)).await.status, 404, "{nothing}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_administrator_publishes_versions_that_do_not_change() {
    each_backend(async |server| {
        let api = Caller::client(server, "admin:terms").await;
        let body = json!({"name": "terms", "version": "1", "texts": {"en": {"title": "Terms", "url": "https://example.com/terms"}}});
        let made = api.post("/terms", body.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let id = made.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(api.post("/terms", body).await.status, 422, "once");
        for wrong in [
            json!({"name": "a b", "version": "1", "texts": {"en": {"title": "T", "text": "x"}}}),
            json!({"name": "terms", "version": "2"}),
            json!({"name": "terms", "version": "2", "texts": {"en": {"title": "T"}}}),
            json!({"name": "terms", "version": "2", "texts": {"en": {"title": "T", "text": "x", "url": "https://a.example"}}}),
            json!({"name": "terms", "version": "2", "texts": {"en": {"title": "T", "url": "javascript:alert(1)"}}}),
            json!({"name": "terms", "version": "2", "groups": ["nobody"], "texts": {"en": {"title": "T", "text": "x"}}}),
            json!({"name": "terms", "version": "2", "effective_at": "soon", "texts": {"en": {"title": "T", "text": "x"}}}),
        ] {
            let refused = api.post("/terms", wrong.clone()).await;
            assert_eq!(refused.status, 422, "{wrong}: {}", refused.body);
        }
        let listed = api.get("/terms").await.ok().json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert_eq!(api.get(&format!("/terms/{id}")).await.ok().json()["version"], "1");
        assert_eq!(api.send("POST", &format!("/terms/{id}/withdraw"), None, &[]).await.status, 204);
        assert_eq!(api.send("POST", &format!("/terms/{id}/withdraw"), None, &[]).await.status, 404);
        let page = Browser::new().get(&server.url("/terms/terms")).await;
        assert_eq!(page.status, 404);
    })
    .await;
}
