//! The device that somebody signs in with: a cookie that stays in the browser, and what is known of it.
//!
//! The cookie holds 256 random bits, authenticated with a key of the installation, so that nobody chooses their own. What is
//! stored of it is a digest that also holds whose device it is: two people who share a browser have a device each, and no row
//! says that they share one. It proves nothing about a person: it only tells, once somebody has proved who they are, whether
//! they have done so in this browser before.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use uuid::Uuid;

use super::Browser;
use super::news::News;
use crate::crypto;
use crate::flow::again::again;
use crate::flow::needs::HasFactor;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{SIGN_IN_ALLOWED_ADDRESSES, SIGN_IN_DENIED_ADDRESSES};
use crate::model::{Actor, Device, DeviceState, EventKind, Fact, Factor, Id, Secret, Timestamp, User};
use crate::store::{DeviceLimits, Write};

/// How many devices of one person are kept. What waits pushes out nothing but what waits: whoever knows a password can't make
/// the devices be forgotten that it takes.
pub const LIMITS: DeviceLimits = DeviceLimits {
    known: 50,
    waiting: 10,
    blocked: 50,
};
/// So many there are at most, of all kinds.
pub const MOST: u32 = LIMITS.known + LIMITS.waiting + LIMITS.blocked;
/// What the key is derived for by which they are told.
const PURPOSE: &str = "device";
/// 256 bits in base64url, and as many that authenticate them.
const HALF_CHARACTERS: usize = 43;

/// Why a device may not be signed in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRefused {
    /// The person, or an administrator, has blocked it.
    Blocked,
    /// Only devices that are known may be signed in with, and it is not: it waits to be let in.
    Unknown,
    /// It is in a network that nobody signs in from.
    Network,
}

impl DeviceRefused {
    /// The rule's name.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Blocked => "sign_in.device_blocked",
            Self::Unknown => "sign_in.device_unknown",
            Self::Network => "sign_in.network",
        }
    }
}

/// Turns away whoever comes from a network that people do not sign in from. Nothing is said of any account by it.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn judge_network(provider: &Provider, call: &Call) -> Result<Option<DeviceRefused>, Error> {
    let settings = provider.settings().await?;
    let allowed = settings.networks(SIGN_IN_ALLOWED_ADDRESSES);
    let denied = settings.networks(SIGN_IN_DENIED_ADDRESSES);
    let Some(address) = call.origin.address.map(|address| address.to_canonical()) else {
        return Ok(None);
    };
    let is_in = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
    let may = (allowed.is_empty() || is_in(allowed)) && !is_in(denied);
    Ok((!may).then_some(DeviceRefused::Network))
}

/// The device that somebody comes with.
#[derive(Debug)]
pub(super) struct Arrival {
    device: Device,
    state: Option<DeviceState>,
    known: i64,
    has_factor: bool,
    is_factor_held: bool,
    remembered_at: Option<Timestamp>,
}

/// The device of this browser, if this person has signed in with it before and it is not blocked. It proves nothing.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn known_device(provider: &Provider, browser: &Browser, user: Id<User>) -> Result<Option<Id<Device>>, Error> {
    let key = provider.master.derive(PURPOSE);
    let Some(token) = browser.device.as_ref().filter(|device| is_ours(&key, device)) else {
        return Ok(None);
    };
    let id = id_of(&key, token, user);
    let known = provider
        .store
        .read()
        .await?
        .get_acquaintance(user, Some(id), None)
        .await?;
    Ok((known.state == Some(DeviceState::Known)).then_some(id))
}

/// On what conditions somebody is let in with a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entrance {
    /// It is not blocked.
    Any,
    /// It is known.
    Known,
    /// It is the person's first.
    First,
}

impl Arrival {
    /// Looks at the device that somebody signs in with who has just proved who they are. A browser without a device gets one.
    pub(super) async fn of(
        provider: &Provider,
        call: &Call,
        browser: &mut Browser,
        user: Id<User>,
        factor: Option<Id<Factor>>,
    ) -> Result<Self, Error> {
        let key = provider.master.derive(PURPOSE);
        let held = browser.device.as_ref().filter(|device| is_ours(&key, device));
        let token = match held {
            Some(token) => token.clone(),
            None => make(&key),
        };
        let id = id_of(&key, &token, user);
        let place = match call.origin.address {
            Some(address) => provider.geo.place(address, provider.clock.moment()).await,
            None => None,
        };
        let known = provider
            .store
            .read()
            .await?
            .get_acquaintance(user, Some(id), factor)
            .await?;
        browser.device = Some(token);
        Ok(Self {
            device: Device {
                id,
                user,
                first_at: call.now,
                last_at: call.now,
                user_agent: call.origin.user_agent.clone(),
                address: call.origin.address.map(|address| address.to_string()),
                place,
                state: DeviceState::Known,
                remembered_at: None,
            },
            state: known.state,
            known: known.known,
            has_factor: known.has_factor,
            is_factor_held: known.is_factor_held,
            remembered_at: known.remembered_at,
        })
    }

    pub(super) const fn id(&self) -> Id<Device> {
        self.device.id
    }

    pub(super) const fn device(&self) -> &Device {
        &self.device
    }

    /// Whether the person has a second factor.
    pub(super) const fn has_factor(&self) -> HasFactor {
        if self.has_factor { HasFactor::Yes } else { HasFactor::No }
    }

    /// Whether the second factor is not asked for on it, where that lasts so long.
    pub(super) fn is_remembered(&self, lasts: Duration, now: Timestamp) -> bool {
        self.remembered_at.is_some_and(|at| now < at.after(lasts))
    }

    /// Writes down that it is not asked for from now on. Apart from the sign-in: nothing is lost if it is asked once more.
    pub(super) async fn remember(&self, provider: &Provider, call: &Call, user: &User, factor: Id<Factor>) {
        let written = again(|| async {
            let mut store = provider.store.write().await?;
            let proved = (user.password_changed_at, factor);
            if store
                .remember_device((user.id, self.device.id), call.now, proved)
                .await?
            {
                let event = call.by(Actor::User(user.id)).event(EventKind::DeviceRemembered);
                let event = event.user(user.id).fact("device", Fact::Id(self.device.id.uuid()));
                store.add_event(&event).await?;
            }
            Ok(store.commit().await?)
        });
        if let Err(error) = written.await {
            tracing::warn!(user = %user.id, %error, "a device is not remembered although its person wished so");
        }
    }

    /// Whether the factor that the person has proved, if any, is still theirs.
    pub(super) const fn is_factor_held(&self) -> bool {
        self.is_factor_held
    }

    /// Whether the person has never come with it, and has come with another one: they are told.
    pub(super) const fn is_news(&self) -> bool {
        self.state.is_none() && self.known > 0
    }

    pub(super) const fn place(&self) -> Option<&String> {
        self.device.place.as_ref()
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.state == Some(DeviceState::Blocked)
    }

    /// Whether it may be signed in with, where maybe only known ones may.
    pub(super) fn judge(&self, known_only: bool) -> Result<(), DeviceRefused> {
        match (self.state, known_only) {
            (Some(DeviceState::Blocked), _) => Err(DeviceRefused::Blocked),
            (Some(DeviceState::Known), _) | (_, false) => Ok(()),
            // somebody has to be able to begin: nobody who has, or had, a device comes with a first one
            (_, true) if self.known == 0 => Ok(()),
            _ => Err(DeviceRefused::Unknown),
        }
    }

    /// Writes down, in the transaction that a session begins in and as a condition of it, that the device was signed in with.
    pub(super) async fn enter(&self, store: &mut Write, known_only: bool) -> Result<(), Error> {
        let entrance = match (known_only, self.state) {
            (false, _) => Entrance::Any,
            (true, Some(DeviceState::Known)) => Entrance::Known,
            (true, _) => Entrance::First,
        };
        match entrance {
            Entrance::Any => store.must_come(&self.device),
            Entrance::Known => store.must_come_again(&self.device),
            Entrance::First => {
                // of two who come first at once one does
                store.hold_user(self.device.user).await?;
                store.must_come_as_first(&self.device);
            }
        }
        Ok(())
    }

    /// Forgets what is too much since. Apart from the sign-in, which does not wait for others who do the same.
    pub(super) async fn make_room(&self, provider: &Provider) {
        if self.state.is_some() || self.known < i64::from(LIMITS.known) {
            return;
        }
        let forgotten = again(|| async {
            let mut store = provider.store.write().await?;
            store.forget_oldest_devices(self.device.user, LIMITS);
            Ok(store.commit().await?)
        });
        if let Err(error) = forgotten.await {
            tracing::warn!(user = %self.device.user, %error, "more devices of somebody are kept for now than should be");
        }
    }

    /// Writes down that somebody was turned away with it, so that it can be let in.
    pub(super) async fn wait(&self, provider: &Provider, call: &Call, news: Option<&News>) -> Result<(), Error> {
        again(|| async {
            let mut store = provider.store.write().await?;
            if let Some(news) = news {
                news.write(&mut store, call).await?;
            }
            store.add_waiting_device(&self.device);
            store.forget_oldest_devices(self.device.user, LIMITS);
            Ok(store.commit().await?)
        })
        .await
    }
}

fn make(key: &[u8; 32]) -> Secret {
    let random = Secret::generate();
    let proof = URL_SAFE_NO_PAD.encode(crypto::mac(key, &[b"cookie", random.expose().as_bytes()]));
    Secret::new(format!("{}{proof}", random.expose()))
}

fn is_ours(key: &[u8; 32], device: &Secret) -> bool {
    let Some((random, proof)) = device.expose().split_at_checked(HALF_CHARACTERS) else {
        return false;
    };
    let expected = URL_SAFE_NO_PAD.encode(crypto::mac(key, &[b"cookie", random.as_bytes()]));
    crypto::equal(expected.as_bytes(), proof.as_bytes())
}

fn id_of(key: &[u8; 32], device: &Secret, user: Id<User>) -> Id<Device> {
    let digest = crypto::mac(key, &[b"row", user.uuid().as_bytes(), device.expose().as_bytes()]);
    let (id, _) = digest.split_at(16);
    Id::from_uuid(Uuid::from_slice(id).unwrap_or_default())
}
