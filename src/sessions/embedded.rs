//! Sessions in a SQLite file of its own.

use std::path::Path;
use std::time::Duration;

use super::{Admission, AtLimit, Limit, idle_micros, moment};
use crate::model::{Digest, Id, Session, Timestamp, User};
use crate::sql::{Database, Durability, Error, Migration, Record, Row, Transaction};

/// The file is SQLite's alone; the text for the other engine is the same in its spelling. `ends` is the earlier of the
/// absolute and the idle end.
const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001_sessions",
    sqlite: "
        create table session (
            user_id blob not null,
            token blob not null,
            id blob not null,
            started integer not null,
            seen integer not null,
            expires integer not null,
            idle integer not null,
            ends integer not null,
            data blob not null,
            unique (user_id, token)
        ) strict;
        create index session_ends on session (ends);
    ",
    postgres: "
        create table session (
            user_id uuid not null,
            token bytea not null,
            id uuid not null,
            started bigint not null,
            seen bigint not null,
            expires bigint not null,
            idle bigint not null,
            ends bigint not null,
            data bytea not null,
            unique (user_id, token)
        );
        create index session_ends on session (ends);
    ",
}];

#[derive(Clone)]
pub(super) struct Embedded(Database);

struct Found(Session);

impl Record for Found {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self(Session {
            id: Id::from_uuid(row.uuid("id")?),
            user: Id::from_uuid(row.uuid("user_id")?),
            started: Timestamp::from_micros(row.int("started")?),
            seen: Timestamp::from_micros(row.int("seen")?),
            expires: Timestamp::from_micros(row.int("expires")?),
            idle_timeout: Duration::from_micros(row.int("idle")?.max(0).unsigned_abs()),
            data: row.bytes("data")?,
        }))
    }
}

/// The id of a session that was ended.
struct Ended(Id<Session>);

impl Record for Ended {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self(Id::from_uuid(row.uuid("id")?)))
    }
}

impl Embedded {
    pub async fn open(path: &Path) -> Result<Self, Error> {
        // the address is a URL, in which these two have a meaning of their own
        let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f");
        let database = Database::open(&format!("sqlite:{path}"), Durability::Light).await?;
        database.migrate(MIGRATIONS).await?;
        Ok(Self(database))
    }

    pub fn database(&self) -> &Database {
        &self.0
    }

    pub async fn admit(
        &self,
        token: &Digest,
        session: &Session,
        limit: Limit,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        const FORGET_ENDED: &str = "
            delete from session
            where user_id = $1 and (ends <= $2 or token = $3)";
        const COUNT: &str = "
            select count(*)
            from session
            where user_id = $1";
        let mut transaction = self.0.write().await?;
        // the same admission, sent again, does not compete with itself
        transaction
            .sql(FORGET_ENDED)
            .bind(session.user.uuid())
            .bind(moment(now))
            .bind(token.as_bytes())
            .changed()
            .await?;
        let mut ended = Vec::new();
        if let Some(max) = limit.max {
            let live: i64 = transaction.sql(COUNT).bind(session.user.uuid()).one().await?;
            let over = live.saturating_sub(i64::from(max)).saturating_add(1);
            if over > 0 && (max == 0 || limit.at_limit == AtLimit::Refuse) {
                transaction.commit().await?;
                return Ok(Admission::Refused {
                    live: u32::try_from(live).unwrap_or(u32::MAX),
                });
            }
            if over > 0 {
                ended = make_room(&mut transaction, session.user, limit.at_limit, over).await?;
            }
        }
        add(&mut transaction, token, session).await?;
        transaction.commit().await?;
        Ok(Admission::Admitted { ended })
    }

    pub async fn get(&self, user: Id<User>, token: &Digest, now: Timestamp) -> Result<Option<Session>, Error> {
        const GET: &str = "
            select id, user_id, started, seen, expires, idle, data
            from session
            where user_id = $1 and token = $2 and ends > $3";
        let found: Option<Found> = self
            .0
            .read()
            .await?
            .sql(GET)
            .bind(user.uuid())
            .bind(token.as_bytes())
            .bind(moment(now))
            .optional()
            .await?;
        Ok(found.map(|found| found.0))
    }

    pub async fn touch(&self, user: Id<User>, token: &Digest, now: Timestamp) -> Result<bool, Error> {
        const TOUCH: &str = "
            update session
            set seen = max(seen, $3), ends = min(expires, max(seen, $3) + idle)
            where user_id = $1 and token = $2 and ends > $3";
        let mut transaction = self.0.write().await?;
        let changed = transaction
            .sql(TOUCH)
            .bind(user.uuid())
            .bind(token.as_bytes())
            .bind(moment(now))
            .changed()
            .await?;
        transaction.commit().await?;
        Ok(changed > 0)
    }

    pub async fn replace_data(
        &self,
        user: Id<User>,
        token: &Digest,
        data: &[u8],
        now: Timestamp,
    ) -> Result<bool, Error> {
        const REPLACE_DATA: &str = "
            update session
            set data = $4
            where user_id = $1 and token = $2 and ends > $3";
        let mut transaction = self.0.write().await?;
        let changed = transaction
            .sql(REPLACE_DATA)
            .bind(user.uuid())
            .bind(token.as_bytes())
            .bind(moment(now))
            .bind(data)
            .changed()
            .await?;
        transaction.commit().await?;
        Ok(changed > 0)
    }

    pub async fn rotate(&self, user: Id<User>, old: &Digest, new: &Digest, now: Timestamp) -> Result<bool, Error> {
        const ROTATE: &str = "
            update session
            set token = $4, seen = max(seen, $3), ends = min(expires, max(seen, $3) + idle)
            where user_id = $1 and token = $2 and ends > $3
            and not exists (select 1 from session where user_id = $1 and token = $4)";
        let mut transaction = self.0.write().await?;
        let changed = transaction
            .sql(ROTATE)
            .bind(user.uuid())
            .bind(old.as_bytes())
            .bind(moment(now))
            .bind(new.as_bytes())
            .changed()
            .await?;
        transaction.commit().await?;
        Ok(changed > 0)
    }

    pub async fn list(&self, user: Id<User>, now: Timestamp) -> Result<Vec<Session>, Error> {
        const LIST: &str = "
            select id, user_id, started, seen, expires, idle, data
            from session
            where user_id = $1 and ends > $2
            order by started, id";
        let found: Vec<Found> = self
            .0
            .read()
            .await?
            .sql(LIST)
            .bind(user.uuid())
            .bind(moment(now))
            .all()
            .await?;
        Ok(found.into_iter().map(|found| found.0).collect())
    }

    pub async fn end(&self, user: Id<User>, id: Id<Session>) -> Result<bool, Error> {
        const END: &str = "
            delete from session
            where user_id = $1 and id = $2";
        let mut transaction = self.0.write().await?;
        let changed = transaction.sql(END).bind(user.uuid()).bind(id.uuid()).changed().await?;
        transaction.commit().await?;
        Ok(changed > 0)
    }

    pub async fn end_by_token(&self, user: Id<User>, token: &Digest) -> Result<Option<Id<Session>>, Error> {
        const END_BY_TOKEN: &str = "
            delete from session
            where user_id = $1 and token = $2
            returning id";
        let mut transaction = self.0.write().await?;
        let ended: Option<Ended> = transaction
            .sql(END_BY_TOKEN)
            .bind(user.uuid())
            .bind(token.as_bytes())
            .optional()
            .await?;
        transaction.commit().await?;
        Ok(ended.map(|ended| ended.0))
    }

    pub async fn end_all(&self, user: Id<User>) -> Result<Vec<Id<Session>>, Error> {
        const END_ALL: &str = "
            delete from session
            where user_id = $1
            returning id";
        let mut transaction = self.0.write().await?;
        let ended: Vec<Ended> = transaction.sql(END_ALL).bind(user.uuid()).all().await?;
        transaction.commit().await?;
        Ok(ended.into_iter().map(|ended| ended.0).collect())
    }

    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, Error> {
        const SWEEP: &str = "
            delete from session
            where rowid in (select rowid from session where ends <= $1 limit $2)";
        let mut transaction = self.0.write().await?;
        let removed = transaction.sql(SWEEP).bind(moment(now)).bind(limit).changed().await?;
        transaction.commit().await?;
        Ok(removed)
    }

    pub async fn ping(&self) -> Result<(), Error> {
        let _one: i64 = self.0.read().await?.sql("select 1").one().await?;
        Ok(())
    }
}

/// Ends as many of the user's sessions as are too many.
async fn make_room(
    transaction: &mut Transaction,
    user: Id<User>,
    at_limit: AtLimit,
    over: i64,
) -> Result<Vec<Id<Session>>, Error> {
    const END_OLDEST: &str = "
        delete from session
        where rowid in (select rowid from session where user_id = $1 order by started, token limit $2)
        returning id";
    const END_LEAST_RECENT: &str = "
        delete from session
        where rowid in (select rowid from session where user_id = $1 order by seen, token limit $2)
        returning id";
    let text = match at_limit {
        AtLimit::EndLeastRecent => END_LEAST_RECENT,
        AtLimit::EndOldest | AtLimit::Refuse => END_OLDEST,
    };
    let ended: Vec<Ended> = transaction.sql(text).bind(user.uuid()).bind(over).all().await?;
    Ok(ended.into_iter().map(|ended| ended.0).collect())
}

async fn add(transaction: &mut Transaction, token: &Digest, session: &Session) -> Result<(), Error> {
    const ADD: &str = "
        insert into session (user_id, token, id, started, seen, expires, idle, ends, data)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    transaction
        .sql(ADD)
        .bind(session.user.uuid())
        .bind(token.as_bytes())
        .bind(session.id.uuid())
        .bind(moment(session.started))
        .bind(moment(session.seen))
        .bind(moment(session.expires))
        .bind(idle_micros(session))
        .bind(moment(session.ends()))
        .bind(session.data.as_slice())
        .changed()
        .await?;
    Ok(())
}
