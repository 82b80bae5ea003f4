//! RP-Initiated Logout 1.0: what a request to sign out may ask for.

use super::oauth_error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use crate::model::Client;

/// Where the browser goes afterwards, once that is certain.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ReturnAddress {
    /// Where to, exactly as the request spelled it.
    pub uri: String,
    /// Echoed.
    pub state: Option<String>,
}

impl ReturnAddress {
    /// The address with `state` added to its query.
    pub fn location(&self) -> String {
        let Some(state) = &self.state else {
            return self.uri.clone();
        };
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("state", state)
            .finish();
        let joint = if self.uri.contains('?') { "&" } else { "?" };
        format!("{}{joint}{query}", self.uri)
    }
}

/// Judges where to go. Without a client there is nowhere to go (section 3): the page of ours says good-bye.
pub fn return_address(parameters: &Parameters, client: Option<&Client>) -> Result<Option<ReturnAddress>, OAuthError> {
    let Some(uri) = parameters.get("post_logout_redirect_uri") else {
        return Ok(None);
    };
    let refused = |description| OAuthError::new(ErrorCode::InvalidRequest, "logout.redirect_uri", description);
    let client = client
        .filter(|client| client.disabled_at.is_none())
        .ok_or_else(|| refused("post_logout_redirect_uri needs an id_token_hint or client_id"))?;
    // compared as text, like redirect URIs (section 3)
    if !client
        .metadata
        .post_logout_redirect_uris
        .iter()
        .any(|registered| registered == uri)
    {
        return Err(refused("post_logout_redirect_uri is not registered"));
    }
    Ok(Some(ReturnAddress {
        uri: uri.to_owned(),
        state: parameters.get("state").map(str::to_owned),
    }))
}
