//! Clients and their secrets as the flows treat them: authentication, rotation, disabling, who may confer what.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use josekit::jws::{HS256, JwsSigner};
use ostiary::flow::clients::{
    self, Authority, ClientChange, Created, Given, NewClient, Strength, change, create, delete, disable, enable,
    remove_secret, rotate_secret,
};
use ostiary::flow::token::client_authentication::authenticate;
use ostiary::flow::{Call, Error};
use ostiary::model::{Client, ClientMetadata, ClientPolicy, Scopes, Secret, Timestamp};
use ostiary::protocol::client_authentication::{JWT_BEARER, Presented};
use ostiary::protocol::client_registration::{self, read_metadata};
use ostiary::protocol::{ErrorCode, OAuthError};
use serde_json::{Value, json};

use crate::support::rooms::Rooms;

pub const TOKEN_ENDPOINT: &str = "https://login.example/oauth2/token";

pub fn metadata(members: Value) -> ClientMetadata {
    let mut request = json!({"redirect_uris": ["https://client.example/callback"]});
    for (member, value) in members.as_object().unwrap() {
        request[member] = value.clone();
    }
    read_metadata(request.as_object().unwrap()).unwrap()
}

pub fn new_client(members: Value) -> NewClient {
    NewClient {
        metadata: metadata(members),
        policy: ClientPolicy::default(),
        client_id: None,
        secret: None,
        trusted: true,
        authority: Authority::Operator,
    }
}

pub async fn made(rooms: &Rooms, members: Value) -> Created {
    create(&rooms.provider, &rooms.operator(), new_client(members))
        .await
        .unwrap()
}

pub fn basic(client_id: &str, secret: &str) -> Presented {
    let header = format!("Basic {}", STANDARD.encode(format!("{client_id}:{secret}")));
    Presented {
        authorization: Some(Secret::new(header)),
        ..Presented::default()
    }
}

pub fn post(client_id: &str, secret: &str) -> Presented {
    Presented {
        client_id: Some(client_id.to_owned()),
        client_secret: Some(Secret::new(secret)),
        ..Presented::default()
    }
}

pub fn asserted(assertion: String) -> Presented {
    Presented {
        client_assertion_type: Some(JWT_BEARER.to_owned()),
        client_assertion: Some(assertion),
        ..Presented::default()
    }
}

pub async fn tried(rooms: &Rooms, presented: Presented) -> Result<Arc<Client>, Error> {
    authenticate(
        &rooms.provider,
        &rooms.call_from("203.0.113.7"),
        presented,
        TOKEN_ENDPOINT,
    )
    .await
}

pub fn refusal(answer: Result<Arc<Client>, Error>) -> OAuthError {
    match answer {
        Err(Error::OAuth(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn by_secret(secret: &str, claims: &Value) -> String {
    let base64url = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let input = format!(
        "{}.{}",
        base64url.encode(r#"{"alg":"HS256"}"#),
        base64url.encode(claims.to_string())
    );
    let signature = HS256.signer_from_bytes(secret).unwrap().sign(input.as_bytes()).unwrap();
    format!("{input}.{}", base64url.encode(signature))
}

pub fn assertion_claims(client_id: &str, jti: &str, call: &Call) -> Value {
    json!({"iss": client_id, "sub": client_id, "aud": TOKEN_ENDPOINT, "jti": jti, "exp": call.now.seconds() + 60})
}

/// SEC-130: 256 random bits or at least 32 characters, a digest in the store, old and new together during the overlap only.
#[tokio::test]
async fn client_secret_lifecycle() {
    let rooms = Rooms::open().await;
    let Created { client, secret } = made(&rooms, json!({})).await;
    let first = secret.unwrap();
    assert_eq!(first.expose().len(), 43);
    assert_eq!(client.secrets.len(), 1);
    assert_eq!(client.secrets[0].digest, first.digest());
    assert!(client.secrets[0].sealed.is_none());
    let works = async |secret: &Secret| tried(&rooms, basic(&client.client_id, secret.expose())).await.is_ok();
    assert!(works(&first).await);

    let call = rooms.operator();
    let (_, second) = rotate_secret(&rooms.provider, &call, &Authority::Operator, (client.id, None), None)
        .await
        .unwrap();
    assert!(works(&first).await && works(&second).await);
    // a third pushes the first out: never more than two
    let call = rooms.operator();
    let (rotated, third) = rotate_secret(&rooms.provider, &call, &Authority::Operator, (client.id, None), None)
        .await
        .unwrap();
    assert_eq!(rotated.secrets.len(), 2);
    assert!(!works(&first).await && works(&second).await && works(&third).await);
    rooms.clock.advance(Duration::from_secs(7 * 24 * 3600 - 60));
    assert!(works(&second).await && works(&third).await);
    rooms.clock.advance(Duration::from_secs(120));
    assert!(!works(&second).await && works(&third).await);

    let kept = rotated
        .secrets
        .iter()
        .find(|known| known.digest == third.digest())
        .unwrap()
        .id;
    remove_secret(
        &rooms.provider,
        &rooms.operator(),
        &Authority::Operator,
        client.id,
        kept,
    )
    .await
    .unwrap();
    assert!(!works(&third).await);
}

/// SEC-130: what is given has to be strong, unless the operator's file waives it; HMAC takes no weak key from anybody.
#[tokio::test]
async fn client_secret_lifecycle_of_given_secrets() {
    let rooms = Rooms::open().await;
    let given = async |text: &str, strength, method: &str| {
        let new = NewClient {
            secret: Some(Given {
                secret: Secret::new(text),
                strength,
            }),
            ..new_client(json!({"token_endpoint_auth_method": method}))
        };
        create(&rooms.provider, &rooms.operator(), new).await
    };
    let strong = "correct horse battery staple 1234";
    assert!(given(strong, Strength::Demanded, "client_secret_post").await.is_ok());
    for weak in [
        "",
        "short",
        &"a".repeat(31),
        &"a".repeat(64),
        "thirty-two characters with \u{e4} umlaut",
    ] {
        let answer = given(weak, Strength::Demanded, "client_secret_basic").await;
        assert!(matches!(answer, Err(Error::Invalid(_))), "{weak}");
    }
    assert!(given("short", Strength::Waived, "client_secret_basic").await.is_ok());
    assert!(given("short", Strength::Waived, "client_secret_jwt").await.is_err());
    assert!(given(strong, Strength::Waived, "client_secret_jwt").await.is_ok());
    assert!(given(strong, Strength::Demanded, "none").await.is_err());
}

/// SEC-131: unknown, disabled, wrong secret, wrong method: one answer.
#[tokio::test]
async fn client_auth_uniform_failure() {
    let rooms = Rooms::open().await;
    let by_basic = made(&rooms, json!({})).await;
    let by_post = made(&rooms, json!({"token_endpoint_auth_method": "client_secret_post"})).await;
    let by_jwt = made(&rooms, json!({"token_endpoint_auth_method": "client_secret_jwt"})).await;
    let public = made(&rooms, json!({"token_endpoint_auth_method": "none"})).await;
    let disabled = made(&rooms, json!({})).await;
    disable(
        &rooms.provider,
        &rooms.operator(),
        &Authority::Operator,
        disabled.client.id,
        None,
    )
    .await
    .unwrap();
    let secret = |created: &Created| created.secret.clone().unwrap().expose().to_owned();
    let id = |created: &Created| created.client.client_id.clone();
    let alone = |created: &Created| Presented {
        client_id: Some(id(created)),
        ..Presented::default()
    };
    let claims = assertion_claims(&id(&by_basic), "1", &rooms.operator());
    let refused = [
        ("client_unknown", basic("nobody", "secret")),
        ("client_unknown", post("nobody", "secret")),
        (
            "client_unknown",
            Presented {
                client_id: Some("nobody".to_owned()),
                ..Presented::default()
            },
        ),
        (
            "client_unknown",
            asserted(by_secret(
                &"x".repeat(31).replace('x', "ab"),
                &assertion_claims("nobody", "1", &rooms.operator()),
            )),
        ),
        ("client_secret", basic(&id(&by_basic), "wrong")),
        ("client_secret", basic(&id(&by_basic), "")),
        ("client_secret", post(&id(&by_post), "wrong")),
        ("client_method", post(&id(&by_basic), &secret(&by_basic))),
        ("client_method", basic(&id(&by_post), &secret(&by_post))),
        ("client_method", basic(&id(&by_jwt), &secret(&by_jwt))),
        ("client_method", basic(&id(&public), "secret")),
        ("client_method", asserted(by_secret(&secret(&by_basic), &claims))),
        ("client_proof_missing", alone(&by_basic)),
        ("client_disabled", basic(&id(&disabled), &secret(&disabled))),
        ("client_disabled", basic(&id(&disabled), "wrong")),
    ];
    for (number, (rule, presented)) in refused.into_iter().enumerate() {
        let call = rooms.call_from(&format!("203.0.113.{number}"));
        let answer = authenticate(&rooms.provider, &call, presented, TOKEN_ENDPOINT).await;
        let refusal = refusal(answer);
        assert_eq!(refusal.code, ErrorCode::InvalidClient);
        assert_eq!(refusal.description, "client authentication failed");
        assert_eq!(refusal.rule, rule, "case {number}");
    }
    assert!(tried(&rooms, basic(&id(&by_basic), &secret(&by_basic))).await.is_ok());
    assert!(tried(&rooms, post(&id(&by_post), &secret(&by_post))).await.is_ok());
    assert!(tried(&rooms, alone(&public)).await.is_ok());
}

/// SEC-131: wrong ones are counted by address, so nobody is locked out by strangers.
#[tokio::test]
async fn client_auth_uniform_failure_is_rate_limited() {
    let rooms = Rooms::open().await;
    let Created { client, secret } = made(&rooms, json!({})).await;
    let secret = secret.unwrap();
    for guess in 0..10 {
        let refusal = refusal(tried(&rooms, basic(&client.client_id, &format!("guess {guess}"))).await);
        assert_eq!(refusal.code, ErrorCode::InvalidClient);
    }
    let answer = tried(&rooms, basic(&client.client_id, secret.expose())).await;
    assert!(matches!(answer, Err(Error::Throttled { .. })), "{answer:?}");
    let elsewhere = rooms.call_from("198.51.100.1");
    let answer = authenticate(
        &rooms.provider,
        &elsewhere,
        basic(&client.client_id, secret.expose()),
        TOKEN_ENDPOINT,
    );
    assert!(answer.await.is_ok());
    // a guess is back a period after it was made, or a sixteenth of it later
    rooms.clock.advance(Duration::from_secs(16 * 60));
    assert!(tried(&rooms, basic(&client.client_id, secret.expose())).await.is_ok());
    // many at once that are right are no guesses
    let all = (0..50).map(|_| tried(&rooms, basic(&client.client_id, secret.expose())));
    assert!(
        futures_util::future::join_all(all)
            .await
            .into_iter()
            .all(|answer| answer.is_ok())
    );
}

/// SEC-133: an assertion counts once, for five minutes at most.
#[tokio::test]
async fn client_assertion_rules_over_time() {
    let rooms = Rooms::open().await;
    let Created { client, secret } = made(&rooms, json!({"token_endpoint_auth_method": "client_secret_jwt"})).await;
    let secret = secret.unwrap();
    let now = rooms.operator();
    let with = |jti: &str, member: &str, value: Value| {
        let mut claims = assertion_claims(&client.client_id, jti, &now);
        claims[member] = value;
        asserted(by_secret(secret.expose(), &claims))
    };
    let assertion = with("once", "iat", json!(now.now.seconds()));
    assert!(tried(&rooms, assertion.clone()).await.is_ok());
    assert_eq!(refusal(tried(&rooms, assertion).await).rule, "assertion_replayed");
    let rule = async |presented: Presented| refusal(tried(&rooms, presented).await).rule;
    assert_eq!(
        rule(with("a", "exp", json!(now.now.seconds() + 3600))).await,
        "assertion_times"
    );
    assert_eq!(
        rule(with("b", "exp", json!(now.now.seconds() - 1))).await,
        "assertion_times"
    );
    assert_eq!(rule(with("c", "exp", Value::Null)).await, "assertion_times");
    assert_eq!(
        rule(with("d", "nbf", json!(now.now.seconds() + 3600))).await,
        "assertion_times"
    );
    assert_eq!(
        rule(with("e", "aud", json!("https://other.example"))).await,
        "assertion_audience"
    );
    let forged = by_secret(
        &"0123456789abcdef".repeat(2),
        &assertion_claims(&client.client_id, "f", &now),
    );
    assert_eq!(rule(asserted(forged)).await, "assertion_signature");
    // many at once: one is the first
    let race = with("race", "aud", json!(["https://login.example", TOKEN_ENDPOINT]));
    let all = (0..8).map(|_| tried(&rooms, race.clone()));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
}

/// SEC-138: a disabled client is nobody, at once.
#[tokio::test]
async fn client_disabled_everywhere_at_the_token_endpoint() {
    let rooms = Rooms::open().await;
    let Created { client, secret } = made(&rooms, json!({})).await;
    let (provider, operator, authority) = (&rooms.provider, rooms.operator(), &Authority::Operator);
    let presented = basic(&client.client_id, secret.unwrap().expose());
    assert!(tried(&rooms, presented.clone()).await.is_ok());
    disable(provider, &operator, authority, client.id, None).await.unwrap();
    assert_eq!(refusal(tried(&rooms, presented.clone()).await).rule, "client_disabled");
    enable(provider, &operator, authority, client.id, None).await.unwrap();
    assert!(tried(&rooms, presented.clone()).await.is_ok());
    delete(provider, &operator, authority, client.id, None).await.unwrap();
    assert_eq!(refusal(tried(&rooms, presented).await).rule, "client_unknown");
    assert!(matches!(
        delete(provider, &operator, authority, client.id, None).await,
        Err(Error::NotFound)
    ));
}

/// SEC-140: whoever makes, changes or gives a secret to a client holds what the client holds.
#[tokio::test]
async fn client_manager_no_escalation() {
    let rooms = Rooms::open().await;
    let holder = |scopes: &str| Authority::Holder(Scopes::parse(scopes).unwrap());
    let members = |scope: &str| json!({"grant_types": ["client_credentials"], "redirect_uris": null, "scope": scope});
    let as_holder = async |held: &str, wanted: &str| {
        let new = NewClient {
            authority: holder(held),
            ..new_client(members(wanted))
        };
        create(&rooms.provider, &rooms.operator(), new).await
    };
    for (held, wanted) in [
        ("admin:clients", "orders.read"),
        ("admin:clients", "admin:clients"),
        ("admin:clients", "admin:clients.read"),
        ("admin", "admin"),
        ("admin", "admin:users"),
        ("admin scim", "scim.read"),
    ] {
        assert!(as_holder(held, wanted).await.is_ok(), "{held} confers {wanted}");
    }
    for (held, wanted) in [
        ("admin:clients", "admin"),
        ("admin:clients", "admin:users"),
        ("admin:clients.read", "admin:clients"),
        ("admin:clients", "scim"),
        ("admin", "account"),
        ("orders.read", "admin"),
    ] {
        let answer = as_holder(held, wanted).await;
        assert!(
            matches!(answer, Err(Error::Forbidden(_))),
            "{held} does not confer {wanted}"
        );
    }
    let mighty = made(&rooms, members("admin")).await.client;
    let manager = holder("admin:clients");
    let call = rooms.operator();
    assert!(matches!(
        rotate_secret(&rooms.provider, &call, &manager, (mighty.id, None), None).await,
        Err(Error::Forbidden(_))
    ));
    // not even while taking the scope away: the same request could hand over the keys
    let harmless = ClientChange {
        metadata: Some(metadata(members("orders.read"))),
        policy: None,
        trusted: None,
        expected_version: None,
        authority: manager.clone(),
    };
    assert!(matches!(
        change(&rooms.provider, &call, mighty.id, harmless).await,
        Err(Error::Forbidden(_))
    ));
}

/// SEC-137: the same rules at every door, with a member absent, null, at its default or spelled out.
#[tokio::test]
async fn client_policy_no_omission_bypass() {
    let rooms = Rooms::open().await;
    // a metadata object that never went through the reader
    let raw = |change: fn(&mut ClientMetadata)| {
        let mut metadata = metadata(json!({}));
        change(&mut metadata);
        metadata
    };
    let broken: [fn(&mut ClientMetadata); 5] = [
        |metadata| metadata.redirect_uris.clear(),
        |metadata| metadata.redirect_uris = vec!["https://*.client.example/".to_owned()],
        |metadata| metadata.post_logout_redirect_uris = vec!["javascript:alert(1)".to_owned()],
        |metadata| metadata.response_types = vec!["token".to_owned()],
        |metadata| metadata.jwks = Some(json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]})),
    ];
    let Created { client, .. } = made(&rooms, json!({})).await;
    for change_it in broken {
        let new = NewClient {
            metadata: raw(change_it),
            ..new_client(json!({}))
        };
        assert!(matches!(
            create(&rooms.provider, &rooms.operator(), new).await,
            Err(Error::Invalid(_))
        ));
        let wanted = ClientChange {
            metadata: Some(raw(change_it)),
            policy: None,
            trusted: None,
            expected_version: None,
            authority: Authority::Operator,
        };
        assert!(matches!(
            change(&rooms.provider, &rooms.operator(), client.id, wanted).await,
            Err(Error::Invalid(_))
        ));
    }
    // a change that leaves the policy out leaves it alone
    let strict = ClientPolicy {
        require_pkce: true,
        ..ClientPolicy::default()
    };
    let wanted = |metadata, policy| ClientChange {
        metadata,
        policy,
        trusted: None,
        expected_version: None,
        authority: Authority::Operator,
    };
    change(
        &rooms.provider,
        &rooms.operator(),
        client.id,
        wanted(None, Some(strict)),
    )
    .await
    .unwrap();
    let changed = change(
        &rooms.provider,
        &rooms.operator(),
        client.id,
        wanted(Some(metadata(json!({}))), None),
    )
    .await
    .unwrap();
    assert!(changed.client.requires_pkce());
    // a public client needs PKCE whatever its policy says, spelled out or not
    for policy in [
        json!({}),
        json!({"require_pkce": null}),
        json!({"require_pkce": false}),
        json!({"require_pkce": true}),
    ] {
        let policy = client_registration::read_policy(policy.as_object().unwrap()).unwrap();
        let new = NewClient {
            policy,
            ..new_client(json!({"token_endpoint_auth_method": "none"}))
        };
        assert!(
            create(&rooms.provider, &rooms.operator(), new)
                .await
                .unwrap()
                .client
                .requires_pkce()
        );
    }
    // without the member the method is a confidential one
    for members in [json!({}), json!({"token_endpoint_auth_method": null})] {
        assert!(!made(&rooms, members).await.client.is_public());
    }
}

#[tokio::test]
async fn a_change_of_method_makes_and_ends_secrets() {
    let rooms = Rooms::open().await;
    let Created { client, secret } = made(&rooms, json!({})).await;
    let to = async |method: &str| {
        let wanted = ClientChange {
            metadata: Some(metadata(json!({"token_endpoint_auth_method": method}))),
            policy: None,
            trusted: None,
            expected_version: None,
            authority: Authority::Operator,
        };
        change(&rooms.provider, &rooms.operator(), client.id, wanted)
            .await
            .unwrap()
    };
    // the same secret in the form
    assert!(to("client_secret_post").await.secret.is_none());
    assert!(
        tried(&rooms, post(&client.client_id, secret.unwrap().expose()))
            .await
            .is_ok()
    );
    let jwt = to("client_secret_jwt").await;
    assert!(jwt.secret.is_some() && jwt.client.secrets.len() == 1 && jwt.client.secrets[0].sealed.is_some());
    let none = to("none").await;
    assert!(none.secret.is_none() && none.client.secrets.is_empty());
    assert!(to("client_secret_basic").await.secret.is_some());
}

#[tokio::test]
async fn a_change_of_what_changed_meanwhile_is_refused() {
    let rooms = Rooms::open().await;
    let Created { client, .. } = made(&rooms, json!({})).await;
    let wanted = |version| ClientChange {
        metadata: Some(metadata(json!({"client_name": "Shop"}))),
        policy: None,
        trusted: None,
        expected_version: version,
        authority: Authority::Operator,
    };
    let changed = change(&rooms.provider, &rooms.operator(), client.id, wanted(Some(1)))
        .await
        .unwrap();
    assert_eq!((changed.client.version, changed.client.name()), (2, "Shop"));
    let stale = change(&rooms.provider, &rooms.operator(), client.id, wanted(Some(1))).await;
    assert!(matches!(stale, Err(Error::Stale)));
    assert!(client.created_at > Timestamp::default());
}

#[tokio::test]
async fn a_client_id_is_taken_once() {
    let rooms = Rooms::open().await;
    let named = |client_id: &str| NewClient {
        client_id: Some(client_id.to_owned()),
        ..new_client(json!({}))
    };
    assert_eq!(
        create(&rooms.provider, &rooms.operator(), named("shop"))
            .await
            .unwrap()
            .client
            .client_id,
        "shop"
    );
    let again = create(&rooms.provider, &rooms.operator(), named("shop")).await;
    assert!(matches!(again, Err(Error::Conflict(_))));
    for odd in ["", "a b", "caf\u{e9}", "a\nb", &"a".repeat(201)] {
        assert!(
            create(&rooms.provider, &rooms.operator(), named(odd)).await.is_err(),
            "{odd:?}"
        );
    }
    assert!(
        clients::delete(
            &rooms.provider,
            &rooms.operator(),
            &Authority::Operator,
            ostiary::model::Id::new(Timestamp::default()),
            None
        )
        .await
        .is_err()
    );
}
