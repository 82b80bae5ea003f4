//! `oidcc-backchannel-rp-initiated-logout-certification-test-plan`, `oidcc-frontchannel-rp-initiated-logout-certification-test-plan`
//! and `oidcc-session-management-certification-test-plan`: a client signs its person out, and hears of it.

use ostiary::crypto;
use ostiary::model::ResponseMode;
use url::Url;

use super::run::{REDIRECT_URI, Run};
use super::{config, published_keys};
use crate::support::browser::Page;
use crate::support::html;
use crate::support::logout_receiver::LogoutReceiver;
use crate::support::relying_party::jwt_header;
use crate::support::server::Server;

const SIGNED_OUT: &str = "https://client.example/signed-out";
const FRAME: &str = "https://client.example/front-channel";

/// RP-initiated logout with hint, address and state.
async fn end_session(run: &Run, id_token: &str) -> Page {
    let mut url = Url::parse(&run.server.url("/oauth2/end_session")).unwrap();
    url.query_pairs_mut()
        .append_pair("id_token_hint", id_token)
        .append_pair("post_logout_redirect_uri", SIGNED_OUT)
        .append_pair("state", "the state");
    run.browser.get(url.as_str()).await
}

fn assert_back(page: &Page) {
    assert_eq!(page.header("location"), format!("{SIGNED_OUT}?state=the+state"));
}

/// Support of back-channel logout and of `sid` are announced (Back-Channel Logout section 2.1).
#[tokio::test]
async fn oidcc_backchannel_logout_discovery_endpoint_verification() {
    let server = Server::start().await;
    let metadata = config::verified_metadata(&server).await;
    assert_eq!(metadata["backchannel_logout_supported"], true);
    assert_eq!(metadata["backchannel_logout_session_supported"], true);
}

/// The client gets a logout token of the session, signed and shaped as section 2.4 wants it.
#[tokio::test(flavor = "multi_thread")]
async fn oidcc_backchannel_rp_initiated_logout() {
    let receiver = LogoutReceiver::start().await;
    let run = Run::start_with(ResponseMode::Query, |client| {
        client.metadata.post_logout_redirect_uris = vec![SIGNED_OUT.to_owned()];
        client.metadata.backchannel_logout_uri = Some(receiver.uri.clone());
        client.metadata.backchannel_logout_session_required = true;
    })
    .await;
    let tokens = run.complete(&run.request()).await;
    assert_back(&end_session(&run, &tokens.id_token).await);
    let token = receiver.told(1).await;
    let header = jwt_header(&token);
    assert_eq!(header["typ"], "logout+jwt");
    assert_eq!(header["alg"], jwt_header(&tokens.id_token)["alg"]);
    let claims = published_keys::verified(&run.server, &token).await;
    for claim in ["iss", "sub", "sid"] {
        assert_eq!(claims[claim], tokens.claims[claim], "{claim}");
    }
    assert_eq!(claims["aud"], run.party.client.client_id.as_str());
    let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert!((run.now() - 60..=run.now() + 5).contains(&iat) && exp > iat && exp <= iat + 120);
    assert!(!claims["jti"].as_str().unwrap().is_empty());
    let events = claims["events"].as_object().unwrap();
    assert!(events["http://schemas.openid.net/event/backchannel-logout"].is_object());
    assert!(!claims.contains_key("nonce"));
}

/// Support of front-channel logout and of `sid` are announced (Front-Channel Logout section 3).
#[tokio::test]
async fn oidcc_frontchannel_logout_discovery_endpoint_verification() {
    let server = Server::start().await;
    let metadata = config::verified_metadata(&server).await;
    assert_eq!(metadata["frontchannel_logout_supported"], true);
    assert_eq!(metadata["frontchannel_logout_session_supported"], true);
}

/// The browser loads the client's address with issuer and session, and comes back with the state.
#[tokio::test]
async fn oidcc_frontchannel_rp_initiated_logout() {
    let run = Run::start_with(ResponseMode::Query, |client| {
        client.metadata.post_logout_redirect_uris = vec![SIGNED_OUT.to_owned()];
        client.metadata.frontchannel_logout_uri = Some(FRAME.to_owned());
        client.metadata.frontchannel_logout_session_required = true;
    })
    .await;
    let tokens = run.complete(&run.request()).await;
    let page = end_session(&run, &tokens.id_token).await;
    assert_eq!(page.status.as_u16(), 200, "{}", page.body);
    let body = html::unescape(&page.body);
    let frame = body.split_once("<iframe src=\"").unwrap().1.split_once('"').unwrap().0;
    let frame = Url::parse(frame).unwrap();
    let mut address = frame.clone();
    address.set_query(None);
    assert_eq!(address.as_str(), FRAME);
    let parameters: Vec<(String, String)> = frame.query_pairs().into_owned().collect();
    let expected = [("iss", tokens.claim("iss")), ("sid", tokens.claim("sid"))];
    assert_eq!(
        parameters,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    let onward = page.header("refresh").split_once("url=").unwrap().1.to_owned();
    assert_back(&run.browser.get(&run.server.url(&onward)).await);
}

/// `check_session_iframe` is announced (Session Management section 3.3), over the issuer's own address.
#[tokio::test]
async fn oidcc_session_management_discovery_endpoint_verification() {
    let server = Server::start().await;
    let metadata = config::verified_metadata(&server).await;
    assert_eq!(metadata["check_session_iframe"], server.url("/oauth2/check_session"));
    assert_eq!(metadata["end_session_endpoint"], server.url("/oauth2/end_session"));
}

/// The answer has a `session_state`; what the frame computes from the browser's cookie is the same until the person is signed
/// out, and another one afterwards. (The frame itself is asked in a real browser in `browser::check_session`.)
#[tokio::test]
async fn oidcc_session_management_rp_initiated_logout() {
    let run = Run::start_with(ResponseMode::Query, |client| {
        client.metadata.post_logout_redirect_uris = vec![SIGNED_OUT.to_owned()];
    })
    .await;
    let request = run.request();
    let arrival = run.sign_in(&request).await;
    let told = arrival.get("session_state").to_owned();
    let tokens = run.redeem(&request, &arrival).await;
    let origin = Url::parse(REDIRECT_URI).unwrap().origin().ascii_serialization();
    let client_id = &run.party.client.client_id;
    let computed = || {
        let state = run.browser.cookie("ostiary_state").unwrap();
        let salt = told.split_once('.').unwrap().1;
        let digest = crypto::sha256(format!("{client_id} {origin} {state} {salt}").as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}.{salt}")
    };
    assert_eq!(computed(), told);
    assert_back(&end_session(&run, &tokens.id_token).await);
    assert_ne!(computed(), told);
}
