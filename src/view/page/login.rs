//! Signing in with a password, for the first time or once more.

use serde::{Deserialize, Serialize};

use crate::view::{Account, Client, Hidden, OwnPath, SentToSignIn};

/// A form that posts `username`, `password`, `remember` (`1` or absent), `csrf` and the hidden fields to `action`; the first of two pages
/// posts `intent` = `next` in the place of a password. The two quiet forms post `intent` = `cancel` or `other_account` there instead.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Login {
    /// The application that asks, if one does.
    pub client: Option<Client>,
    /// Where all three forms post to.
    pub action: OwnPath,
    /// Whether all is asked here, or this is one of two pages.
    pub step: LoginStep,
    /// The interaction's id and the like.
    pub hidden: Vec<Hidden>,
    /// By what people say who they are.
    pub identifiers: Identifiers,
    /// What stands in the first field: a hint, or what was typed before.
    pub identifier: String,
    /// Set when this very account has to enter its password again, or was named on the page before: then the username cannot be typed.
    pub account: Option<Account>,
    /// Whether "stay signed in" is ticked.
    pub remember: bool,
    /// Whether there is an application to go back to without signing in.
    pub cancel: bool,
    /// Where a link to a new password is asked for, if people may help themselves.
    pub forgot: Option<OwnPath>,
    /// Where an account of one's own is made, if anyone may have one.
    pub register: Option<OwnPath>,
    /// Where a script asks what a passkey has to sign, if they are offered; it posts `question` and `passkey` then.
    pub ask: Option<OwnPath>,
    /// What can be sent to sign in with; `intent` = one of these has it sent.
    pub codes: Vec<SentToSignIn>,
    /// Whether a new password was set a moment ago.
    pub replaced: bool,
    /// Why the last attempt did not succeed.
    pub error: Option<LoginError>,
}

/// What a page asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginStep {
    /// Who it is, and a proof.
    Whole,
    /// Who it is: the first of two.
    Identifier,
    /// A proof of who was named: the second.
    Proof,
}

/// By what people say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identifiers {
    /// By username or mail address.
    UsernameOrEmail,
    /// By username alone.
    Username,
    /// By mail address alone.
    Email,
    /// By either of them, or the telephone number.
    Any,
}

impl Identifiers {
    /// Those that a word of the setting `sign_in.identifiers` stands for.
    pub fn of(word: &str) -> Self {
        match word {
            "username" => Self::Username,
            "email" => Self::Email,
            "any" => Self::Any,
            _ => Self::UsernameOrEmail,
        }
    }
}

/// Why a sign-in did not succeed, in no more detail than a stranger may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LoginError {
    /// No such pair of identifier and password, for whatever reason.
    Credentials,
    /// Nobody was named.
    Nobody,
    /// What the authenticator answered lets nobody in, for whatever reason.
    Passkey,
    /// Too many attempts.
    Throttled {
        /// When it is worth trying again.
        seconds: u64,
    },
    /// The pair is right, but an administrator has deactivated the account.
    Inactive,
    /// The pair is right, but the account's owner has locked it.
    Locked,
    /// The pair is right, but the account's time has not come.
    NotStarted {
        /// When it does, in microseconds since 1970.
        at: i64,
    },
    /// The pair is right, but the account has come to its end.
    AccountExpired {
        /// When it did, likewise.
        at: i64,
    },
    /// The pair is right, but the device was blocked for this account.
    DeviceBlocked,
    /// The pair is right, but only known devices may be signed in with, and this one waits to be let in.
    DeviceUnknown,
    /// Nobody signs in from this network, whoever it is.
    Network,
    /// The server cannot check a password now.
    Busy,
    /// The anti-forgery token was missing or old.
    Expired,
}

impl Login {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            client: Some(Client::sample()),
            action: OwnPath::or_home("/login"),
            step: LoginStep::Whole,
            hidden: vec![Hidden::new("interaction", "Zm9v")],
            identifiers: Identifiers::UsernameOrEmail,
            identifier: "ada@example.com".to_owned(),
            account: None,
            remember: false,
            cancel: true,
            forgot: Some(OwnPath::or_home("/login/forgot")),
            register: Some(OwnPath::or_home("/register")),
            ask: Some(OwnPath::or_home("/login/passkey")),
            codes: SentToSignIn::ALL.to_vec(),
            replaced: false,
            error: Some(LoginError::Credentials),
        }
    }
}
