//! The mail that tells a person of a new account. It waits in the outbox, written with the account itself.

use crate::flow::{Error, Provider, letter};
use crate::model::User;
use crate::store::OutboxMail;
use crate::view;

/// Whether the person is told of the account by mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Welcome {
    /// Yes: it needs a mail address.
    Mail,
    /// No.
    #[default]
    Silent,
}

/// The mail to a new user, ready for the outbox.
pub(super) async fn write(provider: &Provider, user: &User) -> Result<OutboxMail, Error> {
    let Some(recipient) = user.profile.email.clone() else {
        return Err(Error::field(
            "/email",
            "required",
            "a welcome mail needs an address to go to",
        ));
    };
    let sign_in = letter::link(provider, "/login")?;
    let mail = view::Mail::Welcome(view::Welcome {
        name: user.full_name(),
        username: user.username.clone(),
        sign_in,
    });
    letter::to(provider, user, recipient, ("welcome", &mail))
}
