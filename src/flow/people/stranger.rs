//! "This wasn't me": what the link in the mail about a new device does.
//!
//! Whoever holds the link can read the person's mail, and no more: it signs nobody in. It takes something away at once (the
//! device, its sessions, the password's worth), once. A new password needs the link and the old password: the stranger who
//! knows the password does not have the link. Who has forgotten the old password has another link mailed (`recovery`), where people may
//! help themselves, or asks an administrator.

use super::OfflineGrants;
use super::devices::{self, DeviceAct};
use super::own_password::{self, NotReplaced};
use super::passwords::Sessions;
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider, guess};
use crate::model::{Device, EventKind, Fact, Id, Secret, Session, Timestamp, User};
use crate::store::{DeviceAlert, Write};

/// What a link leads to.
#[derive(Debug)]
pub struct Alert {
    /// Whom the mail was sent to.
    pub user: User,
    /// Of which device it told; nothing if that is forgotten.
    pub device: Option<Device>,
    /// When.
    pub at: Timestamp,
    /// What is left to do.
    pub stage: Stage,
}

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// To say that it was somebody else.
    Open,
    /// That was said: a new password is to be set.
    Replace,
    /// Nothing.
    Done,
}

/// Looks at a link. It changes nothing: programs that look at mails follow links. Secrets that lead nowhere are counted as guesses.
///
/// # Errors
/// [`Error::NotFound`] if it is unknown or has ended; [`Error::Throttled`].
pub async fn look_at_alert(provider: &Provider, call: &Call, token: &Secret) -> Result<Alert, Error> {
    guess::look(provider, call, guess::Account::RecoveryLink).await?;
    let mut store = provider.store.read().await?;
    let Some(alert) = store.find_device_alert(&token.digest(), call.now).await? else {
        drop(store);
        guess::wrong(provider, call, guess::Account::RecoveryLink).await?;
        return Err(Error::NotFound);
    };
    let user = store.find_user(alert.user).await?.ok_or(Error::NotFound)?;
    let device = store.find_device(alert.user, alert.device).await?;
    let stage = match (alert.used_at, user.password_expired_at) {
        (None, _) => Stage::Open,
        (Some(_), Some(_)) => Stage::Replace,
        (Some(_), None) => Stage::Done,
    };
    Ok(Alert {
        user,
        device,
        at: alert.created_at,
        stage,
    })
}

/// Says that it was somebody else: the device is blocked for the person, its sessions end with everything that hangs on them,
/// and the password that was used there has to be replaced. Said twice is said.
///
/// # Errors
/// [`Error::NotFound`] if the link is unknown or has ended.
pub async fn disown_device(provider: &Provider, call: &Call, token: &Secret) -> Result<(), Error> {
    let (user, ended) = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = disown_in(&mut tx, call, token).await;
        settle(tx, done).await
    })
    .await?;
    devices::end_browsers(provider, user, ended).await;
    Ok(())
}

async fn disown_in(tx: &mut Write, call: &Call, token: &Secret) -> Result<(Id<User>, Vec<Id<Session>>), Error> {
    let digest = token.digest();
    let is_first = tx.use_device_alert(&digest, call.now).await?;
    let alert: DeviceAlert = tx.find_device_alert(&digest, call.now).await?.ok_or(Error::NotFound)?;
    let (user, device) = (alert.user, alert.device);
    if !is_first {
        return Ok((user, Vec::new()));
    }
    let told = |kind| {
        let event = call.event(kind).because("not_me").user(user);
        event.fact("device", Fact::Id(device.uuid()))
    };
    let act = DeviceAct::Block(OfflineGrants::End);
    let ended = match devices::change_in(tx, call, (user, device), act).await {
        Ok(done) => {
            if let Some(kind) = done.event {
                tx.add_event(&told(kind)).await?;
            }
            done.ended
        }
        // forgotten meanwhile; its sessions are not
        Err(Error::NotFound) => devices::sign_out(tx, call, (user, device), OfflineGrants::End).await?,
        Err(error) => return Err(error),
    };
    if tx.expire_password(user, call.now, alert.created_at).await? {
        tx.add_event(&told(EventKind::PasswordExpired)).await?;
    }
    Ok((user, ended))
}

/// Replaces a password that has to be, by the link and the old one. Every session and grant of the person ends.
///
/// # Errors
/// [`NotReplaced`]: the password is what it was.
pub async fn replace_password(
    provider: &Provider,
    call: &Call,
    token: &Secret,
    passwords: (Secret, Secret),
) -> Result<(), NotReplaced> {
    let alert = look_at_alert(provider, call, token).await?;
    if alert.stage != Stage::Replace || !alert.user.is_active(call.now) {
        return Err(Error::NotFound.into());
    }
    let ends = (Sessions::EndAll, "not_me");
    own_password::replace(provider, call, &alert.user, passwords, ends).await
}
