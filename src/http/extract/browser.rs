//! The browser that a request comes from, by its cookies.

use axum::extract::{Extension, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;

use super::cookie::{self, Name};
use super::language::Native;
use crate::flow::Call;
use crate::flow::session::{self, Browser};
use crate::http::{Http, Refusal};
use crate::model::Secret;

impl FromRequestParts<Http> for Browser {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, Refusal> {
        let call = call(parts, http).await?;
        let (tokens, key) = held(parts, http);
        let browser = session::recognize(&http.provider, &call, tokens.as_deref(), key.as_deref()).await?;
        Ok(told(browser, parts, http))
    }
}

/// The browser, where nobody may be at it: nothing is noted of it.
pub(super) async fn glance(parts: &mut Parts, http: &Http) -> Result<Browser, Refusal> {
    let call = call(parts, http).await?;
    let (tokens, key) = held(parts, http);
    let browser = session::glance(&http.provider, &call, tokens.as_deref(), key.as_deref()).await?;
    Ok(told(browser, parts, http))
}

/// The tokens of its sessions, and its key.
fn held(parts: &Parts, http: &Http) -> (Option<String>, Option<String>) {
    let tokens = cookie::read(http, &parts.headers, Name::Session);
    (tokens, cookie::read(http, &parts.headers, Name::Browser))
}

/// With what else it tells.
fn told(mut browser: Browser, parts: &Parts, http: &Http) -> Browser {
    let account = browser.accounts.first();
    if let (Some(native), Some(tag)) = (
        parts.extensions.get::<Native>(),
        account.and_then(|account| account.user.profile.locale.as_deref()),
    ) {
        native.learn(tag);
    }
    browser.state = cookie::read(http, &parts.headers, Name::State);
    browser.device = cookie::read(http, &parts.headers, Name::Device).map(Secret::new);
    browser.languages = parts
        .headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|languages| languages.to_str().ok())
        .map(str::to_owned);
    browser
}

/// The call that the edge has made.
pub(super) async fn call(parts: &mut Parts, http: &Http) -> Result<Call, Refusal> {
    match Extension::<Call>::from_request_parts(parts, http).await {
        Ok(Extension(call)) => Ok(call),
        Err(_) => Err(Refusal::failed()),
    }
}
