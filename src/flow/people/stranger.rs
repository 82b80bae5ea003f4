//! "This wasn't me": what the link in the mail about a new device does.
//!
//! Whoever holds the link can read the person's mail, and no more: it signs nobody in. It takes something away at once (the
//! device, its sessions, the password's worth), once. A new password needs the link and the old password: the stranger who
//! knows the password does not have the link, and whoever reads the mail does not know the password. Who has not both asks an
//! administrator.

use super::devices::{self, DeviceAct};
use super::passwords::{NewPassword, WeakPasswords, set_password};
use super::{ChangeSource, OfflineGrants};
use crate::credential::{self, Verdict};
use crate::flow::again::again;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider, guess};
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

/// Why a password was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum NotReplaced {
    /// The old one is not the person's.
    #[error("the old password is wrong")]
    Wrong,
    /// The new one is the old one.
    #[error("the new password is the old one")]
    Same,
    /// The new one can't be taken.
    #[error("the new password can't be taken")]
    Weak(Vec<FieldError>),
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Looks at a link. It changes nothing: programs that look at mails follow links.
///
/// # Errors
/// [`Error::NotFound`] if it is unknown or has ended.
pub async fn look_at_alert(provider: &Provider, call: &Call, token: &Secret) -> Result<Alert, Error> {
    let mut store = provider.store.read().await?;
    let alert = store.find_device_alert(&token.digest(), call.now).await?;
    let alert = alert.ok_or(Error::NotFound)?;
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
    (old, new): (Secret, Secret),
) -> Result<(), NotReplaced> {
    let alert = look_at_alert(provider, call, token).await?;
    if alert.stage != Stage::Replace || !alert.user.is_active() {
        return Err(Error::NotFound.into());
    }
    let user = &alert.user;
    let name = user.id.to_string();
    let account = guess::Account::User(&name);
    guess::look(provider, call, account).await?;
    match is_right(provider, user, &old).await {
        Ok(true) => guess::right(provider, call, account).await?,
        Ok(false) => {
            guess::wrong(provider, call, account).await?;
            return Err(NotReplaced::Wrong);
        }
        Err(error) => {
            guess::unjudged(provider, call, account).await?;
            return Err(error.into());
        }
    }
    if new.matches(&old) {
        return Err(NotReplaced::Same);
    }
    let (source, new) = (ChangeSource::Person, NewPassword::Given(new));
    match set_password(provider, call, &source, user.id, new, WeakPasswords::Refuse).await {
        Ok(_) => Ok(()),
        Err(Error::Invalid(fields)) => Err(NotReplaced::Weak(fields)),
        Err(error) => Err(error.into()),
    }
}

async fn is_right(provider: &Provider, user: &User, password: &Secret) -> Result<bool, Error> {
    let stored = match &user.password {
        Some(hash) => Some(credential::PasswordHash::parse(hash.expose())?),
        None => None,
    };
    let verdict = provider.passwords.verify(password.clone(), stored).await?;
    Ok(matches!(verdict, Verdict::Right { .. }))
}
