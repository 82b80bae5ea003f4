//! Weak secrets, degenerate signatures and degenerate keys.

use super::*;

/// SEC-098: empty, short and all-zero symmetric keys are refused at configuration and at verification.
#[test]
fn jwt_hmac_key_strength() {
    for weak in [&b""[..], b"short", &SECRET[..31], &[0; 32], &[0; 64], &[b'a'; 40][..]] {
        assert_eq!(require_strong_secret(weak), Err(Error::WeakSecret));
        let refused = verify_assertion(
            &hmac_token(r#"{"alg":"HS256"}"#, weak),
            AssertionKeys::Secret(weak),
            ClientSigningAlgorithm::SYMMETRIC,
        );
        assert_eq!(refused.unwrap_err(), Error::WeakSecret);
    }
    require_strong_secret(SECRET).unwrap();
    let good = hmac_token(r#"{"alg":"HS256"}"#, SECRET);
    verify_assertion(&good, AssertionKeys::Secret(SECRET), ClientSigningAlgorithm::SYMMETRIC).unwrap();
    let mac = signature_of(&good);
    for wrong in [&mac[..31], &mac[..0], &[&mac[..], &[0]].concat()] {
        let refused = verify_assertion(
            &with_signature(&good, wrong),
            AssertionKeys::Secret(SECRET),
            ClientSigningAlgorithm::SYMMETRIC,
        );
        assert_eq!(refused.unwrap_err(), Error::Signature);
    }
    let another = verify_assertion(
        &good,
        AssertionKeys::Secret(b"another secret of thirty-two byte"),
        ClientSigningAlgorithm::SYMMETRIC,
    );
    assert_eq!(another.unwrap_err(), Error::Signature);
}

/// SEC-099: degenerate signatures and keys are refused.
#[test]
fn jwt_degenerate_crypto_vectors() {
    // ECDSA: zero, the order, and beyond, in either half; wrong lengths; DER instead of the fixed form
    let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let (zero, one, top) = ([0; 32].to_vec(), [&[0; 31][..], &[1]].concat(), [0xff; 32].to_vec());
    let good = token(SigningAlgorithm::Es256);
    let (r, s) = {
        let both = signature_of(&good);
        (both[..32].to_vec(), both[32..].to_vec())
    };
    let values = [zero, one, order, top, r.clone(), s.clone()];
    for left in &values {
        for right in &values {
            if (left, right) != (&r, &s) {
                assert_eq!(
                    accept(&with_signature(&good, &[&left[..], &right[..]].concat())),
                    Err(Error::Signature)
                );
            }
        }
    }
    let der = [&[0x30, 0x44, 2, 0x20][..], &r, &[2, 0x20], &s].concat();
    for wrong in [
        &der[..],
        &[&r[..], &s[..31]].concat(),
        &[&[0], &r[..], &[0], &s[..]].concat(),
        &[],
    ] {
        assert_eq!(accept(&with_signature(&good, wrong)), Err(Error::Signature));
    }

    // Ed25519: the order added to s, zeros, small-order R
    let good = token(SigningAlgorithm::EdDsa);
    let signature = signature_of(&good);
    let mut malleable = signature.clone();
    let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0u16;
    for (byte, add) in malleable[32..].iter_mut().zip(&order) {
        let sum = u16::from(*byte) + u16::from(*add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    let identity = [&[1][..], &[0; 63]].concat();
    for wrong in [
        malleable,
        vec![0; 64],
        identity.clone(),
        vec![0xff; 64],
        signature[..63].to_vec(),
    ] {
        assert_eq!(accept(&with_signature(&good, &wrong)), Err(Error::Signature));
    }

    // RSA: zero, one, the modulus and beyond, and one that lost its leading zero
    let n = B64
        .decode(key(SigningAlgorithm::Rs256).public().jwk()["n"].as_str().unwrap())
        .unwrap();
    for algorithm in [SigningAlgorithm::Rs256, SigningAlgorithm::Ps256] {
        let good = token(algorithm);
        let one = [&[0; 255][..], &[1]].concat();
        for wrong in [vec![0; 256], one, n.clone(), vec![0xff; 256], vec![1], Vec::new()] {
            assert_eq!(
                accept(&with_signature(&good, &wrong)),
                Err(Error::Signature),
                "{algorithm}"
            );
        }
        let signer = key(algorithm).signer(algorithm).unwrap();
        let short = (0..20_000)
            .map(|n| signer.sign("at+jwt", &object(json!({ "n": n }))).unwrap())
            .find(|compact| signature_of(compact)[0] == 0)
            .unwrap();
        accept(&short).unwrap();
        assert_eq!(
            accept(&with_signature(&short, &signature_of(&short)[1..])),
            Err(Error::Signature)
        );
        assert_eq!(
            accept(&with_signature(&short, &[&[0], &signature_of(&short)[..]].concat())),
            Err(Error::Signature)
        );
    }

    // keys
    let p256 = key(SigningAlgorithm::Es256).public().jwk();
    let [x, y] = ["x", "y"].map(|name| B64.decode(p256[name].as_str().unwrap()).unwrap());
    let mut off = y.clone();
    off[31] ^= 1;
    let ec = |x: &[u8], y: &[u8]| json!({ "kty": "EC", "crv": "P-256", "x": B64.encode(x), "y": B64.encode(y) });
    let okp = |x: &[u8]| json!({ "kty": "OKP", "crv": "Ed25519", "x": B64.encode(x) });
    let rsa = |n: &[u8], e: &[u8]| json!({ "kty": "RSA", "n": B64.encode(n), "e": B64.encode(e) });
    let weak = josekit::jwk::Jwk::generate_rsa_key(1024).unwrap();
    let weak = B64.decode(weak.parameter("n").unwrap().as_str().unwrap()).unwrap();
    let mut even = n.clone();
    even[255] &= 0xfe;
    let f4 = [1, 0, 1];
    let mut refused = vec![
        ec(&x, &off),
        ec(&[0; 32], &[0; 32]),
        ec(&[0xff; 32], &y),
        ec(&x[..31], &y),
        ec(&[&[0], &x[..]].concat(), &y),
        ec(&[&x[..], &y[..1]].concat(), &y[1..]),
        ec(&[], &[]),
        json!({ "kty": "EC", "crv": "P-256", "x": B64.encode(&x) }),
        rsa(&weak, &f4),
        rsa(&n[..255], &f4),
        rsa(&[&[0; 128][..], &weak].concat(), &f4),
        rsa(&even, &f4),
        rsa(&[0xff; 1025], &f4),
        rsa(&[], &f4),
        rsa(&n, &[]),
        rsa(&n, &[0]),
        rsa(&n, &[1]),
        rsa(&n, &[3]),
        rsa(&n, &[17]),
        rsa(&n, &[1, 0, 0]),
        rsa(&n, &[1, 0, 0, 0, 1]),
        okp(&[0; 31]),
        okp(&[0; 33]),
        okp(&[]),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA=" }),
        json!({ "kty": "OKP", "crv": "Ed25519" }),
        json!({ "kty": "RSA", "n": 7, "e": "AQAB" }),
    ];
    // all points of small order, with either sign, and second spellings
    for y in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let mut point = hex(y);
        refused.push(okp(&point));
        point[31] |= 0x80;
        refused.push(okp(&point));
    }
    for jwk in refused {
        let document = json!({ "keys": [jwk] }).to_string();
        assert!(
            matches!(
                PublicKey::from_jwk(jwk.to_string().as_bytes()),
                Err(Error::RefusedKey(_))
            ),
            "{jwk}"
        );
        assert!(
            matches!(RemoteKeys::registered(document.as_bytes()), Err(Error::RefusedKey(_))),
            "{jwk}"
        );
        assert!(RemoteKeys::fetched(document.as_bytes()).unwrap().is_empty(), "{jwk}");
    }
    PublicKey::from_jwk(rsa(&[&[0], &n[..]].concat(), &f4).to_string().as_bytes()).unwrap();

    // no point has this y: the key can't be told from a good one, but verifies nothing
    let nowhere = (2..60u8).map(|y| okp(&[&[y][..], &[0; 31]].concat()));
    for jwk in nowhere {
        let keys = remote(json!([jwk]));
        for signature in [signature_of(&good), identity.clone(), vec![0; 64]] {
            let forged = format!(
                "{}.{}.{}",
                B64.encode(r#"{"alg":"EdDSA"}"#),
                B64.encode("{}"),
                B64.encode(signature)
            );
            assert!(verify_assertion(&forged, AssertionKeys::Keys(&keys), ClientSigningAlgorithm::ALL).is_err());
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
