//! Tokens: what the token endpoint does, and what is asked of tokens afterwards. Grants never import one another; all minting
//! goes through `issue`.

pub mod authorization_code;
pub mod client_authentication;
pub mod client_credentials;
pub mod introspection;
pub mod issue;
mod place;
pub mod refresh_token;
mod resources;
pub mod revocation;
pub mod standing;
mod unvouched;
pub mod userinfo;
pub mod verify;

use std::sync::Arc;

use super::again::again;
use super::{Call, Error, Provider};
use crate::model::{Client, GrantType};
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError, audience};

pub use issue::TokenResponse;

/// Answers a token request of a client that has proved who it is (RFC 6749 section 3.2).
pub async fn grant(
    provider: &Provider,
    call: &Call,
    client: &Arc<Client>,
    parameters: &Parameters,
) -> Result<TokenResponse, Error> {
    match answer(provider, call, client, parameters).await {
        Err(Error::OAuth(error)) => Err(standing::of_token_request(provider, call, client, parameters, error)
            .await
            .into()),
        answer => answer,
    }
}

async fn answer(
    provider: &Provider,
    call: &Call,
    client: &Arc<Client>,
    parameters: &Parameters,
) -> Result<TokenResponse, Error> {
    let grant_type = parameters.get("grant_type").ok_or_else(|| {
        OAuthError::new(
            ErrorCode::InvalidRequest,
            "token.grant_type_missing",
            "grant_type is missing",
        )
    })?;
    let grant_type: GrantType = grant_type.parse().map_err(|_| {
        OAuthError::new(
            ErrorCode::UnsupportedGrantType,
            "token.grant_type",
            "this grant_type is not known here",
        )
    })?;
    if !client.may_use(grant_type) {
        return Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "token.grant_type_not_registered",
            "this client may not use this grant_type",
        )
        .into());
    }
    let answer = again(|| by(grant_type, provider, call, client, parameters)).await;
    if answer.is_ok() {
        provider.counts.tokens.of(grant_type.as_str()).count();
    }
    answer
}

async fn by(
    grant_type: GrantType,
    provider: &Provider,
    call: &Call,
    client: &Arc<Client>,
    parameters: &Parameters,
) -> Result<TokenResponse, Error> {
    match grant_type {
        GrantType::AuthorizationCode => authorization_code::redeem(provider, call, client, parameters).await,
        GrantType::RefreshToken => refresh_token::refresh(provider, call, client, parameters).await,
        GrantType::ClientCredentials => client_credentials::issue(provider, call, client, parameters).await,
    }
}

/// What decisions about audiences rest on.
pub(crate) struct Audiences {
    resources: Arc<Vec<crate::model::Resource>>,
    issuer: String,
    api: String,
}

impl Audiences {
    /// As they stand.
    pub(crate) async fn load(provider: &Provider) -> Result<Self, Error> {
        Ok(Self {
            resources: provider.resources().await?,
            issuer: provider.issuer.as_str().to_owned(),
            api: provider.issuer.api(),
        })
    }

    /// For the protocol's rules.
    pub(crate) fn surroundings(&self) -> audience::Surroundings<'_> {
        audience::Surroundings {
            issuer: &self.issuer,
            api: &self.api,
            resources: &self.resources,
        }
    }
}
