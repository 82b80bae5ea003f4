//! A person's own mail address: confirmed, or replaced by another. A new address counts when its mail was answered, and, where the one
//! until now was confirmed, that one's mail too: whoever sits at an open session can't take the account's mail away (SEC-296).

use super::news::{News, PostedLink};
use super::registration_wish::{already_registered, own_address};
use super::user_change::{self, UserChange};
use super::{ChangeSource, registration_limits};
use crate::flow::again::again;
use crate::flow::session::{Asker, PROOF_GOOD_FOR};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider, guess, letter};
use crate::model::user::comparison_key;
use crate::model::{Actor, EventKind, Fact, Id, RequiredAction, Secret, Timestamp, User};
use crate::store::{ActionLinkKind, NewActionLink, OutboxMail, Write};
use crate::view::{self, AddressStep};

/// How long the links work.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// Why no address was mailed to.
#[derive(Debug, thiserror::Error)]
pub enum NotAsked {
    /// The person has to prove once more who they are.
    #[error("the person has to prove once more who they are")]
    ProofTooOld,
    /// It is the person's, and confirmed.
    #[error("the address is confirmed already")]
    Same,
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Where a link was mailed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSide {
    /// The address that is to be the person's.
    New,
    /// The one that was confirmed before.
    Old,
}

/// A link that may still be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressLink {
    /// Whose address.
    pub user: Id<User>,
    /// The new one, as it was typed.
    pub email: String,
    /// Where it was mailed to.
    pub side: AddressSide,
    /// When the change was asked for.
    pub created_at: Timestamp,
}

impl AddressSide {
    const fn kind(self) -> ActionLinkKind {
        match self {
            Self::New => ActionLinkKind::NewAddress,
            Self::Old => ActionLinkKind::OldAddress,
        }
    }
}

/// What a confirmation has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The address is the person's.
    Done,
    /// The mail at the other address has to be answered too.
    OneLeft,
}

/// Asks for an address to be the person's, the one they have among them. Mails are sent; nothing changes yet, and nobody learns whether
/// somebody else has it.
///
/// # Errors
/// [`NotAsked`]; [`Error::Invalid`] if it is no address, or one of a domain that may not; [`Error::Throttled`] if there were too many.
pub async fn ask_for_email(provider: &Provider, call: &Call, asker: Asker, email: &str) -> Result<(), NotAsked> {
    if call.now >= asker.proved.after(PROOF_GOOD_FOR) {
        return Err(NotAsked::ProofTooOld);
    }
    let (user, has_factor, owner) = read(provider, call, asker.user, email).await?;
    if has_factor && !asker.is_multiple {
        return Err(NotAsked::ProofTooOld);
    }
    let confirmed = user.profile.email.clone().filter(|_| user.profile.email_verified);
    if confirmed.as_deref() == Some(email) {
        return Err(NotAsked::Same);
    }
    mail_letters(provider, call, (&user, email), (confirmed, owner)).await?;
    Ok(())
}

/// Mails a link that confirms an address, to somebody who has just proved who they are and is asked to, on the way in.
///
/// # Errors
/// [`Error::Invalid`] if it is no address, [`Error::Throttled`] if it was sent enough mails.
pub(in crate::flow) async fn mail_confirmation(
    provider: &Provider,
    call: &Call,
    user: &User,
    email: &str,
) -> Result<(), Error> {
    let (user, _, owner) = read(provider, call, user.id, email).await?;
    let confirmed = user.profile.email.clone().filter(|_| user.profile.email_verified);
    mail_letters(provider, call, (&user, email), (confirmed, owner)).await
}

async fn mail_letters(
    provider: &Provider,
    call: &Call,
    (user, email): (&User, &str),
    (confirmed, owner): (Option<String>, Option<User>),
) -> Result<(), Error> {
    // the address that somebody has may be confirmed, whatever its domain
    if user.profile.email.as_deref() != Some(email) {
        registration_limits::judge_stranger(provider, call, email).await?;
    }
    let call = &call.by(Actor::User(user.id));
    guess::spend_wish_of_source(provider, call).await?;
    registration_limits::spend(provider, call, email).await?;
    guess::spend_mail_to(provider, call, &comparison_key(email)).await?;
    let letters = letters(provider, call, (user, email), (confirmed, owner)).await?;
    again(|| write(provider, call, user.id, &letters)).await
}

async fn read(
    provider: &Provider,
    call: &Call,
    id: Id<User>,
    email: &str,
) -> Result<(User, bool, Option<User>), Error> {
    let mut store = provider.store.read().await?;
    let user = store
        .find_user(id)
        .await?
        .filter(|user| user.is_active(call.now))
        .ok_or(Error::NotFound)?;
    let has_factor = !store.list_factors_of(id).await?.is_empty();
    let owner = store.find_user_by_identifier(email).await?;
    Ok((user, has_factor, owner.filter(|owner| owner.id != id)))
}

/// A link and the mail that brings it to somebody.
struct Posted {
    digest: crate::model::Digest,
    link: AddressLink,
    mail: Option<OutboxMail>,
}

async fn letters(
    provider: &Provider,
    call: &Call,
    (user, email): (&User, &str),
    (confirmed, owner): (Option<String>, Option<User>),
) -> Result<Vec<Posted>, Error> {
    let sides = [
        Some((AddressSide::New, AddressStep::Confirm, email.to_owned())),
        confirmed.map(|old| (AddressSide::Old, AddressStep::Allow, old)),
    ];
    let mut all = Vec::new();
    for (side, step, recipient) in sides.into_iter().flatten() {
        let token = Secret::generate();
        let page = format!("/account/email/confirm?token={}", token.expose());
        let mail = match (&owner, side) {
            // the link is not sent to anybody: it can't be followed, and the change never comes about
            (Some(owner), AddressSide::New) => match own_address(owner, email, call.now) {
                Some(stored) => Some(already_registered(provider, owner, stored).await?),
                None => None,
            },
            _ => {
                let mail = view::Mail::Address(view::AddressMail {
                    name: user.full_name(),
                    step,
                    email: email.to_owned(),
                    seconds: LIFETIME.as_secs(),
                    link: letter::link(provider, &page)?,
                    lock: None,
                });
                Some(letter::to(provider, user, recipient, ("address", &mail))?)
            }
        };
        all.push(Posted {
            digest: token.digest(),
            link: AddressLink {
                user: user.id,
                email: email.to_owned(),
                side,
                created_at: call.now,
            },
            mail,
        });
    }
    Ok(all)
}

async fn write(provider: &Provider, call: &Call, user: Id<User>, letters: &[Posted]) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = async {
        if !tx.hold_user(user).await? {
            return Err(Error::NotFound);
        }
        tx.void_action_links(ActionLinkKind::NewAddress, user, call.now).await?;
        for posted in letters {
            let ends = call.now.after(LIFETIME);
            tx.add_action_link(NewActionLink {
                kind: posted.link.side.kind(),
                digest: &posted.digest,
                user: Some(user),
                email: &posted.link.email,
                term: (posted.link.created_at, ends),
            })
            .await?;
            if let Some(mail) = &posted.mail {
                tx.add_mail(mail, call.now).await?;
            }
        }
        tx.add_event(&call.event(EventKind::EmailChangeAsked).user(user))
            .await?;
        Ok(())
    }
    .await;
    settle(tx, done).await
}

/// Looks at a link. It changes nothing: programs that look at mails follow links. Secrets that lead nowhere are counted as guesses.
///
/// # Errors
/// [`Error::NotFound`] if it is unknown, used, void or too old; [`Error::Throttled`].
pub async fn look_at_address(provider: &Provider, call: &Call, token: &Secret) -> Result<(AddressLink, User), Error> {
    guess::look(provider, call, guess::Account::RegistrationLink).await?;
    let found = {
        let mut store = provider.store.read().await?;
        let link = store
            .find_action_link(ActionLinkKind::NewAddress, &token.digest(), call.now)
            .await?;
        let link = link.and_then(|link| {
            Some(AddressLink {
                user: link.user?,
                email: link.email?,
                side: match link.kind {
                    ActionLinkKind::OldAddress => AddressSide::Old,
                    _ => AddressSide::New,
                },
                created_at: link.created_at,
            })
        });
        match link {
            Some(link) => store.find_user(link.user).await?.map(|user| (link, user)),
            None => None,
        }
    };
    let Some(found) = found else {
        guess::wrong(provider, call, guess::Account::RegistrationLink).await?;
        return Err(Error::NotFound);
    };
    guess::right(provider, call, guess::Account::RegistrationLink).await?;
    Ok(found)
}

/// The same for whoever is signed in: a link of somebody else's is none, and a guess.
///
/// # Errors
/// As [`confirm_address`].
pub async fn confirm_own_address(
    provider: &Provider,
    call: &Call,
    asker: Id<User>,
    token: &Secret,
) -> Result<Confirmed, Error> {
    let (link, _) = look_at_address(provider, call, token).await?;
    if link.user != asker {
        guess::wrong(provider, call, guess::Account::RegistrationLink).await?;
        return Err(Error::NotFound);
    }
    confirm_address(provider, call, token).await
}

/// Answers a mail. With the last answer the address is the person's, and the one until now is told.
///
/// # Errors
/// As [`look_at_address`]; [`Error::Invalid`] if somebody else has the address by now.
pub async fn confirm_address(provider: &Provider, call: &Call, token: &Secret) -> Result<Confirmed, Error> {
    let (link, user) = look_at_address(provider, call, token).await?;
    let call = &call.by(Actor::User(user.id));
    let account = letter::link(provider, "/account")?;
    let old = user
        .profile
        .email
        .clone()
        .filter(|old| comparison_key(old) != comparison_key(&link.email));
    // whoever has only the mailbox until now can still keep everybody out
    let lock = match &old {
        Some(old) => Some(PostedLink::locking(provider, user.id, old)?),
        None => None,
    };
    let news = view::Mail::Address(view::AddressMail {
        name: user.full_name(),
        step: AddressStep::Changed,
        email: link.email.clone(),
        seconds: 0,
        link: account,
        lock: lock.as_ref().map(|lock| lock.page.clone()),
    });
    let news = match old.zip(lock) {
        Some((old, lock)) => Some(News::with(
            letter::to(provider, &user, old, ("email_changed", &news))?,
            lock,
        )),
        None => None,
    };
    let digest = token.digest();
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = confirm_in(&mut tx, call, (&digest, &link), news.as_ref()).await;
        settle(tx, done).await
    })
    .await
}

async fn confirm_in(
    tx: &mut Write,
    call: &Call,
    (digest, link): (&crate::model::Digest, &AddressLink),
    news: Option<&News>,
) -> Result<Confirmed, Error> {
    tx.hold_user(link.user).await?;
    if !tx.use_action_link(ActionLinkKind::NewAddress, digest, call.now).await? {
        return Err(Error::NotFound);
    }
    if left(tx, link.user, link.created_at).await? {
        return Ok(Confirmed::OneLeft);
    }
    let change = UserChange {
        email: Some(Some(link.email.clone())),
        email_verified: Some(true),
        ..UserChange::default()
    };
    user_change::change_in(tx, call, &ChangeSource::Person, link.user, None, change).await?;
    tx.complete_action(link.user, RequiredAction::VerifyEmail).await?;
    let event = call.event(EventKind::EmailConfirmed).user(link.user);
    tx.add_event(&event.fact("changed", Fact::Bool(news.is_some()))).await?;
    if let Some(news) = news {
        news.write(tx, call).await?;
    }
    Ok(Confirmed::Done)
}

async fn left(tx: &mut Write, user: Id<User>, asked: Timestamp) -> Result<bool, Error> {
    Ok(tx
        .count_action_links_left(ActionLinkKind::NewAddress, user, asked)
        .await?
        > 0)
}
