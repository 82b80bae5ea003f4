//! The second step of a sign-in: a passkey, a one-time code, or a recovery code.

use serde::{Deserialize, Serialize};

use crate::model::Channel;
use crate::view::{Account, Client, OwnPath};

/// A form that posts `code` (and `remember_device` = `1`, if that is wished) or `recovery_code` with `csrf` to `action`; a quiet one posts `intent` = `cancel` there instead.
/// Where a code is sent, `intent` = `send` has one sent, and `sent_code` is posted in the place of `code`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecondFactor {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Who signs in.
    pub account: Account,
    /// Where the forms post to.
    pub action: OwnPath,
    /// What is asked for.
    pub with: SecondFactorWith,
    /// Where a script asks what a passkey has to sign, if that is asked for; it posts `question` and `passkey` then.
    pub ask: Option<OwnPath>,
    /// This page with the other ways that the person has.
    pub others: Vec<OtherFactor>,
    /// For how long, in seconds, it is not asked for again on this device, if `remember_device` is ticked; else nothing is offered.
    pub remembers_for: Option<u64>,
    /// Where a code is sent to, in part, if it is one that is sent.
    pub recipient: Option<String>,
    /// Whether one was sent: then it is asked for.
    pub sent: bool,
    /// Why the last answer did not do.
    pub error: Option<SecondFactorError>,
    /// Where to begin anew, if this sign-in is over: then nothing is asked.
    pub again: Option<OwnPath>,
}

/// Another way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OtherFactor {
    /// Which.
    pub with: SecondFactorWith,
    /// This page with it.
    pub path: OwnPath,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactorWith {
    /// A signature of a passkey.
    Passkey,
    /// The code that an authenticator shows.
    Code,
    /// A code that is sent by mail.
    Mail,
    /// A code that is sent as a text message.
    Text,
    /// A code from a list that was kept for this.
    RecoveryCode,
}

impl SecondFactorWith {
    /// By which way its codes are sent, if they are.
    pub const fn channel(self) -> Option<Channel> {
        match self {
            Self::Mail => Some(Channel::Mail),
            Self::Text => Some(Channel::Sms),
            Self::Passkey | Self::Code | Self::RecoveryCode => None,
        }
    }
}

/// Why an answer did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SecondFactorError {
    /// It is no code that counts now, for whatever reason.
    Wrong,
    /// Enough codes were sent.
    NotSent {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// Too many wrong ones.
    Throttled {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// The form was open for too long.
    Expired,
}

impl SecondFactor {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            account: Account::sample(),
            action: OwnPath::or_home("/login/factor?proof=Zm9v"),
            with: SecondFactorWith::Code,
            ask: None,
            others: vec![
                OtherFactor {
                    with: SecondFactorWith::Passkey,
                    path: OwnPath::or_home("/login/factor?proof=Zm9v&with=passkey"),
                },
                OtherFactor {
                    with: SecondFactorWith::RecoveryCode,
                    path: OwnPath::or_home("/login/factor?proof=Zm9v&with=recovery_code"),
                },
            ],
            remembers_for: Some(30 * 86_400),
            recipient: None,
            sent: false,
            error: Some(SecondFactorError::Wrong),
            again: None,
        }
    }
}
