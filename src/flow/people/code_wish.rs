//! The wish for a code, or a link, to sign in with ([`super::wishes`] says when it is looked at). Whoever is named, a code is made; it is sent to
//! nobody but a person who may sign in so, at what they have confirmed.

use serde::{Deserialize, Serialize};

use super::identifiers::find_who_signs_in;
use super::recovery_wish::mailed_link;
use super::wishes::Wish;
use crate::flow::provider::Texts;
use crate::flow::short_code::{self, Place};
use crate::flow::{Call, Error, Provider, letter, sign_in_link};
use crate::model::setting::{SIGN_IN_MAIL_CODES, SIGN_IN_MAIL_LINKS, SIGN_IN_TEXT_CODES};
use crate::model::{Channel, EventKind, Id, User};
use crate::view;

/// By what somebody wants to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Means {
    /// A code by mail.
    MailCode,
    /// A link by mail.
    MailLink,
    /// A code as a text message.
    TextCode,
}

impl Means {
    /// The way that it is sent by.
    pub const fn channel(self) -> Channel {
        match self {
            Self::MailCode | Self::MailLink => Channel::Mail,
            Self::TextCode => Channel::Sms,
        }
    }

    /// The setting that allows it.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::MailCode => SIGN_IN_MAIL_CODES,
            Self::MailLink => SIGN_IN_MAIL_LINKS,
            Self::TextCode => SIGN_IN_TEXT_CODES,
        }
    }
}

/// Somebody's wish for a code, or a link.
#[derive(Debug)]
pub(super) struct CodeWish {
    identifier: String,
    /// Who it has to be, whatever they are called.
    expected: Option<Id<User>>,
    means: Means,
    /// The sign-in that waits for it.
    attempt: String,
}

/// Whether anybody may sign in so.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn may_sign_in_by(provider: &Provider, means: Means) -> Result<bool, Error> {
    let settings = provider.settings().await?;
    Ok(settings.flag(means.setting()) && can_leave(provider, means.channel()))
}

fn can_leave(provider: &Provider, channel: Channel) -> bool {
    channel == Channel::Mail || provider.texts == Texts::Taken
}

/// Utters a wish for a code, or a link. Nothing is looked up here.
///
/// # Errors
/// [`Error::Busy`].
pub(in crate::flow) fn ask_for_code(
    provider: &Provider,
    call: &Call,
    (identifier, expected): (&str, Option<Id<User>>),
    (means, attempt): (Means, &str),
) -> Result<(), Error> {
    let wish = CodeWish {
        identifier: identifier.to_owned(),
        expected,
        means,
        attempt: attempt.to_owned(),
    };
    provider.wishes.put(call, Wish::Code(wish))
}

/// Makes a code for the sign-in that waits, and sends it if the wish names somebody who may have one. For nobody one is made as well:
/// what is typed is judged the same.
///
/// # Errors
/// [`Error::Unavailable`]; the wish is lost.
pub(super) async fn answer(provider: &Provider, call: &Call, wish: &CodeWish) -> Result<(), Error> {
    let place = Place::sign_in(provider, call, &wish.attempt);
    let channel = wish.means.channel();
    let (user, recipient) = match reached(provider, call, wish).await? {
        Ok(reached) => reached,
        Err((rule, user)) => {
            short_code::make(provider, call, &place, (channel, "")).await?;
            note(provider, call, rule, user.as_ref()).await;
            return Ok(());
        }
    };
    if let Err(error) = short_code::spend(provider, call, channel, &recipient).await {
        if !matches!(error, Error::Throttled { .. }) {
            return Err(error);
        }
        // the one before goes on counting
        if short_code::waiting(provider, call, &place).await?.is_none() {
            short_code::make(provider, call, &place, (channel, "")).await?;
        }
        note(provider, call, "sent_code.too_many", Some(&user)).await;
        return Ok(());
    }
    if wish.means == Means::MailLink {
        return mail_link(provider, call, wish, (&user, recipient)).await;
    }
    let (code, ends) = short_code::make(provider, call, &place, (channel, &recipient)).await?;
    let message = short_code::message(provider, call, (&user, recipient), (channel, &code, ends))?;
    short_code::write(provider, call, user.id, &message).await
}

async fn mail_link(
    provider: &Provider,
    call: &Call,
    wish: &CodeWish,
    (user, recipient): (&User, String),
) -> Result<(), Error> {
    let (token, ends) = sign_in_link::make(provider, call, (&wish.attempt, user.id, &recipient)).await?;
    let mail = view::Mail::SignInLink(view::SignInLinkMail {
        name: user.full_name(),
        seconds: short_code::LIFETIME.as_secs(),
        address: call.origin.address.map(|address| address.to_string()),
        link: mailed_link(provider, "/login/link", (&token, None))?,
    });
    let message = letter::to_until(provider, user, recipient, ("sign_in_link", &mail), ends)?;
    short_code::write(provider, call, user.id, &message).await
}

/// Who is meant and how they are reached; or why nothing is sent, and to whom.
type Reached = Result<(User, String), (&'static str, Option<User>)>;

async fn reached(provider: &Provider, call: &Call, wish: &CodeWish) -> Result<Reached, Error> {
    let found = match wish.expected {
        Some(expected) => provider.store.read().await?.find_user(expected).await?,
        None => find_who_signs_in(provider, &wish.identifier).await?,
    };
    let Some(user) = found else {
        return Ok(Err(("sent_code.unknown", None)));
    };
    let Some(recipient) = user.confirmed(wish.means.channel()).map(str::to_owned) else {
        return Ok(Err(("sent_code.no_address", Some(user))));
    };
    let settings = provider.settings().await?;
    let person = provider.person(user.id, call.now).await?.ok_or(Error::NotFound)?;
    if !person.layers(&settings, None).flag(wish.means.setting()) {
        return Ok(Err(("sent_code.not_allowed", Some(user))));
    }
    Ok(Ok((user, recipient)))
}

async fn note(provider: &Provider, call: &Call, rule: &'static str, user: Option<&User>) {
    let event = call.event(EventKind::CodeSent).refused(rule);
    let event = match user {
        Some(user) => event.user(user.id),
        None => event,
    };
    provider.note_strangers_refusal(call, event, rule).await;
}
