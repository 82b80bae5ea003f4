//! Key sets of clients: which key is tried, which are passed over, which refuse the set.

use super::*;

fn assertion(algorithm: SigningAlgorithm, kid: Option<&str>) -> String {
    let mut header = object(json!({ "alg": algorithm.as_str() }));
    if let Some(kid) = kid {
        header.insert("kid".into(), kid.into());
    }
    forge(
        algorithm,
        key(algorithm),
        &Value::Object(header).to_string(),
        br#"{"iss":"c-1","sub":"c-1"}"#,
    )
}

fn judge(compact: &str, keys: &RemoteKeys) -> Result<Map<String, Value>, Error> {
    verify_assertion(compact, AssertionKeys::Keys(keys), ClientSigningAlgorithm::ALL).map(|verified| verified.claims)
}

#[test]
fn a_client_key_is_found_by_name_or_as_the_only_one_that_fits() {
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let verified = verify_assertion(
            &assertion(algorithm, Some("k1")),
            AssertionKeys::Keys(&remote(json!([named(algorithm, Some("k1"))]))),
            ClientSigningAlgorithm::ASYMMETRIC,
        )
        .unwrap();
        assert_eq!(
            (verified.algorithm.as_str(), verified.claims["iss"].as_str()),
            (algorithm.as_str(), Some("c-1"))
        );
        // a key with a name serves a token without
        judge(
            &assertion(algorithm, None),
            &remote(json!([named(algorithm, Some("k1"))])),
        )
        .unwrap();
        judge(&assertion(algorithm, None), &remote(json!([named(algorithm, None)]))).unwrap();
        assert_eq!(
            judge(
                &assertion(algorithm, Some("k2")),
                &remote(json!([named(algorithm, Some("k1"))]))
            ),
            Err(Error::UnknownKey)
        );
        assert_eq!(
            judge(&assertion(algorithm, None), &remote(json!([]))),
            Err(Error::UnknownKey)
        );
        let other = PrivateKey::generate(algorithm).unwrap().public().jwk();
        assert_eq!(
            judge(&assertion(algorithm, None), &remote(json!([other]))),
            Err(Error::UnknownKey)
        );
        judge(
            &assertion(algorithm, None),
            &remote(json!([other, named(algorithm, None)])),
        )
        .unwrap();
        let mut impostor = other;
        impostor.insert("kid".into(), "k1".into());
        assert_eq!(
            judge(&assertion(algorithm, Some("k1")), &remote(json!([impostor]))),
            Err(Error::Signature)
        );
    }
    // RFC 7517 section 4.5: keys of different types may share a name
    let shared = remote(json!([
        named(SigningAlgorithm::Es256, Some("k")),
        named(SigningAlgorithm::EdDsa, Some("k"))
    ]));
    judge(&assertion(SigningAlgorithm::Es256, Some("k")), &shared).unwrap();
    judge(&assertion(SigningAlgorithm::EdDsa, Some("k")), &shared).unwrap();
    assert_eq!(
        judge(&assertion(SigningAlgorithm::Rs256, Some("k")), &shared),
        Err(Error::AlgorithmNotTheKeys)
    );
    let mut bound = object(named(SigningAlgorithm::Rs256, Some("k")));
    bound.insert("alg".into(), "PS256".into());
    assert_eq!(
        judge(&assertion(SigningAlgorithm::Rs256, Some("k")), &remote(json!([bound]))),
        Err(Error::AlgorithmNotTheKeys)
    );
    judge(&assertion(SigningAlgorithm::Ps256, Some("k")), &remote(json!([bound]))).unwrap();
}

#[test]
fn a_nameless_token_is_not_tried_on_many_keys() {
    let many: Vec<Value> = (0..MAX_CANDIDATES)
        .map(|_| Value::Object(PrivateKey::generate(SigningAlgorithm::Es256).unwrap().public().jwk()))
        .collect();
    assert_eq!(
        judge(&assertion(SigningAlgorithm::Es256, None), &remote(many.clone().into())),
        Err(Error::UnknownKey)
    );
    let more: Vec<Value> = many
        .into_iter()
        .chain([named(SigningAlgorithm::Es256, Some("k"))])
        .collect();
    assert_eq!(
        judge(&assertion(SigningAlgorithm::Es256, None), &remote(more.clone().into())),
        Err(Error::KeyIdRequired)
    );
    judge(&assertion(SigningAlgorithm::Es256, Some("k")), &remote(more.into())).unwrap();
}

#[test]
fn keys_that_are_not_for_us_are_passed_over() {
    let mut encryption = object(named(SigningAlgorithm::Rs256, Some("k")));
    encryption.insert("use".into(), "enc".into());
    let mut wrapping = object(named(SigningAlgorithm::Es256, Some("k")));
    wrapping.insert("key_ops".into(), json!(["deriveKey"]));
    let mut stronger = object(named(SigningAlgorithm::Rs256, Some("k")));
    stronger.insert("alg".into(), "RS512".into());
    let keys = remote(json!([
        encryption, wrapping, stronger,
        { "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA" },
        { "kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA" },
        { "kty": "OKP", "crv": "X25519", "x": "AAAA" },
        named(SigningAlgorithm::Es256, Some("good")),
    ]));
    assert_eq!(keys.len(), 1);
    judge(&assertion(SigningAlgorithm::Es256, Some("good")), &keys).unwrap();
}

#[test]
fn private_members_refuse_a_registration_and_spoil_a_fetched_key() {
    let private: Value = serde_json::from_str(key(SigningAlgorithm::Es256).to_jwk().expose()).unwrap();
    for (jwk, name) in [(private, "d"), (json!({ "kty": "oct", "k": B64.encode(SECRET) }), "k")] {
        let document = json!({ "keys": [named(SigningAlgorithm::EdDsa, None), jwk] }).to_string();
        assert_eq!(
            RemoteKeys::registered(document.as_bytes()).unwrap_err(),
            Error::PrivateMember(name)
        );
        let fetched = RemoteKeys::fetched(document.as_bytes()).unwrap();
        assert_eq!(fetched.len(), 1);
        assert!(judge(&assertion(SigningAlgorithm::Es256, None), &fetched).is_err());
        judge(&assertion(SigningAlgorithm::EdDsa, None), &fetched).unwrap();
    }
    for odd in [
        json!({}),
        json!({ "keys": {} }),
        json!({ "keys": ["a"] }),
        json!({ "keys": null }),
    ] {
        assert_eq!(
            RemoteKeys::fetched(odd.to_string().as_bytes()).unwrap_err(),
            Error::KeySet
        );
    }
}

/// SEC-095: the peek names a client to look up; an edited payload never verifies.
#[test]
fn a_peek_is_no_proof() {
    let good = assertion(SigningAlgorithm::Es256, None);
    assert_eq!(
        peek_unverified_issuer(&good).unwrap(),
        ClaimedClient {
            issuer: Some("c-1".into()),
            subject: Some("c-1".into())
        }
    );
    let parts: Vec<&str> = good.split('.').collect();
    let edited = format!("{}.{}.{}", parts[0], B64.encode(br#"{"iss":"c-2","sub":7}"#), parts[2]);
    assert_eq!(
        peek_unverified_issuer(&edited).unwrap(),
        ClaimedClient {
            issuer: Some("c-2".into()),
            subject: None
        }
    );
    let keys = remote(json!([named(SigningAlgorithm::Es256, Some("k"))]));
    assert!(judge(&edited, &keys).is_err());
    judge(&good, &keys).unwrap();
}
