//! `/metrics`: numbers about the process in Prometheus' text format.
//!
//! On a listener of its own if one is set, and then only there; else on the public one, for whoever shows a credential
//! (SEC-569): the token of the configuration, or a bearer token of the API with the permission `admin:metrics.read`.

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Problem;
use super::bearer::{self, Caller};
use crate::flow::Call;
use crate::flow::operations::measures;
use crate::http::Http;
use crate::metrics::{CONTENT_TYPE, Text};

/// What the administration API asks for.
const PERMISSION: &str = "admin:metrics.read";

/// The route on the public listener.
pub(super) fn public() -> Router<Http> {
    Router::new().route("/metrics", get(by_credential))
}

/// The route on the listener for operators.
pub(in crate::http) fn operators() -> Router<Http> {
    Router::new().route("/metrics", get(by_token))
}

async fn by_credential(State(http): State<Http>, Extension(call): Extension<Call>, headers: HeaderMap) -> Response {
    match admit(&http, &call, &headers).await {
        Ok(()) => shown(&http).await,
        Err(problem) => problem.respond(&call),
    }
}

async fn admit(http: &Http, call: &Call, headers: &HeaderMap) -> Result<(), Problem> {
    if http.metrics.separate {
        return Err(crate::http::Refusal::not_found().into());
    }
    let token = bearer::token(headers)?;
    if let (Some(known), Some(token)) = (&http.metrics.token, &token)
        && known.matches(token)
    {
        return Ok(());
    }
    let caller = Caller::of(http, call, headers).await?;
    if caller.rights.allow(PERMISSION) {
        Ok(())
    } else {
        Err(Problem::forbidden(PERMISSION))
    }
}

async fn by_token(State(http): State<Http>, headers: HeaderMap) -> Response {
    let admitted = match &http.metrics.token {
        None => true,
        Some(known) => matches!(bearer::token(&headers), Ok(Some(token)) if known.matches(&token)),
    };
    if admitted {
        shown(&http).await
    } else {
        let challenge = (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        (StatusCode::UNAUTHORIZED, [challenge]).into_response()
    }
}

async fn shown(http: &Http) -> Response {
    let mut text = Text::default();
    http.door.write(&mut text);
    measures::write(&http.provider, &mut text).await;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, text.finish()).into_response()
}
