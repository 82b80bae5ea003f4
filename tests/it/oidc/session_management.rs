//! OpenID Connect Session Management 1.0: `session_state`, the cookie behind it, and the frame that is asked.

use ostiary::crypto;
use ostiary::model::ResponseMode;
use url::Url;

use crate::login::{Proxied, behind_a_proxy};
use crate::support::browser::Browser;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

/// What the frame computes (section 3.2).
fn expected(client_id: &str, origin: &str, state: &str, told: &str) -> String {
    let salt = told.split_once('.').unwrap().1;
    let digest = crypto::sha256(format!("{client_id} {origin} {state} {salt}").as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}.{salt}")
}

#[tokio::test(flavor = "multi_thread")]
async fn session_state_holds_until_the_sign_in_state_changes() {
    each_backend(async |server| {
        let (ada, grace) = (server.user("ada").await, server.user("grace").await);
        let client = server
            .client(|client| client.policy.response_modes = ResponseMode::ALL.to_vec())
            .await;
        let origin = Url::parse(&client.redirect_uri).unwrap().origin().ascii_serialization();
        let browser = Browser::new();
        let mut party = RelyingParty::new(server, &client);
        party.scope = "openid".to_owned();
        let state = || browser.cookie("ostiary_state").unwrap();
        let unchanged = |told: &str| expected(&client.client_id, &origin, &state(), told) == told;

        // nobody was ever signed in: nothing to tell, and no cookie for it
        browser.get(&server.url("/login")).await;
        assert_eq!(browser.cookie("ostiary_state"), None);

        let first = party.sign_in(&browser, &ada).await.get("session_state").to_owned();
        assert!(unchanged(&first) && !first.contains(' '));
        let arrival = browser
            .sign_in(&party.authorization_url_with(&[("response_mode", "form_post")]), &ada)
            .await;
        let posted = arrival.get("session_state").to_owned();
        assert!(unchanged(&posted) && unchanged(&first));
        assert_ne!(posted, first, "each answer has a salt of its own");
        // another person in the same browser, and the end of a session: a change
        let alone = state();
        crate::login::sign_in(server, &browser, &grace).await;
        let both = state();
        assert!(both != alone && !unchanged(&first));
        let page = browser.get(&server.url("/logout")).await;
        let form = page.form_with_button("decision", "sign_out");
        browser.submit(&page, form, &[("decision", "sign_out")]).await;
        assert!(state() != both && state() != alone && !unchanged(&first));
        let again = party.sign_in(&browser, &ada).await.get("session_state").to_owned();
        assert!(unchanged(&again) && !unchanged(&first));
        // an end that the browser did not see is seen at its next visit
        let before = state();
        let mut tx = server.provider().store.write().await.unwrap();
        tx.end_sessions_of_user(ada.id, server.call().now, "test")
            .await
            .unwrap();
        tx.commit().await.unwrap();
        browser.get(&server.url("/")).await;
        assert_ne!(state(), before);
        assert!(!unchanged(&again));
    })
    .await;
}

/// A redirect URI without an origin has no page that could ask.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_use_scheme_is_told_no_session_state() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server
        .client(|client| {
            client.metadata.application_type = ostiary::model::ApplicationType::Native;
            client.metadata.redirect_uris = vec!["com.example.app:/callback".to_owned()];
        })
        .await;
    let arrival = RelyingParty::new(&server, &client)
        .sign_in(&Browser::new(), &user)
        .await;
    assert!(!arrival.code().is_empty());
    assert!(!arrival.parameters.contains_key("session_state"));
    server.stop().await;
}

/// The frame is the one page that others may frame; its script is the one that its policy names (SEC-521, SEC-523).
#[tokio::test(flavor = "multi_thread")]
async fn the_frame_may_be_framed_and_runs_one_script() {
    let server = Server::start().await;
    let page = Browser::new().get(&server.url("/oauth2/check_session")).await;
    assert_eq!(page.status.as_u16(), 200);
    assert_eq!(page.header("x-frame-options"), "");
    assert_eq!(page.header("set-cookie"), "");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("frame-ancestors *") && policy.contains("default-src 'none'"),
        "{policy}"
    );
    let script = page
        .body
        .split_once('>')
        .unwrap()
        .1
        .split_once("<script data-cookie=\"ostiary_state\">");
    let script = script.unwrap().1.split_once("</script>").unwrap().0;
    let digest = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(crypto::sha256(script.as_bytes()))
    };
    assert!(policy.contains(&format!("script-src 'sha256-{digest}';")), "{policy}");
    server.stop().await;
}

/// SEC-520: readable by the frame's script on other sites, and worth nothing: the cookies that let somebody in are not.
#[tokio::test(flavor = "multi_thread")]
async fn the_state_cookie_is_made_for_frames_on_other_sites() {
    let server = behind_a_proxy().await;
    let user = server.user("ada").await;
    let proxied = Proxied::new(&server);
    let answer = proxied.sign_in(&user, &[]).await;
    let cookies: Vec<&str> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap())
        .collect();
    let state = cookies
        .iter()
        .find(|cookie| cookie.starts_with("__Host-ostiary_state="))
        .unwrap();
    assert!(
        state.contains("SameSite=None") && state.contains("Secure") && state.contains("Path=/"),
        "{state}"
    );
    assert!(!state.contains("HttpOnly"), "{state}");
    let session = cookies
        .iter()
        .find(|cookie| cookie.starts_with("__Host-ostiary_session="))
        .unwrap();
    assert!(
        session.contains("SameSite=Lax") && session.contains("HttpOnly"),
        "{session}"
    );
    let frame = proxied.get("/oauth2/check_session").await;
    assert!(frame.body.contains("data-cookie=\"__Host-ostiary_state\""));
    server.stop().await;
}
