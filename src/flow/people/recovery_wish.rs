//! The wish for a link to a new password ([`super::wishes`] says when it is looked at).

use super::identifiers::find_who_signs_in;
use super::wishes::Wish;
use crate::flow::again::again;
use crate::flow::{Call, Error, Provider, guess, letter};
use crate::model::setting::{RECOVERY_ENABLED, RECOVERY_LINK_LIFETIME};
use crate::model::{EventKind, Fact, Secret, User, UserStatus};
use crate::store::{ActionLinkKind, NewActionLink, OutboxMail};
use crate::view;

/// No username or mail address is longer.
const LONGEST_IDENTIFIER: usize = 512;

/// Somebody's wish for a link to a new password.
#[derive(Debug)]
pub(super) struct RecoveryWish {
    identifier: String,
    /// The pending authorization request that the person wants to go on with.
    flow: Option<String>,
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
    let wish = RecoveryWish { identifier, flow };
    provider.wishes.put(call, Wish::Recovery(wish))
}

/// Mails a link, if the wish names somebody who may have one.
///
/// # Errors
/// [`Error::Unavailable`]; the wish is lost.
pub(super) async fn answer(provider: &Provider, call: &Call, wish: &RecoveryWish) -> Result<(), Error> {
    let found = find_who_signs_in(provider, &wish.identifier).await?;
    let Some(user) = found else {
        note(provider, call, "recovery.unknown", None).await;
        return Ok(());
    };
    // whoever was invited and has not followed the link has nothing to recover: who administers sends another
    let is_unclaimed = user.status == UserStatus::Invited && user.password.is_none();
    if is_unclaimed || !user.may_be_prepared(call.now) {
        note(provider, call, "recovery.inactive", Some(&user)).await;
        return Ok(());
    }
    let Some(recipient) = user.profile.email.clone() else {
        note(provider, call, "recovery.no_address", Some(&user)).await;
        return Ok(());
    };
    if let Err(error) = guess::spend_wish_for(provider, call, &user.id.to_string()).await {
        if !matches!(error, Error::Throttled { .. }) {
            return Err(error);
        }
        note(provider, call, "recovery.too_many", Some(&user)).await;
        return Ok(());
    }
    let token = Secret::generate();
    let lifetime = provider.settings().await?.duration(RECOVERY_LINK_LIFETIME);
    let link = mailed_link(provider, "/login/recover", (&token, wish.flow.as_deref()))?;
    let mail = view::Mail::Recovery(view::Recovery {
        name: user.full_name(),
        username: user.username.clone(),
        seconds: lifetime.as_secs(),
        address: call.origin.address.map(|address| address.to_string()),
        link,
    });
    let mail = letter::to(provider, &user, recipient.clone(), ("recovery", &mail))?;
    let ends = call.now.after(lifetime);
    again(|| write(provider, call, (&user, &recipient), (&token, ends), &mail)).await
}

/// The address of a page that a mail leads to, with the secret that opens it and the request that waits.
pub(super) fn mailed_link(
    provider: &Provider,
    page: &str,
    (token, flow): (&Secret, Option<&str>),
) -> Result<view::Link, Error> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("token", token.expose())
        .extend_pairs(flow.map(|flow| ("flow", flow)))
        .finish();
    letter::link(provider, &format!("{page}?{query}"))
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
    tx.add_action_link(NewActionLink {
        kind: ActionLinkKind::Recovery,
        digest: &token.digest(),
        user: Some(user.id),
        email: recipient,
        term: (call.now, ends),
    })
    .await?;
    tx.add_mail(mail, call.now).await?;
    let event = call.event(EventKind::PasswordLinkMailed).user(user.id);
    tx.add_event(&event.fact("recovery", Fact::Bool(true))).await?;
    Ok(tx.commit().await?)
}

async fn note(provider: &Provider, call: &Call, rule: &'static str, user: Option<&User>) {
    let event = call.event(EventKind::PasswordLinkMailed).refused(rule);
    let event = match user {
        Some(user) => event.user(user.id),
        None => event,
    };
    provider.note_strangers_refusal(call, event, rule).await;
}
