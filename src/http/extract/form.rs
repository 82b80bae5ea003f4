//! Forms and queries as typed values. What does not fit is refused in the audience's form.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;

use crate::http::{Http, Refusal};

/// A body in `application/x-www-form-urlencoded`.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Http> for Form<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, http: &Http) -> Result<Self, Refusal> {
        match axum::extract::Form::<T>::from_request(request, http).await {
            Ok(axum::extract::Form(form)) => Ok(Self(form)),
            Err(rejection) => Err(match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE => Refusal::media_type(),
                _ => Refusal::bad_request("the form's fields are not those of this page"),
            }),
        }
    }
}

/// The query of the request's target.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Http> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, Refusal> {
        match axum::extract::Query::<T>::from_request_parts(parts, http).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(_) => Err(Refusal::bad_request("the parameters of this address can't be read")),
        }
    }
}
