//! A person's own passkeys: begun, and added once the browser has made one. What is kept in between is bound to the session that
//! began it, and each session has begun one at most. The authenticator's answer counts once.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ceremony::{enrolment, relying_party};
use super::kept_codes::prepare_codes;
use super::own::{self, Change, Confirmed, NotChanged, RecoveryCodes, make, name_of};
use super::{MOST, own_factors};
use crate::credential::{PASSKEY_CEREMONY, PasskeyFault};
use crate::crypto;
use crate::ephemeral::Kind;
use crate::flow::session::{Asker, Browser};
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, EventKind, Fact, Factor, FactorKind, FactorMeans, Id, Secret, Timestamp, User};

const SEALED_FOR: &str = "passkey enrolment";

/// A passkey to be.
#[derive(Clone, Debug)]
pub struct BegunPasskey {
    /// What is confirmed.
    pub id: Id<Factor>,
    /// What the person calls it.
    pub name: String,
    /// What the authenticator is asked, as `parseCreationOptionsFromJSON` reads it.
    pub options: Value,
    /// Until when it can be confirmed.
    pub until: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    id: Id<Factor>,
    name: String,
    options: Value,
    state: String,
    begun: Timestamp,
}

/// Begins a passkey, in the place of one that this session has begun before.
///
/// # Errors
/// [`NotChanged`]; [`Error::Conflict`] `too_many_factors`, and `no_domain` where browsers have no passkeys for this installation.
pub async fn begin_passkey(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    name: &str,
) -> Result<BegunPasskey, NotChanged> {
    let name = name_of(name)?;
    let user = provider.store.read().await?.find_user(asker.user).await?;
    let user = user.filter(|user| user.is_active(call.now)).ok_or(Error::NotFound)?;
    let known = own_factors(provider, asker.user).await?.factors;
    own::judge(asker, call.now, !known.is_empty())?;
    if known.len() >= MOST {
        return Err(Error::Conflict("too_many_factors").into());
    }
    let ceremony = enrolment(provider, call, &user, &known).await?;
    let kept = Kept {
        id: Id::new(call.now),
        name,
        options: ceremony.options,
        state: ceremony.state,
        begun: call.now,
    };
    let plain = serde_json::to_vec(&kept).map_err(|error| Error::Failed(Box::new(error)))?;
    let sealed = provider.master.seal(SEALED_FOR, &plain);
    let (key, until) = (key(provider, asker), call.now.after(PASSKEY_CEREMONY));
    let put = provider.ephemeral.put(Kind::Ceremony, &key, &sealed, until, call.now);
    put.await.map_err(Error::from)?;
    Ok(shown(kept))
}

/// What was begun, by whoever began it.
///
/// # Errors
/// [`Error::NotFound`] if nothing was begun in this session, or too long ago.
pub async fn look_at_begun_passkey(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    id: Id<Factor>,
) -> Result<BegunPasskey, NotChanged> {
    Ok(shown(find(provider, call, asker, id).await?))
}

/// Lets a passkey count that the browser has made. The first factor comes with recovery codes.
///
/// # Errors
/// [`NotChanged`]: it does not count. [`Error::NotFound`] if nothing was begun in this session, too long ago, or it was answered
/// before; [`Error::Conflict`] `passkey_known` if somebody has it already.
pub async fn confirm_passkey(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    id: Id<Factor>,
    answer: &Secret,
) -> Result<Confirmed, NotChanged> {
    confirm_with(provider, call, asker, (id, answer), RecoveryCodes::new()).await
}

/// The same for a browser, which may send its form twice: either answer can show the codes
/// ([`codes_that_came_with`](super::codes_that_came_with)).
///
/// # Errors
/// As [`confirm_passkey`].
pub async fn confirm_passkey_in(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    asker: Asker,
    id: Id<Factor>,
    answer: &Secret,
) -> Result<Confirmed, NotChanged> {
    let codes = RecoveryCodes::of(prepare_codes(provider, call, browser, id).await?);
    confirm_with(provider, call, asker, (id, answer), codes).await
}

async fn confirm_with(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    (id, answer): (Id<Factor>, &Secret),
    codes: RecoveryCodes,
) -> Result<Confirmed, NotChanged> {
    let kept = find(provider, call, asker, id).await?;
    // whatever it is worth: an answer is judged once
    let taken = provider
        .ephemeral
        .take(Kind::Ceremony, &key(provider, asker), call.now)
        .await;
    taken.map_err(Error::from)?.ok_or(Error::NotFound)?;
    let place = relying_party(provider).ok_or(Error::Conflict("no_domain"))?;
    let passkey = match place.finish_enrolment(&kept.state, answer.expose()) {
        Ok(passkey) => passkey,
        Err(fault) => {
            provider.note(refused(call, asker.user, fault)).await;
            return Err(NotChanged::Passkey(fault));
        }
    };
    let factor = Factor {
        id: kept.id,
        user: asker.user,
        name: kept.name,
        means: FactorMeans::Passkey(passkey),
        created_at: call.now,
        confirmed_at: Some(call.now),
        used_at: None,
    };
    let change = Change::Add {
        factor: &factor,
        begun: kept.begun,
        digests: &codes.digests,
    };
    let held = make(provider, call, asker, &change).await?;
    Ok(own::confirmed(provider, call, asker, (factor.id, &held, codes)).await)
}

async fn find(provider: &Provider, call: &Call, asker: Asker, id: Id<Factor>) -> Result<Kept, Error> {
    let sealed = provider
        .ephemeral
        .get(Kind::Ceremony, &key(provider, asker), call.now)
        .await?
        .ok_or(Error::NotFound)?;
    let plain = provider.master.open(SEALED_FOR, &sealed).map_err(|_| Error::NotFound)?;
    let kept: Kept = serde_json::from_slice(&plain).map_err(|_| Error::NotFound)?;
    Some(kept).filter(|kept| kept.id == id).ok_or(Error::NotFound)
}

fn shown(kept: Kept) -> BegunPasskey {
    BegunPasskey {
        id: kept.id,
        name: kept.name,
        options: kept.options,
        until: kept.begun.after(PASSKEY_CEREMONY),
    }
}

fn key(provider: &Provider, asker: Asker) -> String {
    let key = provider.master.derive("passkey enrolment of a session");
    let (user, session) = (asker.user.uuid(), asker.session.uuid());
    crypto::hex(&crypto::mac(&key, &[user.as_bytes().as_slice(), session.as_bytes()]))
}

pub(super) fn refused(call: &Call, user: Id<User>, fault: PasskeyFault) -> crate::model::Event {
    call.by(Actor::User(user))
        .event(EventKind::FactorAdded)
        .refused("factor.wrong_passkey")
        .user(user)
        .fact("kind", Fact::Word(FactorKind::Passkey.as_str()))
        .fact("fault", Fact::Word(fault.as_str()))
}
