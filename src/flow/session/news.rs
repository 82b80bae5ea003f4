//! The mail that tells somebody of a sign-in with a device that is new to them, with a link that says "this wasn't me".

use std::time::Duration;

use crate::flow::{Call, Error, Provider, letter};
use crate::model::setting::SESSION_NEW_DEVICE_MAIL;
use crate::model::{Device, Digest, Secret, User};
use crate::store::{DeviceAlert, OutboxMail, Write};
use crate::view;

/// How long the link may be used.
pub(in crate::flow) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// So many mails of that kind one person gets within a day: whoever knows a password does not fill a mailbox.
pub(in crate::flow) const MOST_A_DAY: u32 = 10;
pub(in crate::flow) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A mail about a new device, and what its link is known by.
pub(super) struct News {
    mail: OutboxMail,
    digest: Digest,
    alert: DeviceAlert,
}

/// What became of the sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The person is signed in.
    SignedIn,
    /// The device has to be let in first.
    Waits,
}

impl News {
    /// What there is to tell. Nobody is told who has no confirmed mail address.
    pub(super) async fn of(
        provider: &Provider,
        call: &Call,
        user: &User,
        device: &Device,
        told: Told,
    ) -> Result<Option<Self>, Error> {
        let recipient = user.profile.email.clone().filter(|_| user.profile.email_verified);
        let Some(recipient) = recipient else { return Ok(None) };
        if !provider.settings().await?.flag(SESSION_NEW_DEVICE_MAIL) {
            return Ok(None);
        }
        let token = Secret::generate();
        let link = |path: &str| letter::link(provider, path);
        let mail = view::Mail::NewDevice(view::NewDevice {
            name: user.full_name(),
            device: device.user_agent.as_deref().map(view::Device::read).unwrap_or_default(),
            place: device.place.clone(),
            address: device.address.clone(),
            at: call.now.micros(),
            waits: told == Told::Waits,
            account: link("/account")?,
            stranger: link(&format!("/login/not-me?token={}", token.expose()))?,
        });
        Ok(Some(Self {
            mail: letter::to(provider, user, recipient, ("new_device", &mail))?,
            digest: token.digest(),
            alert: DeviceAlert {
                user: user.id,
                device: device.id,
                created_at: call.now,
                used_at: None,
            },
        }))
    }

    /// Writes it into the outbox, in the transaction of what it tells of.
    pub(super) async fn write(&self, store: &mut Write, call: &Call) -> Result<(), Error> {
        let before = store
            .count_device_alerts(self.alert.user, call.now.before(DAY), MOST_A_DAY)
            .await?;
        if before >= i64::from(MOST_A_DAY) {
            return Ok(());
        }
        store.add_device_alert(&self.digest, &self.alert, call.now.after(LIFETIME));
        Ok(store.add_mail(&self.mail, call.now).await?)
    }
}
