//! What a browser is asked for a signature of a passkey, whether what it answers is right, and that each signature counts once: its
//! challenge is taken before it is looked at, and its counter goes up by a guarded statement (Web Authentication Level 3 section
//! 7.2). A key whose counter does not go up may have been copied: it is refused, and its owner is told.

use super::ceremony::{self, Occasion, Question, handle_of, relying_party, verification_of};
use super::check::Signature;
use super::news::{self, What};
use crate::credential::{PasskeyAnswer, PasskeyFault, Signed};
use crate::flow::again::again;
use crate::flow::session::{Browser, Demand};
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Fact, Factor, User};

/// A signature that is right, and whose it is.
#[derive(Clone, Debug)]
pub(in crate::flow) struct Known {
    pub(in crate::flow) factor: Factor,
    pub(in crate::flow) signed: Signed,
}

/// Asks whoever comes for a signature: neither who they are nor which keys there are is told. The authenticator has to verify them.
///
/// # Errors
/// [`Error::Conflict`] `no_domain` where browsers have no passkeys for this installation, [`Error::Unavailable`].
pub async fn ask_anybody(provider: &Provider, call: &Call, browser: &Browser) -> Result<Question, Error> {
    let place = relying_party(provider).ok_or(Error::Conflict("no_domain"))?;
    let begun = place.begin_for_anybody()?;
    ceremony::keep(provider, call, browser, Occasion::SignIn, begun).await
}

/// Asks somebody who has proved their password for a signature by one of their passkeys.
///
/// # Errors
/// [`Error::NotFound`] if they have none; otherwise as [`ask_anybody`].
pub async fn ask_for_second(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    demand: &Demand,
) -> Result<Question, Error> {
    let user = demand.user.id;
    let factors = provider.store.read().await?.list_factors_of(user).await?;
    let passkeys: Vec<_> = factors.iter().filter_map(Factor::passkey).collect();
    if passkeys.is_empty() {
        return Err(Error::NotFound);
    }
    let place = relying_party(provider).ok_or(Error::Conflict("no_domain"))?;
    let begun = place.begin_for(&passkeys, verification_of(provider, call, user).await?)?;
    ceremony::keep(provider, call, browser, Occasion::SecondFactor(&demand.id), begun).await
}

/// Whether a signature is right, and whose it is. An unknown key and one that was removed look the same.
pub(in crate::flow) async fn judge(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    occasion: Occasion<'_>,
    signature: &Signature,
) -> Result<Result<Known, PasskeyFault>, Error> {
    let Some(state) = ceremony::take(provider, call, browser, occasion, &signature.question).await? else {
        return Ok(Err(PasskeyFault::Challenge));
    };
    let answer = match PasskeyAnswer::read(signature.answer.expose()) {
        Ok(answer) => answer,
        Err(fault) => return Ok(Err(fault)),
    };
    let found = {
        let mut store = provider.store.read().await?;
        store.find_factor_by_credential(answer.credential_id()).await?
    };
    let Some((place, factor)) = relying_party(provider).zip(found) else {
        return Ok(Err(PasskeyFault::Owner));
    };
    let Some(passkey) = factor.passkey() else {
        return Ok(Err(PasskeyFault::Owner));
    };
    match place.finish(&state, &answer, passkey, handle_of(provider, factor.user)) {
        Ok(signed) => Ok(Ok(Known { factor, signed })),
        Err(fault) => {
            if fault == PasskeyFault::Counter {
                tell_of_copy(provider, call, &factor).await?;
            }
            Ok(Err(fault))
        }
    }
}

/// Accepts it, unless its counter does not go up after all, or the passkey was removed meanwhile.
pub(in crate::flow) async fn accept(
    provider: &Provider,
    call: &Call,
    user: &User,
    factor: &Factor,
    signed: Signed,
) -> Result<bool, Error> {
    let accepted = again(|| async {
        let mut tx = provider.store.write().await?;
        let accepted = tx
            .accept_signature(user.id, factor.id, signed.counter, call.now)
            .await?;
        if accepted {
            tx.commit().await?;
        } else {
            tx.abandon().await?;
        }
        Ok(accepted)
    });
    let accepted = accepted.await?;
    if !accepted {
        tell_of_copy(provider, call, factor).await?;
    }
    Ok(accepted)
}

/// Writes down that a passkey may have been copied, and tells its owner. Nothing if it is there no more.
async fn tell_of_copy(provider: &Provider, call: &Call, factor: &Factor) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        tx.hold_user(factor.user).await?;
        let held = tx.list_factors_of(factor.user).await?;
        let user = tx.find_user(factor.user).await?;
        let Some(user) = user.filter(|_| held.iter().any(|held| held.id == factor.id)) else {
            return Ok(tx.abandon().await?);
        };
        let event = call.event(EventKind::PasskeyCloned).user(user.id);
        let event = event.fact("factor", Fact::Id(factor.id.uuid()));
        tx.add_event(&event.fact("kind", Fact::Word(factor.kind().as_str())))
            .await?;
        news::write(provider, &mut tx, call, &user, (What::Cloned, Some(factor))).await?;
        Ok(tx.commit().await?)
    })
    .await
}
