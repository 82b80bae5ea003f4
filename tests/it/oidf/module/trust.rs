//! Where an answer may go, and requests that come as an object.

use ostiary::model::ResponseMode;
use serde_json::{Value, json};

use crate::oidf::run::{ELSEWHERE, Request, Run, assert_told};
use crate::support::browser::Browser;

/// A redirect URI that is not registered: a page of ours, nobody is sent there.
pub async fn oidcc_ensure_registered_redirect_uri(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let request = run.request().with("redirect_uri", ELSEWHERE);
    assert_told(&run.browser.get(&run.url(&request)).await);
    // somebody who is signed in isn't sent there either
    run.sign_in(&run.request()).await;
    assert_told(&run.browser.get(&run.url(&request)).await);
}

/// A request as an unsigned object (RFC 7519 section 6).
fn unsigned(request: &Request) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut claims: serde_json::Map<String, Value> = request
        .parameters
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    claims.insert("iss".to_owned(), request.get("client_id").into());
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(json!({"alg": "none"})), part(Value::Object(claims)))
}

async fn announced(run: &Run, member: &str) -> Value {
    let metadata = Browser::new()
        .get(&run.server.url("/.well-known/openid-configuration"))
        .await;
    metadata.json()[member].clone()
}

/// `request_uri`: not announced, and refused by its name to the client (Core section 6.2).
pub async fn oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(mode: ResponseMode) {
    let run = Run::start(mode).await;
    assert_eq!(announced(&run, "request_uri_parameter_supported").await, json!(false));
    let request = run.request().with("request_uri", "https://client.example/request.jwt");
    let arrival = run.at_once(&request).await;
    assert_eq!(
        (arrival.get("error"), arrival.get("code")),
        ("request_uri_not_supported", "")
    );
}

/// `request`: not announced, and refused by its name to the client (Core section 6.1).
pub async fn oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(mode: ResponseMode) {
    let run = Run::start(mode).await;
    assert_eq!(announced(&run, "request_parameter_supported").await, json!(false));
    let request = run.request();
    let arrival = run.at_once(&request.clone().with("request", &unsigned(&request))).await;
    assert_eq!(
        (arrival.get("error"), arrival.get("code")),
        ("request_not_supported", "")
    );
}

/// One redirect URI in the object, another one beside it: where objects are not taken, the one beside it is the only one, and
/// it decides who may be told. What stands in the object is never believed.
pub async fn oidcc_ensure_request_object_with_redirect_uri(mode: ResponseMode) {
    let run = Run::start(mode).await;
    objects_are_never_believed(&run).await;
}

/// The same with whatever client the run has.
pub async fn objects_are_never_believed(run: &Run) {
    let inside = unsigned(&run.request());
    let outside = run.request().with("request", &inside).with("redirect_uri", ELSEWHERE);
    assert_told(&run.browser.get(&run.url(&outside)).await);
    let inside = unsigned(&run.request().with("redirect_uri", ELSEWHERE));
    let arrival = run.at_once(&run.request().with("request", &inside)).await;
    assert_eq!(
        (arrival.get("error"), arrival.get("code")),
        ("request_not_supported", "")
    );
}
