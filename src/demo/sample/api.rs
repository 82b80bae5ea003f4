//! The application's API: a resource server that asks the server about every token it is shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::relying_party::RelyingParty;
use crate::demo::MESSAGES;

use super::application::State as Application;

/// GET /api/messages
pub(super) async fn messages(State(application): State<Arc<Application>>, headers: HeaderMap) -> Response {
    let Some(token) = bearer(&headers) else {
        return refused(StatusCode::UNAUTHORIZED, "Bearer");
    };
    let Ok(about) = application.relying_party.introspect(token).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    if about.get("active") != Some(&Value::Bool(true)) || !is_for(&about, &application.relying_party) {
        return refused(StatusCode::UNAUTHORIZED, r#"Bearer error="invalid_token""#);
    }
    let scopes = about.get("scope").and_then(Value::as_str).unwrap_or_default();
    if !scopes.split(' ').any(|scope| scope == MESSAGES) {
        return refused(StatusCode::FORBIDDEN, r#"Bearer error="insufficient_scope""#);
    }
    let name = about.get("username").or_else(|| about.get("sub")).cloned();
    Json(json!({ "to": name, "messages": ["The kettle is on.", "Somebody asked for you at the gate."] }))
        .into_response()
}

/// A token for another audience is none for this API, whatever it allows there.
fn is_for(about: &Value, relying_party: &RelyingParty) -> bool {
    let api = &relying_party.registration.api;
    match about.get("aud") {
        Some(Value::String(audience)) => audience == api,
        Some(Value::Array(audience)) => audience.iter().any(|one| one.as_str() == Some(api)),
        _ => false,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

fn refused(status: StatusCode, challenge: &'static str) -> Response {
    (status, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
}
