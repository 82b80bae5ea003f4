//! Pages for people: signing in, choosing an account, consenting, signing out, the first administrator, home. And what a
//! browser loads beside them.

mod asset;
mod health;
mod home;
mod report;

use axum::Router;
use axum::routing::{get, post};

use super::Http;

/// The routes of this room.
pub fn routes() -> Router<Http> {
    Router::new()
        .route("/", get(home::show))
        .route("/assets/{*name}", get(asset::file))
        .route("/favicon.ico", get(asset::favicon))
        .route("/csp-report", post(report::take))
        .route("/healthz", get(health::process))
        .route("/readyz", get(health::dependencies))
}
