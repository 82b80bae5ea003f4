//! A password that nobody but the person sets: who administers has a link mailed to it; for somebody who is invited to their account it is
//! the invitation. What was the password until then lets nobody in,
//! and whoever was signed in is not any more.

use super::ChangeSource;
use super::departure::{self, Departure};
use super::recovery_wish::mailed_link;
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider, letter};
use crate::model::setting::{ACCOUNT_INVITATION_LIFETIME, PASSWORD_LINK_LIFETIME, Settings};
use crate::model::{EventKind, Id, Secret, Timestamp, User, UserStatus};
use crate::store::{ActionLinkKind, NewActionLink, OutboxMail, Write};
use crate::view;

/// A link and its mail, ready to be stored.
pub(super) struct PreparedLink {
    kind: ActionLinkKind,
    token: Secret,
    recipient: String,
    ends: Timestamp,
    mail: OutboxMail,
}

impl PreparedLink {
    /// The link for somebody who is there, or will be.
    ///
    /// # Errors
    /// [`Error::Invalid`] for whoever has no address.
    pub(super) async fn of(provider: &Provider, call: &Call, user: &User, settings: &Settings) -> Result<Self, Error> {
        let Some(recipient) = user.profile.email.clone() else {
            let detail = "the link to a password needs an address to go to";
            return Err(Error::field("/email", "required", detail));
        };
        let token = Secret::generate();
        let (kind, lifetime) = match user.status {
            UserStatus::Invited => (ActionLinkKind::Invitation, ACCOUNT_INVITATION_LIFETIME),
            _ => (ActionLinkKind::Password, PASSWORD_LINK_LIFETIME),
        };
        let lifetime = settings.duration(lifetime);
        let mail = view::Mail::PasswordLink(view::PasswordLinkMail {
            name: user.full_name(),
            username: user.username.clone(),
            seconds: lifetime.as_secs(),
            is_first: user.password.is_none(),
            link: mailed_link(provider, "/login/recover", (&token, None))?,
        });
        Ok(Self {
            kind,
            mail: letter::to(provider, user, recipient.clone(), ("password_link", &mail))?,
            ends: call.now.after(lifetime),
            token,
            recipient,
        })
    }

    /// Whether the person still reads the mail that it goes to.
    pub(super) fn leads_to(&self, user: &User) -> bool {
        user.profile.email.as_deref() == Some(self.recipient.as_str())
    }

    /// Stores it.
    pub(super) async fn add_in(
        &self,
        tx: &mut Write,
        call: &Call,
        source: &ChangeSource,
        user: Id<User>,
    ) -> Result<(), Error> {
        tx.add_action_link(NewActionLink {
            kind: self.kind,
            digest: &self.token.digest(),
            user: Some(user),
            email: &self.recipient,
            term: (call.now, self.ends),
        })
        .await?;
        tx.add_mail(&self.mail, call.now).await?;
        let event = call.event(EventKind::PasswordLinkMailed).user(user);
        Ok(tx.add_event(&event.fact("source", source.fact())).await?)
    }
}

/// Mails the link to somebody whose password is to be a new one.
pub(super) async fn mail(provider: &Provider, call: &Call, source: &ChangeSource, user: &User) -> Result<(), Error> {
    let settings = provider.settings().await?;
    let link = PreparedLink::of(provider, call, user, &settings).await?;
    let (link, id) = (&link, user.id);
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = mail_in(&mut tx, call, source, (id, link)).await;
        settle(tx, done).await
    })
    .await?;
    departure::end_browsers(provider, call, id).await;
    Ok(())
}

/// The same as a part of a transaction; the session store is cleared when it has committed.
pub(super) async fn mail_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (id, link): (Id<User>, &PreparedLink),
) -> Result<(), Error> {
    // of two links made at once the later one voids the earlier
    if !tx.hold_user(id).await? {
        return Err(Error::NotFound);
    }
    source.must_outrank(&tx.list_permissions_of(id).await?)?;
    tx.expire_password(id, call.now, call.now).await?;
    departure::end_everything(tx, call, id, Departure::PasswordChanged).await?;
    link.add_in(tx, call, source, id).await
}
