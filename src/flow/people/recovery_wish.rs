//! The wish for a link to a new password. Whoever utters it is answered before anybody has looked who is meant: wishes wait in
//! memory and are looked at a moment later, so neither the answer nor its time tells whether there is such an account (SEC-221,
//! SEC-301). A wish that a kill loses is uttered again by the person who waits for the mail.

use std::sync::Mutex;

use crate::flow::again::again;
use crate::flow::{Call, Error, Provider, guess, letter};
use crate::model::setting::{RECOVERY_ENABLED, RECOVERY_LINK_LIFETIME};
use crate::model::{Event, EventKind, Fact, Secret, User};
use crate::store::OutboxMail;
use crate::view;

/// More wishes do not wait: whoever comes then is told to come again.
const MOST_WAITING: usize = 2_000;
/// So many are looked at in one go.
const BATCH: usize = 100;
/// No username or mail address is longer.
const LONGEST_IDENTIFIER: usize = 512;

/// Wishes that wait to be looked at.
#[derive(Default)]
pub struct RecoveryWishes {
    waiting: Mutex<Vec<RecoveryWish>>,
    turn: tokio::sync::Mutex<()>,
}

/// Somebody's wish for a link to a new password.
#[derive(Debug)]
struct RecoveryWish {
    call: Call,
    identifier: String,
    /// The pending authorization request that the person wants to go on with.
    flow: Option<String>,
}

impl RecoveryWishes {
    fn put(&self, wish: RecoveryWish) -> Result<(), Error> {
        let mut waiting = self.hold();
        if waiting.len() >= MOST_WAITING {
            return Err(Error::Busy {
                retry_after: std::time::Duration::from_secs(5),
            });
        }
        waiting.push(wish);
        Ok(())
    }

    fn take(&self) -> Vec<RecoveryWish> {
        let mut waiting = self.hold();
        let count = waiting.len().min(BATCH);
        waiting.drain(..count).collect()
    }

    fn hold(&self) -> std::sync::MutexGuard<'_, Vec<RecoveryWish>> {
        match self.waiting.lock() {
            Ok(waiting) => waiting,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// Whether people may help themselves.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn is_recovery_enabled(provider: &Provider) -> Result<bool, Error> {
    Ok(provider.settings().await?.flag(RECOVERY_ENABLED))
}

/// Utters a wish for whoever `identifier` names. Nothing is looked up here.
///
/// # Errors
/// [`Error::NotFound`] where people may not help themselves; [`Error::Throttled`] if too many came from this network;
/// [`Error::Busy`].
pub async fn ask_for_recovery(
    provider: &Provider,
    call: &Call,
    identifier: String,
    flow: Option<String>,
) -> Result<(), Error> {
    if !is_recovery_enabled(provider).await? {
        return Err(Error::NotFound);
    }
    guess::spend_wish_of_source(provider, call).await?;
    if identifier.len() > LONGEST_IDENTIFIER {
        return Ok(());
    }
    let call = call.clone();
    provider.recovery_wishes.put(RecoveryWish { call, identifier, flow })
}

/// Looks at the wishes that wait, and mails links. Gives how many were looked at. One that can't be answered holds up no other.
///
/// # Errors
/// [`Error`] of the last one that could not be answered; it is lost.
pub async fn answer_recovery_wishes(provider: &Provider) -> Result<usize, Error> {
    // one at a time: when this answers, whatever was wished for before is answered, by whomever
    let _turn = provider.recovery_wishes.turn.lock().await;
    let mut count = 0;
    let mut failed = None;
    loop {
        let wishes = provider.recovery_wishes.take();
        if wishes.is_empty() {
            break;
        }
        for wish in wishes {
            count += 1;
            if let Err(error) = answer(provider, &wish).await {
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(count), Err)
}

async fn answer(provider: &Provider, wish: &RecoveryWish) -> Result<(), Error> {
    let call = &wish.call;
    let found = {
        let mut store = provider.store.read().await?;
        store.find_user_by_identifier(&wish.identifier).await?
    };
    let Some(user) = found else {
        provider.note(refused(call, "recovery.unknown", None)).await;
        return Ok(());
    };
    if !user.is_active() {
        provider.note(refused(call, "recovery.inactive", Some(&user))).await;
        return Ok(());
    }
    let Some(recipient) = user.profile.email.clone() else {
        provider.note(refused(call, "recovery.no_address", Some(&user))).await;
        return Ok(());
    };
    if let Err(error) = guess::spend_wish_for(provider, call, &user.id.to_string()).await {
        if !matches!(error, Error::Throttled { .. }) {
            return Err(error);
        }
        provider.note(refused(call, "recovery.too_many", Some(&user))).await;
        return Ok(());
    }
    let token = Secret::generate();
    let lifetime = provider.settings().await?.duration(RECOVERY_LINK_LIFETIME);
    let link = link(provider, &token, wish.flow.as_deref())?;
    let mail = view::Mail::Recovery(view::Recovery {
        name: user.full_name(),
        username: user.username.clone(),
        seconds: lifetime.as_secs(),
        address: call.origin.address.map(|address| address.to_string()),
        link,
    });
    let mail = letter::to(provider, &user, recipient.clone(), ("recovery", &mail)).await?;
    let ends = call.now.after(lifetime);
    again(|| write(provider, call, (&user, &recipient), (&token, ends), &mail)).await
}

fn link(provider: &Provider, token: &Secret, flow: Option<&str>) -> Result<view::Link, Error> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("token", token.expose())
        .extend_pairs(flow.map(|flow| ("flow", flow)))
        .finish();
    let address = provider.issuer.path(&format!("/login/recover?{query}"));
    view::Link::parse(&address).ok_or_else(|| Error::defect("the issuer is not a link"))
}

async fn write(
    provider: &Provider,
    call: &Call,
    (user, recipient): (&User, &str),
    (token, ends): (&Secret, crate::model::Timestamp),
    mail: &OutboxMail,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    // of two links made at once the later one voids the earlier
    if !tx.hold_user(user.id).await? {
        tx.abandon().await?;
        return Ok(());
    }
    tx.add_recovery_link(&token.digest(), (user.id, recipient), call.now, ends)
        .await?;
    tx.add_mail(mail, call.now).await?;
    let event = call.event(EventKind::PasswordLinkMailed).user(user.id);
    tx.add_event(&event.fact("recovery", Fact::Bool(true))).await?;
    Ok(tx.commit().await?)
}

fn refused(call: &Call, rule: &'static str, user: Option<&User>) -> Event {
    let event = call.event(EventKind::PasswordLinkMailed).refused(rule);
    match user {
        Some(user) => event.user(user.id),
        None => event,
    }
}
