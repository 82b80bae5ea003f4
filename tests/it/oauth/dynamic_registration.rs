//! Dynamic registration and its management: RFC 7591, RFC 7592, OpenID Connect Dynamic Client Registration 1.0.

use std::time::Duration;

use futures_util::future::join_all;
use ostiary::flow::Error;
use ostiary::flow::clients::initial_access_token::{self, NewRegistrationToken};
use ostiary::flow::clients::registration::register;
use ostiary::flow::clients::registration_management::{self, find, replace};
use ostiary::flow::clients::{Created, disable};
use ostiary::model::setting::{CLIENT_REGISTRATION_MODE, SettingValue};
use ostiary::model::{ClientOrigin, ClientPolicy, ConsentMode, Secret};
use ostiary::protocol::{ErrorCode, OAuthError};
use serde_json::{Map, Value, json};

use super::client_secrets::{basic, made, tried};
use crate::support::documents::Documents;
use crate::support::rooms::Rooms;

async fn rooms(mode: &'static str) -> Rooms {
    Rooms::with(&[(CLIENT_REGISTRATION_MODE, SettingValue::Word(mode))]).await
}

async fn registered(rooms: &Rooms, token: Option<&Secret>, body: &Value) -> Result<Map<String, Value>, Error> {
    let call = rooms.call_from("203.0.113.7");
    register(&rooms.provider, &call, token.cloned(), body.to_string().as_bytes()).await
}

fn refused(answer: Result<Map<String, Value>, Error>) -> OAuthError {
    match answer {
        Err(Error::OAuth(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn ordinary() -> Value {
    json!({"redirect_uris": ["https://client.example/callback"], "client_name": "Shop"})
}

fn text(information: &Map<String, Value>, member: &str) -> String {
    information[member].as_str().unwrap().to_owned()
}

/// SEC-136: closed unless a setting opens it, then by token or for all; nothing of the operator's can be set.
#[tokio::test]
async fn dcr_restricted() {
    let closed = Rooms::open().await;
    assert_eq!(
        refused(registered(&closed, None, &ordinary()).await).code,
        ErrorCode::AccessDenied
    );
    let token = Secret::new("guess");
    assert_eq!(
        refused(registered(&closed, Some(&token), &ordinary()).await).code,
        ErrorCode::AccessDenied
    );

    let open = rooms("open").await;
    let mut greedy = ordinary();
    for (member, value) in [
        ("client_id", json!("admin")),
        ("client_secret", json!("0123456789abcdef0123456789abcdef")),
        ("consent", json!("skip")),
        ("require_pkce", json!(false)),
        ("access_token_format", json!("opaque")),
        ("response_modes", json!([])),
        ("serves", json!(["https://api.example"])),
        ("resources", json!(["https://login.example/api/v1"])),
        ("origin", json!("operator")),
        ("disabled_at", json!(0)),
        ("policy", json!({"consent": "skip"})),
    ] {
        greedy[member] = value;
    }
    let information = registered(&open, None, &greedy).await.unwrap();
    let client_id = text(&information, "client_id");
    assert_ne!(client_id, "admin");
    assert_ne!(information["client_secret"], greedy["client_secret"]);
    let client = open.provider.client(&client_id).await.unwrap().unwrap();
    assert_eq!(client.policy, ClientPolicy::default());
    assert_eq!(client.policy.consent, ConsentMode::Ask);
    assert_eq!(client.origin, ClientOrigin::Registration);

    for (member, value) in [
        ("scope", json!("openid admin")),
        ("scope", json!("admin:clients")),
        ("scope", json!("account.read")),
        ("scope", json!("scim")),
        ("grant_types", json!(["authorization_code", "implicit"])),
        ("grant_types", json!(["password"])),
        (
            "grant_types",
            json!(["urn:ietf:params:oauth:grant-type:token-exchange"]),
        ),
        ("redirect_uris", json!(["https://*.client.example/"])),
        ("redirect_uris", json!(["http://client.example/"])),
        ("software_statement", json!("a.b.c")),
        ("jwks", json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]})),
    ] {
        let mut request = ordinary();
        request[member] = value.clone();
        let refusal = refused(registered(&open, None, &request).await);
        let expected = match member {
            "redirect_uris" => ErrorCode::InvalidRedirectUri,
            "software_statement" => ErrorCode::InvalidSoftwareStatement,
            _ => ErrorCode::InvalidClientMetadata,
        };
        assert_eq!(refusal.code, expected, "{member}: {value}");
    }
    let mut wide = ordinary();
    wide["scope"] = json!("openid orders.read email");
    let information = registered(&open, None, &wide).await.unwrap();
    assert_eq!(information["scope"], "openid email");
    for body in [
        "",
        "[]",
        "null",
        "{",
        "{\"redirect_uris\": [], \"redirect_uris\": []}",
        "{} {}",
    ] {
        let answer = register(&open.provider, &open.call_from("203.0.113.7"), None, body.as_bytes()).await;
        assert_eq!(refused(answer).code, ErrorCode::InvalidClientMetadata, "{body}");
    }
}

/// SEC-136: an initial access token counts until it is used up, ends or is revoked.
#[tokio::test]
async fn dcr_restricted_to_holders_of_tokens() {
    let rooms = rooms("token").await;
    let operator = rooms.operator();
    let new = |uses| NewRegistrationToken {
        name: "partners".to_owned(),
        uses,
        life: Duration::from_secs(3600),
    };
    let (_, twice) = initial_access_token::create(&rooms.provider, &operator, new(Some(2)))
        .await
        .unwrap();
    let refusal = refused(registered(&rooms, None, &ordinary()).await);
    assert_eq!(refusal.code, ErrorCode::InvalidToken);
    let wrong = Secret::generate();
    assert_eq!(
        refused(registered(&rooms, Some(&wrong), &ordinary()).await).description,
        refusal.description
    );
    // what is refused for its content uses nothing up
    assert_eq!(
        refused(registered(&rooms, Some(&twice), &json!({})).await).code,
        ErrorCode::InvalidRedirectUri
    );
    assert!(registered(&rooms, Some(&twice), &ordinary()).await.is_ok());
    assert!(registered(&rooms, Some(&twice), &ordinary()).await.is_ok());
    assert_eq!(
        refused(registered(&rooms, Some(&twice), &ordinary()).await).code,
        ErrorCode::InvalidToken
    );

    let (_, token) = initial_access_token::create(&rooms.provider, &operator, new(Some(1)))
        .await
        .unwrap();
    let body = ordinary();
    let all = (0..8).map(|_| registered(&rooms, Some(&token), &body));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);

    let (row, revoked) = initial_access_token::create(&rooms.provider, &operator, new(None))
        .await
        .unwrap();
    assert!(registered(&rooms, Some(&revoked), &ordinary()).await.is_ok());
    initial_access_token::revoke(&rooms.provider, &operator, row.id)
        .await
        .unwrap();
    assert!(registered(&rooms, Some(&revoked), &ordinary()).await.is_err());
    assert!(
        initial_access_token::revoke(&rooms.provider, &operator, row.id)
            .await
            .is_err()
    );

    let (_, ended) = initial_access_token::create(&rooms.provider, &operator, new(None))
        .await
        .unwrap();
    rooms.clock.advance(Duration::from_secs(3601));
    assert!(registered(&rooms, Some(&ended), &ordinary()).await.is_err());
    assert_eq!(initial_access_token::list(&rooms.provider).await.unwrap().len(), 4);
}

/// RFC 7591 section 3.2.1, RFC 7592 section 3.
#[tokio::test]
async fn a_registration_is_answered_in_full_and_works() {
    let rooms = rooms("open").await;
    let before = rooms.operator().now.seconds();
    let information = registered(&rooms, None, &ordinary()).await.unwrap();
    let after = rooms.operator().now.seconds();
    let client_id = text(&information, "client_id");
    assert_eq!(information["client_secret_expires_at"], 0);
    assert_eq!(information["client_name"], "Shop");
    assert_eq!(information["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(information["id_token_signed_response_alg"], "RS256");
    let issued_at = information["client_id_issued_at"].as_i64().unwrap();
    assert!((before..=after).contains(&issued_at), "{issued_at}");
    assert_eq!(
        information["registration_client_uri"],
        format!("https://login.example/oauth2/register/{client_id}")
    );
    assert!(
        tried(&rooms, basic(&client_id, &text(&information, "client_secret")))
            .await
            .is_ok()
    );
    let mut public = ordinary();
    public["token_endpoint_auth_method"] = json!("none");
    let information = registered(&rooms, None, &public).await.unwrap();
    assert!(!information.contains_key("client_secret") && !information.contains_key("client_secret_expires_at"));
}

/// SEC-141: nobody reads a secret back.
#[tokio::test]
async fn client_secret_not_readable_by_registration_management() {
    let rooms = rooms("open").await;
    let information = registered(&rooms, None, &ordinary()).await.unwrap();
    let client_id = text(&information, "client_id");
    let token = Secret::new(text(&information, "registration_access_token"));
    let secret = text(&information, "client_secret");
    let call = rooms.call_from("203.0.113.7");
    let read = find(&rooms.provider, &call, &client_id, Some(token.clone()))
        .await
        .unwrap();
    assert_eq!(read["client_name"], "Shop");
    assert!(!Value::Object(read).to_string().contains(&secret));
    let mut again = ordinary();
    again["client_id"] = json!(client_id);
    let replaced = replace(
        &rooms.provider,
        &call,
        &client_id,
        Some(token),
        again.to_string().as_bytes(),
    )
    .await
    .unwrap();
    assert!(!Value::Object(replaced).to_string().contains(&secret));
    assert!(tried(&rooms, basic(&client_id, &secret)).await.is_ok());
}

#[tokio::test]
async fn a_registration_is_managed_by_its_own_token_alone() {
    let rooms = rooms("open").await;
    let mine = registered(&rooms, None, &ordinary()).await.unwrap();
    let other = registered(&rooms, None, &ordinary()).await.unwrap();
    let Created { client: operators, .. } = made(&rooms, json!({})).await;
    let (client_id, call) = (text(&mine, "client_id"), rooms.call_from("203.0.113.7"));
    let token = Secret::new(text(&mine, "registration_access_token"));
    let wrong = [
        (client_id.clone(), None),
        (client_id.clone(), Some(Secret::new(""))),
        (client_id.clone(), Some(Secret::generate())),
        (
            client_id.clone(),
            Some(Secret::new(text(&other, "registration_access_token"))),
        ),
        (client_id.clone(), Some(Secret::new(text(&mine, "client_secret")))),
        (text(&other, "client_id"), Some(token.clone())),
        (operators.client_id.clone(), Some(token.clone())),
        (operators.client_id.clone(), Some(Secret::new(""))),
        ("nobody".to_owned(), Some(token.clone())),
    ];
    for (number, (client_id, token)) in wrong.into_iter().enumerate() {
        // from elsewhere each: wrong ones are counted by address
        let call = rooms.call_from(&format!("198.51.100.{number}"));
        let refusal = refused(find(&rooms.provider, &call, &client_id, token.clone()).await);
        assert_eq!(refusal.code, ErrorCode::InvalidToken);
        assert_eq!(
            refusal.description,
            "the access token is missing, unknown or no longer valid"
        );
        assert!(
            replace(&rooms.provider, &call, &client_id, token.clone(), b"{}")
                .await
                .is_err()
        );
        assert!(
            registration_management::delete(&rooms.provider, &call, &client_id, token)
                .await
                .is_err()
        );
    }
    let replaced = async |change: Value| {
        let mut body = ordinary();
        body["client_id"] = json!(client_id);
        for (member, value) in change.as_object().unwrap() {
            body[member] = value.clone();
        }
        replace(
            &rooms.provider,
            &call,
            &client_id,
            Some(token.clone()),
            body.to_string().as_bytes(),
        )
        .await
    };
    assert_eq!(
        replaced(json!({"client_name": "Other"})).await.unwrap()["client_name"],
        "Other"
    );
    assert!(
        !replaced(json!({"client_name": null}))
            .await
            .unwrap()
            .contains_key("client_name")
    );
    assert!(
        replaced(json!({"client_secret": text(&mine, "client_secret")}))
            .await
            .is_ok()
    );
    for change in [
        json!({"client_id": null}),
        json!({"client_id": "another"}),
        json!({"client_secret": "chosen by the client itself, 32 long"}),
        json!({"client_secret": 7}),
        json!({"scope": "admin"}),
        json!({"redirect_uris": []}),
        json!({"redirect_uris": ["https://client.example/*"]}),
    ] {
        assert!(replaced(change.clone()).await.is_err(), "{change}");
    }
    let client = rooms.provider.client(&client_id).await.unwrap().unwrap();
    assert_eq!(client.metadata.redirect_uris, ["https://client.example/callback"]);
    registration_management::delete(&rooms.provider, &call, &client_id, Some(token.clone()))
        .await
        .unwrap();
    assert!(find(&rooms.provider, &call, &client_id, Some(token)).await.is_err());
    assert!(rooms.provider.client(&client_id).await.unwrap().is_none());
}

/// SEC-138: nor does a disabled client manage itself.
#[tokio::test]
async fn client_disabled_everywhere_in_registration_management() {
    let rooms = rooms("open").await;
    let information = registered(&rooms, None, &ordinary()).await.unwrap();
    let client_id = text(&information, "client_id");
    let token = Secret::new(text(&information, "registration_access_token"));
    let client = rooms.provider.client(&client_id).await.unwrap().unwrap();
    disable(
        &rooms.provider,
        &rooms.operator(),
        &ostiary::flow::clients::Authority::Operator,
        client.id,
        None,
    )
    .await
    .unwrap();
    let call = rooms.call_from("203.0.113.7");
    assert!(
        find(&rooms.provider, &call, &client_id, Some(token.clone()))
            .await
            .is_err()
    );
    assert!(
        registration_management::delete(&rooms.provider, &call, &client_id, Some(token))
            .await
            .is_err()
    );
}

/// SEC-142: fetched once, through the guard, within bounds; strings only; every redirect URI in it.
#[tokio::test]
async fn sector_identifier_checks() {
    let rooms = rooms("open").await;
    let documents = Documents::start().await;
    let uris = json!(["https://a.example/cb", "https://b.example/cb"]);
    let request =
        |uri: String| json!({"redirect_uris": uris, "subject_type": "pairwise", "sector_identifier_uri": uri});
    documents.put("/good", &uris.to_string());
    assert!(registered(&rooms, None, &request(documents.url("/good"))).await.is_ok());
    assert_eq!(documents.visits("/good"), 1);
    documents.put("/incomplete", r#"["https://a.example/cb"]"#);
    documents.put(
        "/object",
        r#"{"redirect_uris": ["https://a.example/cb", "https://b.example/cb"]}"#,
    );
    documents.put("/mixed", r#"["https://a.example/cb", "https://b.example/cb", 7]"#);
    documents.put("/nested", r#"[["https://a.example/cb", "https://b.example/cb"]]"#);
    documents.put("/page", "<html></html>");
    let large = format!(
        r#"["https://a.example/cb", "https://b.example/cb", "{}"]"#,
        "a".repeat(70_000)
    );
    documents.put("/large", &large);
    documents.put_answer("/elsewhere", "302 Found", "location: /good\r\n", "");
    documents.put_answer("/error", "500 Internal Server Error", "", &uris.to_string());
    let paths = [
        "/incomplete",
        "/object",
        "/mixed",
        "/nested",
        "/page",
        "/large",
        "/elsewhere",
        "/error",
        "/missing",
    ];
    // at once: what can't be fetched is answered when its time is over
    let asked = paths.map(async |path| {
        let refusal = refused(registered(&rooms, None, &request(documents.url(path))).await);
        assert_eq!(refusal.code, ErrorCode::InvalidClientMetadata, "{path}");
        assert!(
            refusal.description.contains("sector_identifier_uri"),
            "{path}: {refusal}"
        );
        assert_eq!(documents.visits(path), 1, "{path}");
    });
    join_all(asked).await;
    assert_eq!(documents.visits("/good"), 1);
    // not into the networks of this machine, and not in clear elsewhere
    let forbidden = [
        "http://10.0.0.1/list",
        "http://169.254.169.254/latest",
        "http://[::1]:9/list",
        "ftp://a.example/list",
    ];
    let asked = forbidden.map(async |uri| {
        let answer = registered(&rooms, None, &request(uri.to_owned())).await;
        assert!(answer.is_err(), "{uri}");
    });
    join_all(asked).await;
}

#[tokio::test]
async fn a_document_that_would_never_be_fetched_is_refused_at_once() {
    let rooms = rooms("open").await;
    for uri in [
        "http://client.example.com:8080@127.0.0.1/jwks",
        "http://10.0.0.1/jwks",
        "https://10.0.0.1/jwks",
        "https://[fd00::1]/jwks",
        "https://169.254.169.254/jwks",
        "https://93.184.216.34:8443/jwks",
    ] {
        let mut request = ordinary();
        request["jwks_uri"] = json!(uri);
        let refusal = refused(registered(&rooms, None, &request).await);
        assert!(refusal.description.contains("jwks_uri"), "{uri}: {refusal}");
    }
}
