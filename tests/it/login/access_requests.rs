//! An account by request: the person asks, an administrator decides, a mail tells.

use std::time::Duration;

use serde_json::json;

use super::recovery::mails;
use super::registration::{self, fill};
use super::{is_signed_in, sign_in_with};
use crate::api::conversation::Caller;
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::server::{Server, each_backend};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn ask(server: &Server, browser: &Browser, email: &str) -> Page {
    let page = browser.get(&server.url("/request-access")).await;
    browser
        .submit(&page, page.form_with("email"), &[("email", email)])
        .await
}

/// The links that confirm the address of a request, the newest first.
async fn links(server: &Server, email: &str) -> Vec<String> {
    let own = mails(server).await.into_iter().filter(|(to, _)| to == email);
    own.filter_map(|(_, text)| {
        let words = text.split_whitespace().map(str::to_owned);
        words
            .into_iter()
            .find(|word| word.contains("/request-access/new?token="))
    })
    .collect()
}

/// Asks, confirms, and says why.
async fn request(server: &Server, email: &str, reason: &str) -> Page {
    let browser = Browser::new();
    assert_eq!(ask(server, &browser, email).await.status, 303, "{email}");
    let link = links(server, email).await.remove(0);
    let page = browser.get(&link).await;
    let fields = [("name", "Grace Hopper"), ("reason", reason)];
    browser.submit(&page, page.form_with("reason"), &fields).await
}

#[tokio::test]
async fn a_person_asks_and_an_administrator_lets_them_in() {
    each_backend(async |server| {
        server.settings(json!({"registration.mode": "request"})).await;
        let browser = Browser::new();
        let login = browser.get(&server.url("/login")).await;
        assert!(login.body.contains("href=\"/request-access\""), "{}", login.body);
        assert_eq!(browser.get(&server.url("/register")).await.status, 404);
        let done = request(server, "grace@example.com", "To work on compilers.").await;
        assert_eq!(done.status, 303, "{}", done.body);
        let told = browser.get(done.location().unwrap().as_str()).await;
        assert!(unescape(&told.body).contains("Your request is sent"), "{}", told.body);

        let api = Caller::client(server, "admin:users").await;
        let waiting = api.get("/access-requests").await.ok().json();
        let item = &waiting["items"][0];
        assert_eq!(
            (&item["email"], &item["name"]),
            (&json!("grace@example.com"), &json!("Grace Hopper"))
        );
        assert_eq!(item["reason"], "To work on compilers.");
        let id = item["id"].as_str().unwrap().to_owned();
        let path = |act: &str| format!("/access-requests/{id}/{act}");
        assert!(
            registration::links(server, "grace@example.com").await.is_empty(),
            "nobody has decided"
        );
        assert_eq!(api.send("POST", &path("approve"), None, &[]).await.status, 204);
        for act in ["approve", "refuse"] {
            assert_eq!(
                api.send("POST", &path(act), None, &[]).await.status,
                404,
                "decided once"
            );
        }
        let filtered = api
            .get("/access-requests?filter=status%20eq%20%22approved%22")
            .await
            .ok()
            .json();
        assert_eq!(filtered["items"][0]["status"], "approved");

        let [link] = registration::links(server, "grace@example.com")
            .await
            .try_into()
            .unwrap();
        let page = browser.get(&link).await;
        assert_eq!(fill(&browser, &page, &[]).await.status, 303);
        assert!(is_signed_in(server, &browser).await);
        let by_address = sign_in_with(server, &Browser::new(), "grace@example.com", registration::NEW).await;
        assert_eq!(by_address.status, 303);
        // a later one is told like everybody, and no request is made
        let late = ask(server, &Browser::new(), "grace@example.com").await;
        assert_eq!(late.status, 303);
        assert!(mails(server).await[0].1.contains("You have an account already"));
    })
    .await;
}

#[tokio::test]
async fn a_request_is_refused_by_mail_bounded_and_forgotten() {
    each_backend(async |server| {
        server
            .settings(json!({"registration.mode": "request", "registration.most_requests": 2}))
            .await;
        let api = Caller::client(server, "admin:users").await;
        request(server, "one@example.com", "").await;
        request(server, "one@example.com", "once more").await;
        request(server, "two@example.com", "x").await;
        let waiting = api.get("/access-requests").await.ok().json();
        let items = waiting["items"].as_array().unwrap();
        assert_eq!(items.len(), 2, "one of an address: {waiting}");
        let full = request(server, "three@example.com", "x").await;
        assert_eq!(full.status, 429);
        assert!(full.headers.contains_key("retry-after"));
        let first = items.iter().find(|item| item["email"] == "one@example.com").unwrap();
        assert_eq!(first["reason"], "once more");
        let path = format!("/access-requests/{}/refuse", first["id"].as_str().unwrap());
        assert_eq!(api.send("POST", &path, None, &[]).await.status, 204);
        let (to, text) = mails(server).await.remove(0);
        assert_eq!(to, "one@example.com");
        assert!(text.contains("was not approved") && !text.contains("token="), "{text}");
        // there is room again, and its link still works
        let link = links(server, "three@example.com").await.remove(0);
        let browser = Browser::new();
        let page = browser.get(&link).await;
        let long = "x".repeat(501);
        for (field, wrong) in [("reason", long.as_str()), ("name", "a\u{200b}b")] {
            let refused = browser.submit(&page, page.form_with("reason"), &[(field, wrong)]).await;
            assert_eq!(refused.status, 422, "{field}");
        }
        let done = browser.submit(&page, page.form_with("reason"), &[]).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert_eq!(browser.get(&link).await.status, 404, "once");
        // what nobody decides about goes, and counts no more
        server.advance(31 * DAY);
        let two = items.iter().find(|item| item["email"] == "two@example.com").unwrap();
        let path = format!("/access-requests/{}/approve", two["id"].as_str().unwrap());
        let api = Caller::client(server, "admin:users").await;
        assert_eq!(api.send("POST", &path, None, &[]).await.status, 404);
        ostiary::flow::operations::cleaning::sweep(server.provider(), &server.call())
            .await
            .unwrap();
        for status in ["waiting", "refused"] {
            let left = api
                .get(&format!("/access-requests?filter=status%20eq%20%22{status}%22"))
                .await
                .ok()
                .json();
            assert_eq!(left["items"].as_array().unwrap().len(), 0, "{status}");
        }
    })
    .await;
}
