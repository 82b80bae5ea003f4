//! An authenticator or a passkey that somebody sets up on the way in, because they have to have one.
//!
//! It is possible only for somebody who has no second factor, decided in the transaction that adds it: whoever knows a password
//! alone never puts a factor in the place of another, nor beside it (SEC-257).

use super::ceremony::{self, Occasion, Question, enrolment, relying_party};
use super::check::Signature;
use super::news::{self, What};
use super::own::{RecoveryCodes, event, taken};
use super::own_passkey::refused;
use super::{SEALED_FOR, own_factors};
use crate::credential::{PasskeyFault, Totp, is_bound_to_device};
use crate::flow::again::again;
use crate::flow::session::{Browser, Duty, SecondProof, Task};
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, EventKind, Factor, FactorMeans, Id, OtpSecret, OtpShape, Passkey, Secret, User};

/// What somebody calls the factor that they set up here, until they name it.
const AUTHENTICATOR: &str = "Authenticator";
const PASSKEY: &str = "Passkey";

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

/// What somebody has shown to have.
#[derive(Clone, Debug)]
pub(in crate::flow) enum Shown<'a> {
    /// An authenticator with this secret, by the code of a time step.
    Authenticator(&'a [u8], i64),
    /// A passkey.
    Passkey(Passkey),
}

/// A factor that counts from now on.
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

/// Asks the authenticator of somebody who is to set up a factor for a passkey.
///
/// # Errors
/// [`Error::NotFound`] if the sign-in is over, [`Error::Conflict`] `no_domain` where browsers have no passkeys for this installation.
pub async fn ask_for_new(provider: &Provider, call: &Call, browser: &Browser, duty: &Duty) -> Result<Question, Error> {
    if !matches!(duty.task, Task::Enrol { .. }) || duty.is_over() {
        return Err(Error::NotFound);
    }
    let known = own_factors(provider, duty.user.id).await?.factors;
    let begun = enrolment(provider, call, &duty.user, &known).await?;
    ceremony::keep(provider, call, browser, Occasion::Enrolment(&duty.id), begun).await
}

/// Whether what an authenticator answered is a passkey that can be taken: once, for this sign-in, in this browser.
pub(in crate::flow) async fn judge_new(
    provider: &Provider,
    call: &Call,
    (browser, duty): (&Browser, &Duty),
    answer: &Signature,
) -> Result<Result<Passkey, PasskeyFault>, Error> {
    let occasion = Occasion::Enrolment(&duty.id);
    let state = ceremony::take(provider, call, browser, occasion, &answer.question).await?;
    let judged = match state.zip(relying_party(provider)) {
        Some((state, place)) => place.finish_enrolment(&state, answer.answer.expose()),
        None => Err(PasskeyFault::Challenge),
    };
    if let Err(fault) = &judged {
        provider.note(refused(call, duty.user.id, *fault)).await;
    }
    Ok(judged)
}

/// Adds what was shown, with recovery codes. None: the account is not what it was, or has a second factor by now.
///
/// # Errors
/// [`Error::Conflict`] `passkey_known` if somebody has the passkey already.
pub(in crate::flow) async fn enrol(
    provider: &Provider,
    call: &Call,
    user: &User,
    shown: Shown<'_>,
) -> Result<Option<Enrolled>, Error> {
    let id = Id::new(call.now);
    let (name, means, second) = match shown {
        Shown::Authenticator(secret, step) => {
            let otp = OtpSecret {
                sealed: provider.master.seal(SEALED_FOR, secret),
                shape: OtpShape::default(),
                last_step: step,
            };
            (AUTHENTICATOR, FactorMeans::Totp(otp), SecondProof::OneTimeCode(id))
        }
        Shown::Passkey(passkey) => {
            let second = SecondProof::Passkey {
                factor: id,
                is_bound_to_device: is_bound_to_device(&passkey)?,
            };
            (PASSKEY, FactorMeans::Passkey(passkey), second)
        }
    };
    let factor = Factor {
        id,
        user: user.id,
        name: name.to_owned(),
        means,
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
        tx.add_factor(factor_of).await.map_err(taken)?;
        tx.replace_recovery_codes(user.id, digests, call.now).await?;
        let by = call.by(Actor::User(user.id));
        tx.add_event(&event(&by, EventKind::FactorAdded, factor_of).because("sign_in"))
            .await?;
        news::write(provider, &mut tx, call, user, (What::Added, Some(factor_of))).await?;
        tx.commit().await?;
        Ok(true)
    });
    Ok(added.await?.then_some(Enrolled {
        second,
        codes: codes.plain,
    }))
}

fn of(secret: &[u8]) -> Result<Totp, Error> {
    Totp::new(secret.to_vec(), OtpShape::default()).map_err(|error| Error::Failed(Box::new(error)))
}
