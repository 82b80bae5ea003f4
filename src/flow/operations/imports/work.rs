//! Working on imports: whoever takes one holds a lease of it, does one piece, and leaves it to whoever comes next. Whose lease is over writes
//! nothing more.

use std::time::Duration;

use super::{NEEDED, make, read, show, told, undo};
use crate::flow::again::again;
use crate::flow::operations::jobs::rights;
use crate::flow::people::ChangeSource;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, Digest, EventKind, Fact, Id, Import, ImportState, Job, JobState, Secret};

/// So many rows are one piece.
pub(super) const PIECE: u32 = 250;
/// Whoever has an import and does not come back loses it after so long.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// So many imports are looked at in one turn.
const MOST_LOOKED_AT: u32 = 5;

/// Does a piece of the first import that nobody is at. Gives whether there may be more to do.
///
/// # Errors
/// [`Error::Unavailable`]: it goes on later.
pub async fn work(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let due = provider
        .store
        .read()
        .await?
        .list_due_imports(call.now, MOST_LOOKED_AT)
        .await?;
    for id in due {
        if let Some(held) = Held::take(provider, call, id).await? {
            let done = held.step(provider, call).await;
            if done.is_err() {
                held.let_go(provider, call).await;
            }
            return done.map(|()| true);
        }
    }
    Ok(false)
}

/// An import that this node is at.
pub(super) struct Held {
    pub(super) import: Import,
    pub(super) lease: Digest,
    pub(super) source: ChangeSource,
}

impl Held {
    async fn take(provider: &Provider, call: &Call, id: Id<Import>) -> Result<Option<Self>, Error> {
        let lease = Secret::generate().digest();
        let mut tx = provider.store.write().await?;
        let claimed = tx.claim_import(id, &lease, (call.now, call.now.after(LEASE))).await?;
        let import = tx.find_import(id).await?;
        tx.commit().await?;
        let Some(import) = import.filter(|_| claimed) else {
            return Ok(None);
        };
        let source = rights::now(provider, call, &as_job(&import)).await?;
        Ok(Some(Self { import, lease, source }))
    }

    async fn step(&self, provider: &Provider, call: &Call) -> Result<(), Error> {
        let call = &call.by(self.import.actor);
        let may = self.source.must_cover(NEEDED).is_ok();
        match self.import.state {
            ImportState::Reading if may => read::step(provider, call, self).await,
            ImportState::Making if may => make::step(provider, call, self).await,
            ImportState::Showing if may => show::step(provider, call, self).await,
            // what was begun by somebody who might is not left half hidden
            ImportState::Undoing => undo::step(provider, call, self).await,
            state => {
                let ended = match state {
                    ImportState::Making => ImportState::Made,
                    ImportState::Showing => ImportState::Done,
                    _ => ImportState::Failed,
                };
                let why = ("rights", "whoever has begun it may not do it any more");
                self.end(provider, call, (ended, Some(why))).await
            }
        }
    }

    /// Until when it is this one's: whoever comes next may have it at once.
    pub(super) fn until(call: &Call) -> crate::model::Timestamp {
        call.now
    }

    /// Brings it into the state in which nobody is at it.
    pub(super) async fn end(
        &self,
        provider: &Provider,
        call: &Call,
        (state, why): (ImportState, Option<(&str, &str)>),
    ) -> Result<(), Error> {
        again(|| async {
            let mut tx = provider.store.write().await?;
            let done = self.end_in(&mut tx, call, (state, why)).await;
            settle(tx, done).await
        })
        .await
    }

    /// The same as a part of a transaction.
    pub(super) async fn end_in(
        &self,
        tx: &mut crate::store::Write,
        call: &Call,
        (state, why): (ImportState, Option<(&str, &str)>),
    ) -> Result<(), Error> {
        let is_over = matches!(state, ImportState::Done | ImportState::Undone | ImportState::Failed);
        let ended = is_over.then_some(call.now);
        let id = self.import.id;
        if !tx.finish_import(id, &self.lease, (state, why, ended)).await? {
            return Ok(());
        }
        if is_over {
            tx.forget_import_parts(id).await?;
            let import = tx.find_import(id).await?.ok_or(Error::NotFound)?;
            let event = told(call.event(EventKind::ImportEnded), &import);
            tx.add_event(&event.fact("state", Fact::Word(state.as_str()))).await?;
        }
        Ok(())
    }

    /// Whoever comes next goes on at once, and not when the lease is over.
    async fn let_go(&self, provider: &Provider, call: &Call) {
        let left = async {
            let mut tx = provider.store.write().await?;
            tx.let_go_of_import(self.import.id, &self.lease, call.now).await?;
            Ok::<_, Error>(tx.commit().await?)
        };
        if let Err(error) = left.await {
            tracing::warn!(import = %self.import.id, %error, "an import goes on when its lease is over");
        }
    }
}

/// The import as work that somebody has begun: what they may do by now is asked of it.
fn as_job(import: &Import) -> Job {
    Job {
        id: Id::from_uuid(import.id.uuid()),
        state: JobState::Running,
        kind: String::new(),
        task: String::new(),
        actor: match import.actor {
            // what a time that has come does
            Actor::System => Actor::Operator,
            other => other,
        },
        rights: import.rights.clone(),
        position: None,
        total: None,
        done: 0,
        refused: 0,
        reason: None,
        created_at: import.created_at,
        started_at: None,
        ended_at: None,
    }
}
