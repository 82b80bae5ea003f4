//! What an administrator does about somebody's second factors: looks at them, takes them away where a device is lost, brings them
//! along from elsewhere.

use super::check::open;
use super::news::{self, What};
use super::own::{event, name_of, unsuitable};
use super::{MOST, OwnFactors, SEALED_FOR, own_factors};
use crate::credential::Totp;
use crate::flow::again::again;
use crate::flow::people::ChangeSource;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Factor, FactorMeans, Id, OtpSecret, OtpShape, Secret, User};
use crate::store::Write;

/// A factor that somebody had elsewhere.
#[derive(Clone, Debug)]
pub struct NewImport {
    /// What it is called.
    pub name: String,
    /// Its secret, in base32.
    pub secret: Secret,
    /// How its codes are made.
    pub shape: OtpShape,
}

/// The factors of a person.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_as_administrator(provider: &Provider, user: Id<User>) -> Result<OwnFactors, Error> {
    if provider.store.read().await?.find_user(user).await?.is_none() {
        return Err(Error::NotFound);
    }
    own_factors(provider, user).await
}

/// The factors alone.
///
/// # Errors
/// As [`list_as_administrator`].
pub async fn list(provider: &Provider, user: Id<User>) -> Result<Vec<Factor>, Error> {
    Ok(list_as_administrator(provider, user).await?.factors)
}

/// Has the second factor asked for on every device of somebody again. Gives on how many it was not.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] if the person holds rights of administration that the caller lacks.
pub async fn ask_everywhere_of(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    user: Id<User>,
) -> Result<u64, Error> {
    let may = |held: &[String]| source.must_outrank(held);
    super::remembered::forget(provider, call, user, may, |event| event.fact("source", source.fact())).await
}

/// Takes one factor away; with the last one go the recovery codes.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] if the person holds rights of administration that the caller lacks.
pub async fn remove_of(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    user: Id<User>,
    id: Id<Factor>,
) -> Result<(), Error> {
    let removed = remove(provider, call, source, user, |factor| factor.id == id).await?;
    if removed == 0 {
        return Err(Error::NotFound);
    }
    Ok(())
}

/// Takes all of them away: the person signs in with a password alone until they set up another. Gives how many there were.
///
/// # Errors
/// As [`remove_of`]; none is no error.
pub async fn remove_all_of(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    user: Id<User>,
) -> Result<usize, Error> {
    remove(provider, call, source, user, |_| true).await
}

async fn remove(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    user: Id<User>,
    is_meant: impl Fn(&Factor) -> bool,
) -> Result<usize, Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let person = held(&mut tx, source, user).await?;
            let (meant, others): (Vec<Factor>, Vec<Factor>) =
                tx.list_factors_of(user).await?.into_iter().partition(&is_meant);
            for factor in &meant {
                tx.remove_factor(user, factor.id).await?;
                let event = event(call, EventKind::FactorRemoved, factor).fact("source", source.fact());
                tx.add_event(&event).await?;
                let what = What::Removed { by_administrator: true };
                news::write(provider, &mut tx, call, &person, (what, Some(factor))).await?;
            }
            if others.is_empty() {
                tx.forget_recovery_codes_of(user).await?;
                tx.forget_unconfirmed_factors_of(user).await?;
            }
            Ok(meant.len())
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// Brings along a factor that a person had elsewhere. It counts at once, and they make recovery codes themselves.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::Forbidden`], [`Error::Conflict`]: `factor_known`, `too_many_factors`.
pub async fn import(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    user: Id<User>,
    new: NewImport,
) -> Result<Factor, Error> {
    let name = name_of(&new.name)?;
    let totp = Totp::from_base32(&new.secret, new.shape).map_err(unsuitable)?;
    let factor = Factor {
        id: Id::new(call.now),
        user,
        name,
        means: FactorMeans::Totp(OtpSecret {
            sealed: provider.master.seal(SEALED_FOR, totp.secret()),
            shape: new.shape,
            last_step: 0,
        }),
        created_at: call.now,
        confirmed_at: Some(call.now),
        used_at: None,
    };
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let person = held(&mut tx, source, user).await?;
            let known = tx.list_factors_of(user).await?;
            if known.len() >= MOST {
                return Err(Error::Conflict("too_many_factors"));
            }
            for other in known.iter().filter_map(Factor::otp) {
                // the same codes twice would be accepted twice
                if open(provider, other)?.secret() == totp.secret() {
                    return Err(Error::Conflict("factor_known"));
                }
            }
            tx.add_factor(&factor).await?;
            let event = event(call, EventKind::FactorAdded, &factor).fact("source", source.fact());
            tx.add_event(&event).await?;
            news::write(provider, &mut tx, call, &person, (What::Added, Some(&factor))).await?;
            Ok(())
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    Ok(factor)
}

/// The person, held for the change, if the caller may make it.
async fn held(tx: &mut Write, source: &ChangeSource, user: Id<User>) -> Result<User, Error> {
    tx.hold_user(user).await?;
    source.must_outrank(&tx.list_permissions_of(user).await?)?;
    tx.find_user(user).await?.ok_or(Error::NotFound)
}
