//! Text messages over HTTP: one message to one number, handed to a provider or to whatever the operator describes. What is accepted there
//! counts as sent: whether it reaches the telephone, the provider knows.

mod own;
mod provider;
mod twilio;
mod vonage;

use std::time::Duration;

use url::Url;

use crate::config;
use crate::egress::{Answer, Egress, Limits, Outgoing};
use own::Own;
use provider::Preset;

/// No answer is longer.
const LARGEST_ANSWER: usize = 64 * 1024;
/// A handing-over takes no longer.
const TIME: Duration = Duration::from_secs(10);

/// A text message to one person. Prints without its content, which may be a code that signs somebody in.
#[derive(Clone)]
pub struct Text {
    /// The number, as E.164 writes it: a plus and digits.
    pub to: String,
    /// What it says.
    pub text: String,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Text(***)")
    }
}

/// Why a text message is not on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address to hand messages over at can't be used.
    #[error("the address of the provider is not usable")]
    Url,
    /// This message will never be taken: the number is none, or not one that is sent to. What the provider calls it. Sending it
    /// again is useless.
    #[error("the text message is refused for good (code {code})")]
    Refused {
        /// The provider's word for it, or the status.
        code: u32,
    },
    /// The provider can't be reached, does not let us in, or wants the message later: its own code, or the status. Worth sending
    /// again.
    #[error("the provider does not take the text message now{}", reply(.code))]
    Unavailable {
        /// The provider's word for it, or the status.
        code: Option<u32>,
    },
}

/// The way to whoever takes text messages.
#[derive(Clone)]
pub struct Gateway {
    way: Way,
    egress: Egress,
}

#[derive(Clone)]
enum Way {
    Twilio(Preset),
    Vonage(Preset),
    Own(Own),
}

impl Gateway {
    /// # Errors
    /// [`Error::Url`].
    pub fn new(sms: &config::Sms, egress: Egress) -> Result<Self, Error> {
        let preset = |url: &Option<Url>, usual: &str| {
            let url = match url {
                Some(url) => url.clone(),
                None => Url::parse(usual).map_err(|_| Error::Url)?,
            };
            Ok(Preset {
                url,
                account: sms.account.clone(),
                secret: sms.secret.clone(),
                sender: sms.sender.clone(),
            })
        };
        let way = match &sms.provider {
            config::SmsProvider::Twilio(url) => Way::Twilio(preset(url, twilio::USUAL)?),
            config::SmsProvider::Vonage(url) => Way::Vonage(preset(url, vonage::USUAL)?),
            config::SmsProvider::Outbox => return Err(Error::Url),
            config::SmsProvider::Http { .. } => Way::Own(Own::of(sms).ok_or(Error::Url)?),
        };
        Ok(Self { way, egress })
    }

    /// Whom messages come from, if that is said.
    pub fn sender(&self) -> &str {
        match &self.way {
            Way::Twilio(preset) | Way::Vonage(preset) => &preset.sender,
            Way::Own(own) => own.sender(),
        }
    }

    /// Whether its address may be reached from here, as far as that can be said without asking anybody.
    pub fn is_reachable(&self) -> bool {
        let sample = Text {
            to: "+10000000".to_owned(),
            text: String::new(),
        };
        self.request(&sample).is_ok_and(|(url, _)| self.egress.admits(&url))
    }

    /// Hands a message over.
    ///
    /// After [`Error::Unavailable`] the provider may have taken it all the same (the connection broke at the wrong moment).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn send(&self, text: &Text) -> Result<(), Error> {
        let (url, request) = self.request(text)?;
        let limits = Limits {
            bytes: LARGEST_ANSWER,
            time: TIME,
        };
        let answer = self.egress.exchange(&url, &request, limits).await;
        let answer = answer.map_err(|_| Error::Unavailable { code: None })?;
        match &self.way {
            Way::Twilio(_) => twilio::judge(&answer),
            Way::Vonage(_) => vonage::judge(&answer),
            Way::Own(own) => own.judge(&answer),
        }
    }

    fn request(&self, text: &Text) -> Result<(Url, Outgoing), Error> {
        match &self.way {
            Way::Twilio(preset) => twilio::request(preset, text),
            Way::Vonage(preset) => vonage::request(preset, text),
            Way::Own(own) => own.request(text),
        }
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gateway").finish_non_exhaustive()
    }
}

/// What a status says by itself: whoever does not let us in, or is busy, is asked again; the message alone is at fault for the rest.
fn judge_status(answer: &Answer) -> Result<(), Error> {
    let code = u32::from(answer.status);
    match answer.status {
        200..=299 => Ok(()),
        401 | 402 | 403 | 404 | 405 | 407 | 408 | 425 | 429 | 500.. => Err(Error::Unavailable { code: Some(code) }),
        _ => Err(Error::Refused { code }),
    }
}

fn reply(code: &Option<u32>) -> String {
    code.map(|code| format!(" (code {code})")).unwrap_or_default()
}
