//! What the pages' script is answered that asks what a passkey has to sign.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::flow::Error;
use crate::flow::factor::{self, Question, Signature};
use crate::http::Refusal;
use crate::http::extract::Visit;
use crate::model::Secret;

/// What the script sends to be asked.
#[derive(Deserialize)]
pub(super) struct Asking {
    #[serde(default)]
    pub(super) csrf: String,
}

/// What it sends with a page's form, once the authenticator has answered.
#[derive(Deserialize)]
pub(super) struct Answer {
    /// What was asked.
    question: Option<String>,
    /// The answer, as JSON.
    passkey: Option<Secret>,
}

impl Answer {
    /// The signature, if there is one: the same form is sent without.
    pub(super) fn signature(self) -> Option<Signature> {
        let answer = self.passkey.filter(|answer| !answer.expose().is_empty())?;
        Some(Signature {
            question: self.question.unwrap_or_default(),
            answer,
        })
    }
}

/// The question for the authenticator.
pub(super) fn asked(visit: &Visit, question: Result<Question, Error>) -> Result<Response, Refusal> {
    let question = question?;
    let body = json!({ "question": question.id, "options": question.options });
    Ok(visit.keep(Json(body).into_response()))
}

/// Whether passkeys are offered: browsers have them for installations with a domain alone.
pub(super) fn are_offered(visit: &Visit) -> bool {
    factor::relying_party(visit.provider()).is_some()
}
