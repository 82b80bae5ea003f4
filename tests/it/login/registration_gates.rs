//! Where registration is off it is off on every path, and an invitation is what it was sent as.

use std::time::Duration;

use serde_json::json;

use super::registration::{NEW, ask, fill, links};
use super::sign_in_with;
use crate::api::conversation::Caller;
use crate::support::browser::Browser;
use crate::support::server::{Server, each_backend};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn token(link: &str) -> String {
    let (_, token) = link.split_once("token=").unwrap();
    token.split('&').next().unwrap().to_owned()
}

/// Whether there is an account of this address.
async fn has_account(server: &Server, email: &str) -> bool {
    let mut store = server.provider().store.read().await.unwrap();
    store.find_user_by_email(email).await.unwrap().is_some()
}

/// SEC-231: each path to an account of one's own is closed where registration is off, also to a link that was mailed while it was on, and
/// each but the invited's where only the invited may.
#[tokio::test]
async fn registration_off_everywhere() {
    each_backend(async |server| {
        server.settings(json!({"registration.mode": "open"})).await;
        let browser = Browser::new();
        let wish = browser.get(&server.url("/register")).await;
        ask(server, &browser, "grace@example.com").await;
        let [link] = links(server, "grace@example.com").await.try_into().unwrap();
        let form = browser.get(&link).await;
        assert_eq!(form.status, 200);
        let nobody = Caller::with_token(server, "").await;
        let admin = Caller::client(server, "admin:users").await;

        for mode in ["off", "invitation"] {
            server.settings(json!({"registration.mode": mode})).await;
            let closed = [
                browser.get(&server.url("/register")).await,
                browser
                    .submit(&wish, wish.form_with("email"), &[("email", "eve@example.com")])
                    .await,
                browser.get(&server.url("/request-access")).await,
                browser.get(&server.url("/request-access/new?token=x")).await,
            ];
            for (number, page) in closed.iter().enumerate() {
                assert_eq!(page.status, 404, "{mode} {number}: {}", page.body);
            }
            for (path, body) in [
                ("/registration", json!({"email": "eve@example.com"})),
                (
                    "/registration/request",
                    json!({"token": "x", "name": "Eve", "reason": "why not"}),
                ),
            ] {
                let refused = nobody.post(path, body).await;
                assert_eq!(refused.status, 404, "{mode} {path}: {}", refused.body);
            }
            let login = browser.get(&server.url("/login")).await;
            assert!(!login.body.contains("/register"), "{mode}");
        }
        server.settings(json!({"registration.mode": "off"})).await;
        assert_eq!(browser.get(&link).await.status, 404, "mailed while it was open");
        let filled = fill(&browser, &form, &[]).await;
        assert_eq!(filled.status, 404, "{}", filled.body);
        let body = json!({"token": token(&link), "password": NEW});
        let by_interface = nobody.post("/registration/account", body).await;
        assert_eq!(by_interface.status, 404, "{}", by_interface.body);
        let invited = admin.post("/invitations", json!({"email": "eve@example.com"})).await;
        assert_eq!(invited.status, 409, "{}", invited.body);
        for email in ["grace@example.com", "eve@example.com"] {
            assert!(!has_account(server, email).await, "{email}");
            assert!(links(server, "eve@example.com").await.is_empty());
        }
    })
    .await;
}

/// SEC-298: an invitation is for its address, made by whoever may, once, until its very second; nothing that comes with the form changes
/// what it gives.
#[tokio::test]
async fn invitation_integrity() {
    each_backend(async |server| {
        server.settings(json!({"registration.mode": "invitation"})).await;
        let ada = server.user("ada").await;
        server.group("administrators", &["admin"], &[]).await;
        for scope in ["admin:users.read", "admin:groups"] {
            let other = Caller::client(server, scope).await;
            let refused = other.post("/invitations", json!({"email": "grace@example.com"})).await;
            assert_eq!(refused.status, 403, "{scope}");
        }
        let admin = Caller::client(server, "admin:users").await;
        let invite = async |email: &str| {
            let made = admin.post("/invitations", json!({"email": email})).await;
            assert_eq!(made.status, 204, "{}", made.body);
            links(server, email).await.remove(0)
        };
        let link = invite("grace@example.com").await;
        let browser = Browser::new();
        // a letter of the link is another
        let secret = token(&link);
        for place in [0, secret.len() / 2, secret.len() - 1] {
            let mut letters: Vec<char> = secret.chars().collect();
            letters[place] = if letters[place] == 'A' { 'Q' } else { 'A' };
            let edited = link.replace(&secret, &letters.iter().collect::<String>());
            assert_eq!(browser.get(&edited).await.status, 404, "{place}");
        }
        let form = browser.get(&link).await;
        let more = [
            ("email", ada.email.as_str()),
            ("groups", "administrators"),
            ("permissions", "admin"),
            ("email_verified", "true"),
            ("subject", "chosen"),
        ];
        let plain = form.form_with("password_again");
        let fields: Vec<(&str, &str)> = plain
            .inputs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !name.starts_with("password"))
            .chain([("password", NEW), ("password_again", NEW)])
            .chain(more)
            .collect();
        let done = browser.post(&link, &fields).await;
        assert_eq!(done.status, 303, "{}", done.body);
        let grace = server.account_of("grace@example.com").await;
        assert_ne!(grace.subject, "chosen");
        let mut store = server.provider().store.read().await.unwrap();
        assert!(store.list_group_names_of(grace.id).await.unwrap().is_empty());
        drop(store);
        assert_eq!(browser.get(&link).await.status, 404, "once");
        let nobody = Caller::with_token(server, "").await;
        let again = nobody
            .post("/registration/account", json!({"token": secret, "password": NEW}))
            .await;
        assert_eq!(again.status, 404, "{}", again.body);
        assert_eq!(
            sign_in_with(server, &Browser::new(), "grace@example.com", NEW)
                .await
                .status,
            303
        );

        let last = invite("bob@example.com").await;
        server.advance(DAY - Duration::from_secs(5));
        let form = browser.get(&last).await;
        assert_eq!(form.status, 200, "its day is not over");
        server.advance(Duration::from_secs(5));
        assert_eq!(browser.get(&last).await.status, 404, "it is");
        assert_eq!(fill(&browser, &form, &[]).await.status, 404);
        assert!(!has_account(server, "bob@example.com").await);
    })
    .await;
}
