//! `oidcc-rp-initiated-logout-certification-test-plan`: a client signs its person out (RP-Initiated Logout 1.0).

use ostiary::model::{ResponseMode, SigningAlgorithm};
use ostiary::random;
use url::Url;

use super::module::with_other_signature;
use super::run::{ELSEWHERE, Run, Tokens, assert_told};
use super::{assertion, config};
use crate::support::browser::Page;
use crate::support::html;
use crate::support::server::Server;

const SIGNED_OUT: &str = "https://client.example/signed-out";

/// A run whose person has signed in.
async fn signed_in() -> (Run, Tokens) {
    let run = Run::start_with(ResponseMode::Query, |client| {
        client.metadata.post_logout_redirect_uris = vec![SIGNED_OUT.to_owned()];
    })
    .await;
    let tokens = run.complete(&run.request()).await;
    (run, tokens)
}

/// Sends the browser to the end-session endpoint, and on as long as it stays with the server.
async fn end_session(run: &Run, parameters: &[(&str, &str)]) -> Page {
    let mut url = Url::parse(&run.server.url("/oauth2/end_session")).unwrap();
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    run.browser.open(url.as_str()).await
}

/// Whether `prompt=none` still finds the person signed in.
async fn assert_signed_in(run: &Run) {
    let arrival = run.at_once(&run.request().with("prompt", "none")).await;
    assert!(!arrival.code().is_empty());
}

async fn assert_signed_out(run: &Run) {
    let arrival = run.at_once(&run.request().with("prompt", "none")).await;
    assert_eq!((arrival.get("error"), arrival.get("code")), ("login_required", ""));
}

/// Our own good-bye: no redirect to anybody.
fn assert_good_bye(page: &Page) {
    assert_eq!((page.status.as_u16(), page.location()), (200, None), "{}", page.body);
    assert_eq!(page.url.path(), "/logout/done");
    assert!(page.header("content-type").starts_with("text/html"));
}

/// The person is asked, and says yes.
async fn confirm(run: &Run, page: &Page) -> Page {
    assert_eq!((page.status.as_u16(), page.location()), (200, None), "{}", page.body);
    let form = page.form_with_button("decision", "sign_out");
    // until then nothing has happened
    assert_signed_in(run).await;
    let next = run.browser.submit(page, form, &[("decision", "sign_out")]).await;
    run.browser.follow(next).await
}

/// `end_session_endpoint` is announced (section 2.1).
#[tokio::test]
async fn oidcc_rp_initiated_logout_discovery_endpoint_verification() {
    let server = Server::start().await;
    let metadata = config::verified_metadata(&server).await;
    assert_eq!(metadata["end_session_endpoint"], server.url("/oauth2/end_session"));
}

/// With hint, address and state: signed out, and back at the client with the state as it was, however long.
#[tokio::test]
async fn oidcc_rp_initiated_logout() {
    let (run, tokens) = signed_in().await;
    let state = random::hex_id().repeat(4);
    assert_eq!(state.len(), 128);
    let page = end_session(
        &run,
        &[
            ("id_token_hint", &tokens.id_token),
            ("post_logout_redirect_uri", SIGNED_OUT),
            ("state", &state),
        ],
    )
    .await;
    assert_eq!(page.location().unwrap().as_str(), format!("{SIGNED_OUT}?state={state}"));
    assert_signed_out(&run).await;
}

/// An address that is not registered: an error, and nobody is sent there.
#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri() {
    let (run, tokens) = signed_in().await;
    let parameters = [
        ("id_token_hint", tokens.id_token.as_str()),
        ("post_logout_redirect_uri", ELSEWHERE),
        ("state", "state"),
    ];
    assert_told(&end_session(&run, &parameters).await);
    assert_signed_in(&run).await;
}

/// A hint whose signature was changed: an error.
#[tokio::test]
async fn oidcc_rp_initiated_logout_modified_id_token_hint() {
    let (run, tokens) = signed_in().await;
    refuses_hint(&run, &with_other_signature(&tokens.id_token)).await;
}

/// A hint that somebody else signed: an error.
#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_id_token_hint() {
    let (run, tokens) = signed_in().await;
    let signer = assertion::key().signer(SigningAlgorithm::Rs256).unwrap();
    refuses_hint(&run, &signer.sign("JWT", &tokens.claims).unwrap()).await;
}

async fn refuses_hint(run: &Run, hint: &str) {
    let parameters = [
        ("id_token_hint", hint),
        ("post_logout_redirect_uri", SIGNED_OUT),
        ("state", "state"),
    ];
    let page = end_session(run, &parameters).await;
    assert_told(&page);
    assert!(!html::unescape(&page.body).contains(SIGNED_OUT), "{}", page.body);
    assert_signed_in(run).await;
}

/// An address without a hint: an error, and no redirect. With `client_id` it is known whose address it is, and the person
/// is asked first.
#[tokio::test]
async fn oidcc_rp_initiated_logout_no_id_token_hint() {
    let (run, _) = signed_in().await;
    let alone = [("post_logout_redirect_uri", SIGNED_OUT), ("state", "state")];
    assert_told(&end_session(&run, &alone).await);
    assert_signed_in(&run).await;
    let client_id = run.party.client.client_id.as_str();
    let named = [
        ("client_id", client_id),
        ("post_logout_redirect_uri", SIGNED_OUT),
        ("state", "state"),
    ];
    let asked = end_session(&run, &named).await;
    let page = confirm(&run, &asked).await;
    assert_eq!(page.location().unwrap().as_str(), format!("{SIGNED_OUT}?state=state"));
    assert_signed_out(&run).await;
}

/// Nothing at all: the person is asked, then signed out.
#[tokio::test]
async fn oidcc_rp_initiated_logout_no_params() {
    let (run, _) = signed_in().await;
    let asked = end_session(&run, &[]).await;
    assert_good_bye(&confirm(&run, &asked).await);
    assert_signed_out(&run).await;
}

/// A hint and no address: signed out, with our good-bye.
#[tokio::test]
async fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri() {
    let (run, tokens) = signed_in().await;
    let parameters = [("id_token_hint", tokens.id_token.as_str()), ("state", "state")];
    assert_good_bye(&end_session(&run, &parameters).await);
    assert_signed_out(&run).await;
}

/// No state: back at the client with nothing added.
#[tokio::test]
async fn oidcc_rp_initiated_logout_no_state() {
    let (run, tokens) = signed_in().await;
    let parameters = [
        ("id_token_hint", tokens.id_token.as_str()),
        ("post_logout_redirect_uri", SIGNED_OUT),
    ];
    let page = end_session(&run, &parameters).await;
    assert_eq!(page.location().unwrap().as_str(), SIGNED_OUT);
    assert_signed_out(&run).await;
}

/// A state alone: it goes nowhere; the person is asked, then signed out.
#[tokio::test]
async fn oidcc_rp_initiated_logout_only_state() {
    let (run, _) = signed_in().await;
    let asked = end_session(&run, &[("state", "state")]).await;
    assert_good_bye(&confirm(&run, &asked).await);
    assert_signed_out(&run).await;
}

/// A query added to the registered address: an error (section 3: compared as text).
#[tokio::test]
async fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri() {
    let (run, tokens) = signed_in().await;
    let added = format!("{SIGNED_OUT}?foo=bar");
    let parameters = [
        ("id_token_hint", tokens.id_token.as_str()),
        ("post_logout_redirect_uri", &added),
        ("state", "state"),
    ];
    assert_told(&end_session(&run, &parameters).await);
    assert_signed_in(&run).await;
}
