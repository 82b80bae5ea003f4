//! `[telemetry]`: where spans of requests go.

use url::Url;

use super::entries::{Entries, number, text};
use super::problem::{Problem, Reason};

/// A collector of OpenTelemetry, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// Scheme, host and port of the collector's OTLP/HTTP receiver.
    pub otlp_endpoint: Url,
    /// Of how many requests in a hundred spans are sent, where whoever asks has not decided.
    pub sample_percent: u8,
}

impl Telemetry {
    pub(super) fn read(entries: &mut Entries) -> Option<Self> {
        let (endpoint_there, share_there) = (
            entries.has("telemetry.otlp_endpoint"),
            entries.has("telemetry.sample_percent"),
        );
        if share_there && !endpoint_there {
            entries.note(Problem::Lonely {
                present: "telemetry.sample_percent",
                missing: "telemetry.otlp_endpoint",
            });
        }
        let share = entries.take("telemetry.sample_percent", number::<1, 100>);
        Some(Self {
            otlp_endpoint: entries.take("telemetry.otlp_endpoint", endpoint)?,
            sample_percent: share.and_then(|share| u8::try_from(share).ok()).unwrap_or(100),
        })
    }
}

fn endpoint(value: &toml::Value) -> Result<Url, Reason> {
    let url = Url::parse(&text(value)?).map_err(|_| Reason::Url)?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(Reason::Url);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Reason::UrlUser);
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(Reason::UrlPath);
    }
    Ok(url)
}
