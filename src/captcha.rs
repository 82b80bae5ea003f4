//! A service that tells people from programs: its widget stands in one form of ours, and what the widget brought is shown to the service
//! once. hCaptcha, reCAPTCHA and Turnstile keep the same contract (`siteverify`): a form with `secret`, `response` and `remoteip`
//! is posted, and JSON with `success` comes back, with `error-codes` where something is wrong.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::config::{self, CaptchaAddress, CaptchaSources};
use crate::egress::{Egress, Limits};
use crate::model::Secret;

/// Nobody waits longer for the service.
const LIMITS: Limits = Limits {
    bytes: 64 * 1024,
    time: Duration::from_secs(5),
};
/// So many are asked at once: strangers leave others their requests to elsewhere.
const AT_ONCE: usize = 8;
/// No widget brings more.
const LONGEST_RESPONSE: usize = 10_000;
/// What is wrong with what we say, not with what the widget brought.
const OURS: [&str; 4] = [
    "missing-input-secret",
    "invalid-input-secret",
    "bad-request",
    "internal-error",
];

/// What a page needs to show the widget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widget {
    /// What the service calls this site.
    pub site_key: String,
    /// Its script.
    pub script: String,
    /// The class of the element that it draws in.
    pub class: String,
    /// The field that it fills.
    pub field: String,
    /// What else it loads.
    pub sources: CaptchaSources,
}

/// What the service says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was a person, once.
    Person,
    /// It was not, or too late, or before.
    Refused,
}

/// Why nothing is known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service does not answer, or not as agreed.
    #[error("the service does not answer")]
    Away,
    /// It does not take what this server says of itself.
    #[error("the service does not take the secret")]
    Unknown,
    /// It is asked as often at once as it may be.
    #[error("the service is asked by others")]
    Crowded,
}

#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default, rename = "error-codes")]
    codes: Vec<String>,
}

/// The service. Clones share it.
#[derive(Clone)]
pub struct Captcha {
    service: config::Captcha,
    egress: Egress,
    places: Arc<Semaphore>,
}

impl Captcha {
    /// The service of the configuration.
    pub fn new(service: config::Captcha, egress: Egress) -> Self {
        Self {
            service,
            egress,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// What a page needs.
    pub fn widget(&self) -> Widget {
        let service = &self.service;
        Widget {
            site_key: service.site_key.clone(),
            script: service.script.to_string(),
            class: service.class.clone(),
            field: service.field.clone(),
            sources: service.sources.clone(),
        }
    }

    /// Whether a widget may have brought this: nobody is asked about anything else.
    pub fn is_response(response: &Secret) -> bool {
        let text = response.expose();
        (1..=LONGEST_RESPONSE).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// Asks the service about what a widget brought.
    ///
    /// # Errors
    /// [`Error`]: nothing is known, and it is worth trying again.
    pub async fn verify(&self, response: &Secret, address: Option<IpAddr>) -> Result<Verdict, Error> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(Error::Crowded);
        };
        let address = match self.service.address {
            CaptchaAddress::Told => address.map(|address| address.to_string()),
            CaptchaAddress::Kept => None,
        };
        let mut form = vec![
            ("secret", self.service.secret.expose()),
            ("response", response.expose()),
        ];
        form.extend(address.as_deref().map(|address| ("remoteip", address)));
        let answered = self.egress.post_form(&self.service.verify, &form, LIMITS).await;
        let document = answered.map_err(|_| Error::Away)?;
        let answer: Answer = serde_json::from_slice(&document.bytes).map_err(|_| Error::Away)?;
        match answer.success {
            true => Ok(Verdict::Person),
            false if answer.codes.iter().any(|code| OURS.contains(&code.as_str())) => Err(Error::Unknown),
            false => Ok(Verdict::Refused),
        }
    }
}
