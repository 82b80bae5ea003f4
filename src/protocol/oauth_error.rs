//! Errors of the protocol: a registered code, a sentence for the client, and the rule that was broken with what that rests
//! on, which never leave the process but stand in the audit log and the traces.

use std::borrow::Cow;

use crate::model::named::named;
use crate::model::{Fact, Facts, Reason};

named! {
    /// Registered error codes (RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750, RFC 7591, RFC 8707, OpenID Connect Core 3.1.2.6, OAuth 2.0
    /// for First-Party Applications section 5.2.2).
    ErrorCode {
        /// A parameter is missing, repeated or malformed.
        InvalidRequest = "invalid_request",
        /// The client did not prove who it is.
        InvalidClient = "invalid_client",
        /// The code or refresh token does not count (any more).
        InvalidGrant = "invalid_grant",
        /// The client may not use this grant or response.
        UnauthorizedClient = "unauthorized_client",
        /// There is no such grant here.
        UnsupportedGrantType = "unsupported_grant_type",
        /// There is no such response here.
        UnsupportedResponseType = "unsupported_response_type",
        /// The scope is unknown or not the client's.
        InvalidScope = "invalid_scope",
        /// The resource is unknown or not the client's.
        InvalidTarget = "invalid_target",
        /// The person or a policy said no.
        AccessDenied = "access_denied",
        /// The server failed.
        ServerError = "server_error",
        /// The server can't answer at the moment.
        TemporarilyUnavailable = "temporarily_unavailable",
        /// `prompt=none`, and somebody would have to be asked something.
        InteractionRequired = "interaction_required",
        /// `prompt=none`, and nobody is signed in (recently enough).
        LoginRequired = "login_required",
        /// `prompt=none`, and several accounts are signed in.
        AccountSelectionRequired = "account_selection_required",
        /// `prompt=none`, and the person has not allowed this yet.
        ConsentRequired = "consent_required",
        /// Request objects by value are not taken.
        RequestNotSupported = "request_not_supported",
        /// Request objects by reference are not taken.
        RequestUriNotSupported = "request_uri_not_supported",
        /// The `registration` parameter is not taken.
        RegistrationNotSupported = "registration_not_supported",
        /// An essential `acr` can't be met.
        UnmetAuthenticationRequirements = "unmet_authentication_requirements",
        /// The access token does not count.
        InvalidToken = "invalid_token",
        /// The access token does not allow this.
        InsufficientScope = "insufficient_scope",
        /// A redirect URI can't be registered.
        InvalidRedirectUri = "invalid_redirect_uri",
        /// Another field can't be registered.
        InvalidClientMetadata = "invalid_client_metadata",
        /// Software statements are not taken.
        InvalidSoftwareStatement = "invalid_software_statement",
        /// This server does not revoke tokens of that kind.
        UnsupportedTokenType = "unsupported_token_type",
        /// `auth_session` does not count (first-party applications).
        InvalidSession = "invalid_session",
        /// More has to be proved or done (first-party applications).
        InsufficientAuthorization = "insufficient_authorization",
        /// It goes on in a browser (first-party applications).
        RedirectToWeb = "redirect_to_web",
    }
}

/// A refusal by the rules of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    /// The registered code.
    pub code: ErrorCode,
    /// A sentence for the client's developer: ASCII without quotes and backslashes (RFC 6749 section 5.2).
    pub description: Cow<'static, str>,
    /// Our name of the rule that was broken: for the audit log.
    pub rule: &'static str,
    /// What the decision rested on: for the traces.
    pub facts: Facts,
}

impl OAuthError {
    /// A refusal with a fixed sentence.
    pub const fn new(code: ErrorCode, rule: &'static str, description: &'static str) -> Self {
        Self {
            code,
            description: Cow::Borrowed(description),
            rule,
            facts: Vec::new(),
        }
    }

    /// A refusal whose sentence names a parameter or field. Characters that RFC 6749 does not allow become `?`.
    pub fn named(code: ErrorCode, rule: &'static str, description: &str) -> Self {
        let description = description
            .chars()
            .map(|c| {
                if matches!(c, '\x20'..='\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e') {
                    c
                } else {
                    '?'
                }
            })
            .take(300)
            .collect::<String>();
        Self {
            code,
            description: Cow::Owned(description),
            rule,
            facts: Vec::new(),
        }
    }

    /// It rested on this.
    #[must_use]
    pub fn fact(mut self, name: &'static str, fact: Fact) -> Self {
        self.facts.push((name, fact));
        self
    }

    /// The rule with what it rested on.
    pub fn reason(&self) -> Reason {
        Reason {
            rule: self.rule,
            facts: self.facts.clone(),
        }
    }
}

impl std::fmt::Display for OAuthError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code, self.description)
    }
}

impl std::error::Error for OAuthError {}
