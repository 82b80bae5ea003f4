//! Codes of six digits that are sent by mail or as a text message: to show that a number is one's own, as a second factor, to sign in.
//!
//! A code is bound to the flow that it was made in and to the stored address that it was sent to; a new one takes the place of the one
//! before, so that one is live at most; it counts for ten minutes, five tries and once (SEC-255, SEC-300). What is kept of it is a keyed
//! digest, sealed. Whoever judges one counts the guess at the account besides ([`guess`]), and sending is counted by destination,
//! source and altogether (SEC-301).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::again::again;
use super::pending::{self, MOST_PER_NETWORK};
use super::{Call, Error, Provider, guess, letter};
use crate::crypto;
use crate::ephemeral::{Counted, Counter, Kind, Owner, Spent};
use crate::model::{Channel, EventKind, Fact, Id, Secret, Session, Timestamp, User};
use crate::random;
use crate::store::OutboxMail;
use crate::view::{self, CodeUse};

/// How long a code counts.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How often it may be typed.
const TRIES: u32 = 5;
/// Longer than any code counts: the tries at one never come back.
const TRIES_KEPT_FOR: Duration = Duration::from_secs(60 * 60);
/// How many digits it has.
pub const DIGITS: usize = 6;
const SEALED_FOR: &str = "short code";

/// Where a code stands: for one person and one use, and the flow that it is bound to.
#[derive(Clone, Debug)]
pub struct Place {
    kind: Kind,
    key: String,
    flow: String,
    /// Whose it is counted as, where strangers have codes made.
    owner: Option<Owner>,
}

impl Place {
    /// To show that a number is one's own, in the session that asks.
    pub fn phone(provider: &Provider, user: Id<User>, session: Id<Session>) -> Self {
        Self::of(provider, ("phone", user.uuid().as_bytes()), session.to_string())
    }

    /// The same on the way in, for the sign-in that waits for it.
    pub fn phone_at_sign_in(provider: &Provider, user: Id<User>, duty: &str) -> Self {
        Self::of(provider, ("phone at sign-in", user.uuid().as_bytes()), duty.to_owned())
    }

    /// As a second factor of a person, for the sign-in that waits for it: one by each way.
    pub fn factor(provider: &Provider, user: Id<User>, channel: Channel, demand: &str) -> Self {
        let word = match channel {
            Channel::Mail => "factor by mail",
            Channel::Sms => "factor by text",
        };
        Self::of(provider, (word, user.uuid().as_bytes()), demand.to_owned())
    }

    /// To sign in, in the browser that asked: beside what waits for it, and counted with it (SEC-066).
    pub fn sign_in(provider: &Provider, call: &Call, attempt: &str) -> Self {
        Self {
            kind: Kind::CodeSignIn,
            key: format!("{attempt}.code"),
            flow: attempt.to_owned(),
            owner: Some(pending::owner(provider, call)),
        }
    }

    fn of(provider: &Provider, (word, of): (&str, &[u8]), flow: String) -> Self {
        let key = provider.master.derive("place of a short code");
        Self {
            kind: Kind::ShortCode,
            key: crypto::hex(&crypto::mac(&key, &[word.as_bytes(), of])),
            flow,
            owner: None,
        }
    }
}

/// What is kept of a code.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: String,
    mac: [u8; 32],
    flow: String,
    channel: Channel,
    recipient: String,
    expires: Timestamp,
}

/// A code that waits to be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// By which way it was sent.
    pub channel: Channel,
    /// Where it was sent to.
    pub recipient: String,
    /// Until when it counts.
    pub expires: Timestamp,
}

/// Counts a message with a code, before it is made: by where it goes, and text messages by how many leave altogether.
///
/// # Errors
/// [`Error::Throttled`].
pub async fn spend(provider: &Provider, call: &Call, channel: Channel, recipient: &str) -> Result<(), Error> {
    guess::spend_code_to(provider, call, recipient).await?;
    match channel {
        Channel::Mail => Ok(()),
        Channel::Sms => guess::spend_text(provider, call).await,
    }
}

/// Makes a code in the place of the one before.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn make(
    provider: &Provider,
    call: &Call,
    place: &Place,
    (channel, recipient): (Channel, &str),
) -> Result<(Secret, Timestamp), Error> {
    let code = Secret::new((0..DIGITS).map(|_| char::from(b'0' + digit())).collect::<String>());
    let id = random::token();
    let expires = call.now.after(LIFETIME);
    let kept = Kept {
        mac: mac(provider, &id, &code),
        id,
        flow: place.flow.clone(),
        channel,
        recipient: recipient.to_owned(),
        expires,
    };
    let plain = serde_json::to_vec(&kept).map_err(|error| Error::Failed(Box::new(error)))?;
    let sealed = provider.master.seal(SEALED_FOR, &plain);
    let store = &provider.ephemeral;
    match &place.owner {
        Some(owner) => {
            let within = (owner, MOST_PER_NETWORK);
            store
                .put_within(place.kind, within, &place.key, &sealed, expires, call.now)
                .await?;
        }
        None => store.put(place.kind, &place.key, &sealed, expires, call.now).await?,
    }
    Ok((code, expires))
}

/// The message that brings a code.
pub(super) fn message(
    provider: &Provider,
    call: &Call,
    (user, recipient): (&User, String),
    (channel, code, ends): (Channel, &Secret, Timestamp),
) -> Result<OutboxMail, Error> {
    match channel {
        Channel::Mail => {
            let mail = view::Mail::Code(view::CodeMail {
                name: user.full_name(),
                code: code.expose().to_owned(),
                seconds: LIFETIME.as_secs(),
                address: call.origin.address.map(|address| address.to_string()),
            });
            letter::to_until(provider, user, recipient, ("code", &mail), ends)
        }
        Channel::Sms => {
            let text = view::Text::Code(view::CodeText {
                code: code.expose().to_owned(),
                used_for: CodeUse::SignIn,
                host: letter::host(provider),
            });
            letter::text_until(provider, user, recipient, ("code", &text), ends)
        }
    }
}

/// Writes it down to be sent, if the account still is active.
pub(super) async fn write(provider: &Provider, call: &Call, user: Id<User>, message: &OutboxMail) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        if !tx.hold_user(user).await? {
            tx.abandon().await?;
            return Ok(());
        }
        tx.add_mail(message, call.now).await?;
        let event = call.event(EventKind::CodeSent).user(user);
        tx.add_event(&event.fact("by", Fact::Word(message.channel.as_str())))
            .await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// The code that waits in this flow, if one does.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn waiting(provider: &Provider, call: &Call, place: &Place) -> Result<Option<Waiting>, Error> {
    let kept = find(provider, call, place).await?;
    Ok(kept.map(|kept| Waiting {
        channel: kept.channel,
        recipient: kept.recipient,
        expires: kept.expires,
    }))
}

/// Whether what was typed is the code, with whatever blanks and dashes. If it is it counts no more. A wrong one costs a try, and with the
/// last one the code is gone.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn judge(provider: &Provider, call: &Call, place: &Place, typed: &Secret) -> Result<Option<Waiting>, Error> {
    let Some(kept) = find(provider, call, place).await? else {
        return Ok(None);
    };
    let store = &provider.ephemeral;
    let plain: String = typed
        .expose()
        .chars()
        .filter(|letter| !matches!(letter, ' ' | '-'))
        .collect();
    let typed = Secret::new(plain);
    let is_right = crypto::equal(&mac(provider, &kept.id, &typed), &kept.mac);
    // a try is taken before it counts: of many at once no more than five do
    let tries = Counter::new(Counted::ShortCode, &kept.id);
    if let Spent::Refused { .. } = store.spend(tries, TRIES, TRIES_KEPT_FOR, call.now).await? {
        // a form that is sent often takes nothing from whichever of it is about to have the code
        if !is_right {
            store.forget(place.kind, &place.key).await?;
        }
        return Ok(None);
    }
    if !is_right {
        return Ok(None);
    }
    // once: of two who type it at the same time, one has it
    let Some(taken) = store.take(place.kind, &place.key, call.now).await? else {
        return Ok(None);
    };
    let is_same = open(provider, &taken).is_some_and(|taken| taken.id == kept.id);
    Ok(is_same.then_some(Waiting {
        channel: kept.channel,
        recipient: kept.recipient,
        expires: kept.expires,
    }))
}

async fn find(provider: &Provider, call: &Call, place: &Place) -> Result<Option<Kept>, Error> {
    let sealed = provider.ephemeral.get(place.kind, &place.key, call.now).await?;
    let kept = sealed.and_then(|sealed| open(provider, &sealed));
    Ok(kept.filter(|kept| kept.flow == place.flow))
}

fn open(provider: &Provider, sealed: &[u8]) -> Option<Kept> {
    let plain = provider.master.open(SEALED_FOR, sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

fn mac(provider: &Provider, id: &str, code: &Secret) -> [u8; 32] {
    let key = provider.master.derive("digest of a short code");
    crypto::mac(&key, &[id.as_bytes(), code.expose().as_bytes()])
}

fn digit() -> u8 {
    u8::try_from(random::below(10)).unwrap_or_default()
}
