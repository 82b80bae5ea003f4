//! The authorization request: RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.
//!
//! Judged in two steps whose refusals can't be mixed up. [`trust`]: who asks, and where may an answer go? If that is not
//! certain, the person sees a page of ours and nobody is redirected. [`validate`]: everything else, answered to the client.
//! The order of the grant's own steps is kept by oxide-auth's authorization machine.

use std::borrow::Cow;

use oxide_auth::code_grant::authorization as machine;
use oxide_auth::primitives::grant::Extensions;
use oxide_auth::primitives::registrar::{BoundClient, ExactUrl, PreGrant, RegisteredUrl};
use serde::{Deserialize, Serialize};

use super::oauth_error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::{claims_parameter, pkce, redirect_uri};
use crate::model::named::named;
use crate::model::{ClaimsRequest, Client, GrantType, ResponseMode, Scopes};

/// Hints longer than this are refused.
const MOST_HINT_BYTES: usize = 512;
/// `state` and `nonce` longer than this are refused.
const MOST_ECHO_BYTES: usize = 4096;

/// Where the answer goes, once that is certain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answerable {
    /// Where to, exactly as the request spelled it.
    pub redirect_uri: String,
    /// How it travels.
    pub response_mode: ResponseMode,
    /// Echoed.
    pub state: Option<String>,
}

/// Why nobody may be redirected: the person is told instead (RFC 6749 section 4.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrusted {
    /// `client_id` is missing or repeated.
    ClientMissing,
    /// There is no such client, or it is disabled.
    ClientUnknown,
    /// `redirect_uri` is missing or repeated.
    RedirectUriMissing,
    /// It is not one of the client's.
    RedirectUriUnregistered,
}

impl Untrusted {
    /// The rule's name.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::ClientMissing => "authorization.client_missing",
            Self::ClientUnknown => "authorization.client_unknown",
            Self::RedirectUriMissing => "authorization.redirect_uri_missing",
            Self::RedirectUriUnregistered => "authorization.redirect_uri_unregistered",
        }
    }
}

named! {
    /// What the client wants the person to be asked (Core section 3.1.2.1, Initiating User Registration 1.0).
    Prompt {
        /// Nothing.
        None = "none",
        /// Who they are, once more.
        Login = "login",
        /// Whether they allow it, once more.
        Consent = "consent",
        /// Which account.
        SelectAccount = "select_account",
    }
}

/// An authorization request that holds: everything that is kept while people are asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub client_id: String,
    /// Where the answer goes.
    pub answerable: Answerable,
    /// What is asked for, cut to what the client may have.
    pub scope: Scopes,
    /// Echoed in the ID token.
    pub nonce: Option<String>,
    /// The S256 challenge.
    pub code_challenge: Option<String>,
    /// What people are to be asked.
    pub prompt: Vec<Prompt>,
    /// How long ago the person may have signed in, in seconds.
    pub max_age: Option<u64>,
    /// Which assurance is wished for, best first.
    pub acr_values: Vec<String>,
    /// Whom the client expects, as typed.
    pub login_hint: Option<String>,
    /// Whom the client expects: the subject of its `id_token_hint`, verified by the flow.
    pub hinted_subject: Option<String>,
    /// Languages, best first.
    pub ui_locales: Vec<String>,
    /// Single claims.
    pub claims: ClaimsRequest,
    /// Resources (RFC 8707).
    pub resources: Vec<String>,
}

impl AuthorizationRequest {
    /// Whether the client says which person it is about.
    pub fn expects_somebody(&self) -> bool {
        self.hinted_subject.is_some() || self.wished_subjects().next().is_some()
    }

    /// Whether it may be answered for the person whom the client knows by this subject: the one of the hint (Core section
    /// 3.1.2.1), and of those that the claim `sub` of the ID token is wanted for (section 5.5.1).
    pub fn may_be_for(&self, subject: &str) -> bool {
        self.hinted_subject.as_deref().is_none_or(|hinted| hinted == subject)
            && (self.wished_subjects().next().is_none() || self.wished_subjects().any(|wished| wished == subject))
    }

    fn wished_subjects(&self) -> impl Iterator<Item = &serde_json::Value> {
        let wishes = self.claims.id_token.iter().filter(|claim| claim.name == "sub");
        wishes.flat_map(|claim| &claim.values)
    }
}

/// Whether the answer may go where the request says. The client is the enabled one of the request's `client_id`, if there is one.
pub fn trust(parameters: &Parameters, client: Option<&Client>) -> Result<Answerable, Untrusted> {
    if parameters.is_repeated("client_id") || parameters.get("client_id").is_none() {
        return Err(Untrusted::ClientMissing);
    }
    let client = client
        .filter(|client| client.disabled_at.is_none())
        .ok_or(Untrusted::ClientUnknown)?;
    if parameters.is_repeated("redirect_uri") {
        return Err(Untrusted::RedirectUriMissing);
    }
    // OpenID Connect Core section 3.1.2.1 demands it; RFC 6749 section 3.1.2.3 where several are registered
    let requested = parameters.get("redirect_uri").ok_or(Untrusted::RedirectUriMissing)?;
    let metadata = &client.metadata;
    if !redirect_uri::matches(requested, &metadata.redirect_uris, metadata.application_type) {
        return Err(Untrusted::RedirectUriUnregistered);
    }
    let asked: Option<ResponseMode> = parameters.get("response_mode").and_then(|mode| mode.parse().ok());
    let response_mode = asked.filter(|mode| client.policy.response_modes.contains(mode));
    Ok(Answerable {
        redirect_uri: requested.to_owned(),
        response_mode: response_mode.unwrap_or(ResponseMode::Query),
        state: parameters
            .get("state")
            // one that is refused for its length is not sent on either: receivers bound their addresses
            .filter(|state| !parameters.is_repeated("state") && state.len() <= MOST_ECHO_BYTES)
            .map(str::to_owned),
    })
}

/// Judges everything but who asks and where the answer goes.
///
/// `grantable` are the scopes that this client may have at all. A scope beyond them is left out, as RFC 6749 section 3.3
/// allows; a request whose every scope is beyond them is refused.
pub fn validate(
    parameters: &Parameters,
    client: &Client,
    answerable: Answerable,
    grantable: &Scopes,
) -> Result<AuthorizationRequest, OAuthError> {
    parameters.refuse_repeated()?;
    refuse_unsupported(parameters)?;
    check_response(parameters, client)?;
    check_lengths(parameters)?;
    let code_challenge = pkce::challenge(
        parameters.get("code_challenge"),
        parameters.get("code_challenge_method"),
        client.requires_pkce(),
    )?;
    let scope = scope(parameters, client, grantable)?;
    run_machine(parameters, client, &answerable, &scope)?;
    let prompt = prompt(parameters)?;
    let scope = offline_access(scope, client);
    Ok(AuthorizationRequest {
        client_id: client.client_id.clone(),
        answerable,
        scope,
        nonce: parameters.get("nonce").map(str::to_owned),
        code_challenge,
        prompt,
        max_age: max_age(parameters)?.or(client.metadata.default_max_age.map(u64::from)),
        acr_values: acr_values(parameters, client),
        login_hint: parameters.get("login_hint").map(str::to_owned),
        hinted_subject: None,
        ui_locales: parameters
            .words("ui_locales")
            .into_iter()
            .take(10)
            .map(str::to_owned)
            .collect(),
        claims: parameters
            .get("claims")
            .map(claims_parameter::parse)
            .transpose()?
            .unwrap_or_default(),
        resources: resources(parameters)?,
    })
}

/// What this server does not take is refused by name, never passed over (Core sections 6.1, 6.2, 3.1.2.6).
fn refuse_unsupported(parameters: &Parameters) -> Result<(), OAuthError> {
    let refusals = [
        (
            "request",
            ErrorCode::RequestNotSupported,
            "request objects are not taken",
        ),
        (
            "request_uri",
            ErrorCode::RequestUriNotSupported,
            "request_uri is not taken",
        ),
        (
            "registration",
            ErrorCode::RegistrationNotSupported,
            "the registration parameter is not taken",
        ),
    ];
    for (name, code, description) in refusals {
        if parameters.get(name).is_some() {
            return Err(OAuthError::new(
                code,
                "authorization.unsupported_parameter",
                description,
            ));
        }
    }
    Ok(())
}

fn check_response(parameters: &Parameters, client: &Client) -> Result<(), OAuthError> {
    match parameters.get("response_type") {
        // RFC 6749 section 4.1.2.1: missing is invalid, unknown is unsupported
        None => {
            return Err(invalid(
                "authorization.response_type_missing",
                "response_type is missing",
            ));
        }
        Some("code") => {}
        Some(_) => {
            return Err(OAuthError::new(
                ErrorCode::UnsupportedResponseType,
                "authorization.response_type",
                "response_type has to be code",
            ));
        }
    }
    if !client.may_use(GrantType::AuthorizationCode) {
        return Err(OAuthError::new(
            ErrorCode::UnauthorizedClient,
            "authorization.grant_type",
            "this client may not use the authorization code grant",
        ));
    }
    match parameters.get("response_mode").map(str::parse::<ResponseMode>) {
        None => Ok(()),
        Some(Ok(mode)) if client.policy.response_modes.contains(&mode) => Ok(()),
        Some(_) => Err(invalid(
            "authorization.response_mode",
            "this response_mode is not available to this client",
        )),
    }
}

fn check_lengths(parameters: &Parameters) -> Result<(), OAuthError> {
    for (name, most) in [
        ("state", MOST_ECHO_BYTES),
        ("nonce", MOST_ECHO_BYTES),
        ("login_hint", MOST_HINT_BYTES),
        ("ui_locales", MOST_HINT_BYTES),
        ("claims_locales", MOST_HINT_BYTES),
        ("acr_values", MOST_HINT_BYTES),
        ("prompt", MOST_HINT_BYTES),
    ] {
        if parameters.get(name).is_some_and(|value| value.len() > most) {
            return Err(OAuthError::named(
                ErrorCode::InvalidRequest,
                "authorization.too_long",
                &format!("the parameter {name} is too long"),
            ));
        }
    }
    Ok(())
}

fn scope(parameters: &Parameters, client: &Client, grantable: &Scopes) -> Result<Scopes, OAuthError> {
    let refused = |description| OAuthError::new(ErrorCode::InvalidScope, "authorization.scope", description);
    let Some(asked) = parameters.get("scope") else {
        // RFC 6749 section 3.3: a default, or a refusal; the default is sign-in alone
        let sign_in = Scopes::from_tokens(["openid"]);
        return if sign_in.is_within(grantable) {
            Ok(sign_in)
        } else {
            Err(refused("scope is missing"))
        };
    };
    let asked = Scopes::parse(asked).map_err(|_| refused("scope holds characters that are not allowed"))?;
    let granted = asked.within(grantable);
    if granted.is_empty() || (asked.contains("openid") && !granted.contains("openid")) {
        return Err(OAuthError::named(
            ErrorCode::InvalidScope,
            "authorization.scope",
            &format!("the client {} may have none of these scopes", client.client_id),
        ));
    }
    Ok(granted)
}

/// `offline_access` counts only with a refresh token to give, and only beside `openid` (Core section 11). That it is also
/// asked for with consent is seen to by the decision about prompts.
fn offline_access(scope: Scopes, client: &Client) -> Scopes {
    let possible = client.may_use(GrantType::RefreshToken) && scope.contains("openid");
    scope.filter(|token| token != "offline_access" || possible)
}

fn prompt(parameters: &Parameters) -> Result<Vec<Prompt>, OAuthError> {
    let mut prompts = Vec::new();
    for word in parameters.words("prompt") {
        let prompt: Prompt = word
            .parse()
            .map_err(|_| invalid("authorization.prompt", "prompt holds a word that is not known here"))?;
        prompts.push(prompt);
    }
    // Core section 3.1.2.1: none stands alone
    if prompts.contains(&Prompt::None) && prompts.len() > 1 {
        return Err(invalid(
            "authorization.prompt_none",
            "prompt=none goes with no other prompt",
        ));
    }
    Ok(prompts)
}

fn max_age(parameters: &Parameters) -> Result<Option<u64>, OAuthError> {
    parameters
        .get("max_age")
        .map(|text| {
            text.parse::<u64>()
                .map_err(|_| invalid("authorization.max_age", "max_age is not a number of seconds"))
        })
        .transpose()
}

fn acr_values(parameters: &Parameters, client: &Client) -> Vec<String> {
    let asked = parameters.words("acr_values");
    if asked.is_empty() {
        client.metadata.default_acr_values.clone()
    } else {
        asked.into_iter().take(10).map(str::to_owned).collect()
    }
}

fn resources(parameters: &Parameters) -> Result<Vec<String>, OAuthError> {
    let mut resources: Vec<String> = Vec::new();
    for resource in parameters.resources() {
        let absolute = url::Url::parse(resource).is_ok_and(|url| url.fragment().is_none());
        // RFC 8707 section 2: an absolute URI without a fragment
        if !absolute || resource.len() > 2048 || resources.len() >= 10 {
            return Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "authorization.resource",
                "resource is an absolute URI without a fragment",
            ));
        }
        if !resources.contains(resource) {
            resources.push(resource.clone());
        }
    }
    Ok(resources)
}

/// Walks oxide-auth's machine through bind, extend and negotiate with what was judged above: it keeps the order of RFC
/// 6749 section 4.1.1 and would stop a request that lacks a step.
fn run_machine(
    parameters: &Parameters,
    client: &Client,
    answerable: &Answerable,
    scope: &Scopes,
) -> Result<(), OAuthError> {
    let broken = || {
        OAuthError::new(
            ErrorCode::ServerError,
            "authorization.machine",
            "the request can not be processed",
        )
    };
    let request = MachineRequest {
        parameters,
        scope: scope.to_string(),
    };
    let mut authorization = machine::Authorization::new(&request);
    let mut input = machine::Input::None;
    loop {
        input = match authorization.advance(input) {
            machine::Output::Bind { .. } => {
                let exact = ExactUrl::new(answerable.redirect_uri.clone()).map_err(|_| broken())?;
                machine::Input::Bound {
                    request: &request,
                    bound_client: BoundClient {
                        client_id: Cow::Owned(client.client_id.clone()),
                        redirect_uri: Cow::Owned(RegisteredUrl::Exact(exact)),
                    },
                }
            }
            machine::Output::Extend => machine::Input::Extended(Extensions::new()),
            machine::Output::Negotiate { bound_client, scope } => machine::Input::Negotiated {
                pre_grant: PreGrant {
                    client_id: bound_client.client_id.clone().into_owned(),
                    redirect_uri: bound_client.redirect_uri.clone().into_owned(),
                    scope: scope.ok_or_else(broken)?,
                },
                state: answerable.state.clone(),
            },
            machine::Output::Ok { .. } => return Ok(()),
            machine::Output::Err(_) => return Err(broken()),
        };
    }
}

struct MachineRequest<'a> {
    parameters: &'a Parameters,
    scope: String,
}

impl machine::Request for MachineRequest<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn client_id(&self) -> Option<Cow<'_, str>> {
        self.parameters.get("client_id").map(Cow::Borrowed)
    }
    fn scope(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.scope))
    }
    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        self.parameters.get("redirect_uri").map(Cow::Borrowed)
    }
    fn state(&self) -> Option<Cow<'_, str>> {
        self.parameters.get("state").map(Cow::Borrowed)
    }
    fn response_type(&self) -> Option<Cow<'_, str>> {
        self.parameters.get("response_type").map(Cow::Borrowed)
    }
    fn extension(&self, key: &str) -> Option<Cow<'_, str>> {
        self.parameters.get(key).map(Cow::Borrowed)
    }
}

fn invalid(rule: &'static str, description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, rule, description)
}
