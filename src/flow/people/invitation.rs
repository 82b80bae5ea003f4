//! An account that is made for somebody, who is invited to it: a link is mailed by which they choose a password, and with their first
//! sign-in the account is active. Until then it is `invited`. The mail may be sent again; what was sent before leads nowhere then.
//!
//! [`super::invite`] is something else: it invites an address that has no account, whose owner makes one.

use super::departure::{self, Departure, HadAdministrator};
use super::password_link::PreparedLink;
use super::{ChangeSource, server_account, standing};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider, guess};
use crate::model::user::comparison_key;
use crate::model::{AccountState, EventKind, Id, Timestamp, User, UserStatus};
use crate::store::Write;

/// Invites somebody to the account that was made for them, or does so again. Who was deactivated is invited with it, and so is whoever may
/// use the account and never has.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Stale`], [`Error::Forbidden`]; [`Error::Conflict`] `has_signed_in` for whoever uses their account,
/// `not_to_be_invited` for an account that is locked, being deleted or over, `last_administrator`; [`Error::Invalid`] for whoever has no
/// address; [`Error::Throttled`] if the address was sent enough.
pub async fn send_invitation(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    expected: Option<i64>,
) -> Result<User, Error> {
    let user = super::get_user(provider, id).await?;
    let link = prepare(provider, call, source, &user).await?;
    let link = &link;
    let user = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = send_in(&mut tx, call, source, (id, expected), link).await;
        settle(tx, done).await
    })
    .await?;
    departure::end_browsers(provider, call, id).await;
    Ok(user)
}

/// The link and its mail, where somebody may be invited.
pub(super) async fn prepare(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    user: &User,
) -> Result<PreparedLink, Error> {
    source.must_outrank(&provider.store.read().await?.list_permissions_of(user.id).await?)?;
    judge(user, call.now)?;
    if let Some(email) = &user.profile.email {
        guess::spend_mail_to(provider, call, &comparison_key(email)).await?;
    }
    let mut invited = user.clone();
    invited.status = UserStatus::Invited;
    let settings = provider.settings().await?;
    PreparedLink::of(provider, call, &invited, &settings).await
}

/// The rest of it, as a part of a transaction.
pub(super) async fn send_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<User>, Option<i64>),
    link: &PreparedLink,
) -> Result<User, Error> {
    let user = invite_in(tx, call, source, (id, expected)).await?;
    if !link.leads_to(&user) {
        return Err(Error::Stale);
    }
    link.add_in(tx, call, source, id).await?;
    Ok(user)
}

/// Has an account wait for its owner, as a part of a transaction that holds it from then on.
async fn invite_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (id, expected): (Id<User>, Option<i64>),
) -> Result<User, Error> {
    let administrator = HadAdministrator::ask(tx, call.now).await?;
    if !tx.hold_user(id).await? {
        return Err(Error::NotFound);
    }
    let mut user = standing::load(tx, source, id, expected).await?;
    judge(&user, call.now)?;
    let was_usable = user.status == UserStatus::Active;
    user.invited_at = Some(call.now);
    let user = standing::move_to(tx, call, user, UserStatus::Invited).await?;
    administrator.must_stay_so(tx, call.now).await?;
    if was_usable {
        departure::end_everything(tx, call, id, Departure::Invited).await?;
    }
    let event = call.event(EventKind::UserInvited).user(id);
    tx.add_event(&event.fact("source", source.fact())).await?;
    Ok(user)
}

/// Who may be invited to an account.
fn judge(user: &User, now: Timestamp) -> Result<(), Error> {
    server_account::must_be_a_persons(user)?;
    if user.state(now) == AccountState::Expired {
        return Err(Error::Conflict("not_to_be_invited"));
    }
    match user.status {
        UserStatus::Invited | UserStatus::Inactive => Ok(()),
        UserStatus::Active if user.signed_in_at.is_none() => Ok(()),
        UserStatus::Active => Err(Error::Conflict("has_signed_in")),
        UserStatus::Locked | UserStatus::Leaving | UserStatus::Deleted => Err(Error::Conflict("not_to_be_invited")),
    }
}
