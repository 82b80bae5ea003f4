//! What a code is good for: once, for its client, with its verifier; and refresh tokens.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::crypto;
use ostiary::model::{ResponseMode, TokenEndpointAuthMethod};
use ostiary::random;

use crate::oidf::run::{Party, Run};
use crate::support::relying_party::{Answer, RelyingParty, basic};

fn assert_invalid_grant(answer: &Answer) {
    assert_eq!(
        (answer.status.as_u16(), answer.error().as_str()),
        (400, "invalid_grant")
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let description = answer.get("error_description");
    // RFC 6749 section 5.2
    assert!(
        description
            .bytes()
            .all(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\'))
    );
}

/// A code counts once (RFC 6749 section 4.1.2).
pub async fn oidcc_codereuse(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let request = run.request();
    let arrival = run.sign_in(&request).await;
    run.redeem(&request, &arrival).await;
    assert_invalid_grant(
        &run.exchange(&run.party, arrival.code(), request.get("redirect_uri"))
            .await,
    );
}

/// The same half a minute later; and what was given for the code ends.
pub async fn oidcc_codereuse_30seconds(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let request = run.request();
    let arrival = run.sign_in(&request).await;
    let tokens = run.redeem(&request, &arrival).await;
    run.userinfo(&tokens.access_token).await;
    run.server.advance(Duration::from_secs(30));
    assert_invalid_grant(
        &run.exchange(&run.party, arrival.code(), request.get("redirect_uri"))
            .await,
    );
    let answer = run.get_userinfo(&tokens.access_token).await;
    assert_eq!(
        (answer.status.as_u16(), answer.error().as_str()),
        (401, "invalid_token")
    );
    assert_invalid_grant(&run.refresh(&run.party, &tokens.refresh_token).await);
}

/// `client_secret_post`: the secret in the form; in a header it is not this client's method.
pub async fn oidcc_server_client_secret_post(mode: ResponseMode) {
    let run = Run::start_with(mode, |client| {
        client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::ClientSecretPost;
    })
    .await;
    let client = &run.party.client;
    let request = run.request();
    let arrival = run.sign_in(&request).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", arrival.code()),
        ("redirect_uri", request.get("redirect_uri")),
    ];
    let relying_party = RelyingParty::new(&run.server, client);
    let by_header = [("authorization", basic(&client.client_id, &client.secret))];
    let by_header = by_header.each_ref().map(|(name, value)| (*name, value.as_str()));
    let refused = relying_party.post_as("/oauth2/token", &form, &by_header).await;
    assert_eq!(
        (refused.status.as_u16(), refused.error().as_str()),
        (401, "invalid_client")
    );
    assert!(refused.header("www-authenticate").starts_with("Basic "));
    let answer = relying_party.token(&form).await;
    let tokens = run.tokens(&run.party, answer, Some(request.get("nonce"))).await;
    assert_eq!(tokens.claim("sub"), run.user.subject);
}

/// PKCE with `S256`: the right verifier, and no other.
pub async fn oidcc_ensure_request_with_valid_pkce_succeeds(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let verifier = random::token();
    let challenge = URL_SAFE_NO_PAD.encode(crypto::sha256(verifier.as_bytes()));
    let with_pkce = || {
        run.request()
            .with("code_challenge", &challenge)
            .with("code_challenge_method", "S256")
    };
    let redeem = async |code: &str, verifier: &str, redirect_uri: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        run.token(&run.party, &form).await
    };
    let request = with_pkce();
    let arrival = run.sign_in(&request).await;
    let answer = redeem(arrival.code(), &verifier, request.get("redirect_uri")).await;
    run.tokens(&run.party, answer, Some(request.get("nonce"))).await;

    let request = with_pkce();
    let arrival = run.at_once(&request).await;
    let other = random::token();
    assert_invalid_grant(&redeem(arrival.code(), &other, request.get("redirect_uri")).await);
    let request = with_pkce();
    let arrival = run.at_once(&request).await;
    let without = run
        .exchange(&run.party, arrival.code(), request.get("redirect_uri"))
        .await;
    assert!(
        ["invalid_grant", "invalid_request"].contains(&without.error().as_str()),
        "{}",
        without.body
    );
}

/// A refresh token: new tokens about the same sign-in, and for its own client only.
pub async fn oidcc_refresh_token(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let second = Party {
        client: run.server.client(|_| ()).await,
        key: None,
    };
    refresh_tokens(&run, &second).await;
}

/// What the module checks of refresh tokens, with the run's client and a second one.
pub async fn refresh_tokens(run: &Run, second: &Party) {
    let offline = |party: &Party| {
        run.request_of(party)
            .with("scope", "openid offline_access")
            .with("prompt", "consent")
    };
    let request = offline(&run.party);
    let first = run.complete(&request).await;
    // RFC 6749 appendix A.17
    let token = &first.refresh_token;
    assert!(!token.is_empty() && token.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
    run.server.advance(Duration::from_secs(3));
    let refreshed = run.tokens(&run.party, run.refresh(&run.party, token).await, None).await;
    assert_ne!(refreshed.access_token, first.access_token);
    assert_ne!(refreshed.id_token, first.id_token);
    // Core section 12.2
    for name in ["iss", "sub", "aud", "azp", "auth_time"] {
        assert_eq!(refreshed.claims[name], first.claims[name], "{name}");
    }
    assert!(refreshed.claims["iat"].as_i64().unwrap() >= first.claims["iat"].as_i64().unwrap() + 3);
    assert!(
        refreshed
            .claims
            .get("nonce")
            .is_none_or(|nonce| *nonce == first.claims["nonce"])
    );
    assert_eq!(run.userinfo(&refreshed.access_token).await["sub"], run.user.subject);

    let request = offline(second);
    let arrival = run.sign_in(&request).await;
    let theirs = run.redeem_as(second, &request, &arrival).await;
    assert_invalid_grant(&run.refresh(&run.party, &theirs.refresh_token).await);
    let own = run.refresh(second, &theirs.refresh_token).await;
    run.tokens(second, own, None).await;
}
