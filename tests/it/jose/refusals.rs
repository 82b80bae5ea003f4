//! Tokens that are refused: by algorithm, key source, type, time, size, spelling, JSON and critical headers.

use super::*;

/// SEC-090: each context has its own algorithms; `none` never, and HMAC never where a public key is expected.
#[test]
fn jwt_alg_allowlist() {
    // every key under every other algorithm's name, and under names nobody serves
    for signed_with in SigningAlgorithm::ALL.iter().copied() {
        let kid = key(signed_with).kid();
        for name in [
            "none", "None", "NONE", "nOnE", "", "HS256", "RS384", "rs256", "ES256K", "ES384", "Ed25519", "RSA1_5",
            "dir",
        ] {
            let swapped = forge(signed_with, key(signed_with), &header(name, kid), b"{}");
            assert_eq!(
                accept(&swapped),
                Err(Error::AlgorithmNotAllowed),
                "{signed_with} as {name}"
            );
        }
        for other in SigningAlgorithm::ALL
            .iter()
            .copied()
            .filter(|other| *other != signed_with)
        {
            let swapped = forge(signed_with, key(signed_with), &header(other.as_str(), kid), b"{}");
            assert!(
                matches!(accept(&swapped), Err(Error::AlgorithmNotTheKeys | Error::Signature)),
                "{signed_with} as {other}"
            );
            let elsewhere = key_set().verify(&token(signed_with), &["at+jwt"], &[other]);
            assert_eq!(elsewhere, Err(Error::AlgorithmNotAllowed));
        }
        let unsigned = format!("{}.{}.", B64.encode(header("none", kid)), B64.encode("{}"));
        assert_eq!(accept(&unsigned), Err(Error::AlgorithmNotAllowed));
        let stripped = with_signature(&token(signed_with), b"");
        assert_eq!(accept(&stripped), Err(Error::Signature));
    }

    // the published key as an HMAC secret, in every spelling a verifier might have of it
    let key_as_secret = key_set().document().to_vec();
    let rsa = key(SigningAlgorithm::Rs256);
    let n = B64.decode(rsa.public().jwk()["n"].as_str().unwrap()).unwrap();
    for secret in [key_as_secret, n, serde_json::to_vec(&rsa.public().jwk()).unwrap()] {
        let forged = hmac_token(&header("HS256", rsa.kid()), &secret);
        assert_eq!(accept(&forged), Err(Error::AlgorithmNotAllowed));
        let keys = remote(json!([named(SigningAlgorithm::Rs256, Some(rsa.kid()))]));
        let refused = verify_assertion(&forged, AssertionKeys::Keys(&keys), ClientSigningAlgorithm::ALL);
        assert_eq!(refused.unwrap_err(), Error::AlgorithmNotAllowed);
    }

    // and public-key signatures where the secret is expected
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let refused = verify_assertion(
            &token(algorithm),
            AssertionKeys::Secret(SECRET),
            ClientSigningAlgorithm::ALL,
        );
        assert_eq!(refused.unwrap_err(), Error::AlgorithmNotAllowed);
    }
    let allowed = verify_assertion(
        &hmac_token(r#"{"alg":"HS256"}"#, SECRET),
        AssertionKeys::Secret(SECRET),
        &[ClientSigningAlgorithm::Hs256],
    );
    assert_eq!(allowed.unwrap().claims["iss"], "c");
    let not_here = verify_assertion(
        &hmac_token(r#"{"alg":"HS256"}"#, SECRET),
        AssertionKeys::Secret(SECRET),
        ClientSigningAlgorithm::ASYMMETRIC,
    );
    assert_eq!(not_here.unwrap_err(), Error::AlgorithmNotAllowed);
}

/// SEC-091: keys come from configuration; `jku`, `x5u`, `jwk`, `x5c` are ignored and `kid` is an opaque lookup.
#[test]
fn jwt_key_source_fixed() {
    let intruder = PrivateKey::generate(SigningAlgorithm::Es256).unwrap();
    let own = intruder.public().jwk();
    let kid = key(SigningAlgorithm::Es256).kid();
    for member in [
        json!({ "jwk": own }),
        json!({ "jku": "https://evil.example/jwks.json" }),
        json!({ "x5u": "https://evil.example/cert.pem" }),
        json!({ "x5c": ["MIIB"] }),
    ] {
        let mut header = object(json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid }));
        header.extend(object(member));
        let text = Value::Object(header.clone()).to_string();
        let forged = forge(SigningAlgorithm::Es256, &intruder, &text, b"{}");
        assert_eq!(accept(&forged), Err(Error::Signature), "{text}");
        // ignored, not feared: signed by the right key it is an ordinary token
        accept(&forge(
            SigningAlgorithm::Es256,
            key(SigningAlgorithm::Es256),
            &text,
            b"{}",
        ))
        .unwrap();
        header.insert("kid".into(), intruder.kid().into());
        let forged = forge(
            SigningAlgorithm::Es256,
            &intruder,
            &Value::Object(header).to_string(),
            b"{}",
        );
        assert_eq!(accept(&forged), Err(Error::UnknownKey));
    }
    for odd in [
        "",
        "../../dev/null",
        "' or '1'='1",
        "*",
        &format!("{kid} "),
        &kid.to_lowercase(),
        &kid[..42],
        "\\u0000",
    ] {
        let forged = forge(
            SigningAlgorithm::Es256,
            key(SigningAlgorithm::Es256),
            &header("ES256", odd),
            b"{}",
        );
        assert_eq!(accept(&forged), Err(Error::UnknownKey), "{odd}");
    }
    let nameless = forge(
        SigningAlgorithm::Es256,
        key(SigningAlgorithm::Es256),
        r#"{"alg":"ES256","typ":"at+jwt"}"#,
        b"{}",
    );
    assert_eq!(accept(&nameless), Err(Error::KeyIdRequired));
    for wrong in ["7", "null", "[]"] {
        let text = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":{wrong}}}"#);
        assert_eq!(
            accept(&forge(
                SigningAlgorithm::Es256,
                key(SigningAlgorithm::Es256),
                &text,
                b"{}"
            )),
            Err(Error::Header("kid"))
        );
    }
}

#[test]
fn a_token_of_another_type_is_refused() {
    for algorithm in SigningAlgorithm::ALL.iter().copied() {
        let refused = key_set().verify(&token(algorithm), &["JWT", "logout+jwt"], SigningAlgorithm::ALL);
        assert_eq!(refused, Err(Error::TypeNotExpected));
    }
    let untyped = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, key(SigningAlgorithm::Es256).kid());
    assert_eq!(
        accept(&forge(
            SigningAlgorithm::Es256,
            key(SigningAlgorithm::Es256),
            &untyped,
            b"{}"
        )),
        Err(Error::TypeNotExpected)
    );
    let signer = key(SigningAlgorithm::Es256).signer(SigningAlgorithm::Es256).unwrap();
    for typ in ["", "a\"b", "a b", "é"] {
        assert_eq!(signer.sign(typ, &claims()), Err(Error::Header("typ")));
    }
}

#[test]
fn a_clients_type_is_read_as_a_media_type() {
    let keys = remote(json!([named(SigningAlgorithm::Es256, None)]));
    for (written, fits) in [
        ("client-authentication+jwt", true),
        ("application/Client-Authentication+JWT", true),
        ("JWT", false),
        ("x/client-authentication+jwt", false),
    ] {
        let text = format!(r#"{{"alg":"ES256","typ":"{written}"}}"#);
        let compact = forge(SigningAlgorithm::Es256, key(SigningAlgorithm::Es256), &text, b"{}");
        let verified =
            verify_assertion(&compact, AssertionKeys::Keys(&keys), ClientSigningAlgorithm::ASYMMETRIC).unwrap();
        assert_eq!(verified.is_typ("client-authentication+jwt"), fits, "{written}");
    }
}

/// SEC-092: expiry is mandatory; not-before and issued-at have at most 60 seconds of skew.
#[test]
fn jwt_time_window() {
    const NOW: i64 = 1_800_000_000;
    let now = Timestamp::from_seconds(NOW);
    let limits = TimeLimits::default();
    let aged = TimeLimits {
        max_age: Some(Duration::from_secs(300)),
        max_life: Some(Duration::from_secs(600)),
        ..limits
    };
    let greedy = TimeLimits {
        skew: Duration::from_secs(3600),
        ..limits
    };
    let sharp = TimeLimits {
        skew: Duration::ZERO,
        ..limits
    };
    let cases = [
        (json!({ "exp": NOW + 1 }), limits, None),
        (json!({ "exp": NOW }), limits, Some(Error::Expired)),
        (json!({ "exp": NOW - 1 }), limits, Some(Error::Expired)),
        (json!({ "exp": NOW as f64 + 0.5 }), limits, None),
        (json!({ "exp": NOW as f64 - 0.5 }), limits, Some(Error::Expired)),
        (json!({}), limits, Some(Error::ExpiryMissing)),
        (json!({ "exp": null }), limits, Some(Error::TimeNotUsable("exp"))),
        (
            json!({ "exp": (NOW + 1).to_string() }),
            limits,
            Some(Error::TimeNotUsable("exp")),
        ),
        (json!({ "exp": [NOW + 1] }), limits, Some(Error::TimeNotUsable("exp"))),
        (json!({ "exp": true }), limits, Some(Error::TimeNotUsable("exp"))),
        (json!({ "exp": -1 }), limits, Some(Error::TimeNotUsable("exp"))),
        (json!({ "exp": 253_402_300_799i64 }), limits, None),
        (
            json!({ "exp": 253_402_300_800i64 }),
            limits,
            Some(Error::TimeNotUsable("exp")),
        ),
        (json!({ "exp": i64::MAX }), limits, Some(Error::TimeNotUsable("exp"))),
        (json!({ "exp": u64::MAX }), limits, Some(Error::TimeNotUsable("exp"))),
        (json!({ "exp": 1e300 }), limits, Some(Error::TimeNotUsable("exp"))),
        (json!({ "exp": NOW + 9, "nbf": NOW + 60 }), limits, None),
        (
            json!({ "exp": NOW + 90, "nbf": NOW + 61 }),
            limits,
            Some(Error::NotYetValid),
        ),
        (
            json!({ "exp": NOW + 90, "nbf": NOW + 61 }),
            greedy,
            Some(Error::NotYetValid),
        ),
        (
            json!({ "exp": NOW + 90, "nbf": NOW + 1 }),
            sharp,
            Some(Error::NotYetValid),
        ),
        (
            json!({ "exp": NOW + 90, "nbf": "now" }),
            limits,
            Some(Error::TimeNotUsable("nbf")),
        ),
        (json!({ "exp": NOW + 90, "iat": NOW + 60 }), limits, None),
        (
            json!({ "exp": NOW + 90, "iat": NOW + 61 }),
            limits,
            Some(Error::IssuedInFuture),
        ),
        (
            json!({ "exp": NOW + 90, "iat": NOW as f64 + 60.1 }),
            greedy,
            Some(Error::IssuedInFuture),
        ),
        (
            json!({ "exp": NOW + 90, "iat": {} }),
            limits,
            Some(Error::TimeNotUsable("iat")),
        ),
        (json!({ "exp": NOW + 90, "iat": 0 }), limits, None),
        (json!({ "exp": NOW + 90, "iat": NOW - 300 }), aged, None),
        (json!({ "exp": NOW + 90, "iat": NOW - 301 }), aged, Some(Error::TooOld)),
        (json!({ "exp": NOW + 90 }), aged, Some(Error::IssueTimeMissing)),
        (json!({ "exp": NOW + 600, "iat": NOW }), aged, None),
        (json!({ "exp": NOW + 601, "iat": NOW }), aged, Some(Error::ExpiryTooFar)),
    ];
    for (claims, limits, refusal) in cases {
        assert_eq!(
            check_times(&object(claims.clone()), now, limits).err(),
            refusal,
            "{claims}"
        );
    }
    let times = check_times(
        &object(json!({ "exp": NOW + 1, "nbf": NOW, "iat": NOW as f64 - 0.25 })),
        now,
        limits,
    )
    .unwrap();
    assert_eq!(times.expires, Timestamp::from_seconds(NOW + 1));
    assert_eq!(times.not_before, Some(now));
    assert_eq!(times.issued, Some(now.before(Duration::from_millis(250))));
}

/// SEC-096: encrypted input where signed input is expected is refused.
#[test]
fn jwt_sign_encrypt_confusion() {
    use josekit::jwe::{JweHeader, RSA_OAEP_256, serialize_compact};
    let jwk = josekit::jwk::Jwk::from_map(key(SigningAlgorithm::Rs256).public().jwk()).unwrap();
    let mut public = jwk.clone();
    public.set_parameter("use", None).unwrap();
    let mut header = JweHeader::new();
    header.set_content_encryption("A256GCM");
    let sealed = serialize_compact(
        token(SigningAlgorithm::Rs256).as_bytes(),
        &header,
        &RSA_OAEP_256.encrypter_from_jwk(&public).unwrap(),
    )
    .unwrap();
    assert_eq!(accept(&sealed), Err(Error::Encrypted));
    let keys = remote(json!([named(SigningAlgorithm::Rs256, None)]));
    let refused = verify_assertion(&sealed, AssertionKeys::Keys(&keys), ClientSigningAlgorithm::ALL);
    assert_eq!(refused.unwrap_err(), Error::Encrypted);
    assert_eq!(peek_unverified_issuer(&sealed), Err(Error::Encrypted));
}

/// SEC-097: sizes and segment counts are bounded, compression is refused, and refusing is quick.
#[test]
fn jwt_resource_bounds() {
    let es256 = key(SigningAlgorithm::Es256);
    let set = key_set();
    let large = "x".repeat(MAX_COMPACT_BYTES);
    let corpus = [
        (".".repeat(1000), Error::NotCompact),
        (".".repeat(10_000_000), Error::TooLarge),
        (String::new(), Error::NotCompact),
        ("a.b".into(), Error::NotCompact),
        ("..".into(), Error::Json),
        (format!("{large}.."), Error::TooLarge),
        (format!("{}..", &large[..MAX_COMPACT_BYTES - 3]), Error::NotCompact),
        (format!("{}..", B64.encode("[".repeat(9000))), Error::Json),
        (
            format!(
                "{}..",
                B64.encode(format!(r#"{{"alg":{}1{}}}"#, "[".repeat(20), "]".repeat(20)))
            ),
            Error::Json,
        ),
    ];
    for (input, refusal) in &corpus {
        assert_eq!(
            accept(input).as_ref(),
            Err(refusal),
            "{}",
            &input[..input.len().min(40)]
        );
        assert_eq!(peek_unverified_issuer(input).as_ref(), Err(refusal));
    }
    for (input, _) in &corpus {
        // the best of a few, for the machine may be busy
        let best = (0..5)
            .map(|_| {
                let started = ostiary::clock::monotonic();
                let _ = accept_with(&set, input);
                started.elapsed()
            })
            .min()
            .unwrap();
        assert!(best < Duration::from_millis(5), "{best:?}");
    }

    for extension in ["zip", "enc"] {
        let text = format!(
            r#"{{"alg":"ES256","kid":"{}","typ":"at+jwt","{extension}":"DEF"}}"#,
            es256.kid()
        );
        assert_eq!(
            accept(&forge(SigningAlgorithm::Es256, es256, &text, b"{}")),
            Err(Error::Extension(extension))
        );
    }
    let long_kid = header("ES256", &"k".repeat(513));
    assert_eq!(
        accept(&forge(SigningAlgorithm::Es256, es256, &long_kid, b"{}")),
        Err(Error::Header("kid"))
    );

    let many: Vec<Value> = (0..=MAX_KEYS).map(|_| json!({ "kty": "x" })).collect();
    assert_eq!(
        RemoteKeys::fetched(json!({ "keys": many }).to_string().as_bytes()).unwrap_err(),
        Error::KeySet
    );
    let document = json!({ "keys": [], "filler": "x".repeat(MAX_DOCUMENT_BYTES) }).to_string();
    assert_eq!(RemoteKeys::fetched(document.as_bytes()).unwrap_err(), Error::TooLarge);
}

#[test]
fn base64url_has_one_spelling() {
    let good = token(SigningAlgorithm::EdDsa);
    let parts: Vec<&str> = good.split('.').collect();
    accept(&good).unwrap();
    let mut bad = Vec::new();
    for index in 0..3 {
        for changed in [
            format!("{}=", parts[index]),
            format!("{}==", parts[index]),
            format!(" {}", parts[index]),
            format!("{}\n", parts[index]),
            format!("{}\t{}", &parts[index][..4], &parts[index][4..]),
            format!("{}+", &parts[index][..parts[index].len() - 1]),
        ] {
            let mut parts = parts.clone();
            parts[index] = &changed;
            bad.push(parts.join("."));
        }
    }
    // a signature of 64 bytes ends in a character of which four bits are unused
    let last = good.pop_last();
    bad.extend(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            .chars()
            .filter(|c| *c != last)
            .map(|c| format!("{}{c}", &good[..good.len() - 1])),
    );
    bad.push(format!(
        "{}.{}",
        parts[..2].join("."),
        URL_SAFE.encode(signature_of(&good))
    ));
    for compact in bad {
        assert!(accept(&compact).is_err(), "{compact}");
    }
}

trait PopLast {
    fn pop_last(&self) -> char;
}
impl PopLast for String {
    fn pop_last(&self) -> char {
        self.chars().next_back().unwrap()
    }
}

/// SEC-103: the key set publishes public parameters only.
#[test]
fn jwks_public_only() {
    let rotated = SigningAlgorithm::ALL
        .iter()
        .map(|algorithm| PrivateKey::generate(*algorithm).unwrap());
    let all: Vec<PrivateKey> = rotated.chain([key(SigningAlgorithm::Rs256).clone()]).collect();
    let set = KeySet::new(all.iter().map(|key| key.public().clone()).collect()).unwrap();
    let document = object(serde_json::from_slice(set.document()).unwrap());
    assert_eq!(document.keys().collect::<Vec<_>>(), ["keys"]);
    let published = document["keys"].as_array().unwrap();
    assert_eq!(published.len(), 5);
    for (jwk, private) in published.iter().zip(&all) {
        let mut names: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected: &[&str] = match jwk["kty"].as_str().unwrap() {
            "RSA" => &["e", "kid", "kty", "n", "use"],
            "EC" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            _ => &["alg", "crv", "kid", "kty", "use", "x"],
        };
        assert_eq!(names, expected);
        assert_eq!(jwk["use"], "sig");
        assert_eq!(jwk["kid"], private.kid());
    }
    let twice = vec![all[0].public().clone(), all[0].public().clone()];
    assert_eq!(KeySet::new(twice).unwrap_err(), Error::DuplicateKey);
    // and a private key is never taken for a public one
    for key in &all {
        let refused = PublicKey::from_jwk(key.to_jwk().expose().as_bytes());
        assert!(matches!(refused, Err(Error::PrivateMember(_))));
    }
}

/// SEC-110: JSON with duplicate names, excessive depth, non-finite numbers or bad UTF-8 is refused.
#[test]
fn json_strict_parse() {
    let es256 = key(SigningAlgorithm::Es256);
    let good_header = header("ES256", es256.kid());
    let refused: &[&[u8]] = &[
        br#"{"sub":"a","sub":"b"}"#,
        br#"{"sub":"a","s\u0075b":"b"}"#,
        br#"{"a":{"b":[{"c":1,"c":1}]}}"#,
        br#"{"exp":1e999}"#,
        br#"{"exp":NaN}"#,
        br#"{"exp":Infinity}"#,
        br#"{"exp":01}"#,
        b"{\"sub\":\"\xff\"}",
        b"{\"sub\":\"\xc0\xaf\"}",
        br#"{"sub":"\ud800"}"#,
        b"{\"sub\":\"\x01\"}",
        br#"{"sub":"a",}"#,
        br#"{"sub":"a"} {"sub":"b"}"#,
        br#"{"sub":"a"}x"#,
        b"\xef\xbb\xbf{}",
        b"{'sub':'a'}",
        b"{/**/}",
        b"[]",
        b"1",
        b"null",
        b"\"text\"",
        b"",
        b"{",
    ];
    for payload in refused {
        assert_eq!(
            json::object(payload),
            Err(Error::Json),
            "{}",
            String::from_utf8_lossy(payload)
        );
        let signed = forge(SigningAlgorithm::Es256, es256, &good_header, payload);
        assert_eq!(accept(&signed), Err(Error::Json));
        assert_eq!(peek_unverified_issuer(&signed), Err(Error::Json));
        if let Ok(text) = std::str::from_utf8(payload) {
            assert_eq!(
                accept(&forge(SigningAlgorithm::Es256, es256, text, b"{}")),
                Err(Error::Json)
            );
        }
        assert_eq!(RemoteKeys::fetched(payload).unwrap_err(), Error::Json);
    }
    let twice = good_header.replace('{', r#"{"alg":"none","#);
    assert_eq!(
        accept(&forge(SigningAlgorithm::Es256, es256, &twice, b"{}")),
        Err(Error::Json)
    );
    let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    json::object(nested(16).as_bytes()).unwrap();
    assert_eq!(json::object(nested(17).as_bytes()), Err(Error::Json));
    assert_eq!(json::object(nested(100_000).as_bytes()), Err(Error::Json));
}

/// SEC-111: critical headers and unencoded payloads are refused.
#[test]
fn jwt_crit_refused() {
    let es256 = key(SigningAlgorithm::Es256);
    let keys = remote(json!([named(SigningAlgorithm::Es256, Some(es256.kid()))]));
    for (extra, name) in [
        (r#""crit":[]"#, "crit"),
        (r#""crit":["exp"],"exp":1"#, "crit"),
        (r#""crit":["b64"],"b64":false"#, "crit"),
        (r#""crit":null"#, "crit"),
        (r#""b64":false"#, "b64"),
        (r#""b64":true"#, "b64"),
    ] {
        let text = header("ES256", es256.kid()).replace('}', &format!(",{extra}}}"));
        let compact = forge(SigningAlgorithm::Es256, es256, &text, b"{}");
        assert_eq!(accept(&compact), Err(Error::Extension(name)));
        let refused = verify_assertion(&compact, AssertionKeys::Keys(&keys), ClientSigningAlgorithm::ALL);
        assert_eq!(refused.unwrap_err(), Error::Extension(name));
    }
    let input = format!("{}.{{\"sub\":\"a\"}}", B64.encode(header("ES256", es256.kid())));
    let signature = raw_signer(SigningAlgorithm::Es256, es256)
        .sign(input.as_bytes())
        .unwrap();
    assert_eq!(
        accept(&format!("{input}.{}", B64.encode(signature))),
        Err(Error::NotCompact)
    );
}
