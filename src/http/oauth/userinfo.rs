//! The userinfo endpoint: OpenID Connect Core section 5.3, bearer tokens by RFC 6750 sections 2.1 and 2.2.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{cors, parameters};
use crate::flow::token::userinfo::{self, UserInfo};
use crate::flow::token::verify;
use crate::flow::{Call, Error};
use crate::http::answer::oauth::{Presence, bearer_error, json_no_store};
use crate::http::{Http, Refusal};
use crate::model::Secret;
use crate::protocol::{ErrorCode, OAuthError};

/// GET: the token in the header.
pub async fn by_get(
    State(http): State<Http>,
    Extension(call): Extension<Call>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(&http, &call, &headers, query.unwrap_or_default().as_bytes(), None).await
}

/// POST: the token in the header or the form.
pub async fn by_post(
    State(http): State<Http>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Result<Response, Refusal> {
    use axum::extract::FromRequest;
    // a POST with the token in the header may come without a form
    if !headers.contains_key(header::CONTENT_TYPE) {
        let query = request.uri().query().unwrap_or_default().as_bytes().to_vec();
        return Ok(answer(&http, &call, &headers, &query, None).await);
    }
    let raw = parameters::Raw::from_request(request, &http).await?;
    let in_form = match raw.form() {
        Ok(parameters) => parameters.get("access_token").map(Secret::new),
        Err(error) => return Ok(bearer_error(&call, error.into(), Presence::Present)),
    };
    Ok(answer(&http, &call, &headers, &raw.query, in_form).await)
}

async fn answer(http: &Http, call: &Call, headers: &HeaderMap, query: &[u8], in_form: Option<Secret>) -> Response {
    let token = match bearer(headers, query, in_form) {
        Ok(Some(token)) => token,
        Ok(None) => {
            let missing = OAuthError::new(
                ErrorCode::InvalidToken,
                "userinfo.token_missing",
                "an access token is needed",
            );
            return cors::for_client(headers, None, bearer_error(call, missing.into(), Presence::Absent));
        }
        Err(error) => return cors::for_client(headers, None, bearer_error(call, error.into(), Presence::Present)),
    };
    let response = match userinfo::userinfo(&http.provider, call, &token).await {
        Ok(UserInfo::Plain(claims)) => json_no_store(StatusCode::OK, &serde_json::Value::Object(claims)),
        Ok(UserInfo::Signed(jwt)) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static("application/jwt")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            (StatusCode::OK, headers, jwt).into_response()
        }
        Err(error) => bearer_error(call, error, Presence::Present),
    };
    let client = match headers.get(header::ORIGIN) {
        None => None,
        Some(_) => client_of(http, call, &token).await.ok().flatten(),
    };
    cors::for_client(headers, client.as_deref(), response)
}

async fn client_of(
    http: &Http,
    call: &Call,
    token: &Secret,
) -> Result<Option<std::sync::Arc<crate::model::Client>>, Error> {
    Ok(verify::find(&http.provider, call, token)
        .await?
        .map(|verified| verified.client.clone()))
}

/// The one bearer token of a request. In the query it is refused (RFC 9700 section 4.3.2); twice, too (RFC 6750 section 2).
fn bearer(headers: &HeaderMap, query: &[u8], in_form: Option<Secret>) -> Result<Option<Secret>, OAuthError> {
    let refused = |description| OAuthError::new(ErrorCode::InvalidRequest, "userinfo.token_place", description);
    if url::form_urlencoded::parse(query).any(|(name, _)| name == "access_token") {
        return Err(refused("the access token does not belong into the address"));
    }
    let mut in_header = headers.get_all(header::AUTHORIZATION).iter();
    let first = in_header
        .next()
        .and_then(|value| value.to_str().ok())
        .and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim()))
        });
    if in_header.next().is_some() {
        return Err(refused("several Authorization headers"));
    }
    match (first, in_form) {
        (Some(_), Some(_)) => Err(refused("the access token was sent twice")),
        (first, in_form) => Ok(first.or(in_form)),
    }
}
