//! `/api/v1/me/phone`: a person's own telephone number, for the person: as [`super::me`] knows who asks.

use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use axum::routing::post;
use schemars::JsonSchema;
use serde::Deserialize;

use super::me::{Asking, Wish, preflight, proof_too_old};
use super::route::Method;
use super::{Answer, BASE, Problem, body};
use crate::flow::Error;
use crate::flow::people::{self, NotAsked, NotConfirmed};
use crate::http::Http;
use crate::model::Secret;

/// The routes of a person's own telephone number.
pub(super) fn routes() -> Router<Http> {
    Router::new()
        .route(&format!("{BASE}/me/phone"), post(ask).delete(remove).options(preflight))
        .route(&format!("{BASE}/me/phone/confirm"), post(confirm).options(preflight))
}

/// What is asked for.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PhoneBody {
    /// The number, with the code of its country: `+33612345678`.
    #[schemars(required)]
    phone_number: String,
}

/// What confirms it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CodeBody {
    /// The code that was sent there.
    #[schemars(required, with = "String")]
    code: Option<Secret>,
}

/// POST /api/v1/me/phone
async fn ask(asking: Asking, bytes: Bytes) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let body: PhoneBody = body::read(&body::members(Method::Post, &own.headers, &bytes)?)?;
            people::ask_for_phone(&own.http.provider, &own.call, own.asker, &body.phone_number)
                .await
                .map_err(not_asked)?;
            Ok(Answer::done())
        })
        .await
}

/// POST /api/v1/me/phone/confirm
async fn confirm(asking: Asking, bytes: Bytes) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let body: CodeBody = body::read(&body::members(Method::Post, &own.headers, &bytes)?)?;
            let code = body.code.unwrap_or_else(|| Secret::new(""));
            match people::confirm_phone(&own.http.provider, &own.call, own.asker, &code).await {
                Ok(()) => Ok(Answer::done()),
                Err(NotConfirmed::Wrong) => {
                    let detail = "this is not the code that was sent, or it does not count any more";
                    Err(Error::field("/code", "wrong", detail).into())
                }
                Err(NotConfirmed::Failed(error)) => Err(error.into()),
            }
        })
        .await
}

/// DELETE /api/v1/me/phone
async fn remove(asking: Asking) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            people::remove_phone(&own.http.provider, &own.call, own.asker)
                .await
                .map_err(not_asked)?;
            Ok(Answer::done())
        })
        .await
}

fn not_asked(not_asked: NotAsked) -> Problem {
    match not_asked {
        NotAsked::ProofTooOld => proof_too_old(),
        NotAsked::Same => Error::field("/phone_number", "unchanged", "the number is the person's already").into(),
        NotAsked::Failed(error) => error.into(),
    }
}
