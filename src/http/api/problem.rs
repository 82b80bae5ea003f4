//! Problems: RFC 9457. The type is a stable URN per code; what is no matter of the API is drawn by the edge.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::flow::{self, Call, FieldError, session};
use crate::http::Refusal;
use crate::model::{Actor, Fact, Reason};

/// Why a request of the API was not served.
#[derive(Debug)]
pub(super) enum Problem {
    /// In the API's own words.
    Told(Box<Told>),
    /// In the edge's.
    Refused(Box<Refusal>),
    /// Others were changing the same things: nothing was changed.
    Contended,
}

/// A problem in the API's own words.
#[derive(Debug)]
pub(super) struct Told {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    /// The `WWW-Authenticate` of a 401 or 403.
    challenge: Option<String>,
    reason: Reason,
}

/// A problem as it is sent (RFC 9457 section 3).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct ProblemBody {
    /// `urn:ostiary:problem:` and a stable word.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// What is wrong, in a sentence.
    detail: String,
    /// The members that can't be taken.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    errors: Vec<ProblemField>,
    /// What to name to an administrator: 32 hex digits.
    trace_id: String,
}

/// A member that can't be taken.
#[derive(Serialize, JsonSchema)]
pub(super) struct ProblemField {
    /// Where: a JSON pointer into the body, or the name of a parameter or header.
    pointer: String,
    /// What: a stable word.
    code: String,
    /// A sentence.
    detail: String,
}

impl Problem {
    fn told(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Told(Box::new(Told {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            challenge: None,
            reason: Reason::new(rule(code)),
        }))
    }

    fn with(self, errors: Vec<FieldError>) -> Self {
        match self {
            Self::Told(told) => Self::Told(Box::new(Told { errors, ..*told })),
            other => other,
        }
    }

    fn challenge(self, challenge: String) -> Self {
        match self {
            Self::Told(told) => Self::Told(Box::new(Told {
                challenge: Some(challenge),
                ..*told
            })),
            other => other,
        }
    }

    /// Why, for the traces.
    fn reason(self, reason: Reason) -> Self {
        match self {
            Self::Told(told) => Self::Told(Box::new(Told { reason, ..*told })),
            Self::Refused(refusal) => Self::Refused(Box::new(refusal.reason(reason))),
            Self::Contended => Self::Contended,
        }
    }

    /// What the caller lacks is this permission.
    pub(super) fn permission(self, permission: &'static str) -> Self {
        self.reason(Reason::new("api.permission").fact("permission", Fact::Word(permission)))
    }

    /// It was refused to this caller.
    pub(super) fn to(mut self, actor: Actor) -> Self {
        let (name, Some(id)) = (actor.kind(), actor.id()) else {
            return self;
        };
        let reason = match &mut self {
            Self::Told(told) => &mut told.reason,
            Self::Refused(refusal) => refusal.reason_mut(),
            Self::Contended => return self,
        };
        reason.facts.push((name, Fact::Id(id)));
        self
    }

    /// RFC 9470 section 3: the person has to prove once more who they are.
    pub(super) fn proof_too_old() -> Self {
        Self::unauthenticated(
            "the person has to prove once more who they are",
            format!(
                "Bearer error=\"insufficient_user_authentication\", max_age=\"{}\"",
                session::PROOF_GOOD_FOR.as_secs()
            ),
            Reason::new("api.proof_too_old"),
        )
    }

    /// A parameter or header that can't be understood.
    pub(super) fn bad_request(place: &str, detail: &'static str) -> Self {
        Self::told(
            StatusCode::BAD_REQUEST,
            "bad_request",
            "the request can't be understood",
        )
        .with(vec![FieldError {
            pointer: place.to_owned(),
            code: "malformed",
            detail: detail.to_owned(),
        }])
    }

    /// A parameter, sort or filter that this list does not have.
    pub(super) fn unsupported(place: &str, detail: String) -> Self {
        Self::told(StatusCode::BAD_REQUEST, "unsupported", "this list can't be asked that").with(vec![FieldError {
            pointer: place.to_owned(),
            code: "unsupported",
            detail,
        }])
    }

    /// Why a list could not be asked: what is wrong stands in its query.
    pub(super) fn of_query(error: flow::Error) -> Self {
        match error {
            flow::Error::Invalid(errors) => {
                let reason = Reason::new("request.malformed");
                Self::told(
                    StatusCode::BAD_REQUEST,
                    "bad_request",
                    "the request can't be understood",
                )
                .with(errors)
                .reason(reason)
            }
            other => other.into(),
        }
    }

    /// A body that is not JSON, or not the one that it seems.
    pub(super) fn malformed_body(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::told(StatusCode::BAD_REQUEST, "malformed_body", detail)
    }

    /// No token, or none that counts (RFC 6750 section 3).
    pub(super) fn unauthenticated(detail: &'static str, challenge: String, reason: Reason) -> Self {
        Self::told(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
            .challenge(challenge)
            .reason(reason)
    }

    /// The token does not allow it (RFC 6750 section 3.1: `insufficient_scope`).
    pub(super) fn forbidden(permission: &str) -> Self {
        Self::told(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("this needs the permission {permission}"),
        )
        .challenge(format!("Bearer error=\"insufficient_scope\", scope=\"{permission}\""))
    }

    /// A defect of ours.
    pub(super) fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        flow::Error::Failed(Box::new(error)).into()
    }

    /// Whether others were changing the same things: nothing was changed.
    pub(super) fn is_contended(&self) -> bool {
        matches!(self, Self::Contended)
    }

    /// Whether nobody knows who calls.
    pub(super) fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Told(told) if told.status == StatusCode::UNAUTHORIZED)
    }

    /// Whether the caller lacked a right.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Told(told) if told.status == StatusCode::FORBIDDEN)
    }

    /// The response.
    pub(super) fn respond(self, call: &Call) -> Response {
        let told = match self {
            Self::Told(told) => *told,
            Self::Refused(refusal) => return refusal.into_response(),
            Self::Contended => return Refusal::from(flow::Error::Contended).into_response(),
        };
        tracing::info!(trace = %call.trace, code = told.code, "refused");
        let body = ProblemBody {
            kind: format!("urn:ostiary:problem:{}", told.code),
            title: told.status.canonical_reason().unwrap_or("Refused").to_owned(),
            status: told.status.as_u16(),
            detail: told.detail.into_owned(),
            errors: told
                .errors
                .into_iter()
                .map(|error| ProblemField {
                    pointer: error.pointer,
                    code: error.code.to_owned(),
                    detail: error.detail,
                })
                .collect(),
            trace_id: call.trace.text(),
        };
        let body = serde_json::to_string(&body).unwrap_or_default();
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response = (told.status, [(header::CONTENT_TYPE, content_type)], body).into_response();
        response.extensions_mut().insert(told.reason);
        if let Some(challenge) = told
            .challenge
            .and_then(|challenge| HeaderValue::try_from(challenge).ok())
        {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<flow::Error> for Problem {
    fn from(error: flow::Error) -> Self {
        let reason = error.reason();
        let problem = match error {
            flow::Error::Invalid(errors) => Self::told(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                "nothing was changed: some members can't be taken",
            )
            .with(errors),
            flow::Error::NotFound => Self::told(StatusCode::NOT_FOUND, "not_found", "there is no such thing"),
            flow::Error::Stale => Self::told(
                StatusCode::PRECONDITION_FAILED,
                "stale",
                "it changed since it was read: read it again",
            ),
            flow::Error::Conflict(what) => Self::told(StatusCode::CONFLICT, "conflict", conflict(what)),
            flow::Error::Forbidden(permission) => Self::forbidden(&permission),
            flow::Error::Contended => Self::Contended,
            other => Self::Refused(Box::new(other.into())),
        };
        problem.reason(reason)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// The rule behind a problem that no flow gave a rule.
fn rule(code: &'static str) -> &'static str {
    match code {
        "unauthenticated" => "api.token_missing",
        "forbidden" => "api.permission",
        "not_found" => "request.nothing_there",
        "stale" => "request.stale",
        "conflict" => "request.conflict",
        "invalid" => "request.invalid",
        _ => "request.malformed",
    }
}

/// Some conflicts have a word, for programs; here is what it means.
fn conflict(what: &'static str) -> &'static str {
    match what {
        "last_administrator" => "nobody would be left to administer this installation",
        "has_signed_in" => "the person has signed in and uses the account: nobody invites them to it",
        "not_to_be_invited" => "the account is locked by its owner, being deleted, or over",
        "too_many_imports" => "as many imports are not at their end as may be: end one of them",
        "too_many_exports" => "as many workbooks are there, or wanted, as may be: delete one of them",
        "not_receiving" => "the import's file has come already",
        "no_file" => "the import has no file yet",
        "part_missing" => "a part of the file is missing: they are counted from 0",
        "not_read" => "the import's file has not been read, or it was made already",
        "rows_refused" => "rows are refused, and all or nothing was wished",
        "not_made" => "the import has not been made, or is visible already",
        "nothing_made" => "nothing of the import was made, or it was taken back",
        "too_late" => "the import came to its end too long ago to be taken back",
        "made_already" => "the import was made: it can be taken back, not cancelled",
        "not_done" => "the workbook is not written yet",
        "too_many_jobs" => "as many jobs wait or run as may: come again when one has come to its end",
        "in_bin" => "the account is in the bin: restore it first",
        "not_in_bin" => "the account is not in the bin",
        "server_account" => "the account is a server's: nobody signs in to it",
        "circle" => "the outer group is the inner one, or stands in it",
        "too_deep" => "groups lie in each other no deeper than eight",
        "too_many_groups" => "a group stands in a hundred others at most, and five hundred stand in it",
        "primary_group" => "it is somebody's primary group: name the next one (primary_group)",
        "default_group" => "it is the group of whoever has none: name another one first (groups.default)",
        "last_group" => "everybody has to be in a group, and this is the last one",
        "still_members" => "a part of the members is out of it: ask again for the rest",
        "too_many_administrators" => "so big a group is deleted once it carries no right of administration",
        "too_many_given" => "the client is given to a thousand groups and people already: give it to a group of theirs",
        "in_use" => "something else refers to it",
        "too_many_owners" => "a group has 200 owners at most, and one person owns 200 groups",
        "unseen_values" => "administrators do not see the values of this property, so it is not told whose would break",
        "too_many_roles" => "there are as many roles as one group or user may have",
        "no_makers" => "listed authenticators alone are taken, and none are listed (passkeys.authenticators)",
        "too_many_factors" => "there are as many second factors as one person may have",
        "factor_known" => "the person has an authenticator with this secret",
        "no_factor" => "there is no second factor that the codes would stand in for",
        "not_given_up" => "the mail was not given up: it was sent, or is tried again anyway",
        "in_progress" => "the same request is being done: ask again in a moment",
        sentence => sentence,
    }
}
