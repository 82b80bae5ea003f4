//! What makes one proof too little for a sign-in, where the settings say so: a device or a part of the net that the person has not
//! come from, a way from the last sign-in that nobody travels in that time, or an address outside the operator's own networks.
//!
//! It is compared with the person's known devices, fifty at most; of a person without any nothing is unusual.

use std::net::IpAddr;

use ipnet::IpNet;

use super::device::{Arrival, MOST};
use crate::flow::{Call, Error, Provider};
use crate::geo::Position;
use crate::model::setting::{
    MFA_ON_IMPOSSIBLE_TRAVEL, MFA_ON_NEW_ADDRESS, MFA_ON_NEW_DEVICE, MFA_REQUIRED_OUTSIDE, Settings,
};
use crate::model::{Device, DeviceState, User};

/// Addresses of one provider of access usually share so many bits.
const SHARED_BITS: (u8, u8) = (16, 32);
/// What databases of places are wrong by.
const NEAR_KILOMETRES: f64 = 500.0;
/// Faster than any airliner.
const FASTEST_KILOMETRES_AN_HOUR: f64 = 1000.0;

/// What is unusual about a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// The address is outside the networks that one proof is enough from.
    Outside,
    /// The person has signed in before, and never with this device.
    Device,
    /// The person has signed in before, and never from this part of the net.
    Address,
    /// Nobody travels as fast from where the person was last.
    Travel,
}

impl Risk {
    /// In a word, for the traces.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::Device => "new_device",
            Self::Address => "new_address",
            Self::Travel => "impossible_travel",
        }
    }

    /// The setting by which it counts.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Outside => MFA_REQUIRED_OUTSIDE,
            Self::Device => MFA_ON_NEW_DEVICE,
            Self::Address => MFA_ON_NEW_ADDRESS,
            Self::Travel => MFA_ON_IMPOSSIBLE_TRAVEL,
        }
    }
}

/// What is unusual about somebody's arrival, of what counts for them.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) async fn judge(
    provider: &Provider,
    call: &Call,
    user: &User,
    arrival: &Arrival,
) -> Result<Option<Risk>, Error> {
    let settings = provider.settings().await?;
    let address = call.origin.address.map(|address| address.to_canonical());
    if is_outside(&settings, address) {
        return Ok(Some(Risk::Outside));
    }
    let person = provider.person(user.id, call.now).await?.ok_or(Error::NotFound)?;
    let layers = person.layers(&settings, None);
    if layers.flag(MFA_ON_NEW_DEVICE) && arrival.is_news() {
        return Ok(Some(Risk::Device));
    }
    let (by_address, by_travel) = (layers.flag(MFA_ON_NEW_ADDRESS), layers.flag(MFA_ON_IMPOSSIBLE_TRAVEL));
    let Some(address) = address.filter(|_| by_address || by_travel) else {
        return Ok(None);
    };
    let mut known = provider.store.read().await?.list_devices_of(user.id, MOST).await?;
    known.retain(|device| device.state == DeviceState::Known);
    if by_address && is_elsewhere(&known, address) {
        return Ok(Some(Risk::Address));
    }
    let is_too_fast = by_travel && is_too_fast(provider, call, known.first(), address).await;
    Ok(is_too_fast.then_some(Risk::Travel))
}

fn is_outside(settings: &Settings, address: Option<IpAddr>) -> bool {
    let inside = settings.networks(MFA_REQUIRED_OUTSIDE);
    // whoever's address is not known is not shown to be inside
    !inside.is_empty() && !address.is_some_and(|address| inside.iter().any(|network| network.contains(&address)))
}

fn is_elsewhere(known: &[Device], address: IpAddr) -> bool {
    let bits = match address {
        IpAddr::V4(_) => SHARED_BITS.0,
        IpAddr::V6(_) => SHARED_BITS.1,
    };
    let Ok(around) = IpNet::new(address, bits) else {
        return false;
    };
    let mut addresses = known.iter().filter_map(at).peekable();
    addresses.peek().is_some() && !addresses.any(|other| around.contains(&other))
}

/// Whether nobody gets here in the time since the last sign-in, from where that was.
async fn is_too_fast(provider: &Provider, call: &Call, last: Option<&Device>, address: IpAddr) -> bool {
    let Some((from, since)) = last.and_then(|last| Some((at(last)?, call.now.since(last.last_at)))) else {
        return false;
    };
    let now = provider.clock.moment();
    let (there, here) = (
        provider.geo.position(from, now).await,
        provider.geo.position(address, now).await,
    );
    let (Some(there), Some(here)) = (there, here) else {
        return false;
    };
    let kilometres = Position::kilometres(there, here);
    kilometres > NEAR_KILOMETRES && kilometres > FASTEST_KILOMETRES_AN_HOUR * since.as_secs_f64() / 3600.0
}

fn at(device: &Device) -> Option<IpAddr> {
    let address: IpAddr = device.address.as_deref()?.parse().ok()?;
    Some(address.to_canonical())
}
