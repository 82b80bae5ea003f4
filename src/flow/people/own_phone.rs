//! A person's own telephone number: set or replaced by whoever types the code that was sent there, and removed. The person is told by
//! mail (SEC-225). What is kept is E.164.

use super::news::{News, PostedLink};
use super::own_email::NotAsked;
use super::user_change::{self, UserChange};
use super::{ChangeSource, fields};
use crate::flow::again::again;
use crate::flow::provider::Texts;
use crate::flow::session::{Asker, PROOF_GOOD_FOR, first_factor};
use crate::flow::settle::settle;
use crate::flow::short_code::{self, Place};
use crate::flow::{Call, Error, Provider, guess, letter};
use crate::model::setting::MFA_ENROLMENT_ASKS_PHONE;
use crate::model::{Actor, Channel, EventKind, Id, Secret, Timestamp, User};
use crate::view::{self, CodeUse, PhoneChange};

/// How many digits of a number are told by mail.
const TOLD: usize = 4;

/// Why a number is not the person's.
#[derive(Debug, thiserror::Error)]
pub enum NotConfirmed {
    /// It is not the code, or none that counts now.
    #[error("the code is wrong")]
    Wrong,
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A number that waits for its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedPhone {
    /// The number.
    pub number: String,
    /// Until when the code counts.
    pub expires: Timestamp,
}

/// Whether people can have a number here: where no text message leaves, none can be shown to be anybody's.
pub fn are_texts_sent(provider: &Provider) -> bool {
    provider.texts == Texts::Taken
}

/// Asks for a number to be the person's, the one they have among them: a code is sent there. Nothing changes yet.
///
/// # Errors
/// [`NotAsked`]; [`Error::Invalid`] if it is no number, [`Error::NotFound`] where no text message leaves, [`Error::Throttled`] if
/// enough were sent.
pub async fn ask_for_phone(provider: &Provider, call: &Call, asker: Asker, typed: &str) -> Result<(), NotAsked> {
    let number = number_of(provider, typed)?;
    let user = proved_to_add(provider, call, asker).await?;
    if user.confirmed(Channel::Sms) == Some(&number) {
        return Err(NotAsked::Same);
    }
    let place = Place::phone(provider, user.id, asker.session);
    Ok(send(provider, call, &user, (&place, number)).await?)
}

/// Has a code sent to a number that is to be a person's who is on their way in, and has proved all that they can.
///
/// # Errors
/// [`Error::Invalid`] if it is no number, [`Error::NotFound`] where no text message leaves, [`Error::Throttled`] if enough were sent.
pub(in crate::flow) async fn ask_for_phone_at_sign_in(
    provider: &Provider,
    call: &Call,
    user: &User,
    (duty, typed): (&str, &str),
) -> Result<(), Error> {
    let number = number_of(provider, typed)?;
    let place = Place::phone_at_sign_in(provider, user.id, duty);
    send(provider, call, user, (&place, number)).await
}

fn number_of(provider: &Provider, typed: &str) -> Result<String, Error> {
    if !are_texts_sent(provider) {
        return Err(Error::NotFound);
    }
    let number = fields::typed_phone_number(typed);
    match fields::check_phone_number(&number) {
        Some(wrong) => Err(Error::Invalid(vec![wrong])),
        None => Ok(number),
    }
}

async fn send(provider: &Provider, call: &Call, user: &User, (place, number): (&Place, String)) -> Result<(), Error> {
    let call = &call.by(Actor::User(user.id));
    short_code::spend(provider, call, Channel::Sms, &number).await?;
    let (code, ends) = short_code::make(provider, call, place, (Channel::Sms, &number)).await?;
    let text = view::Text::Code(view::CodeText {
        code: code.expose().to_owned(),
        used_for: CodeUse::Confirm,
        host: letter::host(provider),
    });
    let text = letter::text_until(provider, user, number, ("phone_code", &text), ends)?;
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if !tx.hold_user(user.id).await? {
                return Err(Error::NotFound);
            }
            tx.add_mail(&text, call.now).await?;
            tx.add_event(&call.event(EventKind::PhoneChangeAsked).user(user.id))
                .await?;
            Ok(())
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// Whether a person has a second factor and is to confirm a number besides, which they have not.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn is_phone_wanted(provider: &Provider, call: &Call, id: Id<User>) -> Result<bool, Error> {
    if !are_texts_sent(provider) {
        return Ok(false);
    }
    let settings = provider.settings().await?;
    let person = provider.person(id, call.now).await?.ok_or(Error::NotFound)?;
    if !person.layers(&settings, None).flag(MFA_ENROLMENT_ASKS_PHONE) {
        return Ok(false);
    }
    let mut store = provider.store.read().await?;
    let user = store.find_user(id).await?.ok_or(Error::NotFound)?;
    let has_factor = !store.list_factors_of(id).await?.is_empty();
    Ok(has_factor && user.confirmed(Channel::Sms).is_none())
}

/// The number that this session has asked for, if its code still counts.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn asked_phone(provider: &Provider, call: &Call, asker: Asker) -> Result<Option<AskedPhone>, Error> {
    let place = Place::phone(provider, asker.user, asker.session);
    asked(provider, call, &place).await
}

/// The number that a sign-in waits for, if its code still counts.
///
/// # Errors
/// [`Error::Unavailable`].
pub(in crate::flow) async fn asked_phone_at_sign_in(
    provider: &Provider,
    call: &Call,
    (user, duty): (Id<User>, &str),
) -> Result<Option<AskedPhone>, Error> {
    let place = Place::phone_at_sign_in(provider, user, duty);
    asked(provider, call, &place).await
}

async fn asked(provider: &Provider, call: &Call, place: &Place) -> Result<Option<AskedPhone>, Error> {
    let waiting = short_code::waiting(provider, call, place).await?;
    Ok(waiting.map(|waiting| AskedPhone {
        number: waiting.recipient,
        expires: waiting.expires,
    }))
}

/// Makes the number the person's that the code was sent to, and tells them.
///
/// # Errors
/// [`NotConfirmed`]; [`Error::Throttled`] after too many wrong ones.
pub async fn confirm_phone(provider: &Provider, call: &Call, asker: Asker, code: &Secret) -> Result<(), NotConfirmed> {
    let place = Place::phone(provider, asker.user, asker.session);
    confirm(provider, call, asker.user, (&place, code)).await
}

/// The same for a sign-in that waits for it.
///
/// # Errors
/// As [`confirm_phone`].
pub(in crate::flow) async fn confirm_phone_at_sign_in(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    (duty, code): (&str, &Secret),
) -> Result<(), NotConfirmed> {
    let place = Place::phone_at_sign_in(provider, user, duty);
    confirm(provider, call, user, (&place, code)).await
}

async fn confirm(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    (place, code): (&Place, &Secret),
) -> Result<(), NotConfirmed> {
    let call = &call.by(Actor::User(user));
    let name = user.to_string();
    let account = guess::Account::SecondFactor(&name);
    guess::look(provider, call, account).await?;
    let number = match short_code::judge(provider, call, place, code).await {
        Ok(Some(waiting)) => waiting.recipient,
        Ok(None) => {
            guess::wrong(provider, call, account).await?;
            return Err(NotConfirmed::Wrong);
        }
        Err(error) => {
            guess::unjudged(provider, call, account).await?;
            return Err(error.into());
        }
    };
    // what else was wrong of this account's codes stays counted
    guess::unjudged(provider, call, account).await?;
    let change = UserChange {
        phone_number: Some(Some(number)),
        phone_number_verified: Some(true),
        ..UserChange::default()
    };
    write(provider, call, user, (change, PhoneChange::Set)).await?;
    Ok(())
}

/// Takes the person's number away, and tells them.
///
/// # Errors
/// [`NotAsked::ProofTooOld`]; [`Error::NotFound`] if they have none, [`Error::Conflict`] `phone_is_factor` if they confirm by it.
pub async fn remove_phone(provider: &Provider, call: &Call, asker: Asker) -> Result<(), NotAsked> {
    let user = proved(provider, call, asker).await?;
    if user.profile.phone_number.is_none() {
        return Err(Error::NotFound.into());
    }
    if is_factor(provider, user.id).await? {
        return Err(Error::Conflict("phone_is_factor").into());
    }
    let call = &call.by(Actor::User(user.id));
    let change = UserChange {
        phone_number: Some(None),
        ..UserChange::default()
    };
    write(provider, call, user.id, (change, PhoneChange::Removed)).await?;
    Ok(())
}

async fn is_factor(provider: &Provider, user: Id<User>) -> Result<bool, Error> {
    let factors = provider.store.read().await?.list_factors_of(user).await?;
    Ok(factors.iter().any(|factor| factor.sent_by() == Some(Channel::Sms)))
}

/// Whoever asks, if they have proved a moment ago who they are: with a second factor, if they have one.
async fn proved(provider: &Provider, call: &Call, asker: Asker) -> Result<User, NotAsked> {
    if call.now >= asker.proved.after(PROOF_GOOD_FOR) {
        return Err(NotAsked::ProofTooOld);
    }
    let (user, factors) = async {
        let mut store = provider.store.read().await?;
        let user = store
            .find_user(asker.user)
            .await?
            .filter(|user| user.is_active(call.now));
        let factors = store.list_factors_of(asker.user).await?;
        Ok::<_, Error>((user.ok_or(Error::NotFound)?, factors))
    }
    .await?;
    if !factors.is_empty() && !asker.is_multiple {
        return Err(NotAsked::ProofTooOld);
    }
    Ok(user)
}

/// The same for a first number: whoever has set up their first factor in this session a moment ago has proved all that there was.
async fn proved_to_add(provider: &Provider, call: &Call, asker: Asker) -> Result<User, NotAsked> {
    match proved(provider, call, asker).await {
        Err(NotAsked::ProofTooOld) if first_factor::is_noted(provider, call, asker).await? => {}
        proved => return proved,
    }
    let found = provider
        .store
        .read()
        .await
        .map_err(Error::from)?
        .find_user(asker.user)
        .await;
    let user = found
        .map_err(Error::from)?
        .filter(|user| user.is_active(call.now))
        .ok_or(Error::NotFound)?;
    match user.confirmed(Channel::Sms) {
        None => Ok(user),
        Some(_) => Err(NotAsked::ProofTooOld),
    }
}

async fn write(
    provider: &Provider,
    call: &Call,
    id: Id<User>,
    (change, told): (UserChange, PhoneChange),
) -> Result<(), Error> {
    let kind = match told {
        PhoneChange::Set => EventKind::PhoneConfirmed,
        PhoneChange::Removed => EventKind::PhoneRemoved,
    };
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if !tx.hold_user(id).await? {
                return Err(Error::NotFound);
            }
            let before = tx
                .find_user(id)
                .await?
                .filter(|user| user.is_active(call.now))
                .ok_or(Error::NotFound)?;
            let after = user_change::change_in(&mut tx, call, &ChangeSource::Person, id, None, change.clone()).await?;
            tx.add_event(&call.event(kind).user(id)).await?;
            let number = after
                .profile
                .phone_number
                .as_ref()
                .or(before.profile.phone_number.as_ref());
            let number = number.cloned().unwrap_or_default();
            if let Some(news) = news(provider, call, &after, (told, &number))? {
                news.write(&mut tx, call).await?;
            }
            Ok(())
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// To a confirmed address alone.
fn news(
    provider: &Provider,
    call: &Call,
    user: &User,
    (change, number): (PhoneChange, &str),
) -> Result<Option<News>, Error> {
    let Some(recipient) = user.profile.email.clone().filter(|_| user.profile.email_verified) else {
        return Ok(None);
    };
    let lock = PostedLink::locking(provider, user.id, &recipient)?;
    let mail = view::Mail::Phone(view::PhoneNews {
        name: user.full_name(),
        change,
        digits: number
            .get(number.len().saturating_sub(TOLD)..)
            .unwrap_or_default()
            .to_owned(),
        at: call.now.micros(),
        account: letter::link(provider, "/account/phone")?,
        lock: lock.page.clone(),
    });
    let mail = letter::to(provider, user, recipient, ("phone", &mail))?;
    Ok(Some(News::with(mail, lock)))
}
