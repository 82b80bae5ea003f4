//! What comes next in an authorization: a page of ours, or back to the client.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::flow::Call;
use crate::flow::authorization::Next;
use crate::http::{Http, Refusal, Sheet};
use crate::model::ResponseMode;
use crate::protocol::authorization_response::AuthorizationResponse;
use crate::view::{FormPost, Hidden, Link, Locale, Page};

/// The response that leads there.
pub fn next(http: &Http, call: &Call, locale: Locale, next: Next) -> Response {
    match next {
        Next::Login(id) => see_other(&format!("/login?flow={id}")),
        // the known account's name stands there, and can't be typed over by accident
        Next::Reauthenticate(id) => see_other(&format!("/login?flow={id}&again=1")),
        Next::StepUp(proof) => see_other(&format!("/login/factor?proof={proof}")),
        Next::SelectAccount(id) => see_other(&format!("/login/account?flow={id}")),
        Next::Consent(id) => see_other(&format!("/login/consent?flow={id}")),
        Next::MakeRoom(id) => see_other(&format!("/login/devices?flow={id}")),
        Next::ConfirmError(id) => see_other(&format!("/login/leave?flow={id}")),
        Next::Respond(response) => respond(http, call, locale, &response),
    }
}

/// Sends a browser on with GET, whatever it came with (RFC 9700 section 4.12: never 307).
pub fn see_other(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => {
            let headers = [
                (header::LOCATION, location),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => Refusal::failed().into_response(),
    }
}

fn respond(http: &Http, call: &Call, locale: Locale, response: &AuthorizationResponse) -> Response {
    let redirect_uri = &response.answerable.redirect_uri;
    // a form can't be posted to a private-use scheme: those get the query
    match (response.mode(), Link::parse(redirect_uri)) {
        (ResponseMode::FormPost, Some(action)) => {
            let parameters = response
                .parameters
                .iter()
                .map(|(name, value)| Hidden::new(*name, value))
                .collect();
            let page = Page::FormPost(FormPost {
                client: response.client.clone(),
                action,
                parameters,
            });
            Sheet::new(page, locale).leads_to(redirect_uri).show(http, call)
        }
        _ => see_other(&response.location()),
    }
}
