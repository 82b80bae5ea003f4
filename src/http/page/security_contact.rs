//! Where weaknesses of this installation are reported: RFC 9116.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::flow::{Call, Provider};
use crate::http::{Http, Refusal};
use crate::model::setting::SECURITY_CONTACT;

/// What was read this long ago may be stale: section 2.5.5 wants less than a year.
const GOOD_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// GET /.well-known/security.txt
pub(super) async fn show(State(http): State<Http>) -> Result<Response, Refusal> {
    let text = text(&http.provider).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

async fn text(provider: &Provider) -> Result<String, Refusal> {
    let settings = provider.settings().await?;
    let contact = settings.contact(SECURITY_CONTACT).ok_or_else(Refusal::not_found)?;
    let expires = Call::system(&provider.clock).now.after(GOOD_FOR).rfc3339();
    let canonical = provider.issuer.path("/.well-known/security.txt");
    Ok(format!(
        "Contact: {contact}\nExpires: {expires}\nCanonical: {canonical}\n"
    ))
}
