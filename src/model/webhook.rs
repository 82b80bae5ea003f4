//! Webhooks: where others are told of events.

use super::named::named;
use super::{Event, EventKind, Id, Timestamp};

/// An address that is told of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The row.
    pub id: Id<Webhook>,
    /// What it is called; no two are called the same.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where.
    pub url: String,
    /// Of what.
    pub events: EventPatterns,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Why the server itself has disabled it.
    pub disabled_because: Option<WebhookFault>,
    /// Since when nothing has come through; none while something does.
    pub failing_since: Option<Timestamp>,
    /// How often in a row nobody was reached.
    pub failures: i64,
    /// Until when nobody is asked, after nobody was reached.
    pub paused_until: Option<Timestamp>,
    /// Since when so much waits that nothing more is put beside it.
    pub full_since: Option<Timestamp>,
    /// Counts up with every change by people.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

named! {
    /// Why the server has disabled a webhook.
    WebhookFault {
        /// For days nothing came through.
        Unreached = "unreached",
        /// It says that it is there no more (410).
        Gone = "gone",
    }
}

named! {
    /// What came of telling of an event.
    DeliveryOutcome {
        /// It is on its way, or will be tried again.
        Waiting = "waiting",
        /// It was taken.
        Delivered = "delivered",
        /// It was tried for as long as it is tried.
        GivenUp = "given_up",
    }
}

/// Which kinds of events somebody is told of: names of the catalogue, and beginnings of them (`user.*`). None: whatever
/// administrators do, and what is of their concern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPatterns(Vec<String>);

/// What happens every day and by itself: who wants to be told of it says so.
const EVERYDAY: &[&str] = &[
    "sign_in",
    "sign_in_link.*",
    "sign_out",
    "device.*",
    "factor.*",
    "recovery_code.*",
    "recovery_codes.*",
    "code.*",
    "client.authentication",
    "authorization",
    "consent",
    "token.*",
    "refresh.*",
    "terms.accepted",
    "password.link_mailed",
    "registration.*",
    "email.*",
    "phone.*",
    "wait.*",
    "api.refused",
];

impl EventPatterns {
    /// What none of the catalogue is named by is given back.
    ///
    /// # Errors
    /// The place of the first that names nothing.
    pub fn parse(patterns: &[String]) -> Result<Self, usize> {
        let names_something =
            |pattern: &String| pattern == "*" || EventKind::ALL.iter().any(|kind| is_of(kind.as_str(), pattern));
        match patterns.iter().position(|pattern| !names_something(pattern)) {
            Some(place) => Err(place),
            None => Ok(Self(patterns.to_vec())),
        }
    }

    /// From storage: what an earlier or later program knew is left as it is.
    pub fn stored(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    /// As they were given.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether an event of this kind is meant.
    pub fn include(&self, kind: EventKind) -> bool {
        let kind = kind.as_str();
        if self.0.is_empty() {
            return !EVERYDAY.iter().any(|pattern| is_of(kind, pattern));
        }
        self.0.iter().any(|pattern| pattern == "*" || is_of(kind, pattern))
    }
}

/// Whether a kind is the one that is named, or begins as it says.
fn is_of(kind: &str, pattern: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(beginning) => kind.strip_prefix(beginning).is_some_and(|rest| rest.starts_with('.')),
        None => kind == pattern,
    }
}

impl Webhook {
    /// Whether it is to be told of this event now.
    pub fn takes(&self, event: &Event) -> bool {
        self.enabled && self.full_since.is_none() && self.events.include(event.kind)
    }
}
