//! The chain of the audit log. Checkpoints are made of what has settled, each with a digest that goes on from the one before, under
//! a key that the database does not hold: whoever changes, adds or removes events behind the server's back is found out.

use std::time::Duration;

use crate::crypto;
use crate::flow::people::Page;
use crate::flow::{Error, Provider};
use crate::model::setting::EVENT_KEPT_FOR;
use crate::model::{Digest, Event, Id, Timestamp};
pub use crate::store::EventCheckpoint;
use crate::store::EventRow;

const PURPOSE: &str = "audit log";
/// An event is written within this time of its id, or gets another id.
pub(in crate::flow) const LATEST_WRITTEN: Duration = Duration::from_secs(5 * 60);
/// No event with an id of so long ago comes any more; beyond what is written late, clocks of nodes may differ.
const SETTLED: Duration = Duration::from_secs(10 * 60);
/// A stretch with fewer events waits until its first is so old.
const ENOUGH: u64 = 1_000;
const LONGEST_OPEN: Duration = Duration::from_secs(60 * 60);
/// Events of one stretch at most.
const MOST: usize = 10_000;
/// Rows of one read.
const ROWS: u32 = 500;

/// What the log was found to be.
#[derive(Clone, Debug)]
pub struct Verified {
    /// When its first event happened; none if there are no events.
    pub from: Option<Timestamp>,
    /// Whether what was before it was forgotten sooner than `event.kept_for` says now.
    pub forgotten_early: bool,
    /// The newest checkpoint.
    pub head: Option<EventCheckpoint>,
    /// How many checkpoints were held against their events.
    pub checkpoints: u64,
    /// How many events those have.
    pub events: u64,
    /// How many came after the newest checkpoint, and are not under one yet.
    pub open: u64,
    /// What is not as it was.
    pub broken: Vec<Broken>,
}

/// A stretch that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its checkpoint.
    pub number: i64,
    /// What is wrong.
    pub fault: Fault,
    /// How many events it had.
    pub expected: i64,
    /// How many there are.
    pub found: i64,
    /// When the last of them happened.
    pub until: Timestamp,
}

/// What is wrong with a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There are fewer events, or more.
    Count,
    /// As many, but not the same, or the checkpoint itself was changed.
    Digest,
    /// There is no checkpoint of this number.
    Missing,
}

impl Fault {
    /// A word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Digest => "digest",
            Self::Missing => "missing",
        }
    }
}

/// Makes the checkpoints that are due. A job calls this; of several nodes at once one makes each. Gives how many were made here.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn go_on(provider: &Provider, now: Timestamp) -> Result<u64, Error> {
    let mut made = 0;
    loop {
        let last = provider.store.read().await?.find_last_event_checkpoint().await?;
        let Some(next) = next(provider, last.as_ref(), now).await? else {
            return Ok(made);
        };
        let mut tx = provider.store.write().await?;
        let is_ours = tx.add_event_checkpoint(&next).await?;
        tx.commit().await?;
        if !is_ours {
            return Ok(made);
        }
        made += 1;
        // whoever keeps the log elsewhere has it to hold against
        tracing::info!(
            number = next.number,
            events = next.events,
            digest = %crypto::hex(next.digest.as_bytes()),
            "a checkpoint of the audit log was made"
        );
    }
}

/// The checkpoint after this one, if there is enough for it.
async fn next(
    provider: &Provider,
    last: Option<&EventCheckpoint>,
    now: Timestamp,
) -> Result<Option<EventCheckpoint>, Error> {
    let settled = Id::earliest(now.before(SETTLED));
    let mut stretch = Stretch::after(provider, last);
    stretch.read(provider, settled, MOST).await?;
    let (Some(first_at), Some(last_at), Some(last_event)) = (stretch.first_at, stretch.last_at, stretch.after) else {
        return Ok(None);
    };
    if stretch.events < ENOUGH && first_at > now.before(LONGEST_OPEN) {
        return Ok(None);
    }
    let number = last.map_or(1, |last| last.number.saturating_add(1));
    Ok(Some(EventCheckpoint {
        number,
        last_event,
        last_at,
        events: stretch.count(),
        digest: stretch.digest(number),
        made_at: now,
        swept_at: None,
    }))
}

/// Forgets what happened before `before`, stretch by stretch, a bounded number. Gives how many events went.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub(super) async fn sweep(provider: &Provider, before: Timestamp, now: Timestamp, most: u32) -> Result<u64, Error> {
    let found = provider
        .store
        .read()
        .await?
        .find_event_checkpoint_before(before)
        .await?;
    let Some(last) = found else {
        return Ok(0);
    };
    let mut tx = provider.store.write().await?;
    let gone = tx.sweep_events(last.last_event, most).await?;
    tx.mark_event_checkpoint_swept(last.number, now).await?;
    // the last one stays: those after it go on from its digest
    tx.sweep_event_checkpoints(last.number, most).await?;
    tx.commit().await?;
    Ok(gone)
}

/// Holds the whole log against its checkpoints.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn verify(provider: &Provider, now: Timestamp) -> Result<Verified, Error> {
    let kept = provider.settings().await?.duration(EVENT_KEPT_FOR);
    let swept = provider.store.read().await?.find_swept_event_checkpoint().await?;
    let mut verified = Verified {
        from: None,
        forgotten_early: swept.as_ref().is_some_and(|swept| swept.is_early(kept, now)),
        head: swept,
        checkpoints: 0,
        events: 0,
        open: 0,
        broken: Vec::new(),
    };
    loop {
        let after = verified.head.as_ref().map_or(0, |head| head.number);
        let page = provider.store.read().await?.list_event_checkpoints(after, ROWS).await?;
        if page.is_empty() {
            break;
        }
        for checkpoint in page {
            verified.judge(provider, checkpoint).await?;
        }
    }
    let mut open = Stretch::after(provider, verified.head.as_ref());
    open.read(provider, Id::from_uuid(uuid::Uuid::max()), usize::MAX)
        .await?;
    verified.open = open.events;
    verified.from = verified.from.or(open.first_at);
    Ok(verified)
}

impl Verified {
    /// The next checkpoint. Whatever is wrong with it, the one after it is judged by what it says.
    async fn judge(&mut self, provider: &Provider, checkpoint: EventCheckpoint) -> Result<(), Error> {
        let mut stretch = Stretch::after(provider, self.head.as_ref());
        stretch.read(provider, checkpoint.last_event, usize::MAX).await?;
        let wanted = self.head.as_ref().map_or(1, |head| head.number.saturating_add(1));
        let fault = if checkpoint.number != wanted {
            Some(Fault::Missing)
        } else if stretch.count() != checkpoint.events {
            Some(Fault::Count)
        } else if !stretch.digest(checkpoint.number).matches(&checkpoint.digest) {
            Some(Fault::Digest)
        } else {
            None
        };
        if let Some(fault) = fault {
            self.broken.push(Broken {
                number: checkpoint.number,
                fault,
                expected: checkpoint.events,
                found: stretch.count(),
                until: checkpoint.last_at,
            });
        }
        self.checkpoints = self.checkpoints.saturating_add(1);
        self.events = self.events.saturating_add(stretch.events);
        self.from = self.from.or(stretch.first_at);
        self.head = Some(checkpoint);
        Ok(())
    }
}

impl EventCheckpoint {
    /// Whether its events were forgotten before their time.
    fn is_early(&self, kept: Duration, now: Timestamp) -> bool {
        let swept_at = self.swept_at.unwrap_or(now).min(now);
        self.last_at > swept_at.before(kept)
    }
}

/// Events after a checkpoint, as they are read.
struct Stretch {
    key: [u8; 32],
    after: Option<Id<Event>>,
    digest: [u8; 32],
    events: u64,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
}

impl Stretch {
    /// Nothing yet, after this checkpoint.
    fn after(provider: &Provider, checkpoint: Option<&EventCheckpoint>) -> Self {
        Self {
            key: provider.master.derive(PURPOSE),
            after: checkpoint.map(|checkpoint| checkpoint.last_event),
            digest: checkpoint.map_or([0; 32], |checkpoint| *checkpoint.digest.as_bytes()),
            events: 0,
            first_at: None,
            last_at: None,
        }
    }

    /// Goes on up to and with this event, or until there are so many.
    async fn read(&mut self, provider: &Provider, last: Id<Event>, most: usize) -> Result<(), Error> {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        while self.events < most {
            let mut store = provider.store.read().await?;
            let rows = store.list_events_between(self.after, last, ROWS).await?;
            drop(store);
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                self.add(row);
            }
        }
        Ok(())
    }

    fn add(&mut self, row: &EventRow) {
        let said = serde_json::json!([
            row.id.to_string(),
            row.at.micros(),
            row.kind,
            row.outcome,
            row.reason,
            row.actor_kind,
            row.actor_id,
            row.user,
            row.client,
            row.address,
            row.trace,
            row.facts,
        ]);
        self.digest = crypto::mac(&self.key, &[&self.digest, said.to_string().as_bytes()]);
        self.events = self.events.saturating_add(1);
        self.first_at = self.first_at.or(Some(row.at));
        self.last_at = Some(row.at);
        self.after = Some(row.id);
    }

    fn count(&self) -> i64 {
        i64::try_from(self.events).unwrap_or(i64::MAX)
    }

    /// What a checkpoint of this number says of it.
    fn digest(&self, number: i64) -> Digest {
        let parts: [&[u8]; 3] = [&self.digest, &number.to_be_bytes(), &self.events.to_be_bytes()];
        Digest::new(crypto::mac(&self.key, &parts))
    }
}

/// A page of checkpoints, the newest first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list(provider: &Provider, after: Option<&str>, limit: u32) -> Result<Page<EventCheckpoint>, Error> {
    let before = match after {
        None => i64::MAX,
        Some(text) => text
            .parse()
            .map_err(|_| Error::field("after", "malformed", "the cursor belongs to another list"))?,
    };
    let mut store = provider.store.read().await?;
    let found = store
        .list_latest_event_checkpoints(before, limit.saturating_add(1))
        .await?;
    Ok(Page::cut(found, limit, |checkpoint| checkpoint.number.to_string()))
}

/// A checkpoint by its number.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn find(provider: &Provider, number: i64) -> Result<Option<EventCheckpoint>, Error> {
    let mut store = provider.store.read().await?;
    let found = store.list_event_checkpoints(number.saturating_sub(1), 1).await?;
    Ok(found.into_iter().find(|checkpoint| checkpoint.number == number))
}
