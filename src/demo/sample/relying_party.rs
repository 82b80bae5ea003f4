//! The relying party, on the package `openidconnect`: discovery, the authorization request, the code, the ID token, refresh.

use std::pin::Pin;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreProviderMetadata, CoreTokenResponse};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpClientError, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, Scope, TokenResponse,
};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::Registration;
use super::session::{Attempt, SignedIn};
use crate::demo::{Error, MESSAGES};
use crate::jose::RemoteKeys;
use crate::model::Secret;

/// Where the server describes itself.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Why a sign-in or refresh did not succeed: a sentence for whoever tries the sandbox.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Trouble(String);

impl Trouble {
    pub(super) fn because(why: &str) -> Self {
        Self(why.to_owned())
    }

    pub(super) fn new(what: &str, cause: &dyn std::error::Error) -> Self {
        let mut sentence = format!("{what}: {cause}");
        let mut below = cause.source();
        while let Some(deeper) = below {
            sentence.push_str(&format!(": {deeper}"));
            below = deeper.source();
        }
        Self(sentence)
    }
}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// The relying party.
pub(super) struct RelyingParty {
    pub(super) registration: Registration,
    http: reqwest::Client,
}

impl RelyingParty {
    pub(super) fn new(registration: Registration) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            // a redirect of a token endpoint is nothing to follow
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Error::Sample(Box::new(error)))?;
        Ok(Self { registration, http })
    }

    /// Where the browser goes to sign in, and what to remember until it is back.
    pub(super) async fn begin(&self) -> Result<(Url, Attempt), Trouble> {
        let client = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .set_pkce_challenge(challenge);
        for scope in ["profile", "email", "groups", "offline_access", MESSAGES] {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        let (url, state, nonce) = request.url();
        let attempt = Attempt {
            state: Secret::new(state.secret()),
            nonce: Secret::new(nonce.secret()),
            code_verifier: Secret::new(verifier.secret()),
        };
        Ok((url, attempt))
    }

    /// Redeems the code: ID token verified, userinfo asked.
    pub(super) async fn finish(&self, attempt: &Attempt, code: &str) -> Result<SignedIn, Trouble> {
        let client = self.client().await?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| Trouble::new("the token endpoint", &error))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.code_verifier.expose().to_owned()))
            .request_async(&self.sender())
            .await
            .map_err(|error| Trouble::new("the code was not redeemed", &error))?;
        let id_token = answer
            .id_token()
            .ok_or_else(|| Trouble("the answer holds no ID token".to_owned()))?;
        verify(&client, id_token, |found: Option<&Nonce>| match found {
            Some(found) if Secret::new(found.secret()).matches(&attempt.nonce) => Ok(()),
            _ => Err("the nonce is not ours".to_owned()),
        })?;
        self.signed_in(&answer, id_token, None).await
    }

    /// Gets new tokens for the refresh token.
    pub(super) async fn refresh(&self, before: &SignedIn) -> Result<SignedIn, Trouble> {
        let Some(refresh_token) = &before.refresh_token else {
            return Err(Trouble("there is no refresh token".to_owned()));
        };
        let client = self.client().await?;
        let refresh_token = RefreshToken::new(refresh_token.expose().to_owned());
        let answer = client
            .exchange_refresh_token(&refresh_token)
            .map_err(|error| Trouble::new("the token endpoint", &error))?
            .request_async(&self.sender())
            .await
            .map_err(|error| Trouble::new("the tokens were not refreshed", &error))?;
        match answer.id_token() {
            None => Err(Trouble("the answer holds no ID token".to_owned())),
            Some(id_token) => {
                // OpenID Connect Core section 12.2: an ID token of a refresh needs no nonce
                verify(&client, id_token, |_: Option<&Nonce>| Ok(()))?;
                self.signed_in(&answer, id_token, Some(before)).await
            }
        }
    }

    /// Where the browser goes to sign out (OpenID Connect RP-Initiated Logout 1.0).
    pub(super) fn sign_out(&self, signed_in: &SignedIn) -> String {
        let Registration {
            issuer,
            home,
            client_id,
            ..
        } = &self.registration;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("id_token_hint", signed_in.id_token.expose())
            .append_pair("client_id", client_id)
            .append_pair("post_logout_redirect_uri", &format!("{home}/"))
            .finish();
        format!("{issuer}/oauth2/end_session?{query}")
    }

    /// Calls the application's API with the access token, as any other program would.
    pub(super) async fn call_api(&self, access_token: &Secret) -> Result<(u16, String), Trouble> {
        let request = self
            .http
            .get(format!("{}/messages", self.registration.api))
            .header("authorization", format!("Bearer {}", access_token.expose()));
        let answer = request
            .send()
            .await
            .map_err(|error| Trouble::new("the API does not answer", &error))?;
        let status = answer.status().as_u16();
        let text = answer
            .text()
            .await
            .map_err(|error| Trouble::new("the API does not answer", &error))?;
        Ok((status, text))
    }

    /// What the server says about an access token (RFC 7662), asked by the API.
    pub(super) async fn introspect(&self, access_token: &str) -> Result<Value, Trouble> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", access_token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let request = self
            .http
            .post(format!("{}/oauth2/introspect", self.registration.issuer))
            .basic_auth(
                &self.registration.client_id,
                Some(self.registration.client_secret.expose()),
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        self.json(request).await
    }

    /// The server's keys, read anew.
    pub(super) async fn keys(&self) -> Result<RemoteKeys, Trouble> {
        let metadata = self.json(self.http.get(format!("{}{DISCOVERY}", self.registration.issuer)));
        let metadata = metadata.await?;
        let address = metadata.get("jwks_uri").and_then(Value::as_str).unwrap_or_default();
        let keys = self.json(self.http.get(address)).await?;
        RemoteKeys::fetched(keys.to_string().as_bytes()).map_err(|error| Trouble::new("the server's keys", &error))
    }

    async fn client(&self) -> Result<Client, Trouble> {
        let Registration {
            issuer,
            home,
            client_id,
            client_secret,
            ..
        } = &self.registration;
        let issuer = IssuerUrl::new(issuer.clone()).map_err(|error| Trouble::new("the issuer", &error))?;
        // read anew each time, so that a rotated key is known at once: a real application remembers it for a while
        let metadata = CoreProviderMetadata::discover_async(issuer, &self.sender())
            .await
            .map_err(|error| Trouble::new("the server's metadata can't be read", &error))?;
        let redirect =
            RedirectUrl::new(format!("{home}/callback")).map_err(|error| Trouble::new("the redirect URI", &error))?;
        let secret = ClientSecret::new(client_secret.expose().to_owned());
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(client_id.clone()), Some(secret));
        Ok(client.set_redirect_uri(redirect))
    }

    async fn signed_in(
        &self,
        answer: &CoreTokenResponse,
        id_token: &CoreIdToken,
        before: Option<&SignedIn>,
    ) -> Result<SignedIn, Trouble> {
        let id_token = Secret::new(id_token.to_string());
        let claims = claims(&id_token)?;
        let access_token = Secret::new(answer.access_token().secret());
        let userinfo = self.userinfo(&access_token).await?;
        // OpenID Connect Core section 5.3.2: the answer is about the person of the ID token, or it is not used
        if userinfo.get("sub") != claims.get("sub") {
            return Err(Trouble("the userinfo answer is about somebody else".to_owned()));
        }
        Ok(SignedIn {
            id_token,
            claims,
            userinfo,
            access_token,
            refresh_token: answer
                .refresh_token()
                .map(|token| Secret::new(token.secret()))
                .or_else(|| before.and_then(|before| before.refresh_token.clone())),
            scope: answer
                .scopes()
                .map(|scopes| scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "))
                .or_else(|| before.map(|before| before.scope.clone()))
                .unwrap_or_default(),
            refreshed: before.map_or(0, |before| before.refreshed + 1),
        })
    }

    async fn userinfo(&self, access_token: &Secret) -> Result<Map<String, Value>, Trouble> {
        let request = self
            .http
            .get(format!("{}/oauth2/userinfo", self.registration.issuer))
            .header("authorization", format!("Bearer {}", access_token.expose()));
        match self.json(request).await? {
            Value::Object(userinfo) => Ok(userinfo),
            _ => Err(Trouble("the userinfo answer is no object".to_owned())),
        }
    }

    async fn json(&self, request: reqwest::RequestBuilder) -> Result<Value, Trouble> {
        let unreachable = |error: reqwest::Error| Trouble::new("the server does not answer", &error);
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(unreachable)?;
        if !status.is_success() {
            return Err(Trouble(format!("the server refused: {status}")));
        }
        serde_json::from_slice(&bytes).map_err(|error| Trouble::new("the answer is no JSON", &error))
    }

    /// What sends what the package wants sent.
    fn sender(&self) -> impl Fn(HttpRequest) -> Sending {
        let http = self.http.clone();
        move |request| Box::pin(send(http.clone(), request))
    }
}

type Sending = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpClientError<reqwest::Error>>> + Send>>;

async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, HttpClientError<reqwest::Error>> {
    let (parts, body) = request.into_parts();
    let failed = |error: reqwest::Error| HttpClientError::Reqwest(Box::new(error));
    let request = http.request(parts.method, parts.uri.to_string());
    let sent = request.headers(parts.headers).body(body).send().await.map_err(failed)?;
    let mut response = axum::http::Response::builder().status(sent.status());
    for (name, value) in sent.headers() {
        response = response.header(name, value);
    }
    let bytes = sent.bytes().await.map_err(failed)?.to_vec();
    response.body(bytes).map_err(HttpClientError::Http)
}

/// Signature, issuer, audience, times and nonce (OpenID Connect Core section 3.1.3.7).
fn verify<N>(client: &Client, id_token: &CoreIdToken, nonce: N) -> Result<(), Trouble>
where
    N: openidconnect::NonceVerifier,
{
    let verifier = client.id_token_verifier();
    match id_token.claims(&verifier, nonce) {
        Ok(_) => Ok(()),
        Err(error) => Err(Trouble::new("the ID token is not believed", &error)),
    }
}

/// The claims of a token that was verified.
fn claims(id_token: &Secret) -> Result<Map<String, Value>, Trouble> {
    let payload = id_token.expose().split('.').nth(1).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD
        .decode(payload)
        .map_err(|error| Trouble::new("the ID token", &error))?;
    serde_json::from_slice(&bytes).map_err(|error| Trouble::new("the ID token", &error))
}
