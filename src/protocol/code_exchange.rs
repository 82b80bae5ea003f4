//! Redeeming a code (RFC 6749 section 4.1.3): is this the client, the redirect URI and the verifier it was made for?
//!
//! The order of the steps is kept by oxide-auth's access-token machine; we judge each in between.

use std::borrow::Cow;

use oxide_auth::code_grant::accesstoken as machine;
use oxide_auth::primitives::grant::{Extensions, Grant as MachineGrant};
use serde::{Deserialize, Serialize};

use super::oauth_error::{ErrorCode, OAuthError};
use super::parameters::Parameters;
use super::pkce;
use crate::model::{Client, GrantTerms, Id, Session, Timestamp, User};

/// What stands for the redirect URI of a code that was not sent to one, but given to a first-party application itself.
pub const FIRST_PARTY: &str = "urn:ostiary:first-party";

/// What waits for a code to be redeemed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CodePayload {
    /// Whom it was made for.
    pub client: Id<Client>,
    /// Who agreed.
    pub user: Id<User>,
    /// In which session.
    pub session: Id<Session>,
    /// Where it was sent.
    pub redirect_uri: String,
    /// The S256 challenge.
    pub code_challenge: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The epoch of the store that it was made in: in another one it may have been redeemed and forgotten.
    #[serde(default)]
    pub epoch: i64,
    /// What was agreed.
    pub terms: GrantTerms,
}

/// Judges a redemption. The client is authenticated already.
pub fn judge(
    parameters: &Parameters,
    code: &str,
    payload: &CodePayload,
    client: &Client,
    now: Timestamp,
) -> Result<(), OAuthError> {
    if payload.client != client.id {
        return Err(refused("code.client", "the code was made for another client"));
    }
    if payload.expires_at <= now {
        return Err(refused("code.expired", "the code has expired"));
    }
    // RFC 6749 section 4.1.3: identical to the one of the authorization request
    match parameters.get("redirect_uri") {
        // there was none in the request
        None if payload.redirect_uri == FIRST_PARTY => {}
        Some(presented) if presented == payload.redirect_uri && presented != FIRST_PARTY => {}
        Some(_) => {
            return Err(refused(
                "code.redirect_uri",
                "redirect_uri is not the one the code was sent to",
            ));
        }
        None => {
            return Err(OAuthError::new(
                ErrorCode::InvalidRequest,
                "code.redirect_uri_missing",
                "redirect_uri is missing",
            ));
        }
    }
    let mut exchange = machine::AccessToken::new(&MachineRequest { code, payload, client });
    let mut step = Step::Start;
    loop {
        let input = match step {
            Step::Start => machine::Input::None,
            Step::Authenticated => machine::Input::Authenticated,
            Step::Recovered => machine::Input::Recovered(Some(Box::new(machine_grant(payload, client)?))),
            Step::Extended => {
                pkce::verify(payload.code_challenge.as_deref(), parameters.get("code_verifier"))?;
                machine::Input::Extended {
                    access_extensions: Extensions::new(),
                }
            }
        };
        step = match exchange.advance(input) {
            machine::Output::Authenticate { .. } => Step::Authenticated,
            machine::Output::Recover { .. } => Step::Recovered,
            machine::Output::Extend { .. } => Step::Extended,
            machine::Output::Issue { .. } => return Ok(()),
            machine::Output::Ok(_) | machine::Output::Err(_) => {
                return Err(refused("code.machine", "the code can not be redeemed"));
            }
        };
    }
}

enum Step {
    Start,
    Authenticated,
    Recovered,
    Extended,
}

/// The grant as the machine wants it. Its own expiry is out of reach: we have judged it against the call's clock.
fn machine_grant(payload: &CodePayload, client: &Client) -> Result<MachineGrant, OAuthError> {
    let broken = || refused("code.machine", "the code can not be redeemed");
    Ok(MachineGrant {
        owner_id: payload.user.to_string(),
        client_id: client.client_id.clone(),
        scope: payload.terms.scope.to_string().parse().map_err(|_| broken())?,
        redirect_uri: payload.redirect_uri.parse().map_err(|_| broken())?,
        until: chrono::DateTime::<chrono::Utc>::MAX_UTC,
        extensions: Extensions::new(),
    })
}

struct MachineRequest<'a> {
    code: &'a str,
    payload: &'a CodePayload,
    client: &'a Client,
}

impl machine::Request for MachineRequest<'_> {
    fn valid(&self) -> bool {
        true
    }
    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.code))
    }
    fn authorization(&self) -> machine::Authorization<'_> {
        // authenticated before, by whatever method the client registered
        machine::Authorization::Username(Cow::Borrowed(&self.client.client_id))
    }
    fn client_id(&self) -> Option<Cow<'_, str>> {
        None
    }
    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.payload.redirect_uri))
    }
    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("authorization_code"))
    }
    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

fn refused(rule: &'static str, description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidGrant, rule, description)
}
