//! Pages and mails: typed contexts in, HTML and text out. No I/O; every template, text and asset is part of the binary.
//!
//! Invariants: HTML is always escaped (the `safe` filter does not exist here); a name or text that is missing is an error,
//! never an empty place; a link leads only to `https:` or `http:`; a form of ours posts only to a path of ours.

mod access_mail;
mod account_mail;
mod asset;
mod catalogue;
mod check_session;
mod code_mail;
mod device;
mod engine;
mod error;
mod frame;
mod functions;
mod link;
mod locale;
mod mail;
mod mail_default;
mod mail_dress;
mod mail_html;
mod mail_source;
mod negotiate;
mod page;
mod password_mail;
mod qr;
mod subject;
mod text;

pub use access_mail::{AccessMail, AccessStep};
pub use account_mail::{AccountChange, AccountExpiry, AccountMail};
pub use asset::Asset;
pub use check_session::CheckSession;
pub use code_mail::{CodeMail, PhoneChange, PhoneNews, SignInLinkMail};
pub use device::Device;
pub use engine::Views;
pub use error::Error;
pub use frame::{Frame, Warning};
pub use link::{Link, Logo, OwnPath};
pub use locale::Locale;
pub use mail::{
    AddressMail, AddressStep, AlreadyRegistered, FactorChange, FactorNews, Mail, NewDevice, PasswordChanged,
    PasswordMail, Recovery, Registration, RenderedMail, Welcome,
};
pub use mail_dress::{Dress, Letterhead, MailTemplate};
pub use mail_source::{MAIL_FUNCTIONS, MailFault, MailPart, MailValue, mail_values};
pub use negotiate::negotiate;
pub use page::*;
pub use password_mail::{Lockout, PasswordExpiry, PasswordLinkMail};
pub use qr::Qr;
pub use subject::{Account, Client, Hidden};
pub use text::{CodeText, CodeUse, Text};
