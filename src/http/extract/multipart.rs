//! Forms with a file: `multipart/form-data` (RFC 7578, RFC 2046 section 5.1). The whole body is there already, within the limit of the
//! route; names of files are not read, they are somebody's own words.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;

use crate::http::{Http, Refusal};

/// No form of ours has more parts.
const MOST_PARTS: usize = 8;
/// RFC 2046 section 5.1.1.
const LONGEST_BOUNDARY: usize = 70;

/// The parts of a form, by name.
pub struct Multipart(Vec<(String, Bytes)>);

impl Multipart {
    /// What was sent under a name, the first time.
    pub fn part(&self, name: &str) -> Option<&Bytes> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, content)| content)
    }

    /// The same as text; empty if there is none.
    pub fn text(&self, name: &str) -> String {
        let text = self
            .part(name)
            .map(|content| String::from_utf8_lossy(content).into_owned());
        text.unwrap_or_default()
    }

    fn read(boundary: &str, body: &Bytes) -> Option<Self> {
        let delimiter = format!("--{boundary}");
        let mut parts = Vec::new();
        let mut at = find(body, delimiter.as_bytes(), 0)?.checked_add(delimiter.len())?;
        while !body.get(at..)?.starts_with(b"--") {
            if parts.len() >= MOST_PARTS {
                return None;
            }
            let head_from = at.checked_add(2)?;
            if body.get(at..head_from)? != b"\r\n" {
                return None;
            }
            let head_to = find(body, b"\r\n\r\n", head_from)?;
            let from = head_to.checked_add(4)?;
            let to = find(body, format!("\r\n{delimiter}").as_bytes(), from)?;
            let head = std::str::from_utf8(body.get(head_from..head_to)?).ok()?;
            parts.push((name(head)?, body.slice(from..to)));
            at = to.checked_add(2)?.checked_add(delimiter.len())?;
        }
        Some(Self(parts))
    }
}

/// Where something begins, from a place on.
fn find(body: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let found = body
        .get(from..)?
        .windows(wanted.len())
        .position(|window| window == wanted)?;
    from.checked_add(found)
}

/// RFC 7578 section 4.2: `Content-Disposition: form-data; name="..."`.
fn name(head: &str) -> Option<String> {
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let mut parameters = line.split(';').map(str::trim);
    if !parameters.next()?.eq_ignore_ascii_case("form-data") {
        return None;
    }
    let named = parameters.find_map(|parameter| parameter.strip_prefix("name="))?;
    Some(named.trim_matches('"').to_owned())
}

impl FromRequest<Http> for Multipart {
    type Rejection = Refusal;

    async fn from_request(request: Request, http: &Http) -> Result<Self, Refusal> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = boundary(content_type).ok_or_else(Refusal::media_type)?;
        let bytes = Bytes::from_request(request, http)
            .await
            .map_err(|_| Refusal::too_large())?;
        Self::read(&boundary, &bytes).ok_or_else(|| Refusal::bad_request("the parts of this form can't be read"))
    }
}

fn boundary(content_type: &str) -> Option<String> {
    let mut parts = content_type.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parts.find_map(|part| part.strip_prefix("boundary="))?.trim_matches('"');
    (1..=LONGEST_BOUNDARY)
        .contains(&boundary.len())
        .then(|| boundary.to_owned())
}
