//! The mail to whoever has a password that has to be replaced soon, for its age: once for each password.
//!
//! Where nothing says that passwords age, nobody is looked at.

use crate::flow::again::again;
use crate::flow::{Call, Error, Provider, letter};
use crate::model::setting::{PASSWORD_EXPIRES_AFTER, PASSWORD_EXPIRY_WARNING, PASSWORD_INITIAL_EXPIRES_AFTER};
use crate::model::{Timestamp, User};
use crate::store::PasswordAge;
use crate::view;
use std::time::Duration;

use super::PasswordRules;

/// So many are read at once.
const BATCH: u32 = 200;
/// So many are looked at in one go; the rest waits for the next.
const MOST_LOOKED_AT: usize = 20_000;
/// The longest warning that can be set: whoever's password ends later is not looked at.
const LONGEST_WARNING: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Tells those whose time has come. Gives how many were told.
///
/// # Errors
/// [`Error::Unavailable`]; whoever was told is not told again.
pub async fn warn_of_expiry(provider: &Provider, call: &Call) -> Result<usize, Error> {
    let settings = provider.settings().await?;
    let of_everyone = [PASSWORD_EXPIRES_AFTER, PASSWORD_INITIAL_EXPIRES_AFTER].map(|key| settings.duration(key));
    let of_some = provider.store.read().await?.find_shortest_password_age().await?;
    let lengths = of_everyone
        .into_iter()
        .filter(|length| !length.is_zero())
        .chain(of_some);
    let Some(shortest) = lengths.min() else {
        return Ok(0);
    };
    // nobody says more than the longest warning; where everyone's is the only one said, it is enough
    let warning = settings.duration(PASSWORD_EXPIRY_WARNING).max(LONGEST_WARNING);
    let until = call.now.after(warning).before(shortest);
    let (mut told, mut looked_at) = (0, 0);
    let mut after = None;
    while looked_at < MOST_LOOKED_AT {
        let ages = provider
            .store
            .read()
            .await?
            .list_passwords_until(until, after, BATCH)
            .await?;
        let Some(last) = ages.last() else { break };
        after = Some(*last);
        looked_at += ages.len();
        for age in ages {
            told += usize::from(warn(provider, call, age).await?);
        }
    }
    Ok(told)
}

async fn warn(provider: &Provider, call: &Call, age: PasswordAge) -> Result<bool, Error> {
    let Some(person) = provider.person(age.user, call.now).await? else {
        return Ok(false);
    };
    let settings = provider.settings().await?;
    let rules = PasswordRules::of(&person.layers(&settings, None));
    let user = &person.user;
    let Some(ends) = due(&rules, user, call.now) else {
        return Ok(false);
    };
    let Some(recipient) = user.profile.email.clone() else {
        return Ok(false);
    };
    let mail = view::Mail::PasswordExpiry(view::PasswordExpiry {
        name: user.full_name(),
        username: user.username.clone(),
        at: ends.micros(),
        account: letter::link(provider, "/account/password")?,
    });
    let mail = letter::to(provider, user, recipient, ("password_expiry", &mail))?;
    again(|| async {
        let mut tx = provider.store.write().await?;
        // of two nodes one tells
        if !tx.mark_password_warned(age, call.now).await? {
            tx.abandon().await?;
            return Ok(false);
        }
        tx.add_mail(&mail, call.now).await?;
        tx.commit().await?;
        Ok(true)
    })
    .await
}

/// When somebody's password ends, if it is time to say so.
fn due(rules: &PasswordRules, user: &User, now: Timestamp) -> Option<Timestamp> {
    let ends = rules.end_of(user)?;
    let warning = rules.warning?;
    let is_time =
        user.is_active(now) && user.password_expired_at.is_none() && ends > now && now >= ends.before(warning);
    is_time.then_some(ends)
}
