//! The wish for an account of one's own ([`super::wishes`] says when it is looked at). What is mailed is a link, and everything else is
//! asked behind it: nothing of a stranger is kept but the address, for as long as the link works.

pub(super) use super::recovery_wish::mailed_link;
use std::time::Duration;

use super::challenge::{self, Met};
use super::registration_limits;
use super::wishes::Wish;
use crate::flow::again::again;
use crate::flow::{Call, Error, Provider, guess, letter};
use crate::model::setting::{RECOVERY_ENABLED, REGISTRATION_LINK_LIFETIME, REGISTRATION_MODE, REGISTRATION_MOST_LINKS};
use crate::model::user::comparison_key;
use crate::model::{Event, EventKind, Secret, Timestamp, User, UserStatus};
use crate::store::{ActionLinkKind, NewActionLink, OutboxMail};
use crate::view::{self, Locale};

/// Somebody's wish for an account.
#[derive(Debug)]
pub(super) struct RegistrationWish {
    email: String,
    locale: Locale,
    /// Who asks for the mail.
    by: Asker,
    /// What the link leads to.
    to: ActionLinkKind,
    /// The pending authorization request that the person wants to go on with.
    flow: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Stranger,
    Administrator,
}

/// Who may have an account of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Nobody.
    Off,
    /// Anyone who can read a mail.
    Open,
    /// Whoever was invited.
    Invitation,
    /// Whoever asks, if an administrator approves.
    Request,
}

/// Who may have an account of their own, by setting.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn registration_mode(provider: &Provider) -> Result<RegistrationMode, Error> {
    Ok(match provider.settings().await?.word(REGISTRATION_MODE) {
        "open" => RegistrationMode::Open,
        "invitation" => RegistrationMode::Invitation,
        "request" => RegistrationMode::Request,
        _ => RegistrationMode::Off,
    })
}

/// Utters a wish for an account of this address. Nothing is looked up here but the form of the address, and what is asked of strangers for
/// this `form`.
///
/// # Errors
/// [`Error::NotFound`] where not anyone may have an account; [`Error::Invalid`] if it is no address, or one of a domain that may not;
/// [`Error::Throttled`] if there were too many; [`Error::Busy`].
pub async fn ask_for_account(
    provider: &Provider,
    call: &Call,
    (email, locale, flow): (String, Locale, Option<String>),
    (form, met): (&str, &Met),
) -> Result<(), Error> {
    let to = match registration_mode(provider).await? {
        RegistrationMode::Open => ActionLinkKind::Registration,
        RegistrationMode::Request => ActionLinkKind::AccessRequest,
        RegistrationMode::Off | RegistrationMode::Invitation => return Err(Error::NotFound),
    };
    registration_limits::judge_stranger(provider, call, &email).await?;
    // before anything is counted: who does no work uses up nothing of anybody's
    let judged = challenge::judge(provider, call, (form, met)).await?;
    guess::spend_wish_of_source(provider, call).await?;
    challenge::ask(provider, call, &judged).await?;
    registration_limits::spend(provider, call, &email).await?;
    challenge::spend(provider, call, judged).await?;
    let wish = RegistrationWish {
        email,
        locale,
        by: Asker::Stranger,
        to,
        flow,
    };
    provider.wishes.put(call, Wish::Registration(wish))
}

/// Mails a link to a new account to somebody who did not ask for it.
///
/// # Errors
/// [`Error::Conflict`] `registration_off` where nobody may have an account of their own, `too_many_links` if too many links are open;
/// [`Error::Invalid`] if it is no address, somebody's, or one of a domain that may not; [`Error::Throttled`] if the address was sent enough.
pub async fn invite(provider: &Provider, call: &Call, email: String, locale: Locale) -> Result<(), Error> {
    if registration_mode(provider).await? == RegistrationMode::Off {
        return Err(Error::Conflict("registration_off"));
    }
    registration_limits::judge_address(&*provider.settings().await?, &email)?;
    let found = {
        let mut store = provider.store.read().await?;
        store.find_user_by_identifier(&email).await?
    };
    if found.is_some() {
        return Err(Error::field("/email", "taken", "somebody has an account with it"));
    }
    guess::spend_mail_to(provider, call, &comparison_key(&email)).await?;
    let wish = RegistrationWish {
        email,
        locale,
        by: Asker::Administrator,
        to: ActionLinkKind::Registration,
        flow: None,
    };
    if mail_link(provider, call, &wish).await? {
        Ok(())
    } else {
        Err(Error::Conflict("too_many_links"))
    }
}

/// Mails a link to a new account, or says that there is one.
///
/// # Errors
/// [`Error::Unavailable`]; the wish is lost.
pub(super) async fn answer(provider: &Provider, call: &Call, wish: &RegistrationWish) -> Result<(), Error> {
    let found = {
        let mut store = provider.store.read().await?;
        store.find_user_by_identifier(&wish.email).await?
    };
    if let Err(error) = guess::spend_mail_to(provider, call, &comparison_key(&wish.email)).await {
        if !matches!(error, Error::Throttled { .. }) {
            return Err(error);
        }
        note(provider, call, "registration.too_many", found.as_ref()).await;
        return Ok(());
    }
    let Some(user) = found else {
        return mail_link(provider, call, wish).await.map(drop);
    };
    match own_address(&user, &wish.email, call.now) {
        Some(email) => tell_owner(provider, call, &user, email).await,
        None => {
            note(provider, call, "registration.taken", Some(&user)).await;
            Ok(())
        }
    }
}

/// Mails a link to a new account. False: too many are open.
async fn mail_link(provider: &Provider, call: &Call, wish: &RegistrationWish) -> Result<bool, Error> {
    let settings = provider.settings().await?;
    let most = u32::try_from(settings.count(REGISTRATION_MOST_LINKS)).unwrap_or(u32::MAX);
    let open = {
        let mut store = provider.store.read().await?;
        store.count_registration_links(call.now, most).await?
    };
    if open >= i64::from(most) {
        note(provider, call, "registration.full", None).await;
        return Ok(false);
    }
    let token = Secret::generate();
    let lifetime = settings.duration(REGISTRATION_LINK_LIFETIME);
    let mail = letter(provider, call, wish, (&token, lifetime))?;
    let ends = call.now.after(lifetime);
    again(|| async {
        let mut tx = provider.store.write().await?;
        tx.add_action_link(NewActionLink {
            kind: wish.to,
            digest: &token.digest(),
            user: None,
            email: &wish.email,
            term: (call.now, ends),
        })
        .await?;
        tx.add_mail(&mail, call.now).await?;
        tx.add_event(&call.event(EventKind::RegistrationLinkMailed)).await?;
        Ok::<_, Error>(tx.commit().await?)
    })
    .await?;
    Ok(true)
}

/// The mail with the link.
fn letter(
    provider: &Provider,
    call: &Call,
    wish: &RegistrationWish,
    (token, lifetime): (&Secret, Duration),
) -> Result<OutboxMail, Error> {
    let address = match wish.by {
        Asker::Stranger => call.origin.address.map(|address| address.to_string()),
        Asker::Administrator => None,
    };
    let seconds = lifetime.as_secs();
    let (kind, mail) = match wish.to {
        ActionLinkKind::Registration => {
            let mail = view::Mail::Registration(view::Registration {
                seconds,
                address,
                invited: wish.by == Asker::Administrator,
                link: mailed_link(provider, "/register/new", (token, wish.flow.as_deref()))?,
            });
            ("registration", mail)
        }
        _ => {
            let link = mailed_link(provider, "/request-access/new", (token, None))?;
            let mail = view::Mail::Access(view::AccessMail {
                step: view::AccessStep::Confirm,
                seconds,
                address,
                link: Some(link),
            });
            ("access", mail)
        }
    };
    letter::to_stranger(provider, wish.email.clone(), wish.locale, (kind, &mail))
}

/// The mail to whoever has an account already: that somebody asked, and how to get into it. `email` is their stored address.
pub(super) async fn already_registered(provider: &Provider, user: &User, email: String) -> Result<OutboxMail, Error> {
    let may_recover = provider.settings().await?.flag(RECOVERY_ENABLED);
    let mail = view::Mail::AlreadyRegistered(view::AlreadyRegistered {
        name: user.full_name(),
        username: user.username.clone(),
        sign_in: letter::link(provider, "/login")?,
        recovery: may_recover
            .then(|| letter::link(provider, "/login/forgot"))
            .transpose()?,
    });
    letter::to(provider, user, email, ("already_registered", &mail))
}

/// The stored address of somebody who may sign in, if it is this one, however it is written. Whoever has it as a username only is not
/// who reads its mail.
pub(super) fn own_address(user: &User, email: &str, now: Timestamp) -> Option<String> {
    let may_sign_in = user.is_active(now) && user.status != UserStatus::Invited;
    let stored = user.profile.email.clone().filter(|_| may_sign_in)?;
    (comparison_key(&stored) == comparison_key(email)).then_some(stored)
}

async fn tell_owner(provider: &Provider, call: &Call, user: &User, email: String) -> Result<(), Error> {
    let mail = already_registered(provider, user, email).await?;
    again(|| async {
        let mut tx = provider.store.write().await?;
        tx.add_mail(&mail, call.now).await?;
        let event = refused(call, "registration.exists", Some(user));
        tx.add_event(&event).await?;
        Ok::<_, Error>(tx.commit().await?)
    })
    .await
}

async fn note(provider: &Provider, call: &Call, rule: &'static str, user: Option<&User>) {
    provider
        .note_strangers_refusal(call, refused(call, rule, user), rule)
        .await;
}

fn refused(call: &Call, rule: &'static str, user: Option<&User>) -> Event {
    let event = call.event(EventKind::RegistrationLinkMailed).refused(rule);
    match user {
        Some(user) => event.user(user.id),
        None => event,
    }
}
