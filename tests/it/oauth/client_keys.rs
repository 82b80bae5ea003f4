//! `private_key_jwt`: keys by value and by reference, and how seldom the latter are fetched.

use std::time::Duration;

use ostiary::flow::clients::Created;
use ostiary::jose::PrivateKey;
use ostiary::model::SigningAlgorithm;
use serde_json::{Value, json};

use super::client_secrets::{asserted, assertion_claims, made, refusal, tried};
use crate::support::documents::Documents;
use crate::support::rooms::Rooms;

fn key() -> PrivateKey {
    PrivateKey::generate(SigningAlgorithm::Es256).unwrap()
}

fn jwks(keys: &[&PrivateKey]) -> Value {
    json!({"keys": keys.iter().map(|key| Value::Object(key.public().jwk())).collect::<Vec<_>>()})
}

fn signed(rooms: &Rooms, key: &PrivateKey, client_id: &str, jti: &str) -> String {
    let claims = assertion_claims(client_id, jti, &rooms.operator());
    let signer = key.signer(SigningAlgorithm::Es256).unwrap();
    signer.sign("JWT", claims.as_object().unwrap()).unwrap()
}

fn by_key(more: Value) -> Value {
    let mut members = json!({"token_endpoint_auth_method": "private_key_jwt"});
    for (member, value) in more.as_object().unwrap() {
        members[member] = value.clone();
    }
    members
}

#[tokio::test]
async fn keys_by_value_verify_their_own_signatures_only() {
    let rooms = Rooms::open().await;
    let (own, foreign) = (key(), key());
    let Created { client, secret } = made(&rooms, by_key(json!({"jwks": jwks(&[&own])}))).await;
    assert!(secret.is_none());
    assert!(
        tried(&rooms, asserted(signed(&rooms, &own, &client.client_id, "1")))
            .await
            .is_ok()
    );
    let answer = tried(&rooms, asserted(signed(&rooms, &foreign, &client.client_id, "2"))).await;
    assert_eq!(refusal(answer).rule, "assertion_key");
    let only_rsa = by_key(json!({"jwks": jwks(&[&own]), "token_endpoint_auth_signing_alg": "RS256"}));
    let Created { client, .. } = made(&rooms, only_rsa).await;
    let answer = tried(&rooms, asserted(signed(&rooms, &own, &client.client_id, "3"))).await;
    assert_eq!(refusal(answer).rule, "assertion_algorithm");
}

/// SEC-109: random key ids make one fetch a minute, and no key is used when its reading is older than 20 minutes.
#[tokio::test]
async fn jwks_cache_bounds() {
    let rooms = Rooms::open().await;
    let documents = Documents::start().await;
    let (first, second, foreign) = (key(), key(), key());
    documents.put("/jwks", &jwks(&[&first]).to_string());
    let Created { client, .. } = made(&rooms, by_key(json!({"jwks_uri": documents.url("/jwks")}))).await;
    // not fetched at registration
    assert_eq!(documents.visits("/jwks"), 0);
    let id = client.client_id.as_str();
    // together they fetch once
    let all = (0..20).map(|number| tried(&rooms, asserted(signed(&rooms, &first, id, &format!("all {number}")))));
    assert!(
        futures_util::future::join_all(all)
            .await
            .into_iter()
            .all(|answer| answer.is_ok())
    );
    assert_eq!(documents.visits("/jwks"), 1);
    // unknown keys: one fetch more, whoever asks and however often
    let forged = |number: u32| asserted(signed(&rooms, &foreign, id, &format!("forged {number}")));
    for number in 0..5 {
        assert_eq!(refusal(tried(&rooms, forged(number)).await).rule, "assertion_key");
    }
    assert_eq!(documents.visits("/jwks"), 2);
    // a new key is found a minute later
    documents.put("/jwks", &jwks(&[&first, &second]).to_string());
    assert!(
        tried(&rooms, asserted(signed(&rooms, &second, id, "early")))
            .await
            .is_err()
    );
    assert_eq!(documents.visits("/jwks"), 2);
    rooms.clock.advance(Duration::from_secs(61));
    assert!(
        tried(&rooms, asserted(signed(&rooms, &second, id, "later")))
            .await
            .is_ok()
    );
    assert_eq!(documents.visits("/jwks"), 3);
    // the party is gone: what was read serves for 20 minutes, not longer
    documents.put_answer("/jwks", "500 Internal Server Error", "", "");
    rooms.clock.advance(Duration::from_secs(19 * 60));
    assert!(tried(&rooms, asserted(signed(&rooms, &first, id, "old"))).await.is_ok());
    assert_eq!(documents.visits("/jwks"), 3);
    rooms.clock.advance(Duration::from_secs(2 * 60));
    for number in 0..5 {
        let answer = tried(
            &rooms,
            asserted(signed(&rooms, &first, id, &format!("too old {number}"))),
        )
        .await;
        assert_eq!(refusal(answer).rule, "client_keys_unreachable");
    }
    // failures are not repeated at once either
    assert_eq!(documents.visits("/jwks"), 4);
    documents.put("/jwks", &jwks(&[&second]).to_string());
    rooms.clock.advance(Duration::from_secs(15 * 60));
    assert!(
        tried(&rooms, asserted(signed(&rooms, &second, id, "back")))
            .await
            .is_ok()
    );
    // a key that is gone from the document is gone
    assert!(
        tried(&rooms, asserted(signed(&rooms, &first, id, "gone")))
            .await
            .is_err()
    );
}

/// SEC-109: the document may ask for less than 20 minutes, though not for none.
#[tokio::test]
async fn jwks_cache_bounds_follow_the_document() {
    let rooms = Rooms::open().await;
    let documents = Documents::start().await;
    let own = key();
    let id = async |max_age: &str| {
        let path = format!("/{max_age}");
        let headers = format!("content-type: application/json\r\ncache-control: {max_age}\r\n");
        documents.put_answer(&path, "200 OK", &headers, &jwks(&[&own]).to_string());
        made(&rooms, by_key(json!({"jwks_uri": documents.url(&path)})))
            .await
            .client
            .client_id
    };
    for (max_age, lives) in [("no-store", 10), ("max-age=60", 60), ("max-age=86400", 1200)] {
        let id = id(max_age).await;
        let path = format!("/{max_age}");
        let works = async |jti: &str| tried(&rooms, asserted(signed(&rooms, &own, &id, jti))).await.is_ok();
        assert!(works("1").await && works("2").await);
        assert_eq!(documents.visits(&path), 1, "{max_age}");
        rooms.clock.advance(Duration::from_secs(lives - 5));
        assert!(works("3").await);
        assert_eq!(documents.visits(&path), 1, "{max_age}");
        rooms.clock.advance(Duration::from_secs(6));
        assert!(works("4").await);
        assert_eq!(documents.visits(&path), 2, "{max_age}");
    }
}
