//! What is signed comes back: all algorithms, all forms of keys, any claims; one changed bit and it does not.

use proptest::prelude::*;

use super::*;

#[test]
fn every_algorithm_signs_what_we_and_others_verify() {
    let published: CoreJsonWebKeySet = serde_json::from_slice(key_set().document()).unwrap();
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let compact = token(algorithm);
        assert_eq!(accept(&compact).unwrap(), claims(), "{algorithm}");

        let header: Value = serde_json::from_slice(&B64.decode(compact.split('.').next().unwrap()).unwrap()).unwrap();
        let kid = key(algorithm).kid();
        assert_eq!(
            header,
            json!({ "alg": algorithm.as_str(), "kid": kid, "typ": "at+jwt" })
        );

        let theirs = published
            .keys()
            .iter()
            .find(|key| key.key_id().unwrap().as_str() == kid)
            .unwrap();
        let their_algorithm = match algorithm {
            SigningAlgorithm::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            SigningAlgorithm::Ps256 => CoreJwsSigningAlgorithm::RsaSsaPssSha256,
            SigningAlgorithm::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            SigningAlgorithm::EdDsa => CoreJwsSigningAlgorithm::EdDsa,
        };
        let (input, _) = compact.rsplit_once('.').unwrap();
        theirs
            .verify_signature(&their_algorithm, input.as_bytes(), &signature_of(&compact))
            .unwrap();
    }
}

#[test]
fn a_key_survives_being_written_out_and_read_again() {
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let again = PrivateKey::from_jwk(key(algorithm).to_jwk().expose().as_bytes()).unwrap();
        assert_eq!(again.kid(), key(algorithm).kid());
        assert_eq!(again.algorithms(), key(algorithm).algorithms());
        accept(&again.signer(algorithm).unwrap().sign("at+jwt", &claims()).unwrap()).unwrap();
    }
}

#[test]
fn a_public_key_survives_publication() {
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let published = serde_json::to_vec(&key(algorithm).public().jwk()).unwrap();
        let again = PublicKey::from_jwk(&published).unwrap();
        assert_eq!(again.jwk(), key(algorithm).public().jwk());
    }
}

#[test]
fn an_rsa_key_serves_both_algorithms_until_one_is_chosen() {
    let both = key(SigningAlgorithm::Rs256);
    assert_eq!(both.algorithms(), [SigningAlgorithm::Rs256, SigningAlgorithm::Ps256]);
    assert!(!both.public().jwk().contains_key("alg"));

    let one = both.clone().for_algorithm(SigningAlgorithm::Ps256).unwrap();
    assert_eq!(one.kid(), both.kid());
    assert_eq!(one.public().jwk()["alg"], "PS256");
    assert_eq!(
        one.signer(SigningAlgorithm::Rs256).unwrap_err(),
        Error::AlgorithmNotTheKeys
    );
    let again = PrivateKey::from_jwk(one.to_jwk().expose().as_bytes()).unwrap();
    assert_eq!(again.algorithms(), [SigningAlgorithm::Ps256]);
    assert_eq!(
        KeySet::new(vec![one.public().clone()]).unwrap().verify(
            &token(SigningAlgorithm::Rs256),
            &["at+jwt"],
            SigningAlgorithm::ALL
        ),
        Err(Error::AlgorithmNotTheKeys)
    );
    assert!(one.for_algorithm(SigningAlgorithm::Es256).is_err());
}

#[test]
fn the_thumbprint_is_that_of_rfc_7638() {
    // RFC 7638 section 3.1
    let rsa = json!({ "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw" });
    let key = PublicKey::from_jwk(rsa.to_string().as_bytes()).unwrap();
    assert_eq!(key.kid(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    // RFC 8037 appendix A.3
    let ed25519 = json!({ "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "crv": "Ed25519", "kty": "OKP" });
    let key = PublicKey::from_jwk(ed25519.to_string().as_bytes()).unwrap();
    assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn hashes_in_id_tokens_are_left_halves() {
    // OpenID Connect Core appendix A.3 and A.4
    for algorithm in [
        SigningAlgorithm::Rs256,
        SigningAlgorithm::Ps256,
        SigningAlgorithm::Es256,
    ] {
        assert_eq!(
            half_hash(algorithm, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
        assert_eq!(
            half_hash(algorithm, "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"),
            "LDktKdoQak3Pk0cnXxCltA"
        );
    }
    // SHA-512 of the empty string begins with cf83e135...
    let empty = B64.decode(half_hash(SigningAlgorithm::EdDsa, "")).unwrap();
    assert_eq!((empty.len(), &empty[..4]), (32, &[0xcf, 0x83, 0xe1, 0x35][..]));
}

#[test]
fn private_keys_are_read_from_pem_in_their_usual_forms() {
    use josekit::jwk::KeyPair;
    use josekit::jwk::alg::{ec::EcCurve, ec::EcKeyPair, ed::EdCurve, ed::EdKeyPair, rsa::RsaKeyPair};
    let text = |pem: Vec<u8>| String::from_utf8(pem).unwrap();
    let rsa = RsaKeyPair::generate(2048).unwrap();
    let p256 = EcKeyPair::generate(EcCurve::P256).unwrap();
    let ed25519 = EdKeyPair::generate(EdCurve::Ed25519).unwrap();
    let with_parameters = format!(
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\r\n{}\n\n",
        text(p256.to_traditional_pem_private_key())
    );
    for (pem, algorithm) in [
        (text(rsa.to_pem_private_key()), SigningAlgorithm::Ps256),
        (text(rsa.to_traditional_pem_private_key()), SigningAlgorithm::Rs256),
        (text(p256.to_pem_private_key()), SigningAlgorithm::Es256),
        (with_parameters, SigningAlgorithm::Es256),
        (text(ed25519.to_pem_private_key()), SigningAlgorithm::EdDsa),
    ] {
        let key = PrivateKey::from_pem(&pem).unwrap();
        let compact = key.signer(algorithm).unwrap().sign("JWT", &claims()).unwrap();
        let set = KeySet::new(vec![key.public().clone()]).unwrap();
        assert_eq!(set.verify(&compact, &["JWT"], &[algorithm]).unwrap(), claims());
    }
    let refused = [
        text(RsaKeyPair::generate(1024).unwrap().to_pem_private_key()),
        text(EcKeyPair::generate(EcCurve::P384).unwrap().to_pem_private_key()),
        text(EcKeyPair::generate(EcCurve::Secp256k1).unwrap().to_pem_private_key()),
        text(EdKeyPair::generate(EdCurve::Ed448).unwrap().to_pem_private_key()),
        text(p256.to_pem_public_key()),
        text(rsa.to_pem_private_key()).replace("PRIVATE", "ENCRYPTED PRIVATE"),
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".into(),
        rsa_without_primes(&rsa),
        String::new(),
    ];
    for pem in refused {
        assert!(PrivateKey::from_pem(&pem).is_err(), "{pem}");
    }
}

/// PKCS#1 with zeros where the primes and their companions belong.
fn rsa_without_primes(rsa: &josekit::jwk::alg::rsa::RsaKeyPair) -> String {
    use josekit::jwk::KeyPair;
    let jwk = rsa.to_jwk_private_key();
    let integer = |bytes: &[u8]| {
        let body = [&[0], bytes].concat();
        let mut out = vec![2, 0x82];
        out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        out.extend(body);
        out
    };
    let mut body = vec![2, 1, 0];
    for name in ["n", "e", "d"] {
        let bytes = B64.decode(jwk.parameter(name).unwrap().as_str().unwrap()).unwrap();
        if name == "e" {
            body.extend([2, u8::try_from(bytes.len()).unwrap()]);
            body.extend(bytes);
        } else {
            body.extend(integer(&bytes));
        }
    }
    for _ in 0..5 {
        body.extend([2, 1, 0]);
    }
    let mut der = vec![0x30, 0x82];
    der.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    der.extend(body);
    format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
        STANDARD.encode(der)
    )
}

#[test]
fn halves_that_do_not_belong_together_are_no_key() {
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let mut mixed = object(serde_json::from_str(key(algorithm).to_jwk().expose()).unwrap());
        let other = PrivateKey::generate(algorithm).unwrap().public().jwk();
        for name in ["n", "x", "y"] {
            if let Some(value) = other.get(name) {
                mixed.insert(name.into(), value.clone());
            }
        }
        let refused = PrivateKey::from_jwk(Value::Object(mixed).to_string().as_bytes()).unwrap_err();
        assert!(matches!(refused, Error::RefusedKey(_)), "{algorithm}: {refused}");
    }
}

#[test]
fn private_keys_do_not_print() {
    let key = key(SigningAlgorithm::Es256);
    let d = serde_json::from_str::<Value>(key.to_jwk().expose()).unwrap()["d"]
        .as_str()
        .unwrap()
        .to_owned();
    let printed = format!(
        "{key:?} {:?} {:?}",
        key.signer(SigningAlgorithm::Es256).unwrap(),
        key.to_jwk()
    );
    assert!(!printed.contains(&d) && printed.contains(key.kid()));
}

/// SEC-752: what is issued verifies; any single changed bit fails.
#[test]
fn prop_token_roundtrip() {
    let set = key_set();
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let good = token(algorithm);
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            assert!(
                set.verify(&changed, &["at+jwt"], SigningAlgorithm::ALL).is_err(),
                "{algorithm}, bit {bit}"
            );
        }
    }
    let hmac = hmac_token(r#"{"alg":"HS256"}"#, SECRET);
    for bit in 0..hmac.len() * 8 {
        let mut bytes = hmac.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(
            verify_assertion(&changed, AssertionKeys::Secret(SECRET), ClientSigningAlgorithm::ALL).is_err(),
            "bit {bit}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_claims_come_back_as_they_were_signed(
        texts in proptest::collection::btree_map(".{0,12}", ".{0,40}", 0..6),
        number in any::<i64>(),
        quarters in any::<i32>(),
    ) {
        let mut claims: Map<String, Value> = texts.into_iter().map(|(name, text)| (name, text.into())).collect();
        claims.insert("numbers".into(), json!([number, f64::from(quarters) / 4.0, u64::MAX]));
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
            let compact = key(algorithm).signer(algorithm).unwrap().sign("at+jwt", &claims).unwrap();
            prop_assert_eq!(&accept(&compact).unwrap(), &claims);
        }
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in "[A-Za-z0-9_.=-]{0,120}", other in ".{0,60}") {
        prop_assert!(accept(&text).is_err());
        prop_assert!(accept(&other).is_err());
        prop_assert!(PrivateKey::from_pem(&other).is_err());
        prop_assert!(PrivateKey::from_jwk(other.as_bytes()).is_err());
        prop_assert!(PublicKey::from_jwk(other.as_bytes()).is_err());
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": text, "y": text, "d": text }).to_string();
        prop_assert!(PrivateKey::from_jwk(jwk.as_bytes()).is_err());
        let jwk = json!({ "kty": "RSA", "n": text, "e": text }).to_string();
        prop_assert!(PublicKey::from_jwk(jwk.as_bytes()).is_err());
    }
}
