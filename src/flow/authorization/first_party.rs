//! The request of a first-party application that asks the person by itself (OAuth 2.0 for First-Party Applications, draft-ietf-oauth-
//! first-party-apps section 5.1). It is an authorization request like any other, but for where the answer goes: nowhere but to whoever
//! asks. From here on every question is that of the pages.

use std::sync::Arc;

use super::hint;
use super::interaction::{Interaction, LIFETIME};
use crate::flow::session::Browser;
use crate::flow::token::Audiences;
use crate::flow::{Call, Error, Provider};
use crate::model::{Client, ResponseMode};
use crate::protocol::audience;
use crate::protocol::authorization_request::{self, Answerable};
use crate::protocol::code_exchange::FIRST_PARTY;
use crate::protocol::parameters::Parameters;
use crate::protocol::{ErrorCode, OAuthError};

/// Takes the first request. `browser` stands for the application on this device.
///
/// # Errors
/// [`Error::OAuth`] if the request does not hold.
pub async fn begin(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    client: Arc<Client>,
    mut parameters: Parameters,
) -> Result<Interaction, Error> {
    parameters.set("response_type", "code");
    for nothing_here in ["redirect_uri", "response_mode", "state"] {
        parameters.remove(nothing_here);
    }
    let audiences = Audiences::load(provider).await?;
    let surroundings = audiences.surroundings();
    let grantable = audience::grantable(&client, &surroundings);
    let answerable = Answerable {
        redirect_uri: FIRST_PARTY.to_owned(),
        response_mode: ResponseMode::Query,
        state: None,
    };
    let mut request = authorization_request::validate(&parameters, &client, answerable, &grantable)?;
    audience::settle(&client, &request.scope, &request.resources, &surroundings)?;
    // section 9: the code is worth nothing to whoever reads it on its way
    if request.code_challenge.is_none() {
        return Err(OAuthError::new(
            ErrorCode::InvalidRequest,
            "first_party.code_challenge",
            "code_challenge is missing",
        )
        .into());
    }
    request.hinted_subject = hint::subject(provider, &client, &parameters).await??;
    let interaction = Interaction::new(provider, call, browser, client, request);
    interaction.keep(provider, call, LIFETIME).await?;
    Ok(interaction)
}
