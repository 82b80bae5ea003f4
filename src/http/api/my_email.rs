//! `/api/v1/me/email`: a person's own mail address, for the person: as [`super::me`] knows who asks.

use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use axum::routing::post;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::me::{Asking, Wish, preflight, proof_too_old};
use super::route::Method;
use super::{Answer, BASE, Problem, body};
use crate::flow::Error;
use crate::flow::people::{self, ConfirmedAddress, NotAsked};
use crate::http::Http;
use crate::model::Secret;

/// The routes of a person's own mail address.
pub(super) fn routes() -> Router<Http> {
    Router::new()
        .route(&format!("{BASE}/me/email"), post(ask).options(preflight))
        .route(&format!("{BASE}/me/email/confirm"), post(confirm).options(preflight))
}

/// What is asked for.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct EmailBody {
    /// The address: another one, or the person's own that is not confirmed yet.
    #[schemars(required)]
    email: String,
}

/// What confirms it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TokenBody {
    /// The secret of a mailed link.
    #[schemars(required, with = "String")]
    token: Option<Secret>,
}

/// POST /api/v1/me/email
async fn ask(asking: Asking, bytes: Bytes) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let body: EmailBody = body::read(&body::members(Method::Post, &own.headers, &bytes)?)?;
            people::ask_for_email(&own.http.provider, &own.call, own.asker, body.email.trim())
                .await
                .map_err(not_asked)?;
            Ok(Answer::done())
        })
        .await
}

/// POST /api/v1/me/email/confirm
async fn confirm(asking: Asking, bytes: Bytes) -> Response {
    asking
        .with(Wish::Change, |own| async move {
            let body: TokenBody = body::read(&body::members(Method::Post, &own.headers, &bytes)?)?;
            let token = body.token.unwrap_or_else(|| Secret::new(""));
            let confirmed = people::confirm_own_address(&own.http.provider, &own.call, own.asker.user, &token).await?;
            Answer::of(&json!({ "confirmed": confirmed == ConfirmedAddress::Done }))
        })
        .await
}

fn not_asked(not_asked: NotAsked) -> Problem {
    match not_asked {
        NotAsked::ProofTooOld => proof_too_old(),
        NotAsked::Same => Error::field(
            "/email",
            "unchanged",
            "the address is the person's and confirmed already",
        )
        .into(),
        NotAsked::Failed(error) => error.into(),
    }
}
