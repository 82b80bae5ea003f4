//! Who calls: a bearer token in the header (RFC 6750 section 2.1) that was made for this API. Cookies count for nothing here.

use axum::http::{HeaderMap, header};

use super::Problem;
use crate::flow::people::Rights;
use crate::flow::people::api_keys::{self, ApiKey};
use crate::flow::session::{self, Asker};
use crate::flow::token::verify;
use crate::flow::{Call, Error};
use crate::http::Http;
use crate::model::{Actor, Id, Reason, Secret};

/// Who calls, and what the caller may do.
#[derive(Clone)]
pub(super) struct Caller {
    /// The call, by this caller.
    pub(super) call: Call,
    /// What the token allows: its scopes, and of a person's token only what the person is permitted.
    pub(super) rights: Rights,
    /// A name of the caller that no other has.
    pub(super) name: String,
    /// A person's proof of who they are; none of a client that calls for itself.
    pub(super) proof: Option<Asker>,
    /// The key that it calls with, where it is one.
    pub(super) key: Option<Id<ApiKey>>,
}

impl Caller {
    /// Somebody at a route that is open to all.
    pub(super) fn anyone(call: &Call) -> Self {
        Self {
            call: call.clone(),
            rights: Rights::Held(crate::model::Scopes::default()),
            name: "anyone".to_owned(),
            proof: None,
            key: None,
        }
    }

    /// Whoever the request's token stands for.
    ///
    /// # Errors
    /// 401 without a token that counts here.
    pub(super) async fn of(http: &Http, call: &Call, headers: &HeaderMap) -> Result<Self, Problem> {
        let metadata = http
            .provider
            .issuer
            .path("/.well-known/oauth-protected-resource/api/v1");
        let Some(token) = token(headers)? else {
            let challenge = format!("Bearer resource_metadata=\"{metadata}\"");
            let reason = Reason::new("api.token_missing");
            return Err(Problem::unauthenticated("this needs a bearer token", challenge, reason));
        };
        if api_keys::is_api_key(&token) {
            return Self::with_key(http, call, &token, &metadata).await;
        }
        let audience = http.provider.issuer.api();
        let verified = match verify::access_token(&http.provider, call, &token, &audience).await {
            Ok(verified) => verified,
            Err(Error::OAuth(error)) => {
                let detail = "the token is unknown, expired, revoked or not meant for this API";
                let challenge = format!("Bearer error=\"invalid_token\", resource_metadata=\"{metadata}\"");
                return Err(Problem::unauthenticated(detail, challenge, error.reason()));
            }
            Err(other) => return Err(other.into()),
        };
        let actor = match &verified.person {
            Some(person) => Actor::User(person.user.id),
            None => Actor::Client(verified.client.id),
        };
        let id = actor.id().unwrap_or_default();
        Ok(Self {
            call: call.by(actor),
            rights: Rights::Held(verified.permissions.clone()),
            name: format!("{}:{id}:{}", actor.kind(), verified.client.id),
            proof: verified.grant.as_ref().map(|grant| Asker {
                user: grant.user,
                session: grant.session,
                proved: grant.terms.auth_time,
                is_multiple: session::is_multiple(&grant.terms.amr),
            }),
            key: None,
        })
    }

    /// Whoever the key was made for.
    async fn with_key(http: &Http, call: &Call, token: &Secret, metadata: &str) -> Result<Self, Problem> {
        let Some(key) = api_keys::verify(&http.provider, call, token).await? else {
            let detail = "the key is unknown, expired or revoked, or whoever it was made for may not act any more";
            let challenge = format!("Bearer error=\"invalid_token\", resource_metadata=\"{metadata}\"");
            return Err(Problem::unauthenticated(detail, challenge, Reason::new("api.key")));
        };
        Ok(Self {
            call: Call {
                api_key: Some(key.id.uuid()),
                ..call.by(key.owner.actor())
            },
            rights: Rights::Held(key.permissions),
            name: format!("api_key:{}", key.id),
            proof: None,
            key: Some(key.id),
        })
    }
}

/// The one bearer token of a request.
pub(super) fn token(headers: &HeaderMap) -> Result<Option<Secret>, Problem> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let token = lines.next().and_then(|line| line.to_str().ok()).and_then(|line| {
        let (scheme, token) = line.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
    });
    if lines.next().is_some() {
        return Err(Problem::bad_request(
            "Authorization",
            "expected one Authorization header",
        ));
    }
    Ok(token)
}
