//! Traces: what was decided under an id, for a while.

use uuid::Uuid;

use super::rows::Columns;
use super::{Error, Read, Write, readers};
use crate::model::{Id, Timestamp, Trace};
use crate::sql::{self, Record, Row};

/// A trace as it is stored.
#[derive(Clone, Debug)]
pub struct TraceRow {
    /// The row.
    pub id: Id<Trace>,
    /// The request: 32 hex digits.
    pub trace: String,
    /// The request that the journey began with.
    pub journey: String,
    /// When.
    pub at: Timestamp,
    /// What was asked for.
    pub part: String,
    /// How it ended.
    pub verdict: String,
    /// The rule that decided in the end.
    pub rule: String,
    /// About whom.
    pub user: Option<Uuid>,
    /// For which client.
    pub client: Option<Uuid>,
    /// The decisions, as the flow wrote them.
    pub steps: serde_json::Value,
}

/// Which traces are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceSelection {
    /// All.
    All,
    /// Those that ended by this rule.
    Rule(String),
    /// Those about this user.
    User(Uuid),
    /// Those for this client.
    Client(Uuid),
}

impl Record for TraceRow {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            trace: row.text("trace")?,
            journey: row.text("journey")?,
            at: row.time("at")?,
            part: row.text("part")?,
            verdict: row.text("verdict")?,
            rule: row.text("rule")?,
            user: row.maybe_uuid("user_id")?,
            client: row.maybe_uuid("client_id")?,
            steps: row.json("steps")?,
        })
    }
}

const LIST: &str = "
select id, trace, journey, at, part, verdict, rule, user_id, client_id, steps
from traces
where id < $1
order by id desc
limit $2";

const LIST_OF_RULE: &str = "
select id, trace, journey, at, part, verdict, rule, user_id, client_id, steps
from traces
where rule = $3
and id < $1
order by id desc
limit $2";

const LIST_OF_USER: &str = "
select id, trace, journey, at, part, verdict, rule, user_id, client_id, steps
from traces
where user_id = $3
and id < $1
order by id desc
limit $2";

const LIST_OF_CLIENT: &str = "
select id, trace, journey, at, part, verdict, rule, user_id, client_id, steps
from traces
where client_id = $3
and id < $1
order by id desc
limit $2";

const LIST_OF_JOURNEY: &str = "
select id, trace, journey, at, part, verdict, rule, user_id, client_id, steps
from traces
where journey = $1
order by id
limit $2";

const LIST_OF_TRACE: &str = "
select id, trace, journey, at, part, verdict, rule, user_id, client_id, steps
from traces
where trace = $1
order by id
limit $2";

// no hex digit comes after f
const FIND_BEGINNING: &str = "
select distinct trace
from traces
where trace >= $1
and trace < $1 || 'g'
order by trace
limit $2";

const FIND_BEGINNING_IN_EVENTS: &str = "
select distinct trace
from events
where trace >= $1
and trace < $1 || 'g'
order by trace
limit $2";

const FIND_NTH: &str = "
select id
from traces
order by id desc
limit 1
offset $1";

readers! {
    /// Traces before this one, newest first.
    pub async fn list_traces(&mut self, selection: &TraceSelection, before: Option<Id<Trace>>, limit: u32) -> Result<Vec<TraceRow>, Error> {
        let before = before.map_or(Uuid::max(), Id::uuid);
        let statement = match selection {
            TraceSelection::All => self.sql(LIST).bind(before).bind(limit),
            TraceSelection::Rule(rule) => self.sql(LIST_OF_RULE).bind(before).bind(limit).bind(rule.as_str()),
            TraceSelection::User(user) => self.sql(LIST_OF_USER).bind(before).bind(limit).bind(*user),
            TraceSelection::Client(client) => self.sql(LIST_OF_CLIENT).bind(before).bind(limit).bind(*client),
        };
        Ok(statement.all().await?)
    }

    /// What was decided in one request, in order.
    pub async fn list_traces_of(&mut self, trace: &str, limit: u32) -> Result<Vec<TraceRow>, Error> {
        Ok(self.sql(LIST_OF_TRACE).bind(trace).bind(limit).all().await?)
    }

    /// What was decided in a journey, in order.
    pub async fn list_traces_of_journey(&mut self, journey: &str, limit: u32) -> Result<Vec<TraceRow>, Error> {
        Ok(self.sql(LIST_OF_JOURNEY).bind(journey).bind(limit).all().await?)
    }

    /// The trace ids that begin with these hex digits: of traces, else of events.
    pub async fn list_trace_ids(&mut self, beginning: &str, limit: u32) -> Result<Vec<String>, Error> {
        let of_traces: Vec<String> = self.sql(FIND_BEGINNING).bind(beginning).bind(limit).all().await?;
        if !of_traces.is_empty() {
            return Ok(of_traces);
        }
        Ok(self.sql(FIND_BEGINNING_IN_EVENTS).bind(beginning).bind(limit).all().await?)
    }
}

impl Read {
    /// The newest trace that is not among the `most` newest.
    pub async fn find_trace_beyond(&mut self, most: i64) -> Result<Option<Id<Trace>>, Error> {
        let found: Option<Uuid> = self.sql(FIND_NTH).bind(most).optional().await?;
        Ok(found.map(Id::from_uuid))
    }
}

// written behind: a user or client that was deleted meanwhile leaves nothing here
const ADD: &str = "
insert into traces (id, trace, journey, at, part, verdict, rule, user_id, client_id, steps)
select $1, $2, $3, $4, $5, $6, $7, $8, (select id from clients where id = $9), $10
where $8 is null
or exists (select 1 from users where id = $8)
on conflict (id) do nothing";

const SWEEP_OLD: &str = "
delete from traces
where id in (select id from traces where at < $1 limit $2)";

const SWEEP_BEYOND: &str = "
delete from traces
where id in (select id from traces where id <= $1 limit $2)";

impl Write {
    /// Adds a trace once, unless the user it is about is no longer there.
    pub async fn add_trace(&mut self, trace: &TraceRow) -> Result<(), Error> {
        self.sql(ADD)
            .bind(trace.id)
            .bind(trace.trace.as_str())
            .bind(trace.journey.as_str())
            .bind(trace.at)
            .bind(trace.part.as_str())
            .bind(trace.verdict.as_str())
            .bind(trace.rule.as_str())
            .bind(trace.user)
            .bind(trace.client)
            .bind(trace.steps.to_string())
            .changed()
            .await?;
        Ok(())
    }

    /// Forgets traces made before `before`, a bounded number.
    pub async fn sweep_old_traces(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP_OLD).bind(before).bind(limit).changed().await?)
    }

    /// Forgets this trace and older ones, a bounded number.
    pub async fn sweep_traces_up_to(&mut self, last: Id<Trace>, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP_BEYOND).bind(last).bind(limit).changed().await?)
    }
}
