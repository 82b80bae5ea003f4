//! The authorization response: RFC 6749 section 4.1.2, RFC 9207, Form Post Response Mode.

use super::authorization_request::Answerable;
use super::oauth_error::OAuthError;
use crate::model::{Client, ResponseMode, Secret};

/// An answer on its way to the client.
#[derive(Clone, Debug)]
pub struct AuthorizationResponse {
    /// The client's name: for the page that posts the answer.
    pub client: String,
    /// Where it goes.
    pub answerable: Answerable,
    /// What it says, `iss` included.
    pub parameters: Vec<(&'static str, String)>,
}

impl AuthorizationResponse {
    /// A code.
    pub fn code(client: &Client, answerable: Answerable, issuer: &str, code: &Secret) -> Self {
        let mut parameters = vec![("code", code.expose().to_owned())];
        finish(&mut parameters, &answerable, issuer);
        Self {
            client: client.name().to_owned(),
            answerable,
            parameters,
        }
    }

    /// The same with what a page of the client asks our frame with (OpenID Connect Session Management 1.0 section 2).
    #[must_use]
    pub fn with_session_state(mut self, session_state: Option<String>) -> Self {
        self.parameters
            .extend(session_state.map(|value| ("session_state", value)));
        self
    }

    /// A refusal (RFC 6749 section 4.1.2.1).
    pub fn refusal(client: &Client, answerable: Answerable, issuer: &str, error: &OAuthError) -> Self {
        let mut parameters = vec![
            ("error", error.code.as_str().to_owned()),
            ("error_description", error.description.clone().into_owned()),
        ];
        finish(&mut parameters, &answerable, issuer);
        Self {
            client: client.name().to_owned(),
            answerable,
            parameters,
        }
    }

    /// An answer that was kept: what it says is known by name, whatever else was kept is not part of it.
    pub fn again(client: &Client, answerable: Answerable, kept: &[(String, String)]) -> Self {
        const NAMES: [&str; 6] = ["code", "error", "error_description", "state", "iss", "session_state"];
        let known = |(name, value): &(String, String)| {
            let name = NAMES.iter().find(|known| *known == name)?;
            Some((*name, value.clone()))
        };
        Self {
            client: client.name().to_owned(),
            answerable,
            parameters: kept.iter().filter_map(known).collect(),
        }
    }

    /// What is kept of it.
    pub fn kept(&self) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
        self.parameters.iter().map(owned).collect()
    }

    /// What it says under this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Where to redirect for the mode `query`: the parameters are added to what the redirect URI's query holds already.
    pub fn location(&self) -> String {
        let uri = &self.answerable.redirect_uri;
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.parameters)
            .finish();
        let joint = match uri.split_once('?') {
            None => "?",
            Some((_, rest)) if rest.is_empty() || rest.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{uri}{joint}{query}")
    }

    /// How it travels.
    pub fn mode(&self) -> ResponseMode {
        self.answerable.response_mode
    }
}

fn finish(parameters: &mut Vec<(&'static str, String)>, answerable: &Answerable, issuer: &str) {
    if let Some(state) = &answerable.state {
        parameters.push(("state", state.clone()));
    }
    // RFC 9207 section 2: in every answer, refusals included
    parameters.push(("iss", issuer.to_owned()));
}
