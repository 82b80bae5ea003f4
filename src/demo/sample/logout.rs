//! The server tells that somebody's session there has ended: OpenID Connect Back-Channel Logout 1.0.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::application::State as Application;
use super::relying_party::{RelyingParty, Trouble};
use super::session::EndedAtProvider;
use crate::clock::Clock;
use crate::jose::{AssertionKeys, verify_assertion};
use crate::model::{ClientSigningAlgorithm, Timestamp};

const TYP: &str = "logout+jwt";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

#[derive(Deserialize)]
pub(super) struct Told {
    logout_token: String,
}

/// POST /backchannel-logout (section 2.5). 200: it is done, or there was nothing to do (section 2.8).
pub(super) async fn told(State(application): State<Arc<Application>>, Form(told): Form<Told>) -> Response {
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    match verify(&application.relying_party, &told.logout_token).await {
        Ok(ended) => {
            application.sessions.sign_out(&ended);
            (StatusCode::OK, no_store).into_response()
        }
        Err(trouble) => {
            let body = json!({ "error": "invalid_request", "error_description": trouble.to_string() });
            (StatusCode::BAD_REQUEST, no_store, axum::Json(body)).into_response()
        }
    }
}

/// Judges a logout token (section 2.6).
async fn verify(relying_party: &RelyingParty, token: &str) -> Result<EndedAtProvider, Trouble> {
    let keys = relying_party.keys().await?;
    let verified = verify_assertion(token, AssertionKeys::Keys(&keys), ClientSigningAlgorithm::ASYMMETRIC)
        .map_err(|error| Trouble::new("the logout token is not believed", &error))?;
    let claims = &verified.claims;
    let refused = |why| Err(Trouble::because(why));
    if !verified.is_typ(TYP) {
        return refused("this is no logout token");
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let registration = &relying_party.registration;
    if text("iss").as_ref() != Some(&registration.issuer) || !is_for(claims, &registration.client_id) {
        return refused("it is from another issuer, or for another client");
    }
    let is_event = claims
        .get("events")
        .and_then(|events| events.get(EVENT))
        .is_some_and(Value::is_object);
    if !is_event || claims.contains_key("nonce") {
        return refused("it does not say that somebody signed out");
    }
    // the sandbox's clock may stand ahead of this application's, so its end counts and its beginning is for people
    let now = Timestamp::from_micros(Clock::default().micros()).seconds();
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    let (Some(issued), true) = (number("iat"), number("exp").is_some_and(|end| now < end)) else {
        return refused("it has ended, or does not say when it was made");
    };
    let (session, subject) = (text("sid"), text("sub"));
    if session.is_none() && subject.is_none() {
        return refused("it names nobody");
    }
    let told_at = Timestamp::from_seconds(issued)
        .rfc3339()
        .replace('T', " ")
        .replace('Z', " UTC");
    Ok(EndedAtProvider {
        session,
        subject,
        told_at,
    })
}

fn is_for(claims: &Map<String, Value>, client_id: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(audience)) => audience == client_id,
        Some(Value::Array(audience)) => audience.iter().any(|one| one.as_str() == Some(client_id)),
        _ => false,
    }
}
