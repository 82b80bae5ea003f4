//! Signing keys: made at the first start, rotated by time or by hand, imported, listed. What is due is said by
//! [`super::key_plan`]; here it is done, by one node at a time.

use std::collections::BTreeMap;

use super::key_plan::{self, Rules, Step};
use super::keyring::SEALED_FOR;
use crate::flow::{Call, Error, Provider};
use crate::jose::PrivateKey;
use crate::model::{EventKind, Fact, Id, Secret, SigningAlgorithm, SigningKey, SigningKeyState, Timestamp};
use crate::store::{self, Write};

/// How a rotation by hand goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// A key is made and published now, and signs when every verifier can know it.
    Announced,
    /// A key signs at once: the one announced or imported last, or else a new one. Verifiers that keep our keys for long meet
    /// tokens they can't verify yet.
    AtOnce,
    /// A new key signs at once, and the old keys leave the published set at once: every token they signed is refused from now on. For
    /// keys that somebody else may have.
    Emergency,
}

/// Every key, retired ones included, oldest first.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn list(provider: &Provider) -> Result<Vec<SigningKey>, Error> {
    Ok(provider.store.read().await?.list_signing_keys().await?)
}

/// Does what is due: at every start, and every few minutes. Gives what was done.
///
/// # Errors
/// [`Error`] if the store does not answer or no key can be made.
pub async fn step(provider: &Provider, call: &Call) -> Result<Vec<Step>, Error> {
    let rules = Rules::of(&*provider.settings().await?);
    let seen = key_plan::due(&list(provider).await?, rules, call.now);
    if seen.is_empty() {
        return Ok(seen);
    }
    let mut made = make_for(provider, &seen).await?;
    let mut tx = provider.store.write().await?;
    // the row of the generation is the lock: of several nodes the second sees what the first has done
    tx.raise_key_generation().await?;
    let due = key_plan::due(&tx.list_signing_keys().await?, rules, call.now);
    let mut done = Vec::new();
    for step in due {
        if take(&mut tx, call, step, &mut made).await? {
            done.push(step);
        }
    }
    if done.is_empty() {
        tx.abandon().await?;
        return Ok(done);
    }
    tx.commit().await?;
    super::forget(provider).await;
    Ok(done)
}

/// Begins a rotation of every kind now.
///
/// # Errors
/// [`Error::Conflict`] if one is announced already and another was asked for; [`Error`] if the store does not answer.
pub async fn rotate(provider: &Provider, call: &Call, how: Rotation) -> Result<(), Error> {
    let wanted: Vec<Step> = key_plan::KINDS.into_iter().map(Step::Create).collect();
    let mut made = make_for(provider, &wanted).await?;
    let mut tx = provider.store.write().await?;
    tx.raise_key_generation().await?;
    let keys = tx.list_signing_keys().await?;
    if how == Rotation::Announced && keys.iter().any(|key| key.state == SigningKeyState::Next) {
        tx.abandon().await?;
        return Err(Error::Conflict("a rotation is already announced"));
    }
    let waiting = match how {
        Rotation::AtOnce => waiting_keys(&keys),
        Rotation::Announced | Rotation::Emergency => BTreeMap::new(),
    };
    for key in &keys {
        let kind = key_plan::kind_of(key);
        match (how, key.state) {
            (_, SigningKeyState::Retired)
            | (Rotation::Announced, _)
            | (Rotation::AtOnce, SigningKeyState::Retiring) => {}
            (Rotation::AtOnce, SigningKeyState::Active) => {
                take(&mut tx, call, Step::StopSigning(key.id, kind), &mut made).await?;
            }
            (Rotation::AtOnce, SigningKeyState::Next) if waiting.get(&kind) == Some(&key.id) => {
                take(&mut tx, call, Step::Activate(key.id, kind), &mut made).await?;
            }
            // a key that a later one has overtaken; one that others may have
            (Rotation::AtOnce, SigningKeyState::Next) | (Rotation::Emergency, _) => {
                take(&mut tx, call, Step::Retire(key.id, kind), &mut made).await?;
            }
        }
    }
    for kind in key_plan::KINDS.into_iter().filter(|kind| !waiting.contains_key(kind)) {
        let step = match how {
            Rotation::Announced => Step::Create(kind),
            Rotation::AtOnce | Rotation::Emergency => Step::CreateActive(kind),
        };
        take(&mut tx, call, step, &mut made).await?;
    }
    tx.commit().await?;
    super::forget(provider).await;
    Ok(())
}

/// Of every kind the key that was announced or imported last and does not sign yet. `keys` stand oldest first.
fn waiting_keys(keys: &[SigningKey]) -> BTreeMap<SigningAlgorithm, Id<SigningKey>> {
    let waiting = keys.iter().filter(|key| key.state == SigningKeyState::Next);
    waiting.map(|key| (key_plan::kind_of(key), key.id)).collect()
}

/// Takes in a key from elsewhere, PEM or JWK. It is published at once and signs when every verifier can know it.
///
/// # Errors
/// [`Error::Invalid`] if it is no key that this server signs with; [`Error::Conflict`] if it is there already.
pub async fn import(provider: &Provider, call: &Call, material: Secret) -> Result<SigningKey, Error> {
    let parsed = tokio::task::spawn_blocking(move || {
        let text = material.expose();
        if text.trim_start().starts_with('{') {
            PrivateKey::from_jwk(text.as_bytes())
        } else {
            PrivateKey::from_pem(text)
        }
    });
    let private = parsed
        .await
        .map_err(|error| Error::Failed(Box::new(error)))?
        .map_err(|error| Error::field("", "key", error.to_string()))?;
    let algorithm = private
        .algorithms()
        .first()
        .copied()
        .ok_or_else(|| Error::defect("a key without an algorithm"))?;
    let key = row(provider, &private, algorithm, call.now, SigningKeyState::Next);
    let mut tx = provider.store.write().await?;
    tx.raise_key_generation().await?;
    match add(&mut tx, call, &key).await {
        Err(store::Error::Taken(_)) => {
            tx.abandon().await?;
            return Err(Error::Conflict("the key is there already"));
        }
        added => added?,
    }
    tx.commit().await?;
    super::forget(provider).await;
    Ok(key)
}

/// Does one step. False if it can't be done now: another node was there first.
async fn take(tx: &mut Write, call: &Call, step: Step, made: &mut Made) -> Result<bool, Error> {
    match step {
        Step::Create(kind) | Step::CreateActive(kind) => {
            let Some(mut key) = made.remove(&kind) else {
                return Ok(false);
            };
            key.created_at = call.now;
            if matches!(step, Step::CreateActive(_)) {
                key.state = SigningKeyState::Active;
                key.activated_at = Some(call.now);
            }
            add(tx, call, &key).await?;
            Ok(true)
        }
        Step::Activate(id, kind) => move_on(tx, call, id, kind, SigningKeyState::Active).await,
        Step::StopSigning(id, kind) => move_on(tx, call, id, kind, SigningKeyState::Retiring).await,
        Step::Retire(id, kind) => move_on(tx, call, id, kind, SigningKeyState::Retired).await,
    }
}

async fn move_on(
    tx: &mut Write,
    call: &Call,
    id: Id<SigningKey>,
    kind: SigningAlgorithm,
    to: SigningKeyState,
) -> Result<bool, Error> {
    if !tx.move_signing_key(id, to, call.now).await? {
        return Ok(false);
    }
    let event = match to {
        SigningKeyState::Next => return Ok(false),
        SigningKeyState::Active => EventKind::KeyActivated,
        SigningKeyState::Retiring | SigningKeyState::Retired => EventKind::KeyRetired,
    };
    let event = call
        .event(event)
        .fact("key", Fact::Id(id.uuid()))
        .fact("algorithm", Fact::Word(kind.as_str()))
        .fact("state", Fact::Word(to.as_str()));
    tx.add_event(&event).await?;
    Ok(true)
}

async fn add(tx: &mut Write, call: &Call, key: &SigningKey) -> Result<(), store::Error> {
    tx.add_signing_key(key).await?;
    let event = call
        .event(EventKind::KeyCreated)
        .fact("key", Fact::Id(key.id.uuid()))
        .fact("algorithm", Fact::Word(key.algorithm.as_str()))
        .fact("state", Fact::Word(key.state.as_str()));
    tx.add_event(&event).await
}

/// Keys that were made and sealed, by kind; not stored yet.
type Made = BTreeMap<SigningAlgorithm, SigningKey>;

/// Makes the keys that these steps need, before any transaction: RSA takes its time.
async fn make_for(provider: &Provider, steps: &[Step]) -> Result<Made, Error> {
    let mut made = Made::new();
    for step in steps {
        let (Step::Create(kind) | Step::CreateActive(kind)) = *step else {
            continue;
        };
        let private = tokio::task::spawn_blocking(move || PrivateKey::generate(kind))
            .await
            .map_err(|error| Error::Failed(Box::new(error)))??;
        let now = Timestamp::from_micros(provider.clock.micros());
        made.insert(kind, row(provider, &private, kind, now, SigningKeyState::Next));
    }
    Ok(made)
}

fn row(
    provider: &Provider,
    private: &PrivateKey,
    algorithm: SigningAlgorithm,
    now: Timestamp,
    state: SigningKeyState,
) -> SigningKey {
    SigningKey {
        id: Id::new(now),
        kid: private.kid().to_owned(),
        algorithm,
        state,
        sealed: provider.master.seal(SEALED_FOR, private.to_jwk().expose().as_bytes()),
        created_at: now,
        activated_at: None,
        retiring_at: None,
        retired_at: None,
    }
}
