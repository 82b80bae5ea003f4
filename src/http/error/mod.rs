//! Refusals on their way out. A handler returns a [`Refusal`]; the edge knows who reads it and draws it as a page for a
//! person, as OAuth's JSON for an application, as a problem (RFC 9457) for a program that administers.
//!
//! Whatever happened inside, nobody outside learns more than a sentence of ours and the trace id (SEC-617).

mod audience;
mod draw;
mod reader;
mod refusal;

pub use audience::Audience;
pub use refusal::Refusal;

pub(super) use draw::draw;
pub(super) use reader::Reader;

use axum::response::{IntoResponse, Response};

/// The response that stands for a refusal until the edge draws it.
pub(super) fn refused(refusal: Refusal) -> Response {
    refusal.into_response()
}
