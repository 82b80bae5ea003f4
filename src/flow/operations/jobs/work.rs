//! Doing jobs: whoever takes one holds a lease of it, does so many of its things, and leaves it to whoever comes next. What the lease of is
//! over is somebody else's: nothing more is written then.

use std::time::Duration;

use super::{Chosen, Task, ended, read, rights};
use crate::flow::again::again;
use crate::flow::people;
use crate::flow::people::bulk::{DONE_BEFORE, Noted, act, refusal};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Page, Provider};
use crate::model::{Digest, Id, ItemOutcome, Job, JobItem, JobState, Secret, User};

/// So many are done before the job is looked at again.
const BATCH: u32 = 50;
/// Whoever has a job and does not come back loses it after so long.
const LEASE: Duration = Duration::from_secs(30);
/// So many jobs are looked at in one turn.
const MOST_LOOKED_AT: u32 = 5;

/// Does a part of the first job that nobody is at, a bounded one. Gives whether there may be more to do.
///
/// # Errors
/// [`Error::Unavailable`]: it goes on later.
pub async fn work(provider: &Provider, call: &Call) -> Result<bool, Error> {
    let due = provider
        .store
        .read()
        .await?
        .list_due_jobs(call.now, MOST_LOOKED_AT)
        .await?;
    for id in due {
        if let Some(held) = Held::take(provider, call, id).await? {
            let done = held.go_on(provider, call).await;
            if done.is_err() {
                held.let_go(provider, call).await;
            }
            return done.map(|()| true);
        }
    }
    Ok(false)
}

/// A job that this node is at.
struct Held {
    job: Job,
    task: Task,
    lease: Digest,
}

/// What became of the wish to do one.
enum Done {
    /// It is written down.
    Yes,
    /// The job is somebody else's by now, or has come to its end.
    NotOurs,
    /// Whoever has begun it may not do such a thing any more.
    NoRight,
}

impl Held {
    async fn take(provider: &Provider, call: &Call, id: Id<Job>) -> Result<Option<Self>, Error> {
        let lease = Secret::generate().digest();
        let mut tx = provider.store.write().await?;
        let claimed = tx.claim_job(id, &lease, (call.now, call.now.after(LEASE))).await?;
        let job = tx.find_job(id).await?;
        tx.commit().await?;
        let Some(job) = job.filter(|_| claimed) else {
            return Ok(None);
        };
        let task = match read(&job) {
            Ok(task) => task,
            Err(error) => {
                // of a newer program, perhaps
                tracing::error!(job = %job.id, %error, "a job can't be read");
                end(provider, call, (&job, &lease), (JobState::Failed, Some("unreadable"))).await?;
                return Ok(None);
            }
        };
        Ok(Some(Self { job, task, lease }))
    }

    /// Does the next of them.
    async fn go_on(&self, provider: &Provider, call: &Call) -> Result<(), Error> {
        let call = &call.by(self.job.actor);
        // whoever may see nobody any more would find that all is done
        let source = rights::now(provider, call, &self.job).await?;
        if self.task.action.must_be_held(&source).is_err() {
            return self.end(provider, call, (JobState::Failed, Some("rights"))).await;
        }
        let page = self.next(provider, call).await?;
        for id in page.items {
            match self.do_one(provider, call, id).await? {
                Done::Yes => {}
                Done::NotOurs => return Ok(()),
                Done::NoRight => return self.end(provider, call, (JobState::Failed, Some("rights"))).await,
            }
        }
        let Some(position) = page.next else {
            return self.end(provider, call, (JobState::Done, None)).await;
        };
        again(|| async {
            let mut tx = provider.store.write().await?;
            if tx
                .go_on_with_job(self.job.id, &self.lease, (Some(&position), call.now))
                .await?
            {
                tx.let_go_of_job(self.job.id, &self.lease, call.now).await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Those that come next, and where those after them begin.
    async fn next(&self, provider: &Provider, call: &Call) -> Result<Page<Id<User>>, Error> {
        let position = self.job.position.as_deref();
        match &self.task.chosen {
            Chosen::Named(ids) => {
                let from: usize = position.and_then(|text| text.parse().ok()).unwrap_or(0);
                let size = usize::try_from(BATCH).unwrap_or(usize::MAX);
                let items: Vec<Id<User>> = ids.iter().skip(from).take(size).copied().collect();
                let to = from.saturating_add(items.len());
                Ok(Page {
                    items,
                    next: (to < ids.len()).then(|| to.to_string()),
                })
            }
            Chosen::Found(search) => {
                let rights = rights::now(provider, call, &self.job).await?.rights();
                // what is asked of now is asked of the moment at which the work was asked for
                let when = Call {
                    now: self.job.created_at,
                    ..call.clone()
                };
                let page = people::list_users(provider, &when, &rights, search, (position, BATCH)).await?;
                // whoever was made since is not meant
                let items = page.items.into_iter();
                let items = items.filter(|user| user.created_at <= self.job.created_at);
                Ok(Page {
                    items: items.map(|user| user.id).collect(),
                    next: page.next,
                })
            }
        }
    }

    async fn do_one(&self, provider: &Provider, call: &Call, id: Id<User>) -> Result<Done, Error> {
        // it was done before whoever did it died
        if provider.store.read().await?.has_job_item(self.job.id, id).await? {
            return Ok(Done::Yes);
        }
        let source = rights::now(provider, call, &self.job).await?;
        let action = &self.task.action;
        if action.must_be_held(&source).is_err() {
            return Ok(Done::NoRight);
        }
        let noted = Noted {
            job: self.job.id,
            lease: &self.lease,
        };
        match act(provider, call, &source, (action, id), Some(noted)).await {
            Ok(()) => Ok(Done::Yes),
            Err(Error::Conflict(DONE_BEFORE)) => self.is_ours(provider).await,
            Err(error) => match refusal(&error) {
                Some(refused) => self.note_refusal(provider, call, (id, refused)).await,
                None => Err(error),
            },
        }
    }

    /// Of two who are at the same job at once one is late.
    async fn is_ours(&self, provider: &Provider) -> Result<Done, Error> {
        let mut tx = provider.store.write().await?;
        let position = self.job.position.as_deref();
        let until = self.job.created_at;
        let is_ours = tx.go_on_with_job(self.job.id, &self.lease, (position, until)).await?;
        tx.abandon().await?;
        Ok(if is_ours { Done::Yes } else { Done::NotOurs })
    }

    async fn note_refusal(
        &self,
        provider: &Provider,
        call: &Call,
        (user, (code, detail)): (Id<User>, (String, String)),
    ) -> Result<Done, Error> {
        let item = JobItem {
            number: 0,
            user,
            outcome: ItemOutcome::Refused,
            code: Some(code),
            detail: Some(detail),
            at: call.now,
        };
        let item = &item;
        again(|| async {
            let mut tx = provider.store.write().await?;
            let is_added = tx.add_job_item(self.job.id, &self.lease, item).await?;
            if !is_added {
                tx.abandon().await?;
                return Ok(Done::NotOurs);
            }
            tx.commit().await?;
            Ok(Done::Yes)
        })
        .await
    }

    async fn end(&self, provider: &Provider, call: &Call, how: (JobState, Option<&str>)) -> Result<(), Error> {
        end(provider, call, (&self.job, &self.lease), how).await
    }

    /// Whoever comes next goes on at once, and not when the lease is over.
    async fn let_go(&self, provider: &Provider, call: &Call) {
        let left = async {
            let mut tx = provider.store.write().await?;
            tx.let_go_of_job(self.job.id, &self.lease, call.now).await?;
            Ok::<_, Error>(tx.commit().await?)
        };
        if let Err(error) = left.await {
            tracing::warn!(job = %self.job.id, %error, "a job goes on when its lease is over");
        }
    }
}

async fn end(
    provider: &Provider,
    call: &Call,
    (job, lease): (&Job, &Digest),
    (state, reason): (JobState, Option<&str>),
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if tx.finish_job(job.id, lease, (state, reason, call.now)).await? {
                let job = tx.find_job(job.id).await?.ok_or(Error::NotFound)?;
                tx.add_event(&ended(call, &job)).await?;
            }
            Ok(())
        }
        .await;
        settle(tx, done).await
    })
    .await
}
