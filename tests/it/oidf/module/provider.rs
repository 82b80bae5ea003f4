//! The provider as a stock relying party meets it: discovery, a whole sign-on, signatures.

use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse, RedirectUrl, Scope, TokenResponse,
};
use ostiary::model::{ResponseMode, SigningAlgorithm};
use serde_json::json;

use crate::oidf::published_keys;
use crate::oidf::run::{Run, open_server, post_registration};
use crate::support::http::plain_http;
use crate::support::relying_party::jwt_header;

/// The client of the crate `openidconnect`, over our HTTP client.
async fn http(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let client = plain_http().redirect(reqwest::redirect::Policy::none()).build()?;
    let (parts, body) = request.into_parts();
    let sent = client
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body)
        .send()
        .await?;
    let mut response = HttpResponse::new(Vec::new());
    *response.status_mut() = sent.status();
    *response.headers_mut() = sent.headers().clone();
    *response.body_mut() = sent.bytes().await?.to_vec();
    Ok(response)
}

/// A relying party made of a stock library signs a person in and accepts everything it is told.
pub async fn oidcc_server(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let client = &run.party.client;
    let issuer = IssuerUrl::new(run.server.issuer().to_owned()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await.unwrap();
    let relying_party = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new(client.client_id.clone()),
        Some(ClientSecret::new(client.secret.clone())),
    )
    .set_redirect_uri(RedirectUrl::new(client.redirect_uri.clone()).unwrap());
    let request = relying_party
        .authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_scope(Scope::new("email".to_owned()))
        .add_extra_param("response_mode", mode.as_str());
    let (url, state, nonce) = request.url();
    let arrival = run.browser.sign_in(url.as_str(), &run.user).await;
    assert_eq!(arrival.get("state"), state.secret());
    let code = AuthorizationCode::new(arrival.code().to_owned());
    let tokens = relying_party
        .exchange_code(code)
        .unwrap()
        .request_async(&http)
        .await
        .unwrap();

    let id_token = tokens.id_token().unwrap();
    let verifier = relying_party.id_token_verifier();
    let claims = id_token.claims(&verifier, &nonce).unwrap();
    assert_eq!(claims.subject().as_str(), run.user.subject);
    let algorithm = id_token.signing_alg().unwrap();
    let key = id_token.signing_key(&verifier).unwrap();
    let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key).unwrap();
    assert_eq!(claims.access_token_hash(), Some(&hash));
    // the same library does refuse: a nonce of another request
    assert!(id_token.claims(&verifier, &Nonce::new_random()).is_err());

    let subject = Some(claims.subject().clone());
    let told: CoreUserInfoClaims = relying_party
        .user_info(tokens.access_token().clone(), subject)
        .unwrap()
        .request_async(&http)
        .await
        .unwrap();
    assert_eq!(told.email().unwrap().as_str(), run.user.email);
}

/// The ID token is signed by a published key that its header names; two libraries agree, on forgeries too.
pub async fn oidcc_idtoken_signature(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let request = run.request();
    let tokens = run.complete(&request).await;
    let header = jwt_header(&tokens.id_token);
    assert_eq!(header["alg"], "RS256");
    let keys = published_keys::fetch(&run.server).await;
    assert_eq!(keys.get(header["kid"].as_str().unwrap()).len(), 1);

    let client_id = ClientId::new(run.party.client.client_id.clone());
    let issuer = IssuerUrl::new(run.server.issuer().to_owned()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await.unwrap();
    let relying_party = CoreClient::from_provider_metadata(metadata, client_id, None);
    let verifier = relying_party.id_token_verifier();
    let nonce = Nonce::new(request.get("nonce").to_owned());
    let accepted = |token: &str| {
        let id_token: CoreIdToken = token.parse().unwrap();
        id_token.claims(&verifier, &nonce).is_ok()
    };
    assert!(accepted(&tokens.id_token));
    let forged = with_other_signature(&tokens.id_token);
    assert!(!accepted(&forged));
    assert!(published_keys::try_verify(&keys, &forged).is_err());
}

/// The token with one character of its signature changed.
pub fn with_other_signature(token: &str) -> String {
    let (start, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{start}.{first}{}", &signature[1..])
}

/// `none` is not announced, so a client that wants unsigned ID tokens can't register (Core section 3.1.3.7, 15.1).
pub async fn oidcc_idtoken_unsigned(mode: ResponseMode) {
    let server = open_server().await;
    let metadata = crate::support::browser::Browser::new()
        .get(&server.url("/.well-known/openid-configuration"))
        .await
        .json();
    let announced = metadata["id_token_signing_alg_values_supported"].as_array().unwrap();
    assert!(!announced.contains(&json!("none")), "{announced:?}");
    let ordinary = json!({"redirect_uris": [crate::oidf::run::REDIRECT_URI], "response_types": ["code"]});
    assert_eq!(post_registration(&server, &ordinary).await.status, 201);
    let mut unsigned = ordinary;
    unsigned["id_token_signed_response_alg"] = json!("none");
    let answer = post_registration(&server, &unsigned).await;
    assert_eq!(
        (answer.status.as_u16(), answer.error().as_str()),
        (400, "invalid_client_metadata")
    );
    drop(server);
    // and a client that says nothing about it gets signed ones
    let run = Run::start(mode).await;
    assert_eq!(
        run.party.client.client.metadata.id_token_signed_response_alg,
        SigningAlgorithm::Rs256
    );
    let tokens = run.complete(&run.request()).await;
    assert_ne!(jwt_header(&tokens.id_token)["alg"], "none");
    assert!(
        tokens
            .id_token
            .split('.')
            .nth(2)
            .is_some_and(|signature| signature.len() > 300)
    );
}
