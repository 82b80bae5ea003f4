//! What a handler answers.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Problem, entity_tag};
use crate::flow::Error;

/// An answer of success. Kept for requests that are sent again.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    status: u16,
    body: Option<Value>,
    version: Option<i64>,
    location: Option<String>,
    /// A file, piece by piece; never kept.
    #[serde(skip)]
    file: Option<File>,
}

/// A file on its way.
struct File {
    media_type: &'static str,
    name: String,
    content: Body,
}

impl Answer {
    /// 204: done, and nothing to say.
    pub(super) const fn done() -> Self {
        Self {
            status: 204,
            body: None,
            version: None,
            location: None,
            file: None,
        }
    }

    /// 200 with a file, whose pieces are made as they are taken. One that fails ends the connection: half a file is not taken for a whole.
    pub(super) fn file<S>(media_type: &'static str, name: String, pieces: S) -> Self
    where
        S: Stream<Item = Result<Bytes, Error>> + Send + 'static,
    {
        Self {
            status: 200,
            file: Some(File {
                media_type,
                name,
                content: Body::from_stream(pieces),
            }),
            ..Self::done()
        }
    }

    /// 200 with this.
    pub(super) fn of(body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_value(body).map_err(Problem::failed)?;
        Ok(Self {
            status: 200,
            body: Some(body),
            ..Self::done()
        })
    }

    /// 201 with this, which is now there.
    pub(super) fn created(location: String, body: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self {
            status: 201,
            location: Some(location),
            ..Self::of(body)?
        })
    }

    /// 202 with this, which tells of what goes on.
    pub(super) fn accepted(location: String, body: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self {
            status: 202,
            location: Some(location),
            ..Self::of(body)?
        })
    }

    /// With the version of the one thing it tells of.
    pub(super) fn version(self, version: i64) -> Self {
        Self {
            version: Some(version),
            ..self
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = match (self.file, self.body) {
            (Some(file), _) => file.into_response(),
            (None, Some(body)) => {
                let json = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, json)], body.to_string()).into_response()
            }
            (None, None) => Response::default(),
        };
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        if let Some(tag) = self.version.and_then(entity_tag::write) {
            headers.insert(header::ETAG, tag);
        }
        if let Some(location) = self.location.and_then(|location| HeaderValue::try_from(location).ok()) {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

impl File {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.content);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        let disposition = format!("attachment; filename=\"{}\"", self.name);
        if let Ok(disposition) = HeaderValue::try_from(disposition) {
            headers.insert(header::CONTENT_DISPOSITION, disposition);
        }
        response
    }
}
