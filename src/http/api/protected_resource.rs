//! What clients must know to call the API: RFC 9728.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::flow::people::permissions;
use crate::http::Http;

/// GET /.well-known/oauth-protected-resource
pub(super) async fn document(State(http): State<Http>) -> Json<Value> {
    let issuer = &http.provider.issuer;
    let scopes = permissions::scopes();
    Json(json!({
        "resource": issuer.api(),
        "authorization_servers": [issuer.as_str()],
        "scopes_supported": scopes.iter().collect::<Vec<_>>(),
        "bearer_methods_supported": ["header"],
        "resource_name": "Ostiary administration API",
        "resource_documentation": issuer.path("/api/docs"),
    }))
}
