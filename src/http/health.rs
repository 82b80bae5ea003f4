//! Whether the process runs, and whether it wants requests. For load balancers: nothing about the inside is told (SEC-569).

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use super::Http;
use crate::flow::operations::readiness;

/// The routes of this file, on both listeners.
pub(super) fn routes() -> Router<Http> {
    Router::new()
        .route("/healthz", get(process))
        .route("/readyz", get(dependencies))
}

/// GET /healthz
async fn process() -> &'static str {
    "ok\n"
}

/// GET /readyz. A server that is about to stop says no before it closes its door.
async fn dependencies(State(http): State<Http>) -> (StatusCode, &'static str) {
    if !http.door.is_leaving() && readiness::check(&http.provider).await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}
