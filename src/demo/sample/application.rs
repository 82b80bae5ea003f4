//! The application's server: a home page, the way to sign in and back, and a few buttons.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State as Given};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::relying_party::RelyingParty;
use super::session::{self, Notice, Session, Sessions};
use super::{Registration, api, logout, page};
use crate::demo::Error;
use crate::model::Secret;
use crate::view::Views;

const STYLE: &str = include_str!("sample.css");

/// What every handler of the application works with.
pub(super) struct State {
    pub(super) relying_party: RelyingParty,
    pub(super) sessions: Sessions,
}

/// The running application.
pub(in crate::demo) struct SampleApplication {
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl SampleApplication {
    /// Serves on this socket.
    pub(in crate::demo) fn start(socket: TcpListener, registration: Registration) -> Result<Self, Error> {
        let state = Arc::new(State {
            relying_party: RelyingParty::new(registration)?,
            sessions: Sessions::default(),
        });
        let router = Router::new()
            .route("/", get(home))
            .route("/sign-in", get(sign_in))
            .route("/callback", get(callback))
            .route("/refresh", post(refresh))
            .route("/call-api", post(call_api))
            .route("/sign-out", post(sign_out))
            .route("/backchannel-logout", post(logout::told))
            .route("/api/messages", get(api::messages))
            .route("/style/{name}", get(style))
            .with_state(state);
        let (stop, mut stopped) = watch::channel(false);
        let ended = async move { drop(stopped.wait_for(|stop| *stop).await) };
        let serving = tokio::spawn(async move {
            let served = axum::serve(socket, router).with_graceful_shutdown(ended).await;
            if let Err(error) = served {
                tracing::warn!(%error, "the sample application ended early");
            }
        });
        Ok(Self { stop, serving })
    }

    /// Stops it. Connections that a browser keeps open are not waited for.
    pub(in crate::demo) async fn stop(self) {
        self.stop.send_replace(true);
        self.serving.abort();
        drop(self.serving.await);
    }
}

async fn home(Given(state): Given<Arc<State>>, headers: HeaderMap) -> Response {
    let name = session::name(&headers).unwrap_or_default();
    let session = state.sessions.get(&name);
    if session.notice.is_some() {
        let seen = Session {
            notice: None,
            ..session.clone()
        };
        state.sessions.put(&name, seen);
    }
    page::show(&page::home(&state.relying_party.registration, &session))
}

async fn sign_in(Given(state): Given<Arc<State>>, headers: HeaderMap) -> Response {
    let (name, cookie) = match session::name(&headers) {
        Some(name) => (name, None),
        None => session::new_name(),
    };
    let mut session = state.sessions.get(&name);
    let to = match state.relying_party.begin().await {
        Ok((url, attempt)) => {
            session.attempt = Some(attempt);
            url.to_string()
        }
        Err(trouble) => {
            session.notice = Some(Notice::bad("Signing in did not begin", trouble.to_string()));
            "/".to_owned()
        }
    };
    state.sessions.put(&name, session);
    with_cookie(Redirect::to(&to).into_response(), cookie)
}

#[derive(Deserialize)]
struct Answer {
    state: Option<Secret>,
    code: Option<Secret>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

async fn callback(Given(state): Given<Arc<State>>, headers: HeaderMap, Query(answer): Query<Answer>) -> Response {
    let old = session::name(&headers).unwrap_or_default();
    let mut session = state.sessions.get(&old);
    let attempt = session.attempt.take();
    // whoever signs in gets a new name: one that was planted before is worth nothing (session fixation)
    state.sessions.end(&old);
    let (name, cookie) = session::new_name();
    let ours = attempt
        .as_ref()
        .zip(answer.state.as_ref())
        .is_some_and(|(attempt, state)| attempt.state.matches(state));
    // RFC 9207 section 2.4: the answer comes from the issuer that was asked
    let issued = answer.iss.as_deref() == Some(state.relying_party.registration.issuer.as_str());
    session.notice = match (attempt, answer.code) {
        (Some(_), _) if !ours => Some(Notice::bad(
            "That answer was not for this browser",
            "The state is another one.",
        )),
        (Some(_), _) if !issued => Some(Notice::bad("That answer was not believed", "It names another issuer.")),
        (Some(attempt), Some(code)) => match state.relying_party.finish(&attempt, code.expose()).await {
            Ok(signed_in) => {
                session.signed_in = Some(signed_in);
                None
            }
            Err(trouble) => Some(Notice::bad("Signing in did not succeed", trouble.to_string())),
        },
        (Some(_), None) => {
            let why = [answer.error, answer.error_description]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>();
            Some(Notice::bad("You were not signed in", why.join(": ")))
        }
        (None, _) => Some(Notice::bad("There was no sign-in under way", "Begin it here.")),
    };
    state.sessions.put(&name, session);
    with_cookie(Redirect::to("/").into_response(), cookie)
}

async fn refresh(Given(state): Given<Arc<State>>, headers: HeaderMap) -> Response {
    let name = session::name(&headers).unwrap_or_default();
    let mut session = state.sessions.get(&name);
    let Some(signed_in) = &session.signed_in else {
        return Redirect::to("/").into_response();
    };
    match state.relying_party.refresh(signed_in).await {
        Ok(renewed) => {
            session.signed_in = Some(renewed);
            session.notice = Some(Notice::good(
                "New tokens came",
                "The refresh token that was used is spent; its successor is kept here.",
            ));
        }
        Err(trouble) => session.notice = Some(Notice::bad("The tokens were not refreshed", trouble.to_string())),
    }
    state.sessions.put(&name, session);
    Redirect::to("/").into_response()
}

async fn call_api(Given(state): Given<Arc<State>>, headers: HeaderMap) -> Response {
    let name = session::name(&headers).unwrap_or_default();
    let mut session = state.sessions.get(&name);
    let Some(signed_in) = &session.signed_in else {
        return Redirect::to("/").into_response();
    };
    session.notice = Some(match state.relying_party.call_api(&signed_in.access_token).await {
        Ok((200, answer)) => Notice::good("The API answered", answer),
        Ok((status, _)) => Notice::bad(
            "The API refused the access token",
            format!("Status {status}. Has it expired? Refresh, and call again."),
        ),
        Err(trouble) => Notice::bad("The API did not answer", trouble.to_string()),
    });
    state.sessions.put(&name, session);
    Redirect::to("/").into_response()
}

async fn sign_out(Given(state): Given<Arc<State>>, headers: HeaderMap) -> Response {
    let name = session::name(&headers).unwrap_or_default();
    let session = state.sessions.get(&name);
    state.sessions.end(&name);
    match &session.signed_in {
        Some(signed_in) => Redirect::to(&state.relying_party.sign_out(signed_in)).into_response(),
        None => Redirect::to("/").into_response(),
    }
}

async fn style(axum::extract::Path(name): axum::extract::Path<String>) -> Response {
    let text = match name.as_str() {
        "tokens.css" => Views::asset("tokens.css").map(|asset| asset.bytes),
        "sample.css" => Some(STYLE.as_bytes()),
        _ => None,
    };
    match text {
        Some(text) => ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
