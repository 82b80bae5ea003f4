//! Devices on which the second factor is not asked for: not any more.

use std::time::Duration;

use crate::flow::again::again;
use crate::flow::session::MOST_DEVICES;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::MFA_REMEMBER_FOR;
use crate::model::{Event, EventKind, Fact, Id, User};

/// Has it asked for on every device of a person again, if `may` says so of what rights the person holds. Gives on how many it was not.
pub(super) async fn forget(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    may: impl Fn(&[String]) -> Result<(), Error>,
    told: impl Fn(Event) -> Event,
) -> Result<u64, Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            may(&tx.list_permissions_of(user).await?)?;
            if tx.find_user(user).await?.is_none() {
                return Err(Error::NotFound);
            }
            let count = tx.forget_remembered_devices_of(user).await?;
            if count > 0 {
                let event = call.event(EventKind::DevicesNotRemembered).user(user);
                let number = Fact::Number(i64::try_from(count).unwrap_or(i64::MAX));
                tx.add_event(&told(event.fact("devices", number))).await?;
            }
            Ok(count)
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// How long it is not asked for on a device where a person wishes so; none: it always is.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Unavailable`].
pub async fn remembers_for(provider: &Provider, call: &Call, user: Id<User>) -> Result<Option<Duration>, Error> {
    let settings = provider.settings().await?;
    let person = provider.person(user, call.now).await?.ok_or(Error::NotFound)?;
    let lasts = person.layers(&settings, None).duration(MFA_REMEMBER_FOR);
    Ok(Some(lasts).filter(|lasts| !lasts.is_zero()))
}

/// On how many devices it is not asked for now; none: it is asked for on all of them, whatever a person wishes.
///
/// # Errors
/// As [`remembers_for`].
pub async fn remembered_devices(provider: &Provider, call: &Call, user: Id<User>) -> Result<Option<usize>, Error> {
    let Some(lasts) = remembers_for(provider, call, user).await? else {
        return Ok(None);
    };
    let devices = provider.store.read().await?.list_devices_of(user, MOST_DEVICES).await?;
    let remembered = devices
        .iter()
        .filter(|device| device.remembered_at.is_some_and(|at| call.now < at.after(lasts)));
    Ok(Some(remembered.count()))
}
