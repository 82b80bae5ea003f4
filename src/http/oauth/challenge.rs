//! The authorization challenge endpoint (OAuth 2.0 for First-Party Applications section 5): an application that is as much ours as the
//! pages are asks people itself, step by step.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::{cors, parameters};
use crate::flow::Call;
use crate::flow::first_party::{self, Asked, Challenged};
use crate::http::answer::oauth::{client_error, json_no_store};
use crate::http::{Http, Refusal};
use crate::model::Reason;
use crate::protocol::ErrorCode;

const HERE: &str = "/oauth2/authorize_challenge";

/// POST.
pub async fn challenge(
    State(http): State<Http>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    raw: Result<parameters::Raw, Refusal>,
) -> Response {
    let raw = match raw {
        Ok(raw) => raw,
        Err(refusal) => return refusal.into_response(),
    };
    let parameters = match raw.form() {
        Ok(parameters) => parameters,
        Err(error) => return client_error(&call, error.into(), &headers),
    };
    let client = match parameters::authenticate(&http.provider, &call, &headers, &parameters, HERE).await {
        Ok(client) => client,
        Err(error) => return client_error(&call, error, &headers),
    };
    let challenged = first_party::challenge(&http.provider, &call, Arc::clone(&client), &parameters).await;
    let response = match challenged {
        Ok(challenged) => answer(&call, challenged),
        Err(error) => client_error(&call, error, &headers),
    };
    cors::for_client(&headers, Some(&client), response)
}

fn answer(call: &Call, challenged: Challenged) -> Response {
    let refused = |code: ErrorCode, status, more: Map<String, Value>| {
        let mut body = more;
        body.insert("error".to_owned(), code.as_str().into());
        body.insert("trace_id".to_owned(), call.trace.to_string().into());
        json_no_store(status, &Value::Object(body))
    };
    match challenged {
        Challenged::Code { code, auth_session } => json_no_store(
            StatusCode::OK,
            &json!({"authorization_code": code.expose(), "auth_session": auth_session.expose()}),
        ),
        Challenged::More {
            asked,
            problem,
            auth_session,
        } => {
            let mut body = told(asked);
            body.insert("auth_session".to_owned(), auth_session.expose().into());
            if let Some(problem) = problem {
                body.insert("problem".to_owned(), problem.into());
            }
            refused(ErrorCode::InsufficientAuthorization, StatusCode::FORBIDDEN, body)
        }
        Challenged::Web(reason) => {
            let body = Map::from_iter([("reason".to_owned(), reason.into())]);
            let mut response = refused(ErrorCode::RedirectToWeb, StatusCode::BAD_REQUEST, body);
            response.extensions_mut().insert(Reason::new("first_party.web"));
            response
        }
        Challenged::Denied(reason) => {
            let body = Map::from_iter([("reason".to_owned(), reason.into())]);
            let mut response = refused(ErrorCode::AccessDenied, StatusCode::FORBIDDEN, body);
            response.extensions_mut().insert(Reason::new("first_party.denied"));
            response
        }
    }
}

/// What is asked for, in members beside `next`.
fn told(asked: Asked) -> Map<String, Value> {
    let mut body = Map::from_iter([("next".to_owned(), Value::from(asked.word()))]);
    let mut put = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
    match asked {
        Asked::Nothing => {}
        Asked::Password(methods) => put("methods", json!(methods)),
        Asked::SentCode(method) => put("methods", json!([method])),
        Asked::SecondFactor { methods, sent } => {
            put("methods", json!(methods));
            if !sent.is_empty() {
                let sent = sent.into_iter().map(|(word, to)| (word.to_owned(), Value::from(to)));
                put("sent", Value::Object(sent.collect()));
            }
        }
        Asked::Passkey(question) | Asked::NewPasskey(question) => {
            put("passkey_question", question.id.into());
            put("public_key", question.options);
        }
        Asked::ConfirmPhone(sent_to) => put("sent_to", sent_to.into()),
        Asked::ChangePassword(least) => put("minimum_length", least.into()),
        Asked::EnrolFactor {
            methods,
            secret,
            address,
        } => {
            put("methods", json!(methods));
            put("secret", secret.expose().into());
            put("otpauth_uri", address.expose().into());
        }
        Asked::KeepCodes(codes) => put("recovery_codes", json!(codes)),
        Asked::AcceptTerms(terms) => {
            let terms = terms.into_iter().map(|terms| {
                json!({
                    "id": terms.id,
                    "name": terms.name,
                    "version": terms.version,
                    "title": terms.title,
                    "address": terms.address,
                })
            });
            put("terms", terms.collect());
        }
    }
    body
}
