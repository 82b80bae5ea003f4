//! Another master key: made known beside the current one, then current, and everything sealed anew under it while the
//! server runs. In small steps, each of which may be the last: whoever asks for the next goes on where the values say.

use std::time::Duration;

use crate::clock;
use crate::crypto::KeyId;
use crate::flow::clients::SECRET_PURPOSE;
use crate::flow::operations::{idempotency, keyring, user_actions, webhooks};
use crate::flow::{Call, Error, Provider, factor, letter};
use crate::model::{EventKind, Fact, MasterKeyRecord, MasterKeyState, Timestamp};
use crate::store::{SealedColumn, SealedValue};

/// Values of one transaction.
const BATCH: u32 = 200;
/// A step tells how far it is after this time.
const STEP: Duration = Duration::from_millis(500);
/// After this time every node seals under the key that is current: memory is trusted for two seconds.
const NOTICED: Duration = Duration::from_secs(5);

/// Nothing that is sealed in the ephemeral store waits longer: it is not sealed anew, it ends.
pub const PENDING: Duration = Duration::from_secs(60 * 60);

/// Why a master key is not made or used.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing is prepared, and nothing is to be finished.
    #[error(
        "no master key is prepared: run `ostiary keys reseal --prepare`, copy the new file to the keys folder of every node, and run this again"
    )]
    NothingPrepared,
    /// The one before is not finished.
    #[error("not everything is sealed under the current master key yet: finish with `ostiary keys reseal` first")]
    Unfinished,
    /// The prepared key is not in the folder of whoever is to use it.
    #[error(
        "the master key {0} is prepared, but its file is not in the keys folder here: copy master-{0}.key to every node"
    )]
    NotHere(KeyId),
    /// Values that no key opens.
    #[error(
        "{0} value(s) open with no master key that is in the keys folder: bring back the older key they are sealed under; everything else is sealed anew"
    )]
    Unreadable(u64),
    /// Anything else.
    #[error(transparent)]
    Flow(#[from] Error),
}

/// A key that waits to be used.
#[derive(Clone, Copy, Debug)]
pub struct Prepared {
    /// The key.
    pub id: KeyId,
    /// Whether it was made now.
    pub is_new: bool,
}

/// How far a step came.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// There is more to do.
    Unfinished {
        /// Values under the current key.
        done: u64,
        /// Values there are.
        total: u64,
    },
    /// Everything is sealed under the current key.
    Finished {
        /// Values there are.
        total: u64,
    },
}

/// A master key, and what rests on it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What the store knows of it.
    pub record: MasterKeyRecord,
    /// How many values are sealed under it.
    pub values: u64,
    /// Whether its file is in the keys folder here.
    pub is_here: bool,
    /// From when on nothing needs it, if that is known.
    pub removable_at: Option<Timestamp>,
}

/// Every master key, oldest first, and how many values name none of them.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn list(provider: &Provider) -> Result<(Vec<Standing>, u64), Error> {
    let mut store = provider.store.read().await?;
    let mut records = store.list_master_keys().await?;
    if records.is_empty() {
        records.push(MasterKeyRecord {
            current_at: None,
            resealed_at: None,
            ..first(provider, Timestamp::from_micros(0))
        });
    }
    let current = provider.master.current();
    let mut total = 0;
    for column in SealedColumn::ALL {
        total += store.count_sealed_otherwise(column, current).await?;
        total += store.count_sealed_under(column, current).await?;
    }
    let finished = records
        .iter()
        .find(|record| record.state == MasterKeyState::Current)
        .and_then(|record| record.resealed_at);
    let mut found = Vec::new();
    let mut named = 0;
    for record in records {
        let mut values = 0;
        for column in SealedColumn::ALL {
            values += store.count_sealed_under(column, record.id).await?;
        }
        named += values;
        let unused = record.state == MasterKeyState::Older && values == 0;
        found.push(Standing {
            values: count(values),
            is_here: provider.master.holds(record.id),
            // what waits in the ephemeral store opens until it ends by itself
            removable_at: finished.filter(|_| unused).map(|finished| finished.after(PENDING)),
            record,
        });
    }
    Ok((found, count(total - named)))
}

/// Makes a key beside the current one, that is not used yet; gives the one that waits, if one does.
///
/// # Errors
/// [`Refusal::Unfinished`] while another change goes on.
pub async fn prepare(provider: &Provider, call: &Call) -> Result<Prepared, Refusal> {
    let known = records(provider).await?;
    if let Some(waiting) = known.iter().find(|record| record.state == MasterKeyState::Prepared) {
        return Ok(Prepared {
            id: waiting.id,
            is_new: false,
        });
    }
    if known.iter().any(is_unfinished) {
        return Err(Refusal::Unfinished);
    }
    let (id, root) = provider.master.add().map_err(Error::from)?;
    let mut tx = provider.store.write().await.map_err(Error::from)?;
    // the row of the generation is the lock: of two who prepare the second takes what the first has made
    tx.raise_key_generation().await.map_err(Error::from)?;
    let known = tx.list_master_keys().await.map_err(Error::from)?;
    if let Some(waiting) = known.iter().find(|record| record.state == MasterKeyState::Prepared) {
        tx.abandon().await.map_err(Error::from)?;
        return Ok(Prepared {
            id: waiting.id,
            is_new: false,
        });
    }
    if known.is_empty() {
        tx.add_master_key(&first(provider, call.now))
            .await
            .map_err(Error::from)?;
    }
    let record = MasterKeyRecord {
        id,
        state: MasterKeyState::Prepared,
        root,
        created_at: call.now,
        current_at: None,
        resealed_at: None,
    };
    tx.add_master_key(&record).await.map_err(Error::from)?;
    let event = call.event(EventKind::MasterKeyPrepared);
    tx.add_event(&event).await.map_err(Error::from)?;
    tx.commit().await.map_err(Error::from)?;
    super::forget(provider).await;
    Ok(Prepared { id, is_new: true })
}

/// Does some of what is to be done, for half a second: uses the key that is prepared, and seals anew what is sealed under
/// another one.
///
/// # Errors
/// [`Refusal`] if there is nothing to do, or it can't be done here.
pub async fn step(provider: &Provider, call: &Call) -> Result<Step, Refusal> {
    let mut known = records(provider).await?;
    if !known.iter().any(is_unfinished) {
        begin(provider, call, &known).await?;
        known = records(provider).await?;
    }
    // a command has no timer that does it
    provider.refresh_memory().await?;
    let Some(current) = known.iter().find(|record| record.state == MasterKeyState::Current) else {
        return Err(Refusal::NothingPrepared);
    };
    if provider.master.current() != current.id {
        return Err(Error::defect("the current master key is not known yet").into());
    }
    let unreadable = seal_anew(provider, current.id).await?;
    let (done, total) = progress(provider, current.id).await?;
    let left = total - done;
    if left > unreadable.unwrap_or(0) {
        return Ok(Step::Unfinished { done, total });
    }
    if let Some(unreadable) = unreadable.filter(|count| *count > 0) {
        return Err(Refusal::Unreadable(unreadable));
    }
    // another node may have read just before, and seal under the key of before once more
    if current.current_at.is_some_and(|at| call.now < at.after(NOTICED)) {
        clock::sleep(STEP).await;
        return Ok(Step::Unfinished { done, total });
    }
    finish(provider, call, current.id, total).await?;
    Ok(Step::Finished { total })
}

/// The current key as long as the store knows of none: everything was always sealed under it.
fn first(provider: &Provider, now: Timestamp) -> MasterKeyRecord {
    MasterKeyRecord {
        id: provider.master.current(),
        state: MasterKeyState::Current,
        root: provider.master.sealed_root(),
        created_at: now,
        current_at: Some(now),
        resealed_at: Some(now),
    }
}

fn is_unfinished(record: &MasterKeyRecord) -> bool {
    record.state == MasterKeyState::Current && record.resealed_at.is_none()
}

async fn records(provider: &Provider) -> Result<Vec<MasterKeyRecord>, Error> {
    Ok(provider.store.read().await?.list_master_keys().await?)
}

async fn begin(provider: &Provider, call: &Call, known: &[MasterKeyRecord]) -> Result<(), Refusal> {
    let next = known
        .iter()
        .find(|record| record.state == MasterKeyState::Prepared)
        .ok_or(Refusal::NothingPrepared)?;
    if !provider.master.holds(next.id) {
        return Err(Refusal::NotHere(next.id));
    }
    let begun = async {
        let mut tx = provider.store.write().await?;
        tx.raise_key_generation().await?;
        if !tx.begin_master_key(next.id, call.now).await? {
            return tx.abandon().await;
        }
        tx.add_event(&call.event(EventKind::MasterKeyChanged)).await?;
        tx.commit().await
    };
    begun.await.map_err(Error::from)?;
    super::forget(provider).await;
    Ok(())
}

/// Seals anew until the time of a step is over. How many values opened with no key, if all were looked at.
async fn seal_anew(provider: &Provider, current: KeyId) -> Result<Option<u64>, Error> {
    let began = clock::monotonic();
    let mut unreadable = 0;
    for column in SealedColumn::ALL {
        let mut after = column.start();
        loop {
            if began.elapsed() >= STEP {
                return Ok(None);
            }
            let found = provider
                .store
                .read()
                .await?
                .list_sealed_otherwise(column, current, &after, BATCH)
                .await?;
            let Some(last) = found.last() else { break };
            after = last.place.clone();
            let sealed: Vec<(&SealedValue, Vec<u8>)> = found
                .iter()
                .filter_map(|value| Some((value, under_current(provider, column, &value.sealed)?)))
                .collect();
            unreadable += (found.len() - sealed.len()) as u64;
            let mut tx = provider.store.write().await?;
            for (before, after) in sealed {
                tx.reseal(column, before, after).await?;
            }
            tx.commit().await?;
        }
    }
    Ok(Some(unreadable))
}

fn under_current(provider: &Provider, column: SealedColumn, sealed: &[u8]) -> Option<Vec<u8>> {
    let purpose = match column {
        SealedColumn::SigningKeys => keyring::SEALED_FOR,
        SealedColumn::ClientSecrets => SECRET_PURPOSE,
        SealedColumn::Outbox => letter::SEALED_FOR,
        SealedColumn::IdempotentAnswers => idempotency::SEALED_FOR,
        SealedColumn::Factors => factor::SEALED_FOR,
        SealedColumn::UserActions => user_actions::SEALED_FOR,
        SealedColumn::WebhookSecrets => webhooks::SEALED_FOR,
    };
    let plain = provider.master.open(purpose, sealed).ok()?;
    Some(provider.master.seal(purpose, &plain))
}

/// How many values are sealed under this key, and how many there are.
async fn progress(provider: &Provider, current: KeyId) -> Result<(u64, u64), Error> {
    let mut store = provider.store.read().await?;
    let (mut done, mut left) = (0, 0);
    for column in SealedColumn::ALL {
        done += store.count_sealed_under(column, current).await?;
        left += store.count_sealed_otherwise(column, current).await?;
    }
    Ok((count(done), count(done + left)))
}

async fn finish(provider: &Provider, call: &Call, current: KeyId, total: u64) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    tx.raise_key_generation().await?;
    // clients are remembered with their sealed secrets
    tx.raise_client_generation().await?;
    if !tx.mark_resealed(current, call.now).await? {
        return Ok(tx.abandon().await?);
    }
    let values = Fact::Number(i64::try_from(total).unwrap_or(i64::MAX));
    tx.add_event(&call.event(EventKind::MasterKeyResealed).fact("values", values))
        .await?;
    tx.commit().await?;
    super::forget(provider).await;
    Ok(())
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
