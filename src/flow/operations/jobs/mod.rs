//! Work on many users: a few at once, each with its answer; more as a job, which goes on after the answer, can be looked at and cancelled,
//! and tells what became of each. What is done with one of them is what would be done with them alone, in one transaction with the note
//! of it: whoever dies at it leaves nothing half done, and whoever comes next does nothing twice.

pub(in crate::flow::operations) mod rights;
mod work;

pub use work::work;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::flow::again::again;
use crate::flow::people::{self, BulkAction, ChangeSource, Rights, Search};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Page, Provider};
use crate::model::{Actor, EventKind, Fact, Id, ItemOutcome, Job, JobItem, JobState, User};

/// So many are done while the caller waits.
pub const MOST_AT_ONCE: usize = 100;
/// More are not named one by one.
pub const MOST_NAMED: usize = 10_000;
/// So many jobs wait or run at a time.
const MOST_OPEN: u32 = 20;
/// Whoever has begun one by mistake has a moment to cancel it.
const BEGINS_AFTER: Duration = Duration::from_secs(1);
/// No further is counted beforehand.
const MOST_COUNTED: u32 = 100_000;

/// With whom something is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// With these.
    Named(Vec<Id<User>>),
    /// With those who are found, as they are when they are come to; whoever is made later is not among them.
    Found(Search),
}

/// What is done with whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What.
    pub action: BulkAction,
    /// With whom.
    pub chosen: Chosen,
}

/// What became of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Whose account.
    pub user: Id<User>,
    /// Why it was refused: a word and a sentence. It was done if there is none.
    pub refused: Option<(String, String)>,
}

/// What became of a wish about many.
#[derive(Clone, Debug)]
pub enum Begun {
    /// It is done, with each as it says.
    Now(Vec<Answered>),
    /// It goes on.
    Later(Box<Job>),
}

/// Does something with many users: at once with a few that are named, as a job with others.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Forbidden`] if the caller could do it with nobody; [`Error::Conflict`] `too_many_jobs`.
pub async fn begin(provider: &Provider, call: &Call, source: &ChangeSource, task: Task) -> Result<Begun, Error> {
    task.action.judge()?;
    task.action.must_be_held(source)?;
    match task.chosen {
        Chosen::Named(ids) if ids.is_empty() => Err(Error::field("/ids", "required", "expected at least one id")),
        Chosen::Named(ids) if ids.len() > MOST_NAMED => {
            let detail = format!("expected at most {MOST_NAMED} ids; choose more by a filter");
            Err(Error::field("/ids", "too_many", detail))
        }
        Chosen::Named(ids) if ids.len() <= MOST_AT_ONCE => do_now(provider, call, source, (&task.action, ids)).await,
        chosen => {
            let task = Task {
                action: task.action,
                chosen,
            };
            let job = begin_job(provider, call, source, &task).await?;
            Ok(Begun::Later(Box::new(job)))
        }
    }
}

async fn do_now(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    (action, ids): (&BulkAction, Vec<Id<User>>),
) -> Result<Begun, Error> {
    let mut answers: Vec<Answered> = Vec::with_capacity(ids.len());
    for user in ids {
        if answers.iter().any(|answered| answered.user == user) {
            continue;
        }
        let refused = match people::bulk::act(provider, call, source, (action, user), None).await {
            Ok(()) => None,
            // what could not be done now is told as such: the others are done
            Err(error) => Some(people::bulk::refusal(&error).unwrap_or_else(|| {
                tracing::warn!(user = %user, %error, "one of many could not be done");
                (
                    "unavailable".to_owned(),
                    "it could not be done now: try again".to_owned(),
                )
            })),
        };
        answers.push(Answered { user, refused });
    }
    Ok(Begun::Now(answers))
}

async fn begin_job(provider: &Provider, call: &Call, source: &ChangeSource, task: &Task) -> Result<Job, Error> {
    let total = match &task.chosen {
        Chosen::Named(ids) => i64::try_from(ids.len()).ok(),
        Chosen::Found(search) => {
            let counted = people::count_users(provider, call, &source.rights(), search, MOST_COUNTED).await?;
            (!counted.at_least).then_some(counted.count)
        }
    };
    let text = serde_json::to_string(task).map_err(|error| Error::Failed(Box::new(error)))?;
    let job = Job {
        id: Id::new(call.now),
        state: JobState::Waiting,
        kind: task.action.word().to_owned(),
        task: text,
        actor: call.actor,
        rights: match source {
            ChangeSource::Api(Rights::Held(held)) => Some(held.clone()),
            _ => None,
        },
        position: None,
        total,
        done: 0,
        refused: 0,
        reason: None,
        created_at: call.now,
        started_at: None,
        ended_at: None,
    };
    let job = &job;
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if tx.count_open_jobs(MOST_OPEN).await? >= i64::from(MOST_OPEN) {
                return Err(Error::Conflict("too_many_jobs"));
            }
            tx.add_job(job, call.now.after(BEGINS_AFTER)).await?;
            let event = call
                .event(EventKind::JobBegan)
                .fact("job", Fact::Id(job.id.uuid()))
                .fact("action", Fact::Word(task.action.word()));
            let event = match total {
                Some(total) => event.fact("total", Fact::Number(total)),
                None => event,
            };
            Ok(tx.add_event(&event).await?)
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    Ok(job.clone())
}

/// A page of jobs, the last made first; those of one who has begun them, if that is said.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list(
    provider: &Provider,
    whose: Option<Actor>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Job>, Error> {
    let before = people::users::position(after)?;
    let mut store = provider.store.read().await?;
    let jobs = match whose {
        None => store.list_jobs(before, limit.saturating_add(1)).await?,
        Some(actor) => store.list_jobs_of(actor, before, limit.saturating_add(1)).await?,
    };
    Ok(Page::cut(jobs, limit, |job| job.id.to_string()))
}

/// A job.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, id: Id<Job>) -> Result<Job, Error> {
    provider.store.read().await?.find_job(id).await?.ok_or(Error::NotFound)
}

/// A job of one who has begun it, if that is said.
///
/// # Errors
/// [`Error::NotFound`] also for somebody else's.
pub async fn get_of(provider: &Provider, whose: Option<Actor>, id: Id<Job>) -> Result<Job, Error> {
    let job = get(provider, id).await?;
    if whose.is_some_and(|whose| whose != job.actor) {
        return Err(Error::NotFound);
    }
    Ok(job)
}

/// A page of what became of each, in the order in which they came; of those that were refused alone, if asked.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`] for a position of another list.
pub async fn list_items(
    provider: &Provider,
    id: Id<Job>,
    only: Option<ItemOutcome>,
    (after, limit): (Option<&str>, u32),
) -> Result<Page<JobItem>, Error> {
    let number = after.map(str::parse).transpose();
    let number: Option<i64> =
        number.map_err(|_| Error::field("after", "malformed", "the cursor belongs to another list"))?;
    let mut store = provider.store.read().await?;
    if store.find_job(id).await?.is_none() {
        return Err(Error::NotFound);
    }
    let items = store
        .list_job_items(id, only, number.unwrap_or(0), limit.saturating_add(1))
        .await?;
    Ok(Page::cut(items, limit, |item| item.number.to_string()))
}

/// Ends a job before its end: nothing more of it is done, what was done stays. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] for whoever could not have begun it.
pub async fn cancel(provider: &Provider, call: &Call, source: &ChangeSource, id: Id<Job>) -> Result<Job, Error> {
    let job = get(provider, id).await?;
    let task = read(&job)?;
    task.action.must_be_held(source)?;
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if tx.cancel_job(id, call.now).await? {
                let job = tx.find_job(id).await?.ok_or(Error::NotFound)?;
                tx.add_event(&ended(call, &job)).await?;
            }
            tx.find_job(id).await?.ok_or(Error::NotFound)
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// What a job is about.
fn read(job: &Job) -> Result<Task, Error> {
    serde_json::from_str(&job.task).map_err(|error| Error::Failed(Box::new(error)))
}

/// That a job has come to its end.
fn ended(call: &Call, job: &Job) -> crate::model::Event {
    call.event(EventKind::JobEnded)
        .fact("job", Fact::Id(job.id.uuid()))
        .fact("state", Fact::Word(job.state.as_str()))
        .fact("done", Fact::Number(job.done))
        .fact("refused", Fact::Number(job.refused))
}
