//! Mails to people. They are written with the change that they tell of, sealed, in the person's language, and sent afterwards.

use super::{Error, Provider};
use crate::model::User;
use crate::model::setting::LOCALE;
use crate::store::OutboxMail;
use crate::view::{Link, Locale, Mail};

/// What mails in the outbox are sealed for: they may hold links that let people in.
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
    let locale = match &user.profile.locale {
        Some(locale) => locale.clone(),
        None => provider.settings_at_hand().word(LOCALE).to_owned(),
    };
    sealed(provider, recipient, locale, (kind, mail))
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
    sealed(provider, recipient, locale.tag().to_owned(), mail)
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
    recipient: String,
    locale: String,
    (kind, mail): (&'static str, &Mail),
) -> Result<OutboxMail, Error> {
    let json = serde_json::to_vec(mail).map_err(|error| Error::Failed(Box::new(error)))?;
    Ok(OutboxMail {
        kind,
        recipient,
        locale,
        sealed: provider.master.seal(SEALED_FOR, &json),
    })
}
