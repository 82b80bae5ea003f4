//! `[sms]`: who takes text messages. What is wrong between its keys is told here, so that none is found out by the first message.

use toml::Value;
use url::Url;

use super::address;
use super::entries::{Entries, text};
use super::problem::{Problem, Reason};
use crate::model::Secret;

/// The way to whoever takes text messages.
#[derive(Clone, Debug)]
pub struct Sms {
    /// Who.
    pub provider: SmsProvider,
    /// The account there; empty where there is none.
    pub account: String,
    /// Its secret.
    pub secret: Option<Secret>,
    /// Whom messages come from; empty where that is not said.
    pub sender: String,
}

/// Who takes text messages.
#[derive(Clone, Debug)]
pub enum SmsProvider {
    /// Nobody: they stay in the outbox, and are read there. The sandbox's alone.
    Outbox,
    /// Twilio, at this address if it is not the usual one.
    Twilio(Option<Url>),
    /// Vonage, likewise.
    Vonage(Option<Url>),
    /// A request that the operator describes.
    Http {
        /// Its address, with placeholders. It may hold a secret.
        url: Secret,
        /// `POST`, `PUT` or `GET`.
        method: &'static str,
        /// Names, and values with placeholders.
        headers: Vec<(String, Secret)>,
        /// What the body is.
        format: SmsFormat,
        /// The body, with placeholders.
        body: Option<Secret>,
        /// What a successful answer says besides.
        delivered: Option<String>,
    },
}

/// What a body is, and how what goes in is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsFormat {
    /// JSON: values stand inside its texts.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Plain text: nothing is escaped.
    Text,
}

/// What belongs to a request of the operator's own.
const OWN: [&str; 5] = ["sms.method", "sms.headers", "sms.format", "sms.body", "sms.delivered"];

impl Sms {
    pub(super) fn read(entries: &mut Entries) -> Option<Self> {
        let lonely = lonely(entries);
        entries.note(lonely);
        let provider = entries.take("sms.provider", |value| match text(value)?.as_str() {
            "twilio" => Ok("twilio"),
            "vonage" => Ok("vonage"),
            "http" => Ok("http"),
            _ => Err(Reason::Choice("twilio, vonage and http")),
        });
        let account = entries.take("sms.account", line);
        let secret = entries.take("sms.secret", address::password);
        let sender = entries.take("sms.sender", line);
        let own = Own::read(entries);
        let provider = match provider? {
            "twilio" => SmsProvider::Twilio(entries.take("sms.url", address::origin)),
            "vonage" => SmsProvider::Vonage(entries.take("sms.url", address::origin)),
            _ => SmsProvider::Http {
                url: entries.take("sms.url", template)?,
                method: own.method,
                headers: own.headers,
                format: own.format,
                body: own.body,
                delivered: own.delivered,
            },
        };
        Some(Self {
            provider,
            account: account.unwrap_or_default(),
            secret,
            sender: sender.unwrap_or_default(),
        })
    }
}

/// What is missing beside what is there.
fn lonely(entries: &Entries) -> Vec<Problem> {
    let of_anyone = ["sms.account", "sms.secret", "sms.sender", "sms.url"];
    let all = of_anyone.into_iter().chain(OWN);
    let mut lonely = entries.lonely(&all.map(|key| (key, "sms.provider")).collect::<Vec<_>>());
    let needed: &[(&str, &str)] = match entries.word("sms.provider") {
        Some("twilio" | "vonage") => &[
            ("sms.provider", "sms.account"),
            ("sms.provider", "sms.secret"),
            ("sms.provider", "sms.sender"),
        ],
        Some("http") => &[("sms.provider", "sms.url")],
        _ => &[],
    };
    lonely.extend(entries.lonely(needed));
    lonely
}

/// What belongs to a request of the operator's own.
struct Own {
    method: &'static str,
    headers: Vec<(String, Secret)>,
    format: SmsFormat,
    body: Option<Secret>,
    delivered: Option<String>,
}

impl Own {
    fn read(entries: &mut Entries) -> Self {
        let method = entries.take("sms.method", |value| match text(value)?.as_str() {
            "POST" => Ok("POST"),
            "PUT" => Ok("PUT"),
            "GET" => Ok("GET"),
            _ => Err(Reason::Choice("POST, PUT and GET")),
        });
        let format = entries.take("sms.format", |value| match text(value)?.as_str() {
            "json" => Ok(SmsFormat::Json),
            "form" => Ok(SmsFormat::Form),
            "text" => Ok(SmsFormat::Text),
            _ => Err(Reason::Choice("json, form and text")),
        });
        Self {
            method: method.unwrap_or("POST"),
            headers: entries.take("sms.headers", headers).unwrap_or_default(),
            format: format.unwrap_or(SmsFormat::Json),
            body: entries.take("sms.body", text).map(Secret::new),
            delivered: entries.take("sms.delivered", text),
        }
    }
}

/// Text on one line.
fn line(value: &Value) -> Result<String, Reason> {
    let text = text(value)?;
    if text.chars().any(char::is_control) {
        return Err(Reason::Text);
    }
    Ok(text.trim().to_owned())
}

fn headers(value: &Value) -> Result<Vec<(String, Secret)>, Reason> {
    let lines: Vec<String> = match value {
        Value::Array(items) => items.iter().map(text).collect::<Result<_, _>>()?,
        other => text(other)?.lines().map(str::to_owned).collect(),
    };
    let written = lines.iter().filter(|line| !line.trim().is_empty());
    written
        .map(|line| {
            let (name, value) = line.split_once(':').ok_or(Reason::Headers)?;
            let (name, value) = (name.trim(), value.trim());
            let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let is_plain = !value.is_empty() && value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            if is_token && is_plain {
                Ok((name.to_owned(), Secret::new(value)))
            } else {
                Err(Reason::Headers)
            }
        })
        .collect()
}

/// An address whose host no placeholder can change.
fn template(value: &Value) -> Result<Secret, Reason> {
    let text = text(value)?.trim().to_owned();
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or(Reason::Template)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let parsed = Url::parse(&text).map_err(|_| Reason::Template)?;
    if authority.contains(['{', '}', '@', '\\']) || parsed.host().is_none() || parsed.fragment().is_some() {
        return Err(Reason::Template);
    }
    Ok(Secret::new(text))
}
