//! Refresh tokens: rotation, the retry window, replay, ends, and everything that is looked at again (RFC 6749 section 6,
//! RFC 9700 section 4.14).

use ostiary::flow::clients;
use ostiary::model::{
    ConsentMode, GrantType, Id, PasswordHash, PasswordSetter, Scopes, TokenEndpointAuthMethod, UserStatus,
};

use super::scene::{
    DAY, MINUTE, SECOND, Scene, Tokens, assert_invalid_grant, assert_refused, count_events, events, resource, trusted,
};
use crate::support::relying_party::{Answer, RelyingParty, claims};
use crate::support::server::{Server, TestClient, each_backend};

/// Rotates until the chain has this many links. Gives all of them, the newest last.
async fn chain(party: &RelyingParty<'_>, first: &str, links: usize) -> Vec<Tokens> {
    let mut chain = Vec::new();
    let mut newest = first.to_owned();
    for _ in 0..links {
        let tokens = Tokens::of(&party.refresh(&newest).await);
        newest.clone_from(&tokens.refresh);
        chain.push(tokens);
    }
    chain
}

/// SEC-046
#[tokio::test(flavor = "multi_thread")]
async fn refresh_rotates_for_public() {
    each_backend(async |server| {
        for method in [
            TokenEndpointAuthMethod::None,
            TokenEndpointAuthMethod::ClientSecretBasic,
        ] {
            let scene = Scene::with(server, |client| client.metadata.token_endpoint_auth_method = method).await;
            let party = scene.party();
            let first = scene.tokens().await;
            let second = Tokens::of(&party.refresh(&first.refresh).await);
            assert_ne!(first.refresh, second.refresh);
            assert_ne!(first.access, second.access);
            let third = Tokens::of(&party.refresh(&second.refresh).await);
            // used, and its successor too: refused, and the new value works on
            assert_invalid_grant(&party.refresh(&first.refresh).await);
            party.refresh(&third.refresh).await.ok();
        }
    })
    .await;
}

/// SEC-047
#[tokio::test(flavor = "multi_thread")]
async fn refresh_reuse_revokes_family() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let party = scene.party();
        let mut replays = 0;
        for depth in [1, 2, 3, 5, 8, 13, 20] {
            let first = scene.tokens().await;
            let links = chain(&party, &first.refresh, depth).await;
            let newest = links.last().unwrap();
            server.advance(31 * SECOND);
            assert!(scene.counts(&newest.refresh).await && scene.counts(&newest.access).await);
            assert_invalid_grant(&party.refresh(&first.refresh).await);
            replays += 1;
            for link in &links {
                assert_invalid_grant(&party.refresh(&link.refresh).await);
                assert!(!scene.counts(&link.access).await && !scene.counts(&link.refresh).await);
            }
            assert_refused(&party.userinfo(&newest.access).await, 401, "invalid_token");
            // it stands in the log, once for each, and names the person
            assert_eq!(count_events(server, &scene.client, "refresh.replayed").await, replays);
        }
        let events = events(server).await;
        let event = events
            .iter()
            .rev()
            .find(|event| event.kind == "refresh.replayed")
            .unwrap();
        assert_eq!(event.user, Some(scene.user.id.uuid()));
        assert_eq!(
            (event.outcome.as_str(), event.reason.as_deref()),
            ("refused", Some("refresh.replayed"))
        );
        // a family of its own is untouched
        let other = scene.tokens().await;
        party.refresh(&other.refresh).await.ok();
    })
    .await;
}

/// SEC-048
#[tokio::test(flavor = "multi_thread")]
async fn refresh_race_single_successor_one_after_another() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let party = scene.party();
        let first = scene.tokens().await;
        let second = Tokens::of(&party.refresh(&first.refresh).await);
        // the answer was lost: the same successor, as often as wanted
        for _ in 0..3 {
            assert_eq!(Tokens::of(&party.refresh(&first.refresh).await).refresh, second.refresh);
        }
        server.advance(25 * SECOND);
        assert_eq!(Tokens::of(&party.refresh(&first.refresh).await).refresh, second.refresh);
        // somebody used it: refused, and the family lives
        let third = Tokens::of(&party.refresh(&second.refresh).await);
        assert_invalid_grant(&party.refresh(&first.refresh).await);
        assert!(scene.counts(&third.refresh).await);
        // the window is over: the end of the family, even where the successor was never used
        server.advance(31 * SECOND);
        assert_invalid_grant(&party.refresh(&second.refresh).await);
        assert_invalid_grant(&party.refresh(&third.refresh).await);
        assert!(!scene.counts(&third.access).await);

        // a window of nothing is one
        server
            .settings(serde_json::json!({"token": {"refresh_retry_window": "0s"}}))
            .await;
        let first = scene.tokens().await;
        let second = Tokens::of(&party.refresh(&first.refresh).await);
        server.advance(SECOND);
        assert_invalid_grant(&party.refresh(&first.refresh).await);
        assert_invalid_grant(&party.refresh(&second.refresh).await);
    })
    .await;
}

/// SEC-049
#[tokio::test(flavor = "multi_thread")]
async fn refresh_absolute_expiry() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let party = scene.party();
        let began = server.call().now.seconds();
        let mut newest = scene.tokens().await.refresh;
        // 100 rotations over 179 days
        for _ in 0..100 {
            server.advance(DAY * 179 / 100);
            newest = Tokens::of(&party.refresh(&newest).await).refresh;
            let ends = party.introspect(&newest).await.json()["exp"].as_i64().unwrap();
            assert!(ends <= began + 180 * 24 * 60 * 60 + 60, "{ends}");
        }
        server.advance(DAY);
        assert!(!scene.counts(&newest).await);
        assert_invalid_grant(&party.refresh(&newest).await);

        // unused for 30 days
        let scene = Scene::on(server).await;
        let party = scene.party();
        let first = scene.tokens().await;
        server.advance(DAY * 30 - MINUTE);
        let second = Tokens::of(&party.refresh(&first.refresh).await);
        server.advance(DAY * 30);
        assert!(!scene.counts(&second.refresh).await);
        assert_invalid_grant(&party.refresh(&second.refresh).await);
    })
    .await;
}

async fn refreshed(party: &RelyingParty<'_>, token: &str, more: &[(&str, &str)]) -> Answer {
    let form: Vec<(&str, &str)> = [("grant_type", "refresh_token"), ("refresh_token", token)]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    party.token(&form).await
}

/// SEC-050
#[tokio::test(flavor = "multi_thread")]
async fn refresh_binding_and_narrowing() {
    const ORDERS: &str = "https://orders.example";
    const STOCK: &str = "https://stock.example";
    each_backend(async |server| {
        resource(server, ORDERS, &["orders.read", "orders.write"], None).await;
        resource(server, STOCK, &["stock.read"], None).await;
        let wide = "openid profile email offline_access orders.read orders.write stock.read";
        let scene = Scene::with(server, |client| client.metadata.scope = Scopes::parse(wide).unwrap()).await;
        let foreign = trusted(server).await;
        let public = server
            .public_client(|client| client.policy.consent = ConsentMode::Skip)
            .await;
        let party = scene.party_for("openid email offline_access orders.read orders.write");
        let url = party.authorization_url_with(&[("resource", ORDERS)]);
        let arrival = scene.arrive(&url).await;
        let first = Tokens::of(&party.redeem(arrival.code()).await);

        // somebody else's
        for stranger in [&foreign, &public] {
            assert_invalid_grant(&RelyingParty::new(server, stranger).refresh(&first.refresh).await);
        }
        // more than was granted
        for wider in ["openid email profile", "openid stock.read", "admin", wide] {
            assert_refused(
                &refreshed(&party, &first.refresh, &[("scope", wider)]).await,
                400,
                "invalid_scope",
            );
        }
        for elsewhere in [
            STOCK,
            "https://unknown.example",
            "https://orders.example/",
            "https://ORDERS.example",
        ] {
            let answer = refreshed(&party, &first.refresh, &[("resource", elsewhere)]).await;
            assert_refused(&answer, 400, "invalid_target");
        }
        let both = [("resource", ORDERS), ("resource", STOCK)];
        assert_refused(&refreshed(&party, &first.refresh, &both).await, 400, "invalid_target");

        // less is given, and takes nothing from the family
        let narrow = refreshed(
            &party,
            &first.refresh,
            &[("scope", "orders.read"), ("resource", ORDERS)],
        )
        .await
        .ok();
        assert_eq!(narrow.get("scope"), "orders.read");
        assert_eq!(claims(&narrow.get("access_token"))["aud"], ORDERS);
        let whole = refreshed(&party, &narrow.get("refresh_token"), &[]).await.ok();
        assert_eq!(
            whole.get("scope"),
            "openid email offline_access orders.read orders.write"
        );
        let (then, now) = (claims(&first.id), claims(&whole.get("id_token")));
        // how the person signed in does not get better by waiting
        for claim in ["iss", "sub", "aud", "auth_time", "acr", "amr", "azp", "sid"] {
            assert_eq!(then[claim], now[claim], "{claim}");
        }
        assert!(!now.contains_key("nonce"));

        scene
            .change_client(|client| client.metadata.grant_types = vec![GrantType::AuthorizationCode])
            .await;
        assert_refused(
            &party.refresh(&whole.get("refresh_token")).await,
            400,
            "unauthorized_client",
        );
    })
    .await;
}

/// SEC-051
#[tokio::test(flavor = "multi_thread")]
async fn refresh_rechecks_everything() {
    const ORDERS: &str = "https://orders.example";
    const FACTS: [&str; 11] = [
        "account",
        "account deleted",
        "client",
        "client deleted",
        "session",
        "consent",
        "part of the consent",
        "scopes of the client",
        "resource of the client",
        "password",
        "nothing",
    ];
    each_backend(async |server| {
        resource(server, ORDERS, &["orders.read"], None).await;
        for fact in FACTS {
            let scene = Scene::with(server, |client| {
                client.policy.consent = ConsentMode::Ask;
                client.metadata.scope.add("orders.read");
            })
            .await;
            // bound to the session: no offline_access
            let party = scene.party_for("openid profile orders.read");
            let url = party.authorization_url_with(&[("resource", ORDERS)]);
            let arrival = scene.arrive(&url).await;
            let tokens = Tokens::of(&party.redeem(arrival.code()).await);
            let tokens = Tokens::of(&party.refresh(&tokens.refresh).await);
            let provider = server.provider();
            let call = server.call();
            match fact {
                "account" => scene.set_status(UserStatus::Inactive).await,
                "account deleted" => {
                    let mut tx = provider.store.write().await.unwrap();
                    assert!(tx.delete_user(scene.user.id).await.unwrap());
                    tx.commit().await.unwrap();
                }
                "client" => drop(
                    clients::disable(provider, &call, &clients::Authority::Operator, scene.client.id, None)
                        .await
                        .unwrap(),
                ),
                "client deleted" => {
                    clients::delete(provider, &call, &clients::Authority::Operator, scene.client.id, None)
                        .await
                        .unwrap()
                }
                "session" => scene.end_sessions().await,
                "consent" => scene.withdraw().await,
                "part of the consent" => scene.give(Scopes::parse("openid orders.read").unwrap()).await,
                "scopes of the client" => {
                    scene
                        .change_client(|client| client.metadata.scope = Scopes::from_tokens(["email"]))
                        .await;
                }
                "resource of the client" => {
                    let elsewhere = vec!["https://elsewhere.example".to_owned()];
                    scene.change_client(|client| client.policy.resources = elsewhere).await;
                }
                "password" => {
                    server.advance(SECOND);
                    let mut tx = provider.store.write().await.unwrap();
                    let hash = PasswordHash::new("$argon2id$none");
                    tx.set_password(scene.user.id, &hash, PasswordSetter::Other, server.call().now)
                        .await
                        .unwrap();
                    tx.commit().await.unwrap();
                }
                _ => {}
            }
            let answer = party.refresh(&tokens.refresh).await;
            match fact {
                "nothing" => drop(answer.ok()),
                "client" | "client deleted" => assert_refused(&answer, 401, "invalid_client"),
                "resource of the client" => assert_refused(&answer, 400, "invalid_target"),
                "scopes of the client" => assert!(!answer.status.is_success(), "{}", answer.body),
                _ => assert_invalid_grant(&answer),
            }
        }
    })
    .await;
}

/// SEC-051
#[tokio::test(flavor = "multi_thread")]
async fn refresh_rechecks_everything_and_refuses_without_using_up() {
    let server = Server::start().await;
    let scene = Scene::on(&server).await;
    let party = scene.party();
    let tokens = scene.tokens().await;
    scene.set_status(UserStatus::Inactive).await;
    assert_invalid_grant(&party.refresh(&tokens.refresh).await);
    // a refusal that is nobody's replay leaves the token as it was
    scene.set_status(UserStatus::Active).await;
    server.advance(MINUTE);
    party.refresh(&tokens.refresh).await.ok();
    server.stop().await;
}

/// A client with the same name as a deleted one inherits nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_deleted_client_do_not_come_back_under_its_name() {
    let server = Server::start().await;
    let scene = Scene::on(&server).await;
    let tokens = scene.tokens().await;
    clients::delete(
        server.provider(),
        &server.call(),
        &clients::Authority::Operator,
        scene.client.id,
        None,
    )
    .await
    .unwrap();
    let name = scene.client.client_id.clone();
    let again: TestClient = server
        .client(|client| {
            client.client_id = name;
            client.id = Id::new(client.created_at);
        })
        .await;
    let party = RelyingParty::new(&server, &again);
    assert_invalid_grant(&party.refresh(&tokens.refresh).await);
    assert_refused(&party.userinfo(&tokens.access).await, 401, "invalid_token");
    server.stop().await;
}

/// SEC-066, SEC-647: one person's families at one client are capped, the oldest end first.
#[tokio::test(flavor = "multi_thread")]
async fn past_the_cap_the_oldest_family_of_a_person_at_a_client_ends() {
    each_backend(async |server| {
        let scene = Scene::on(server).await;
        let mut families = Vec::new();
        for _ in 0..103 {
            server.advance(SECOND);
            families.push(scene.tokens().await);
        }
        let relying_party = RelyingParty::new(server, &scene.client);
        for ended in &families[..3] {
            assert_invalid_grant(&relying_party.refresh(&ended.refresh).await);
            assert_eq!(
                relying_party.introspect(&ended.access).await.ok().json()["active"],
                false
            );
        }
        for living in [&families[3], &families[102]] {
            relying_party.refresh(&living.refresh).await.ok();
        }
    })
    .await;
}
