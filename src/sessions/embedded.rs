//! Sessions in a SQLite file of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::embedded_room::{HeldSession, Outcome, OwnRoom, held, judge_room};
use super::known::{Known, Looked};
use super::notes::Notebook;
use super::{Admission, LetGo, MadeRoom, Room, idle_micros, moment};
use crate::model::{Digest, Id, Session, Timestamp, User};
use crate::sql::{Database, Durability, Error, Migration, Record, Row, Transaction};

/// The file is SQLite's alone; the text for the other engine is the same in its spelling. `ends` is the earlier of the
/// absolute and the idle end.
const MIGRATIONS: &[Migration] = &[SESSIONS, NOTES, NO_NOTES];

const SESSIONS: Migration = Migration {
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
};

const NOTES: Migration = Migration {
    name: "0002_notes",
    sqlite: "
        create table note (
            user_id blob not null,
            code blob not null,
            state text not null,
            until integer not null,
            unique (user_id, code)
        ) strict;
        create index note_until on note (until);
    ",
    postgres: "
        create table note (
            user_id uuid not null,
            code bytea not null,
            state text not null,
            until bigint not null,
            unique (user_id, code)
        );
        create index note_until on note (until);
    ",
};

/// They are in memory.
const NO_NOTES: Migration = Migration {
    name: "0003_no_notes",
    sqlite: "drop table note",
    postgres: "drop table note",
};

#[derive(Clone)]
pub(super) struct Embedded {
    database: Database,
    known: Known,
    notebook: Notebook,
}

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

impl Record for LetGo {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            token: Digest::from_bytes(&row.bytes("token")?).ok_or(Error::unreadable("token"))?,
            session: Found::read(row)?.0,
        })
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
        Ok(Self {
            database,
            known: Known::nothing(),
            notebook: Notebook::empty(),
        })
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Changes something of a user's sessions. It runs to its end although its caller may go away: until then it is not known
    /// what the file holds.
    async fn change<T, F>(&self, user: Id<User>, change: impl FnOnce(Database) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let changing = self.known.changing(user);
        let change = change(self.database.clone());
        let changed = tokio::spawn(async move {
            let answer = change.await;
            drop(changing);
            answer
        });
        changed.await.map_err(|_| Error::interrupted())?
    }

    pub async fn admit(
        &self,
        token: &Digest,
        session: &Session,
        room: &Room<'_>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        const FORGET: &str = "
            delete from session
            where user_id = $1 and token = $2";
        let (token, session, room) = (*token, session.clone(), OwnRoom::of(room));
        let mut notes = self.notebook.of(session.user).await.ok_or_else(Error::interrupted)?;
        self.change(session.user, move |database| async move {
            let user = session.user;
            let mut transaction = database.write().await?;
            // the same admission, sent again, does not compete with itself
            let forgetting = transaction.sql(FORGET).bind(user.uuid());
            forgetting.bind(token.as_bytes()).later();
            forget_ended(&mut transaction, user, now);
            let sessions = held(&mut transaction, user, now).await?;
            let outcome = judge_room(&sessions, notes.notes(), None, &room.lent(), now);
            let let_go = end_those_who_go(&mut transaction, user, &outcome).await?;
            if outcome.is_admitted() {
                add(&mut transaction, &token, &session);
            }
            transaction.commit().await?;
            Ok(outcome.settled(let_go, notes.notes(), now))
        })
        .await
    }

    pub async fn put_back(
        &self,
        token: &Digest,
        session: &Session,
        room: &Room<'_>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        const THERE: &str = "
            select count(*)
            from session
            where user_id = $1 and token = $2 and ends > $3";
        // the same session as it was at another time, under another token
        const FORGET: &str = "
            delete from session
            where user_id = $1 and (token = $2 or id = $3)";
        let (token, session, room) = (*token, session.clone(), OwnRoom::of(room));
        let mut notes = self.notebook.of(session.user).await.ok_or_else(Error::interrupted)?;
        self.change(session.user, move |database| async move {
            let user = session.user;
            let mut transaction = database.write().await?;
            let looking = transaction.sql(THERE).bind(user.uuid()).bind(token.as_bytes());
            let there: i64 = looking.bind(moment(now)).one().await?;
            if there > 0 {
                transaction.commit().await?;
                return Ok(Admission::Admitted(MadeRoom::default()));
            }
            let forgetting = transaction.sql(FORGET).bind(user.uuid()).bind(token.as_bytes());
            forgetting.bind(session.id.uuid()).later();
            forget_ended(&mut transaction, user, now);
            let sessions = held(&mut transaction, user, now).await?;
            let outcome = judge_room(&sessions, notes.notes(), None, &room.lent(), now);
            let let_go = end_those_who_go(&mut transaction, user, &outcome).await?;
            if outcome.is_admitted() {
                add(&mut transaction, &token, &session);
            }
            transaction.commit().await?;
            Ok(outcome.settled(let_go, notes.notes(), now))
        })
        .await
    }

    /// Asks the file for nothing where it is known what that holds, and writes into it where a session has to go.
    pub async fn reserve(
        &self,
        user: Id<User>,
        code: &Digest,
        until: Timestamp,
        room: &Room<'_>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        let mut notes = self.notebook.of(user).await.ok_or_else(Error::interrupted)?;
        // whoever signs in meanwhile waits for the notes, and who is ended meanwhile counts no more
        let sessions = self.held(user, now).await?;
        let outcome = judge_room(&sessions, notes.notes(), Some(code), room, now);
        if !outcome.ends_sessions() {
            if outcome.is_admitted() {
                notes.notes().make(code, until);
            }
            return Ok(outcome.settled(Vec::new(), notes.notes(), now));
        }
        let code = *code;
        self.change(user, move |database| async move {
            let mut transaction = database.write().await?;
            let let_go = end_those_who_go(&mut transaction, user, &outcome).await?;
            transaction.commit().await?;
            notes.notes().make(&code, until);
            Ok(outcome.settled(let_go, notes.notes(), now))
        })
        .await
    }

    /// SQL names the family from here on.
    pub async fn written(&self, user: Id<User>, code: &Digest) {
        if let Some(mut notes) = self.notebook.of(user).await {
            notes.notes().written(code);
        }
    }

    pub async fn release(&self, user: Id<User>, code: &Digest) {
        if let Some(mut notes) = self.notebook.of(user).await {
            notes.notes().release(code);
        }
    }

    async fn held(&self, user: Id<User>, now: Timestamp) -> Result<Arc<[HeldSession]>, Error> {
        let since = match self.known.look_held(user) {
            Ok(sessions) => {
                self.database.require_same_file()?;
                return Ok(sessions);
            }
            Err(since) => since,
        };
        let mut connection = self.database.read().await?;
        let sessions = held(&mut connection, user, now).await?.into();
        self.known.keep_held(&since, user, &sessions);
        Ok(sessions)
    }

    pub async fn get(&self, user: Id<User>, token: &Digest, now: Timestamp) -> Result<Option<Session>, Error> {
        const GET: &str = "
            select id, user_id, started, seen, expires, idle, data
            from session
            where user_id = $1 and token = $2 and ends > $3";
        let since = match self.known.look(user, token) {
            Looked::Known(session) => {
                self.database.require_same_file()?;
                return Ok(session.is_live(now).then_some(session));
            }
            Looked::Unknown(since) => since,
        };
        let mut connection = self.database.read().await?;
        let getting = connection.sql(GET).bind(user.uuid()).bind(token.as_bytes());
        let found: Option<Found> = getting.bind(moment(now)).optional().await?;
        let found = found.map(|found| found.0);
        if let Some(session) = &found {
            self.known.keep(&since, token, session);
        }
        Ok(found)
    }

    pub async fn touch(&self, user: Id<User>, token: &Digest, now: Timestamp) -> Result<bool, Error> {
        const TOUCH: &str = "
            update session
            set seen = max(seen, $3), ends = min(expires, max(seen, $3) + idle)
            where user_id = $1 and token = $2 and ends > $3";
        let token = *token;
        self.change(user, move |database| async move {
            let mut transaction = database.write().await?;
            let touching = transaction.sql(TOUCH).bind(user.uuid()).bind(token.as_bytes());
            let changed = touching.bind(moment(now)).changed().await?;
            transaction.commit().await?;
            Ok(changed > 0)
        })
        .await
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
        let (token, data) = (*token, data.to_vec());
        self.change(user, move |database| async move {
            let mut transaction = database.write().await?;
            let replacing = transaction.sql(REPLACE_DATA).bind(user.uuid()).bind(token.as_bytes());
            let changed = replacing.bind(moment(now)).bind(data).changed().await?;
            transaction.commit().await?;
            Ok(changed > 0)
        })
        .await
    }

    pub async fn rotate(&self, user: Id<User>, old: &Digest, new: &Digest, now: Timestamp) -> Result<bool, Error> {
        const ROTATE: &str = "
            update session
            set token = $4, seen = max(seen, $3), ends = min(expires, max(seen, $3) + idle)
            where user_id = $1 and token = $2 and ends > $3
            and not exists (select 1 from session where user_id = $1 and token = $4)";
        let (old, new) = (*old, *new);
        self.change(user, move |database| async move {
            let mut transaction = database.write().await?;
            let rotating = transaction.sql(ROTATE).bind(user.uuid()).bind(old.as_bytes());
            let changed = rotating.bind(moment(now)).bind(new.as_bytes()).changed().await?;
            transaction.commit().await?;
            Ok(changed > 0)
        })
        .await
    }

    pub async fn list(&self, user: Id<User>, now: Timestamp) -> Result<Vec<Session>, Error> {
        const LIST: &str = "
            select id, user_id, started, seen, expires, idle, data
            from session
            where user_id = $1 and ends > $2
            order by started, id";
        let mut connection = self.database.read().await?;
        let listing = connection.sql(LIST).bind(user.uuid()).bind(moment(now));
        let found: Vec<Found> = listing.all().await?;
        Ok(found.into_iter().map(|found| found.0).collect())
    }

    pub async fn end(&self, user: Id<User>, id: Id<Session>) -> Result<bool, Error> {
        const END: &str = "
            delete from session
            where user_id = $1 and id = $2";
        self.change(user, move |database| async move {
            let mut transaction = database.write().await?;
            let changed = transaction.sql(END).bind(user.uuid()).bind(id.uuid()).changed().await?;
            transaction.commit().await?;
            Ok(changed > 0)
        })
        .await
    }

    pub async fn end_all(&self, user: Id<User>) -> Result<Vec<Id<Session>>, Error> {
        const END_ALL: &str = "
            delete from session
            where user_id = $1
            returning id";
        self.change(user, move |database| async move {
            let mut transaction = database.write().await?;
            let ended: Vec<Ended> = transaction.sql(END_ALL).bind(user.uuid()).all().await?;
            transaction.commit().await?;
            Ok(ended.into_iter().map(|ended| ended.0).collect())
        })
        .await
    }

    /// The live sessions with the digests of their tokens, by user and token: those that come after `after`.
    pub async fn list_from(
        &self,
        after: Option<&(Id<User>, Digest)>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Digest, Session)>, Error> {
        const LIST_FROM: &str = "
            select token, id, user_id, started, seen, expires, idle, data
            from session
            where (user_id, token) > ($1, $2) and ends > $3
            order by user_id, token
            limit $4";
        let (user, token) = match after {
            Some((user, token)) => (*user, token.as_bytes().to_vec()),
            None => (Id::from_uuid(uuid::Uuid::nil()), Vec::new()),
        };
        let mut connection = self.database.read().await?;
        let listing = connection.sql(LIST_FROM).bind(user.uuid()).bind(token);
        let found: Vec<LetGo> = listing.bind(moment(now)).bind(limit).all().await?;
        Ok(found.into_iter().map(|placed| (placed.token, placed.session)).collect())
    }

    /// Removes what has ended by itself: whoever looks judges that anew.
    pub async fn sweep(&self, now: Timestamp, limit: u32) -> Result<u64, Error> {
        const SWEEP: &str = "
            delete from session
            where rowid in (select rowid from session where ends <= $1 limit $2)";
        let mut transaction = self.database.write().await?;
        let removed = transaction.sql(SWEEP).bind(moment(now)).bind(limit).changed().await?;
        transaction.commit().await?;
        self.notebook.sweep(now).await;
        Ok(removed)
    }

    pub async fn ping(&self) -> Result<(), Error> {
        let _one: i64 = self.database.read().await?.sql("select 1").one().await?;
        Ok(())
    }
}

fn forget_ended(transaction: &mut Transaction, user: Id<User>, now: Timestamp) {
    const FORGET_ENDED: &str = "
        delete from session
        where user_id = $1 and ends <= $2";
    transaction
        .sql(FORGET_ENDED)
        .bind(user.uuid())
        .bind(moment(now))
        .later();
}

/// Gives them as they were.
async fn end_those_who_go(
    transaction: &mut Transaction,
    user: Id<User>,
    outcome: &Outcome,
) -> Result<Vec<LetGo>, Error> {
    const END: &str = "
        delete from session
        where user_id = $1 and id = $2
        returning token, id, user_id, started, seen, expires, idle, data";
    let mut let_go = Vec::new();
    if let Outcome::Admitted { sessions, .. } = outcome {
        for id in sessions {
            let ending = transaction.sql(END).bind(user.uuid()).bind(id.uuid());
            let_go.extend(ending.all::<LetGo>().await?);
        }
    }
    Ok(let_go)
}

fn add(transaction: &mut Transaction, token: &Digest, session: &Session) {
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
        .later();
}
