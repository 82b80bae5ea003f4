//! Mails and text messages to people. They are written with the change that they tell of, sealed, in the person's language, and sent
//! afterwards.

use serde::Serialize;

use super::{Error, Provider};
use crate::model::setting::LOCALE;
use crate::model::{Channel, Timestamp, User};
use crate::store::OutboxMail;
use crate::view::{Link, Locale, Mail, Text};

/// What messages in the outbox are sealed for: they may hold links that let people in.
pub const SEALED_FOR: &str = "outbox";

/// A mail to a person, ready for the outbox. `kind` is what it is called there.
///
/// It asks no store, so that it can be made in the middle of a transaction.
///
/// # Errors
/// [`Error::Failed`] if it can't be written down.
pub fn to(
    provider: &Provider,
    user: &User,
    recipient: String,
    (kind, mail): (&'static str, &Mail),
) -> Result<OutboxMail, Error> {
    let to = (Channel::Mail, recipient, locale_of(provider, user));
    sealed(provider, to, (kind, mail), None)
}

/// The same for a mail that is of no use any more from a moment on.
///
/// # Errors
/// As [`to`].
pub fn to_until(
    provider: &Provider,
    user: &User,
    recipient: String,
    mail: (&'static str, &Mail),
    ends: Timestamp,
) -> Result<OutboxMail, Error> {
    let to = (Channel::Mail, recipient, locale_of(provider, user));
    sealed(provider, to, mail, Some(ends))
}

/// A text message to a person's number, of no use any more from a moment on.
///
/// # Errors
/// As [`to`].
pub fn text_until(
    provider: &Provider,
    user: &User,
    number: String,
    text: (&'static str, &Text),
    ends: Timestamp,
) -> Result<OutboxMail, Error> {
    let to = (Channel::Sms, number, locale_of(provider, user));
    sealed(provider, to, text, Some(ends))
}

/// The host of our pages.
pub fn host(provider: &Provider) -> String {
    provider.issuer.url().host_str().unwrap_or_default().to_owned()
}

fn locale_of(provider: &Provider, user: &User) -> String {
    match &user.profile.locale {
        Some(locale) => locale.clone(),
        None => provider.settings_at_hand().word(LOCALE).to_owned(),
    }
}

/// A mail to an address that nobody has yet, in the language of the page that it was asked for on.
///
/// # Errors
/// [`Error::Failed`].
pub fn to_stranger(
    provider: &Provider,
    recipient: String,
    locale: Locale,
    mail: (&'static str, &Mail),
) -> Result<OutboxMail, Error> {
    let to = (Channel::Mail, recipient, locale.tag().to_owned());
    sealed(provider, to, mail, None)
}

/// The address of a page of this installation, from the configured public address alone (SEC-293).
///
/// # Errors
/// [`Error::Failed`] if that is none.
pub fn link(provider: &Provider, path: &str) -> Result<Link, Error> {
    Link::parse(&provider.issuer.path(path)).ok_or_else(|| Error::defect("the issuer is not a link"))
}

fn sealed(
    provider: &Provider,
    (channel, recipient, locale): (Channel, String, String),
    (kind, content): (&'static str, &impl Serialize),
    ends_at: Option<Timestamp>,
) -> Result<OutboxMail, Error> {
    let json = serde_json::to_vec(content).map_err(|error| Error::Failed(Box::new(error)))?;
    Ok(OutboxMail {
        channel,
        kind,
        recipient,
        locale,
        sealed: provider.master.seal(SEALED_FOR, &json),
        ends_at,
    })
}
