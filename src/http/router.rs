//! Every route on one page: each room lists its own.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use super::error::Refusal;
use super::{Http, api, health, layer, oauth, page};

/// Forms and protocol messages are small; the administration API sets a limit of its own.
const FORM_BYTES: usize = 64 * 1024;

/// Every route of this server.
pub fn router(http: Http) -> Router {
    router_with(http, Router::new())
}

/// The same and more: what the sandbox adds.
pub fn router_with(http: Http, more: Router<Http>) -> Router {
    Router::new()
        .merge(api::routes())
        .merge(oauth::routes())
        .merge(page::routes())
        .merge(health::routes())
        .merge(more)
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(from_fn_with_state(http.clone(), layer::edge))
        .with_state(http)
}

/// Every route of the listener for operators.
pub fn operators(http: Http) -> Router {
    health::routes().merge(api::metrics::operators()).with_state(http)
}

async fn nothing_here() -> Refusal {
    Refusal::not_found()
}
