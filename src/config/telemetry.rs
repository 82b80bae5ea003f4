//! `[telemetry]`: where spans of requests go.

use url::Url;

use super::address;
use super::entries::{Entries, number};

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
        let lonely = entries.lonely(&[("telemetry.sample_percent", "telemetry.otlp_endpoint")]);
        entries.note(lonely);
        let share = entries.take("telemetry.sample_percent", number::<1, 100>);
        Some(Self {
            otlp_endpoint: entries.take("telemetry.otlp_endpoint", address::origin)?,
            sample_percent: share.and_then(|share| u8::try_from(share).ok()).unwrap_or(100),
        })
    }
}
