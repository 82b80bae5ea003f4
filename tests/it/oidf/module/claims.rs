//! Userinfo, and what scopes and the `claims` parameter ask for (Core sections 5.3 to 5.5).

use ostiary::model::ResponseMode;
use serde_json::{Map, Value, json};

use crate::oidf::run::{Run, Tokens};
use crate::support::relying_party::Answer;

/// The claims of the ID token that every sign-on has; whatever else is in there was asked for.
const ALWAYS: [&str; 12] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "sid",
    "nonce",
    "at_hash",
];

/// GET with the token in the header.
pub async fn oidcc_userinfo_get(mode: ResponseMode) {
    let (run, tokens) = signed_in(mode).await;
    let told = run.userinfo(&tokens.access_token).await;
    assert_eq!(Value::Object(told), json!({"sub": tokens.claim("sub")}));
    let nobody = run.post_userinfo(&[], &[]).await;
    assert_eq!(
        (nobody.status.as_u16(), nobody.header("www-authenticate")),
        (401, "Bearer")
    );
    let unknown = run.get_userinfo("unknown").await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.error().as_str()),
        (401, "invalid_token")
    );
    assert!(
        unknown
            .header("www-authenticate")
            .starts_with("Bearer error=\"invalid_token\"")
    );
}

/// POST with the token in the header: the form may be empty.
pub async fn oidcc_userinfo_post_header(mode: ResponseMode) {
    let (run, tokens) = signed_in(mode).await;
    let authorization = format!("Bearer {}", tokens.access_token);
    let answer = run.post_userinfo(&[], &[("authorization", &authorization)]).await;
    assert_tells_only_subject(&answer, &tokens);
}

/// POST with the token in the form (RFC 6750 section 2.2).
pub async fn oidcc_userinfo_post_body(mode: ResponseMode) {
    let (run, tokens) = signed_in(mode).await;
    let answer = run.post_userinfo(&[("access_token", &tokens.access_token)], &[]).await;
    assert_tells_only_subject(&answer, &tokens);
}

async fn signed_in(mode: ResponseMode) -> (Run, Tokens) {
    let run = Run::start(mode).await;
    let tokens = run.complete(&run.request()).await;
    (run, tokens)
}

fn assert_tells_only_subject(answer: &Answer, tokens: &Tokens) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), json!({"sub": tokens.claim("sub")}));
}

fn profile() -> Value {
    json!({
        "name": "Ada King, Countess of Lovelace",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "middle_name": "King",
        "nickname": "Enchantress",
        "preferred_username": "ada",
        "profile": "https://people.example/ada",
        "picture": "https://people.example/ada.png",
        "website": "https://ada.example/",
        "gender": "female",
        "birthdate": "1815-12-10",
        "zoneinfo": "Europe/London",
        "locale": "en-GB",
    })
}

fn email() -> Value {
    json!({"email": "ada@example.com", "email_verified": true})
}

fn address() -> Value {
    json!({"address": {
        "formatted": "12 St James's Square\nLondon",
        "street_address": "12 St James's Square",
        "locality": "London",
        "region": "England",
        "postal_code": "SW1Y 4JH",
        "country": "United Kingdom",
    }})
}

fn phone() -> Value {
    json!({"phone_number": "+441632960000", "phone_number_verified": true})
}

/// The claims of `profile`, and no others.
pub async fn oidcc_scope_profile(mode: ResponseMode) {
    tells(mode, "openid profile", &[profile()]).await;
}

/// The claims of `email`, and no others.
pub async fn oidcc_scope_email(mode: ResponseMode) {
    tells(mode, "openid email", &[email()]).await;
}

/// The claims of `address`, and no others.
pub async fn oidcc_scope_address(mode: ResponseMode) {
    tells(mode, "openid address", &[address()]).await;
}

/// The claims of `phone`, and no others.
pub async fn oidcc_scope_phone(mode: ResponseMode) {
    tells(mode, "openid phone", &[phone()]).await;
}

/// All of them.
pub async fn oidcc_scope_all(mode: ResponseMode) {
    let all = [profile(), email(), address(), phone()];
    tells(mode, "openid profile email address phone", &all).await;
}

async fn tells(mode: ResponseMode, scope: &str, expected: &[Value]) {
    let run = Run::start(mode).await;
    let tokens = run.complete(&run.request().with("scope", scope)).await;
    assert_eq!(tokens.answer.get("scope"), scope);
    let mut told = run.userinfo(&tokens.access_token).await;
    assert_eq!(told.remove("sub").unwrap(), tokens.claim("sub"));
    if scope.contains("profile") {
        let updated_at = told.remove("updated_at").unwrap().as_i64().unwrap();
        assert!((run.now() - 60..=run.now()).contains(&updated_at));
    }
    let expected: Map<String, Value> = expected
        .iter()
        .flat_map(|part| part.as_object().unwrap().clone())
        .collect();
    assert_eq!(told, expected);
    assert_nothing_more(&tokens);
}

/// Core section 5.4: with an access token at hand, the claims of scopes are userinfo's to tell.
fn assert_nothing_more(tokens: &Tokens) {
    let more: Vec<&String> = tokens
        .claims
        .keys()
        .filter(|name| !ALWAYS.contains(&name.as_str()))
        .collect();
    assert!(more.is_empty(), "{more:?}");
}

/// A claim by name, essential, in userinfo: it is told there without its scope, and only there.
pub async fn oidcc_claims_essential(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let claims = r#"{"userinfo":{"name":{"essential":true}}}"#;
    let tokens = run.complete(&run.request().with("claims", claims)).await;
    let told = run.userinfo(&tokens.access_token).await;
    assert_eq!(
        Value::Object(told),
        json!({"sub": tokens.claim("sub"), "name": "Ada King, Countess of Lovelace"})
    );
    assert_nothing_more(&tokens);
}
