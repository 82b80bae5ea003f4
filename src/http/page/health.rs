//! Whether the process runs, and whether what it depends on answers. For load balancers: nothing about the inside is told.

use axum::extract::State;
use axum::http::StatusCode;

use crate::flow::operations::readiness;
use crate::http::Http;

/// GET /healthz
pub(super) async fn process() -> &'static str {
    "ok\n"
}

/// GET /readyz
pub(super) async fn dependencies(State(http): State<Http>) -> (StatusCode, &'static str) {
    if readiness::check(&http.provider).await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}
