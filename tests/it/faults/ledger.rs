//! What clients were told, and whether it was allowed.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::OnceLock;
use std::time::Duration;

use crate::support::http::plain_http;
use ostiary::clock;

/// Nothing takes so long. What does, hangs.
const HANGS: Duration = Duration::from_secs(20);

/// What somebody was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// None: the connection ended without an answer.
    pub status: Option<u16>,
    pub retry_after: Option<u64>,
    pub content_type: String,
    pub body: String,
    pub took: Duration,
}

impl Told {
    /// Whether it says that something is away for now.
    pub fn is_outage(&self) -> bool {
        self.status.is_none() || self.status == Some(503)
    }

    /// A member of a JSON answer; empty if it is not there.
    pub fn get(&self, name: &str) -> String {
        let value: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        value[name].as_str().unwrap_or_default().to_owned()
    }

    /// I6: a refusal for now says when to come again, in the words of whoever asked; nothing is a failure of ours.
    pub fn judge(&self, what: impl Debug) {
        let status = self.status.unwrap_or(0);
        assert_ne!(status, 500, "{what:?}: {self:?}");
        if status == 503 || status == 429 {
            assert!(
                self.retry_after.is_some_and(|seconds| seconds >= 1),
                "{what:?}: {self:?}"
            );
            let well_said = match self.content_type.as_str() {
                "application/json" => self.get("error") == "temporarily_unavailable",
                "application/problem+json" => self.body.contains("urn:ostiary:problem:"),
                page => page.starts_with("text/html") && (status != 503 || says_so(&self.body)),
            };
            assert!(well_said, "{what:?}: {self:?}");
        }
    }
}

/// An error page, or the form again.
fn says_so(page: &str) -> bool {
    page.contains("Not available right now")
        || page.contains("The server is busy.")
        || page.contains("Too many people are signing in")
}

/// One HTTP client for everything: its connections are kept.
pub fn http() -> &'static reqwest::Client {
    static HTTP: OnceLock<reqwest::Client> = OnceLock::new();
    HTTP.get_or_init(|| {
        plain_http()
            .redirect(reqwest::redirect::Policy::none())
            // a runtime of a test ends with it, and its connections do
            .pool_max_idle_per_host(0)
            .build()
            .unwrap()
    })
}

/// Asks, and writes down what was told.
pub async fn ask(request: reqwest::RequestBuilder) -> Told {
    let begun = clock::monotonic();
    let answer = tokio::time::timeout(HANGS, async {
        let response = request.send().await.ok()?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        Some(Told {
            status: Some(response.status().as_u16()),
            retry_after: header("retry-after").and_then(|seconds| seconds.parse().ok()),
            content_type: header("content-type").unwrap_or_default().to_owned(),
            body: response.text().await.ok()?,
            took: begun.elapsed(),
        })
    });
    let answer = answer.await.expect("a request hangs");
    answer.unwrap_or_else(|| Told {
        status: None,
        retry_after: None,
        content_type: String::new(),
        body: String::new(),
        took: begun.elapsed(),
    })
}

/// How long so many of a hundred took at most.
pub fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    match times.len() {
        0 => Duration::ZERO,
        many => times[((many - 1) * percent).div_ceil(100)],
    }
}

/// A line with what was measured, for docs/reliability.md.
pub fn report(row: &str, what: impl std::fmt::Display) {
    eprintln!("{row}: {what}");
}

/// How often each status was told.
pub fn statuses<'a>(told: impl IntoIterator<Item = &'a Told>) -> BTreeMap<u16, usize> {
    let mut counted = BTreeMap::new();
    for told in told {
        *counted.entry(told.status.unwrap_or(0)).or_default() += 1;
    }
    counted
}
