//! The devices that people sign in with: seen, blocked, unblocked, let in and forgotten, by an administrator or by the person.
//!
//! Blocking takes the device and ends its sessions in one transaction; a sign-in that is on its way makes the device's row a
//! condition of its own. So whichever comes first, no session of a blocked device goes on.

use super::{ChangeSource, OfflineGrants};
use crate::flow::again::again;
use crate::flow::session::{Asker, DEVICE_LIMITS, MOST_DEVICES, NotEnded, PROOF_GOOD_FOR};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, Device, DeviceState, EventKind, Fact, Id, Session, Timestamp, User};
use crate::store::Write;

/// More live sessions of one device are not looked at in one go; nobody may have more.
const MOST_SESSIONS: u32 = 200;
/// Why sessions end with their device, in the rows.
const WHY: &str = "device_blocked";

/// What becomes of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceAct {
    /// It may not be signed in with any more, and is signed out.
    Block(OfflineGrants),
    /// It may again.
    Unblock,
    /// It may, although it is not known yet.
    Admit,
    /// It is as if it had never been there.
    Forget,
}

/// The devices of a person, the last used first.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_devices(provider: &Provider, user: Id<User>) -> Result<Vec<Device>, Error> {
    let mut store = provider.store.read().await?;
    if store.find_user(user).await?.is_none() {
        return Err(Error::NotFound);
    }
    Ok(store.list_devices_of(user, MOST_DEVICES).await?)
}

/// A device of a person.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get_device(provider: &Provider, user: Id<User>, device: Id<Device>) -> Result<Device, Error> {
    let mut store = provider.store.read().await?;
    store.find_device(user, device).await?.ok_or(Error::NotFound)
}

/// Changes how a device of somebody stands. What is as it is wanted stays so, and is no error.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] if the person holds rights of administration that the caller lacks,
/// [`Error::Conflict`]: `blocked` for one that is to be let in.
pub async fn change_device(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (user, device): (Id<User>, Id<Device>),
    act: DeviceAct,
) -> Result<(), Error> {
    let ended = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            source.must_outrank(&tx.list_permissions_of(user).await?)?;
            let done = change_in(&mut tx, call, (user, device), act).await?;
            if let Some(kind) = done.event {
                let event = call.event(kind).user(user).fact("source", source.fact());
                tx.add_event(&event.fact("device", Fact::Id(device.uuid()))).await?;
            }
            Ok(done.ended)
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    end_browsers(provider, user, ended).await;
    Ok(())
}

/// A person's own devices; and which of them asks, where that is known.
#[derive(Clone, Debug)]
pub struct OwnDevices {
    /// The devices, the last used first.
    pub devices: Vec<Device>,
    /// The one that the session which asks began with.
    pub here: Option<Id<Device>>,
}

/// The devices of whoever asks.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn own_devices(provider: &Provider, call: &Call, asker: Asker) -> Result<OwnDevices, Error> {
    let session = provider.session_row(asker.session, call.now).await?;
    let mut store = provider.store.read().await?;
    Ok(OwnDevices {
        devices: store.list_devices_of(asker.user, MOST_DEVICES).await?,
        here: session.and_then(|session| session.device),
    })
}

/// The same change by the person. The device that asks can't be blocked: that would be locking oneself out.
///
/// # Errors
/// [`NotEnded`]: nothing was changed.
pub async fn change_own_device(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    device: Id<Device>,
    act: DeviceAct,
) -> Result<(), NotEnded> {
    if call.now >= asker.proved.after(PROOF_GOOD_FOR) {
        return Err(NotEnded::ProofTooOld);
    }
    let session = provider.session_row(asker.session, call.now).await?;
    if session.and_then(|session| session.device) == Some(device) {
        return Err(Error::Conflict("this is the device that asks").into());
    }
    let call = call.by(Actor::User(asker.user));
    let ended = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let done = change_in(&mut tx, &call, (asker.user, device), act).await?;
            if let Some(kind) = done.event {
                let event = call.event(kind).user(asker.user);
                tx.add_event(&event.fact("device", Fact::Id(device.uuid()))).await?;
            }
            Ok(done.ended)
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    end_browsers(provider, asker.user, ended).await;
    Ok(())
}

/// What a change has done.
#[derive(Default)]
pub(super) struct Done {
    /// What there is to tell.
    pub(super) event: Option<EventKind>,
    /// The sessions that have ended.
    pub(super) ended: Vec<Id<Session>>,
}

impl Done {
    fn told(is_new: bool, event: EventKind) -> Self {
        Self {
            event: is_new.then_some(event),
            ended: Vec::new(),
        }
    }
}

/// The change in a transaction. What it has ended is to be ended in the session store after the commit.
pub(super) async fn change_in(
    tx: &mut Write,
    call: &Call,
    (user, id): (Id<User>, Id<Device>),
    act: DeviceAct,
) -> Result<Done, Error> {
    // taken first where it changes: whoever signs in with it waits, or has come before
    let is_new = match act {
        DeviceAct::Block(_) => tx.block_device(user, id, call.now).await?,
        DeviceAct::Unblock => tx.unblock_device(user, id).await?,
        DeviceAct::Admit => tx.admit_device(user, id).await?,
        DeviceAct::Forget => tx.forget_device(user, id).await?,
    };
    let found = match act {
        DeviceAct::Forget if is_new => None,
        _ => Some(tx.find_device(user, id).await?.ok_or(Error::NotFound)?),
    };
    Ok(match act {
        DeviceAct::Block(offline) => {
            let ended = sign_out(tx, call, (user, id), offline).await?;
            tx.forget_oldest_devices(user, DEVICE_LIMITS);
            Done {
                ended,
                ..Done::told(is_new, EventKind::DeviceBlocked)
            }
        }
        DeviceAct::Unblock => Done::told(is_new, EventKind::DeviceUnblocked),
        DeviceAct::Admit => {
            if found.is_some_and(|device| device.state == DeviceState::Blocked) {
                return Err(Error::Conflict("blocked"));
            }
            Done::told(is_new, EventKind::DeviceAdmitted)
        }
        DeviceAct::Forget => Done::told(is_new, EventKind::DeviceForgotten),
    })
}

/// Ends the sessions of a device, with what hangs on them.
pub(super) async fn sign_out(
    tx: &mut Write,
    call: &Call,
    (user, device): (Id<User>, Id<Device>),
    offline: OfflineGrants,
) -> Result<Vec<Id<Session>>, Error> {
    let now: Timestamp = call.now;
    let mut ended = Vec::new();
    for row in tx
        .list_live_sessions_of_device(user, device, now, MOST_SESSIONS)
        .await?
    {
        if !tx.end_session(row.id, now, WHY).await? {
            continue;
        }
        tx.end_grants_of_session(row.id, now, WHY).await?;
        let event = call.event(EventKind::SignOut).because(WHY).user(user);
        tx.add_event(&event.fact("session", Fact::Id(row.id.uuid()))).await?;
        ended.push(row.id);
    }
    if offline == OfflineGrants::End {
        tx.end_offline_grants_of_device(user, device, now, WHY).await?;
    }
    Ok(ended)
}

/// Has the session store let go of what SQL has ended. Where it does not answer, that is over all the same.
pub(super) async fn end_browsers(provider: &Provider, user: Id<User>, ended: Vec<Id<Session>>) {
    for session in ended {
        if let Err(error) = provider.sessions.end(user, session).await {
            tracing::warn!(%session, %error, "an ended session stays in the session store until it expires");
        }
    }
}
