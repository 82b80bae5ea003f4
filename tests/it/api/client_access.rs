//! Applications for those alone whom they are given to.

use ostiary::model::ConsentMode;
use serde_json::json;

use super::conversation::Caller;
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{TestUser, each_backend};

async fn put(caller: &Caller<'_>, path: &str) {
    let answer = caller.send("PUT", path, None, &[]).await;
    assert_eq!(answer.status.as_u16(), 204, "{path} {}", answer.body);
}

/// How a sign-in of somebody at a client ends: with a code, or a refusal.
async fn outcome(party: &RelyingParty<'_>, browser: &Browser, user: &TestUser) -> String {
    let arrival = party.sign_in(browser, user).await;
    match arrival.get("error") {
        "" => arrival.code().to_owned(),
        error => error.to_owned(),
    }
}

/// SEC-023: a gate holds for the first sign-in, for a session that goes on, for a code on its way and for each refresh.
#[tokio::test(flavor = "multi_thread")]
async fn client_gate_on_every_path() {
    each_backend(async |server| {
        let caller = Caller::client(server, "admin").await;
        let client = server.client(|client| client.policy.consent = ConsentMode::Skip).await;
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        let (staff, night) = (
            server.group("staff", &[], &[]).await,
            server.group("night", &[], &[&ada]).await,
        );
        put(&caller, &format!("/groups/{staff}/inner-groups/{night}")).await;
        let id = client.client.id;
        let party = RelyingParty::new(server, &client);
        let tokens = party.tokens(&bob).await;
        caller
            .patch(&format!("/clients/{id}"), json!({"users": "assigned"}))
            .await
            .ok();
        let wrong = caller
            .patch(&format!("/clients/{id}"), json!({"users": "nobody"}))
            .await;
        assert_eq!(wrong.json()["errors"][0]["pointer"], "/users");

        // the first sign-in, the second in the same browser, and whoever was in before
        let browser = Browser::new();
        assert_eq!(outcome(&party, &browser, &ada).await, "access_denied");
        assert_eq!(outcome(&party, &browser, &ada).await, "access_denied");
        let refused = party.refresh(&tokens.get("refresh_token")).await;
        assert_eq!(refused.error(), "invalid_grant");

        // given to a group, it is its members', those of the groups in it included
        put(&caller, &format!("/clients/{id}/access/groups/{staff}")).await;
        put(&caller, &format!("/clients/{id}/access/users/{}", bob.id)).await;
        put(&caller, &format!("/clients/{id}/access/users/{}", bob.id)).await;
        let list = caller.get(&format!("/clients/{id}/access")).await.ok().json();
        let listed: Vec<_> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (&item["kind"], &item["name"]))
            .collect();
        assert_eq!(
            listed,
            [(&json!("user"), &json!("bob")), (&json!("group"), &json!("staff"))]
        );
        let code = outcome(&party, &browser, &ada).await;
        assert_ne!(code, "access_denied");
        let tokens = party.redeem(&code).await.ok();
        let waiting = outcome(&party, &browser, &ada).await;

        // what was taken is closed to the code on its way, and to the refresh
        caller
            .delete(&format!("/clients/{id}/access/groups/{staff}"))
            .await
            .ok();
        assert_eq!(party.redeem(&waiting).await.error(), "invalid_grant");
        assert_eq!(
            party.refresh(&tokens.get("refresh_token")).await.error(),
            "invalid_grant"
        );
        assert_eq!(outcome(&party, &browser, &ada).await, "access_denied");
        let silent = party.authorization_url_with(&[("prompt", "none")]);
        let page = browser.get(&silent).await;
        assert!(page.location().unwrap().as_str().contains("error=access_denied"));
        assert_ne!(outcome(&party, &Browser::new(), &bob).await, "access_denied");
        let again = caller.delete(&format!("/clients/{id}/access/groups/{staff}")).await;
        assert_eq!(again.status.as_u16(), 404);
        // a client with rights over this server is given by whoever has them
        let powerful = super::conversation::service(server, "admin:keys").await;
        let limited = Caller::client(server, "admin:clients").await;
        let path = format!("/clients/{}/access/users/{}", powerful.client.id, bob.id);
        let refused = limited.send("PUT", &path, None, &[]).await;
        assert_eq!(refused.status.as_u16(), 403);
    })
    .await;
}
