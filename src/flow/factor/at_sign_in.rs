//! An authenticator that somebody sets up on the way in, because they have to have one.
//!
//! It is possible only for somebody who has no second factor, decided in the transaction that adds it: whoever knows a password
//! alone never puts a factor in the place of another, nor beside it (SEC-257).

use super::SEALED_FOR;
use super::news::{self, What};
use super::own::{RecoveryCodes, event};
use crate::credential::Totp;
use crate::flow::again::again;
use crate::flow::session::SecondProof;
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, EventKind, Factor, FactorMeans, Id, OtpSecret, OtpShape, Secret, User};

/// What the person has to see to set it up.
#[derive(Clone, Debug)]
pub struct ToSetUp {
    /// The secret, in base32.
    pub secret: Secret,
    /// The same for an authenticator: an `otpauth` address.
    pub address: Secret,
    /// How many digits a code has.
    pub digits: u8,
}

/// An authenticator that counts from now on.
pub(in crate::flow) struct Enrolled {
    pub(in crate::flow) second: SecondProof,
    /// The recovery codes that came with it.
    pub(in crate::flow) codes: Vec<Secret>,
}

/// What somebody sees who sets up this secret.
///
/// # Errors
/// [`Error::Failed`].
pub fn to_set_up(provider: &Provider, user: &User, secret: &[u8]) -> Result<ToSetUp, Error> {
    let totp = of(secret)?;
    let address = super::own::address(provider, user, &totp);
    Ok(ToSetUp {
        secret: totp.base32(),
        address: address.ok_or_else(|| Error::defect("an authenticator has no address"))?,
        digits: OtpShape::default().digits,
    })
}

/// The time step of a code that the authenticator shows now, if it does.
pub(in crate::flow) fn step_of(secret: &[u8], call: &Call, code: &Secret) -> Result<Option<i64>, Error> {
    Ok(of(secret)?.step_of(code, call.now, 0))
}

/// Adds an authenticator, shown to hold the secret by the code of a time step, with recovery codes. None: the account is not what
/// it was, or has a second factor by now.
pub(in crate::flow) async fn enrol(
    provider: &Provider,
    call: &Call,
    user: &User,
    (secret, step, name): (&[u8], i64, &str),
) -> Result<Option<Enrolled>, Error> {
    let factor = Factor {
        id: Id::new(call.now),
        user: user.id,
        name: name.to_owned(),
        means: FactorMeans::Totp(OtpSecret {
            sealed: provider.master.seal(SEALED_FOR, secret),
            shape: OtpShape::default(),
            last_step: step,
        }),
        created_at: call.now,
        confirmed_at: Some(call.now),
        used_at: Some(call.now),
    };
    let codes = RecoveryCodes::new();
    let (factor_of, digests) = (&factor, &codes.digests);
    let added = again(|| async {
        let mut tx = provider.store.write().await?;
        // of two who come at once each sees the one before
        let is_same = tx.hold_user_as(user).await?;
        if !is_same || !tx.list_factors_of(user.id).await?.is_empty() {
            tx.abandon().await?;
            return Ok(false);
        }
        tx.forget_unconfirmed_factors_of(user.id).await?;
        tx.add_factor(factor_of).await?;
        tx.replace_recovery_codes(user.id, digests, call.now).await?;
        let by = call.by(Actor::User(user.id));
        tx.add_event(&event(&by, EventKind::FactorAdded, factor_of).because("sign_in"))
            .await?;
        news::write(provider, &mut tx, call, user, (What::Added, Some(factor_of))).await?;
        tx.commit().await?;
        Ok(true)
    });
    Ok(added.await?.then_some(Enrolled {
        second: SecondProof::OneTimeCode(factor.id),
        codes: codes.plain,
    }))
}

fn of(secret: &[u8]) -> Result<Totp, Error> {
    Totp::new(secret.to_vec(), OtpShape::default()).map_err(|error| Error::Failed(Box::new(error)))
}
