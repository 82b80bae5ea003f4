//! A request that the operator describes: its address, headers and body are templates, and what goes into each is escaped for the place
//! that it stands in.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Url, form_urlencoded};

use super::{Error, Text, judge_status};
use crate::config::{Sms, SmsFormat, SmsProvider};
use crate::egress::{Answer, Outgoing};
use crate::model::Secret;

/// What the operator wants.
#[derive(Clone)]
pub(super) struct Own {
    url: Secret,
    method: &'static str,
    headers: Vec<(String, Secret)>,
    format: SmsFormat,
    body: Option<Secret>,
    delivered: Option<String>,
    sender: String,
    account: String,
    secret: Option<Secret>,
}

impl Own {
    /// None of a provider that is known by name.
    pub(super) fn of(sms: &Sms) -> Option<Self> {
        let SmsProvider::Http {
            url,
            method,
            headers,
            format,
            body,
            delivered,
        } = sms.provider.clone()
        else {
            return None;
        };
        Some(Self {
            url,
            method,
            headers,
            format,
            body,
            delivered,
            sender: sms.sender.clone(),
            account: sms.account.clone(),
            secret: sms.secret.clone(),
        })
    }

    pub(super) fn sender(&self) -> &str {
        &self.sender
    }

    pub(super) fn request(&self, text: &Text) -> Result<(Url, Outgoing), Error> {
        let url = self.fill(self.url.expose(), text, |value| {
            utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
        });
        // one line, whatever the message says
        let header = |value: &str| value.replace(char::is_control, " ");
        let mut headers: Vec<(String, Secret)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), Secret::new(self.fill(value.expose(), text, header))))
            .collect();
        let body = self.body.as_ref().map(|body| {
            Secret::new(match self.format {
                SmsFormat::Json => self.fill(body.expose(), text, json),
                SmsFormat::Form => self.fill(body.expose(), text, |value| {
                    form_urlencoded::byte_serialize(value.as_bytes()).collect()
                }),
                SmsFormat::Text => self.fill(body.expose(), text, str::to_owned),
            })
        });
        let says_type = headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if body.is_some() && !says_type {
            let kind = match self.format {
                SmsFormat::Json => "application/json",
                SmsFormat::Form => "application/x-www-form-urlencoded",
                SmsFormat::Text => "text/plain; charset=utf-8",
            };
            headers.push(("Content-Type".to_owned(), Secret::new(kind)));
        }
        let request = Outgoing {
            method: self.method,
            headers,
            body,
        };
        Ok((Url::parse(&url).map_err(|_| Error::Url)?, request))
    }

    pub(super) fn judge(&self, answer: &Answer) -> Result<(), Error> {
        judge_status(answer)?;
        let said = String::from_utf8_lossy(&answer.bytes);
        match &self.delivered {
            Some(wanted) if !said.contains(wanted.as_str()) => Err(Error::Unavailable {
                code: Some(u32::from(answer.status)),
            }),
            _ => Ok(()),
        }
    }

    /// Puts the values in their places, in one pass: what stands in a value is no place. Other braces stay.
    fn fill(&self, template: &str, text: &Text, escape: impl Fn(&str) -> String) -> String {
        let secret = self.secret.as_ref().map_or("", Secret::expose);
        let digits = text.to.strip_prefix('+').unwrap_or(&text.to);
        let values = [
            ("{number}", text.to.as_str()),
            ("{digits}", digits),
            ("{text}", &text.text),
            ("{sender}", &self.sender),
            ("{account}", &self.account),
            ("{secret}", secret),
        ];
        let mut filled = String::with_capacity(template.len() + text.text.len());
        let mut rest = template;
        while let Some((before, _)) = rest.split_once('{') {
            filled.push_str(before);
            let from_brace = rest.get(before.len()..).unwrap_or_default();
            match values.iter().find(|(place, _)| from_brace.starts_with(place)) {
                Some((place, value)) => {
                    filled.push_str(&escape(value));
                    rest = from_brace.get(place.len()..).unwrap_or_default();
                }
                None => {
                    filled.push('{');
                    rest = from_brace.get(1..).unwrap_or_default();
                }
            }
        }
        filled.push_str(rest);
        filled
    }
}

/// What stands between the quotation marks of a JSON text.
fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or_default()
        .to_owned()
}
