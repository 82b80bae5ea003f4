//! `/api/v1/me/consents`: what a person has allowed, narrowed and withdrawn, by interface and by page.

use std::time::Duration;

use ostiary::model::Scopes;
use serde_json::json;

use super::conversation::{Caller, user_token};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::each_backend;

/// What is taken back alone ends what holds it, and no more; the application has to ask for it, and is let in with the rest.
#[tokio::test]
async fn a_person_narrows_what_they_have_allowed() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let client = server
            .client(|client| client.metadata.scope = Scopes::from_tokens(["openid", "profile", "email"]))
            .await;
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid profile email".to_owned();
        let browser = Browser::new();
        let wide = party.sign_in(&browser, &ada).await;
        let wide = party.redeem(wide.code()).await.ok();
        party.scope = "openid profile".to_owned();
        let slim = party.sign_in(&browser, &ada).await;
        let slim = party.redeem(slim.code()).await.ok();
        let own = Caller::with_token(server, &user_token(server, &ada, "openid account").await).await;
        let listed = own.get("/me/consents").await.ok().json();
        let items = listed["items"].as_array().unwrap();
        let consent = items
            .iter()
            .find(|item| item["client_id"] == client.client_id.as_str())
            .unwrap();
        assert_eq!(consent["scope"], "openid profile email");
        let path = format!("/me/consents/{}", consent["id"].as_str().unwrap());
        assert_eq!(
            own.patch(&path, json!({"scope": "profile"})).await.status,
            409,
            "that is all of it"
        );
        assert_eq!(
            own.patch(&path, json!({"scope": "openid profile email"})).await.status,
            404,
            "nothing less"
        );
        let narrowed = own.patch(&path, json!({"scope": "openid profile"})).await;
        assert_eq!(narrowed.status, 204, "{}", narrowed.body);
        assert_eq!(
            party.userinfo(&wide.get("access_token")).await.status,
            401,
            "what held it has ended"
        );
        assert_eq!(
            party.userinfo(&slim.get("access_token")).await.status,
            200,
            "what did not goes on"
        );
        party.scope = "openid profile".to_owned();
        let silent = browser.open(&party.authorization_url()).await;
        assert!(
            silent
                .location()
                .is_some_and(|to| to.query().unwrap_or_default().contains("code=")),
            "{}",
            silent.body
        );
        party.scope = "openid profile email".to_owned();
        let asks = browser.open(&party.authorization_url()).await;
        assert_eq!(asks.url.path(), "/login/consent", "asked anew: {}", asks.body);

        // by the page, one thing by its button; freshly proved
        let page = browser.get(&server.url("/account")).await;
        let value = format!("{} profile", consent["id"].as_str().unwrap());
        let form = page.form_with_button("narrow", &value);
        let done = browser.submit(&page, form.clone(), &[("narrow", &value)]).await;
        assert_eq!(
            done.location().unwrap().query(),
            Some("notice=narrowed"),
            "{}",
            done.body
        );
        assert_eq!(party.userinfo(&slim.get("access_token")).await.status, 401);
        let listed = own.get("/me/consents").await.ok().json();
        assert_eq!(listed["items"][0]["scope"], "openid", "{listed}");
        server.advance(Duration::from_secs(6 * 60));
        let late = browser.submit(&page, form, &[("narrow", &value)]).await;
        assert_eq!(late.location().unwrap().path(), "/login");
        assert_eq!(own.patch(&path, json!({"scope": ""})).await.status, 401);
        let own = Caller::with_token(server, &user_token(server, &ada, "openid account").await).await;
        assert_eq!(own.delete(&path).await.status, 204);
        assert_eq!(own.get("/me/consents").await.ok().json()["items"], json!([]));
    })
    .await;
}
