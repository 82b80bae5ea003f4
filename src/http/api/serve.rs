//! The questions that every request of the API is asked, in this order: who are you, may you, what do you bring, was this done
//! before. Only then its handler is called.

use axum::Extension;
use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use serde_json::Map;
use url::form_urlencoded;

use super::bearer::Caller;
use super::route::{Method, Permission, Route};
use super::{Answer, Asked, Problem, body, entity_tag, within};
use crate::flow::operations::idempotency::{self, Claim};
use crate::flow::{Call, again};
use crate::http::layer::Place;
use crate::http::{Http, Refusal};
use crate::model::Secret;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;

/// A row of the table as axum wants it.
pub(super) fn method_router(route: Route) -> MethodRouter<Http> {
    let filter = match route.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    };
    on(
        filter,
        move |State(http): State<Http>, Extension(call): Extension<Call>, request: Request| async move {
            let entity = request.headers().get(header::IF_NONE_MATCH).cloned();
            match serve(route, http, &call, request).await {
                Ok(answer) => unless_known(route, entity.as_ref(), answer.into_response()),
                Err(problem) => problem.respond(&call),
            }
        },
    )
}

async fn serve(route: Route, http: Http, call: &Call, request: Request) -> Result<Answer, Problem> {
    let (caller, place) = match route.permission {
        Permission::Open => (Caller::anyone(call), None),
        Permission::Held(_) => {
            let place = http.administration.take().await?;
            let caller = match Caller::of(&http, call, request.headers()).await {
                Err(problem) if problem.is_unauthenticated() => {
                    http.provider.note_refused_access(call, "api.token").await;
                    return Err(problem);
                }
                caller => caller?,
            };
            if let Err(problem) = within::must_hold(route, &caller) {
                note_refusal(&http, &caller).await;
                return Err(problem);
            }
            (caller, Some(place))
        }
    };
    let actor = caller.call.actor;
    answer(route, http, caller, place, request)
        .await
        .map_err(|problem| problem.to(actor))
}

/// What a request brings, and its answer. It gives its place back while its body comes: whoever sends one slowly, or never,
/// keeps nobody else waiting.
async fn answer(
    route: Route,
    http: Http,
    caller: Caller,
    place: Option<Place>,
    request: Request,
) -> Result<Answer, Problem> {
    let target = request.uri().to_string();
    let (mut parts, body) = request.into_parts();
    let path = RawPathParams::from_request_parts(&mut parts, &http)
        .await
        .map_err(|_| Refusal::not_found())?;
    let path: Vec<(String, String)> = path
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    within::must_reach(&http.provider, route, &caller, &path).await?;
    let query = parameters(route, parts.uri.query().unwrap_or_default())?;
    let headers = parts.headers.clone();
    let place = place.filter(|_| body.is_end_stream());
    let bytes = Bytes::from_request(Request::from_parts(parts, body), &http)
        .await
        .map_err(|rejection| match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(),
            _ => Refusal::bad_request("the body can't be read"),
        })?;
    let body = match route.takes {
        // a body all of whose members have defaults may be left out
        Some(_) if bytes.is_empty() && !headers.contains_key(header::CONTENT_TYPE) => Map::new(),
        Some(_) => body::members(route.method, &headers, &bytes)?,
        None if route.raw => Map::new(),
        None if bytes.is_empty() || *bytes == *b"{}" => Map::new(),
        None => return Err(Problem::malformed_body("this request has no body")),
    };
    let key = idempotency_key(route, &headers)?;
    let _place = match (route.permission, place) {
        (Permission::Open, _) => None,
        (Permission::Held(_), Some(place)) => Some(place),
        (Permission::Held(_), None) => Some(http.administration.take().await?),
    };
    let asked = Asked {
        http: http.clone(),
        caller,
        path,
        query,
        headers,
        body,
        bytes: if route.raw { bytes.clone() } else { Bytes::new() },
        template: route.path,
        rule: route.list,
    };
    let call = asked.call().clone();
    let caller = Caller {
        call: call.clone(),
        rights: asked.rights().clone(),
        name: asked.caller.name.clone(),
        proof: asked.caller.proof,
        key: asked.caller.key,
    };
    let answer = match key {
        None => handle(route, asked).await,
        Some(key) => {
            let mut request = [route.method.as_str().as_bytes(), target.as_bytes(), &bytes].join(&b'\n');
            // what was answered while the caller reached further is not told again
            request.extend(caller.rights.limits().into_bytes());
            once(route, &http, asked, &key, &request).await
        }
    };
    if answer.as_ref().is_err_and(Problem::is_forbidden) {
        note_refusal(&http, &caller).await;
    }
    answer
}

/// Calls the handler; once more where others were changing the same rows, since then nothing of it has happened.
async fn handle(route: Route, asked: Asked) -> Result<Answer, Problem> {
    if route.method == Method::Get {
        return (route.handler)(asked).await;
    }
    for longest in again::PAUSES {
        match (route.handler)(asked.clone()).await {
            Err(problem) if problem.is_contended() => again::pause(longest).await,
            answer => return answer,
        }
    }
    (route.handler)(asked).await
}

/// Does a request under its key, unless it was done before.
async fn once(route: Route, http: &Http, asked: Asked, key: &str, request: &[u8]) -> Result<Answer, Problem> {
    let call = asked.call().clone();
    let claim = idempotency::claim(&http.provider, &call, &asked.caller.name, key, request).await?;
    let claimed = match claim {
        Claim::Answered(kept) => return serde_json::from_slice(&kept).map_err(Problem::failed),
        Claim::New(claimed) => claimed,
    };
    match handle(route, asked).await {
        Ok(answer) => {
            let kept = serde_json::to_string(&answer).map_err(Problem::failed)?;
            idempotency::answer(&http.provider, &claimed, &Secret::new(kept)).await?;
            Ok(answer)
        }
        Err(problem) => {
            idempotency::release(&http.provider, &claimed).await?;
            Err(problem)
        }
    }
}

/// The parameters of the query, each once. What a list may be asked is looked at there.
fn parameters(route: Route, query: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if route.list.is_none() && !route.asks.iter().any(|(known, _)| *known == name) {
            return Err(Problem::unsupported(
                &name,
                format!("this address has no parameter {name}"),
            ));
        }
        if parameters.iter().any(|(known, _)| *known == name) {
            return Err(Problem::bad_request(&name, "this parameter was given twice"));
        }
        parameters.push((name.into_owned(), value.into_owned()));
    }
    Ok(parameters)
}

fn idempotency_key(route: Route, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut lines = headers.get_all(IDEMPOTENCY_KEY).iter();
    // whoever is nobody in particular has no answers kept
    let is_kept = route.method == Method::Post && route.permission != Permission::Open;
    let Some(line) = lines.next().filter(|_| is_kept) else {
        return Ok(None);
    };
    let key = line.to_str().unwrap_or_default().trim();
    if lines.next().is_some() || key.is_empty() || key.len() > LONGEST_KEY {
        return Err(Problem::bad_request(
            "Idempotency-Key",
            "expected one key of 1 to 255 characters",
        ));
    }
    Ok(Some(key.to_owned()))
}

/// RFC 9110 section 13.1.2: who has it already is told so.
fn unless_known(route: Route, known: Option<&header::HeaderValue>, response: Response) -> Response {
    let tag = response.headers().get(header::ETAG);
    let is_known = route.method == Method::Get
        && tag.is_some()
        && known
            .zip(tag)
            .is_some_and(|(known, tag)| entity_tag::matches(known, tag));
    if !is_known {
        return response;
    }
    let tag = tag.cloned();
    let mut unchanged = StatusCode::NOT_MODIFIED.into_response();
    if let Some(tag) = tag {
        unchanged.headers_mut().insert(header::ETAG, tag);
    }
    unchanged
}

async fn note_refusal(http: &Http, caller: &Caller) {
    http.provider.note_refused_access(&caller.call, "api.permission").await;
}
