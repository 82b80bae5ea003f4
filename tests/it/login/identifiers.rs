//! What people say who they are by: a setting, and the same at every way in.

use serde_json::json;

use super::recovery::{links, mails};
use super::{is_signed_in, sign_in, sign_in_with};
use crate::support::browser::Browser;
use crate::support::html::unescape;
use crate::support::server::{Server, TestUser, each_backend};

const NUMBER: &str = "+33612345678";

async fn with_number(server: &Server, username: &str, verified: bool) -> TestUser {
    let change = |profile: &mut ostiary::model::Profile| {
        profile.phone_number = Some(NUMBER.to_owned());
        profile.phone_number_verified = verified;
    };
    server.user_with(username, change).await
}

#[tokio::test]
async fn what_counts_as_a_name_is_a_setting() {
    each_backend(async |server| {
        let ada = with_number(server, "ada", true).await;
        for (setting, label, counts) in [
            ("username_or_email", "Email or username", [true, true, false]),
            ("username", "Username", [true, false, false]),
            ("email", "Email", [false, true, false]),
            ("any", "Email, username or telephone number", [true, true, true]),
        ] {
            server.settings(json!({"sign_in.identifiers": setting})).await;
            let page = Browser::new().get(&server.url("/login")).await;
            assert!(
                unescape(&page.body).contains(&format!(">{label}</label>")),
                "{}",
                page.body
            );
            let names = ["ADA", ada.email.as_str(), "00 33 6 12 34 56 78"];
            for (name, counts) in names.into_iter().zip(counts) {
                let signed_in = sign_in_with(server, &Browser::new(), name, &ada.password).await;
                let expected = if counts { 303 } else { 422 };
                assert_eq!(signed_in.status, expected, "{name} where {setting} counts");
            }
        }
        // one more proof of somebody who is signed in asks for no name
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        server.settings(json!({"sign_in.identifiers": "email"})).await;
        let again = browser.get(&server.url("/login?again=1")).await;
        let form = again.form_with("password");
        let proved = browser.submit(&again, form, &[("password", &ada.password)]).await;
        assert_eq!(proved.status, 303, "{}", proved.body);
        assert!(is_signed_in(server, &browser).await);
        // a forgotten password is asked for by the same names
        for (name, mailed) in [("ada", 0), (ada.email.as_str(), 1)] {
            let browser = Browser::new();
            let page = browser.get(&server.url("/login/forgot")).await;
            let form = page.form_with("username");
            assert_eq!(browser.submit(&page, form, &[("username", name)]).await.status, 303);
            mails(server).await;
            assert_eq!(links(server, &ada).await.len(), mailed, "{name}");
        }
    })
    .await;
}

/// A number names whoever has shown that it is theirs, and nobody if two have.
#[tokio::test]
async fn a_number_is_a_name_while_it_is_one_persons() {
    each_backend(async |server| {
        server.settings(json!({"sign_in.identifiers": "any"})).await;
        let bob = with_number(server, "bob", false).await;
        let by_number = async |user: &TestUser| {
            sign_in_with(server, &Browser::new(), NUMBER, &user.password)
                .await
                .status
        };
        assert_eq!(by_number(&bob).await, 422, "not shown to be theirs");
        let ada = with_number(server, "ada", true).await;
        assert_eq!(by_number(&ada).await, 303);
        with_number(server, "eve", true).await;
        assert_eq!(by_number(&ada).await, 422, "two have it");
    })
    .await;
}
