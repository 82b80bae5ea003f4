//! Somebody who is signed in, and how they proved who they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SessionToken;
use super::state::BrowserMark;
use crate::model::{Channel, Factor, Id, Session, Timestamp, User};
use crate::protocol::acr;

/// The word for several factors among the methods (RFC 8176 section 2).
const MFA: &str = "mfa";

/// Somebody who is signed in in a browser.
#[derive(Clone, Debug)]
pub struct Account {
    /// What the browser holds.
    pub token: SessionToken,
    /// The session.
    pub session: Session,
    /// The person.
    pub user: User,
    /// How they proved who they are.
    pub facts: SessionFacts,
    /// When they are signed out.
    pub ending: Ending,
}

/// When somebody is signed out if nothing more is seen of their browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// Whether it is later if the browser is seen before.
    pub can_stay: bool,
}

impl Ending {
    /// Of a session that is seen now.
    pub(super) fn of(session: &Session) -> Self {
        Self::between(session.expires, session.seen.after(session.idle_timeout))
    }

    /// With this end in any case, and this one if it is not used.
    pub(super) fn between(absolute: Timestamp, idle: Timestamp) -> Self {
        Self {
            at: absolute.min(idle),
            can_stay: idle < absolute,
        }
    }
}

/// What is kept with a session, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// When the person last proved who they are: the claim `auth_time`.
    pub auth_time: Timestamp,
    /// How: authentication method references (RFC 8176).
    pub amr: Vec<String>,
    /// With which assurance: the claim `acr`.
    pub acr: String,
    /// Whether the person asked to stay signed in.
    pub remember: bool,
    /// The longest time in which the browser was not seen, since the person last proved who they are.
    #[serde(default)]
    pub rested: Duration,
    /// Which browser began it, or proved it last.
    #[serde(default)]
    pub browser: Option<BrowserMark>,
    /// Whether the second factor was not asked for, because the device is remembered. It is no part of the proof.
    #[serde(default)]
    pub on_remembered_device: bool,
}

/// How a person has just proved who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Authentication method references (RFC 8176).
    pub amr: Vec<String>,
    /// The authentication context class.
    pub acr: String,
    /// Whether the person asks to stay signed in.
    pub remember: bool,
    /// The factor that they have shown to have: the proof is worth as much as that.
    #[serde(default)]
    pub factor: Option<Id<Factor>>,
    /// What the device has to do with it.
    #[serde(default)]
    pub device: OnDevice,
}

/// What a device has to do with the second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnDevice {
    /// Nothing.
    #[default]
    Nothing,
    /// The person wishes that it is not asked for there for a while.
    Remember,
    /// It was not asked for.
    Remembered,
}

/// What somebody proved themselves with besides a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecondProof {
    /// A one-time code of this factor.
    OneTimeCode(Id<Factor>),
    /// A recovery code.
    RecoveryCode,
    /// A code that was sent, for this factor; for none where it stands in for one that is lost.
    SentCode {
        /// Which.
        factor: Option<Id<Factor>>,
        /// By which way.
        channel: Channel,
    },
    /// A signature of this passkey.
    Passkey {
        /// Which.
        factor: Id<Factor>,
        /// Whether its key stays in its device.
        is_bound_to_device: bool,
    },
}

impl Proof {
    /// By password.
    pub fn password(remember: bool) -> Self {
        Self {
            amr: vec!["pwd".to_owned()],
            acr: acr::PASSWORD.to_owned(),
            remember,
            factor: None,
            device: OnDevice::Nothing,
        }
    }

    /// Whether it is by a code that came by this way.
    pub fn is_by(&self, channel: Channel) -> bool {
        self.amr.iter().any(|method| method == sent(channel))
    }

    /// By a code that was sent to what the person has confirmed.
    pub fn code(remember: bool, channel: Channel) -> Self {
        Self {
            amr: vec![sent(channel).to_owned()],
            acr: acr::CODE.to_owned(),
            ..Self::password(remember)
        }
    }

    /// By a passkey alone, whose authenticator has verified the person: something they have, by something they know or are.
    pub fn passkey(remember: bool, factor: Id<Factor>, is_bound_to_device: bool) -> Self {
        let mut amr = signature(is_bound_to_device);
        amr.push(MFA.to_owned());
        Self {
            amr,
            acr: acr::MULTIPLE.to_owned(),
            remember,
            factor: Some(factor),
            device: OnDevice::Nothing,
        }
    }

    /// With a second one beside it (RFC 8176 section 2: `otp` is a one-time password, which a recovery code of a list is not).
    #[must_use]
    pub fn and(mut self, second: SecondProof) -> Self {
        match second {
            SecondProof::OneTimeCode(factor) => {
                if !self.amr.iter().any(|method| method == "otp") {
                    self.amr.push("otp".to_owned());
                }
                self.factor = Some(factor);
            }
            SecondProof::RecoveryCode => {}
            SecondProof::SentCode { factor, channel } => {
                self.amr.push(sent(channel).to_owned());
                self.factor = factor;
            }
            SecondProof::Passkey {
                factor,
                is_bound_to_device,
            } => {
                self.amr.append(&mut signature(is_bound_to_device));
                self.factor = Some(factor);
            }
        }
        self.amr.push(MFA.to_owned());
        self.acr = acr::MULTIPLE.to_owned();
        self
    }

    /// Whether a password is part of it.
    pub fn is_by_password(&self) -> bool {
        self.amr.iter().any(|method| method == "pwd")
    }

    /// Whether there is a second one.
    pub fn is_multiple(&self) -> bool {
        is_multiple(&self.amr)
    }
}

/// RFC 8176 section 2: a key that stays in its device is taken for one in hardware, one that may be copied for one in software;
/// and that somebody was there is always tested.
fn signature(is_bound_to_device: bool) -> Vec<String> {
    let key = if is_bound_to_device { "hwk" } else { "swk" };
    vec![key.to_owned(), "user".to_owned()]
}

/// RFC 8176 section 2: a text message has a word of its own; a code that was mailed is a one-time password.
pub(super) const fn sent(channel: Channel) -> &'static str {
    match channel {
        Channel::Mail => "otp",
        Channel::Sms => "sms",
    }
}

fn is_key(method: &str) -> bool {
    matches!(method, "hwk" | "swk")
}

/// Whether several factors are among these methods.
pub fn is_multiple(amr: &[String]) -> bool {
    amr.iter().any(|method| method == MFA)
}

impl SessionFacts {
    /// What is kept of a proof that was given at `auth_time` in this browser.
    pub(super) fn of(proof: Proof, auth_time: Timestamp, browser: BrowserMark) -> Self {
        Self {
            auth_time,
            amr: proof.amr,
            acr: proof.acr,
            remember: proof.remember,
            rested: Duration::ZERO,
            browser: Some(browser),
            on_remembered_device: proof.device == OnDevice::Remembered,
        }
    }

    /// The methods in a word (RFC 8176), for the audit log.
    pub(super) fn method(&self) -> &'static str {
        match self.amr.as_slice() {
            [one] if one == "pwd" => "pwd",
            [one, two, ..] if one == "pwd" && two == "otp" => "pwd_otp",
            [one, two, ..] if one == "pwd" && two == "sms" => "pwd_sms",
            [one, two] if one == "pwd" && two == MFA => "pwd_recovery_code",
            [one, two, ..] if one == "pwd" && is_key(two) => "pwd_passkey",
            [one, ..] if is_key(one) => "passkey",
            [one] if one == "otp" => "mail_code",
            [one] if one == "sms" => "text_code",
            _ => "other",
        }
    }

    pub(super) fn read(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok()
    }

    pub(super) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
