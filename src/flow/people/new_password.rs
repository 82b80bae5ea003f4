//! A mail with the way to a new password, for somebody whose password has to be replaced and who has not the first mail at hand.
//!
//! The link is no more than the first one is by then: a new password takes the old one besides. So it may be asked for by whoever
//! knows the old password, and goes to the person's confirmed address alone, a few times a day.

use std::time::Duration;

use crate::flow::again::again;
use crate::flow::session::news::{DAY, LIFETIME, MOST_A_DAY};
use crate::flow::{Call, Error, Provider, letter};
use crate::model::{EventKind, Id, Secret, User};
use crate::store::{DeviceAlert, OutboxMail};
use crate::view;

/// Another one is not sent before so much time has passed.
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// What became of the wish for a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordLink {
    /// It is on its way.
    Mailed,
    /// One was sent a moment ago, or enough of them today: another one after this time.
    Later(Duration),
    /// There is no confirmed address to send it to.
    NoAddress,
}

/// Whether a link could be mailed to this person at all.
pub fn can_be_mailed_to(user: &User) -> bool {
    address(user).is_some()
}

fn address(user: &User) -> Option<&String> {
    user.profile.email.as_ref().filter(|_| user.profile.email_verified)
}

/// Mails the way to a new password. Whoever calls it has seen the person's old password.
///
/// # Errors
/// [`Error::NotFound`] if the person's password does not have to be replaced (any more), [`Error::Unavailable`].
pub async fn mail_password_link(provider: &Provider, call: &Call, id: Id<User>) -> Result<PasswordLink, Error> {
    let user = super::get_user(provider, id).await?;
    if !user.is_active(call.now) || user.password_expired_at.is_none() {
        return Err(Error::NotFound);
    }
    let Some(recipient) = address(&user).cloned() else {
        return Ok(PasswordLink::NoAddress);
    };
    let token = Secret::generate();
    let path = format!("/login/not-me?token={}", token.expose());
    let mail = view::Mail::NewPassword(view::PasswordMail {
        name: user.full_name(),
        link: letter::link(provider, &path)?,
    });
    let mail = letter::to(provider, &user, recipient, ("new_password", &mail))?;
    again(|| write(provider, call, id, &token, &mail)).await
}

async fn write(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    token: &Secret,
    mail: &OutboxMail,
) -> Result<PasswordLink, Error> {
    let mut store = provider.store.write().await?;
    // of those who ask at once each sees the ones before
    store.hold_user(user).await?;
    for (time, most) in [(PAUSE, 1), (DAY, MOST_A_DAY)] {
        if store.count_device_alerts(user, call.now.before(time), most).await? >= i64::from(most) {
            store.abandon().await?;
            return Ok(PasswordLink::Later(time));
        }
    }
    let alert = DeviceAlert {
        user,
        // it tells of none
        device: Id::from_uuid(uuid::Uuid::nil()),
        created_at: call.now,
        used_at: Some(call.now),
    };
    store.add_device_alert(&token.digest(), &alert, call.now.after(LIFETIME));
    store.add_mail(mail, call.now).await?;
    store
        .add_event(&call.event(EventKind::PasswordLinkMailed).user(user))
        .await?;
    store.commit().await?;
    Ok(PasswordLink::Mailed)
}
