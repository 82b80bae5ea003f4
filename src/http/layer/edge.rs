//! The one layer around every route. In this order: the request gets its call, is refused if it came to another host or
//! over plain HTTP, runs within its time, and its answer gets the headers of every response and a line in the log.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::{forwarded, headers, host, run};
use crate::flow::Call;
use crate::http::Http;
use crate::http::error::{self, Audience, Reader, Refusal};
use crate::model::{Part, Reason, TraceId};

/// See the module.
pub async fn edge(State(http): State<Http>, mut request: Request, next: Next) -> Response {
    let began = http.provider.clock.micros();
    let _running = http.door.request();
    let origin = forwarded::origin(&http, &request);
    let call = Call::new(&http.provider.clock, origin);
    let audience = Audience::of(request.uri().path(), request.headers());
    let told = Told::of(&http, &request, audience);
    let route = told.route.as_ref().map_or("", MatchedPath::as_str);
    let method = method_word(&told.method);
    let span = match &http.tracing {
        None => tracing::info_span!("request", trace = %call.trace),
        Some(tracing) => tracing.request(&call.trace.text(), method, route, forwarded::parent(&http, &request)),
    };
    request.extensions_mut().insert(call.clone());
    request.extensions_mut().insert(told.reader.chosen);
    request.extensions_mut().insert(told.reader.native.clone());
    let mut response = match refuse(&http, &request) {
        Some(refused) => refused,
        None => run::within(&http, request, next).instrument(span.clone()).await,
    };
    let (reason, is_kept) = match refusal(&mut response) {
        Some(mut refusal) => {
            let _entered = span.enter();
            let (reason, is_kept) = refusal.take_reason();
            error::draw(&http, &call, audience, &told.reader, refusal, &mut response);
            (Some(reason), is_kept)
        }
        None => (response.extensions_mut().remove::<Reason>(), false),
    };
    if let Some(reason) = reason {
        http.provider.counts.refusals.of(reason.rule).count();
        if !is_kept {
            http.provider.keep_refusal(&call, told.part, reason);
        }
    }
    headers::add(&http, &mut response);
    let status = response.status().as_u16();
    answered(&http, || call.trace, method, route, status, began);
    if let Some(tracing) = &http.tracing {
        tracing.answered(&span, status);
    }
    response
}

/// An answer is counted, and gets its line in the log. `began` is when the request came, in microseconds.
fn answered(http: &Http, trace: impl FnOnce() -> TraceId, method: &'static str, route: &str, status: u16, began: i64) {
    let micros = http.provider.clock.micros().saturating_sub(began);
    http.door.answered(route, method, status, micros);
    if tracing::enabled!(target: "ostiary::access", tracing::Level::INFO) {
        tracing::info!(
            target: "ostiary::access",
            trace = %trace(),
            method,
            path = route,
            status,
            micros,
            "request"
        );
    }
}

/// Answers a GET of a route with what is kept ready, if this is a request as the edge would let it pass: nothing of such an
/// answer depends on who asks. Where spans are told of, every request goes the usual way.
pub(in crate::http) fn pass<B>(
    http: &Http,
    request: &Request<B>,
    route: &str,
    ready: impl FnOnce() -> Option<Response>,
) -> Option<Response> {
    let began = http.provider.clock.micros();
    if http.tracing.is_some() || refuse(http, request).is_some() {
        return None;
    }
    let _running = http.door.request();
    let response = ready()?;
    let trace = || Call::system(&http.provider.clock).trace;
    answered(http, trace, "GET", route, response.status().as_u16(), began);
    Some(response)
}

/// What is needed of the request after it is gone.
struct Told {
    method: Method,
    route: Option<MatchedPath>,
    part: Part,
    /// Who would read a page that tells of a refusal.
    reader: Reader,
}

impl Told {
    fn of(http: &Http, request: &Request, audience: Audience) -> Self {
        Self {
            method: request.method().clone(),
            part: part(request.uri().path()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            reader: Reader::of(http, request, audience),
        }
    }
}

/// What a request is about, for the traces.
fn part(path: &str) -> Part {
    match path {
        "/oauth2/authorize" | "/login/account" | "/login/consent" => Part::Authorization,
        "/login" => Part::SignIn,
        "/logout" | "/oauth2/end_session" => Part::SignOut,
        "/oauth2/token" => Part::Token,
        "/oauth2/userinfo" => Part::UserInfo,
        "/oauth2/introspect" => Part::Introspection,
        "/oauth2/revoke" => Part::Revocation,
        _ if path.starts_with("/oauth2/register") => Part::Registration,
        _ if path.starts_with("/api/v1/") => Part::Api,
        _ => Part::Page,
    }
}

/// What no route should see.
fn refuse<B>(http: &Http, request: &Request<B>) -> Option<Response> {
    // the last one tells the doctor what arrives, most of all where it is not what should
    if matches!(request.uri().path(), "/healthz" | "/readyz" | "/doctor/seen") {
        return None;
    }
    host::refuse_foreign(http, request)
        .or_else(|| forwarded::refuse_plain(http, request))
        .or_else(|| refuse_large(http, request))
}

/// A body that says itself that it is too large is not read at all.
fn refuse_large<B>(http: &Http, request: &Request<B>) -> Option<Response> {
    let announced = request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?;
    let fits = announced
        .parse::<usize>()
        .is_ok_and(|bytes| bytes <= http.limits.body_bytes);
    (!fits).then(|| error::refused(Refusal::too_large()))
}

/// The refusal that a response stands for: one of ours, or axum's bare "method not allowed".
fn refusal(response: &mut Response) -> Option<Refusal> {
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        return Some(refusal);
    }
    let bare = !response.headers().contains_key(header::CONTENT_TYPE);
    (response.status() == StatusCode::METHOD_NOT_ALLOWED && bare).then(Refusal::method)
}

/// The method as the log has it: never text of the request's choosing.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
