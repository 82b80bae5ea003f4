//! The protocol's endpoints.

mod authorization;
mod challenge;
mod check_session;
pub(super) mod cors;
mod end_session;
mod introspection;
mod jwks;
pub(super) mod metadata;
mod parameters;
mod registration;
mod revocation;
mod token;
mod userinfo;

use axum::Router;
use axum::routing::{get, post};

use super::Http;

/// Every route of the protocol.
pub fn routes() -> Router<Http> {
    Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(metadata::document).options(cors::preflight_public),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            get(metadata::document).options(cors::preflight_public),
        )
        .route("/oauth2/jwks", get(jwks::document).options(cors::preflight_public))
        .route(
            "/oauth2/authorize",
            get(authorization::by_get).post(authorization::by_post),
        )
        .route(
            "/oauth2/authorize_challenge",
            post(challenge::challenge).options(cors::preflight),
        )
        .route("/oauth2/token", post(token::token).options(cors::preflight))
        .route(
            "/oauth2/userinfo",
            get(userinfo::by_get).post(userinfo::by_post).options(cors::preflight),
        )
        .route("/oauth2/introspect", post(introspection::introspect))
        .route("/oauth2/revoke", post(revocation::revoke).options(cors::preflight))
        .route(
            "/oauth2/end_session",
            get(end_session::by_get).post(end_session::by_post),
        )
        .route("/oauth2/check_session", get(check_session::show))
        .merge(registration::routes())
}
