//! What browsers report about pages that broke their own policy (CSP Level 3 section 5): a line in the log, nothing else.

use axum::body::Bytes;
use axum::http::StatusCode;

/// More of a report is not read.
const MOST_BYTES: usize = 8 * 1024;
/// The directives of our policy: a report names one of them, or says nothing we believe.
const DIRECTIVES: [&str; 8] = [
    "default-src",
    "script-src",
    "script-src-elem",
    "style-src",
    "img-src",
    "form-action",
    "frame-ancestors",
    "base-uri",
];

/// POST /csp-report
pub(super) async fn take(body: Bytes) -> StatusCode {
    let report: Option<serde_json::Value> = (body.len() <= MOST_BYTES)
        .then(|| serde_json::from_slice(&body).ok())
        .flatten();
    let named = report
        .as_ref()
        .and_then(|report| report.pointer("/csp-report/effective-directive"))
        .and_then(serde_json::Value::as_str);
    if let Some(directive) = DIRECTIVES.iter().find(|directive| Some(**directive) == named) {
        tracing::warn!(directive, "a browser reports that a page broke its policy");
    }
    StatusCode::NO_CONTENT
}
