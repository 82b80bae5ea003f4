//! The sandbox's two pages: what it would have sent, and its clock.

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::view::OwnPath;

/// Where the sandbox's pages are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DemoPaths {
    /// The messages.
    pub messages: OwnPath,
    /// The clock.
    pub clock: OwnPath,
}

impl DemoPaths {
    /// As the sandbox has them.
    pub fn sample() -> Self {
        Self {
            messages: OwnPath::or_home("/demo/messages"),
            clock: OwnPath::or_home("/demo/clock"),
        }
    }
}

/// Mails and text messages, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DemoMessages {
    /// The way between the pages.
    pub paths: DemoPaths,
    /// What would have been sent.
    pub messages: Vec<DemoMessage>,
}

/// One message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DemoMessage {
    /// By which way.
    pub kind: MessageKind,
    /// An address or a telephone number.
    pub to: String,
    /// Of a mail.
    pub subject: Option<String>,
    /// The plain text; its web addresses are shown, not linked.
    pub text: String,
    /// When it would have left.
    pub sent_at: Timestamp,
}

/// By which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Mail.
    Mail,
    /// Text message.
    Sms,
}

impl DemoMessages {
    /// One of each kind.
    pub fn sample() -> Self {
        Self {
            paths: DemoPaths::sample(),
            messages: vec![
                DemoMessage {
                    kind: MessageKind::Mail,
                    to: "ada@example.com".to_owned(),
                    subject: Some("Your account is ready".to_owned()),
                    text: "Hello Ada,\n\nyour account is ready. Sign in here:\nhttps://id.example/login\n".to_owned(),
                    sent_at: Timestamp::from_seconds(1_790_000_000),
                },
                DemoMessage {
                    kind: MessageKind::Sms,
                    to: "+44 20 7946 0000".to_owned(),
                    subject: None,
                    text: "Your code is 413 207.".to_owned(),
                    sent_at: Timestamp::from_seconds(1_789_990_000),
                },
            ],
        }
    }
}

/// A form that posts `advance` = one of [`DemoClock::STEPS`] and `csrf` to `action`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DemoClock {
    /// The way between the pages.
    pub paths: DemoPaths,
    /// What the server takes for now.
    pub now: Timestamp,
    /// How far that is ahead of the real time, in seconds.
    pub ahead: u64,
    /// Where the form posts to.
    pub action: OwnPath,
}

impl DemoClock {
    /// What the form can post, and how many seconds each is.
    pub const STEPS: [(&'static str, u64); 5] = [
        ("1m", 60),
        ("10m", 600),
        ("1h", 3600),
        ("1d", 86_400),
        ("30d", 2_592_000),
    ];

    /// An hour ahead.
    pub fn sample() -> Self {
        Self {
            paths: DemoPaths::sample(),
            now: Timestamp::from_seconds(1_790_000_000),
            ahead: 3600,
            action: OwnPath::or_home("/demo/clock"),
        }
    }
}
