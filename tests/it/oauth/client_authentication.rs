//! Client authentication: RFC 6749 section 2.3, RFC 7617, RFC 7523 section 3, OpenID Connect Core section 9.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use ostiary::model::Secret;
use ostiary::protocol::client_authentication::{Credentials, JWT_BEARER, Presented, judge_assertion};
use ostiary::protocol::{ErrorCode, OAuthError};
use serde_json::{Value, json};

fn basic(header: &str) -> Result<(String, String), OAuthError> {
    let presented = Presented {
        authorization: Some(Secret::new(header)),
        ..Presented::default()
    };
    match presented.credentials()? {
        Credentials::Basic { client_id, secret } => Ok((client_id, secret.expose().to_owned())),
        other => panic!("{other:?}"),
    }
}

fn encoded(plain: &str) -> String {
    format!("Basic {}", STANDARD.encode(plain))
}

/// SEC-134: strict base64, one colon to part them, each half decoded once.
#[test]
fn basic_auth_strict_decode() {
    let read = |plain: &str| basic(&encoded(plain)).unwrap();
    let pair = |client_id: &str, secret: &str| (client_id.to_owned(), secret.to_owned());
    assert_eq!(read("shop:secret"), pair("shop", "secret"));
    assert_eq!(read("shop:"), pair("shop", ""));
    assert_eq!(read("sh%3Aop:se%3Acret"), pair("sh:op", "se:cret"));
    assert_eq!(read("a+b:c+d%2B"), pair("a b", "c d+"));
    assert_eq!(read("shop:a:b"), pair("shop", "a:b"));
    // once: what decodes to an encoding stays that
    assert_eq!(read("sh%256fp:%2541"), pair("sh%6fp", "%41"));
    assert_eq!(read("shop:%C3%A4"), pair("shop", "\u{e4}"));
    assert_eq!(
        basic(&format!("bAsIc {}", STANDARD.encode("shop:secret"))).unwrap(),
        pair("shop", "secret")
    );

    let refused = [
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic =".to_owned(),
        "Basic !!!!".to_owned(),
        format!("Basic{}", STANDARD.encode("shop:secret")),
        format!("Basic {} ", STANDARD.encode("shop:secret")),
        format!("Basic {}\n", STANDARD.encode("shop:secret")),
        format!("Basic {}", STANDARD_NO_PAD.encode("shop:secre")),
        format!("Basic {}=", STANDARD.encode("shop:secret")),
        format!(
            "Basic {},{}",
            STANDARD.encode("shop:secret"),
            STANDARD.encode("shop:secret")
        ),
        format!("Basic {}", URL_SAFE.encode(b"shop:\xfb\xff")),
        // bits left over after the last byte: two texts for one value
        "Basic c2hvcDpzZWNyZXR=".to_owned(),
        format!("Bearer {}", STANDARD.encode("shop:secret")),
        format!("Digest {}", STANDARD.encode("shop:secret")),
        encoded("shop"),
        encoded(""),
        encoded(":secret"),
        encoded("shop%3Asecret"),
        encoded("sh%zzop:secret"),
        encoded("shop:secret%"),
        encoded("shop:secret%4"),
        encoded("shop:%ff"),
        encoded("shop:a%00b"),
        encoded("shop:a\nb"),
        encoded("sh%0aop:secret"),
        encoded("sh\u{f6}p:secret"),
        format!("Basic {}", STANDARD.encode(b"shop:\xff\xfe")),
        // encoded twice
        format!("Basic {}", STANDARD.encode(STANDARD.encode("shop:secret"))),
    ];
    for header in refused {
        let error = basic(&header).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidClient, "{header:?}");
        assert_eq!(error.description, "client authentication failed", "{header:?}");
    }
}

fn presented(parts: &[&str]) -> Presented {
    let has = |part: &str| parts.contains(&part);
    Presented {
        authorization: has("basic").then(|| Secret::new(encoded("shop:secret"))),
        client_id: has("id").then(|| "shop".to_owned()),
        client_secret: has("post").then(|| Secret::new("secret")),
        client_assertion_type: has("type").then(|| JWT_BEARER.to_owned()),
        client_assertion: has("assertion").then(|| "a.b.c".to_owned()),
    }
}

/// SEC-132: one method a request; every pair of methods is refused, complete or not.
#[test]
fn client_auth_single_method() {
    for pair in [
        &["basic", "post"][..],
        &["basic", "id", "post"],
        &["basic", "assertion", "type"],
        &["basic", "id", "assertion", "type"],
        &["basic", "type"],
        &["basic", "assertion"],
        &["id", "post", "assertion", "type"],
        &["post", "type"],
        &["post", "assertion"],
        &["basic", "id", "post", "assertion", "type"],
    ] {
        let error = presented(pair).credentials().unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidRequest, "{pair:?}");
    }
    for part in [&["type"][..], &["assertion"], &["id", "type"], &["id", "assertion"]] {
        assert_eq!(
            presented(part).credentials().unwrap_err().code,
            ErrorCode::InvalidRequest,
            "{part:?}"
        );
    }
    for nothing in [&[][..], &["post"]] {
        assert_eq!(
            presented(nothing).credentials().unwrap_err().code,
            ErrorCode::InvalidClient,
            "{nothing:?}"
        );
    }
    assert!(matches!(
        presented(&["basic"]).credentials(),
        Ok(Credentials::Basic { .. })
    ));
    assert!(matches!(
        presented(&["basic", "id"]).credentials(),
        Ok(Credentials::Basic { .. })
    ));
    assert!(matches!(
        presented(&["id", "post"]).credentials(),
        Ok(Credentials::Post { .. })
    ));
    assert!(matches!(
        presented(&["id"]).credentials(),
        Ok(Credentials::Public { .. })
    ));
    assert!(matches!(
        presented(&["assertion", "type"]).credentials(),
        Ok(Credentials::Assertion { client_id: None, .. })
    ));
}

#[test]
fn another_client_id_beside_basic_is_refused() {
    let mut presented = presented(&["basic", "id"]);
    presented.client_id = Some("other".to_owned());
    assert_eq!(presented.credentials().unwrap_err().code, ErrorCode::InvalidClient);
}

#[test]
fn an_assertion_of_another_type_is_refused() {
    let mut presented = presented(&["assertion", "type"]);
    presented.client_assertion_type = Some("urn:ietf:params:oauth:client-assertion-type:saml2-bearer".to_owned());
    assert!(presented.credentials().is_err());
}

/// SEC-133: made by the client, about the client, for this server alone, with a name to use up.
#[test]
fn client_assertion_rules() {
    let issuer = "https://login.example";
    let token = "https://login.example/oauth2/token";
    let revoke = "https://login.example/oauth2/revoke";
    let audiences = [issuer, token, revoke];
    let judged = |claims: Value| judge_assertion(claims.as_object().unwrap(), "shop", &audiences).map(str::to_owned);
    let claims = |aud: Value| json!({"iss": "shop", "sub": "shop", "aud": aud, "jti": "1", "exp": 9});
    for aud in [
        json!(issuer),
        json!(token),
        json!(revoke),
        json!([issuer]),
        json!([issuer, token]),
    ] {
        assert_eq!(judged(claims(aud.clone())), Ok("1".to_owned()), "{aud}");
    }
    for aud in [
        json!("https://other.example"),
        json!("https://login.example/"),
        json!("https://login.example/oauth2/token/"),
        json!("https://LOGIN.example"),
        json!("https://login.example https://other.example"),
        json!(["https://other.example", issuer]),
        json!([issuer, 7]),
        json!([[issuer]]),
        json!([]),
        json!({"0": issuer}),
        json!(7),
        json!(""),
        Value::Null,
    ] {
        assert_eq!(judged(claims(aud.clone())), Err("assertion_audience"), "{aud}");
    }
    let without = |member: &str, value: Value| {
        let mut claims = claims(json!(issuer));
        claims[member] = value;
        judged(claims)
    };
    for value in [Value::Null, json!("other"), json!("Shop"), json!(["shop"]), json!("")] {
        assert_eq!(without("iss", value.clone()), Err("assertion_issuer"), "{value}");
        assert_eq!(without("sub", value.clone()), Err("assertion_subject"), "{value}");
    }
    for value in [Value::Null, json!(""), json!(7), json!("a".repeat(513))] {
        assert_eq!(without("jti", value.clone()), Err("assertion_jti"), "{value}");
    }
    assert_eq!(
        judge_assertion(json!({}).as_object().unwrap(), "shop", &audiences),
        Err("assertion_issuer")
    );
}
