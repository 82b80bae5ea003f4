//! Parameters of the authorization request: what is missing, unknown, a wish, in another order, by POST.

use ostiary::model::ResponseMode;

use crate::oidf::run::{Request, Run};
use crate::support::browser::Browser;

/// Goes through with a request; the person is who it should be.
async fn succeeds(run: &Run, request: &Request) -> crate::oidf::run::Tokens {
    let tokens = run.complete(request).await;
    assert_eq!(tokens.claim("sub"), run.user.subject);
    tokens
}

/// No `response_type`: an error to the client, nobody is asked (RFC 6749 section 3.1.1).
pub async fn oidcc_response_type_missing(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let arrival = run.at_once(&run.request().without("response_type")).await;
    assert_eq!((arrival.get("error"), arrival.get("code")), ("invalid_request", ""));
}

/// No `nonce`: the code flow can do without, and the ID token has none.
pub async fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let tokens = succeeds(&run, &run.request().without("nonce")).await;
    assert!(!tokens.claims.contains_key("nonce"));
}

/// The order of scopes and parameters says nothing.
pub async fn oidcc_alternate_happy_flow(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let mut request = run.request().with("scope", "email openid");
    request.parameters.reverse();
    let tokens = succeeds(&run, &request).await;
    assert_eq!(run.userinfo(&tokens.access_token).await["email"], run.user.email);
}

/// `display=page`.
pub async fn oidcc_display_page(mode: ResponseMode) {
    let run = Run::start(mode).await;
    succeeds(&run, &run.request().with("display", "page")).await;
}

/// `display=popup`: another display than the one there is, and no error.
pub async fn oidcc_display_popup(mode: ResponseMode) {
    let run = Run::start(mode).await;
    succeeds(&run, &run.request().with("display", "popup")).await;
}

/// A parameter that nobody knows is passed over (RFC 6749 section 3.1).
pub async fn oidcc_ensure_request_with_unknown_parameter_succeeds(mode: ResponseMode) {
    let run = Run::start(mode).await;
    succeeds(&run, &run.request().with("extra", "foobar")).await;
}

/// `ui_locales`: the page speaks the first language it knows; where it knows none, nothing fails.
pub async fn oidcc_ui_locales(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let request = run.request().with("ui_locales", "se fr-CA en");
    let page = run.asked(&request).await;
    assert!(page.body.contains("<html lang=\"fr\""), "{}", page.body);
    run.walk(&request, page).await;
    let elsewhere = Browser::new();
    let request = run.request().with("ui_locales", "se");
    let arrival = elsewhere.sign_in(&run.url(&request), &run.user).await;
    run.check(&request, &arrival);
    assert!(!arrival.code().is_empty());
}

/// `claims_locales`: claims have one language here, and no error.
pub async fn oidcc_claims_locales(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let request = run
        .request()
        .with("scope", "openid profile")
        .with("claims_locales", "se");
    let tokens = succeeds(&run, &request).await;
    assert_eq!(run.userinfo(&tokens.access_token).await["given_name"], "Ada");
}

/// `acr_values`: a wish for what the metadata announces comes true, one for something else does no harm.
pub async fn oidcc_ensure_request_with_acr_values_succeeds(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let metadata = Browser::new()
        .get(&run.server.url("/.well-known/openid-configuration"))
        .await
        .json();
    let known = metadata["acr_values_supported"][0].as_str().unwrap();
    let tokens = succeeds(&run, &run.request().with("acr_values", known)).await;
    assert_eq!(tokens.claim("acr"), known);
    let request = run.request().with("acr_values", "1 2");
    let arrival = run.at_once(&request).await;
    assert_eq!(run.redeem(&request, &arrival).await.claim("acr"), known);
}

/// The request by POST, as a page of the client would send it (Core section 3.1.2.1).
pub async fn oidcc_ensure_post_request_succeeds(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let request = run.request();
    let fields: Vec<(&str, &str)> = request
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let from_client = [("origin", "https://client.example"), ("sec-fetch-site", "cross-site")];
    let url = run.server.url("/oauth2/authorize");
    let page = run.browser.post_with(&url, &fields, &from_client).await;
    let arrival = run.walk(&request, page).await;
    let first = run.redeem(&request, &arrival).await;
    assert_eq!(first.claim("sub"), run.user.subject);
    // a browser leaves our cookies out of a POST from another site: the session still counts
    let request = run.request().with("prompt", "none");
    let fields: Vec<(&str, &str)> = request
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let page = Browser::new().post_with(&url, &fields, &from_client).await;
    let to = page.location().unwrap();
    assert!(to.as_str().starts_with(&url), "{to}");
    let page = run.browser.get(to.as_str()).await;
    let arrival = crate::oidf::run::arrival(&page);
    run.check(&request, &arrival);
    assert_eq!(run.redeem(&request, &arrival).await.auth_time(), first.auth_time());
}
