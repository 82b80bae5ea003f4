//! What is sent by mail.

use minijinja::Value;
use minijinja::value::Serde;
use serde::{Deserialize, Serialize};

use super::code_mail::{CodeMail, PhoneChange, PhoneNews, SignInLinkMail};
use super::password_mail::{Lockout, PasswordExpiry, PasswordLinkMail};
use super::{AccessMail, AccessStep, AccountChange, AccountExpiry, AccountMail, Device, Link};

/// A mail to a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Mail {
    /// Somebody made an account for you.
    Welcome(Welcome),
    /// Somebody signed in to your account with a device that is new.
    NewDevice(NewDevice),
    /// Your password has to be replaced, and here is where.
    NewPassword(PasswordMail),
    /// You forgot your password, and here is the way to a new one.
    Recovery(Recovery),
    /// You want an account, and here is the way to it.
    Registration(Registration),
    /// You ask for an account, and an administrator decides.
    Access(AccessMail),
    /// You have an account already.
    AlreadyRegistered(AlreadyRegistered),
    /// Your mail address is to be confirmed, or was changed.
    Address(AddressMail),
    /// Your password is a new one.
    PasswordChanged(PasswordChanged),
    /// Something became of your second factors.
    Factor(FactorNews),
    /// A code to type in, or a link to follow.
    Code(CodeMail),
    /// A link to sign in with.
    SignInLink(SignInLinkMail),
    /// Something became of your telephone number.
    Phone(PhoneNews),
    /// You are to set a password, and here is where.
    PasswordLink(PasswordLinkMail),
    /// Your password has to be replaced soon.
    PasswordExpiry(PasswordExpiry),
    /// Somebody guesses at your password, so you may have to wait; here is the way around.
    Lockout(Lockout),
    /// Something became of your account.
    Account(AccountMail),
    /// Your account comes to its end soon.
    AccountExpiry(AccountExpiry),
}

impl Mail {
    /// One of each, with every field filled.
    pub fn samples() -> Vec<Self> {
        vec![
            Self::Welcome(Welcome::sample()),
            Self::NewDevice(NewDevice::sample()),
            Self::NewDevice(NewDevice {
                name: None,
                place: None,
                address: None,
                waits: true,
                ..NewDevice::sample()
            }),
            Self::NewPassword(PasswordMail::sample()),
            Self::NewPassword(PasswordMail {
                name: None,
                ..PasswordMail::sample()
            }),
            Self::Recovery(Recovery::sample()),
            Self::Recovery(Recovery {
                name: None,
                address: None,
                ..Recovery::sample()
            }),
            Self::Registration(Registration::sample()),
            Self::Registration(Registration {
                address: None,
                invited: true,
                ..Registration::sample()
            }),
            Self::AlreadyRegistered(AlreadyRegistered::sample()),
            Self::AlreadyRegistered(AlreadyRegistered {
                name: None,
                recovery: None,
                ..AlreadyRegistered::sample()
            }),
            Self::PasswordChanged(PasswordChanged::sample()),
            Self::PasswordChanged(PasswordChanged {
                name: None,
                address: None,
                recovery: None,
                ..PasswordChanged::sample()
            }),
            Self::PasswordChanged(PasswordChanged {
                address: None,
                by_administrator: true,
                ..PasswordChanged::sample()
            }),
            Self::PasswordLink(PasswordLinkMail::sample()),
            Self::PasswordLink(PasswordLinkMail {
                name: None,
                is_first: false,
                ..PasswordLinkMail::sample()
            }),
            Self::PasswordExpiry(PasswordExpiry::sample()),
            Self::PasswordExpiry(PasswordExpiry {
                name: None,
                ..PasswordExpiry::sample()
            }),
            Self::AccountExpiry(AccountExpiry::sample()),
            Self::AccountExpiry(AccountExpiry {
                unused: true,
                ..AccountExpiry::sample()
            }),
            Self::AccountExpiry(AccountExpiry {
                name: None,
                ..AccountExpiry::sample()
            }),
            Self::Lockout(Lockout::sample()),
            Self::Lockout(Lockout {
                name: None,
                address: None,
                ..Lockout::sample()
            }),
        ]
        .into_iter()
        .chain(AddressStep::ALL.map(|step| {
            Self::Address(AddressMail {
                step,
                ..AddressMail::sample()
            })
        }))
        .chain([
            Self::Code(CodeMail::sample()),
            Self::Code(CodeMail {
                name: None,
                address: None,
                ..CodeMail::sample()
            }),
        ])
        .chain([
            Self::SignInLink(SignInLinkMail::sample()),
            Self::SignInLink(SignInLinkMail {
                name: None,
                address: None,
                ..SignInLinkMail::sample()
            }),
        ])
        .chain(PhoneChange::ALL.map(|change| {
            Self::Phone(PhoneNews {
                change,
                ..PhoneNews::sample()
            })
        }))
        .chain(AccessStep::ALL.map(|step| {
            Self::Access(AccessMail {
                step,
                link: (step != AccessStep::Refused).then(Link::sample),
                ..AccessMail::sample()
            })
        }))
        .chain(AccountChange::ALL.map(|change| {
            Self::Account(AccountMail {
                change,
                ..AccountMail::sample()
            })
        }))
        .chain(FactorChange::ALL.map(|change| {
            Self::Factor(FactorNews {
                change,
                ..FactorNews::sample()
            })
        }))
        .collect()
    }

    /// Its kind, which its templates are called by; and its values.
    pub(super) fn drawing(&self) -> (&'static str, Value) {
        match self {
            Self::Welcome(context) => ("welcome", Value::from(Serde(context))),
            Self::NewDevice(context) => ("new_device", Value::from(Serde(context))),
            Self::Recovery(context) => ("recovery", Value::from(Serde(context))),
            Self::Registration(context) => ("registration", Value::from(Serde(context))),
            Self::AlreadyRegistered(context) => ("already_registered", Value::from(Serde(context))),
            Self::Access(context) => ("access", Value::from(Serde(context))),
            Self::Address(context) => ("address", Value::from(Serde(context))),
            Self::PasswordChanged(context) => ("password_changed", Value::from(Serde(context))),
            Self::NewPassword(context) => ("new_password", Value::from(Serde(context))),
            Self::Account(context) => ("account", Value::from(Serde(context))),
            Self::Factor(context) => ("factor", Value::from(Serde(context))),
            Self::AccountExpiry(context) => ("account_expiry", Value::from(Serde(context))),
            Self::PasswordLink(context) => ("password_link", Value::from(Serde(context))),
            Self::PasswordExpiry(context) => ("password_expiry", Value::from(Serde(context))),
            Self::Lockout(context) => ("lockout", Value::from(Serde(context))),
            Self::Code(context) => ("code", Value::from(Serde(context))),
            Self::SignInLink(context) => ("sign_in_link", Value::from(Serde(context))),
            Self::Phone(context) => ("phone", Value::from(Serde(context))),
        }
    }

    /// Its kind: what its templates are called by.
    pub fn kind(&self) -> &'static str {
        self.drawing().0
    }

    /// The names of its values.
    pub(super) fn value_names(&self) -> Vec<String> {
        let (_, values) = self.drawing();
        let names = values.try_iter().into_iter().flatten();
        names.map(|name| name.to_string()).collect()
    }

    /// Every kind, in the order of the samples.
    pub fn kinds() -> Vec<&'static str> {
        let mut kinds = Vec::new();
        for sample in Self::samples() {
            if !kinds.contains(&sample.kind()) {
                kinds.push(sample.kind());
            }
        }
        kinds
    }
}

/// Says that an account exists, how it is called and where it is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// The person's name, where known.
    pub name: Option<String>,
    /// What to sign in with.
    pub username: String,
    /// The page to sign in on.
    pub sign_in: Link,
}

impl Welcome {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            username: "ada".to_owned(),
            sign_in: Link::sample(),
        }
    }
}

/// Says that somebody signed in, or tried to, with a device that the person did not use before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewDevice {
    /// The person's name, where known.
    pub name: Option<String>,
    /// The browser and device.
    pub device: Device,
    /// Roughly from where, where known.
    pub place: Option<String>,
    /// From which network address.
    pub address: Option<String>,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Whether the device was turned away, and waits to be let in.
    pub waits: bool,
    /// The person's own account.
    pub account: Link,
    /// The page that says "this wasn't me".
    pub stranger: Link,
}

impl NewDevice {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            device: Device::read("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            place: Some("Paris, France".to_owned()),
            address: Some("192.0.2.7".to_owned()),
            at: 1_800_000_000_000_000,
            waits: false,
            account: Link::sample(),
            stranger: Link::sample(),
        }
    }
}

/// Leads to a new password.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordMail {
    /// The person's name, where known.
    pub name: Option<String>,
    /// The page where it is set.
    pub link: Link,
}

impl PasswordMail {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            link: Link::sample(),
        }
    }
}

/// Leads to a new password in place of a forgotten one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recovery {
    /// The person's name, where known.
    pub name: Option<String>,
    /// What to sign in with.
    pub username: String,
    /// How long the link works, in seconds.
    pub seconds: u64,
    /// From which network address it was asked for.
    pub address: Option<String>,
    /// The page where the password is set.
    pub link: Link,
}

impl Recovery {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            username: "ada".to_owned(),
            seconds: 1_200,
            address: Some("192.0.2.7".to_owned()),
            link: Link::sample(),
        }
    }
}

/// Leads to an account of one's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registration {
    /// How long the link works, in seconds.
    pub seconds: u64,
    /// From which network address it was asked for.
    pub address: Option<String>,
    /// Whether an administrator asked for it.
    pub invited: bool,
    /// The page where the account is made.
    pub link: Link,
}

impl Registration {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            seconds: 86_400,
            address: Some("192.0.2.7".to_owned()),
            invited: false,
            link: Link::sample(),
        }
    }
}

/// Says to whoever wanted an account that there is one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlreadyRegistered {
    /// The person's name, where known.
    pub name: Option<String>,
    /// What to sign in with.
    pub username: String,
    /// The page to sign in on.
    pub sign_in: Link,
    /// Where a link to a new password is asked for, if people may help themselves.
    pub recovery: Option<Link>,
}

impl AlreadyRegistered {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            username: "ada".to_owned(),
            sign_in: Link::sample(),
            recovery: Some(Link::sample()),
        }
    }
}

/// Is about the mail address of an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddressMail {
    /// The person's name, where known.
    pub name: Option<String>,
    /// What it is about.
    pub step: AddressStep,
    /// The new address.
    pub email: String,
    /// How long the link works, in seconds.
    pub seconds: u64,
    /// The page where it is answered; the account where nothing is to be answered.
    pub link: Link,
    /// The page that locks the account at once, where nothing is to be answered.
    pub lock: Option<Link>,
}

/// What a mail about an address wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressStep {
    /// That the person confirms the address.
    Confirm,
    /// That the person allows another in place of this one.
    Allow,
    /// Nothing: there is another now.
    Changed,
}

impl AddressStep {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Confirm, Self::Allow, Self::Changed];
}

impl AddressMail {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            step: AddressStep::Confirm,
            email: "countess@example.com".to_owned(),
            seconds: 86_400,
            link: Link::sample(),
            lock: Some(Link::sample()),
        }
    }
}

/// Says that a password was replaced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasswordChanged {
    /// The person's name, where known.
    pub name: Option<String>,
    /// Whose.
    pub username: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// From which network address, where the person set it.
    pub address: Option<String>,
    /// Whether somebody else set it for them.
    pub by_administrator: bool,
    /// The page to sign in on.
    pub sign_in: Link,
    /// Where a link to a new one is asked for, if people may help themselves.
    pub recovery: Option<Link>,
    /// The page that locks the account at once.
    pub lock: Link,
}

impl PasswordChanged {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            username: "ada".to_owned(),
            at: 1_800_000_000_000_000,
            address: Some("192.0.2.7".to_owned()),
            by_administrator: false,
            sign_in: Link::sample(),
            recovery: Some(Link::sample()),
            lock: Link::sample(),
        }
    }
}

/// Says that something became of somebody's second factors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FactorNews {
    /// The person's name, where known.
    pub name: Option<String>,
    /// What.
    pub change: FactorChange,
    /// What the person called the factor, where it is about one.
    pub factor: Option<String>,
    /// How many recovery codes are left, where one was used.
    pub left: u64,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// The person's own second factors.
    pub account: Link,
    /// The page that locks the account at once.
    pub lock: Link,
}

/// What became of somebody's second factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorChange {
    /// One was added.
    Added,
    /// The person removed one.
    Removed,
    /// An administrator removed one.
    Reset,
    /// A passkey was added.
    PasskeyAdded,
    /// The person removed a passkey.
    PasskeyRemoved,
    /// An administrator removed a passkey.
    PasskeyReset,
    /// There may be two of a passkey.
    PasskeyCloned,
    /// There are other recovery codes.
    CodesRenewed,
    /// A recovery code was used to sign in.
    CodeUsed,
    /// Codes that are sent were added.
    SentAdded,
    /// Codes that are sent were removed, by whomever.
    SentRemoved,
    /// A code by text message stood in for a factor.
    StoodIn,
    /// Somebody who has the password guesses at them.
    Guessed,
}

impl FactorChange {
    /// Every one.
    pub const ALL: [Self; 13] = [
        Self::Added,
        Self::Removed,
        Self::Reset,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
        Self::PasskeyReset,
        Self::PasskeyCloned,
        Self::CodesRenewed,
        Self::CodeUsed,
        Self::SentAdded,
        Self::SentRemoved,
        Self::StoodIn,
        Self::Guessed,
    ];
}

impl FactorNews {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            name: Some("Ada Lovelace".to_owned()),
            change: FactorChange::Added,
            factor: Some("Telephone".to_owned()),
            left: 9,
            at: 1_800_000_000_000_000,
            account: Link::sample(),
            lock: Link::sample(),
        }
    }
}

/// A mail as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedMail {
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML document, which loads nothing.
    pub html: String,
}
