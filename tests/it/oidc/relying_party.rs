//! A relying party that others wrote: the `openidconnect` crate discovers this server, signs somebody in, verifies what it
//! gets, and goes on to userinfo, refreshing and revocation.

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreGenderClaim, CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EmptyAdditionalClaims, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse,
    UserInfoClaims,
};
use ostiary::model::{SigningAlgorithm, SubjectType};

use crate::support::browser::Browser;
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestClient, TestUser, each_backend};

/// How a request of the crate reaches the server.
async fn send(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let http = plain_http().redirect(reqwest::redirect::Policy::none()).build()?;
    let (parts, body) = request.into_parts();
    let response = http
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body)
        .send()
        .await?;
    let mut answer = HttpResponse::new(Vec::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    *answer.body_mut() = response.bytes().await?.to_vec();
    Ok(answer)
}

async fn whole_life(server: &Server, client: &TestClient, user: &TestUser, subject: Option<&str>) {
    let issuer = IssuerUrl::new(server.issuer().to_owned()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer, &send).await.unwrap();
    assert_eq!(metadata.issuer().as_str(), server.issuer());
    assert_eq!(metadata.response_types_supported().len(), 1);
    assert!(
        metadata
            .id_token_signing_alg_values_supported()
            .contains(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256)
    );
    let secret = (!client.secret.is_empty()).then(|| ClientSecret::new(client.secret.clone()));
    let crate_client = CoreClient::from_provider_metadata(metadata, ClientId::new(client.client_id.clone()), secret)
        .set_redirect_uri(RedirectUrl::new(client.redirect_uri.clone()).unwrap());

    // discovery -> a request with PKCE, state and nonce
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = crate_client
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_scope(Scope::new("email".to_owned()))
        .add_scope(Scope::new("profile".to_owned()))
        .add_scope(Scope::new("offline_access".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let browser = Browser::new();
    let arrived = browser.sign_in(url.as_str(), user).await;
    assert_eq!(arrived.get("state"), state.secret());
    assert_eq!(arrived.get("iss"), server.issuer());

    // -> tokens, whose ID token holds
    let tokens = crate_client
        .exchange_code(AuthorizationCode::new(arrived.code().to_owned()))
        .unwrap()
        .set_pkce_verifier(verifier)
        .request_async(&send)
        .await
        .unwrap();
    let id_token = tokens.id_token().unwrap();
    let id_token_verifier = crate_client.id_token_verifier().set_allowed_algs([
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    ]);
    let claims = id_token.claims(&id_token_verifier, &nonce).unwrap();
    if let Some(subject) = subject {
        assert_eq!(claims.subject().as_str(), subject);
    } else {
        assert_ne!(claims.subject().as_str(), user.subject);
    }
    assert!(
        id_token
            .claims(&id_token_verifier, &Nonce::new("other".to_owned()))
            .is_err()
    );
    let hash = claims.access_token_hash().unwrap();
    let algorithm = id_token.signing_alg().unwrap();
    let key = id_token.signing_key(&id_token_verifier).unwrap();
    assert_eq!(
        AccessTokenHash::from_token(tokens.access_token(), algorithm, key).unwrap(),
        *hash
    );

    // -> userinfo of the same person
    let userinfo: UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim> = crate_client
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        .unwrap()
        .request_async(&send)
        .await
        .unwrap();
    assert_eq!(userinfo.email().unwrap().as_str(), user.email);
    assert_eq!(userinfo.preferred_username().unwrap().as_str(), user.username);

    // -> a new set of tokens, for the same person
    let refreshed = crate_client
        .exchange_refresh_token(tokens.refresh_token().unwrap())
        .unwrap()
        .request_async(&send)
        .await
        .unwrap();
    assert_ne!(refreshed.access_token().secret(), tokens.access_token().secret());
    if let Some(again) = refreshed.id_token() {
        // OpenID Connect Core section 12.2: a nonce is not needed, the subject stays
        let again = again.claims(&id_token_verifier, |_: Option<&Nonce>| Ok(())).unwrap();
        assert_eq!(again.subject(), claims.subject());
    }

    // -> and its end. The crate revokes over https alone, so this is said by hand
    let party = RelyingParty::new(server, client);
    party.revoke(refreshed.refresh_token().unwrap().secret()).await.ok();
    let ended = crate_client
        .exchange_refresh_token(refreshed.refresh_token().unwrap())
        .unwrap()
        .request_async(&send)
        .await;
    assert!(ended.is_err());
    let userinfo = crate_client
        .user_info(refreshed.access_token().clone(), None)
        .unwrap()
        .request_async::<EmptyAdditionalClaims, _, CoreGenderClaim>(&send)
        .await;
    assert!(userinfo.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relying_party_of_others_signs_people_in() {
    each_backend(async |server| {
        let user = server.user("ada").await;
        let confidential = server.client(|_| ()).await;
        whole_life(server, &confidential, &user, Some(&user.subject)).await;
        let public = server.public_client(|_| ()).await;
        whole_life(server, &public, &user, Some(&user.subject)).await;
        let pairwise = server
            .client(|client| {
                client.metadata.subject_type = SubjectType::Pairwise;
                client.metadata.id_token_signed_response_alg = SigningAlgorithm::Es256;
            })
            .await;
        whole_life(server, &pairwise, &user, None).await;
    })
    .await;
}
