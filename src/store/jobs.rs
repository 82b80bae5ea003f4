//! Jobs, and what became of each of the things that they are about. Whoever does a job holds a lease of it; each thing is written down in
//! the transaction that does it, and counts there, so that what is done is done once, whoever dies.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Actor, Digest, Id, ItemOutcome, Job, JobItem, JobState, Scopes, Timestamp, User};
use crate::sql::{self, Record, Row};

impl Record for Job {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        let actor = match (row.text("actor_kind")?.as_str(), row.maybe_uuid("actor_id")?) {
            ("user", Some(id)) => Actor::User(Id::from_uuid(id)),
            ("client", Some(id)) => Actor::Client(Id::from_uuid(id)),
            ("operator", _) => Actor::Operator,
            _ => Actor::Anonymous,
        };
        let rights = row.maybe_text("rights")?;
        Ok(Self {
            id: row.id("id")?,
            state: row.named("state")?,
            kind: row.text("kind")?,
            task: row.text("task")?,
            actor,
            rights: rights.map(|held| Scopes::from_tokens(held.split(' ').filter(|token| !token.is_empty()))),
            position: row.maybe_text("position")?,
            total: row.maybe_int("total")?,
            done: row.int("done")?,
            refused: row.int("refused")?,
            reason: row.maybe_text("reason")?,
            created_at: row.time("created_at")?,
            started_at: row.maybe_time("started_at")?,
            ended_at: row.maybe_time("ended_at")?,
        })
    }
}

impl Record for JobItem {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            number: row.int("number")?,
            user: row.id("user_id")?,
            outcome: row.named("outcome")?,
            code: row.maybe_text("code")?,
            detail: row.maybe_text("detail")?,
            at: row.time("at")?,
        })
    }
}

const FIND: &str = "
select id, state, kind, task, actor_kind, actor_id, rights, position, total, done, refused, reason, created_at, started_at,
  ended_at
from jobs
where id = $1";

const LIST: &str = "
select id, state, kind, task, actor_kind, actor_id, rights, position, total, done, refused, reason, created_at, started_at,
  ended_at
from jobs
where id < $1
order by id desc
limit $2";

const LIST_OF: &str = "
select id, state, kind, task, actor_kind, actor_id, rights, position, total, done, refused, reason, created_at, started_at,
  ended_at
from jobs
where actor_id = $1
and id < $2
order by id desc
limit $3";

const LIST_DUE: &str = "
select id
from jobs
where state in ('waiting', 'running')
and (lease_until is null or lease_until <= $1)
order by id
limit $2";

const COUNT_OPEN: &str = "
select count(*)
from (select 1 as one from jobs where state in ('waiting', 'running') limit $1) as open_jobs";

const LIST_ITEMS: &str = "
select number, user_id, outcome, code, detail, at
from job_items
where job_id = $1
and number > $2
order by number
limit $3";

const LIST_REFUSED: &str = "
select number, user_id, outcome, code, detail, at
from job_items
where job_id = $1
and number > $2
and outcome = 'refused'
order by number
limit $3";

const IS_THERE: &str = "
select count(*)
from job_items
where job_id = $1
and user_id = $2";

readers! {
    /// The job of this row.
    pub async fn find_job(&mut self, id: Id<Job>) -> Result<Option<Job>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// Jobs before this one, the last made first.
    pub async fn list_jobs(&mut self, before: Option<Id<Job>>, limit: u32) -> Result<Vec<Job>, Error> {
        let before = before.map_or(uuid::Uuid::max(), Id::uuid);
        Ok(self.sql(LIST).bind(before).bind(limit).all().await?)
    }

    /// Jobs that somebody has begun, before this one, the last made first.
    pub async fn list_jobs_of(&mut self, actor: Actor, before: Option<Id<Job>>, limit: u32) -> Result<Vec<Job>, Error> {
        let before = before.map_or(uuid::Uuid::max(), Id::uuid);
        Ok(self.sql(LIST_OF).bind(actor.id()).bind(before).bind(limit).all().await?)
    }

    /// Jobs that nobody is at, the first made first; a bounded number.
    pub async fn list_due_jobs(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Id<Job>>, Error> {
        let ids: Vec<uuid::Uuid> = self.sql(LIST_DUE).bind(now).bind(limit).all().await?;
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }

    /// How many jobs have not come to their end, counted no further than `most`.
    pub async fn count_open_jobs(&mut self, most: u32) -> Result<i64, Error> {
        Ok(self.sql(COUNT_OPEN).bind(most).one().await?)
    }

    /// What became of the things that a job is about, after this number; those that were refused alone, if asked.
    pub async fn list_job_items(&mut self, job: Id<Job>, only: Option<ItemOutcome>, after: i64, limit: u32) -> Result<Vec<JobItem>, Error> {
        let text = if only == Some(ItemOutcome::Refused) { LIST_REFUSED } else { LIST_ITEMS };
        Ok(self.sql(text).bind(job).bind(after).bind(limit).all().await?)
    }

    /// Whether it is known what became of one of them.
    pub async fn has_job_item(&mut self, job: Id<Job>, user: Id<User>) -> Result<bool, Error> {
        let found: i64 = self.sql(IS_THERE).bind(job).bind(user).one().await?;
        Ok(found > 0)
    }
}

const ADD: &str = "
insert into jobs (id, state, kind, task, actor_kind, actor_id, rights, total, done, refused, created_at, lease_until)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

const CLAIM: &str = "
update jobs
set state = 'running', lease = $2, lease_until = $3, started_at = coalesce(started_at, $4)
where id = $1
and state in ('waiting', 'running')
and (lease_until is null or lease_until <= $4)";

const ADD_ITEM: &str = "
insert into job_items (job_id, user_id, number, outcome, code, detail, at)
select id, $2, done + refused, $3, $4, $5, $6
from jobs
where id = $1
on conflict do nothing";

const COUNT_DONE: &str = "
update jobs
set done = done + 1
where id = $1
and lease = $2
and state = 'running'";

const COUNT_REFUSED: &str = "
update jobs
set refused = refused + 1
where id = $1
and lease = $2
and state = 'running'";

const GO_ON: &str = "
update jobs
set position = $3, lease_until = $4
where id = $1
and lease = $2
and state = 'running'";

const LET_GO: &str = "
update jobs
set lease = null, lease_until = $3
where id = $1
and lease = $2";

const FINISH: &str = "
update jobs
set state = $3, reason = $4, ended_at = $5, lease = null, lease_until = null
where id = $1
and lease = $2
and state = 'running'";

const CANCEL: &str = "
update jobs
set state = 'cancelled', ended_at = $2, lease = null, lease_until = null
where id = $1
and state in ('waiting', 'running')";

const SWEEP_ITEMS: &str = "
delete from job_items
where (job_id, user_id) in (
  select i.job_id, i.user_id
  from job_items i
  join jobs j on j.id = i.job_id
  where j.ended_at < $1
  limit $2
)";

const SWEEP: &str = "
delete from jobs
where id in (
  select id
  from jobs
  where ended_at < $1
  and not exists (select 1 from job_items where job_items.job_id = jobs.id)
  limit $2
)";

impl Write {
    /// Adds a job that nobody begins before then.
    pub async fn add_job(&mut self, job: &Job, from: Timestamp) -> Result<(), Error> {
        let rights = job
            .rights
            .as_ref()
            .map(|held| held.iter().collect::<Vec<_>>().join(" "));
        self.sql(ADD)
            .bind(job.id)
            .bind(JobState::Waiting.as_str())
            .bind(job.kind.as_str())
            .bind(job.task.as_str())
            .bind(job.actor.kind())
            .bind(job.actor.id())
            .bind(rights)
            .bind(job.total)
            .bind(0_i64)
            .bind(0_i64)
            .bind(job.created_at)
            .bind(from)
            .changed()
            .await?;
        Ok(())
    }

    /// Takes a job that nobody is at, until then. False if somebody was first, or it has come to its end.
    pub async fn claim_job(
        &mut self,
        id: Id<Job>,
        lease: &Digest,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<bool, Error> {
        let claiming = self.sql(CLAIM).bind(id).bind(lease).bind(until).bind(now);
        Ok(claiming.changed().await? == 1)
    }

    /// Writes down what became of one of the things, in the transaction that does it. False if that is known already, or whoever asks is
    /// at the job no more: then nothing of it may be done.
    pub async fn add_job_item(&mut self, job: Id<Job>, lease: &Digest, item: &JobItem) -> Result<bool, Error> {
        let count = match item.outcome {
            ItemOutcome::Done => COUNT_DONE,
            ItemOutcome::Refused => COUNT_REFUSED,
        };
        // the row of the job first: who cancels it waits, and the number is counted there
        if self.sql(count).bind(job).bind(lease).changed().await? != 1 {
            return Ok(false);
        }
        let adding = self
            .sql(ADD_ITEM)
            .bind(job)
            .bind(item.user)
            .bind(item.outcome.as_str())
            .bind(item.code.clone())
            .bind(item.detail.clone())
            .bind(item.at);
        Ok(adding.changed().await? == 1)
    }

    /// Says where a job goes on, and that somebody is at it until then. False if they are no more.
    pub async fn go_on_with_job(
        &mut self,
        id: Id<Job>,
        lease: &Digest,
        (position, until): (Option<&str>, Timestamp),
    ) -> Result<bool, Error> {
        let going = self.sql(GO_ON).bind(id).bind(lease);
        let going = going.bind(position.map(str::to_owned)).bind(until);
        Ok(going.changed().await? == 1)
    }

    /// Leaves a job to whoever comes next.
    pub async fn let_go_of_job(&mut self, id: Id<Job>, lease: &Digest, now: Timestamp) -> Result<(), Error> {
        self.sql(LET_GO).bind(id).bind(lease).bind(now).changed().await?;
        Ok(())
    }

    /// Says that a job has come to its end. False if whoever says so is at it no more.
    pub async fn finish_job(
        &mut self,
        id: Id<Job>,
        lease: &Digest,
        (state, reason, now): (JobState, Option<&str>, Timestamp),
    ) -> Result<bool, Error> {
        let finishing = self.sql(FINISH).bind(id).bind(lease).bind(state.as_str());
        let finishing = finishing.bind(reason.map(str::to_owned)).bind(now);
        Ok(finishing.changed().await? == 1)
    }

    /// Ends a job before its end: nothing more of it is done. False if it has come to it.
    pub async fn cancel_job(&mut self, id: Id<Job>, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(CANCEL).bind(id).bind(now).changed().await? == 1)
    }

    /// Forgets jobs that came to their end before `before`, what became of each thing first; a bounded number of rows.
    pub async fn sweep_jobs(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        let items = self.sql(SWEEP_ITEMS).bind(before).bind(limit).changed().await?;
        if items >= u64::from(limit) {
            return Ok(items);
        }
        let jobs = self.sql(SWEEP).bind(before).bind(limit).changed().await?;
        Ok(items.saturating_add(jobs))
    }
}
