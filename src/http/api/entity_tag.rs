//! Entity tags: a thing's version in quotes (RFC 9110 section 8.8.3).

use axum::http::{HeaderMap, HeaderValue, header};

use super::Problem;
use crate::flow::Error;

/// The `ETag` of a version.
pub(super) fn write(version: i64) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{version}\"")).ok()
}

/// The version that `If-Match` demands, if it demands one (RFC 9110 section 13.1.1).
///
/// # Errors
/// 412 for a tag that no version has, weak ones among them; 400 for a list, which no caller of this API needs.
pub(super) fn expected(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let mut lines = headers.get_all(header::IF_MATCH).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    let line = line.to_str().unwrap_or_default().trim();
    if lines.next().is_some() || line.contains(',') {
        return Err(Problem::bad_request("If-Match", "expected one entity tag"));
    }
    if line == "*" {
        return Ok(None);
    }
    line.strip_prefix('"')
        .and_then(|tag| tag.strip_suffix('"'))
        .and_then(|version| version.parse().ok())
        .map(Some)
        .ok_or_else(|| Error::Stale.into())
}

/// Whether `If-None-Match` names this tag; the weak comparison (RFC 9110 section 13.1.2).
pub(super) fn matches(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (known, tag) = (known.to_str().unwrap_or_default(), tag.to_str().unwrap_or_default());
    known
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}
