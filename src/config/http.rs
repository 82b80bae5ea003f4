//! `[http]`: limits that hold before a route has its say.

use std::time::Duration;

use super::duration;
use super::entries::{Entries, number, text};
use super::problem::Reason;

/// Limits of the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http {
    /// Largest body, in bytes, where a route sets no smaller limit.
    pub max_body_bytes: usize,
    /// Largest request head, in bytes.
    pub max_header_bytes: usize,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How many connections are open at once.
    pub max_connections: usize,
    /// How long a server that was told to end by SIGTERM still serves, saying that it is not ready.
    pub drain_delay: Duration,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            max_body_bytes: 1_048_576,
            max_header_bytes: 32_768,
            request_timeout: Duration::from_secs(30),
            max_connections: 10_000,
            drain_delay: Duration::from_secs(5),
        }
    }
}

impl Http {
    pub(super) fn read(entries: &mut Entries) -> Self {
        let standard = Self::default();
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            max_body_bytes: entries
                .take("http.max_body_bytes", number::<16_384, 1_073_741_824>)
                .map_or(standard.max_body_bytes, size),
            // below 8 KiB hyper refuses to start a connection
            max_header_bytes: entries
                .take("http.max_header_bytes", number::<8_192, 1_048_576>)
                .map_or(standard.max_header_bytes, size),
            request_timeout: entries
                .take("http.request_timeout", timeout)
                .unwrap_or(standard.request_timeout),
            max_connections: entries
                .take("http.max_connections", number::<16, 1_000_000>)
                .map_or(standard.max_connections, size),
            drain_delay: entries.take("http.drain_delay", delay).unwrap_or(standard.drain_delay),
        }
    }
}

fn timeout(value: &toml::Value) -> Result<Duration, Reason> {
    let time = time(value)?;
    if (Duration::from_secs(1)..=Duration::from_secs(600)).contains(&time) {
        Ok(time)
    } else {
        Err(Reason::DurationBounds("1s", "10m"))
    }
}

fn delay(value: &toml::Value) -> Result<Duration, Reason> {
    let time = time(value)?;
    if time <= Duration::from_secs(300) {
        Ok(time)
    } else {
        Err(Reason::DurationBounds("0s", "5m"))
    }
}

fn time(value: &toml::Value) -> Result<Duration, Reason> {
    text(value)
        .map_err(|_| Reason::Duration)
        .and_then(|text| duration::parse(&text))
}
