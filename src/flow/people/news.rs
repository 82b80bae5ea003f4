//! The mails that tell somebody what has become of their account, and the link in every mail about a change that locks the account
//! at once ("this wasn't me"). They are written with the change that they tell of.

use std::time::Duration;

use crate::flow::{Call, Error, Provider, letter};
use crate::model::{Digest, Id, Secret, Timestamp, User};
use crate::store::{ActionLinkKind, NewActionLink, OutboxMail, Write};
use crate::view::{self, AccountChange};

/// How long a link may be followed that locks an account.
const LOCKS_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long one may be followed that unlocks it.
const UNLOCKS_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A mail about an account.
#[derive(Clone)]
pub(super) struct News {
    mail: OutboxMail,
    link: Option<PostedLink>,
}

impl News {
    /// A mail with a link in it that is to be written down with it.
    pub(super) const fn with(mail: OutboxMail, link: PostedLink) -> Self {
        Self { mail, link: Some(link) }
    }

    /// Writes it into the outbox, in the transaction of what it tells of.
    pub(super) async fn write(&self, tx: &mut Write, call: &Call) -> Result<(), Error> {
        if let Some(link) = &self.link {
            link.write(tx, call).await?;
        }
        Ok(tx.add_mail(&self.mail, call.now).await?)
    }
}

/// A link that locks an account or unlocks it, as it is mailed.
#[derive(Clone, Debug)]
pub(in crate::flow) struct PostedLink {
    kind: ActionLinkKind,
    digest: Digest,
    user: Id<User>,
    recipient: String,
    /// The page that it leads to.
    pub(in crate::flow) page: view::Link,
}

impl PostedLink {
    /// One that locks the account, for a mail to this address.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub(in crate::flow) fn locking(provider: &Provider, user: Id<User>, recipient: &str) -> Result<Self, Error> {
        Self::of(provider, (ActionLinkKind::Lock, "/login/lock"), (user, recipient))
    }

    fn of(
        provider: &Provider,
        (kind, page): (ActionLinkKind, &str),
        (user, recipient): (Id<User>, &str),
    ) -> Result<Self, Error> {
        let token = Secret::generate();
        Ok(Self {
            kind,
            digest: token.digest(),
            user,
            recipient: recipient.to_owned(),
            page: letter::link(provider, &format!("{page}?token={}", token.expose()))?,
        })
    }

    /// Writes it down, in the transaction that the mail is written in.
    ///
    /// # Errors
    /// The store's.
    pub(in crate::flow) async fn write(&self, tx: &mut Write, call: &Call) -> Result<(), Error> {
        let lasts = match self.kind {
            ActionLinkKind::Unlock => UNLOCKS_FOR,
            _ => LOCKS_FOR,
        };
        let link = NewActionLink {
            kind: self.kind,
            digest: &self.digest,
            user: Some(self.user),
            email: &self.recipient,
            term: (call.now, call.now.after(lasts)),
        };
        Ok(tx.add_action_link(link).await?)
    }
}

/// That somebody signs in with another username.
pub(super) fn renamed(
    provider: &Provider,
    call: &Call,
    (user, username): (&User, &str),
    recipient: String,
) -> Result<News, Error> {
    let mut user = user.clone();
    username.clone_into(&mut user.username);
    let lock = PostedLink::locking(provider, user.id, &recipient)?;
    let mail = about(call, &user, AccountChange::Renamed);
    let mail = view::AccountMail {
        lock: Some(lock.page.clone()),
        ..mail
    };
    made(provider, &user, recipient, mail, Some(lock))
}

/// That the account is locked, with the way back for whoever may help themselves.
pub(super) fn locked(
    provider: &Provider,
    call: &Call,
    user: &User,
    recipient: String,
    way_back: WayBack,
) -> Result<News, Error> {
    let link = match way_back {
        WayBack::Mailed => Some(PostedLink::of(
            provider,
            (ActionLinkKind::Unlock, "/login/unlock"),
            (user.id, &recipient),
        )?),
        WayBack::Administrator => None,
    };
    let mail = view::AccountMail {
        link: link.as_ref().map(|link| link.page.clone()),
        ..about(call, user, AccountChange::Locked)
    };
    made(provider, user, recipient, mail, link)
}

/// Who lets somebody back in who has locked their account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WayBack {
    /// They themselves, by the link in the mail.
    Mailed,
    /// An administrator.
    Administrator,
}

/// That the account is unlocked, will be deleted, will not be after all, or is gone.
pub(super) fn told(
    provider: &Provider,
    call: &Call,
    user: &User,
    recipient: String,
    change: AccountChange,
) -> Result<News, Error> {
    let mail = view::AccountMail {
        link: match change {
            AccountChange::Deleted => None,
            _ => Some(letter::link(provider, "/login")?),
        },
        ..about(call, user, change)
    };
    made(provider, user, recipient, mail, None)
}

fn about(call: &Call, user: &User, change: AccountChange) -> view::AccountMail {
    view::AccountMail {
        name: user.full_name(),
        username: user.username.clone(),
        change,
        at: call.now.micros(),
        until: user.deletion_at.map(Timestamp::micros),
        link: None,
        lock: None,
    }
}

fn made(
    provider: &Provider,
    user: &User,
    recipient: String,
    mail: view::AccountMail,
    link: Option<PostedLink>,
) -> Result<News, Error> {
    let kind = mail.change.kind();
    let mail = letter::to(provider, user, recipient, (kind, &view::Mail::Account(mail)))?;
    Ok(News { mail, link })
}
